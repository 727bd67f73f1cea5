"""The ledger: what was sent to a server, what became of it, and what both sides said last.

One SQLite file for a server and a namespace, with a transaction before each request (what is about to be sent) and
one after its answer (what became of it). A process that dies between the two leaves a *pending* resource, which the
next push looks for before it does anything else.

It holds no patient data: hashes with a key, which lies in a file of its own beside it. Without that file nobody can
tell what a hash was of, and the ledger is begun anew from the server. A resource is known by the hash of its table
and key; its values by one hash each, of the canonical value (:mod:`mesofhir.mapping.saying`), so that the same value
in two records looks different.

One process writes a ledger at a time, by a lock that dies with it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from filelock import FileLock

from mesofhir.errors import NotAllDone, UsageError
from mesofhir.mapping import Link
from mesofhir.mapping.saying import Values
from mesofhir.sync.deciding.merge import Tokens
from mesofhir.sync.ledger.files import key_of, key_path, locked, refuse_others, touch

State = Literal["pending", "done", "unchanged", "refused", "unknown"]
STATES: Final = ("done", "unchanged", "pending", "unknown", "refused")
OPEN: Final = ("pending", "unknown")
"""States of which nobody knows what became of the request."""
PATIENCE: Final = 5.0
"""Seconds for which a second push waits for the first."""
_FORMAT: Final = "1"
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS resource (
        record TEXT, type TEXT, state TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, patient TEXT NOT NULL,
        base TEXT, sought TEXT, method TEXT NOT NULL, step TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (record, type)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_state ON resource (state);
    CREATE INDEX IF NOT EXISTS by_patient ON resource (patient);
    CREATE INDEX IF NOT EXISTS by_place ON resource (type, id);
    CREATE TABLE IF NOT EXISTS handled (history TEXT PRIMARY KEY, said TEXT NOT NULL) WITHOUT ROWID;
"""


_SELECT: Final = (
    "SELECT record, type, state, id, version, patient, base, sought, method, step, at FROM resource"
)


class LedgerFailed(NotAllDone):
    """The ledger cannot be written: nothing more is sent."""


@dataclass(frozen=True)
class Entry:
    """What is known of a resource.

    :param id: the server's; "" as long as it has given none
    :param version: the last that is known
    :param patient: a hash of whose it is
    :param base: what both sides said last; None: not known
    :param sought: while it is pending or unknown: what it is to say
    :param method: how it was last sent: ``create``, ``update`` or ``withdraw``; "": never
    :param step: by which step of the plan
    :param at: when that was remembered
    """

    state: State
    id: str = ""
    version: str = ""
    patient: str = ""
    base: Tokens | None = None
    sought: Tokens | None = None
    method: str = ""
    step: str = ""
    at: str = field(default="", compare=False)

    @property
    def stands(self) -> bool:
        """Is it known to be there, and not taken back?"""
        return self.state in ("done", "unchanged") and self.method != "withdraw"

    @property
    def there(self) -> bool:
        """Has the server got it, in whatever words, and is it not known to be taken back?"""
        return bool(self.id) and (self.stands or self.state not in ("done", "unchanged"))


class Ledger:
    """The ledger of a server and a namespace. A context manager; safe to use from several threads.

    :param path: None: in memory, for one run: a crash is then settled by what the server shows
    :param patience: seconds to wait for another process that writes it
    :ivar lost: why what an earlier ledger knew is gone; "" if it is not
    :raises LedgerBusy: another process is writing it
    :raises UsageError: it is of another server or namespace, or cannot be opened
    """

    def __init__(self, path: str | Path | None, url: str, namespace: str, *, patience: float = PATIENCE) -> None:
        self.path, self.lost = None if path is None else Path(path), ""
        self._mutex = threading.RLock()
        self._lock: FileLock | None = None
        about = {"format": _FORMAT, "server": url, "namespace": namespace}
        if self.path is None:
            self._key = secrets.token_bytes(32)
            self._db = self._opened(":memory:", about)
            return
        try:
            refuse_others(self.path)
            self._lock = locked(self.path, patience)
            self._key, self.lost = key_of(self.path)
            self._db = self._opened(str(self.path), about)
        except OSError as error:
            self.close()
            raise UsageError(f"the ledger {path} cannot be used: {error.strerror or error}") from None
        except UsageError:
            self.close()
            raise

    def _opened(self, name: str, about: Mapping[str, str]) -> sqlite3.Connection:
        if self.path is not None:
            touch(self.path)
        try:
            db = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(_SCHEMA)
            check = self._hash("about", "", "")
            for key, value in {**about, "check": check}.items():
                db.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (key, value))
            found = dict(db.execute("SELECT name, value FROM about"))
        except sqlite3.Error as error:
            raise UsageError(f"the ledger {name} cannot be opened: {error}") from None
        for key, value in about.items():
            if found[key] != value:
                db.close()
                raise UsageError(f"the ledger {name} is of another {key} ({found[key]}); name another file")
        if found["check"] != check:
            db.close()
            raise UsageError(f"the ledger {name} and its key {key_path(Path(name))} do not belong together")
        return db

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it, and let others in."""
        with suppress(AttributeError):
            self._db.close()
        if self._lock is not None:
            self._lock.release()

    # --- hashes -------------------------------------------------------------------------------------------

    def _hash(self, *parts: str) -> str:
        text = "\0".join(parts).encode()
        return hashlib.blake2b(text, key=self._key, digest_size=12).hexdigest()

    def record(self, table: str, key: str) -> str:
        """The hash under which a record is known."""
        return self._hash("record", table, key)

    def tokens(self, link: Link, values: Values) -> dict[str, Any]:
        """Values as the ledger remembers them."""

        def token(name: str, value: str) -> str:
            return self._hash(link.table, link.key, name, value) if value else ""

        return {
            name: {token(f"{name}#", k or "0"): token(name, v) for k, v in value.items()}
            if isinstance(value, dict)
            else token(name, value)
            for name, value in values.items()
        }

    # --- reading ------------------------------------------------------------------------------------------

    def known(self, links: Iterable[Link]) -> dict[Link, Entry]:
        """What is known of these."""
        out = {}
        with self._mutex:
            for link in links:
                name = (self.record(link.table, link.key), link.kind)
                row = self._db.execute(f"{_SELECT} WHERE record = ? AND type = ?", name).fetchone()
                if row:
                    out[link] = _entry(*row[2:])
        return out

    def of(self, patient: str, but: Container[str] = ()) -> dict[tuple[str, str], Entry]:
        """All that is known of a patient: the hash of the record and the type → what is known.

        :param patient: as the ledger calls them
        :param but: hashes of records that are not asked for
        """
        with self._mutex:
            rows = self._db.execute(f"{_SELECT} WHERE patient = ?", (patient,)).fetchall()
        return {(record, kind): _entry(*more) for record, kind, *more in rows if record not in but}

    def records_of(self, kind: str, logical: str) -> set[str]:
        """The hashes of the records that a resource of the server is known as."""
        with self._mutex:
            rows = self._db.execute("SELECT record FROM resource WHERE type = ? AND id = ?", (kind, logical)).fetchall()
        return {record for (record,) in rows}

    def counts(self) -> dict[str, int]:
        """How many resources there are of each state."""
        with self._mutex:
            found = dict(self._db.execute("SELECT state, count(*) FROM resource GROUP BY state"))
        return {state: found.get(state, 0) for state in STATES}

    # --- writing ------------------------------------------------------------------------------------------

    def write(self, entries: Mapping[Link, Entry | None]) -> None:
        """Remember all of these, or none of them; None: forget it.

        :raises LedgerFailed: the disk is full, the file is read-only, …
        """
        if not entries:
            return
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction() as db:
            for link, e in entries.items():
                name = (self.record(link.table, link.key), link.kind)
                if e is None:
                    db.execute("DELETE FROM resource WHERE record = ? AND type = ?", name)
                    continue
                base, sought = _dumped(e.base), _dumped(e.sought)
                values = (*name, e.state, e.id, e.version, e.patient, base, sought, e.method, e.step, now)
                db.execute(f"INSERT OR REPLACE INTO resource VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608

    def adopt(self, before: str, patient: str) -> None:
        """What is known of one patient is another one's, but for the people.

        :raises LedgerFailed: see :meth:`write`
        """
        with self._transaction() as db:
            db.execute(
                "UPDATE resource SET patient = ? WHERE patient = ? AND type NOT IN ('Patient', 'Practitioner')",
                (patient, before),
            )

    def forget(self, names: Iterable[tuple[str, str]]) -> None:
        """Forget resources by the hash of the record and the type.

        :raises LedgerFailed: see :meth:`write`
        """
        if names := list(names):
            with self._transaction() as db:
                db.executemany("DELETE FROM resource WHERE record = ? AND type = ?", names)

    @property
    def interrupted(self) -> bool:
        """Was the last run cut off?"""
        with self._mutex:
            return self._db.execute("SELECT value FROM about WHERE name = 'running'").fetchone() is not None

    # --- runs ---------------------------------------------------------------------------------------------

    def begin(self, *, resume: bool) -> bool:
        """Begin a run.

        :param resume: go on with the one that was interrupted
        :returns: was there one?
        """
        there = self.interrupted
        with self._transaction() as db:
            if not (resume and there):
                db.execute("DELETE FROM handled")
            db.execute("INSERT OR REPLACE INTO about VALUES ('running', ?)", (datetime.now(UTC).isoformat(),))
        return there

    def end(self) -> None:
        """The run came to its end."""
        with self._transaction() as db:
            db.execute("DELETE FROM about WHERE name = 'running'")
            db.execute("DELETE FROM handled")

    def was_handled(self, history: str, said: str) -> bool:
        """Did the run come past this history, saying the same?"""
        with self._mutex:
            row = self._db.execute("SELECT said FROM handled WHERE history = ?", (self._hash("h", history),)).fetchone()
        return row is not None and row[0] == self._hash("said", history, said)

    def handled(self, history: str, said: str) -> None:
        """The run has come past it."""
        with self._transaction() as db:
            values = (self._hash("h", history), self._hash("said", history, said))
            db.execute("INSERT OR REPLACE INTO handled VALUES (?, ?)", values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise LedgerFailed(
                    f"the ledger {self.path or '(in memory)'} cannot be written ({error}), and nothing is sent that "
                    "it does not know of"
                ) from None


def _entry(
    state: State, id: str, version: str, patient: str, base: str | None, sought: str | None, *more: str
) -> Entry:
    return Entry(state, id, version, patient, _loaded(base), _loaded(sought), *more)


def settled(entry: Entry, state: State, **more: Any) -> Entry:
    """An entry of which it is known what became of it."""
    return replace(entry, state=state, sought=None, **more)


def undone(entry: Entry) -> Entry:
    """An entry of which it is known that the last request has changed nothing: what was known before holds on."""
    return settled(entry, "done", method="" if entry.method == "withdraw" else entry.method)


def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _dumped(tokens: Tokens | None) -> str | None:
    return None if tokens is None else json.dumps(tokens, separators=(",", ":"), default=dict)

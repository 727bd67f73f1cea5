"""What the last incremental pull into one destination has seen: by it the next one knows what is new.

A small SQLite file, without patient data: the server's names and versions of resources, and keyed hashes of what they
said and of the clinic's keys. The key of the hashes stands in the file, so the file is no secret and no safe either:
it is 0600, beside the ledger.

A run is one transaction. It begins with the run, which locks the file against a second one as long as the process
lives, and it is committed after the destination was written: a run that is killed leaves the file as it was, and the
next one reads again what this one had read.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

from mesofhir.errors import UsageError
from mesofhir.fhir.exactjson import encode

_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS said (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS seen (
        name TEXT, owner TEXT, ours INT, version TEXT, digest BLOB, updated INT, record BLOB, PRIMARY KEY (name, owner)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS seen_of ON seen (owner);
    CREATE TABLE IF NOT EXISTS owners (owner TEXT PRIMARY KEY, patient BLOB, again INT) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS owner_of ON owners (patient);
    CREATE TABLE IF NOT EXISTS written (patient BLOB PRIMARY KEY, digest BLOB) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS surplus (kind TEXT PRIMARY KEY, n INT) WITHOUT ROWID
"""
_VOLATILE: Final = ("versionId", "lastUpdated", "source")  # HAPI appends the request to meta.source
Resource = dict[str, Any]


class Busy(UsageError):
    """Another pull into the same destination is under way."""


class Seen(NamedTuple):
    """A resource as it was when its owner's history was read.

    :param owner: the patient on the server (``Patient/id``) whose history says something of it
    :param updated: ``meta.lastUpdated`` in microseconds since 1970; None if the server does not tell
    """

    name: str
    owner: str
    ours: bool
    version: str
    digest: bytes
    updated: int | None


class Remembered:
    """The file. A context manager: without :meth:`commit` nothing of a run stays.

    :param path: the file; it is made where there is none
    :raises Busy: another process holds it
    :raises UsageError: it cannot be read or written, or is something else
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            self.db = sqlite3.connect(path, timeout=0.2, isolation_level=None)
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.execute("BEGIN IMMEDIATE")
            for statement in _TABLES.split(";"):
                self.db.execute(statement)
            self.key = self._key()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Busy(f"another pull into the same place is under way (it holds {path}); wait for it") from None
            raise UsageError(f"{path}: what was pulled cannot be remembered: {error}") from None
        except (OSError, sqlite3.DatabaseError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            hint = "remove the file: the next pull then reads everything"
            raise UsageError(f"{path}: what was pulled cannot be remembered: {why}; {hint}") from None

    def _key(self) -> bytes:
        if (key := self.said("key")) is None:
            self.say("key", key := secrets.token_bytes(32))
        return bytes(key)

    def __enter__(self) -> Remembered:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.db.close()  # what was not committed is undone

    def commit(self) -> None:
        """Keep what this run has seen; it is on the disk afterwards.

        :raises UsageError: it could not be written: the next run reads the same again
        """
        try:
            self.db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{self.path}: what was pulled cannot be remembered: {error}") from None

    # --- hashes -------------------------------------------------------------------------------------------

    def hash(self, *texts: str) -> bytes:
        """A keyed hash of what must not stand here itself."""
        return hashlib.blake2b(encode(texts), key=self.key, digest_size=16).digest()

    def digest(self, resource: Resource) -> bytes:
        """What a resource says, but for the server's own bookkeeping."""
        meta = {k: v for k, v in resource.get("meta", {}).items() if k not in _VOLATILE}
        return hashlib.blake2b(encode({**resource, "meta": meta}), key=self.key, digest_size=16).digest()

    # --- what is known ------------------------------------------------------------------------------------

    def said(self, name: str) -> Any:
        """A single value; None where nothing was said."""
        found = self.db.execute("SELECT value FROM said WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def say(self, name: str, value: bytes | int | str | None) -> None:
        self.db.execute("INSERT OR REPLACE INTO said VALUES (?, ?)", (name, value))

    def of(self, name: str) -> list[Seen]:
        """A resource, once for each owner."""
        columns = "name, owner, ours, version, digest, updated"
        return [Seen(*row) for row in self.db.execute(f"SELECT {columns} FROM seen WHERE name = ?", (name,))]  # noqa: S608

    def names(self, kind: str, *, ours: bool) -> Iterator[str]:
        """The resources of a type."""
        sql = "SELECT DISTINCT name FROM seen WHERE name LIKE ? AND ours = ?"
        for (name,) in self.db.execute(sql, (f"{kind}/%", ours)).fetchall():
            yield name

    def names_of(self, owner: str) -> Iterator[str]:
        """The resources that an owner's history says something of."""
        for (name,) in self.db.execute("SELECT name FROM seen WHERE owner = ?", (owner,)).fetchall():
            yield name

    def newest(self, kind: str) -> int | None:
        """When a resource of ours of a type was changed last; None where no time is known."""
        sql = "SELECT max(updated) FROM seen WHERE name LIKE ? AND ours"
        newest: int | None = self.db.execute(sql, (f"{kind}/%",)).fetchone()[0]
        return newest

    def since(self, kind: str, start: int) -> list[Seen]:
        """The resources of ours of a type that were changed last at that time or later."""
        columns = "name, owner, ours, version, digest, updated"
        sql = f"SELECT {columns} FROM seen WHERE name LIKE ? AND ours AND updated >= ?"  # noqa: S608
        return [Seen(*row) for row in self.db.execute(sql, (f"{kind}/%", start))]

    def record(self, name: str) -> bytes | None:
        """The keyed hash of the record (table, key) that a resource of ours is."""
        found = self.db.execute("SELECT record FROM seen WHERE name = ? AND ours", (name,)).fetchone()
        return found[0] if found else None

    # --- owners -------------------------------------------------------------------------------------------

    def owner(self, subject: str) -> str:
        """What an owner is called here: ``Patient/id``; where only our key says who it is (``?key``), the patient of
        that key, else a hash of it."""
        if not subject.startswith("?"):
            return subject
        hashed = self.hash(subject[1:])
        found = self.db.execute("SELECT owner FROM owners WHERE patient = ?", (hashed,)).fetchone()
        return str(found[0]) if found else f"?{hashed.hex()}"

    def owners(self, *, again: bool = False) -> list[str]:
        """All owners.

        :param again: only those whose history could not be read as a whole
        """
        return [owner for (owner,) in self.db.execute("SELECT owner FROM owners WHERE again >= ?", (again,))]

    def owner_of(self, patient: str) -> str | None:
        """The owner whose history has this key."""
        found = self.db.execute("SELECT owner FROM owners WHERE patient = ?", (self.hash(patient),)).fetchone()
        return str(found[0]) if found else None

    def forget(self, owner: str) -> None:
        for table in ("seen", "owners"):
            self.db.execute(f"DELETE FROM {table} WHERE owner = ?", (owner,))  # noqa: S608 - one of two names

    def own(self, owner: str, patient: str, *, again: bool) -> None:
        """Learn of an owner, and whose key the history has; nothing else is known of it any more."""
        self.forget(owner)
        self.db.execute("INSERT INTO owners VALUES (?, ?, ?)", (owner, self.hash(patient), again))

    def see(self, owner: str, resource: Resource, record: tuple[str, str] | None) -> None:
        """Learn of a resource of an owner.

        :param record: table and key, of a resource of ours
        """
        meta = resource.get("meta", {})
        self.db.execute(
            "INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                f"{resource['resourceType']}/{resource['id']}",
                owner,
                record is not None,
                str(meta.get("versionId", "")),
                self.digest(resource),
                moment(meta.get("lastUpdated")),
                self.hash(*record) if record else None,
            ),
        )

    def surplus(self, kind: str) -> int:
        """How many more than ours the server counts of a type (what carries an old identifier of ours, say)."""
        found = self.db.execute("SELECT n FROM surplus WHERE kind = ?", (kind,)).fetchone()
        return int(found[0]) if found else 0

    def set_surplus(self, kind: str, n: int) -> None:
        self.db.execute("INSERT OR REPLACE INTO surplus VALUES (?, ?)", (kind, n))

    # --- what stands at the destination -------------------------------------------------------------------

    def written(self, patient: str) -> bytes | None:
        """The digest of the history that the last run left at the destination."""
        found = self.db.execute("SELECT digest FROM written WHERE patient = ?", (self.hash(patient),)).fetchone()
        return found[0] if found else None

    def wrote(self, owner: str) -> bool:
        """Has a run left an owner's history at the destination?"""
        sql = "SELECT 1 FROM owners JOIN written USING (patient) WHERE owner = ?"
        return self.db.execute(sql, (owner,)).fetchone() is not None

    def write(self, patient: str, digest: bytes) -> None:
        self.db.execute("INSERT OR REPLACE INTO written VALUES (?, ?)", (self.hash(patient), digest))


def moment(text: Any) -> int | None:
    """An instant in microseconds since 1970; None if it is none."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return int(at.timestamp() * 1_000_000) if at.tzinfo else None


def instant(microseconds: int) -> str:
    """As it stands in a search: to the millisecond, rounded down, so that nothing of it is left out."""
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{microseconds // 1000 % 1000:03}Z"

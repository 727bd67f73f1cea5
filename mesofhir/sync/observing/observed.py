"""What servers were seen to do to our data: counts per server, type, element and what became of it. No values.

One small SQLite file for all servers. Counts are of resources: in how many of those that were compared the worst that
became of the element was this.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from mesofhir.errors import UsageError
from mesofhir.sync.observing.readback import HARMLESS, Finding, worst

_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS compared (server TEXT, kind TEXT, n INT, PRIMARY KEY (server, kind)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS observed (
        server TEXT, kind TEXT, path TEXT, what TEXT, n INT, PRIMARY KEY (server, kind, path, what)
    ) WITHOUT ROWID
"""


class Observation(NamedTuple):
    """What became of an element.

    :param path: from the type on: ``Procedure.note.text``
    :param what: as :data:`mesofhir.sync.observing.readback.What` has it
    :param n: in how many resources
    :param of: of how many that were compared
    """

    kind: str
    path: str
    what: str
    n: int
    of: int


class Observed:
    """The file.

    :param path: it is made with the first observation
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def knows(self, server: str) -> bool:
        """Was anything of a server (its base URL) compared yet?"""
        with self._open() as db:
            sql = "SELECT 1 FROM compared WHERE server = ?"
            return db is not None and db.execute(sql, (server,)).fetchone() is not None

    def add(self, server: str, kind: str, findings: Iterable[Finding]) -> None:
        """One resource that was compared.

        :raises UsageError: it cannot be written down
        """
        with self._open(make=True) as db:
            assert db is not None  # noqa: S101
            one = "INSERT INTO compared VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1"
            db.execute(one, (server, kind))
            seen = "INSERT INTO observed VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1"
            for path, what in worst(findings).items():
                if what != "kept":
                    db.execute(seen, (server, kind, path, what))

    def of(self, server: str) -> list[Observation]:
        """All that was not kept to the letter; the worst first."""
        sql = (
            "SELECT o.kind, o.path, o.what, o.n, c.n FROM observed AS o JOIN compared AS c USING (server, kind)"
            " WHERE server = ? ORDER BY o.kind, o.path"
        )
        with self._open() as db:
            found = [Observation(*row) for row in db.execute(sql, (server,))] if db is not None else []
        order = {"dropped": 0, "changed": 1}
        return sorted(found, key=lambda o: (order.get(o.what, 2), o.kind, o.path))

    def compared(self, server: str) -> dict[str, int]:
        """How many resources of each type were compared."""
        with self._open() as db:
            sql = "SELECT kind, n FROM compared WHERE server = ? ORDER BY kind"
            return dict(db.execute(sql, (server,)).fetchall()) if db is not None else {}

    @contextmanager
    def _open(self, *, make: bool = False) -> Iterator[sqlite3.Connection | None]:
        if not make and not self.path.exists():
            yield None
            return
        try:
            if make:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(self.path, timeout=10)) as db, db:
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                yield db
        except (OSError, sqlite3.DatabaseError) as error:
            raise UsageError(f"{self.path}: what servers do to our data cannot be kept there: {error}") from None


def lines(seen: Observed, server: str) -> list[str]:
    """What ``server check`` shows: in a minute an integrator knows what the server does to our data."""
    compared = seen.compared(server)
    if not compared:
        return ["what it does to our data: not seen yet (push --verify reads back what was sent)"]
    counts = ", ".join(f"{n} {kind}" for kind, n in compared.items())
    out = [f"what it was seen to do to our data ({counts} read back):"]
    found = seen.of(server)
    for o in found:
        harmless = " (harmless)" if o.what in HARMLESS else ""
        out.append(f"  {o.what + harmless:24} {o.path}: {o.n} of {o.of}")
    return out if found else [*out, "  nothing: all was kept to the letter"]

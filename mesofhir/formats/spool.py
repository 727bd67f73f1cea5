"""One spool: what has to be gathered before it can be told stands in one temporary file (architecture, rule 8).

It is a SQLite file of mode 0600 in a folder of its own, which nobody else may enter, and both are gone when the
spool is closed, garbage, or the process ends, whatever happened in between.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

PAGE_CACHE: Final = 8 * 1024  #: KiB of the file that SQLite may hold in memory


class Spool:
    """A private temporary database, and files beside it. A context manager.

    :param db: its connection; whoever spools makes tables of its own
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mesofhir-"))  # 0700
        path = self.folder / "spool.sqlite"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._end = weakref.finalize(self, _remove, self.db, self.folder)
        for pragma in (
            "journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", f"cache_size = -{PAGE_CACHE}",
        ):  # fmt: skip
            self.db.execute(f"PRAGMA {pragma}")
        self.db.execute("BEGIN")  # never committed: nothing needs to outlive the connection

    def close(self) -> None:
        """Remove it. Twice does no harm."""
        self._end()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def make(self, tables: str) -> None:
        """Make tables and indexes, statements separated by ``;``."""
        for statement in filter(str.strip, tables.split(";")):
            self.db.execute(statement)

    def do(self, sql: str, *values: Any) -> int:
        """Carry out one statement; the number of rows that it changed."""
        return self.db.execute(sql, values).rowcount

    def rows(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one in memory at a time. The table read may be written meanwhile with care."""
        yield from self.db.execute(sql, values)

    def one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        row: tuple[Any, ...] | None = self.db.execute(sql, values).fetchone()
        return row

    def file(self, source: BinaryIO) -> Path:
        """A private copy of a stream that cannot be read twice."""
        descriptor, name = tempfile.mkstemp(dir=self.folder)  # 0600
        with open(descriptor, "wb") as copy:
            shutil.copyfileobj(source, copy)
        return Path(name)


def _remove(db: sqlite3.Connection, folder: Path) -> None:
    db.close()
    shutil.rmtree(folder, ignore_errors=True)

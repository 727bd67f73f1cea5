"""What a ledger says, read from outside: without its key and its lock, also while a push is using it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mesofhir.errors import UsageError
from mesofhir.sync.ledger.ledger import STATES


@dataclass(frozen=True)
class Look:
    """What a ledger says, to be told.

    :param counts: state → how many resources
    :param open: what is pending, unknown or refused: the hash of the record, type, state, id, version, method, step,
        time
    """

    server: str
    namespace: str
    counts: dict[str, int]
    open: list[dict[str, str]]
    interrupted: bool


def look(path: Path) -> Look:
    """Look at a ledger, also while a push is using it.

    :raises UsageError: it is none
    """
    names = ("record", "type", "state", "id", "version", "method", "step", "at")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            about = dict(db.execute("SELECT name, value FROM about"))
            counts = dict(db.execute("SELECT state, count(*) FROM resource GROUP BY state"))
            rows = db.execute(
                "SELECT record, type, state, id, version, method, step, at FROM resource "
                "WHERE state IN ('pending', 'unknown', 'refused') ORDER BY state, at, type, record"
            ).fetchall()
            said = about["server"], about["namespace"]
    except (sqlite3.Error, KeyError) as error:
        raise UsageError(f"{path}: not a ledger ({error})") from None
    states = {state: counts.get(state, 0) for state in STATES}
    return Look(*said, states, [dict(zip(names, row, strict=True)) for row in rows], "running" in about)

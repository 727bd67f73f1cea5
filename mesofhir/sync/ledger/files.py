"""The files of a ledger: where they are, the lock that lets one process write, and the key of its hashes."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from platformdirs import user_data_path

from mesofhir.errors import NotAllDone, UsageError


class LedgerBusy(NotAllDone):
    """Another push is using the ledger."""


def folder() -> Path:
    """Where ledgers are, if nobody says otherwise: in the user's data folder."""
    return user_data_path("mesofhir") / "ledgers"


def default_path(url: str, namespace: str) -> Path:
    """Where the ledger of a server and a namespace is, if nobody says otherwise."""
    host = "".join(c if c.isalnum() or c in ".-" else "-" for c in urlsplit(url).netloc.rpartition("@")[2])
    name = hashlib.sha256(f"{url}\n{namespace}".encode()).hexdigest()[:12]
    return folder() / f"{host}-{name}.sqlite"


def refuse_others(path: Path) -> None:
    """Leave alone what is no ledger: whoever named the source, or a database, is to have it still.

    :raises UsageError: there is something else under that name
    :raises OSError: it cannot be read
    """
    if not path.exists() or not path.stat().st_size:  # nothing, or a ledger that was cut off in its first moment
        return
    with path.open("rb") as file:
        is_one = file.read(16) == b"SQLite format 3\0"
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        is_one = is_one and (not tables or {"about", "resource"} <= tables)
    if not is_one:
        raise UsageError(f"{path} is not a ledger, and is left as it is; name another file, or one that is not there")


def locked(path: Path, patience: float) -> FileLock:
    """The lock of a ledger; it dies with its process.

    :param patience: seconds to wait for another process
    :raises LedgerBusy: another one has it
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR, 0o600))  # FileLock waits for what nobody may write
    lock = FileLock(f"{path}.lock", timeout=patience, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise LedgerBusy(
            f"another push is using the ledger {path}; nothing was sent. Push again when it is done, or name another "
            "ledger with --ledger"
        ) from None
    return lock


def key_path(path: Path) -> Path:
    """Where the key of a ledger is: beside it."""
    return path.with_name(f"{path.name}.key")


def key_of(path: Path) -> tuple[bytes, str]:
    """The key of a ledger, made with it; and why what an old one knew is of no use any more, "" if there is none.

    :raises UsageError: the file holds no key
    """
    place, lost = key_path(path), ""
    if path.exists() and not place.exists():
        old = path.with_name(f"{path.name}.lost-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{old}{suffix}")
        lost = f"the key of the ledger is gone ({place}): what it knew cannot be read any more, and is kept as {old}"
    if not place.exists():
        made = place.with_name(f"{place.name}.new")  # there whole, or not at all: the disk may be full
        made.unlink(missing_ok=True)
        with os.fdopen(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        made.replace(place)
    key = place.read_bytes()
    if len(key) != 32:
        raise UsageError(f"{place}: not the key of a ledger; expected 32 bytes")
    return key, lost


def touch(path: Path) -> None:
    """Make the file of a ledger, for its owner alone, where there is none."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

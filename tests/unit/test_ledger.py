"""The ledger: what it remembers, who may write it, and what happens where it cannot be written."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mesofhir.errors import UsageError
from mesofhir.mapping import Link
from mesofhir.sync.ledger.files import LedgerBusy, default_path
from mesofhir.sync.ledger.ledger import Entry, Ledger, LedgerFailed
from mesofhir.sync.ledger.look import look

URL, NAMESPACE = "https://fhir.example.org/r4", "https://clinic.example/m"
LINK = Link("Procedure", "sessions", "S1")


def opened(path: Path, **more: object) -> Ledger:
    return Ledger(path, URL, NAMESPACE, **more)


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "l.sqlite"
    with opened(path) as ledger:
        tokens = ledger.tokens(LINK, {"place": '"Sala 1"', "note": "", "drugs": {'"a"': '"a 1"'}})
        entry = Entry("done", "7", "3", "whose", tokens, None, "update", "transaction")
        ledger.write({LINK: entry})
    with opened(path) as ledger:
        assert ledger.known([LINK, LINK._replace(key="S2")]) == {LINK: entry}
        assert ledger.tokens(LINK, {"place": '"Sala 1"'})["place"] == tokens["place"]
        assert tokens["note"] == ""
        other = ledger.tokens(LINK._replace(key="S2"), {"place": '"Sala 1"'})
        assert other["place"] != tokens["place"], "the same value of two records looks different"
        ledger.write({LINK: None})
        assert ledger.known([LINK]) == {}


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_it_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with opened(tmp_path / "l.sqlite") as ledger:
            ledger.write({LINK: Entry("done")})
            files = list(tmp_path.iterdir())
            assert {f.name for f in files} >= {"l.sqlite", "l.sqlite.key", "l.sqlite-wal", "l.sqlite.lock"}
            for file in files:
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    finally:
        os.umask(old)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with opened(path), pytest.raises(LedgerBusy, match="another push is using"):
        opened(path, patience=0.2)
    opened(path).close()


HOLDER = """
    import sys, time
    from pathlib import Path
    from mesofhir.mapping import Link
    from mesofhir.sync.ledger.ledger import Entry, Ledger
    ledger = Ledger(Path(sys.argv[1]), "https://fhir.example.org/r4", "https://clinic.example/m")
    ledger.write({Link("Procedure", "sessions", "S1"): Entry("pending", method="create")})
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_dies_with_its_process_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LedgerBusy):
            opened(path, patience=0.2)
        assert look(path).counts["pending"] == 1, "it can be looked at all the same"
        holder.send_signal(signal.SIGKILL)
    with opened(path, patience=5) as ledger:
        assert ledger.known([LINK])[LINK].state == "pending"


def test_it_is_of_one_server_and_one_namespace(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    opened(path).close()
    with pytest.raises(UsageError, match="another server"):
        Ledger(path, "https://other.example/r4", NAMESPACE)
    with pytest.raises(UsageError, match="another namespace"):
        Ledger(path, URL, "https://clinic.example/other")
    opened(path).close()  # and the lock is free again
    paths = {default_path(u, n) for u in (URL, "https://fhir.example.org/r5") for n in (NAMESPACE, "urn:x")}
    assert len(paths) == 4
    assert all(p.name.startswith("fhir.example.org-") for p in paths)


def test_without_its_key_it_is_begun_anew_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with opened(path) as ledger:
        ledger.write({LINK: Entry("done", "7")})
        assert ledger.lost == ""
    path.with_name("l.sqlite.key").unlink()
    with opened(path) as ledger:
        assert "cannot be read any more" in ledger.lost
        assert ledger.known([LINK]) == {}
    assert len(list(tmp_path.glob("l.sqlite.lost-*[0-9]"))) == 1
    path.with_name("l.sqlite.key").write_bytes(b"x" * 32)
    with pytest.raises(UsageError, match="do not belong together"):
        opened(path)


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100])
def test_what_is_no_ledger_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l.sqlite"
    path.write_bytes(content)
    path.with_name("l.sqlite.key").write_bytes(b"k" * 32)
    if content:
        with pytest.raises(UsageError, match="not a ledger, and is left as it is"):
            opened(path)
        with pytest.raises(UsageError, match="not a ledger"):
            look(path)
    else:
        opened(path).close()  # an empty file is an empty database


@pytest.mark.parametrize("is_database", [True, False])
def test_what_somebody_named_by_mistake_is_left_as_it_is(tmp_path: Path, is_database: bool) -> None:
    """The source itself, say: it has no key beside it, and is no ledger whose key was lost."""
    path = tmp_path / "clinic"
    if is_database:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE visits (patient TEXT)")
    else:
        path.write_text('{"key": "P1"}')
    before = path.read_bytes()
    with pytest.raises(UsageError, match="not a ledger, and is left as it is"):
        opened(path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"clinic": before}


def test_a_full_disk_is_told_and_nothing_of_it_is_remembered(tmp_path: Path) -> None:
    with opened(tmp_path / "l.sqlite") as ledger:
        ledger.write({LINK: Entry("done", "7")})
        pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
        ledger._db.execute(f"PRAGMA max_page_count = {pages}")
        entry = Entry("pending", base={f"field{n}": "x" * 24 for n in range(50)})
        many = {LINK._replace(key=f"S{n}"): entry for n in range(200)}
        with pytest.raises(LedgerFailed, match="full"):
            ledger.write(many)
        assert sum(ledger.counts().values()) == 1
        ledger._db.execute("PRAGMA query_only = ON")
        with pytest.raises(LedgerFailed, match="readonly"):
            ledger.write({LINK: replace(entry, state="unknown")})
        assert ledger.known([LINK])[LINK].state == "done"


def test_a_run_that_was_cut_off_can_be_resumed(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with opened(path) as ledger:
        assert ledger.begin(resume=False) is False
        ledger.handled("P1", "said")
        assert ledger.interrupted
    with opened(path) as ledger:
        assert ledger.begin(resume=True) is True
        assert ledger.was_handled("P1", "said")
        assert not ledger.was_handled("P1", "something else")
        assert not ledger.was_handled("P2", "said")
        ledger.end()
        assert not ledger.interrupted
        assert not ledger.was_handled("P1", "said")
        assert look(path).interrupted is False

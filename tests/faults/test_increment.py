"""Incremental pull on servers that cannot do this or that: nothing is missed, nothing else is touched."""

import random
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest

import mesofhir.sync.pulling.increment
from mesofhir.errors import InvalidInput, UsageError
from mesofhir.formats import Spool, standing
from mesofhir.mapping import Clinic
from mesofhir.sync import Remembered
from mesofhir.sync.pulling.remembered import Busy
from tests.contract.harness import failure
from tests.contract.histories import history, record, rich, small
from tests.faults import changes
from tests.faults.changes import Place, missed, rows, running
from tests.faults.fhir_store import Store

CLINIC = Clinic("https://clinic.example/m")
SERVERS = {
    "a good one": frozenset(),
    "_lastUpdated is refused": frozenset({"_lastUpdated refused"}),
    "_lastUpdated is ignored": frozenset({"_lastUpdated ignored"}),
    "_lastUpdated finds nothing": frozenset({"_lastUpdated broken"}),
    "no counts": frozenset({"count"}),
    "no counts, no history": frozenset({"count", "history"}),
    "neither _lastUpdated nor history": frozenset({"_lastUpdated refused", "history"}),
    "_lastUpdated finds nothing, no history": frozenset({"_lastUpdated broken", "history", "count"}),
    "no versions": frozenset({"versions"}),
    "no times": frozenset({"times"}),
    "no times, _lastUpdated finds nothing": frozenset({"times", "_lastUpdated broken"}),
    "_lastUpdated fails, history is forbidden": frozenset({"_lastUpdated fails", "history forbidden"}),
    "_lastUpdated is cut off": frozenset({"_lastUpdated truncated"}),
    "history is cut off": frozenset({"_lastUpdated refused", "history truncated"}),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_a_campaign_of_changes(kind: str, tmp_path: Path) -> None:
    """The long one: python -m tests.faults.changes 10000."""
    form = random.Random(kind).choice(["json", "ndjson", "csv"])
    made, pulls, lost, _ = changes.run(120, tmp_path, seed=len(kind), form=form, cannot=SERVERS[kind])
    assert made >= 120
    assert pulls > 4
    assert lost == []


def test_a_campaign_would_see_what_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an overlap, what shows up late is missed: the campaign is no test that cannot fail."""
    monkeypatch.setattr(mesofhir.sync.pulling.increment, "OVERLAP", timedelta(0))
    monkeypatch.setattr(mesofhir.sync.pulling.increment, "THOROUGH", timedelta(days=400))
    *_, lost, _ = changes.run(400, tmp_path, seed=4)
    assert lost


@pytest.fixture
def lines(tmp_path: Path) -> Place:
    """A destination of the format that does not matter."""
    return Place(tmp_path, "ndjson")


@pytest.fixture(params=["json", "ndjson", "csv"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, request.param)


@pytest.mark.parametrize("kind", SERVERS)
def test_what_did_not_change_is_not_touched(kind: str, lines: Place) -> None:
    store = Store(CLINIC, SERVERS[kind])
    trees = {f"P{n}": small(f"P{n}") for n in range(4)}
    names = {k: store.load(history(t)) for k, t in trees.items()}
    with running(store) as server:
        assert lines.pull(server, CLINIC).whole
        before, inode = lines.bytes(), lines.path.stat().st_ino
        store.wait(timedelta(days=1))
        told = lines.pull(server, CLINIC)
        assert (told.touched, told.known, told.whole) == (0, 4, False)
        assert (lines.bytes(), lines.path.stat().st_ino) == (before, inode)
        condition = names["P2"]["P2-C"]
        body = store.current(condition) or {}
        store.write(condition, body | {"recordedDate": "2026-05-04", "onsetString": "x"})
        told = lines.pull(server, CLINIC)
        assert (told.touched, told.gone) == (1, [])
        store.write(condition, body)
        assert lines.pull(server, CLINIC).touched == 1
        assert lines.bytes() == before


def test_new_histories_come_behind_and_nothing_else_moves(place: Place) -> None:
    store = Store(CLINIC)
    store.load(history(small("P5")))
    with running(store) as server:
        place.pull(server, CLINIC)
        for key in ("P7", "P1"):
            store.load(history(small(key)))
        assert place.pull(server, CLINIC).touched == 2
    assert place.histories() == {k: history(small(k)) for k in ("P1", "P5", "P7")}
    if place.format != "csv":
        assert place.path.read_text().index('"P5"') < place.path.read_text().index('"P7"')


@pytest.mark.parametrize("kind", SERVERS)
def test_a_deletion_is_told_and_its_record_stays(kind: str, lines: Place) -> None:
    store = Store(CLINIC, SERVERS[kind])
    tree = rich("P1")
    names = store.load(history(tree))
    store.load(history(small("P2")))
    with running(store) as server:
        lines.pull(server, CLINIC)
        before = lines.histories()
        store.wait(timedelta(hours=3))
        gone = names["P1-N1"]
        store.write(gone, None)
        told = lines.pull(server, CLINIC)
        assert [g.name for g in told.gone] == [gone]
        assert told.stays == [("P1", "scores", "P1-N1")]
        assert lines.histories() == before
        store.wait(timedelta(hours=3))
        told = lines.pull(server, CLINIC)
        assert (told.gone, told.stays, told.touched) == ([], [], 0)


def test_a_patient_all_of_whose_resources_are_deleted_stays(place: Place) -> None:
    store = Store(CLINIC)
    names = store.load(history(small("P1")))
    store.load(history(small("P2")))
    with running(store) as server:
        place.pull(server, CLINIC)
        before = place.bytes()
        for name in list(store.names()):
            if name.endswith(tuple(names.values())) or (store.current(name) or {}).get("subject", {}).get(
                "reference"
            ) == names["P1"]:
                store.write(name, None)
        told = place.pull(server, CLINIC)
        assert {g.why for g in told.gone} == {"deleted on the server"}
        assert len(told.gone) == 7
        assert place.bytes() == before


def test_what_is_not_ours_any_more_is_told(place: Place) -> None:
    store = Store(CLINIC)
    names = store.load(history(small("P1")))
    with running(store) as server:
        place.pull(server, CLINIC)
        body = store.current(names["P1-C"]) or {}
        store.write(names["P1-C"], {k: v for k, v in body.items() if k != "identifier"})
        told = place.pull(server, CLINIC)
    assert [g.why for g in told.gone] == ["carries no identifier of ours any more"]
    assert told.stays == [("P1", "conditions", "P1-C")]


def test_what_moves_to_another_patient_is_there_once(place: Place) -> None:
    store = Store(CLINIC)
    one, two = store.load(history(small("P1"))), store.load(history(small("P2")))
    with running(store) as server:
        place.pull(server, CLINIC)
        body = store.current(one["P1-C"]) or {}
        other = (store.current(two["P2-C"]) or {})["subject"]
        store.write(one["P1-C"], body | {"subject": other})
        told = place.pull(server, CLINIC)
    assert (told.touched, told.stays) == (2, [])
    keys = {k: [c.key for c in h.conditions] for k, h in place.histories().items()}
    assert keys == {"P1": [], "P2": ["P1-C", "P2-C"]}


def test_a_practitioner_touches_all_who_name_him(place: Place) -> None:
    store = Store(CLINIC)
    trees = [rich("P1"), rich("P2"), small("P3")]
    for tree in trees[:2]:
        text = repr(tree).replace(f"{tree['key']}-D1", "D")
        tree.clear()
        tree.update(eval(text, {"Decimal": __import__("decimal").Decimal}))  # noqa: S307 - of this very file
    names = [store.load(history(t)) for t in trees]
    with running(store) as server:
        place.pull(server, CLINIC)
        name = names[0]["D"]
        body = store.current(name) or {}
        store.write(name, body | {"name": [{"family": "Nuovo"}]})
        assert place.pull(server, CLINIC).touched == 2
        assert missed(store, server, place) == []
    there = place.histories()
    assert [there[k].practitioners[0].family for k in ("P1", "P2")] == ["Nuovo", "Nuovo"]


@pytest.mark.parametrize("hours_ahead", [0, 5])
@pytest.mark.parametrize("minutes", [0, 1, 59])
def test_what_shows_up_late(minutes: int, hours_ahead: int, place: Place) -> None:
    """Stamped before a pull, seen after it; at zero minutes: stamped like the watermark itself. A proxy whose clock is
    ahead costs nothing."""
    store = Store(CLINIC, proxy=timedelta(hours=hours_ahead))
    names = store.load(history(small("P1")))
    with running(store) as server:
        place.pull(server, CLINIC)
        store.wait(timedelta(days=2))
        body = store.current(names["P1-C"]) or {}
        store.write(names["P1-C"], body | {"recordedDate": "2026-05-04"}, late=timedelta(minutes=minutes))
        if minutes:
            assert place.pull(server, CLINIC).touched == 0
        store.wait(timedelta(minutes=minutes))
        assert place.pull(server, CLINIC).touched == 1
        assert place.pull(server, CLINIC).touched == 0


def test_once_a_week_everything_is_compared(place: Place) -> None:
    """What was changed without a sign: no new version, no new time."""
    store = Store(CLINIC)
    names = store.load(history(small("P1")))
    with running(store) as server:
        place.pull(server, CLINIC)
        store.wait(timedelta(days=2))
        store.load(history(small("P2")))
        place.pull(server, CLINIC)  # from now on nobody looks as far back as the first
        condition = (store.versions[names["P1-C"]][0]).body or {}
        condition["onsetDateTime"] = "2026-05-04"
        store.wait(timedelta(days=2))
        told = place.pull(server, CLINIC)
        assert (told.whole, told.touched) == (False, 0)
        assert missed(store, server, place) != []
        store.wait(timedelta(days=4))
        told = place.pull(server, CLINIC)
        assert (told.whole, told.touched) == (True, 1)
        assert missed(store, server, place) == []


@pytest.mark.parametrize("kind", SERVERS)
def test_a_backup_that_was_restored(kind: str, lines: Place) -> None:
    """What was changed since is as it was, and its versions are counted again: the same number says something else."""
    store = Store(CLINIC, SERVERS[kind])
    names = [store.load(history(small(f"P{n}"))) for n in range(3)]
    conditions = [names[n][f"P{n}-C"] for n in range(3)]

    def edit(name: str, date: str) -> None:
        store.wait(timedelta(hours=3))
        store.write(name, (store.current(name) or {}) | {"onsetDateTime": date})

    with running(store) as server:
        lines.pull(server, CLINIC)
        store.wait(timedelta(days=1))
        backup = store.now
        for name in conditions[:2]:
            edit(name, "2026-05-04")
        store.load(history(small("P9")))
        store.wait(timedelta(minutes=1))
        lines.pull(server, CLINIC)
        assert missed(store, server, lines) == []
        store.restore(backup)
        edit(conditions[0], "2026-06-06")
        told = lines.pull(server, CLINIC)
        assert missed(store, server, lines) == []
        assert {g.why for g in told.gone} == {"not on the server any more"}
        edit(conditions[2], "2026-07-07")
        lines.pull(server, CLINIC)
        assert missed(store, server, lines) == []


@pytest.mark.parametrize("back", [timedelta(minutes=30), timedelta(hours=20), timedelta(days=3), timedelta(days=1000)])
def test_a_clock_that_is_set_back(back: timedelta, lines: Place) -> None:
    """It was ahead when it stamped what we know, and so was the watermark."""
    store = Store(CLINIC)
    names = store.load(history(small("P1")))
    store.load(history(small("P2")))
    with running(store) as server:
        lines.pull(server, CLINIC)
        store.set_clock(store.now - back)
        for n in range(3):
            store.wait(timedelta(minutes=20))
            body = store.current(names["P1-C"]) or {}
            store.write(names["P1-C"], body | {"onsetDateTime": f"2026-05-0{n + 1}"})
            lines.pull(server, CLINIC)
            assert missed(store, server, lines) == []


@pytest.mark.parametrize("hours", [2, 23])
def test_a_change_that_shows_up_hours_late_behind_others(hours: int, lines: Place) -> None:
    """Stamped by a long transaction; others overtook it, and were pulled."""
    store = Store(CLINIC)
    names = store.load(history(small("P1")))
    other = store.load(history(small("P2")))
    with running(store) as server:
        lines.pull(server, CLINIC)
        store.wait(timedelta(days=2))
        body = store.current(names["P1-C"]) or {}
        store.write(names["P1-C"], body | {"onsetDateTime": "2026-05-04"}, late=timedelta(hours=hours))
        for n in range(4):
            store.wait(timedelta(hours=hours) / 4)
            store.write(other["P2-C"], (store.current(other["P2-C"]) or {}) | {"onsetDateTime": f"2026-06-0{n + 1}"})
            lines.pull(server, CLINIC)
        assert missed(store, server, lines) == []


@pytest.mark.parametrize("kind", ["a good one", "_lastUpdated is refused"])
def test_what_is_new_and_shows_up_days_late_is_missed_in_the_count(kind: str, lines: Place) -> None:
    store = Store(CLINIC, SERVERS[kind])
    names, other = store.load(history(small("P1"))), store.load(history(small("P2")))
    with running(store) as server:
        lines.pull(server, CLINIC)
        store.wait(timedelta(days=1))
        body = store.current(names["P1-C"]) or {}
        mine = [{"system": CLINIC.system("conditions"), "value": "P1-C2"}]
        store.write("Condition/late", body | {"identifier": mine}, late=timedelta(days=3))
        for _ in range(4):
            store.wait(timedelta(days=1))
            theirs = store.current(other["P2-C"]) or {}
            store.write(other["P2-C"], theirs | {"onsetDateTime": f"2026-05-{store.now.day}"})
            assert not lines.pull(server, CLINIC).whole
        assert missed(store, server, lines) == []


@pytest.mark.parametrize("first", [True, False])
def test_pages_that_shift_while_they_are_turned(first: bool, lines: Place) -> None:
    """Somebody deletes what stands on the first page: what begins the second one moves there, and is on neither."""
    store = Store(CLINIC)
    names = [store.load(history(small(f"P{n:03}"))) for n in range(70)]
    doomed = [n[f"P{i:03}-C"] for i, n in enumerate(names[:3])]

    def delete() -> None:
        if doomed and store.searches[-1][0] == "Condition":
            store.write(doomed.pop(), None)

    with running(store) as server:
        if not first:
            lines.pull(server, CLINIC)
            store.wait(timedelta(days=2))
            for n in range(70, 130):
                store.load(history(small(f"P{n:03}")))
        store.between = delete
        lines.pull(server, CLINIC)
        assert len(doomed) < 3
        store.between = lambda: None
        store.wait(timedelta(days=2))
        assert not lines.pull(server, CLINIC).whole
        assert missed(store, server, lines) == []


# --- the destination ----------------------------------------------------------------------------------------


def test_what_was_edited_at_the_destination_is_read_again(place: Place) -> None:
    store = Store(CLINIC)
    for n in range(3):
        store.load(history(small(f"P{n}")))
    with running(store) as server:
        place.pull(server, CLINIC)
        before = place.bytes()
        [edited] = [n for n in before if n.endswith("patients.csv") or n.startswith("x.")][:1]
        (place.folder / edited).write_bytes(before[edited].replace(b"Prova", b"Altra", 1))
        told = place.pull(server, CLINIC)
        assert (told.edited, told.touched) == (1, 1)
        assert place.bytes() == before


def test_what_was_taken_from_the_destination_comes_back(place: Place) -> None:
    store = Store(CLINIC)
    store.load(history(small("P0")))
    with running(store) as server:
        place.pull(server, CLINIC)
        old = place.bytes()
        store.load(history(small("P1")))
        store.wait(timedelta(hours=5))
        place.pull(server, CLINIC)
        for name, data in old.items():  # as it was in a backup
            (place.folder / name).write_bytes(data)
        assert place.pull(server, CLINIC).edited == 1
        assert place.histories().keys() == {"P0", "P1"}
        for name in old:
            (place.folder / name).unlink()
        if place.path.is_dir():
            place.path.rmdir()
        assert place.pull(server, CLINIC).whole
        assert place.histories().keys() == {"P0", "P1"}


def test_a_pull_that_dies_before_it_remembers_is_done_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(CLINIC)
    names = store.load(history(small("P1")))
    with running(store) as server:
        place.pull(server, CLINIC)
        body = store.current(names["P1-C"]) or {}
        store.wait(timedelta(days=2))
        store.write(names["P1-C"], body | {"recordedDate": "2026-05-04"})
        with monkeypatch.context() as patched:
            patched.setattr(Remembered, "commit", lambda self: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                place.pull(server, CLINIC)
        store.wait(timedelta(days=2))
        assert place.pull(server, CLINIC).touched == 1
        assert missed(store, server, place) == []


def test_two_pulls_into_one_place(place: Place) -> None:
    with Remembered(place.folder / "seen.sqlite"), running(Store(CLINIC)) as server:
        assert isinstance(failure(lambda: place.pull(server, CLINIC)), Busy)


def test_what_remembers_holds_no_patient(tmp_path: Path) -> None:
    place, store = Place(tmp_path, "ndjson"), Store(CLINIC)
    tree = rich("CANARYKEY")
    tree["family"] = tree["given"][0] = record(tree, "sessions", "S1")["note"] = "CANARYTEXT"
    store.load(history(tree))
    with running(store) as server:
        place.pull(server, CLINIC)
    data = (tmp_path / "seen.sqlite").read_bytes()
    assert len(data) > 1000
    for secret in (b"CANARY", b"1970-05", b"Prova", b"ketoprofen"):
        assert secret not in data
    assert (tmp_path / "seen.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "format", "words"),
    [("-", "ndjson", "a stream"), ("x.fhir.ndjson", "fhir", "into the format fhir"), ("x.bundles", "bundle", "bundle")],
)
def test_what_cannot_be_merged_into(name: str, format: str, words: str, tmp_path: Path) -> None:
    with Spool() as spool:
        why = failure(lambda: standing(tmp_path / name, name, format, spool))
    assert isinstance(why, UsageError)
    assert words in str(why)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "json": lambda data: data[:-20],
    "ndjson": lambda data: data + b'{"no": "key"}\n',
    "csv": lambda data: data.replace(b"key,", b"key;", 1),
}


def test_what_stands_there_is_not_ours(place: Place) -> None:
    """Nothing is written over what cannot be read."""
    store = Store(CLINIC)
    store.load(history(small("P1")))
    with running(store) as server:
        place.pull(server, CLINIC)
        path = place.path / "patients.csv" if place.format == "csv" else place.path
        path.write_bytes(BROKEN[place.format](path.read_bytes()))
        before = place.bytes()
        assert isinstance(failure(lambda: place.pull(server, CLINIC)), InvalidInput)
        assert place.bytes() == before


def test_rows_in_any_order_and_quoted_lines(tmp_path: Path) -> None:
    place, store = Place(tmp_path, "csv"), Store(CLINIC)
    trees = {k: rich(k) for k in ("P1", "P2")}
    for k, tree in trees.items():
        record(tree, "sessions", "S1")["note"] = f'riga 1\nriga "2", {k}'
        store.load(history(deepcopy(tree)))
    with running(store) as server:
        place.pull(server, CLINIC)
        path = place.path / "sessions.csv"
        head, *lines = path.read_bytes().split(b"\n")
        assert len(lines) == 9  # three sessions each, one of them on two lines, and the end
        store.load(history(small("P3")))
        place.pull(server, CLINIC)
        assert path.read_bytes().startswith(b"\n".join([head, *lines]))
    assert rows(place.histories()).keys() >= rows({k: history(t) for k, t in trees.items()}).keys()

"""The ledger on real servers: crashes, dry runs, moved records, what is gone, and that it holds no patient data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.formats import Item
from mesofhir.sync import Ledger
from mesofhir.sync.ledger.ledger import LedgerFailed
from mesofhir.sync.pushing.resolve import resolve
from tests.contract.harness import Place, bundles, named, outcomes, said
from tests.contract.histories import Tree, history, record, rich, small
from tests.contract.test_faults import CANARY, marked


@pytest.fixture
def file(place: Place, tmp_path: Path) -> Iterator[Path]:
    """The ledger of the place in a file."""
    path = tmp_path / "ledger.sqlite"
    place.ledger.close()
    place.ledger = Ledger(path, place.fhir.url, place.clinic.namespace)
    yield path
    place.ledger.close()


class Cut(BaseException):
    """The process ends here."""


def cut_off(place: Place, tree: Tree, *, arrives: bool, updates: bool = False) -> None:
    """A push whose process ends before, or after, a request arrives."""

    def cut(send: Any, entries: Any, type: str) -> Any:
        if type != "transaction" or updates != any(e["request"]["method"] == "PUT" for e in entries):
            return send(entries, type)
        if arrives:
            send(entries, type)
        raise Cut

    with bundles(place.server, cut), pytest.raises(Cut):
        place.results(tree)


def reopened(place: Place, path: Path) -> None:
    place.ledger.close()
    place.ledger = Ledger(path, place.fhir.url, place.clinic.namespace)


@pytest.mark.parametrize("arrives", [True, False], ids=["after the commit", "before it"])
def test_a_crash_in_a_create_loses_and_doubles_nothing(place: Place, file: Path, arrives: bool) -> None:
    tree = rich() if place.is_hapi else small()
    cut_off(place, tree, arrives=arrives)
    reopened(place, file)
    counts = place.ledger.counts()
    assert counts["pending"] == len(history_links(place, tree)) - people(tree)
    result = place.push(tree, resume=True)
    assert (result.stopped, result.code) == ("", 0)
    assert set(outcomes(result)) == ({"found", "unchanged"} if arrives else {"found", "created"})
    assert set(place.links().values()) == {1}
    assert place.ledger.counts()["pending"] == place.ledger.counts()["unknown"] == 0
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}
    assert [line.split()[1] for line in place.requests][:1] == ["/Patient/_search"]
    assert all("_search" in line for line in place.requests)


def history_links(place: Place, tree: Tree) -> set[Any]:
    return {m.link for m in Item.of(history(tree)).graph(place.clinic).made}


def people(tree: Tree) -> int:
    return 1 + len(tree.get("practitioners", ()))


@pytest.mark.parametrize("arrives", [True, False], ids=["after the commit", "before it"])
def test_a_crash_in_an_update_loses_and_doubles_nothing(place: Place, file: Path, arrives: bool) -> None:
    tree = small()
    name = {link.kind: n for link, n in place.pushed(tree).references.items()}["Condition"]
    record(tree, "conditions")["note"] = "Da gennaio."
    cut_off(place, tree, arrives=arrives, updates=True)
    reopened(place, file)
    assert place.ledger.counts()["pending"] == 1
    result = place.pushed(tree)
    assert named(result, "changed") == ([] if arrives else [("Condition", "P1-C")])
    now = place.ehr.read(name)
    assert (now["note"][0]["text"], now["meta"]["versionId"]) == ("Da gennaio.", "2")
    assert place.ledger.counts()["pending"] == 0


def test_resolve_settles_what_the_server_shows(place: Place, file: Path) -> None:
    tree = small()
    cut_off(place, tree, arrives=True)
    reopened(place, file)
    items = [Item.of(history(tree))]
    found = list(resolve(items, place.server, place.clinic, place.ledger, lambda question: "keep"))
    assert {each.how for each in found} == {"there"}
    assert len(found) == 6
    assert place.ledger.counts()["pending"] == 0
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}


def test_what_was_deleted_stops_its_history_until_a_person_says_so(place: Place) -> None:
    """A PUT would bring it back, a create would make a second one of what somebody meant to be gone."""
    tree = small()
    name = {link.kind: n for link, n in place.pushed(tree).references.items()}["Condition"]
    record(tree, "conditions")["note"] = "Da gennaio."
    record(tree, "sessions")["note"] = "Ben tollerata."
    dry = place.push(tree, dry_run=True)
    if not place.is_hapi:  # its own references keep HAPI from deleting it
        place.ehr.send("DELETE", name)
    else:
        for other, x in place.resources().items():
            if x["resourceType"] == "CarePlan":
                place.ehr.edit(other, lambda x: x.pop("addresses", None) or x.update(description="theirs"))
        place.ehr.send("DELETE", name)
    assert named(dry, "changed") == [("Condition", "P1-C"), ("Procedure", "P1-S")]
    before = place.versions()
    for options in ({"dry_run": True}, {}):
        result = place.push(tree, **options)
        assert result.code == 4
        assert "deleted on the server" in result.stopped
        assert ("Condition", "P1-C") in named(result, "blocked")
    assert place.versions() == before
    items = [Item.of(history(tree))]
    answers = resolve(items, place.server, place.clinic, place.ledger, lambda question: "forget", gone=True)
    assert [(each.link.kind, each.how) for each in answers] == [("Condition", "forgotten")]
    result = place.push(tree)
    assert ("Condition", "P1-C") in named(result, "created")


def test_a_server_that_is_another_one_is_noticed(place: Place, file: Path) -> None:
    """A ledger outlives a server that was set up anew: what it knows is not believed."""
    tree = small()
    place.ledger.close()
    place.ledger = Ledger(None, place.fhir.url, place.clinic.namespace)
    place.pushed(tree)
    for link, entry in place.ledger.known(history_links(place, tree)).items():
        place.ledger.write({link: type(entry)(entry.state, f"other-{entry.id}"[:60], "1", entry.patient, entry.base)})
    result = place.push(tree)
    assert result.code == 4
    assert "another one than it was" in result.stopped


# --- dry run ------------------------------------------------------------------------------------------------


def writes(place: Place) -> list[str]:
    return [line for line in place.requests if line.split()[0] != "GET" and "_search" not in line]


def spread(place: Place, tree: Tree) -> Tree:
    """A history in every state: unchanged, changed, new, edited by the EHR, in conflict."""
    names = place.pushed(tree).references
    theirs = {(link.kind, link.key): n for link, n in names.items()}
    place.ehr.edit(theirs["Procedure", "P1-S1"], lambda x: x["location"].update(display="Stanza 12"))
    place.ehr.edit(theirs["Condition", "P1-C1"], lambda x: x.update(onsetDateTime="2026-02"))
    place.ehr.edit(theirs["ServiceRequest", "P1-T1"], lambda x: x.update(note=[{"text": "theirs"}]))
    record(tree, "sessions", "S1").update(place="Sala 3", depth=4)
    record(tree, "conditions")["note"] = "Da febbraio."
    record(tree, "medicines")["dose"] = "2 cp"
    tree["cycles"][0]["sessions"].append({"key": "P1-S9", "number": 9, "status": "planned"})
    return tree


@pytest.mark.parametrize("lost", [False, True], ids=["known", "ledger lost"])
def test_a_dry_run_writes_nothing_and_says_what_the_push_then_does(place: Place, lost: bool) -> None:
    tree = spread(place, rich())
    before = place.versions()
    if lost:
        place.lose_ledger()
    dry = place.push(tree, dry_run=True)
    assert writes(place) == []
    assert place.versions() == before
    assert (dry.planned, dry.code) == (True, 4)
    real = place.push(tree)
    assert dry.outcomes == real.outcomes
    assert dry.fields == real.fields
    assert sorted(map(str, dry.remarks)) == sorted(map(str, real.remarks))
    assert dry.code == real.code
    assert any("Stanza" not in line and "`place`" in line for line in said(dry, "conflict"))
    assert {line["outcome"] for line in dry.lines()} >= {"create", "update", "unchanged", "found"}


def test_a_dry_run_of_what_is_new_makes_nobody(place: Place) -> None:
    tree = rich()
    dry = place.push(tree, dry_run=True)
    assert writes(place) == []
    assert place.resources() == {}
    assert outcomes(dry) == {"created": 32}
    assert place.pushed(tree).outcomes == dry.outcomes
    assert place.push(small("P7"), dry_run=True, create_people=False).code == 4


# --- corrections --------------------------------------------------------------------------------------------


def test_a_record_that_moves_to_another_patient(place: Place) -> None:
    """Never in silence: the key may be a mistake. Said so, the old one is taken back and a new one made."""
    first, second = small("P1"), small("P2")
    place.results(first, second)
    old = {(link.kind, link.key): n for r in place.results(first) for link, n in r.references.items()}
    moved = record(first, "sessions")
    first["cycles"][0]["sessions"] = []
    second["cycles"][0]["sessions"].append(moved)
    before = place.versions()
    stopped = place.push(second)
    assert (stopped.code, place.versions()) == (4, before)
    assert "--moved" in stopped.stopped
    dry = place.push(second, dry_run=True, moved=True)
    assert place.versions() == before
    result = place.pushed(second, moved=True)
    assert dry.outcomes == result.outcomes
    assert named(result, "created") == [("Encounter", "P1-S"), ("Procedure", "P1-S")]
    assert len(said(result, "moved")) == 2
    for kind in ("Procedure", "Encounter"):
        assert is_withdrawn(place.ehr.read(old[kind, "P1-S"]))
    patients = {x["subject"]["reference"] for x in place.resources().values() if is_of(place, x, "P1-S")}
    assert patients == {old_or_new(result, "Patient")}
    for tree in (first, second):
        assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}
    place.lose_ledger()
    assert set(outcomes(place.pushed(second))) == {"found", "unchanged"}


def is_of(place: Place, x: dict[str, Any], key: str) -> bool:
    link = place.clinic.link_of(x)
    return link is not None and link.key == key


def old_or_new(result: Any, kind: str) -> str:
    [name] = [n for link, n in result.references.items() if link.kind == kind]
    return str(name)


def test_a_withdrawn_history_is_in_force_again_only_when_it_is_pushed(place: Place) -> None:
    tree = small()
    place.pushed(tree)
    place.pushed(tree, withdraw=True)
    assert set(outcomes(place.pushed(tree, withdraw=True))) == {"found", "unchanged"}
    assert outcomes(place.push(tree, dry_run=True)) == {"found": 1, "changed": 6}
    assert outcomes(place.pushed(tree)) == {"found": 1, "changed": 6}
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}


# --- trust --------------------------------------------------------------------------------------------------


def test_nothing_is_sent_that_the_ledger_cannot_remember(place: Place, file: Path) -> None:
    place.results({"key": "P0", "family": "Prova"})
    place.ledger._db.execute("PRAGMA query_only = ON")  # the disk is read-only from now on
    with pytest.raises(LedgerFailed, match="cannot be written"):
        place.results(small())
    place.ledger._db.execute("PRAGMA query_only = OFF")
    assert {link.kind for link in place.links()} <= {"Patient"}
    place.pushed(small())


def test_the_ledger_holds_no_patient_data(place: Place, file: Path) -> None:
    tree = marked(rich())
    place.pushed(tree)
    record(tree, "conditions")["note"] = f"{CANARY} 2"
    place.pushed(tree)
    cut_off(place, marked(small("P5")), arrives=False)
    held = b"".join(f.read_bytes() for f in file.parent.iterdir())
    assert len(held) > 10_000
    for word in (CANARY, "P1-S1", "lumbar", "ketoprofen", "2026-03-02", "Prova"):
        assert word.encode() not in held, word


def test_a_run_goes_on_where_it_was_stopped(place: Place) -> None:
    trees = [small(f"P{n}") for n in range(6)]
    asked = iter(range(100))
    results = place.results(*trees, stop=lambda: next(asked) >= 3)  # asked before each history
    assert [r.key for r in results] == ["P0", "P1", "P2"]
    rest = place.results(*trees, resume=True)
    assert [r.key for r in rest if r.resumed] == [r.key for r in results]
    assert set(place.links().values()) == {1}
    assert len(place.links()) == 42

"""A record that stops being a resource leaves what it was marked entered-in-error (architecture, rule 11)."""

from collections.abc import Callable
from typing import Any

import pytest

from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.records import TABLES
from tests.contract.harness import Place, equal, named, outcomes, said
from tests.contract.histories import Tree, history, record, records, rich, small

Edit = Callable[[Tree], Any]


def one(table: str, **fields: Any) -> Tree:
    """A small history with one record more, of a table under the patient."""
    return small() | {table: [{"key": "P1-X"} | fields]}


def session(**fields: Any) -> Tree:
    tree = small()
    tree["cycles"][0]["sessions"] = [{"key": "P1-X", "status": "done", "number": 1} | fields]
    return tree


def effect(name: str) -> Tree:
    tree = small()
    tree["cycles"][0]["sessions"][0]["effects"] = [{"key": "P1-X", "effect": name}]
    return tree


def cycle(status: str) -> Tree:
    tree = small()
    tree["cycles"][0] = {"key": "P1-X", "status": status, "start": "2026-03"}
    return tree


CHANGES: dict[str, tuple[Tree, Tree, set[str], set[str]]] = {
    # before, after, the types that are withdrawn, the types that are new
    "a wound is a pregnancy": (
        one("findings", kind="skin-not-intact", since="2026-03"), one("findings", kind="pregnancy", since="2026-03"),
        {"Condition"}, {"Observation"},
    ),
    "a medicine is an allergy": (
        one("findings", kind="anticoagulant", medicine="warfarin"), one("findings", kind="drug-allergy"),
        {"MedicationStatement"}, set(),
    ),
    "a done session is only planned": (
        session(planned_start="2026-03-02", start="2026-03-02"), session(status="planned", planned_start="2026-03-09"),
        {"Procedure", "Encounter"}, set(),
    ),
    "a done session that was never booked is only planned": (
        session(start="2026-03-02"), session(status="planned"), {"Procedure", "Encounter"}, {"ServiceRequest"},
    ),
    "a done session was not done": (
        session(start="2026-03-02"), session(status="not-done", start=None), {"Encounter"}, set(),
    ),
    "a weal is an infection": (effect("wheal"), effect("injection-site-infection"), {"Observation"}, {"Condition"}),
    "an infection is a weal": (effect("injection-site-infection"), effect("wheal"), {"Condition"}, {"Observation"}),
    "no skin infection is no drug allergy": (
        one("exclusions", kind="skin-infection"), one("exclusions", kind="drug-allergy"),
        {"Observation"}, {"AllergyIntolerance"},
    ),
    "no drug allergy is no pregnancy": (
        one("exclusions", kind="drug-allergy"), one("exclusions", kind="pregnancy"),
        {"AllergyIntolerance"}, {"Observation"},
    ),
    "a running cycle is only planned": (
        cycle("running"), cycle("planned"), {"Procedure"}, set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("statuses", [("planned", "done"), ("done", "planned"), ("planned", "entered-in-error")])
def test_what_names_the_record_names_what_it_is_now(place: Place, statuses: tuple[str, str]) -> None:
    """A finding of a booked session, which then takes place: the finding does not lose its session."""
    for status in statuses:
        tree = session(status=status)
        tree["findings"] = [{"key": "P1-F", "kind": "thrombocytopenia", "session": "P1-X", "cycle": "P1-Y"}]
        result = place.pushed(tree)
        [item] = place.pull()
        assert item.history is not None, item.faults
        equal(history(tree), item.history)
        assert said(result, "kept") + said(result, "replaced") == []
    assert set(outcomes(place.pushed(tree))) <= {"found", "unchanged"}


@pytest.mark.parametrize("name", CHANGES)
def test_what_it_was_is_withdrawn_and_can_be_again(place: Place, name: str) -> None:
    before, after, gone, new = CHANGES[name]
    known = place.pushed(before).references
    old = {n: place.ehr.read(n) for link, n in known.items() if link.key == "P1-X"}
    result = place.pushed(after)
    assert {kind for kind, key in named(result, "withdrawn")} == gone
    assert {kind for kind, key in named(result, "created")} == new
    assert len(said(result, "withdrawn")) == len(gone)
    standing = place.resources()
    for n, x in old.items():
        now = place.ehr.read(n)
        assert is_withdrawn(now) == (x["resourceType"] in gone)
        if is_withdrawn(now):
            assert n not in standing, "it is no record of ours any more"
            assert "entered in error" in now["text"]["div"]
            assert x.keys() - now.keys() <= {"clinicalStatus"}
            assert f"'{n}'" not in repr(standing), "nothing of ours refers to it"
    again = place.pushed(after)
    assert set(outcomes(again)) <= {"found", "unchanged"}, (outcomes(again), said(again))
    [item] = place.pull()
    holes = ("$.complication", "$.extension[1]")  # not taken away again: a session's complications, its method
    assert [n.path for n in item.notes if not n.path.startswith(holes)] == []
    expected = history(after)
    for each in expected.cycles[0].sessions:
        each.start = each.start or history(session()).cycles[0].sessions[0].start
    equal(expected, item.history)

    result = place.pushed(before)
    assert {kind for kind, key in named(result, "withdrawn")} == new
    assert gone <= {kind for kind, key in named(result, "changed")}
    assert set(outcomes(place.pushed(before))) <= {"found", "unchanged"}
    assert not any(is_withdrawn(x) for x in place.resources().values())
    equal(history(before), place.pull()[0].history)


def is_of(x: dict[str, Any], key: str) -> bool:
    return any(i.get("value") == key for i in x["identifier"])


def test_a_booking_that_is_not_stated_any_more_is_kept(place: Place) -> None:
    """The session took place, and its record says nothing of when it was booked: that is no withdrawal."""
    booked = session(status="planned", planned_start="2026-03-02")
    place.pushed(booked)
    result = place.pushed(session(start="2026-03-02"))
    assert named(result, "withdrawn") == []
    assert named(result, "changed") == [("ServiceRequest", "P1-X")]
    assert named(result, "created") == [("Encounter", "P1-X"), ("Procedure", "P1-X")]
    expected = history(session(start="2026-03-02", planned_start="2026-03-02"))
    equal(expected, place.pull()[0].history)


def test_somebody_edits_what_is_to_be_withdrawn(place: Place) -> None:
    before, after, _, _ = CHANGES["a wound is a pregnancy"]
    result = place.pushed(before)
    [name] = [n for link, n in result.references.items() if (link.kind, link.table) == ("Condition", "findings")]
    place.ehr.edit(name, lambda x: x.update(recorder={"display": "Ward 3"}))
    place.pushed(after)
    now = place.ehr.read(name)
    assert is_withdrawn(now)
    assert now["recorder"] == {"display": "Ward 3"}


def test_a_status_of_the_ehr_is_not_withdrawn_over(place: Place) -> None:
    before, after, _, _ = CHANGES["a running cycle is only planned"]
    result = place.pushed(before)
    [name] = [n for link, n in result.references.items() if (link.kind, link.key) == ("Procedure", "P1-X")]
    place.ehr.edit(name, lambda x: x.update(status="unknown"))
    result = place.push(after)
    assert named(result, "blocked") == [("Procedure", "P1-X")]
    assert result.code == 4
    assert place.ehr.read(name)["status"] == "unknown"


def test_a_first_push_looks_for_no_former_selves(place: Place) -> None:
    place.ehr.create({"resourceType": "Patient", "identifier": [place.clinic.identifier(patient())]})
    for name in CHANGES:
        place.results(small(f"{name}"))
        assert len(place.requests) <= 4, place.requests
    tree = small()
    place.pushed(tree)
    record(tree, "conditions")["note"] = "Da febbraio."
    place.pushed(tree)
    [search, read, change] = place.requests  # what the ledger knows is read by its id
    assert (search.split()[1], read.split()[0], change.split()[:2]) == ("/Patient/_search", "GET", ["POST", "/"])


def patient() -> Any:
    from mesofhir.mapping import Link

    return Link("Patient", "patients", "P1")


# --- withdrawn records ---------------------------------------------------------------------------------------

WITHDRAWN = "entered-in-error"
RECORDS: dict[str, Tree] = {
    "conditions": one("conditions", condition="low-back-pain", status="active", certainty="confirmed"),
    "allergies": one("allergies", substance="ketoprofen", status="active"),
    "exclusions": one("exclusions", kind="drug-allergy"),
    "findings": one("findings", kind="skin-not-intact"),
    "medicines": one("medicines", status="active", medicine="warfarin"),
    "consents": one("consents", status="active", decision="permit"),
    "effects": effect("injection-site-infection"),
}


@pytest.mark.parametrize("table", RECORDS)
def test_a_withdrawn_record_is_marked_and_can_be_put_in_force_again(place: Place, table: str) -> None:
    tree = RECORDS[table]
    withdrawn = history(tree)
    name = "conditions" if table == "conditions" else table
    for r in [*getattr(withdrawn, name, ()), *(e for c in withdrawn.cycles for s in c.sessions for e in s.effects)]:
        r.status = WITHDRAWN
        if hasattr(r, "certainty"):
            r.certainty = history(one("conditions", condition="low-back-pain", status="active")).conditions[0].certainty
    place.pushed(tree)
    result = place.pushed(withdrawn)
    kinds = {kind for kind, key in named(result, "changed") if key == "P1-X"}
    assert kinds
    for x in place.resources().values():
        if is_of(x, "P1-X"):
            assert is_withdrawn(x)
            assert "clinicalStatus" not in x
    equal(withdrawn, place.pull()[0].history)
    again = history(tree)
    for r in [*getattr(again, name, ()), *(e for c in again.cycles for s in c.sessions for e in s.effects)]:
        if r.status in (WITHDRAWN,) or not isinstance(r.status, str):
            r.status = None
    place.pushed(again)
    for x in place.resources().values():
        assert not is_withdrawn(x)
    equal(history(tree), place.pull()[0].history)


def test_a_whole_history_can_be_withdrawn_record_by_record(place: Place) -> None:
    tree = rich()
    place.pushed(tree)
    for table in TABLES.values():
        for each in records(tree, table.name) if "status" in table.columns else ():
            each["status"] = WITHDRAWN
            each.pop("certainty", None)
    result = place.pushed(tree)
    assert set(result.outcomes.values()) == {"found", "changed", "created"}
    assert len(named(result, "changed")) == 30
    for x in place.resources().values():
        assert is_withdrawn(x) == (x["resourceType"] not in ("Patient", "Practitioner"))
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}
    [item] = place.pull()
    equal(history(tree), item.history, exact=place.is_hapi)

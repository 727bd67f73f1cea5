"""Push: what is sent arrives, what is there already is left, and only what differs is changed."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from mesofhir.errors import InvalidInput, UsageError
from mesofhir.mapping import Clinic, graph
from mesofhir.records import TreatmentHistory
from mesofhir.server import Server
from mesofhir.sync import iter_push
from tests.contract.harness import Place, equal, failure, logged, named, outcomes, said
from tests.contract.histories import Tree, history, record, rich, small
from tests.property.strategies import clinic as drawn

HOW_MANY = int(os.environ.get("MESOFHIR_HISTORIES", "25"))
SEED = int(os.environ.get("MESOFHIR_SEED", "20261122"))


def test_a_second_push_changes_nothing(place: Place) -> None:
    first, second = place.pushed(rich()), place.pushed(rich())
    assert outcomes(first) == {"created": 32}
    assert outcomes(second) == {"found": 2, "unchanged": 30}
    assert first.remarks == second.remarks == []
    assert first.references == second.references
    assert place.resources().keys() == set(first.references.values())
    assert [name for name in first.references.values() if len(place.ehr.versions(name)) > 1] == []


def test_what_the_ledger_knows_costs_a_share_of_searches(place: Place) -> None:
    place.pushed(rich())
    place.pushed(rich())
    assert [line.split()[1] for line in place.requests] == [
        f"/{kind}/_search" for kind in ("Patient", "Practitioner", "AllergyIntolerance", "Observation")
    ]


Edit = Callable[[Tree], Any]
CHANGES: dict[str, tuple[Edit, str, str, str]] = {
    "a text": (
        lambda t: record(t, "conditions").update(note="Da febbraio."),
        "Condition", "P1-C1", "note",
    ),
    "a number": (
        lambda t: record(t, "scores", "N1").update(value=3),
        "Observation", "P1-N1", "value",
    ),
    "a code": (
        lambda t: record(t, "allergies").update(substance="diclofenac"),
        "AllergyIntolerance", "P1-A1", "substance",
    ),
    "a value of a list": (
        lambda t: record(t, "mixtures")["drugs"][0].update(amount=40),
        "MedicationAdministration", "P1-X1", "drugs",
    ),
    "one of two resources": (
        lambda t: record(t, "sessions", "S1").update(depth=3),
        "Procedure", "P1-S1", "depth",
    ),
    "a field more": (
        lambda t: record(t, "therapies").update(note="A casa"),
        "ServiceRequest", "P1-T1", "note",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_one_field_makes_one_new_version_of_its_resource(place: Place, name: str) -> None:
    edit, kind, key, name_of_field = CHANGES[name]
    tree = rich()
    before = place.pushed(tree).references
    edit(tree)
    result = place.pushed(tree)
    assert named(result, "changed") == [(kind, key)]
    changed = [name for name, n in place.versions().items() if n > 1]
    assert changed == [name for link, name in before.items() if (link.kind, link.key) == (kind, key)]
    assert list(result.fields.values()) == [(name_of_field,)]
    assert result.remarks == []  # it took the place of nobody's value but our own
    assert outcomes(place.pushed(tree)) == {"found": 2, "unchanged": 30}
    [back] = [i.history for i in place.pull()]
    equal(history(tree), back, exact=place.is_hapi)


def test_a_field_of_two_resources_changes_both(place: Place) -> None:
    tree = rich()
    place.pushed(tree)
    record(tree, "sessions", "S1").update(number=4)
    result = place.pushed(tree)
    assert named(result, "changed") == [("Procedure", "P1-S1"), ("ServiceRequest", "P1-S1")]


def test_what_follows_from_a_field_changes_with_it(place: Place) -> None:
    """The skin over the site; the class of a finding."""
    tree = rich()
    place.pushed(tree)
    record(tree, "sessions", "S1").update(site="knee", side="left")
    record(tree, "findings", "F1")["kind"] = "dermatitis"
    result = place.pushed(tree)
    assert ("MedicationAdministration", "P1-X1") in named(result, "changed")
    fresh = place.resources()
    assert outcomes(place.pushed(tree)) == {"found": 2, "unchanged": 30}
    drawn = {m.link: m.resource for m in graph(history(tree), place.clinic).made}
    for x in fresh.values():
        ours = drawn[place.clinic.link_of(x)]
        assert x.get("dosage") == ours.get("dosage")
        assert x.get("code") == ours.get("code")


def test_a_record_more(place: Place) -> None:
    """A session and its effect are added; the plan and the others stay as they are."""
    tree = rich()
    place.pushed(tree)
    tree["cycles"][0]["sessions"].append(
        {"key": "P1-S4", "number": 4, "status": "done", "effects": [{"key": "P1-E4", "effect": "wheal"}]}
    )
    result = place.pushed(tree)
    assert named(result, "changed") == []
    assert named(result, "created") == [("Encounter", "P1-S4"), ("Observation", "P1-E4"), ("Procedure", "P1-S4")]


def test_a_record_less_is_no_deletion(place: Place) -> None:
    tree = rich()
    place.pushed(tree)
    before = place.versions()
    del tree["cycles"][0]["goals"], tree["conditions"][0]["note"], tree["medicines"]
    tree["cycles"][0]["medicines"] = []
    result = place.pushed(tree)
    after = place.versions()
    assert after.keys() == before.keys()
    plan = [name for link, name in result.references.items() if (link.kind, link.key) == ("CarePlan", "P1-Y1")]
    assert [name for name in after if after[name] != before[name]] == plan  # cleared: `medicines` of the cycle


def test_cleared_removes_that_and_nothing_else(place: Place) -> None:
    tree = rich()
    before = place.pushed(tree)
    session = record(tree, "sessions", "S1")
    session |= {"place": None, "depth": None, "note": None}
    result = place.pushed(tree)
    assert named(result, "changed") == [("Procedure", "P1-S1"), ("ServiceRequest", "P1-S1")]
    [fields] = [f for link, f in result.fields.items() if link.kind == "Procedure"]
    assert fields == ("depth", "note", "place")
    [name] = [n for link, n in before.references.items() if (link.kind, link.key) == ("Procedure", "P1-S1")]
    old, new = place.ehr.versions(name)
    assert old.keys() - new.keys() == {"location", "note"}
    assert len(old["extension"]) - len(new["extension"]) == 1
    for gone in ("place", "depth", "note"):
        del session[gone]
    equal(history(tree), place.pull()[0].history, exact=place.is_hapi)


def test_unknown_is_not_what_is_not_stated(place: Place) -> None:
    tree = rich()
    place.pushed(tree)
    score = record(tree, "scores", "N1")
    del score["value"]
    score["unknown"] = ["value"]  # was 7.50
    place.pushed(tree)
    equal(history(tree), place.pull()[0].history, exact=place.is_hapi)
    del score["unknown"]
    score["value"] = 2  # is known again
    place.pushed(tree)
    equal(history(tree), place.pull()[0].history, exact=place.is_hapi)


def test_keys_and_texts_that_are_hard_to_send(place: Place) -> None:
    keys = ["a b", "a&b", "a+b", "a%20b", "why?", "à", "o'k/2", "#1", "日本"]
    trees = {key: small(key, family=f"Nome {n} <&>") for n, key in enumerate(keys)}
    for expected in ({"created": 7}, {"found": 1, "unchanged": 6}):
        assert [outcomes(r) for r in place.results(*trees.values())] == [expected] * len(keys)
    assert set(place.links().values()) == {1}
    items = place.pull(keys)
    assert [i.patient for i in items] == sorted(keys)
    for item in items:
        equal(history(trees[item.patient]), item.history)


def own_people(histories: list[TreatmentHistory], place: Place) -> list[TreatmentHistory]:
    """With identifiers that nobody else has on the server, which other tests use too."""
    own = place.clinic.namespace.rsplit("/", 1)[1]
    people = {id(p): p for h in histories for p in (h, *h.practitioners)}.values()
    for n, person in enumerate(people):
        for i in person.identifiers or ():
            i.value = f"{own} {n} {i.value}"
    return histories


def test_random_histories_there_and_back(place: Place) -> None:
    """Whatever can be stated arrives, is not sent twice, and comes back as it was."""
    histories = own_people(drawn(SEED, size=HOW_MANY if place.is_hapi else HOW_MANY // 2), place)
    for result in place.results(*histories, jobs=2):
        assert (result.stopped, result.code) == ("", 0), (result.key, result.stopped, said(result))
        assert set(outcomes(result)) <= {"created", "found"}, result.key
    for result in place.results(*histories, jobs=2):
        assert (result.stopped, result.code) == ("", 0), (result.key, result.stopped, said(result))
        assert set(outcomes(result)) <= {"unchanged", "found"}, (result.key, named(result, "changed"), said(result))
    assert Counter(x["meta"]["versionId"] for x in place.resources().values()).keys() == {"1"}
    items = place.pull()
    assert [(i.patient, k.reason) for i in items for k in i.kept] == []
    assert [(i.patient, n.path, n.reason) for i in items for n in i.notes] == []
    back = {i.patient: i.history for i in items}
    for each in histories:
        equal(each, back[each.key], exact=place.is_hapi)
    assert len(back) == len(histories)


def test_an_invalid_history_is_not_sent(place: Place) -> None:
    tree = rich()
    record(tree, "findings", "F3")["allergy"] = "nobody"
    why = failure(lambda: place.push(tree))
    assert isinstance(why, InvalidInput)
    assert place.requests == []


def test_a_real_patient_is_not_sent_to_a_public_sandbox(namespace: str) -> None:
    unmarked = small()
    del unmarked["synthetic"]
    for tree in (unmarked, small(synthetic=False)):
        with Server("https://hapi.fhir.org/baseR4") as server, logged() as requests:
            why = failure(lambda t=tree, s=server: list(iter_push([history(t)], s, Clinic(namespace))))
        assert isinstance(why, UsageError)
        assert requests == []


def test_every_resource_of_a_history_is_accounted_for(place: Place) -> None:
    tree = rich()
    result = place.pushed(tree)
    made = {m.link for m in graph(history(tree), place.clinic).made}
    assert result.outcomes.keys() == made
    assert {(line["table"], line["key"], line["type"]) for line in result.lines()} == {
        (link.table, link.key, link.kind) for link in made
    }

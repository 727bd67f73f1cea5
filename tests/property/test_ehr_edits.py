"""What an EHR adds survives every rewrite; what it changes is read or reported, never misread."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofhir.mapping import graph, understand
from mesofhir.records import plain, sorted_by_key
from tests.property.strategies import histories
from tests.property.wire import CLINIC, at, offline, places, stored

FOREIGN_CODING = {"system": "urn:ehr:codes", "code": "X1", "display": "Something of the EHR"}


def additions(x: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """What EHRs add: identifiers, extensions, tags, notes, codings, whole elements, and another order."""
    new = copy.deepcopy(x)
    new.setdefault("identifier", []).insert(0, {"system": "urn:ehr", "value": "77"})
    new.setdefault("extension", []).append({"url": "urn:ehr:extension", "valueString": "theirs"})
    new["meta"].setdefault("tag", []).append({"system": "urn:ehr", "code": "tagged"})
    if x["resourceType"] not in ("Patient", "Practitioner", "Consent", "Encounter", "DetectedIssue"):
        new.setdefault("note", []).insert(0, {"authorString": "EHR", "text": "their note"})
    for codings in list(_codings(new)):
        if chance.random() < 0.3 and FOREIGN_CODING not in codings:
            codings.insert(chance.randint(0, len(codings)), dict(FOREIGN_CODING))
    if chance.random() < 0.5:
        for key in ("identifier", "extension", "note"):
            if key in new:
                chance.shuffle(new[key])
    return new


def _codings(x: Any) -> Iterator[list[Any]]:
    """Every list of codings, wherever it stands."""
    for k, v in x.items() if isinstance(x, dict) else enumerate(x):
        if k == "coding":
            yield v
        elif isinstance(v, dict | list):
            yield from _codings(v)


@given(histories(), st.randoms(use_true_random=False))
def test_a_push_of_the_same_changes_nothing_of_an_edited_resource(history, chance):
    drawn = graph(history, CLINIC)
    for m in drawn.made:
        edited = additions({**m.resource, "id": m.handle}, chance)
        new, doubts = m.over(edited)
        assert new == edited, m.link.kind
        assert doubts == []


@given(histories(), histories(), st.randoms(use_true_random=False))
def test_additions_survive_another_record_written_over(history, other, chance):
    """Another history's records under the same keys: every leaf that the EHR added is still there."""
    before = {(m.link.kind, m.link.table, n): m for n, m in enumerate_by_shape(graph(history, CLINIC).made)}
    after = {(m.link.kind, m.link.table, n): m for n, m in enumerate_by_shape(graph(other, CLINIC).made)}
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        edited = additions({**old.resource, "id": old.handle}, chance)
        row = {**new.row, "key": old.row["key"]}
        if "patient" in old.row:
            row["patient"] = old.row["patient"]
        new.row.clear()
        new.row.update(row)
        if new.strange(edited):
            continue
        written, _ = new.over(edited)
        assert {"system": "urn:ehr", "value": "77"} in written["identifier"]
        assert {"url": "urn:ehr:extension", "valueString": "theirs"} in written["extension"]
        assert {"system": "urn:ehr", "code": "tagged"} in written["meta"]["tag"]
        if "note" in edited and {"authorString": "EHR", "text": "their note"} in edited["note"]:
            assert {"authorString": "EHR", "text": "their note"} in written["note"]


def enumerate_by_shape(made):
    counts: dict[tuple[str, str], int] = {}
    for m in made:
        key = (m.link.kind, m.link.table)
        counts[key] = counts.get(key, 0) + 1
        yield counts[key], m


COMPUTED = ("display", "div", "versionId", "lastUpdated", "source")
MARKS = ("id", "userSelected")  # they say by whom an item was put or chosen, not what it is


def computed(victim, path) -> bool:
    """A practitioner is shared by histories of both languages; a translation's language is the other one."""
    shared = victim["resourceType"] == "Practitioner" and path == ("language",)
    return shared or (path[0] == "_patientInstruction" and path[-1] == "valueCode")


@given(histories(), st.randoms(use_true_random=False))
def test_an_edit_inside_is_read_or_reported(history, chance):
    wire = stored(offline(history), chance)
    victim = chance.choice(wire)
    candidates = [
        (p, v)
        for p, v in places(victim)
        if p[-1] not in COMPUTED + MARKS and p[0] not in ("resourceType", "text") and not computed(victim, p)
    ]
    path, value = chance.choice(candidates)
    holder = at(victim, path[:-1])
    holder[path[-1]] = edited(value, chance)
    if holder[path[-1]] == value:
        return
    back = understand(wire, CLINIC)
    same = [plain(h) for h in back.histories] == [plain(sorted_by_key(history))]
    told = [n for n in back.notes if n.resource is victim] or [k for k in back.kept if k.resource is victim]
    assert not same or told or back.notes or back.kept, (
        victim["resourceType"],
        path,
        value,
        holder[path[-1]],
    )


def edited(value: Any, chance: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return chance.choice([value + "x", "x" + value, "something else", "entered-in-error", "refuted"])
    return value + 1


@given(histories(), st.randoms(use_true_random=False))
def test_a_removed_element_is_noticed(history, chance):
    wire = stored(offline(history), chance)
    victim = chance.choice(wire)
    top = chance.choice([k for k in victim if k not in ("id", "meta", "text", "resourceType", "language")])
    del victim[top]
    back = understand(wire, CLINIC)
    for found in back.histories:
        assert None not in [value for _, value in places(plain(found))]
    assert len(back.sources) + len(back.kept) == len(wire)


STATUSES = {
    "Procedure": ("status", "entered-in-error"),
    "CarePlan": ("status", "entered-in-error"),
    "MedicationAdministration": ("status", "not-done"),
    "Observation": ("status", "cancelled"),
    "DetectedIssue": ("status", "cancelled"),
    "ServiceRequest": ("doNotPerform", True),
    "Condition": (
        "verificationStatus",
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]},
    ),
    "AllergyIntolerance": (
        "verificationStatus",
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
                    "code": "refuted",
                }
            ]
        },
    ),
    "MedicationStatement": ("status", "not-taken"),
    "Goal": ("modifierExtension", [{"url": "urn:not", "valueBoolean": True}]),
    "Encounter": ("status", "cancelled"),
    "Consent": ("modifierExtension", [{"url": "urn:not", "valueBoolean": True}]),
}


@pytest.mark.parametrize("kind", STATUSES)
@given(history=histories())
def test_what_changes_the_meaning_is_never_read_as_a_normal_fact(kind, history):
    wire = stored(offline(history), random.Random(1))
    victims = [x for x in wire if x["resourceType"] == kind]
    element, value = STATUSES[kind]
    before = plain(sorted_by_key(history))
    for x in victims:
        if x.get(element) == value:
            return
        x[element] = value
    if not victims:
        return
    back = understand(wire, CLINIC)
    assert [plain(h) for h in back.histories] != [before] or back.kept


@given(histories(), st.randoms(use_true_random=False))
def test_what_is_not_even_fhir_is_kept_and_never_an_error(history, chance):
    wire = stored(offline(history), chance)
    for victim in chance.sample(wire, min(4, len(wire))):
        holder, key = chance.choice(list(_members(victim)))
        holder[key] = chance.choice(
            [None, True, 7, "x", [], {}, [None], [[]], ["x"], {"reference": 3}, {"coding": "x"}]
        )
    back = understand(wire, CLINIC)
    assert len(back.sources) + len(back.kept) == len(wire)


def _members(x: Any) -> Iterator[tuple[Any, Any]]:
    for k, v in list(x.items() if isinstance(x, dict) else enumerate(x)):
        yield x, k
        if isinstance(v, dict | list):
            yield from _members(v)

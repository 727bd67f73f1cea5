"""Keys that the clinic corrects: nothing twice on the server, and never by a guess."""

from copy import deepcopy
from typing import Any

import pytest

from mesofhir.mapping import Link
from mesofhir.records import TABLES, plain, sorted_by_key
from mesofhir.sync import Result
from tests.contract.harness import Place, bundles, named, outcomes, said
from tests.contract.histories import Tree, history, record, records, rich, small
from tests.contract.test_ledger import Cut


def rekeyed(x: Any, old: str, new: str) -> Any:
    """The tree with another key for a record, in itself and wherever it is named."""
    if isinstance(x, list):
        return [rekeyed(y, old, new) for y in x]
    if isinstance(x, dict):
        return {k: rekeyed(v, old, new) for k, v in x.items()}
    return new if x == old else x


def standing(place: Place) -> dict[str, tuple[str, str]]:
    """The record of each resource of the clinic."""
    found = {name: place.clinic.link_of(x) for name, x in place.resources().items()}
    return {name: (link.table, link.key) for name, link in found.items() if link}


def pulled(place: Place) -> Any:
    [item] = place.pull()
    assert item.history is not None, item.faults
    return plain(sorted_by_key(item.history))


def as_pushed(tree: Tree) -> Any:
    return plain(sorted_by_key(history(tree)))


def goes_by_new_keys(place: Place, tree: Tree) -> Result:
    """The tree with other keys: nothing is sent until a person has said that they were corrected. What the dry run says
    is what happens, and nothing is made.

    :returns: what became of the first push, which was stopped
    """
    versions = place.versions()
    stopped = place.push(tree)
    assert (stopped.code, place.versions()) == (4, versions)
    assert "--rekeyed" in stopped.stopped
    dry = place.push(tree, rekeyed=True, dry_run=True)
    assert (dry.code, place.versions()) == (0, versions)
    result = place.pushed(tree, rekeyed=True)
    assert dry.outcomes == result.outcomes
    assert "created" not in outcomes(result)
    assert pulled(place) == as_pushed(tree)
    return stopped


ALL = sorted({table for table in TABLES if table not in ("patients", "practitioners") and list(records(rich(), table))})


@pytest.mark.parametrize("table", ALL)
def test_a_record_goes_by_its_new_key(place: Place, table: str) -> None:
    tree = rich()
    place.pushed(tree)
    before = standing(place)
    old = next(records(tree, table))["key"]
    tree = rekeyed(tree, old, f"{old}-corrected")
    stopped = goes_by_new_keys(place, tree)
    assert {key for _, key in named(stopped, "blocked")} == {f"{old}-corrected"}
    after = {name: (t, key.removesuffix("-corrected")) for name, (t, key) in standing(place).items()}
    assert after == before
    assert (table, f"{old}-corrected") in standing(place).values()
    assert set(place.versions().values()) == {1, 2}
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}
    place.lose_ledger()
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}


def test_the_old_key_stays_as_an_old_one(place: Place) -> None:
    tree = small()
    name = {link.kind: n for link, n in place.pushed(tree).references.items()}["Condition"]
    place.ehr.edit(name, lambda x: x.update(note=[{"text": "theirs"}]) or x["identifier"].insert(0, {"value": "E1"}))
    result = place.pushed(rekeyed(tree, "P1-C", "C-7"), rekeyed=True)
    now = place.ehr.read(name)
    conditions = place.clinic.system("conditions")
    assert now["identifier"][0] == {"value": "E1"}
    assert now["note"][0]["text"] == "theirs"
    assert {(i["system"], i["value"], i.get("use")) for i in now["identifier"][1:]} == {
        (conditions, "C-7", None), (f"{conditions}/former", "P1-C", "old"),
    }  # fmt: skip
    assert [r.text for r in said_of(result, "rekeyed")] == [f"was conditions P1-C: {name} goes by the new key"]


def said_of(result: Any, kind: str) -> list[Any]:
    return [r for r in result.remarks if r.kind == kind]


def test_none_known_stays_beside_an_allergy_whose_key_changed(place: Place) -> None:
    """The clinic contradicts itself, and that is sent; what stands under the old key is no allergy of the EHR's."""
    tree = small()
    tree["allergies"] = [{"key": "P1-L", "substance": "methylprednisolone", "status": "active"}]
    tree["exclusions"] = [{"key": "P1-X", "kind": "any-allergy"}]
    place.pushed(tree)
    tree = rekeyed(tree, "P1-L", "L-7")
    result = place.pushed(tree, rekeyed=True)
    assert result.outcomes[Link("AllergyIntolerance", "exclusions", "P1-X")] == "unchanged"
    assert pulled(place) == as_pushed(tree)
    tree["allergies"] = []  # and what the clinic states no more is an allergy like the EHR's
    assert named(place.push(tree), "skipped") == [("AllergyIntolerance", "P1-X")]


def test_two_that_are_alike_stand_side_by_side_if_a_person_says_so(place: Place) -> None:
    """A part of a history, say, in which a finding is found once more."""
    tree = small()
    place.pushed(tree)
    result = place.pushed(rekeyed(tree, "P1-C", "C-7"), rekeyed=False)
    assert named(result, "created") == [("Condition", "C-7")]
    assert {key for table, key in standing(place).values() if table == "conditions"} == {"P1-C", "C-7"}
    again = place.pushed(rekeyed(tree, "P1-C", "C-7"))
    assert set(outcomes(again)) == {"found", "unchanged"}
    assert len(said_of(again, "unstated")) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: record(tree, "conditions").update(site="lumbar"),
        lambda tree: record(tree, "conditions").update(condition="neck-pain"),
    ],
)
def test_what_says_something_else_is_another_record(place: Place, change: Any) -> None:
    tree = small()
    place.pushed(tree)
    tree = rekeyed(tree, "P1-C", "C-7")
    change(tree)
    result = place.pushed(tree)
    assert named(result, "created") == [("Condition", "C-7")]
    [left] = said_of(result, "unstated")
    assert "Condition/" in left.text


def test_the_same_in_another_session_is_another_record(place: Place) -> None:
    """References are compared as well: a score of 5 in each of two sessions is two scores."""
    tree = small()
    cycle = tree["cycles"][0]
    cycle["sessions"].append({"key": "P1-S9", "status": "done", "start": "2026-03-09"})
    cycle["scores"] = [{"key": "N1", "scale": "nrs", "value": 5, "taken": "2026-03", "session": "P1-S"}]
    place.pushed(tree)
    cycle["scores"] = [{"key": "N2", "scale": "nrs", "value": 5, "taken": "2026-03", "session": "P1-S9"}]
    assert named(place.pushed(tree), "created") == [("Observation", "N2")]


def test_several_keys_at_once_with_what_stands_in_them(place: Place) -> None:
    tree = rich()
    place.pushed(tree)
    before = len(place.resources())
    keys = [r["key"] for table in ALL for r in records(tree, table)]
    for key in keys:
        tree = rekeyed(tree, key, f"{key}-2")
    result = place.pushed(tree, rekeyed=True)
    assert named(result, "created") == []
    assert len(place.resources()) == before
    assert set(place.links().values()) == {1}
    assert pulled(place) == as_pushed(tree)
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}


@pytest.mark.parametrize("arrives", [True, False], ids=["after the commit", "before it"])
def test_a_run_that_was_cut_off_goes_on(place: Place, arrives: bool) -> None:
    """With what refers to the record half way: it names the old key, and the record has the new one."""
    tree = rich() if place.is_hapi else small()
    place.pushed(tree)
    before = set(standing(place))
    for key in ("P1-Y1", "P1-S1", "P1-X1") if place.is_hapi else ("P1-Y", "P1-S"):
        tree = rekeyed(tree, key, f"{key}-2")
    count = 0

    def cut(send: Any, entries: Any, type: str) -> Any:
        nonlocal count
        count += 1
        for e in entries[: len(entries) // 2]:
            send([e], type)
        if arrives:
            send(entries[len(entries) // 2 :], type)
        raise Cut

    with bundles(place.server, cut), pytest.raises(Cut):
        place.results(tree, rekeyed=True)
    assert count == 1
    result = place.pushed(tree)
    assert named(result, "created") == []
    assert set(standing(place)) == before
    assert pulled(place) == as_pushed(tree)
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}


# --- people -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["known to the EHR", "known by our key only"])
def test_a_patient_goes_by_the_new_key(place: Place, known: bool) -> None:
    tree = small()
    if known:
        tree["identifiers"] = [{"system": f"{place.clinic.namespace}-ehr", "value": "E-1"}]
    place.pushed(tree)
    before = standing(place)
    other = tree | {"key": "P9"}
    goes_by_new_keys(place, other)
    assert standing(place).keys() == before.keys()
    assert ("patients", "P9") in standing(place).values()
    assert set(outcomes(place.pushed(other))) == {"found", "unchanged"}
    back = place.pushed(tree, rekeyed=True)
    assert "created" not in outcomes(back)
    assert pulled(place) == as_pushed(tree)


def test_a_patient_goes_by_the_new_key_with_all_that_there_is(place: Place) -> None:
    """An export that numbers everything anew: nothing in it is known by its key, and the EHR knows the patient."""
    tree = rich()
    tree["identifiers"] = [{"system": f"{place.clinic.namespace}-ehr", "value": "E-1"}]
    place.pushed(tree)
    before, other = standing(place), tree
    for key in {r["key"] for table in TABLES if table != "practitioners" for r in records(tree, table)}:
        other = rekeyed(other, key, f"{key}-2")
    stopped = goes_by_new_keys(place, other)
    assert "another key of the same patient" in stopped.stopped
    assert standing(place).keys() == before.keys()
    again = place.pushed(other)
    assert (set(outcomes(again)), said_of(again, "unstated")) == ({"found", "unchanged"}, [])


def test_a_person_whom_the_clinic_knows_by_two_keys(place: Place) -> None:
    """In a file each, say: what is alike is asked about once, and neither is told what the other one states."""
    ehr = [{"system": f"{place.clinic.namespace}-ehr", "value": "E-1"}]
    first, second = small("P1", identifiers=ehr), small("P2", identifiers=ehr)
    place.pushed(first)
    stopped = place.push(second)
    assert (stopped.code, "--not-rekeyed" in stopped.stopped) == (4, True)
    place.pushed(second, rekeyed=False)
    for _ in range(2):
        for tree in (first, second):
            result = place.pushed(tree)
            assert set(outcomes(result)) == {"found", "unchanged"}
            assert said_of(result, "unstated") == []


@pytest.mark.parametrize("arrives", [True, False], ids=["after the commit", "before it"])
def test_a_patient_s_new_key_that_was_cut_off(place: Place, arrives: bool) -> None:
    tree = small()
    place.pushed(tree)
    before = standing(place)
    tree["key"] = "P9"

    def cut(send: Any, entries: Any, type: str) -> Any:
        if arrives:
            send(entries, type)
        raise Cut

    with bundles(place.server, cut), pytest.raises(Cut):
        place.results(tree, rekeyed=True)
    stopped = place.push(tree)
    assert (stopped.code, "--rekeyed" in stopped.stopped) == (4, True)
    assert standing(place).keys() == before.keys()
    place.pushed(tree, rekeyed=True)
    assert standing(place).keys() == before.keys()
    assert pulled(place) == as_pushed(tree)
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}


def test_a_patient_goes_by_the_new_key_with_what_is_stated_no_more(place: Place) -> None:
    tree = small()
    tree["cycles"][0]["sessions"].append({"key": "P1-S9", "status": "done", "start": "2026-03-09"})
    place.pushed(tree)
    before = standing(place)
    tree["key"] = "P9"
    del tree["cycles"][0]["sessions"][1]
    assert place.push(tree).code == 4
    assert standing(place) == before
    dry = place.push(tree, dry_run=True, rekeyed=True)
    result = place.pushed(tree, rekeyed=True)
    assert (dry.outcomes, dry.remarks) == (result.outcomes, result.remarks)
    assert len(said(result, "unstated")) == 1
    assert standing(place).keys() == before.keys()
    assert ("patients", "P9") in standing(place).values()


def test_nobody_is_made_for_what_is_another_patient_s(place: Place) -> None:
    """A session of one patient, and the history of somebody who is new: it is stopped before that one is made."""
    first = small()
    place.pushed(first)
    versions = place.versions()
    second = {"key": "P9", "language": "it", "synthetic": True, "cycles": []}
    second["conditions"] = [record(first, "conditions")]
    stopped = place.push(second)
    assert (stopped.code, place.versions()) == (4, versions)
    assert "--moved" in stopped.stopped
    assert "--rekeyed" not in stopped.stopped
    place.pushed(second, moved=True)
    assert place.links()[("Patient", "patients", "P9")] == 1


def test_a_practitioner_whom_the_ehr_knows_goes_by_the_new_key(place: Place) -> None:
    """In every history that names them, and without a word: it is the same person on the server."""
    system = f"{place.clinic.namespace}-ehr"
    first, second = rich("P1"), rich("P2")
    for tree in (first, second):
        tree["practitioners"] = [{"key": "D", "family": "Medico", "identifiers": [{"system": system, "value": "7"}]}]
    first, second = rekeyed(first, "P1-D1", "D"), rekeyed(second, "P2-D1", "D")
    place.results(first, second)
    before = len(place.resources())
    first, second = rekeyed(first, "D", "D-2"), rekeyed(second, "D", "D-2")
    for tree in (first, second):
        result = place.pushed(tree)
        assert "created" not in outcomes(result)
        assert not said(result, "conflict")
    assert len(place.resources()) == before
    for tree in (first, second):
        assert set(outcomes(place.pushed(deepcopy(tree)))) == {"found", "unchanged"}

"""Allergies that the EHR has already are not doubled; "none known" is never sent over an active one."""

from typing import Any
from uuid import uuid4

import pytest

from tests.contract.harness import Place, equal, named, outcomes, said
from tests.contract.histories import Tree, history, record, small

SCT = "http://snomed.info/sct"
KETOPROFEN = {"system": "http://www.whocc.no/atc", "code": "M01AE03"}
CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


@pytest.fixture
def patient(place: Place) -> str:
    """A patient of the EHR, found by a number."""
    return place.ehr.create({"resourceType": "Patient", "identifier": [{"system": "urn:oid:2.999.1", "value": NUMBER}]})


NUMBER = str(uuid4())


@pytest.fixture(autouse=True)
def number() -> None:
    global NUMBER
    NUMBER = str(uuid4())


def allergic(**more: Any) -> Tree:
    tree = small(identifiers=[{"system": "urn:oid:2.999.1", "value": NUMBER}])
    tree["allergies"] = [{"key": "P1-A", "substance": "ketoprofen", "status": "active", "criticality": "high"} | more]
    tree["findings"] = [{"key": "P1-F", "kind": "drug-allergy", "allergy": "P1-A"}]
    return tree


def theirs(place: Place, patient: str, clinical: str = "active", verified: str = "confirmed", **more: Any) -> str:
    resource = {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": clinical}]},
        "verificationStatus": {"coding": [{"system": VERIFIED, "code": verified}]},
        "code": {"coding": [KETOPROFEN], "text": "Ketoprofen"},
        "patient": {"reference": patient},
    }
    return place.ehr.create(resource | more)


def of_patient(place: Place, patient: str) -> list[str]:
    return sorted(f"AllergyIntolerance/{x['id']}" for x in place.ehr.search("AllergyIntolerance", patient=patient))


def test_the_same_allergy_is_used_and_reported(place: Place, patient: str) -> None:
    name = theirs(place, patient, criticality="low")
    tree = allergic()
    for _ in range(2):
        result = place.pushed(tree, create_people=False)
        assert ("AllergyIntolerance", "P1-A") in named(result, "found")
        assert any(name in x for x in said(result, "found"))
        assert [r.path for r in result.remarks if r.kind == "differs"] == ["$.criticality"]
        assert of_patient(place, patient) == [name]
    assert len(place.ehr.versions(name)) == 1
    assert set(place.versions().values()) == {1}
    [issue] = [x for x in place.resources().values() if x["resourceType"] == "DetectedIssue"]
    assert issue["evidence"][0]["detail"][0]["reference"] == name


def test_it_comes_back_as_the_allergy_of_the_record(place: Place, patient: str) -> None:
    theirs(place, patient, criticality="high")
    tree = allergic()
    place.pushed(tree, create_people=False)
    [item] = place.pull()
    assert item.kept == []
    [finding] = item.history.findings
    assert finding.allergy == "P1-A"
    [allergy] = item.history.allergies
    assert (allergy.key, allergy.substance, allergy.criticality, allergy.status) == (
        "P1-A", "ketoprofen", "high", "active",
    )  # fmt: skip
    assert place.pushed(item.history, create_people=False).code == 0  # what came back can be pushed


@pytest.mark.parametrize(
    ("clinical", "verified"), [("active", "refuted"), ("active", "entered-in-error"), ("resolved", "confirmed")]
)
def test_one_that_is_not_in_force_there_is_not_the_same(
    place: Place, patient: str, clinical: str, verified: str
) -> None:
    name = theirs(place, patient, clinical, verified)
    result = place.pushed(allergic(), create_people=False)
    assert ("AllergyIntolerance", "P1-A") in named(result, "created")
    assert len(of_patient(place, patient)) == 2
    assert len(place.ehr.versions(name)) == 1


def test_one_that_came_after_ours_does_not_take_its_place(place: Place, patient: str) -> None:
    tree = allergic()
    place.pushed(tree, create_people=False)
    theirs(place, patient)
    assert set(outcomes(place.pushed(tree, create_people=False))) == {"found", "unchanged"}
    [item] = place.pull()
    equal(history(without_number(tree)), history_of(item))


def without_number(tree: Tree) -> Tree:
    """What the EHR says of its patient: no family name, and the number."""
    return {k: v for k, v in tree.items() if k not in ("family", "synthetic", "language")}


def history_of(item: Any) -> Any:
    item.history.synthetic = item.history.language = history({"key": "x"}).synthetic
    return item.history


def test_what_the_clinic_withdraws_is_withdrawn_whatever_the_ehr_has(place: Place, patient: str) -> None:
    tree = allergic()
    result = place.pushed(tree, create_people=False)
    [ours] = [n for link, n in result.references.items() if link.table == "allergies"]
    theirs(place, patient)
    record(tree, "allergies").update(status="entered-in-error")
    result = place.pushed(tree, create_people=False)
    assert ("AllergyIntolerance", "P1-A") in named(result, "changed")
    assert place.ehr.read(ours)["verificationStatus"]["coding"][0]["code"] == "entered-in-error"


def test_none_known_is_not_sent_over_an_active_one(place: Place, patient: str) -> None:
    name = theirs(place, patient)
    tree = small(identifiers=[{"system": "urn:oid:2.999.1", "value": NUMBER}])
    tree["exclusions"] = [{"key": "P1-U", "kind": "drug-allergy"}, {"key": "P1-V", "kind": "skin-infection"}]
    result = place.push(tree, create_people=False)
    assert result.code == 4
    assert not result.stopped
    assert named(result, "skipped") == [("AllergyIntolerance", "P1-U")]
    assert any(name in x for x in said(result, "skipped"))
    assert of_patient(place, patient) == [name]
    [plan] = [x for x in place.resources().values() if x["resourceType"] == "CarePlan"]
    plain = [x for x in plan["supportingInfo"] if "reference" not in x]
    assert [x["identifier"]["value"] for x in plain] == ["P1-U"]
    assert set(outcomes(place.push(tree, create_people=False))) == {"found", "skipped", "unchanged"}
    place.ehr.edit(name, lambda x: x["verificationStatus"]["coding"][0].update(code="refuted"))
    result = place.pushed(tree, create_people=False)
    assert named(result, "created") == [("AllergyIntolerance", "P1-U")]


def test_none_known_beside_an_allergy_of_the_clinic_is_its_own_contradiction(place: Place) -> None:
    tree = small()
    tree["allergies"] = [{"key": "P1-A", "substance": "ketoprofen", "status": "active"}]
    tree["exclusions"] = [{"key": "P1-U", "kind": "drug-allergy"}]
    for outcome in ("created", "unchanged"):
        result = place.pushed(tree)
        assert {k for k, _ in named(result, outcome)} >= {"AllergyIntolerance"}

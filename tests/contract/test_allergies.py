"""What the EHR has is not doubled, what contradicts ours is told; "none known" is never sent over an active allergy."""

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


# --- diagnoses and usual medicines --------------------------------------------------------------------------

LOW_BACK_PAIN = {"system": SCT, "code": "279039007"}
OF_CONDITIONS = "http://terminology.hl7.org/CodeSystem/condition-"


def treated(**more: Any) -> Tree:
    """A cycle for a diagnosis, with a medicine that matters to it."""
    tree = small(identifiers=[{"system": "urn:oid:2.999.1", "value": NUMBER}])
    tree["conditions"] = [{"key": "P1-C", "condition": "low-back-pain", "status": "active"} | more]
    tree["medicines"] = [{"key": "P1-M", "medicine": "ketoprofen", "status": "active"}]
    tree["cycles"][0] |= {"indications": ["P1-C"], "medicines": ["P1-M"]}
    return tree


def diagnosis(place: Place, patient: str, clinical: str = "active", verified: str = "confirmed", **more: Any) -> str:
    resource = {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": OF_CONDITIONS + "clinical", "code": clinical}]},
        "verificationStatus": {"coding": [{"system": OF_CONDITIONS + "ver-status", "code": verified}]},
        "code": {"coding": [LOW_BACK_PAIN]},
        "subject": {"reference": patient},
    }
    return place.ehr.create(resource | more)


def statement(place: Place, patient: str, **more: Any) -> str:
    resource = {
        "resourceType": "MedicationStatement", "status": "active", "subject": {"reference": patient},
        "medicationCodeableConcept": {"coding": [KETOPROFEN]},
    }  # fmt: skip
    return place.ehr.create(resource | more)


def test_the_same_diagnosis_and_medicine_are_used(place: Place, patient: str) -> None:
    names = {diagnosis(place, patient), statement(place, patient)}
    tree = treated()
    for _ in range(2):
        result = place.pushed(tree, create_people=False)
        assert set(named(result, "found")) >= {("Condition", "P1-C"), ("MedicationStatement", "P1-M")}
    assert all(len(place.ehr.versions(name)) == 1 for name in names)
    assert not {link.key for link in place.links()} & {"P1-C", "P1-M"}
    [plan] = [x for x in place.resources().values() if x["resourceType"] == "CarePlan"]
    referred = {r["reference"] for r in [*plan["addresses"], *plan["supportingInfo"]]}
    assert names <= referred
    [item] = place.pull()
    assert item.kept == []
    [condition], [medicine], [cycle] = item.history.conditions, item.history.medicines, item.history.cycles
    assert (condition.key, condition.condition, condition.status) == ("P1-C", "low-back-pain", "active")
    assert (medicine.key, medicine.medicine) == ("P1-M", "ketoprofen")
    assert (cycle.indications, cycle.medicines) == (["P1-C"], ["P1-M"])


@pytest.mark.parametrize(
    "more", [{"note": "Da sforzo."}, {"site": "lumbar"}, {"onset": "2026-01"}, {"clinical_phase": "chronic"}],
    ids=lambda m: next(iter(m)),
)  # fmt: skip
def test_a_diagnosis_that_says_less_takes_no_fact_of_ours_away(place: Place, patient: str, more: Tree) -> None:
    name = diagnosis(place, patient)
    result = place.pushed(treated(**more), create_people=False)
    assert ("Condition", "P1-C") in named(result, "created")
    assert any(name in x for x in said(result, "beside"))
    [item] = place.pull()
    assert item.history.conditions == history(treated(**more)).conditions


@pytest.mark.parametrize("state", ["resolved", "an error"])
def test_one_that_is_over_or_was_an_error_is_another(place: Place, patient: str, state: str) -> None:
    error = {
        "resourceType": "Condition", "code": {"coding": [LOW_BACK_PAIN]}, "subject": {"reference": patient},
        "verificationStatus": {"coding": [{"system": OF_CONDITIONS + "ver-status", "code": "entered-in-error"}]},
    }  # fmt: skip
    resource = diagnosis(place, patient, "resolved") if state == "resolved" else place.ehr.create(error)
    result = place.pushed(treated(), create_people=False)
    assert ("Condition", "P1-C") in named(result, "created")
    assert len(place.ehr.versions(resource)) == 1


def test_what_nothing_of_ours_needs_is_not_linked(place: Place, patient: str) -> None:
    diagnosis(place, patient)
    tree = treated()
    del tree["cycles"][0]["indications"]
    result = place.pushed(tree, create_people=False)
    assert ("Condition", "P1-C") in named(result, "created")
    [item] = place.pull()
    assert item.history.conditions == history(tree).conditions


def test_what_contradicts_ours_is_told(place: Place, patient: str) -> None:
    refuted = diagnosis(place, patient, verified="refuted")
    no_allergy = place.ehr.create({
        "resourceType": "AllergyIntolerance", "patient": {"reference": patient},
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": VERIFIED, "code": "confirmed"}]},
        "code": {"coding": [{"system": SCT, "code": "409137002"}]},
    })  # fmt: skip
    result = place.pushed(treated() | {k: allergic()[k] for k in ("allergies", "findings")}, create_people=False)
    assert {("Condition", "P1-C"), ("AllergyIntolerance", "P1-A")} <= set(named(result, "created"))
    told = said(result, "beside")
    assert any(f"{refuted} of the EHR says the opposite" in x for x in told)
    assert any(f"{no_allergy} of the EHR says that no allergy is known" in x for x in told)


# --- what is not plainly the same ---------------------------------------------------------------------------

DICLOFENAC = {"system": "http://www.whocc.no/atc", "code": "M01AB05"}
UNSURE: dict[str, Tree] = {
    "a status in words of its own": {"clinicalStatus": {"text": "inattiva"}},
    "doubts in words of its own": {"verificationStatus": {"text": "smentita"}},
    "a modifier": {"modifierExtension": [{"url": "https://ehr.example/negated", "valueBoolean": True}]},
    "two substances": {"code": {"coding": [KETOPROFEN, DICLOFENAC]}},
}


@pytest.mark.parametrize("how", UNSURE)
def test_what_may_say_something_else_takes_no_allergy_of_ours_away(place: Place, patient: str, how: str) -> None:
    name = theirs(place, patient, **UNSURE[how])
    result = place.pushed(allergic(), create_people=False)
    assert ("AllergyIntolerance", "P1-A") in named(result, "created")
    assert any(name in x for x in said(result, "beside"))


@pytest.mark.parametrize("how", UNSURE)
def test_none_known_is_not_sent_over_what_may_be_one(place: Place, patient: str, how: str) -> None:
    name = theirs(place, patient, **UNSURE[how])
    tree = small(identifiers=[{"system": "urn:oid:2.999.1", "value": NUMBER}])
    tree["exclusions"] = [{"key": "P1-U", "kind": "any-allergy"}]
    result = place.push(tree, create_people=False)
    assert named(result, "skipped") == [("AllergyIntolerance", "P1-U")]
    assert any(name in x for x in said(result, "skipped"))


@pytest.mark.parametrize("codes", [["716186003"], ["409137002", "716186003"]])
@pytest.mark.parametrize("clinical", ["active", "inactive"])
def test_none_known_of_the_ehr_against_ours(place: Place, patient: str, codes: list[str], clinical: str) -> None:
    name = theirs(place, patient, clinical, code={"coding": [{"system": SCT, "code": c} for c in codes]})
    result = place.pushed(allergic(), create_people=False)
    assert ("AllergyIntolerance", "P1-A") in named(result, "created")
    assert any(f"{name} of the EHR says that no allergy is known" in x for x in said(result, "beside")) == (
        clinical == "active"
    )
    tree = small(identifiers=[{"system": "urn:oid:2.999.1", "value": NUMBER}])
    tree["exclusions"] = [{"key": "P1-U", "kind": "any-allergy"}]
    place.ehr.send("DELETE", named_resource(place, "AllergyIntolerance"))
    assert ("AllergyIntolerance", "P1-U") in named(place.push(tree, create_people=False, ledger=None), "created")


def named_resource(place: Place, kind: str) -> str:
    [name] = [n for n in place.resources() if n.startswith(f"{kind}/") or n.startswith("DetectedIssue/")][:1]
    return name


@pytest.mark.parametrize("link", ["replaces", "seealso"])
def test_what_stands_with_another_record_of_the_same_person(place: Place, patient: str, link: str) -> None:
    """Merged into ours, or beside it: an allergy there is one of this patient."""
    other = place.ehr.create({"resourceType": "Patient", "active": False})
    name = theirs(place, other)
    place.ehr.edit(patient, lambda x: x.update(link=[{"other": {"reference": other}, "type": link}]))
    tree = allergic()
    tree["exclusions"] = [{"key": "P1-U", "kind": "any-allergy"}]
    tree["findings"], tree["allergies"] = [], []
    result = place.push(tree, create_people=False)
    assert named(result, "skipped") == [("AllergyIntolerance", "P1-U")]
    result = place.pushed(allergic(), create_people=False)
    assert ("AllergyIntolerance", "P1-A") in named(result, "created")  # it is the other record's: not referred to
    assert any(name in x for x in said(result, "beside"))


# --- states and exclusions ----------------------------------------------------------------------------------


def observed(place: Place, patient: str, code: str, date: str, loinc: str = "82810-3", system: str = SCT) -> str:
    return place.ehr.create(
        {
            "resourceType": "Observation", "status": "final", "subject": {"reference": patient},
            "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]}, "effectiveDateTime": date,
            "valueCodeableConcept": {"coding": [{"system": system, "code": code}]},
        }
    )  # fmt: skip


def asked(kind: str = "pregnancy", **more: Any) -> Tree:
    tree = small(identifiers=[{"system": "urn:oid:2.999.1", "value": NUMBER}])
    tree["exclusions"] = [{"key": "P1-U", "kind": kind, "asked": "2026-02-01"} | more]
    return tree


def test_that_nobody_is_pregnant_is_told_against_what_the_ehr_says(place: Place, patient: str) -> None:
    observed(place, patient, "60001007", "2025-12-01")
    name = observed(place, patient, "77386006", "2026-01-15")
    for outcome in ("created", "unchanged"):
        result = place.pushed(asked(), create_people=False)
        assert ("Observation", "P1-U") in named(result, outcome)
        assert [x for x in said(result, "beside") if f"the EHR says the opposite ({name})" in x]
    observed(place, patient, "60001007", "2026-01-31")  # over by then
    assert not said(place.pushed(asked(), create_people=False), "beside")


def test_a_finding_is_told_against_what_the_ehr_says(place: Place, patient: str) -> None:
    tree = asked()
    tree["findings"] = [{"key": "P1-F", "kind": "breastfeeding", "since": "2026-01"}]
    del tree["exclusions"]
    name = observed(place, patient, "LA29253-4", "2026-02-03", "63895-7", "http://loinc.org")
    assert any(name in x for x in said(place.pushed(tree, create_people=False), "beside"))


def test_what_was_not_found_is_told_against_a_diagnosis_of_the_ehr(place: Place, patient: str) -> None:
    coagulation = {"code": {"coding": [{"system": SCT, "code": "64779008"}]}}
    resolved = diagnosis(place, patient, "resolved", **coagulation)
    assert not said(place.pushed(asked("coagulation-disorder"), create_people=False), "beside")
    name = diagnosis(place, patient, **coagulation)
    told = said(place.pushed(asked("coagulation-disorder"), create_people=False), "beside")
    assert len(told) == 1
    assert name in told[0]
    assert resolved not in told[0]
    assert not said(place.pushed(asked("thrombocytopenia"), create_people=False), "beside")

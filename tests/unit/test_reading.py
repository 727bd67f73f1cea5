"""Reading what an EHR made of our resources: one unreadable place costs one record, not the history."""

from typing import Any

import pytest
from msgspec import UnsetType

from mesofhir.fhir import exactjson
from mesofhir.mapping import Clinic, Link, graph, understand
from mesofhir.records import decode, faults

CLINIC = Clinic("https://clinic.example/m")
HISTORY = {
    "key": "P",
    "cycles": [
        {
            "key": "C",
            "status": "running",
            "sessions": [
                {
                    "key": "S",
                    "status": "done",
                    "start": "2026-03-02",
                    "mixtures": [{"key": "M", "route": "intradermal", "volume": 2}],
                }
            ],
        }
    ],
}


def wire() -> dict[str, dict[str, Any]]:
    made = graph(decode(HISTORY), CLINIC).made
    return {
        f"{m.link.kind} {m.link.table}": exactjson.decode(exactjson.encode({**m.resource, "id": m.handle}))
        for m in made
    }


def test_a_dose_in_another_unit_costs_the_mixture_only():
    resources = wire()
    dose = resources["MedicationAdministration mixtures"]["dosage"]["dose"]
    dose |= {"unit": "L", "code": "L"}
    back = understand(resources.values(), CLINIC)
    assert [h.cycles[0].sessions[0].mixtures for h in back.histories] == [[]]
    assert [k.reason for k in back.kept] == [
        "`volume` cannot be read: $.dosage.dose: $.dosage.dose.unit: not the expected constant"
    ]


def test_a_session_of_another_patient_is_kept():
    resources = wire()
    resources["Procedure sessions"]["subject"] = {"reference": "Patient/somebody-else"}
    back = understand(resources.values(), CLINIC)
    assert [h.cycles[0].sessions for h in back.histories] == [[]]
    assert any(k.resource is resources["Procedure sessions"] for k in back.kept)


def test_a_second_resource_with_our_identifier_is_kept():
    resources = wire()
    double = resources["Procedure sessions"] | {"id": "other"}
    back = understand([*resources.values(), double], CLINIC)
    assert [k.reason for k in back.kept] == ["a second Procedure with the same identifier"]


def test_the_patient_of_the_ehr_is_known_by_what_refers_to_it():
    resources = wire()
    patient = resources.pop("Patient patients")
    back = understand(resources.values(), CLINIC)
    assert [h.key for h in back.histories] == ["P"]
    theirs = {"resourceType": "Patient", "id": patient["id"], "name": [{"family": "Esempio"}]}
    back = understand([*resources.values(), theirs], CLINIC)
    assert [h.family for h in back.histories] == ["Esempio"]


# --- what a reference means ---------------------------------------------------------------------------------

ALLERGIC = {
    "key": "P",
    "practitioners": [{"key": "D", "family": "Prova"}],
    "allergies": [
        {"key": "A1", "status": "active", "substance": "lidocaine", "certainty": "confirmed"},
        {"key": "A2", "status": "active", "substance": "procaine", "certainty": "confirmed"},
    ],
    "findings": [
        {"key": "F", "kind": "drug-allergy", "allergy": "A1", "found": "2026-03-01", "author": "D", "detail": "Prova."}
    ],
}


def allergic() -> dict[str, dict[str, Any]]:
    made = graph(decode(ALLERGIC), CLINIC).made
    return {m.link.key: exactjson.decode(exactjson.encode({**m.resource, "id": m.handle})) for m in made}


def read(resources: dict[str, dict[str, Any]], **more: Any) -> tuple[Any, list[Any], list[Any]]:
    back = understand(resources.values(), CLINIC, **more)
    [history] = back.histories
    return history, [(k.resource["id"], k.reason) for k in back.kept], [(n.path, n.reason) for n in back.notes]


def test_an_identity_of_its_own_is_stronger_than_what_others_say():
    """Somebody pasted the identifier of an allergy that is nowhere beside the reference to another one."""
    resources = allergic()
    stray = resources["F"]["evidence"][0]["detail"][0]
    stray["identifier"]["value"] = "A9"
    history, kept, notes = read(resources)
    assert [a.key for a in history.allergies] == ["A1", "A2"]
    assert kept == []
    assert isinstance(history.findings[0].allergy, UnsetType)  # it leads to A1 and names A9: not believed
    assert all(path.startswith("$.evidence[0].detail[0]") for path, _ in notes)
    assert notes


def test_an_identity_of_its_own_is_stronger_than_what_is_known():
    resources = allergic()
    name = f"AllergyIntolerance/{resources['A1']['id']}"
    history, kept, notes = read(resources, known={name: Link("AllergyIntolerance", "allergies", "A9")})
    assert history.findings[0].allergy == "A1"
    assert (kept, notes) == ([], [])


def test_another_server_s_patient_with_the_same_id_is_nobody_of_ours():
    resources = wire()
    other = {"resourceType": "Patient", "id": resources["Patient patients"]["id"], "name": [{"family": "Altra"}]}
    back = understand([other, *resources.values()], CLINIC)
    assert [k.resource for k in back.kept] == [other]
    assert [isinstance(h.family, UnsetType) for h in back.histories] == [True]


# --- the same in a code of the EHR's own --------------------------------------------------------------------

THEIRS = {"system": "https://ehr.example/status", "code": "C", "display": "Confermata"}
VERIFIED = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


@pytest.mark.parametrize("element", ["verificationStatus", "clinicalStatus"])
def test_a_status_translated_by_the_ehr_says_the_same(element):
    resources = allergic()
    resources["A1"][element]["coding"].insert(0, THEIRS)
    resources["A1"][element]["text"] = "Confermata"
    history, kept, notes = read(resources)
    assert [a.key for a in history.allergies] == ["A1", "A2"]
    assert [f.allergy for f in history.findings] == ["A1"]
    assert kept == []
    told = [f"coding[0].{name}" for name in THEIRS] + ["text"]
    assert notes == [(f"$.{element}.{place}", "no field of a record holds it") for place in told]


@pytest.mark.parametrize(
    "coding",
    [{"system": VERIFIED, "code": "entered-in-error"}, {"system": VERIFIED, "code": "presumed"}, {"code": "C"}],
    ids=["another of our words", "another of the same system", "of no system"],
)
def test_a_second_status_that_is_no_translation_is_not_overread(coding):
    resources = allergic()
    resources["A1"]["verificationStatus"]["coding"].append(coding)
    _, kept, _ = read(resources)
    assert [i for i, _ in kept] == [resources["A1"]["id"]]


def test_a_status_in_the_codes_of_the_ehr_alone_is_not_guessed():
    resources = allergic()
    resources["A1"]["verificationStatus"]["coding"] = [THEIRS]
    _, kept, _ = read(resources)
    assert [i for i, _ in kept] == [resources["A1"]["id"]]


# --- what is not here ---------------------------------------------------------------------------------------


def test_a_reference_to_what_is_kept_does_not_cost_the_history():
    resources = allergic()
    resources["A1"]["modifierExtension"] = [{"url": "urn:not", "valueBoolean": True}]
    history, kept, notes = read(resources)
    assert [a.key for a in history.allergies] == ["A2"]
    assert [f.key for f in history.findings] == ["F"]
    assert faults(history) == []
    assert [i for i, _ in kept] == [resources["A1"]["id"]]
    assert notes == [("$.evidence.detail", "`allergy` names a record that is not here")]


def test_so_does_a_practitioner_who_is_not_here():
    resources = allergic()
    del resources["D"]
    history, kept, notes = read(resources)
    assert faults(history) == []
    assert kept == []
    assert notes == [("$.author", "`author` names a record that is not here")]


def test_of_a_list_of_references_the_others_stay():
    tree = {
        "key": "P",
        "conditions": [{"key": "C1"}, {"key": "C2"}],
        "cycles": [{"key": "Y", "status": "running", "background": ["C1", "C2"]}],
    }
    made = graph(decode(tree), CLINIC).made
    wired = [exactjson.decode(exactjson.encode({**m.resource, "id": m.handle})) for m in made]
    back = understand([x for x in wired if CLINIC.link_of(x).key != "C1"], CLINIC)
    assert [h.cycles[0].background for h in back.histories] == [["C2"]]
    assert "`background` names a record that is not here" in [n.reason for n in back.notes]


# --- what no record may say ---------------------------------------------------------------------------------


def test_a_field_that_no_record_may_say_costs_that_field():
    resources = wire()
    resources["Procedure sessions"]["performedPeriod"]["start"] = "2026-03-02T10:00:00"  # in no zone
    back = understand(resources.values(), CLINIC)
    [session] = back.histories[0].cycles[0].sessions
    assert isinstance(session.start, UnsetType)
    assert [m.key for m in session.mixtures] == ["M"]
    assert back.kept == []
    assert ("$.performedPeriod.start", "`start` is nothing that a record may say") in [
        (n.path, n.reason) for n in back.notes
    ]


def test_a_field_that_every_record_has_costs_the_record_and_what_stands_in_it():
    resources = wire()
    del resources["Procedure sessions"]
    back = understand(resources.values(), CLINIC)
    assert [c.sessions for h in back.histories for c in h.cycles] == [[]]
    assert {k.resource["resourceType"]: k.reason for k in back.kept} == {
        "Encounter": "$.status: not a status that a record of ours has",
        "MedicationAdministration": "the record that it stands in is missing",
    }

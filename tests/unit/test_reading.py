"""Reading what an EHR made of our resources: one unreadable place costs one record, not the history."""

from typing import Any

from mesofhir.fhir import exactjson
from mesofhir.mapping import Clinic, graph, understand
from mesofhir.records import decode

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

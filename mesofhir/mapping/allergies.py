"""Drug allergies, and what was asked about and not found (facts 21, 25; clinical model, decision 11)."""

from typing import Any

from mesofhir.fhir.coded import Coded, OneSystem
from mesofhir.fhir.elements import TIME, Status, note, table
from mesofhir.fhir.picture import Absent, Decoration, Each, Field, Row, Start
from mesofhir.mapping.clinic import Clinic, Shape, Takes
from mesofhir.mapping.common import HL7, SEVERITY, STATES, WITHDRAWN, coded, hl7, same
from mesofhir.terminology import LOINC, code_set

_CLINICAL, _VERIFIED = "allergyintolerance-clinical", "allergyintolerance-verification"
_WITHDRAWN = {
    "clinicalStatus": Absent(),  # R4 AllergyIntolerance, ait-2
    "verificationStatus": hl7("status", _VERIFIED, same(WITHDRAWN), decisive=True, required=True),
}


def _withdrawn(row: Row) -> bool:
    return row.get("status") == WITHDRAWN


def shapes(c: Clinic) -> list[Shape]:
    """Allergies, "none known" (an AllergyIntolerance of its own: US Core, IPS), other exclusions."""
    parts: dict[str, Any] = {
        "type": Field("kind", table(same("allergy", "intolerance"))),
        "category": Decoration("medication"),
        "criticality": Field("criticality", table(same("low", "high", "unable-to-assess"))),
        "code": coded(c, "substance", "substances"),
        "onsetDateTime": Field("onset", TIME),
        "recordedDate": Field("recorded", TIME),
        "recorder": c.ref("recorder", "practitioners", "Practitioner"),
        "note": note("note"),
        "reaction": [
            Each(
                "reactions",
                {
                    "manifestation": [coded(c, "manifestation", "reactions")],
                    "severity": Field("severity", table(SEVERITY)),
                    "onset": Field("onset", TIME),
                },
                by="manifestation",
            )
        ],
    }
    stands = {
        "clinicalStatus": hl7("status", _CLINICAL, same("active", "inactive", "resolved"), decisive=True),
        "verificationStatus": hl7("certainty", _VERIFIED, same("unconfirmed", "confirmed", "refuted"), decisive=True),
    }
    none_known = {
        "code": Coded("kind", code_set("no_known"), decisive=True),
        "recordedDate": Field("asked", TIME),
        "recorder": c.ref("recorder", "practitioners", "Practitioner"),
        "note": note("note"),
    }
    none_stands = {
        "clinicalStatus": Start({"coding": [{"system": HL7 + _CLINICAL, "code": "active"}]}),
        "verificationStatus": hl7("status", _VERIFIED, {"": "confirmed"}, default="", decisive=True),
    }

    def shape(name: str, state: dict[str, Any], rest: dict[str, Any], takes: Takes) -> Shape:
        return c.shape(
            name, "AllergyIntolerance", state | rest,
            profiled="mesotherapy-drug-allergy", subject="patient", takes=takes,
        )  # fmt: skip

    def of_drugs(row: Row) -> bool:
        return row.get("kind") in code_set("no_known")

    return [
        shape("allergies", stands, parts, lambda row: not _withdrawn(row)),
        shape("allergies", _WITHDRAWN, parts, _withdrawn),
        shape("exclusions", none_stands, none_known, lambda row: of_drugs(row) and not _withdrawn(row)),
        shape("exclusions", _WITHDRAWN, none_known, lambda row: of_drugs(row) and _withdrawn(row)),
        *_excluded(c),
    ]


def _excluded(c: Clinic) -> list[Shape]:
    """Any other kind: an Observation that says no (pregnancy and breastfeeding as IPS and ISiK do)."""
    contraindications = code_set("contraindications")

    def shape(said: dict[str, Any], takes: Takes, profiled: str = "") -> Shape:
        parts = {
            "status": Status("status", same(WITHDRAWN), default="final"),
            **said,
            "effectiveDateTime": Field("asked", TIME),
            "performer": [c.ref("recorder", "practitioners", "Practitioner")],
            "note": note("note"),
        }
        return c.shape("exclusions", "Observation", parts, profiled=profiled, takes=takes)

    special = [
        shape(
            {
                "code": Coded("kind", OneSystem(LOINC, {kind: state.loinc}), decisive=True),
                "valueCodeableConcept": {"coding": [{"system": state.system, "code": state.no}]},
            },
            lambda row, kind=kind: row.get("kind") == kind,  # type: ignore[misc]
            f"{kind}-status",
        )
        for kind, state in STATES.items()
    ]
    rest = shape(
        {"code": Coded("kind", contraindications, decisive=True), "valueBoolean": False},
        lambda row: row.get("kind") in contraindications and row.get("kind") not in {*STATES, "drug-allergy"},
    )
    return [*special, rest]

"""Usual medicines (fact 33)."""

from mesofhir.fhir.elements import TEXT, Status, note, period
from mesofhir.fhir.picture import Field
from mesofhir.mapping.clinic import Clinic, Shape
from mesofhir.mapping.common import WITHDRAWN, coded, same


def shapes(c: Clinic) -> list[Shape]:
    """R4 MedicationStatement."""
    return [
        c.shape(
            "medicines",
            "MedicationStatement",
            {
                "status": Status("status", same("active", "completed", "stopped", "on-hold", "intended", WITHDRAWN)),
                "medicationCodeableConcept": coded(c, "medicine", "substances"),
                "effectivePeriod": period("since", "until"),
                "dosage": [{"id": "mesofhir-dose", "text": Field("dose", TEXT)}],
                "note": note("note"),
            },
        )
    ]

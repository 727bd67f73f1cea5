"""Pain scores (facts 34, 35; clinical model §4.2)."""

from mesofhir.fhir.coded import Coded, OneSystem
from mesofhir.fhir.elements import TIME, Status, note, quantity
from mesofhir.fhir.picture import Decoration, Field
from mesofhir.mapping.clinic import Clinic, Shape, ext
from mesofhir.mapping.common import HL7, WITHDRAWN, same, word
from mesofhir.terminology import LOINC

_SCALES = {"nrs": "72514-3", "vas": "38214-3"}


def shapes(c: Clinic) -> list[Shape]:
    """R4 Observation, category survey."""
    return [
        c.shape(
            "scores",
            "Observation",
            {
                "extension": [ext("assessment-point", valueCodeableConcept=word("point", "assessment_points"))],
                "basedOn": [c.parent("cycles", "ServiceRequest")],
                "partOf": [c.ref("session", "sessions", "Procedure")],
                "status": Status("status", same(WITHDRAWN), default="final"),
                "category": Decoration({"coding": [{"system": HL7 + "observation-category", "code": "survey"}]}),
                "code": Coded("scale", OneSystem(LOINC, _SCALES), decisive=True),
                "effectiveDateTime": Field("taken", TIME),
                "valueQuantity": quantity("value", "{score}"),
                "note": note("note"),
            },
            profiled="pain-score",
        )
    ]

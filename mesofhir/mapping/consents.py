"""The informed consent to treatment (clinical model §2.3, last row)."""

from mesofhir.fhir.elements import TIME, Status, table
from mesofhir.fhir.picture import Field
from mesofhir.mapping.clinic import Clinic, Shape
from mesofhir.mapping.common import HL7, WITHDRAWN, defined, same
from mesofhir.terminology import LOINC


def shapes(c: Clinic) -> list[Shape]:
    """R4 Consent; ``policyRule`` because of ppc-1."""
    return [
        c.shape(
            "consents",
            "Consent",
            {
                "status": Status("status", same("active", "rejected", "inactive", WITHDRAWN)),
                "scope": {"coding": [{"system": HL7 + "consentscope", "code": "treatment"}]},
                "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
                "dateTime": Field("signed", TIME),
                "performer": [c.ref("recorder", "practitioners", "Practitioner")],
                "policyRule": defined("informed-consent"),
                "provision": {"type": Field("decision", table(same("permit", "deny")))},
            },
            profiled="mesotherapy-consent",
            subject="patient",
        )
    ]

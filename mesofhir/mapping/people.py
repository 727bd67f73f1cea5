"""People: the patient and the practitioners. They belong to the EHR: matched there, written only when made."""

from dataclasses import replace

from mesofhir.fhir.elements import TEXT, table
from mesofhir.fhir.picture import Each, Field, Sole, Start
from mesofhir.mapping.clinic import Clinic, Shape
from mesofhir.mapping.common import coded, same
from mesofhir.records.identifiers import same_system

_NAME = {"use": Start("official"), "family": Field("family", TEXT), "given": [Each("given", Field("", TEXT))]}
_SYSTEM = replace(TEXT, same=lambda a, b: same_system(str(a), str(b)))  # what stands under either name, stays
_IDENTIFIER = {"system": Field("system", _SYSTEM), "value": Field("value", TEXT)}


def shapes(c: Clinic) -> list[Shape]:
    """Facts 5, 37. Their other identifiers are those by which the EHR knows them."""
    return [
        c.shape(
            "patients",
            "Patient",
            {
                "identifier": c.identity("patients", Each("identifiers", _IDENTIFIER)),
                "name": [Sole(_NAME)],
                "birthDate": Field("birth_date", TEXT),
                "gender": Field("gender", table(same("male", "female", "other", "unknown"))),
            },
            subject="",
        ),
        c.shape(
            "practitioners",
            "Practitioner",
            {
                "identifier": c.identity("practitioners", Each("identifiers", _IDENTIFIER)),
                "name": [Sole(_NAME)],
                "qualification": [{"id": "mesofhir-profession", "code": coded(c, "profession", "professions")}],
            },
            subject="",
        ),
    ]

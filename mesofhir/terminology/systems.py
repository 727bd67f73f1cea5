"""The code systems: their URIs, and the short words that stand for them in the tables."""

from __future__ import annotations

from typing import Final

BASE = "https://w3id.org/mesofhir"
"""The root of every canonical URL of ours."""

LOCAL = f"{BASE}/CodeSystem/mesotherapy"
SCT = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD9 = "http://hl7.org/fhir/sid/icd-9-cm"
ATC = "http://www.whocc.no/atc"
CNP = "http://hl7.it/fhir/televisita/CodeSystem/CsCatalogoNazionalePrestazioni"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ROUTE = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"

LANGUAGES = ("it", "en")

SYSTEMS: Final = {
    "local": LOCAL,
    "sct": SCT,
    "icd10": ICD10,
    "icd9": ICD9,
    "atc": ATC,
    "cnp": CNP,
    "loinc": LOINC,
    "route": ROUTE,
    "actcode": ACT_CODE,
    "actreason": ACT_REASON,
}
"""The short words that stand for a system in the tables."""

_ALIASES: Final = {
    "urn:oid:2.16.840.1.113883.6.73": ATC,  # HL7 Italy core
    "https://www.hl7.it/fhir/terminology/CodeSystem/aifa-atc": ATC,  # HL7 Italy televisita
}
"""Other names under which the same codes arrive: read, never written."""


def canonical(system: str) -> str:
    """The name under which we write a system that has several."""
    return _ALIASES.get(system, system)

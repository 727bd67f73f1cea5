"""``entered-in-error``: how each resource type says that it should never have been there (FHIR R4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

WORD: Final = "entered-in-error"
_HL7: Final = "http://terminology.hl7.org/CodeSystem/"
_VERIFICATION: Final = {
    "Condition": "condition-ver-status",
    "AllergyIntolerance": "allergyintolerance-verification",
}
_STATUS: Final = {"Goal": "lifecycleStatus"}


def is_withdrawn(resource: Mapping[str, Any]) -> bool:
    """Does a resource say so?"""
    kind = str(resource.get("resourceType"))
    if kind not in _VERIFICATION:
        return resource.get(_STATUS.get(kind, "status")) == WORD
    verification = resource.get("verificationStatus")
    codings = verification.get("coding") if isinstance(verification, dict) else None
    wanted = {"system": _HL7 + _VERIFICATION[kind], "code": WORD}
    listed = codings if isinstance(codings, list) else []
    return any(isinstance(c, dict) and wanted.items() <= c.items() for c in listed)


def withdrawn(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The resource, saying so; everything else in it stays.

    Withdrawn conditions and allergies have no clinical status (con-5, ait-2), and so a condition no end (con-4).
    """
    kind = str(resource.get("resourceType"))
    if is_withdrawn(resource):
        return dict(resource)
    if kind not in _VERIFICATION:
        return dict(resource) | {_STATUS.get(kind, "status"): WORD}
    rest = {k: v for k, v in resource.items() if k != "clinicalStatus" and not k.startswith("abatement")}
    return rest | {"verificationStatus": {"coding": [{"system": _HL7 + _VERIFICATION[kind], "code": WORD}]}}


def restored(resource: Mapping[str, Any]) -> dict[str, Any]:
    """The resource without a word on whether it stands."""
    kind = str(resource.get("resourceType"))
    status = "verificationStatus" if kind in _VERIFICATION else _STATUS.get(kind, "status")
    return {k: v for k, v in resource.items() if k != status}

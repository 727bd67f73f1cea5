"""Withdrawal: what was put on a server is marked ``entered-in-error``; nothing is ever deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mesofhir.errors import NotAllDone
from mesofhir.server import TransactionFailed

if TYPE_CHECKING:
    from mesofhir.sync.exchange import Exchange

_WORD: Final = "entered-in-error"
_HL7: Final = "http://terminology.hl7.org/CodeSystem/"
_VERIFICATION: Final = {
    "Condition": "condition-ver-status",
    "AllergyIntolerance": "allergyintolerance-verification",
}
_STATUS: Final = {"Goal": "lifecycleStatus"}


def withdrawn(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource, marked as entered in error; everything else in it stays.

    Withdrawn conditions and allergies have no clinical status (R4: con-5, ait-2).
    """
    kind = resource["resourceType"]
    if kind in _VERIFICATION:
        coding = {"system": _HL7 + _VERIFICATION[kind], "code": _WORD}
        rest = {k: v for k, v in resource.items() if k != "clinicalStatus"}
        return rest | {"verificationStatus": {"coding": [coding]}}
    return resource | {_STATUS.get(kind, "status"): _WORD}


def withdraw(exchange: Exchange) -> None:
    """Mark all resources of a history that are on the server; people stay as they are.

    :raises NotAllDone: others kept changing the same resources
    """
    items = [m for m in exchange.made if m.link.kind not in ("Patient", "Practitioner")]
    for m in exchange.made:
        if m not in items:
            exchange.note(m, "found" if m.link in exchange.people.found else "absent")
    for _ in range(3):
        found = exchange.find(items)
        todo = []
        for m in items:
            if m.link not in found:
                exchange.note(m, "absent")
            elif withdrawn(found[m.link]) == found[m.link]:
                exchange.note(m, "withdrawn")
            else:
                todo.append(m)
        if not todo:
            return
        try:
            exchange.replace([(m, found[m.link], withdrawn(found[m.link])) for m in todo])
        except TransactionFailed as why:
            if why.status not in (409, 412):
                raise
    raise NotAllDone("others kept changing the resources that were to be withdrawn")

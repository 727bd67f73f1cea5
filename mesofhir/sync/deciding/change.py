"""Taking back what was said of a record, and saying it again: the words that stand on the server."""

from __future__ import annotations

from typing import Any, Final

from mesofhir.fhir.withdrawal import restored, withdrawn
from mesofhir.mapping import Clinic, Link
from mesofhir.mapping.narrative import ID

TAKEN_BACK: Final = f"{ID}-withdrawn"
"""The element id of the narrative that we leave: by it our own withdrawal is told from an EHR's."""
Resource = dict[str, Any]


def taken_back(x: Resource) -> Resource:
    """The resource, marked ``entered-in-error``, also for those who read its narrative."""
    text = x.get("text")
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Inserito per errore / entered in error</p></div>'
    said = {"id": TAKEN_BACK, "status": "generated", "div": div}
    ours = text is None or (isinstance(text, dict) and str(text.get("id", "")).startswith(ID))
    return withdrawn(x) | ({"text": said} if ours else {})


def no_longer(x: Resource, link: Link, clinic: Clinic) -> Resource:
    """The same for what is no longer the record of its identifier; that one is kept as an old one."""
    listed = [i | {"use": "old"} if clinic.link(link.kind, i) == link else i for i in x["identifier"]]
    return taken_back(x) | {"identifier": listed}


def given_up(x: Resource, link: Link, clinic: Clinic) -> Resource:
    """The same for what another resource is to be from now on (of another patient): our identifier goes into a system
    of its own, or the next create would find the old one."""
    listed = [former(i, clinic, link) if clinic.link(link.kind, i) == link else i for i in x["identifier"]]
    return taken_back(x) | {"identifier": listed}


def is_given_up(x: Resource, link: Link, clinic: Clinic) -> bool:
    """Was it given up so? (A key that was corrected stands beside the one of now.)"""
    kept = former({"value": link.key}, clinic, link)
    return clinic.link_of(x) is None and any(kept.items() <= i.items() for i in _identifiers(x))


def carries(x: Resource, link: Link, clinic: Clinic) -> bool:
    """Does it carry the key of a record, be it as an old one? Then a search finds it."""
    return any(clinic.link(link.kind, i) == link for i in _identifiers(x))


def _identifiers(x: Resource) -> list[Resource]:
    listed = x.get("identifier")
    return [i for i in listed if isinstance(i, dict)] if isinstance(listed, list) else []


def former(identifier: dict[str, Any], clinic: Clinic, link: Link) -> dict[str, Any]:
    """An identifier of ours, in a system where no search of ours finds it."""
    return identifier | {"use": "old", "system": f"{clinic.system(link.table)}/former"}


def is_taken_back(x: Resource) -> bool:
    """Is it we who withdrew the resource?"""
    text = x.get("text")
    return isinstance(text, dict) and text.get("id") == TAKEN_BACK


def said_again(x: Resource, clinic: Clinic) -> Resource:
    """What we withdrew, before its record is put over it once more."""
    ours = [clinic.link(str(x["resourceType"]), i) is not None for i in x["identifier"]]
    plain = [
        {k: v for k, v in i.items() if not (mine and (k, v) == ("use", "old"))}
        for i, mine in zip(x["identifier"], ours, strict=True)
    ]
    return {k: v for k, v in restored(x).items() if k != "text"} | {"identifier": plain}

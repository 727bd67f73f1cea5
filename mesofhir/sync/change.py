"""Changes to single resources on a server; among them, taking back what was said, and saying it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mesofhir.fhir.withdrawal import restored, withdrawn
from mesofhir.mapping import Clinic, Link
from mesofhir.mapping.narrative import ID
from mesofhir.sync.report import Outcome

TAKEN_BACK: Final = f"{ID}-withdrawn"
"""The element id of the narrative that we leave: by it our own withdrawal is told from an EHR's."""
Resource = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A resource that is to say something else than it does.

    :param old: what the server holds
    :param new: what is to stand in its place
    :param make: makes that of whatever stands there
    :param outcome: what becomes of the resource
    :param why: to be remarked
    """

    link: Link
    old: Resource
    new: Resource
    make: Callable[[Resource], Resource]
    outcome: Outcome = "changed"
    why: str = ""

    @property
    def name(self) -> str:
        """``Type/id`` on the server."""
        return f"{self.link.kind}/{self.old['id']}"

    @property
    def version(self) -> str:
        """The version that is replaced; "" if the server does not tell."""
        return str(self.old.get("meta", {}).get("versionId", ""))


def withdrawal(link: Link, old: Resource) -> Change:
    """A resource is marked ``entered-in-error``, also for those who read its narrative."""
    return Change(link, old, _taken_back(old), _taken_back, "withdrawn")


def former(link: Link, old: Resource, clinic: Clinic) -> Change:
    """The same for what is no longer the record of its identifier; that one is kept as an old one."""

    def make(x: Resource) -> Resource:
        marked = [
            i | {"use": "old"} if clinic.link(link.kind, i) == link else i for i in _taken_back(x)["identifier"]
        ]
        return _taken_back(x) | {"identifier": marked}

    why = f"the record is no {link.kind} any more; what it was is marked entered-in-error"
    return Change(link, old, make(old), make, "withdrawn", why)


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


def _taken_back(x: Resource) -> Resource:
    text = x.get("text")
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Inserito per errore / entered in error</p></div>'
    said = {"id": TAKEN_BACK, "status": "generated", "div": div}
    ours = text is None or (isinstance(text, dict) and str(text.get("id", "")).startswith(ID))
    return withdrawn(x) | ({"text": said} if ours else {})

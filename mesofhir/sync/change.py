"""A change to one resource on a server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mesofhir.fhir.withdrawal import withdrawn
from mesofhir.mapping import Link
from mesofhir.mapping.narrative import ID
from mesofhir.sync.report import Outcome

Resource = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A resource that is to say something else than it does.

    :param old: what the server holds
    :param make: what should stand in the place of what stands there
    :param outcome: what becomes of the resource
    :param why: to be remarked
    """

    link: Link
    old: Resource
    make: Callable[[Resource], Resource]
    outcome: Outcome = "changed"
    why: str = ""

    @cached_property
    def new(self) -> Resource:
        """What is to stand there."""
        return self.make(self.old)

    @property
    def name(self) -> str:
        """``Type/id`` on the server."""
        return f"{self.link.kind}/{self.old['id']}"

    @property
    def version(self) -> str:
        """The version that is replaced; "" if the server does not tell."""
        return str(self.old.get("meta", {}).get("versionId", ""))


def withdrawal(link: Link, old: Resource, why: str = "") -> Change:
    """Mark a resource ``entered-in-error``; our narrative, which says otherwise, goes."""

    def make(x: Resource) -> Resource:
        ours = isinstance(x.get("text"), dict) and x["text"].get("id") == ID
        return withdrawn({k: v for k, v in x.items() if not (k == "text" and ours)})

    return Change(link, old, make, "withdrawn", why)

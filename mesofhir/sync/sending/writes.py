"""What is sent, and what became of it: the words between those who decide, those who deliver and those who remember.
Pure, but for :func:`wait`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from mesofhir.errors import MesofhirError, NotAllDone, Refused
from mesofhir.fhir.references import renamed
from mesofhir.mapping import Link
from mesofhir.server import Issue
from mesofhir.sync.planning.plan import Step

TRIES: Final = 8
"""How often a history is tried again that others change at the same time."""
Resource = dict[str, Any]
Fate = Literal["created", "found", "updated", "stale", "refused", "unknown", "untried"]
"""
==========  ==================================================================================
 created     it was not there
 found       a create that met what is there already; without a resource, if the server shows it in no way
 updated     it took the place of the version that was named
 stale       an update that met another version: nothing was done
 refused     the server does not take it; :attr:`Sent.error` says why
 unknown     it was sent, and the answer was lost
 untried     it was not sent, since something before it went wrong
==========  ==================================================================================
"""

Witness = Callable[[str, Resource, str], object]
"""Is given each resource that was written: the server's name, as it was sent, the version it became."""


def unwitnessed(name: str, sent: Resource, version: str) -> None:
    """The witness of what nobody reads back."""


class Contended(NotAllDone):
    """Others kept changing the same resources."""


class NotTaken(Refused):
    """The server does not take something of a part.

    :param links: which of them it may be
    """

    def __init__(self, message: str, why: Refused, links: Sequence[Link]) -> None:
        super().__init__(message, why.status, codes=why.codes)
        self.links = list(links)


@dataclass(frozen=True)
class Write:
    """One resource that is to be sent.

    :param resource: as it is to stand there; its references to resources of ours are our handles (``Type/uuid``)
        as long as the server has not named them
    :param condition: of a create: the search by which the server finds what it has already
    :param id: of an update: the server's
    :param version: of an update: the one that was read, which it replaces
    """

    link: Link
    method: Literal["create", "update"]
    resource: Resource
    condition: str = ""
    id: str = ""
    version: str = ""


@dataclass(frozen=True)
class Sent:
    """What became of a write.

    :param step: of the plan; None if nothing was sent
    :param resource: what the server holds now, as far as it says
    :param version: its version; "" if the server does not say
    :param error: why it was refused
    """

    write: Write
    fate: Fate
    step: Step | None = None
    resource: Resource | None = None
    version: str = ""
    issues: tuple[Issue, ...] = ()
    error: MesofhirError | None = None


def stops(sent: Sent) -> bool:
    """Is what comes after it not to be tried? A refusal of one resource alone is not the others' concern."""
    alone = sent.fate == "refused" and sent.step is not Step.TRANSACTION
    return not alone and sent.fate not in ("created", "found", "updated")


class Journal(Protocol):
    """Who is told of every request, before and after."""

    def intend(self, writes: Sequence[Write], step: str, blind: Set[str]) -> None:
        """They are about to be sent together; an error here keeps them from being sent.

        :param blind: the types whose creates are not conditional
        """

    def record(self, sent: Sequence[Sent]) -> None:
        """What became of them."""


def told(link: Link) -> str:
    """How a resource of ours is called in messages."""
    return f"{link.table} {link.key} ({link.kind})"


def few(words: Sequence[str], joint: str = "and") -> str:
    """The first of many in a message, and how many more there are."""
    return ", ".join(words[:3]) + (f" {joint} {len(words) - 3} more" if len(words) > 3 else "")


def version_of(x: Mapping[str, Any] | None) -> str:
    """The version of a resource; "" if the server does not tell."""
    return str(((x or {}).get("meta") or {}).get("versionId", ""))


def referring(resource: Resource, names: Mapping[str, str], ours: Set[str]) -> Resource:
    """A resource with references as the server knows them; to what was not sent, by identifier only.

    :param names: our handle → the server's name
    :param ours: our handles
    """
    out: Resource = renamed(resource, lambda x: names.get(x, None if x in ours else x))
    return out


def wait(pause: Callable[[float], object], attempt: int) -> None:
    """Those who met must part."""
    if attempt:
        pause(random.uniform(0, 0.05 * 2 ** min(attempt, 6)))  # noqa: S311 - only a pause

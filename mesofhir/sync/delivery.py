"""Sending: a list of writes to a server, and what became of each.

What is written was decided before; here it is only brought there, in the way that the server takes. Each request
is announced to a journal before it is sent and accounted for after its answer, so that a crash between the two
leaves a trace. An answer that is lost is told as *unknown* and never followed by sending again; what was not tried
is told as that.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from mesofhir.errors import MesofhirError, NotAllDone, Refused, UnknownOutcome
from mesofhir.fhir.references import renamed
from mesofhir.mapping import Clinic, Link
from mesofhir.server import EntryResult, Issue, Server, TooLarge, TransactionFailed
from mesofhir.sync.finder import Finder
from mesofhir.sync.parts import Limits

TRIES: Final = 8
TRANSACTION: Final = "transaction"
Resource = dict[str, Any]
Fate = Literal["created", "found", "updated", "stale", "refused", "unknown", "untried"]
"""
==========  ==================================================================================
 created     it was not there
 found       a create that met what is there already
 updated     it took the place of the version that was named
 stale       an update that met another version: nothing was done
 refused     the server does not take it; :attr:`Sent.error` says why
 unknown     it was sent, and the answer was lost
 untried     it was not sent, since something before it went wrong
==========  ==================================================================================
"""


class Contended(NotAllDone):
    """Others kept changing the same resources."""


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

    :param resource: what the server holds now, as far as it says
    :param version: its version; "" if the server does not say
    :param error: why it was refused
    """

    write: Write
    fate: Fate
    resource: Resource | None = None
    version: str = ""
    issues: tuple[Issue, ...] = ()
    error: MesofhirError | None = None


class Journal(Protocol):
    """Who is told of every request, before and after."""

    def intend(self, writes: Sequence[Write], step: str) -> None:
        """They are about to be sent together; an error here keeps them from being sent."""

    def record(self, sent: Sequence[Sent]) -> None:
        """What became of them."""


@dataclass
class Delivery:
    """The sending for one history.

    :param finder: looks for types that the server cannot create conditionally
    :param subject: the patient, as the server calls it (``Patient/id``)
    :param names: our handle → the server's name; what the server names is added
    :param ours: all handles of the history: what the server has not named is referred to by identifier only
    :param pause: waits for some seconds
    """

    server: Server
    clinic: Clinic
    finder: Finder
    journal: Journal
    subject: str
    names: MutableMapping[str, str]
    ours: Set[str]
    limits: Limits = field(default_factory=Limits)
    pause: Callable[[float], object] = time.sleep

    def deliver(self, writes: Sequence[Write]) -> list[Sent]:
        """Send all of them, creates first: each after what it refers to. After the first part that is not done, the
        rest is not tried.

        :raises MesofhirError: the server cannot be asked; what was sent before that is in the journal
        """
        creates = [w for w in writes if w.method == "create"]
        updates = [w for w in writes if w.method == "update"]
        out: list[Sent] = []
        for some, send in ((creates, self._create), (updates, self._update)):
            for part in self.limits.parts([(w, w.resource) for w in some]):
                failed = any(s.fate not in ("created", "found", "updated") for s in out)
                out += [Sent(w, "untried") for w in part] if failed else send(part)
        return out

    # --- create -------------------------------------------------------------------------------------------

    def _create(self, part: list[Write]) -> list[Sent]:
        """One transaction of conditional creates; types that the server does not find by identifier are looked for
        beforehand."""
        links = [w.link for w in part]
        for attempt in range(TRIES):
            wait(self.pause, attempt)
            blind = self.finder.blind(link.kind for link in links)
            there = self._there(part, blind)
            new = [w for w in part if w.link not in there]
            try:
                self.journal.intend(new, TRANSACTION)
                results = self._sent(new, [self._post(w, new, w.link.kind in blind) for w in new])
            except TooLarge as why:
                return self._halved(part, why, self._create)
            except TransactionFailed as why:
                if why.status == 409:  # another made one of these first: ask again
                    continue
                self.finder.learn_from(why, (link.kind for link in links))
                if self.finder.blind(link.kind for link in links) == blind:
                    return self._told([Sent(w, "refused", error=self._explained(why, links)) for w in part])
                continue
            except UnknownOutcome as why:
                results = [Sent(w, "unknown", error=why) for w in new]
            return self._told([*there.values(), *results])
        error = Contended("others made the same resources all the time; push again")
        return self._told([Sent(w, "refused", error=error) for w in part])

    def _there(self, part: Sequence[Write], blind: Set[str]) -> dict[Link, Sent]:
        """:raises NotAllDone: something is there twice"""
        wanted = [w for w in part if w.link.kind in blind]
        found = self.finder.only([w.link for w in wanted], self.subject)
        for link, x in found.items():
            self._name(link, x)
        return {w.link: Sent(w, "found", found[w.link], version_of(found[w.link])) for w in wanted if w.link in found}

    def _post(self, w: Write, together: Sequence[Write], blind: bool) -> Resource:
        request = {"method": "POST", "url": w.link.kind}
        if not blind and w.condition:
            request["ifNoneExist"] = w.condition
        urns = {self._handle(x.link): f"urn:uuid:{self.clinic.handle(x.link)}" for x in together}
        resource = self._referring(w.resource, {**self.names, **urns})
        return {"fullUrl": f"urn:uuid:{self.clinic.handle(w.link)}", "resource": resource, "request": request}

    # --- update -------------------------------------------------------------------------------------------

    def _update(self, part: list[Write]) -> list[Sent]:
        """By id, and only in the place of the version that was read (HAPI: a conditional update ignores If-Match)."""
        try:
            self.journal.intend(part, TRANSACTION)
            return self._told(self._sent(part, [self._put(w) for w in part]))
        except TooLarge as why:
            return self._halved(part, why, self._update)
        except TransactionFailed as why:
            if why.status in (409, 412):
                return self._told([Sent(w, "stale", error=why) for w in part])
            error = self._explained(why, [w.link for w in part])
            return self._told([Sent(w, "refused", error=error) for w in part])
        except UnknownOutcome as why:
            return self._told([Sent(w, "unknown", error=why) for w in part])

    def _put(self, w: Write) -> Resource:
        name = f"{w.link.kind}/{w.id}"
        return {
            "fullUrl": f"{self.server.url}/{name}",
            "resource": self._referring(w.resource, self.names),
            "request": {"method": "PUT", "url": name, "ifMatch": f'W/"{w.version}"'},
        }

    # --- both ---------------------------------------------------------------------------------------------

    def _sent(self, part: Sequence[Write], entries: Sequence[Resource]) -> list[Sent]:
        try:
            results = self.server.bundle(entries)
        except (TransactionFailed, UnknownOutcome):
            raise
        except MesofhirError:  # nothing was sent, or nothing was let in
            self.journal.record([Sent(w, "untried") for w in part])
            raise
        return [self._judged(w, r) for w, r in zip(part, results, strict=True)]

    def _judged(self, w: Write, r: EntryResult) -> Sent:
        if w.method == "update":
            return Sent(w, "updated", r.resource, r.version or version_of(r.resource), r.issues)
        x = r.resource or self._shown(w.link, r.location or "")
        self._name(w.link, x)
        return Sent(w, "created" if r.status == 201 else "found", x, r.version or version_of(x), r.issues)

    def _shown(self, link: Link, location: str) -> Resource:
        """What a server that does not give what it has made says of it."""
        kind, _, logical = location.partition("/")
        answer = self.server.read(kind, logical) if logical else None
        if answer is None or answer.body is None:
            raise Refused(f"{told(link)}: the server does not show what it says it has")
        return answer.body

    def _halved(self, part: list[Write], why: TooLarge, send: Callable[[list[Write]], list[Sent]]) -> list[Sent]:
        if len(part) == 1:
            return self._told([Sent(part[0], "refused", error=self._explained(why, [part[0].link]))])
        self.journal.record([Sent(w, "untried") for w in part])
        first, second = part[: len(part) // 2], part[len(part) // 2 :]
        sent = send(first)
        failed = any(s.fate not in ("created", "found", "updated") for s in sent)
        return sent + ([Sent(w, "untried") for w in second] if failed else send(second))

    def _told(self, sent: list[Sent]) -> list[Sent]:
        self.journal.record(sent)
        return sent

    def _handle(self, link: Link) -> str:
        return f"{link.kind}/{self.clinic.handle(link)}"

    def _name(self, link: Link, x: Mapping[str, Any]) -> None:
        """Learn what the server calls a resource of ours."""
        if not isinstance(x.get("id"), str):
            raise Refused(f"{told(link)}: the server gave a resource without an id")
        self.names[self._handle(link)] = f"{link.kind}/{x['id']}"

    def _referring(self, resource: Resource, names: Mapping[str, str]) -> Resource:
        """With references as the server knows them; to what was not sent, by identifier only (decision 10)."""
        return referring(resource, names, self.ours)

    def _explained(self, why: TransactionFailed, links: list[Link]) -> MesofhirError:
        """The refusal of a whole part: which resource it concerns, as far as the server says."""
        if why.status == 412:
            try:
                self.finder.only(links, self.subject)
            except NotAllDone as doubled:
                return doubled
        about = _concerned(why.issues, links)
        if not about:
            return why
        shown = ", ".join(told(link) for link in about[:3]) + (f" or {len(about) - 3} more" if len(about) > 3 else "")
        return Refused(f"{'one of ' if len(about) > 1 else ''}{shown}: {why}", why.status)


def told(link: Link) -> str:
    """How a resource of ours is called in messages."""
    return f"{link.table} {link.key} ({link.kind})"


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


def _concerned(issues: Iterable[str], links: list[Link]) -> list[Link]:
    """Which resources a refusal is about: by the number of an entry (``Bundle.entry[3]``), else by their type."""
    if len(links) == 1:
        return links
    text = " ".join(issues)
    numbers = {int(n) for n in re.findall(r"entry\[(\d+)\]", text)}
    if numbers:
        return [link for n, link in enumerate(links) if n in numbers]
    return [link for link in links if re.search(rf"\b{link.kind}\b", text)]

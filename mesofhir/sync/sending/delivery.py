"""Sending: a list of writes to a server, and what became of each.

What is written was decided before; here it is only brought there, in the way that the server takes. Each request
is announced to a journal before it is sent and accounted for after its answer, so that a crash between the two
leaves a trace. An answer that is lost is told as *unknown* and never followed by sending again; what was not tried
is told as that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.errors import MesofhirError, NotAllDone, Refused, UnknownOutcome, Unreachable
from mesofhir.fhir.references import literals
from mesofhir.mapping import Clinic, Link
from mesofhir.server import Server, TooLarge, TransactionFailed
from mesofhir.sync.planning.parts import Limits
from mesofhir.sync.planning.plan import Plan, Step
from mesofhir.sync.sending.carrier import Carried, carry
from mesofhir.sync.sending.finder import Finder
from mesofhir.sync.sending.writes import (
    TRIES,
    Contended,
    Journal,
    NotTaken,
    Sent,
    Witness,
    Write,
    few,
    referring,
    stops,
    told,
    unwitnessed,
    version_of,
    wait,
)

STALE: Final = frozenset({409, 412})  # a change to another version than the one that was read
Resource = dict[str, Any]
Send = Callable[[list[Write], Step], list[Sent]]


@dataclass
class Delivery:
    """The sending for one history.

    :param plan: in which way each type goes
    :param finder: looks for what the server cannot create conditionally
    :param subject: the patient, as the server calls it (``Patient/id``)
    :param names: our handle → the server's name; what the server names is added
    :param ours: all handles of the history: what the server has not named is referred to by identifier only
    :param pause: waits for some seconds
    :param witness: is given each resource that was written
    """

    server: Server
    clinic: Clinic
    plan: Plan
    finder: Finder
    journal: Journal
    subject: str
    names: MutableMapping[str, str]
    ours: Set[str]
    limits: Limits = field(default_factory=Limits)
    pause: Callable[[float], object] = time.sleep
    witness: Witness = unwitnessed
    _looked: set[Link] = field(default_factory=set)  # what was searched for: what is not, is created conditionally only

    def deliver(self, writes: Sequence[Write]) -> list[Sent]:
        """Send all of them, creates first: each after what it refers to. What goes by itself (in a batch, in a request
        of its own) and is refused stops nothing else; after any other part that is not done, the rest is not tried.

        :raises MesofhirError: the server cannot be asked; what was sent before that is in the journal
        :raises Doubled: somebody else made the same meanwhile, where the server has no conditional creates
        """
        creates = [w for w in writes if w.method == "create"]
        updates = [w for w in writes if w.method == "update"]
        self._looked.clear()
        there = self._there(creates, self.blind(creates))
        out = self._told([*there.values()])
        creates = [w for w in creates if w.link not in there]
        try:
            for some, send in ((creates, self._create), (updates, self._update)):
                for step, wave in self._waves(some):
                    for part in self._parts(wave, step):
                        out += [Sent(w, "untried") for w in part] if any(map(stops, out)) else send(part, step)
        except (Refused, Unreachable):
            with suppress(Refused, Unreachable):  # what was made before is known from now on, and not looked for again
                self._not_doubled(out)
            raise
        self._not_doubled(out)
        return out

    def _waves(self, writes: Sequence[Write]) -> Iterator[tuple[Step, list[Write]]]:
        """What goes in one way, each after all that it refers to. The entries of a batch cannot refer to each other."""
        waiting = list(writes)
        targets = {w.link: set(literals(w.resource)) for w in writes}
        while waiting:
            step = self.plan.of(waiting[0].link.kind).step
            wave: list[Write] = []
            later: set[str] = set()
            for w in waiting:
                ready = self.plan.of(w.link.kind).step is step and not targets[w.link] & later
                if ready:
                    wave.append(w)
                if not ready or step is Step.BATCH:
                    later.add(self._handle(w.link))
            yield step, wave
            sent = {w.link for w in wave}
            waiting = [w for w in waiting if w.link not in sent]

    def _parts(self, wave: Sequence[Write], step: Step) -> Iterator[list[Write]]:
        if step.batched:
            return self.limits.parts([(w, w.resource) for w in wave])
        return ([w] for w in wave)

    def blind(self, writes: Iterable[Write]) -> set[str]:
        """The types whose creates are not conditional: as the plan says, or as the server has shown."""
        kinds = {w.link.kind for w in writes}
        return {kind for kind in kinds if self.plan.of(kind).blind} | self.finder.blind(kinds)

    def _not_doubled(self, sent: Sequence[Sent]) -> None:
        """:raises Doubled: another made one of these between our search and our create"""
        created = [s.write for s in sent if s.fate == "created"]
        blind = self.blind(created)
        self.finder.only([w.link for w in created if w.link.kind in blind], self.subject)

    # --- create -------------------------------------------------------------------------------------------

    def _create(self, part: list[Write], step: Step) -> list[Sent]:
        """Conditional creates; what cannot be created so was looked for beforehand."""
        done: list[Sent] = []
        for attempt in range(TRIES):
            wait(self.pause, attempt)
            links, blind = [w.link for w in part], self.blind(part)
            if attempt or any(w.link.kind in blind and w.link not in self._looked for w in part):
                there = self._there(part, blind)
                done += there.values()
                part = [w for w in part if w.link not in there]
            together = part if step is Step.TRANSACTION else []
            try:
                sent = self._sent(part, step, [self._post(w, together, blind) for w in part])
            except TooLarge as why:
                return self._told(done) + self._halved(part, step, why, self._create)
            except TransactionFailed as why:
                if why.status == 409:  # another made one of these first: ask again
                    continue
                self.finder.learn_from(why, (link.kind for link in links))
                if self.blind(part) == blind:
                    error = self._explained(why, links)
                    return self._told([*done, *(Sent(w, "refused", step, error=error) for w in part)])
                continue
            part = [s.write for s in sent if _contended(s)]
            done += [s for s in sent if not _contended(s)]
            if not part:
                return self._told(done)
        error = Contended("others made the same resources all the time; push again")
        return self._told([*done, *(Sent(w, "refused", step, error=error) for w in part)])

    def _there(self, part: Sequence[Write], blind: Set[str]) -> dict[Link, Sent]:
        """:raises Doubled: something is there twice"""
        wanted = [w for w in part if w.link.kind in blind]
        found = self.finder.only([w.link for w in wanted], self.subject)
        self._looked |= {w.link for w in wanted}
        for link, x in found.items():
            self._name(link, x)
        there = [(w, found[w.link]) for w in wanted if w.link in found]
        return {w.link: Sent(w, "found", resource=x, version=version_of(x)) for w, x in there}

    def _post(self, w: Write, together: Sequence[Write], blind: Set[str]) -> Resource:
        request = {"method": "POST", "url": w.link.kind}
        if w.link.kind not in blind and w.condition:
            request["ifNoneExist"] = w.condition
        urns = {self._handle(x.link): f"urn:uuid:{self.clinic.handle(x.link)}" for x in together}
        resource = self._referring(w.resource, {**self.names, **urns})
        return {"fullUrl": f"urn:uuid:{self.clinic.handle(w.link)}", "resource": resource, "request": request}

    # --- update -------------------------------------------------------------------------------------------

    def _update(self, part: list[Write], step: Step) -> list[Sent]:
        """By id, and only in the place of the version that was read (HAPI: a conditional update ignores If-Match)."""
        try:
            return self._told(self._sent(part, step, [self._put(w) for w in part]))
        except TooLarge as why:
            return self._halved(part, step, why, self._update)
        except TransactionFailed as why:
            if why.status in STALE:
                return self._told([Sent(w, "stale", step, error=why) for w in part])
            error = self._explained(why, [w.link for w in part])
            return self._told([Sent(w, "refused", step, error=error) for w in part])

    def _put(self, w: Write) -> Resource:
        name = f"{w.link.kind}/{w.id}"
        return {
            "fullUrl": f"{self.server.url}/{name}",
            "resource": self._referring(w.resource, self.names),
            "request": {"method": "PUT", "url": name, "ifMatch": f'W/"{w.version}"'},
        }

    # --- both ---------------------------------------------------------------------------------------------

    def _sent(self, part: Sequence[Write], step: Step, entries: Sequence[Resource]) -> list[Sent]:
        self.journal.intend(part, str(step), self.blind(part))
        try:
            results = carry(self.server, step, entries)
        except TransactionFailed:
            raise
        except UnknownOutcome as why:
            return [Sent(w, "unknown", step, error=why) for w in part]
        except MesofhirError:  # nothing was sent, or nothing was let in
            self.journal.record([Sent(w, "untried") for w in part])
            raise
        conditions = ["ifNoneExist" in e["request"] for e in entries]
        return [self._judged(w, step, r, c) for w, r, c in zip(part, results, conditions, strict=True)]

    def _judged(self, w: Write, step: Step, r: Carried, conditional: bool) -> Sent:
        if isinstance(r, UnknownOutcome):
            return Sent(w, "unknown", step, error=r)
        if isinstance(r, TransactionFailed):
            stale = w.method == "update" and r.status in STALE
            error = self._explained(r, [w.link]) if r.status == 412 and not stale else r
            return Sent(w, "stale" if stale else "refused", step, error=error)
        if w.method == "update":
            return Sent(w, "updated", step, r.resource, r.version or version_of(r.resource), r.issues)
        made = r.status == 201 or not conditional
        x = r.resource or self._shown(w.link, r.location or "", made)
        if x is None:
            return Sent(w, "created" if made else "found", step, issues=r.issues)
        self._name(w.link, x)
        return Sent(w, "created" if made else "found", step, r.resource or x, r.version or version_of(x), r.issues)

    def _shown(self, link: Link, location: str, made: bool) -> Resource | None:
        """What a server says of a resource that it does not give: of one that it has made, its name is enough."""
        kind, _, logical = location.partition("/")
        if made and logical:
            return {"resourceType": kind, "id": logical}
        try:
            return self.server.read(kind, logical).body if logical else self.finder.only([link], self.subject).get(link)
        except Refused:
            return self.finder.only([link], self.subject).get(link)

    def _halved(self, part: list[Write], step: Step, why: TooLarge, send: Send) -> list[Sent]:
        if len(part) == 1:
            return self._told([Sent(part[0], "refused", step, error=self._explained(why, [part[0].link]))])
        self.journal.record([Sent(w, "untried") for w in part])
        first, second = part[: len(part) // 2], part[len(part) // 2 :]
        sent = send(first, step)
        return sent + ([Sent(w, "untried") for w in second] if any(map(stops, sent)) else send(second, step))

    def _told(self, sent: list[Sent]) -> list[Sent]:
        self.journal.record(sent)
        for s in sent:
            name = self.names.get(self._handle(s.write.link))
            if name and s.fate in ("created", "updated"):
                self.witness(name, self._referring(s.write.resource, self.names), s.version)
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
            return NotTaken(str(why), why, about)
        shown = few([told(link) for link in about], "or")
        return NotTaken(f"{'one of ' if len(about) > 1 else ''}{shown}: {why}", why, about)


def _contended(s: Sent) -> bool:
    """Did somebody else make the same at the same moment? (Of a transaction that is told by an exception.)"""
    return s.fate == "refused" and isinstance(s.error, Refused) and s.error.status == 409


def _concerned(issues: Iterable[str], links: list[Link]) -> list[Link]:
    """Which resources a refusal is about: by the number of an entry (``Bundle.entry[3]``), else by their type."""
    if len(links) == 1:
        return links
    text = " ".join(issues)
    numbers = {int(n) for n in re.findall(r"entry\[(\d+)\]", text)}
    if numbers:
        return [link for n, link in enumerate(links) if n in numbers]
    return [link for link in links if re.search(rf"\b{link.kind}\b", text)]

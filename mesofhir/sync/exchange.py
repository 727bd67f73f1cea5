"""One history to one server: create what it lacks, compare what it has, change only what differs.

A transaction of conditional creates says "create this, or give me what you have" for a whole history. A second
one, only if something differs, changes those resources by id and only if nobody else did meanwhile (HAPI: a
conditional update ignores If-Match). What the server answers is read entry by entry, and an answer that was lost is
never followed by sending again, but by looking.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mesofhir.errors import NotAllDone, Refused, UnknownOutcome
from mesofhir.fhir.picture import changes
from mesofhir.fhir.references import references, without
from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.clinic import tail
from mesofhir.server import Server, identifier_query
from mesofhir.sync.allergies import Allergies
from mesofhir.sync.change import Change, former, is_taken_back, said_again
from mesofhir.sync.delivery import TRIES, Contended, Delivery, Sent, Write, referring, stops, told, wait
from mesofhir.sync.fallen import Fall
from mesofhir.sync.finder import Finder
from mesofhir.sync.former import said, still, suspects
from mesofhir.sync.parts import Limits, in_order, name
from mesofhir.sync.people import PEOPLE, People
from mesofhir.sync.plan import DOCUMENT, Plan, Step
from mesofhir.sync.report import DONE, Outcome, Remark, Result

Resource = dict[str, Any]


@dataclass
class Exchange:
    """The push of one history.

    :param plan: how each type goes to this server
    :param made: its resources
    :param falls: what of it the server does not take as itself
    :param people: the people of the run, settled
    :param pause: waits for some seconds
    """

    server: Server
    clinic: Clinic
    plan: Plan
    made: list[Made]
    people: People
    allergies: Allergies
    finder: Finder
    result: Result
    falls: Mapping[Link, Fall] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    pause: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        self.handles = {m.link: name(m) for m in self.made}
        self.ours = frozenset(self.handles.values())
        self.names: dict[str, str] = {}  # our handle → the server's name
        self.targets: dict[str, Link] = {}  # the server's name → what it is of ours
        self.patient = next(m.link for m in self.made if m.link.kind == "Patient")
        self.subject = ""  # what the server calls the patient
        for m in self.made:
            m.world.targets = self.targets

    # --- the steps ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """:raises NotAllDone: (and what the server room raises) the history was stopped"""
        self.name_people()
        own = [m for m in self.made if m.link.kind not in PEOPLE and m.link not in self.falls]
        items = self._without_adopted(in_order(own))
        for attempt in range(TRIES):
            self.wait(attempt)
            held = self._offer(items)
            if self.apply(self._changes(held)):
                self._tell_falls()
                return
        raise Contended("others changed the same resources all the time; push again")

    def _tell_falls(self) -> None:
        """A summary that is not there stands for nothing."""
        read = all(o in DONE for link, o in self.result.outcomes.items() if link.kind == DOCUMENT)
        for link, fall in self.falls.items():
            lost = fall.step is Step.DOCUMENT and not read
            self.note(link, "untaken" if lost else fall.outcome)
            self.remark(link, "untaken" if lost else fall.outcome, fall.why)

    def name_people(self, *, needed: bool = True) -> None:
        """:raises PersonNotSettled: somebody who is needed was not found"""
        for m in self.made:
            if m.link.kind not in PEOPLE:
                continue
            theirs = self.people.of(m.link, needed=needed)
            if theirs is None:
                self.note(m.link, "named" if needed else "absent")
                continue
            self.call(m.link, theirs)
            self.note(m.link, "created" if self.people.newly_made(m.link) else "found")
            if needed:
                self._compare_theirs(m, theirs)
        self.subject = self.names.get(self.handles[self.patient], "")

    def _without_adopted(self, items: list[Made]) -> list[Made]:
        """What the EHR already has under another identity is referred to, not doubled."""
        adopted = self.allergies.not_to_send(self.subject, items)
        for m in items:
            if m.link in adopted:
                verdict = adopted[m.link]
                self.note(m.link, verdict.outcome)
                self.remark(m.link, verdict.outcome, verdict.reason)
                if verdict.theirs is not None:
                    self.call(m.link, verdict.theirs)
                    self._compare_theirs(m, verdict.theirs)
        return [m for m in items if m.link not in adopted]

    def _compare_theirs(self, m: Made, theirs: Resource) -> None:
        """What belongs to the EHR is not written; where it says something else, that is told."""
        for path in sorted({_element(p) for p in changes(theirs, m.over(theirs)[0])} - {"$.text"}):
            self.remark(m.link, "differs", "differs from the clinic's; it belongs to the EHR and was left", path)

    # --- create or fetch ----------------------------------------------------------------------------------

    def _offer(self, items: list[Made]) -> list[tuple[Made, Resource]]:
        """Create what the server lacks.

        :returns: what it had already
        """
        held: list[tuple[Made, Resource]] = []
        waiting = {m.link: m for m in items}
        while waiting:
            sent = self._deliver([self._create(m) for m in waiting.values()])
            found = self._look_for([s.write.link for s in sent if s.fate == "unknown"])
            for s in sent:
                if s.fate == "found" and s.resource is not None:
                    found[s.write.link] = s.resource
            held += [(waiting[link], x) for link, x in found.items()]
            waiting = {s.write.link: waiting[s.write.link] for s in sent if s.fate == "untried"}
        for m, x in held:
            self.check_subject(m.link, x)
        return held

    def _create(self, m: Made) -> Write:
        condition = identifier_query(self.clinic.system(m.link.table), m.link.key)
        return Write(m.link, "create", m.resource, condition)

    def _look_for(self, lost: list[Link]) -> dict[Link, Resource]:
        """After a lost answer: nothing is sent again.

        :raises UnknownOutcome: not everything is there
        """
        found = self.find(lost)
        missing = [link for link in lost if link not in found]
        if missing:
            raise self._lost(missing, f"{len(missing)} of {len(lost)} resources are not on the server (yet)")
        for link, x in found.items():
            self.call(link, x)
        return found

    def _deliver(self, writes: list[Write]) -> list[Sent]:
        """:raises NotAllDone: the server does not take something"""
        how = (self.server, self.clinic, self.plan, self.finder)
        delivery = Delivery(*how, self, self.subject, self.names, self.ours, self.limits, self.pause)
        sent = delivery.deliver(writes)
        for s in sent:
            if s.fate == "refused" and s.error is not None:
                if stops(s):
                    raise s.error
                self.remark(s.write.link, "refused", str(s.error))
        return sent

    def intend(self, writes: Sequence[Write], step: str) -> None:
        """See :class:`mesofhir.sync.delivery.Journal`."""

    def record(self, sent: Sequence[Sent]) -> None:
        """See :class:`mesofhir.sync.delivery.Journal`."""
        for s in sent:
            if s.resource is not None and s.write.method == "create":
                self.call(s.write.link, s.resource)
            for issue in s.issues:
                if issue.severity != "information":
                    self.remark(s.write.link, "server", str(issue))
            if s.fate in ("created", "refused"):
                self.note(s.write.link, s.fate)

    def _read(self, link: Link, location: str) -> Resource:
        kind, _, logical = location.partition("/")
        answer = self.server.read(kind, logical) if logical else None
        if answer is None or answer.body is None:
            raise Refused(f"{told(link)}: the server does not show what it says it has")
        return answer.body

    # --- compare ------------------------------------------------------------------------------------------

    def check_subject(self, link: Link, x: Resource) -> None:
        """:raises NotAllDone: the resource belongs to another patient"""
        subject = x.get("subject") or x.get("patient") or {}
        literal, named = subject.get("reference"), self.clinic.link("Patient", subject.get("identifier"))
        if self.subject and isinstance(literal, str):
            strange = tail(literal) != self.subject
        else:
            strange = named not in (None, self.patient)
        if strange:
            self.note(link, "blocked")
            raise NotAllDone(
                f"{told(link)}: {link.kind}/{x.get('id')} on the server carries this key and belongs to another "
                f"patient than {self.subject or self.patient.key}; it was left alone. A key is one in all the namespace"
            )

    def _changes(self, held: list[tuple[Made, Resource]]) -> list[Change]:
        """All that is to be changed in what the server holds."""
        wanted = {m.link: c for m, x in held if (c := self._difference(m, x))}
        formers = list(self._formers(wanted.keys()))
        gone = frozenset(c.name for c in formers if c.outcome == "withdrawn")
        for m, x in held if gone else ():  # what we have written does not refer to it any more
            if any(self._leads_to(gone, r) for r in references(x)) and (c := self._difference(m, x, gone)):
                wanted[m.link] = c
        return [*wanted.values(), *formers]

    def _leads_to(self, gone: Set[str], reference: Resource) -> bool:
        """Is it a reference of ours to one of these?"""
        ours = self.clinic.link("", reference.get("identifier")) is not None
        return ours and tail(reference["reference"]) in gone

    def _difference(self, m: Made, x: Resource, gone: Set[str] = frozenset()) -> Change | None:
        """What is to be changed in one resource, if anything.

        :param gone: what is not referred to any more (``Type/id``)
        """
        try:
            return self._compared(m, x, gone)
        except (TypeError, ValueError, KeyError, AttributeError):  # a text where an object belongs, say
            self._blocked(m.link, "is not shaped as FHIR asks")
            return None

    def _compared(self, m: Made, x: Resource, gone: Set[str]) -> Change | None:
        if self._literally(m, x):
            self.note(m.link, "unchanged")
            return None

        def base(theirs: Resource) -> Resource:
            then = said_again(theirs, self.clinic) if is_taken_back(theirs) else theirs
            return without(then, partial(self._leads_to, gone)) if gone else then

        then = base(x)
        if self.clinic.link_of(then) != m.link or (not m.reads(then) and m.strange(then)):
            self._blocked(m.link, "stands on the server in a form that is not ours")
            return None
        if is_withdrawn(then) and "status" not in m.row:
            why = "is marked entered-in-error on the server, and the record does not state its status"
            self._blocked(m.link, f"{why} (null would put it in force again)")
            return None
        drawn, doubts = m.over(then)
        self._tell_more(m, drawn)
        new = referring(drawn, self.names, self.ours)
        replaced = set(changes(x, new))
        left = [(path, why) for path, why in doubts if path not in replaced]
        for path, why in left:
            self.remark(m.link, "left", why, path)
        if new == x:
            self.note(m.link, "blocked" if left else "unchanged")
            return None
        return Change(m.link, x, new, lambda theirs: referring(m.over(base(theirs))[0], self.names, self.ours))

    def _formers(self, changed: Set[Link]) -> Iterator[Change]:
        """Changes to what records of this history were before, and are no longer."""
        created = {link for link, outcome in self.result.outcomes.items() if outcome == "created"}
        records = {(m.link.table, m.link.key): m for m in self.made}
        maybe = suspects(self.made, created, changed, self.clinic)
        for link, x in self.find(ln for ln in maybe if self.plan.of(ln.kind).step.itself).items():
            m = records[link.table, link.key]
            self.check_subject(link, x)
            self.call(link, x)
            then = said(x, m, link)
            if then is None:
                self._blocked(link, "stands on the server in a form that is not ours")
            elif now := still(then, m, link):
                if change := self._difference(now, x):
                    yield change
            else:
                yield former(link, x, self.clinic)

    def _tell_more(self, m: Made, x: Resource) -> None:
        """Values of a list that are not of our making stay on the server; that there are more than ours is told."""
        then = said(x, m, m.link) or {}
        for column, ours in m.row.items():
            theirs = then.get(column)
            if column[0] in "@^/" or not isinstance(ours, list) or not isinstance(theirs, list):
                continue
            if 0 < len(ours) < len(theirs):
                more = f"`{column}` has {len(theirs)} values on the server and {len(ours)} here; the others stay there"
                self.remark(m.link, "more", more)

    def _literally(self, m: Made, x: Resource) -> bool:
        """Is it, to the letter, what we would create? Most are, and this is quick."""
        ours = referring(m.resource, self.names, self.ours)
        meta = {**x.get("meta", {}), "source": str(x.get("meta", {}).get("source")).split("#")[0]}
        same = {k: meta.get(k) for k in ours["meta"]} == ours["meta"]
        return same and {**x, "id": "", "meta": ""} == {**ours, "id": "", "meta": ""}

    def _blocked(self, link: Link, why: str) -> None:
        self.note(link, "blocked")
        self.remark(link, "blocked", f"{why}; left alone")

    # --- change -------------------------------------------------------------------------------------------

    def apply(self, wanted: list[Change]) -> bool:
        """Put the new in the place of the old, by id and only where nobody changed it meanwhile.

        :returns: False if somebody did: nothing of that part was changed
        """
        for c in wanted:
            if not (update := self.plan.of(c.link.kind).update):
                self._blocked(c.link, f"the server takes no changes of a {c.link.kind} ({update.by})")
            elif not c.version:
                self._blocked(c.link, "the server tells no version of it, so it cannot be changed safely")
        safe = {c.link: c for c in wanted if c.version and self.plan.of(c.link.kind).update}
        while safe:
            sent = self._deliver([Write(c.link, "update", c.new, "", c.old["id"], c.version) for c in safe.values()])
            lost = [safe[s.write.link] for s in sent if s.fate == "unknown"]
            if not self._arrived(lost):
                raise self._lost([c.link for c in lost], "the server does not say it (yet)")
            for s in sent:
                if s.fate in ("updated", "unknown"):
                    self._tell(safe[s.write.link])
                if s.fate == "updated" and s.version == s.write.version:
                    self.remark(s.write.link, "server", "the server made no new version of what was changed")
            if any(s.fate == "stale" for s in sent):
                return False
            safe = {s.write.link: safe[s.write.link] for s in sent if s.fate == "untried"}
        return True

    def _arrived(self, part: list[Change]) -> bool:
        """After a lost answer to an update: does the server now say all of it?"""
        now = [(c, self._read(c.link, c.name)) for c in part]
        return all(c.make(x) == x for c, x in now)

    def _tell(self, c: Change) -> None:
        self.note(c.link, c.outcome)
        if c.why:
            self.remark(c.link, c.outcome, c.why)
        for path in changes(c.old, c.new) if c.outcome == "changed" else ():
            if not path.startswith("$.text"):
                self.remark(c.link, "replaced", "the clinic's statement took the place of the server's", path)

    # --- names, refusals, notes ---------------------------------------------------------------------------

    def find(self, links: Iterable[Link]) -> dict[Link, Resource]:
        """What the server holds of these.

        :raises Doubled: it holds one of them twice
        """
        return self.finder.only(links, self.subject)

    def call(self, link: Link, x: Resource) -> None:
        """Learn what the server calls a resource of ours."""
        if not isinstance(x.get("id"), str):
            raise Refused(f"{told(link)}: the server gave a resource without an id")
        theirs = f"{link.kind}/{x['id']}"
        self.targets[theirs] = link
        self.result.references[link] = theirs
        if link in self.handles:
            self.names[self.handles[link]] = theirs

    def _lost(self, links: Iterable[Link], why: str) -> UnknownOutcome:
        for link in links:
            self.note(link, "unknown")
        return UnknownOutcome(f"the answer to a write was lost, and {why}; look at it before pushing again")

    def note(self, link: Link, outcome: Outcome) -> None:
        """Record what became of a resource; what was created stays created when it is compared again."""
        if not (self.result.outcomes.get(link) == "created" and outcome in ("unchanged", "changed")):
            self.result.outcomes[link] = outcome

    def remark(self, link: Link, kind: str, text: str, path: str = "") -> None:
        remark = Remark(link, kind, text, path)
        if remark not in self.result.remarks:
            self.result.remarks.append(remark)

    def wait(self, attempt: int) -> None:
        """Those who met must part."""
        wait(self.pause, attempt)


def _element(path: str) -> str:
    """The element that a path is in: ``$.name[0].family`` → ``$.name``."""
    return "$." + path[2:].split(".")[0].split("[")[0]

"""One history to one server: look, decide, deliver, remember.

What the ledger knows to be equal costs no request. What it knows by id is read (a conditional create would make a
second one after an EHR's DELETE); what it does not know is offered by a conditional create: "create this, or give me
what you have". What stands there is merged (:mod:`mesofhir.sync.decision`), and only differences are sent, by id
and only if nobody else changed it meanwhile. An answer that was lost is never followed by sending again, but by
looking. A dry run looks by searches and stops before anything is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from mesofhir.errors import NotAllDone, Refused, UnknownOutcome
from mesofhir.fhir.picture import changes
from mesofhir.fhir.references import references
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.clinic import tail
from mesofhir.server import Server, identifier_query
from mesofhir.sync.change import given_up, is_taken_back, no_longer
from mesofhir.sync.decision import MADE, Decision, Judge, blocked
from mesofhir.sync.delivery import TRIES, Contended, Delivery, Sent, Write, stops, told, version_of, wait
from mesofhir.sync.fallen import Fall
from mesofhir.sync.finder import Finder
from mesofhir.sync.former import said, still, suspects
from mesofhir.sync.ledger import OPEN, Entry, Ledger, settled
from mesofhir.sync.merge import Tokens, Verdict, same
from mesofhir.sync.parts import Limits, in_order, name
from mesofhir.sync.people import PEOPLE, People
from mesofhir.sync.plan import DOCUMENT, Plan, Step
from mesofhir.sync.reconcile import Reconciliation
from mesofhir.sync.report import DONE, Outcome, Remark, Result

MOST_VERSIONS: Final = 50
"""How far back the history of a resource is read for a version that is proven to be ours."""
FEW: Final = 3
"""As many resources are read one by one; more are searched for together."""
Resource = dict[str, Any]
Held = tuple[Made, Resource]


class Gone(NotAllDone):
    """What we put there was deleted."""


class Moved(NotAllDone):
    """A key of ours belongs to another patient."""


@dataclass
class Exchange:
    """The push of one history.

    :param plan: how each type goes to this server
    :param made: its resources
    :param falls: what of it the server does not take as itself
    :param people: the people of the run, settled
    :param ledger: what is known of the server
    :param side: who is right in a conflict; None: it is left
    :param moves: may records go to another patient?
    :param dry: decide, and send nothing
    :param pause: waits for some seconds
    """

    server: Server
    clinic: Clinic
    plan: Plan
    made: list[Made]
    people: People
    others: Reconciliation
    finder: Finder
    result: Result
    ledger: Ledger
    falls: Mapping[Link, Fall] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    side: Verdict | None = None
    moves: bool = False
    dry: bool = False
    pause: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        self.handles = {m.link: name(m) for m in self.made}
        self.ours = frozenset(self.handles.values())
        self.names: dict[str, str] = {}  # our handle → the server's name
        self.targets: dict[str, Link] = {}  # the server's name → what it is of ours
        self.patient = next(m.link for m in self.made if m.link.kind == "Patient")
        self.whose = self.ledger.record(self.patient.table, self.patient.key)
        self.subject = ""  # what the server calls the patient
        self.entries: dict[Link, Entry] = {}
        self.persons: dict[Link, Entry] = {}
        self.sought: dict[Link, Decision] = {}  # what is being sent
        self.versions: dict[Link, str] = {}  # what was read
        self.moving: set[Link] = set()  # what would be made anew for this patient
        self.judge = Judge(self.clinic, self.ledger.tokens, self.side, self.names, self.ours)
        how = (self.server, self.clinic, self.plan, self.finder)
        self.delivery = Delivery(*how, self, "", self.names, self.ours, self.limits, self.pause)
        for m in self.made:
            m.world.targets = self.targets

    # --- the steps ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """:raises NotAllDone: (and what the server room raises) the history was stopped"""
        self.name_people()
        own = [m for m in self.made if m.link.kind not in PEOPLE and m.link not in self.falls]
        items = self._without_adopted(in_order(own))
        self.recall(m.link for m in items)
        self._move(items)
        for attempt in range(TRIES):
            wait(self.pause, attempt)
            held = [*self._read(items), *self._offer(items)]
            if self.apply(self._decisions(held)):
                self._remember({link: e for link, e in self.persons.items() if self.entries.get(link) != e})
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
                instead: Outcome = "named" if needed else "absent"
                self.note(m.link, "created" if m.link in self.people.wanted else instead)
                continue
            self.call(m.link, theirs)
            self.note(m.link, "created" if self.people.newly_made(m.link) else "found")
            self.persons[m.link] = Entry("unchanged", str(theirs["id"]), patient=self.whose)
            if needed:
                self._compare_theirs(m, theirs)
        self.subject = self.delivery.subject = self.names.get(self.handles[self.patient], "")
        self.entries = self.ledger.known(self.persons)

    def _without_adopted(self, items: list[Made]) -> list[Made]:
        """What the EHR already has under another identity is referred to, not doubled."""
        verdicts = self.others.verdicts(self.subject, items)
        for m in items:
            if verdict := verdicts.get(m.link):
                self.remark(m.link, verdict.outcome or "beside", verdict.reason)
                if verdict.outcome:
                    self.note(m.link, verdict.outcome)
                if verdict.theirs is not None:
                    self.call(m.link, verdict.theirs)
                    self._compare_theirs(m, verdict.theirs)
        return [m for m in items if m.link not in verdicts or verdicts[m.link].outcome is None]

    def _compare_theirs(self, m: Made, theirs: Resource) -> None:
        """What belongs to the EHR is not written; where it says something else, that is told."""
        for path in sorted({_element(p) for p in changes(theirs, m.over(theirs)[0])} - {"$.text"}):
            self.remark(m.link, "differs", "differs from the clinic's; it belongs to the EHR and was left", path)

    # --- what is known ------------------------------------------------------------------------------------

    def recall(self, links: Iterable[Link]) -> None:
        """What the ledger knows; of what was sent and never answered, what became of it.

        :raises UnknownOutcome: nobody can tell
        """
        self.entries |= self.ledger.known(links)
        waiting = [link for link, e in self.entries.items() if e.state in OPEN]
        lost = self.settle(waiting)
        if lost:
            raise self._lost(
                lost, f"nobody can tell yet whether it arrived: push again in {LATE.seconds // 60} minutes, or see "
                "`mesofhir ledger resolve`"
            )  # fmt: skip

    def settle(self, links: Iterable[Link], *, again: bool = True) -> list[Link]:
        """Look for what was sent and never answered.

        :param again: whatever is not there may be sent again, where the request was one that cannot double it
        :returns: those of which nobody can tell
        """
        links, out = list(links), []
        found = self.finder.only([ln for ln in links if not self.entries[ln].id], self.subject) if links else {}
        now: dict[Link, Entry | None] = {}
        for link in links:
            e = self.entries[link]
            x = self._current(link, e.id) if e.id else found.get(link)
            if x is not None and self._says(link, x, e):
                now[link] = settled(e, "done", id=str(x["id"]), version=version_of(x), base=e.sought)
            elif x is not None and not e.id:  # it is there, and says something else by now
                now[link] = settled(e, "done", id=str(x["id"]), version=version_of(x))
            elif again and (e.id or e.step != UNGUARDED or _long_ago(e)):
                now[link] = settled(e, "done") if e.id else None
            else:
                out.append(link)
        self._remember(now)
        return out

    def _says(self, link: Link, x: Resource, e: Entry) -> bool:
        """Does it say what was sent?"""
        if e.method == "withdraw":
            return is_taken_back(x)
        m = next((m for m in self.made if m.link == link), None)
        then = None if m is None else said(x, m, link)
        theirs = {} if then is None else self.ledger.tokens(link, then.values)
        return e.sought is not None and same({n: t for n, t in e.sought.items() if t and n != MADE}, theirs)

    def _current(self, link: Link, logical: str) -> Resource | None:
        return self.server.read(link.kind, logical).body if logical else None

    def _trusted(self) -> bool:
        """Is the server the one that the ledger knows? Its patients say so."""
        known = self.entries.get(self.patient)
        return known is not None and bool(self.subject) and known.id == self.subject.partition("/")[2]

    def _read(self, items: list[Made]) -> list[Held]:
        """What the ledger knows, as it stands on the server now, unless all that we state is known to be there.

        :raises Gone: it was deleted
        """
        wanted, trusted = {}, self._trusted()
        for m in items:
            e = self.entries.get(m.link)
            if e is None or not e.id:
                continue
            self._call(m.link, e.id)
            stands = e.state in ("done", "unchanged") and e.method != "withdraw"
            if trusted and stands and same(self.judge.known(m), e.base):
                self.note(m.link, "unchanged")
            else:
                wanted[m.link] = m
        found = self.finder.of(wanted, self.subject) if len(wanted) > FEW else {}
        held, gone = [], []
        for link, m in wanted.items():
            e = self.entries[link]
            x = next((x for x in found.get(link, ()) if x.get("id") == e.id), None) or self._current(link, e.id)
            if x is None or x.get("resourceType") != link.kind:
                gone.append(link)
            else:
                held.append((m, x))
        if gone:
            for link in gone:
                self.note(link, "blocked")
            raise Gone(
                f"{_listed(gone)}: deleted on the server since, or the server is another one than it was; it is not "
                "brought back. `mesofhir ledger resolve` forgets what is to be made anew"
            )
        for m, x in held:
            self.check_subject(m.link, x)
        return held

    def _offer(self, items: list[Made]) -> list[Held]:
        """Create what the server lacks.

        :returns: what it had already
        """
        held: list[Held] = []
        waiting = {m.link: m for m in items if not (m.link in self.entries and self.entries[m.link].id)}
        if self.dry:
            found = self.finder.only(waiting.keys() - self.moving, self.subject)
            held = [(waiting[link], x) for link, x in found.items()]
            for link in waiting.keys() - found.keys():
                self.note(link, "created")
            waiting = {}
        while waiting:
            sent = self._deliver([self._create(m) for m in waiting.values()])
            others = self._find_lost([s.write.link for s in sent if s.fate == "unknown"])
            held += [(waiting[link], x) for link, x in others.items()]
            held += [(waiting[s.write.link], s.resource) for s in sent if s.fate == "found" and s.resource is not None]
            waiting = {s.write.link: waiting[s.write.link] for s in sent if s.fate == "untried"}
        for m, x in held:
            self.call(m.link, x)
            self.check_subject(m.link, x)
        return held

    def _create(self, m: Made) -> Decision:
        condition = identifier_query(self.clinic.system(m.link.table), m.link.key)
        return Decision(m.link, "created", Write(m.link, "create", m.resource, condition), self.judge.known(m))

    def _find_lost(self, lost: list[Link]) -> dict[Link, Resource]:
        """After a lost answer: nothing is sent again.

        :returns: what is there and says something else than what was sent
        :raises UnknownOutcome: not everything is there
        """
        missing, others = self.settle(lost, again=False), {}
        for link in lost:
            if link not in missing:
                e = self.entries[link]
                self._call(link, e.id)
                self.note(link, self.sought[link].outcome)
                if e.base is None and (x := self._current(link, e.id)):
                    others[link] = x
        if missing:
            raise self._lost(missing, f"{len(missing)} of {len(lost)} resources are not there (yet)")
        return others

    # --- another patient's --------------------------------------------------------------------------------

    def check_subject(self, link: Link, x: Resource) -> None:
        """:raises Moved: the resource belongs to another patient"""
        subject = x.get("subject") or x.get("patient") or {}
        literal, named = subject.get("reference"), self.clinic.link("Patient", subject.get("identifier"))
        if self.subject and isinstance(literal, str):
            strange = tail(literal) != self.subject
        else:
            strange = named not in (None, self.patient)
        if strange:
            self.note(link, "blocked")
            raise Moved(
                f"{told(link)}: {link.kind}/{x.get('id')} on the server carries this key and belongs to another "
                f"patient than {self.subject or self.patient.key}; it was left alone. A key is one in all the "
                "namespace; if the record was entered for the wrong patient, push it with --moved"
            )

    def _move(self, items: list[Made]) -> None:
        """Records that the ledger knows as another patient's: what stands there is taken back, and made anew.

        :raises Moved: nobody said that they moved
        """
        moved = {m.link: e for m in items if (e := self.entries.get(m.link)) and e.id and e.patient != self.whose}
        if not moved:
            return
        if not self.moves:
            for link in moved:
                self.note(link, "blocked")
            raise Moved(
                f"{_listed(list(moved))}: pushed before as another patient's; nothing of it was changed. A key is one "
                "in all the namespace; if the record was entered for the wrong patient, push it with --moved"
            )
        for link, e in moved.items():
            x = self._current(link, e.id)
            if x is None or self.clinic.link_of(x) != link:
                raise Gone(f"{told(link)}: {link.kind}/{e.id} is not on the server any more, or no longer ours")
            make = partial(given_up, link=link, clinic=self.clinic)
            decision = self.judge.withdrawal(link, x, e.base, make)
            self.remark(link, "moved", f"was another patient's: {link.kind}/{e.id} is marked entered-in-error")
            if not self.dry:
                [sent] = self._deliver([decision])
                if sent.fate != "updated":
                    raise Contended(f"{told(link)}: others changed it meanwhile; push again")
                self._remember({link: None})
            else:
                self.entries.pop(link)
                self.moving.add(link)

    # --- decisions ----------------------------------------------------------------------------------------

    def _decisions(self, held: list[Held]) -> list[Decision]:
        """What is to become of all that the server holds."""
        decided = {m.link: self._decide(m, x) for m, x in held}
        formers = list(self._formers({link for link, d in decided.items() if d.write}))
        gone = frozenset(f"{d.link.kind}/{d.write.id}" for d in formers if d.outcome == "withdrawn" and d.write)
        for m, x in held if gone else ():  # what we have written does not refer to it any more
            if any(self.judge.leads_to(gone, r) for r in references(x)):
                decided[m.link] = self._decide(m, x, gone)
        return [*decided.values(), *formers]

    def _decide(self, m: Made, x: Resource, gone: Set[str] = frozenset()) -> Decision:
        self.versions[m.link] = version_of(x)
        e = self.entries.get(m.link)
        base = e.base if e is not None and e.base is not None else self.judge.proof(m, [x])
        decision = self.judge.decide(m, x, base, gone)
        if decision.baseless and (base := self.judge.proof(m, self._versions(m.link, str(x["id"])))) is not None:
            decision = self.judge.decide(m, x, base, gone)
        return decision

    def _versions(self, link: Link, logical: str) -> Iterator[Resource]:
        """What it was, newest first, as far as the server tells."""
        try:
            for v in islice(self.server.history(link.kind, logical), MOST_VERSIONS):
                if v.resource is not None:
                    yield v.resource
        except Refused:
            return

    def _formers(self, changed: Set[Link]) -> Iterator[Decision]:
        """Changes to what records of this history were before, and are no longer."""
        created = {link for link, outcome in self.result.outcomes.items() if outcome == "created"}
        records = {(m.link.table, m.link.key): m for m in self.made}
        maybe = suspects(self.made, created, changed, self.clinic)
        links = [link for link in maybe if self.plan.of(link.kind).step.itself]
        self.entries |= self.ledger.known(links)
        for link, x in self.finder.only(links, self.subject).items():
            m = records[link.table, link.key]
            self.check_subject(link, x)
            self.call(link, x)
            then = said(x, m, link)
            if then is None:
                yield blocked(link, "stands on the server in a form that is not ours")
            elif now := still(then.row, m, link):
                decision = self._decide(now, x)
                if decision.write:
                    yield decision
            else:
                make = partial(no_longer, link=link, clinic=self.clinic)
                why = f"the record is no {link.kind} any more; what it was is marked entered-in-error"
                decision = self.judge.withdrawal(link, x, self._base(link), make)
                yield replace(decision, remarks=(Remark(link, "withdrawn", why),)) if decision.write else decision

    def _base(self, link: Link) -> Tokens | None:
        e = self.entries.get(link)
        return None if e is None else e.base

    # --- change -------------------------------------------------------------------------------------------

    def apply(self, decisions: Sequence[Decision]) -> bool:
        """Carry out what was decided; a dry run only notes it.

        :returns: False if somebody else was faster with some of it
        """
        done: dict[Link, Entry | None] = {}
        decisions = [self._allowed(d) for d in decisions]
        for d in decisions:
            if d.write is None or self.dry:
                self._tell(d)
            if d.write is None and d.base is not None and self.result.references.get(d.link):
                logical = self.result.references[d.link].partition("/")[2]
                done[d.link] = Entry("unchanged", logical, self.versions.get(d.link, ""), self.whose, d.base)
        self._remember({link: e for link, e in done.items() if self.entries.get(link) != e})
        waiting = {} if self.dry else {d.link: d for d in decisions if d.write is not None}
        while waiting:
            sent = self._deliver(list(waiting.values()))
            self._find_lost([s.write.link for s in sent if s.fate == "unknown"])
            for s in sent:
                if s.fate in ("updated", "unknown"):
                    self._tell(waiting[s.write.link])
                if s.fate == "updated" and s.version == s.write.version:
                    self.remark(s.write.link, "server", "the server made no new version of what was changed")
            if any(s.fate == "stale" for s in sent):
                return False
            waiting = {s.write.link: waiting[s.write.link] for s in sent if s.fate == "untried"}
        return True

    def _allowed(self, d: Decision) -> Decision:
        """A change that the server does not take is none."""
        update = self.plan.of(d.link.kind).update
        if d.write is None or update:
            return d
        return blocked(d.link, f"the server takes no changes of a {d.link.kind} ({update.by})")

    def _tell(self, d: Decision) -> None:
        self.note(d.link, d.outcome)
        if d.fields:
            self.result.fields[d.link] = d.fields
        for r in d.remarks:
            self.remark(r.link, r.kind, r.text, r.path)

    def _deliver(self, decisions: Sequence[Decision]) -> list[Sent]:
        """:raises NotAllDone: the server does not take something"""
        self.sought |= {d.link: d for d in decisions}
        sent = self.delivery.deliver([d.write for d in decisions if d.write is not None])
        for s in sent:
            if s.fate == "refused" and s.error is not None:
                if stops(s):
                    raise s.error
                self.remark(s.write.link, "refused", str(s.error))
        return sent

    # --- the journal: see mesofhir.sync.delivery ------------------------------------------------------------

    def intend(self, writes: Sequence[Write], step: str) -> None:
        """Into the ledger, before they are sent."""
        now: dict[Link, Entry | None] = {}
        blind = self.delivery.blind(writes)
        for w in writes:
            d = self.sought[w.link]
            e = self.entries.get(w.link) or Entry("pending", patient=self.whose)
            guarded = step if w.method == "update" or w.link.kind not in blind else UNGUARDED
            method = "withdraw" if d.outcome == "withdrawn" else w.method
            now[w.link] = replace(
                e, state="pending", sought=d.base, method=method, step=guarded, id=w.id, patient=e.patient or self.whose
            )
        self._remember(now)

    def record(self, sent: Sequence[Sent]) -> None:
        """Into the ledger, as soon as it is known."""
        now: dict[Link, Entry | None] = {}
        for s in sent:
            link, e = s.write.link, self.entries.get(s.write.link)
            if s.resource is not None and s.write.method == "create":
                self.call(link, s.resource)
            for issue in s.issues:
                if issue.severity != "information":
                    self.remark(link, "server", str(issue))
            if s.fate in ("created", "refused"):
                self.note(link, s.fate)
            logical = s.write.id or str((s.resource or {}).get("id", ""))
            known = e or Entry("pending", patient=self.whose)
            if s.fate in ("created", "updated"):
                base = self.sought[link].base
                now[link] = settled(known, "done", id=logical, version=s.version, base=base)
            elif s.fate == "found":
                now[link] = settled(known, "done", id=logical, version=s.version)
            elif s.fate == "unknown":
                now[link] = replace(known, state="unknown")
            elif s.fate == "refused":
                now[link] = settled(known, "refused")
            elif e is not None:
                now[link] = settled(e, "done") if e.id else None
        self._remember(now)

    def not_recorded(self) -> bool:
        """The ledger could not be written: what it calls pending was sent, and what became of it is noted nowhere.

        :returns: is there any of that?
        """
        lost = [k for k, e in self.entries.items() if e.state == "pending" and k not in self.result.outcomes]
        for link in lost:
            self.note(link, "unknown")
        return bool(lost)

    def _remember(self, entries: Mapping[Link, Entry | None]) -> None:
        if not self.dry:
            self.ledger.write(entries)
        for link, e in entries.items():
            if e is None:
                self.entries.pop(link, None)
            else:
                self.entries[link] = e

    # --- names and notes ----------------------------------------------------------------------------------

    def find(self, links: Iterable[Link]) -> dict[Link, Resource]:
        """What the server holds of these.

        :raises Doubled: it holds one of them twice
        """
        return self.finder.only(links, self.subject)

    def call(self, link: Link, x: Resource) -> None:
        """Learn what the server calls a resource of ours."""
        if not isinstance(x.get("id"), str):
            raise Refused(f"{told(link)}: the server gave a resource without an id")
        self._call(link, x["id"])

    def _call(self, link: Link, logical: str) -> None:
        theirs = f"{link.kind}/{logical}"
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
        before = self.result.outcomes.get(link)
        if outcome in ("unchanged", "changed") and before in ("created", "changed"):
            return
        self.result.outcomes[link] = outcome

    def remark(self, link: Link, kind: str, text: str, path: str = "") -> None:
        remark = Remark(link, kind, text, path)
        if remark not in self.result.remarks:
            self.result.remarks.append(remark)


UNGUARDED: Final = "unguarded"
"""The step of a create that the server would do twice."""
LATE: Final = timedelta(minutes=5)
"""After so long no request is under way any more: what is not there by then, never arrived."""


def _long_ago(e: Entry) -> bool:
    return bool(e.at) and datetime.now(UTC) - datetime.fromisoformat(e.at) > LATE


def _element(path: str) -> str:
    """The element that a path is in: ``$.name[0].family`` → ``$.name``."""
    return "$." + path[2:].split(".")[0].split("[")[0]


def _listed(links: Sequence[Link]) -> str:
    shown = ", ".join(told(link) for link in links[:3])
    return shown + (f" and {len(links) - 3} more" if len(links) > 3 else "")

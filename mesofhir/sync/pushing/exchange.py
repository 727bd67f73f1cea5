"""One history and one server: who is called what there, and the carrying out of what was decided.

What is to be done is decided by those who use it: :mod:`mesofhir.sync.pushing.bring` and
:mod:`mesofhir.sync.pushing.withdraw`. What the server calls each resource and what became of it stands in
:mod:`mesofhir.sync.pushing.notes`, what was sent and what came of it in :mod:`mesofhir.sync.pushing.journal`. A dry run
stops before anything is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.errors import MesofhirError, UnknownOutcome
from mesofhir.fhir.picture import changes
from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.server import Server, Settled
from mesofhir.sync.deciding.decision import Decision, Judge, blocked
from mesofhir.sync.deciding.merge import Verdict
from mesofhir.sync.ledger.ledger import Entry, Ledger
from mesofhir.sync.planning.parts import Limits
from mesofhir.sync.planning.plan import PEOPLE, Plan
from mesofhir.sync.pushing.journal import LedgerJournal
from mesofhir.sync.pushing.notes import Notes
from mesofhir.sync.report import Outcome, Result
from mesofhir.sync.sending.delivery import Delivery
from mesofhir.sync.sending.finder import Finder
from mesofhir.sync.sending.unguarded import written_over
from mesofhir.sync.sending.writes import Sent, stops
from mesofhir.sync.theirs.people import People

Resource = dict[str, Any]
_WRITTEN_OVER: Final = (
    "somebody changed it between our reading and our writing, and the server did not heed If-Match: their version {} "
    "was written over. It stands in the history of the resource, for a person to look at"
)


@dataclass
class Exchange:
    """What one history needs to be brought to a server, or to be withdrawn there.

    :param plan: how each type goes to this server
    :param made: its resources
    :param people: the people of the run, settled
    :param ledger: what is known of the server
    :param side: who is right in a conflict; None: it is left
    :param dry: decide, and send nothing
    :param pause: waits for some seconds
    :ivar persons: what the ledger is to know of the people
    """

    server: Server
    clinic: Clinic
    plan: Plan
    made: list[Made]
    people: People
    finder: Finder
    result: Result
    ledger: Ledger
    limits: Limits = field(default_factory=Limits)
    side: Verdict | None = None
    dry: bool = False
    pause: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        self.notes = Notes(self.clinic, self.made, self.result)
        self.journal = LedgerJournal(self.server, self.ledger, self.finder, self.made, self.notes, self.dry)
        self.persons: dict[Link, Entry] = {}
        names, ours = self.notes.names, self.notes.ours
        self.judge = Judge(self.clinic, self.ledger.tokens, self.side, names, ours)
        how = (self.server, self.clinic, self.plan, self.finder)
        self.delivery = Delivery(*how, self.journal, "", names, ours, self.limits, self.pause)
        for m in self.made:
            m.world.targets = self.notes.targets

    # --- who is called what -------------------------------------------------------------------------------

    def name_people(self, *, needed: bool = True) -> None:
        """:raises PersonNotSettled: somebody who is needed was not found; what became of the others is noted
        :raises UnknownOutcome: nobody knows whether somebody was made
        """
        unsettled: list[MesofhirError] = []
        for m in self.made:
            if m.link.kind not in PEOPLE:
                continue
            try:
                theirs = self.people.of(m.link, needed=needed)
            except MesofhirError as error:
                if isinstance(error, UnknownOutcome):
                    self.notes.note(m.link, "unknown")
                unsettled.append(error)
                continue
            if theirs is None:
                instead: Outcome = "named" if needed else "absent"
                if not unsettled or m.link in self.people.wanted:
                    self.notes.note(m.link, "created" if m.link in self.people.wanted else instead)
                if needed and m.link == self.notes.patient and m.link not in self.people.wanted:
                    why = f"{self.plan.patientless}; the file says by identifier who it is"
                    self.notes.remark(m.link, "named", why)
                continue
            self.notes.call(m.link, theirs)
            self.notes.note(m.link, self.people.became(m.link))
            self.persons[m.link] = Entry("unchanged", str(theirs["id"]), patient=self.journal.whose)
            if needed:
                self.compare_theirs(m, theirs)
        if unsettled:
            raise max(unsettled, key=lambda error: error.exit_code)
        self.delivery.subject = self.notes.subject
        self.journal.entries = self.ledger.known(self.persons)

    def compare_theirs(self, m: Made, theirs: Resource) -> None:
        """What belongs to the EHR is not written; where it says something else, that is told."""
        for path in sorted({_element(p) for p in changes(theirs, m.over(theirs)[0])} - {"$.text"}):
            self.notes.remark(m.link, "differs", "differs from the clinic's; it belongs to the EHR and was left", path)

    def find(self, links: Iterable[Link]) -> dict[Link, Resource]:
        """What the server holds of these: as a search finds it, and by its id what the ledger knows and no search
        shows: there may be none, or an index that is behind, or it carries our identifier no longer.

        :raises Doubled: it holds one of them twice
        """
        links, known = list(links), self.journal.entries
        found = self.finder.only(links, self.notes.subject)
        hidden = [link for link in links if link in known and link not in found and self.finder.shows(link.kind)]
        named = {link: self.journal.current(link, known[link].id) for link in hidden}
        return found | {link: x for link, x in named.items() if x}

    # --- change -------------------------------------------------------------------------------------------

    def apply(self, decisions: Sequence[Decision]) -> bool:
        """Carry out what was decided; a dry run only notes it.

        :returns: False if somebody else was faster with some of it
        :raises UnknownOutcome: an answer was lost, and what was sent is not there (yet)
        """
        decisions = [self._allowed(d) for d in decisions]
        for d in decisions:
            if d.write is None or self.dry:
                self.notes.tell(d)
        self.journal.agree(decisions)
        waiting = {} if self.dry else {d.link: d for d in decisions if d.write is not None}
        while waiting:
            sent = self.deliver(list(waiting.values()))
            self.journal.find_lost([s.write.link for s in sent if s.fate == "unknown"])
            for s in sent:
                if s.fate in ("updated", "unknown"):
                    self.notes.tell(_came_to(waiting[s.write.link], s))
                if s.fate == "updated" and s.version == s.write.version:
                    self.notes.remark(s.write.link, "server", "the server made no new version of what was changed")
                if s.fate == "updated" and (theirs := written_over(self.server, self.plan.of(s.write.link.kind), s)):
                    self.finder.unheeding.add(s.write.link.kind)
                    self.notes.remark(s.write.link, "conflict", _WRITTEN_OVER.format(theirs))
            if any(s.fate == "stale" for s in sent):
                return False
            waiting = {s.write.link: waiting[s.write.link] for s in sent if s.fate == "untried"}
        return True

    def _allowed(self, d: Decision) -> Decision:
        """A change that the server does not take is none."""
        update = self.plan.of(d.link.kind).update
        if d.link.kind in self.finder.unheeding:
            update = Settled(False, "it was seen to heed no If-Match")
        if d.write is None or update:
            return d
        return blocked(d.link, f"the server takes no changes of a {d.link.kind} ({update.by})")

    def deliver(self, decisions: Sequence[Decision]) -> list[Sent]:
        """:raises NotAllDone: the server does not take something"""
        self.journal.sought |= {d.link: d for d in decisions}
        sent = self.delivery.deliver([d.write for d in decisions if d.write is not None])
        refused = [(s, s.error) for s in sent if s.fate == "refused" and s.error is not None]
        for s, _ in refused:
            self.notes.refused(s)
        for s, error in refused:
            if stops(s):
                raise error
            self.notes.remark(s.write.link, "refused", str(error))
        return sent


def _came_to(d: Decision, s: Sent) -> Decision:
    """What was decided, or what a server has made of it that undoes a withdrawal."""
    if d.outcome == "withdrawn" and s.resource is not None and not is_withdrawn(s.resource):
        return blocked(d.link, "the server has taken the withdrawal, and what it holds is in force still")
    return d


def _element(path: str) -> str:
    """The element that a path is in: ``$.name[0].family`` → ``$.name``."""
    return "$." + path[2:].split(".")[0].split("[")[0]

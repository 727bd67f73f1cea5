"""The journal of one history: what the ledger knows of it, and each write entered before it is sent and after.

What was sent and never answered is settled here, by looking: a lost answer is never followed by sending again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mesofhir.errors import UnknownOutcome
from mesofhir.fhir.references import literals
from mesofhir.mapping import Link, Made
from mesofhir.server import Server
from mesofhir.sync.deciding.change import is_taken_back
from mesofhir.sync.deciding.decision import MADE, MARKS, NOW, Decision
from mesofhir.sync.deciding.former import said
from mesofhir.sync.deciding.merge import Tokens, same
from mesofhir.sync.ledger.ledger import OPEN, Entry, Ledger, settled, undone
from mesofhir.sync.pushing.notes import Notes
from mesofhir.sync.sending.finder import Finder
from mesofhir.sync.sending.writes import Sent, Write, version_of

Resource = dict[str, Any]

UNGUARDED: Final = "unguarded"
"""The step of a create that the server would do twice."""
LATE: Final = timedelta(minutes=5)
"""After so long no request is under way any more: what is not there by then, never arrived."""


@dataclass
class LedgerJournal:
    """The journal (:class:`mesofhir.sync.sending.writes.Journal`) that is kept in the ledger.

    :param made: the resources of the history
    :param notes: what became of them is noted there too
    :param dry: nothing is written to the ledger
    :ivar entries: what is known of them
    :ivar sought: the decisions that are being sent
    :ivar versions: the version of each that was read
    :ivar going: what we call the resources that are to be on the server
    :ivar whose: the patient, as the ledger calls them
    """

    server: Server
    ledger: Ledger
    finder: Finder
    made: Sequence[Made]
    notes: Notes
    dry: bool = False
    entries: dict[Link, Entry] = field(default_factory=dict)
    sought: dict[Link, Decision] = field(default_factory=dict)
    versions: dict[Link, str] = field(default_factory=dict)
    going: Set[str] = frozenset()

    def __post_init__(self) -> None:
        self.whose = self.ledger.record(self.notes.patient.table, self.notes.patient.key)
        self._of = {m.link: m for m in self.made}

    # --- what is known ------------------------------------------------------------------------------------

    def base(self, link: Link) -> Tokens | None:
        """What both sides said when they last met; None if nobody knows."""
        e = self.entries.get(link)
        return None if e is None or e.base is None else {name: t for name, t in e.base.items() if name != NOW}

    def trusted(self) -> bool:
        """Is the server the one that the ledger knows? Its patients say so."""
        known, subject = self.entries.get(self.notes.patient), self.notes.subject
        return known is not None and bool(subject) and known.id == subject.partition("/")[2]

    def current(self, link: Link, logical: str) -> Resource | None:
        """What stands on the server under an id; None if there is nothing, or no id."""
        return self.finder.current(link, logical, self.notes.subject) if logical else None

    def recall(self, links: Iterable[Link], *, guarded: bool = True) -> list[Link]:
        """What the ledger knows; of what was sent and never answered, what became of it.

        :param guarded: what is done next does no harm if a create of before arrives after it
        :returns: those of which nobody can tell: see :meth:`doubt`
        """
        links = list(links)
        self.going = frozenset(self.notes.handles[link] for link in links if link in self.notes.handles)
        self.entries |= self.ledger.known(links)
        return self.settle([link for link, e in self.entries.items() if e.state in OPEN], guarded=guarded)

    def doubt(self, lost: Sequence[Link]) -> UnknownOutcome:
        """Note that nobody can tell of these; the error that says so, to be raised."""
        return self.notes.lost(
            lost, f"nobody can tell yet whether it arrived: push again in {LATE.seconds // 60} minutes, or see "
            "`mesofhir ledger resolve`"
        )  # fmt: skip

    def settle(self, links: Iterable[Link], *, again: bool = True, guarded: bool = True) -> list[Link]:
        """Look for what was sent and never answered.

        :param again: whatever is not there may be sent again, where the request was one that cannot double it
        :param guarded: see :meth:`recall`
        :returns: those of which nobody can tell
        """
        links, out = list(links), []
        unnamed = [link for link in links if not self.entries[link].id]
        found = self.finder.only(unnamed, self.notes.subject) if links else {}
        now: dict[Link, Entry | None] = {}
        for link in links:
            e = self.entries[link]
            x = self.current(link, e.id) if e.id else found.get(link)
            if x is not None and self._says(link, x, e):
                now[link] = settled(e, "done", id=str(x["id"]), version=version_of(x), base=_proven(e))
            elif x is not None and not e.id:  # it is there, and says something else by now
                now[link] = settled(e, "done", id=str(x["id"]), version=version_of(x))
            elif again and (e.id or (guarded and e.step != UNGUARDED) or _long_ago(e)):
                now[link] = undone(e) if e.id else None
            else:
                out.append(link)
        self.remember(now)
        return out

    def _says(self, link: Link, x: Resource, e: Entry) -> bool:
        """Does it say what was sent? A version that was there before says so by chance: of a key that is corrected,
        say, no value changes."""
        if e.id and version_of(x) == e.version:
            return False
        if e.method == "withdraw":
            return is_taken_back(x)
        m = self._of.get(link)
        then = None if m is None else said(x, m, link)
        theirs = {} if then is None else self.ledger.tokens(link, then.values)
        return e.sought is not None and same({n: t for n, t in e.sought.items() if t and n not in MARKS}, theirs)

    def find_lost(self, lost: Sequence[Link]) -> dict[Link, Resource]:
        """After a lost answer: nothing is sent again.

        :returns: what is there and says something else than what was sent
        :raises UnknownOutcome: not everything is there
        """
        missing, others = self.settle(lost, again=False), {}
        for link in lost:
            if link not in missing:
                e = self.entries[link]
                self.notes.call_by_id(link, e.id)
                outcome = self.sought[link].outcome
                self.notes.note(link, "arrived" if outcome == "created" else outcome)
                if e.base is None and (x := self.current(link, e.id)):
                    others[link] = x
        if missing:
            raise self.notes.lost(missing, f"{len(missing)} of {len(lost)} resources are not there (yet)")
        return others

    def _met(self, link: Link, base: Tokens | None) -> Tokens | None:
        """What both sides say by now: not all that we would write, as long as it refers by identifier alone to what
        goes to the server and was refused there, say. So it is looked at again by the next push."""
        m, names = self._of.get(link), self.notes.names
        if m is None or base is None or names.keys() >= literals(m.resource) & self.going:
            return base
        return {name: t for name, t in base.items() if name != MADE}

    # --- of a delivery ------------------------------------------------------------------------------------

    def intend(self, writes: Sequence[Write], step: str, blind: Set[str]) -> None:
        """Into the ledger, before they are sent."""
        now: dict[Link, Entry | None] = {}
        for w in writes:
            d = self.sought[w.link]
            e = self.entries.get(w.link) or Entry("pending", patient=self.whose)
            guarded = step if w.method == "update" or w.link.kind not in blind else UNGUARDED
            method = "withdraw" if d.outcome == "withdrawn" else w.method
            now[w.link] = replace(
                e, state="pending", sought=d.base, method=method, step=guarded, id=w.id, version=w.version,
                patient=e.patient or self.whose,
            )  # fmt: skip
        self.remember(now)

    def record(self, sent: Sequence[Sent]) -> None:
        """Into the ledger, as soon as it is known."""
        now: dict[Link, Entry | None] = {}
        for s in sent:
            self._note(s)
            link, e = s.write.link, self.entries.get(s.write.link)
            logical = s.write.id or str((s.resource or {}).get("id", ""))
            known = e or Entry("pending", patient=self.whose)
            if s.fate in ("created", "updated"):
                base = self._met(link, self.sought[link].base)
                now[link] = settled(known, "done", id=logical, version=s.version, base=base)
            elif s.fate == "found":
                now[link] = settled(known, "done", id=logical, version=s.version)
            elif s.fate == "unknown":
                now[link] = replace(known, state="unknown")
            elif s.fate == "refused":
                now[link] = settled(known, "refused")
            elif e is not None:
                now[link] = undone(e) if e.id else None
        self.remember(now)

    def _note(self, s: Sent) -> None:
        link = s.write.link
        if s.resource is not None and s.write.method == "create":
            self.notes.call(link, s.resource)
        for issue in s.issues:
            if issue.severity != "information":
                self.notes.remark(link, "server", str(issue))
        if s.fate in ("created", "refused"):
            self.notes.note(link, s.fate)

    def unsettled(self) -> list[Link]:
        """What was sent, and of which it is noted nowhere what became of it: the ledger could not be written, say, or
        the server not be asked any more."""
        outcomes = self.notes.result.outcomes
        return [link for link, e in self.entries.items() if e.state in OPEN and link not in outcomes]

    # --- without one --------------------------------------------------------------------------------------

    def agree(self, decisions: Iterable[Decision]) -> None:
        """Nothing needs to be sent of these, and what both sides say is known."""
        done: dict[Link, Entry] = {}
        references = self.notes.result.references
        for d in decisions:
            if d.write is None and d.base is not None and references.get(d.link):
                logical, base = references[d.link].partition("/")[2], self._met(d.link, d.base)
                done[d.link] = Entry("unchanged", logical, self.versions.get(d.link, ""), self.whose, base)
        self.refresh(done)

    def refresh(self, entries: Mapping[Link, Entry]) -> None:
        """Remember what was not known so already."""
        self.remember({link: e for link, e in entries.items() if self.entries.get(link) != e})

    def looked(self, absent: Mapping[Link, Tokens]) -> None:
        """What is known to have stood there was looked for, and is not there any more.

        :param absent: with what the ledger is to hold of it now (:meth:`Judge.seen`)
        """
        known = {link: self.entries[link] for link in absent if link in self.entries}
        bases = {link: {**e.base, **absent[link]} for link, e in known.items() if e.base is not None}
        self.refresh({link: replace(known[link], base=base) for link, base in bases.items()})

    def adopt(self, patient: str) -> None:
        """What was known as another patient's is this one's.

        :raises LedgerFailed: it cannot be written
        """
        if not self.dry:
            self.ledger.adopt(patient, self.whose)
        theirs = {link: e for link, e in self.entries.items() if e.patient == patient}
        self.entries |= {link: replace(e, patient=self.whose) for link, e in theirs.items()}

    def forget(self, names: Iterable[tuple[str, str]]) -> None:
        """:raises LedgerFailed: it cannot be written"""
        if not self.dry:
            self.ledger.forget(names)

    def remember(self, entries: Mapping[Link, Entry | None]) -> None:
        """:raises LedgerFailed: it cannot be written"""
        if not self.dry:
            self.ledger.write(entries)
        for link, e in entries.items():
            if e is None:
                self.entries.pop(link, None)
            else:
                self.entries[link] = e


def _proven(e: Entry) -> Tokens | None:
    """What both sides say, when a change is seen to have arrived: the values. What follows from other records is
    looked at by the next push."""
    return e.sought if not e.id or e.sought is None else {n: t for n, t in e.sought.items() if n != MADE}


def _long_ago(e: Entry) -> bool:
    return bool(e.at) and datetime.now(UTC) - datetime.fromisoformat(e.at) > LATE

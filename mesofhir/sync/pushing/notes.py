"""What the server calls the resources of one history, whose they are, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from mesofhir.errors import NotAllDone, Refused, UnknownOutcome
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.clinic import tail
from mesofhir.sync.deciding.decision import Decision
from mesofhir.sync.planning.parts import name
from mesofhir.sync.planning.refusal import Refusal, why
from mesofhir.sync.report import Outcome, Remark, Result
from mesofhir.sync.sending.writes import NotTaken, Sent, few, told

Resource = dict[str, Any]


_STAYS: Final = {("created", "changed"), *((o, "unchanged") for o in ("created", "arrived", "changed"))}
"""What was noted, and what is noted by then that says less."""


class Moved(NotAllDone):
    """A key of ours belongs to another patient."""


class Notes:
    """The names and the notes of one history.

    :ivar handles: what we call each of its resources
    :ivar ours: all of these
    :ivar names: our handle → the server's name
    :ivar targets: the server's name → what it is of ours
    :ivar result: where the notes are kept
    """

    def __init__(self, clinic: Clinic, made: Iterable[Made], result: Result) -> None:
        self.clinic, self.result = clinic, result
        self.handles = {m.link: name(m) for m in made}
        self.ours = frozenset(self.handles.values())
        self.patient = next(link for link in self.handles if link.kind == "Patient")
        self.names: dict[str, str] = {}
        self.targets: dict[str, Link] = {}

    # --- names --------------------------------------------------------------------------------------------

    @property
    def subject(self) -> str:
        """What the server calls the patient (``Patient/id``); "" if that is not known."""
        return self.names.get(self.handles[self.patient], "")

    def call(self, link: Link, x: Resource) -> None:
        """Learn what the server calls a resource of ours.

        :raises Refused: it does not say
        """
        if not isinstance(x.get("id"), str):
            raise Refused(f"{told(link)}: the server gave a resource without an id")
        self.call_by_id(link, x["id"])

    def call_by_id(self, link: Link, logical: str) -> None:
        theirs = f"{link.kind}/{logical}"
        self.targets[theirs] = link
        self.result.references[link] = theirs
        if link in self.handles:
            self.names[self.handles[link]] = theirs

    def expect(self, link: Link) -> None:
        """What a dry run does not make is there for those who refer to it, by our own name: so they are seen to
        change."""
        self.names[self.handles[link]] = self.handles[link]
        self.targets[self.handles[link]] = link

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

    # --- notes --------------------------------------------------------------------------------------------

    def note(self, link: Link, outcome: Outcome) -> None:
        """Record what became of a resource; what was created stays created when it is compared again."""
        before = self.result.outcomes.get(link)
        if (before, outcome) in _STAYS:
            return
        self.result.outcomes[link] = outcome

    def remark(self, link: Link, kind: str, text: str, path: str = "") -> None:
        remark = Remark(link, kind, text, path)
        if remark not in self.result.remarks:
            self.result.remarks.append(remark)

    def refused(self, s: Sent) -> None:
        """Note what a refusal is about; that of a whole part, of those whom it may concern."""
        link, method = s.write.link, s.write.method
        concerned = s.error.links if isinstance(s.error, NotTaken) else [link]
        if isinstance(s.error, Refused) and link in concerned:
            self.result.refusals[link] = Refusal(link.kind, method, why(s.error, method))

    def tell(self, d: Decision) -> None:
        """Note a decision, as what became of the resource."""
        self.note(d.link, d.outcome)
        if d.fields:
            self.result.fields[d.link] = d.fields
        for r in d.remarks:
            self.remark(r.link, r.kind, r.text, r.path)

    def lost(self, links: Iterable[Link], why: str) -> UnknownOutcome:
        """Note that nobody knows what became of some; the error that says so, to be raised."""
        for link in links:
            self.note(link, "unknown")
        return UnknownOutcome(f"the answer to a write was lost, and {why}; look at it before pushing again")


def listed(links: Sequence[Link]) -> str:
    """Some resources of ours, as they are called in messages."""
    return few([told(link) for link in links])

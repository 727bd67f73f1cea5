"""What the server holds of a history: read by id where the ledger knows it, else found by offering it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, Final

from mesofhir.errors import NotAllDone
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.server import identifier_query
from mesofhir.sync.deciding.decision import Decision, Judge, blocked
from mesofhir.sync.deciding.merge import same
from mesofhir.sync.pushing.exchange import Exchange
from mesofhir.sync.pushing.notes import listed
from mesofhir.sync.sending.finder import NoSuchSearch
from mesofhir.sync.sending.writes import Write

FEW: Final = 3
"""As many resources are read one by one; more are searched for together."""
Resource = dict[str, Any]
Held = tuple[Made, Resource]


class Gone(NotAllDone):
    """What we put there was deleted."""


def read(exchange: Exchange, items: Sequence[Made]) -> list[Held]:
    """What the ledger knows, as it stands on the server now, unless all that we state is known to be there.

    :raises Gone: it was deleted
    :raises Moved: it belongs to another patient
    """
    notes, journal = exchange.notes, exchange.journal
    wanted = _not_known_to_stand(exchange, items)
    found = exchange.finder.of(wanted, notes.subject) if len(wanted) > FEW else {}
    held: list[Held] = []
    gone = []
    for link, m in wanted.items():
        if not exchange.finder.shows(link.kind):
            notes.tell(unseen(link))
            continue
        logical = journal.entries[link].id
        x = next((x for x in found.get(link, ()) if x.get("id") == logical), None) or journal.current(link, logical)
        if x is None or x.get("resourceType") != link.kind:
            gone.append(link)
        else:
            held.append((m, x))
    if gone:
        for link in gone:
            notes.note(link, "blocked")
        raise Gone(
            f"{listed(gone)}: deleted on the server since, or the server is another one than it was; it is not "
            "brought back. `mesofhir ledger resolve` forgets what is to be made anew"
        )
    for m, x in held:
        notes.check_subject(m.link, exchange.judge.keys(x))
    return held


def _not_known_to_stand(exchange: Exchange, items: Sequence[Made]) -> dict[Link, Made]:
    """What the ledger knows by its id, and does not know to say what we state."""
    notes, journal = exchange.notes, exchange.journal
    wanted = {}
    for m in items:
        e = journal.entries.get(m.link)
        if e is None:
            continue
        if e.id:
            notes.call_by_id(m.link, e.id)
        if _stands(exchange, m):
            notes.note(m.link, "unchanged")
        elif e.id:
            wanted[m.link] = m
    return wanted


def _stands(exchange: Exchange, m: Made) -> bool:
    """Does the ledger know that all that we state is there? Also of what a server has made and given no name."""
    e = exchange.journal.entries.get(m.link)
    return e is not None and e.stands and exchange.journal.trusted() and same(exchange.judge.known(m), e.base)


def unseen(link: Link) -> Decision:
    """What is there, and cannot be looked at."""
    return blocked(link, f"it is there, and the server shows nothing of type {link.kind}: nobody can tell what it says")


def offer(exchange: Exchange, items: Sequence[Made], anew: Set[Link]) -> list[Held]:
    """Create what the server lacks.

    :param anew: what a dry run need not look for: it would be made anew for this patient
    :returns: what it had already
    :raises Moved: it belongs to another patient
    """
    notes, journal = exchange.notes, exchange.journal
    held: list[Held] = []
    known = {link for link, e in journal.entries.items() if e.id}
    waiting = {m.link: m for m in items if m.link not in known and not _stands(exchange, m)}
    if exchange.dry:
        found, hidden = _looked_for(exchange, waiting.keys() - anew)
        held = [(waiting[link], x) for link, x in found.items()]
        for link in waiting.keys() - found.keys():
            _foretell(exchange, link, hidden)
        waiting = {}
    while waiting:
        sent = exchange.deliver([_create(m, exchange.clinic, exchange.judge) for m in waiting.values()])
        others = journal.find_lost([s.write.link for s in sent if s.fate == "unknown"])
        held += [(waiting[link], x) for link, x in others.items()]
        met = [s for s in sent if s.fate == "found"]
        held += [(waiting[s.write.link], s.resource) for s in met if s.resource is not None]
        for s in met:
            if s.resource is None:
                notes.tell(unseen(s.write.link))
        waiting = {s.write.link: waiting[s.write.link] for s in sent if s.fate == "untried"}
    for m, x in held:
        notes.call(m.link, x)
        notes.check_subject(m.link, exchange.judge.keys(x))
    return held


def _looked_for(exchange: Exchange, links: Set[Link]) -> tuple[dict[Link, Resource], set[str]]:
    """What a dry run finds; and the types that a server cannot be searched for without a patient, of one who is not
    there yet: a push has made that patient by then."""
    if exchange.notes.subject:
        return exchange.find(links), set()
    found: dict[Link, Resource] = {}
    hidden: set[str] = set()
    for kind in sorted({link.kind for link in links}):
        try:
            found |= exchange.find({link for link in links if link.kind == kind})
        except NoSuchSearch:
            hidden.add(kind)
    return found, hidden


def _foretell(exchange: Exchange, link: Link, hidden: Set[str]) -> None:
    """What a push would do about what a search has not found, or could not look for."""
    notes, finder = exchange.notes, exchange.finder
    if link in exchange.journal.entries and not finder.shows(link.kind):
        notes.tell(unseen(link))
        return
    notes.note(link, "created")
    notes.expect(link)
    if link.kind in hidden or not finder.searches(link.kind):
        lacking = f"no search of {link.kind}" + (" without a patient" if link.kind in hidden else "")
        why = f"if it is not there: the server offers {lacking}, and only the push will tell"
        notes.remark(link, "created", why)


def _create(m: Made, clinic: Clinic, judge: Judge) -> Decision:
    condition = identifier_query(clinic.system(m.link.table), m.link.key)
    return Decision(m.link, "created", Write(m.link, "create", m.resource, condition), judge.known(m))

"""What the server holds of a history: read by id where the ledger knows it, else found by offering it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, Final

from mesofhir.errors import NotAllDone
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.server import identifier_query
from mesofhir.sync.decision import Decision, Judge
from mesofhir.sync.delivery import Write
from mesofhir.sync.exchange import Exchange
from mesofhir.sync.merge import same
from mesofhir.sync.notes import listed

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
    wanted, trusted = {}, journal.trusted()
    for m in items:
        e = journal.entries.get(m.link)
        if e is None or not e.id:
            continue
        notes.call_by_id(m.link, e.id)
        stands = e.state in ("done", "unchanged") and e.method != "withdraw"
        if trusted and stands and same(exchange.judge.known(m), e.base):
            notes.note(m.link, "unchanged")
        else:
            wanted[m.link] = m
    return wanted


def offer(exchange: Exchange, items: Sequence[Made], anew: Set[Link]) -> list[Held]:
    """Create what the server lacks.

    :param anew: what a dry run need not look for: it would be made anew for this patient
    :returns: what it had already
    :raises Moved: it belongs to another patient
    """
    notes, journal = exchange.notes, exchange.journal
    held: list[Held] = []
    waiting = {m.link: m for m in items if not (m.link in journal.entries and journal.entries[m.link].id)}
    if exchange.dry:
        found = exchange.find(waiting.keys() - anew)
        held = [(waiting[link], x) for link, x in found.items()]
        for link in waiting.keys() - found.keys():
            notes.note(link, "created")
        waiting = {}
    while waiting:
        sent = exchange.deliver([_create(m, exchange.clinic, exchange.judge) for m in waiting.values()])
        others = journal.find_lost([s.write.link for s in sent if s.fate == "unknown"])
        held += [(waiting[link], x) for link, x in others.items()]
        held += [(waiting[s.write.link], s.resource) for s in sent if s.fate == "found" and s.resource is not None]
        waiting = {s.write.link: waiting[s.write.link] for s in sent if s.fate == "untried"}
    for m, x in held:
        notes.call(m.link, x)
        notes.check_subject(m.link, exchange.judge.keys(x))
    return held


def _create(m: Made, clinic: Clinic, judge: Judge) -> Decision:
    condition = identifier_query(clinic.system(m.link.table), m.link.key)
    return Decision(m.link, "created", Write(m.link, "create", m.resource, condition), judge.known(m))

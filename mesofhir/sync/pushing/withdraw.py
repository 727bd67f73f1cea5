"""Withdrawal: what was put on a server is marked ``entered-in-error``; nothing is ever deleted."""

from __future__ import annotations

from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.mapping import Link
from mesofhir.sync.deciding.change import taken_back
from mesofhir.sync.deciding.decision import blocked
from mesofhir.sync.deciding.former import all_kinds
from mesofhir.sync.planning.plan import DOCUMENT, PEOPLE, Step
from mesofhir.sync.pushing.exchange import Exchange
from mesofhir.sync.sending.writes import TRIES, Contended, wait


def withdraw(exchange: Exchange) -> None:
    """Mark all resources of a history that are on the server; people stay as they are.

    :raises NotAllDone: others kept changing the same resources, or one of them belongs to another patient
    :raises UnknownOutcome: something was sent a moment ago and is not there: it may still arrive
    """
    notes, journal = exchange.notes, exchange.journal
    exchange.name_people(needed=False)
    ours = {m.link for m in exchange.made if m.link.kind not in PEOPLE}
    summaries = [m.link for m in exchange.made if m.link.kind == DOCUMENT]
    links = [*all_kinds(exchange.made, exchange.clinic), *summaries]
    late = journal.recall(links, guarded=False)  # what was sent and is not there may yet come, and be in force
    for attempt in range(TRIES):
        wait(exchange.pause, attempt)
        found = exchange.find(links)
        for link in ours - found.keys():
            _absent(exchange, link)
        standing = {}
        for link, x in found.items():
            if exchange.clinic.link_of(x) != link:
                notes.tell(blocked(link, "no longer carries our identifier"))
                continue
            notes.check_subject(link, x)
            notes.call(link, x)
            if is_withdrawn(x):
                notes.note(link, "unchanged")
            else:
                standing[link] = x
        judge = exchange.judge
        if exchange.apply([judge.withdrawal(link, x, journal.base(link), taken_back) for link, x in standing.items()]):
            if late:
                raise journal.doubt(late)
            return
    raise Contended("others changed the resources that were to be withdrawn all the time; withdraw again")


def _absent(exchange: Exchange, link: Link) -> None:
    """What was not found is not there, if it could be looked for."""
    if exchange.plan.of(link.kind).step is Step.FILES:
        why = "what went into a file is not taken back by a push: tell whoever has loaded it"
        exchange.notes.tell(blocked(link, why))
        return
    e = exchange.journal.entries.get(link)
    hidden = not exchange.finder.searches(link.kind) and not (e and e.id and exchange.finder.shows(link.kind))
    if hidden and (e or exchange.plan.of(link.kind).step.itself):
        why = f"the server offers no search of {link.kind}: nobody can tell whether it is there, to be withdrawn"
        exchange.notes.tell(blocked(link, why))
    else:
        exchange.notes.note(link, "absent")

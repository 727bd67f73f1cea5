"""One history to one server: look, decide, deliver, remember.

What the ledger knows to be equal costs no request. What it knows by id is read (a conditional create would make a
second one after an EHR's DELETE); what it does not know is offered by a conditional create: "create this, or give me
what you have". What stands there is merged (:mod:`mesofhir.sync.deciding.decision`), and only differences are
sent, by id and only if nobody else changed it meanwhile. An answer that was lost is never followed by sending again,
but by looking. A dry run looks by searches and stops before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from mesofhir.mapping import Link, Made
from mesofhir.sync.deciding.change import carries, given_up, is_given_up
from mesofhir.sync.deciding.former import all_kinds
from mesofhir.sync.planning.parts import in_order
from mesofhir.sync.planning.plan import DOCUMENT, PEOPLE, Step
from mesofhir.sync.pushing.decisions import decisions
from mesofhir.sync.pushing.exchange import Exchange
from mesofhir.sync.pushing.fallen import Fall
from mesofhir.sync.pushing.look import Gone, offer, read
from mesofhir.sync.pushing.notes import Moved, Notes, listed
from mesofhir.sync.pushing.rekeyed import keys
from mesofhir.sync.report import DONE
from mesofhir.sync.sending.writes import TRIES, Contended, told, wait
from mesofhir.sync.theirs.reconcile import Reconciliation, Verdict


def bring(
    exchange: Exchange,
    others: Reconciliation,
    falls: Mapping[Link, Fall],
    *,
    moves: bool = False,
    rekeyed: bool | None = None,
) -> None:
    """Bring a history to the server.

    :param others: what the EHR has of its own
    :param falls: what the server does not take as itself
    :param moves: may records go to another patient?
    :param rekeyed: did keys of records change? None: nobody said
    :raises NotAllDone: (and what the server room raises) the history was stopped
    """
    exchange.name_people()
    own = [m for m in exchange.made if m.link.kind not in PEOPLE and m.link not in falls]
    items = in_order(own)
    items = _heeding(exchange, items, others.verdicts(exchange.notes.subject, items))
    maybe = all_kinds(exchange.made, exchange.clinic)
    if lost := exchange.journal.recall(dict.fromkeys([*(m.link for m in items), *maybe])):
        raise exchange.journal.doubt(lost)
    renamed = keys(exchange, items, rekeyed)
    exchange.judge.keys = renamed.over
    items = _heeding(exchange, items, others.on_none_known(exchange.notes.subject, own, renamed.over))
    anew = _move(exchange, items, moves=moves)
    for attempt in range(TRIES):
        wait(exchange.pause, attempt)
        held = [*read(exchange, items), *offer(exchange, items, anew)]
        if exchange.apply(decisions(exchange, held, anew)):
            exchange.journal.refresh(exchange.persons)
            exchange.journal.forget(renamed.old)
            _tell(falls, exchange.notes)
            return
    raise Contended("others changed the same resources all the time; push again")


def _heeding(exchange: Exchange, items: list[Made], verdicts: Mapping[Link, Verdict]) -> list[Made]:
    """What goes, in view of what the EHR has; what it has under another identity is referred to, not doubled."""
    notes = exchange.notes
    for m in items:
        if verdict := verdicts.get(m.link):
            notes.remark(m.link, verdict.outcome or "beside", verdict.reason)
            if verdict.outcome:
                notes.note(m.link, verdict.outcome)
            if verdict.theirs is not None:
                notes.call(m.link, verdict.theirs)
                exchange.compare_theirs(m, verdict.theirs)
    return [m for m in items if m.link not in verdicts or verdicts[m.link].outcome is None]


def _move(exchange: Exchange, items: list[Made], *, moves: bool) -> set[Link]:
    """Records that the ledger knows as another patient's: what stands there is taken back, and made anew.

    :returns: what a dry run leaves there that a push would make anew
    :raises Moved: nobody said that they moved
    """
    notes, journal, clinic = exchange.notes, exchange.journal, exchange.clinic
    records = {(m.link.table, m.link.key) for m in items}
    known = {link: e for link, e in journal.entries.items() if (link.table, link.key) in records}
    moved = {link: e for link, e in known.items() if e.id and e.patient != journal.whose}
    if moved and not moves:
        for link in moved:
            notes.note(link, "blocked")
        raise Moved(
            f"{listed(list(moved))}: pushed before as another patient's; nothing of it was changed. A key is one "
            "in all the namespace; if the record was entered for the wrong patient, push it with --moved"
        )
    anew = set()
    for link, e in moved.items():
        x = journal.current(link, e.id)
        if x is None or not (is_given_up(x, link, clinic) or carries(x, link, clinic)):
            raise Gone(f"{told(link)}: {link.kind}/{e.id} is not on the server any more, or no longer ours")
        notes.remark(link, "moved", f"was another patient's: {link.kind}/{e.id} is marked entered-in-error")
        if not is_given_up(x, link, clinic):  # a run that was cut off had come so far
            decision = exchange.judge.withdrawal(link, x, e.base, partial(given_up, link=link, clinic=clinic))
            if not exchange.apply([decision]):
                raise Contended(f"{told(link)}: others changed it meanwhile; push again")
            if notes.result.outcomes[link] != "withdrawn":
                raise Moved(f"{told(link)}: {link.kind}/{e.id} is another patient's, and could not be taken back there")
            anew |= {link} if exchange.dry else set()
        journal.remember({link: None})
    return anew


def _tell(falls: Mapping[Link, Fall], notes: Notes) -> None:
    """A summary that is not there stands for nothing."""
    stands = all(o in DONE for link, o in notes.result.outcomes.items() if link.kind == DOCUMENT)
    for link, fall in falls.items():
        lost = fall.step is Step.DOCUMENT and not stands
        notes.note(link, "untaken" if lost else fall.outcome)
        notes.remark(link, "untaken" if lost else fall.outcome, fall.why)

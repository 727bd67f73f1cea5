"""What is to become of all that a server holds of a history: each judged by
:mod:`mesofhir.sync.deciding.decision`, with the base that the ledger or the server's own history gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Final

from mesofhir.errors import Refused
from mesofhir.fhir.references import references
from mesofhir.mapping import Link, Made
from mesofhir.server import Server
from mesofhir.sync.deciding.change import no_longer
from mesofhir.sync.deciding.decision import Decision, blocked
from mesofhir.sync.deciding.former import said, still, suspects
from mesofhir.sync.pushing.exchange import Exchange
from mesofhir.sync.pushing.look import Held
from mesofhir.sync.report import Remark
from mesofhir.sync.sending.writes import version_of

MOST_VERSIONS: Final = 50
"""How far back the history of a resource is read for a version that is proven to be ours."""
Resource = dict[str, Any]


def decisions(exchange: Exchange, held: Sequence[Held], anew: Set[Link]) -> list[Decision]:
    """What is to become of all that the server holds.

    :param anew: what a dry run leaves there as another patient's
    :raises Moved: what a record was before belongs to another patient
    """
    decided = {m.link: _decide(exchange, m, x) for m, x in held}
    formers = list(_formers(exchange, {link for link, d in decided.items() if d.write}, anew))
    gone = frozenset(f"{d.link.kind}/{d.write.id}" for d in formers if d.outcome == "withdrawn" and d.write)
    for m, x in held if gone else ():  # what we have written does not refer to it any more
        if any(exchange.judge.leads_to(gone, r) for r in references(x)):
            decided[m.link] = _decide(exchange, m, x, gone)
    return [*decided.values(), *formers]


def _decide(exchange: Exchange, m: Made, x: Resource, gone: Set[str] = frozenset()) -> Decision:
    judge, journal = exchange.judge, exchange.journal
    journal.versions[m.link] = version_of(x)
    known = journal.base(m.link)
    base = known if known is not None else judge.proof(m, [x])
    decision = judge.decide(m, x, base, gone)
    if decision.baseless:
        base = judge.proof(m, _versions(exchange.server, m.link, str(x["id"])))
        if base is not None:
            decision = judge.decide(m, x, base, gone)
    return decision


def _versions(server: Server, link: Link, logical: str) -> Iterator[Resource]:
    """What it was, newest first, as far as the server tells."""
    try:
        for v in islice(server.history(link.kind, logical), MOST_VERSIONS):
            if v.resource is not None:
                yield v.resource
    except Refused:
        return


def _unseen(exchange: Exchange) -> set[Link]:
    """What the ledger knows to stand of what records of this history were before, and that was not looked at since
    they became what they are: the push was cut off in between, say."""
    of = {(m.link.table, m.link.key): m for m in exchange.made}
    made, known = {m.link for m in exchange.made}, exchange.journal.entries
    was = {link: e for link, e in known.items() if link not in made and (link.table, link.key) in of and e.there}
    seen = {link: exchange.judge.seen(of[link.table, link.key], link) for link in was}
    return {link for link, e in was.items() if not seen[link].items() <= (e.base or {}).items()}


def _formers(exchange: Exchange, changed: Set[Link], anew: Set[Link]) -> Iterator[Decision]:
    """Changes to what records of this history were before, and are no longer."""
    notes, journal, clinic = exchange.notes, exchange.journal, exchange.clinic
    created = {link for link, outcome in exchange.result.outcomes.items() if outcome in ("created", "arrived")}
    records = {(m.link.table, m.link.key): m for m in exchange.made}
    maybe = suspects(exchange.made, created, changed, _unseen(exchange), clinic)
    links = [link for link in maybe if exchange.plan.of(link.kind).step.itself and link not in anew]
    found = exchange.find(links)
    absent = [link for link in links if link not in found]
    journal.looked({link: exchange.judge.seen(records[link.table, link.key], link) for link in absent})
    for link, x in found.items():
        m = records[link.table, link.key]
        keyed = exchange.judge.keys(x)
        if clinic.link_of(keyed) != link:
            yield blocked(link, "no longer carries our identifier")
            continue
        notes.check_subject(link, keyed)
        notes.call(link, x)
        then = said(keyed, m, link)
        if then is None:
            yield blocked(link, "stands on the server in a form that is not ours")
        elif now := still(then.row, m, link):
            decision = _decide(exchange, now, x)
            if decision.outcome in ("changed", "unchanged"):
                decision = replace(decision, base={**(decision.base or {}), **exchange.judge.seen(m, link)})
            if decision.outcome == "unchanged":
                journal.agree([decision])
            else:
                yield decision
        else:
            make = partial(no_longer, link=link, clinic=clinic)
            why = f"the record is no {link.kind} any more; what it was is marked entered-in-error"
            decision = exchange.judge.withdrawal(link, x, journal.base(link), make)
            yield replace(decision, remarks=(Remark(link, "withdrawn", why),)) if decision.write else decision

"""What nobody knows the outcome of: looked for on the server, settled where that proves it, else asked of a person.

The ledger has only hashes of keys, so a source gives them their names back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from mesofhir.errors import Refused
from mesofhir.formats import Item
from mesofhir.mapping import Clinic, Link
from mesofhir.server import Server
from mesofhir.sync.deciding.former import all_kinds
from mesofhir.sync.ledger.ledger import OPEN, Entry, Ledger, undone
from mesofhir.sync.planning.plan import PEOPLE, Plan
from mesofhir.sync.pushing.exchange import Exchange
from mesofhir.sync.report import Result
from mesofhir.sync.sending.finder import Finder
from mesofhir.sync.theirs.people import People

Answer = Literal["forget", "keep"]
"""``forget``: the next push takes it as never sent, or as never been there; ``keep``: it stays unknown."""


@dataclass(frozen=True)
class Question:
    """A resource of which only a person can say what became of it.

    :param what: in words
    """

    link: Link
    entry: Entry
    what: str


@dataclass(frozen=True)
class Settled:
    """What became of one of them.

    :param how: ``there`` (it says what was sent, or something else by now), ``not there`` (it can be sent again),
        ``forgotten``, ``kept``
    """

    link: Link
    how: Literal["there", "not there", "forgotten", "kept"]


def resolve(
    items: Iterable[Item],
    server: Server,
    clinic: Clinic,
    ledger: Ledger,
    ask: Callable[[Question], Answer],
    *,
    gone: bool = False,
) -> Iterator[Settled]:
    """Settle what is pending or unknown of the records of a source; see :class:`Settled`.

    :param gone: look also for all that is known as done, and ask of what was deleted on the server
    """
    plan, finder = Plan(server.abilities()), Finder(server, clinic)
    people = People(server, clinic, plan)
    for item in items:
        if item.history is None or item.faults:
            continue
        made = item.graph(clinic).made
        entries = ledger.known(all_kinds(made, clinic))
        waiting = [link for link, e in entries.items() if e.state in OPEN]
        if not waiting and not gone:
            continue
        result = Result(item.history.key)
        exchange = Exchange(server, clinic, plan, made, people, finder, result, ledger)
        people.settle(m for m in made if m.link.kind == "Patient")
        exchange.name_people(needed=False)
        exchange.journal.entries |= entries
        yield from _open(exchange, waiting, ask)
        if gone:
            persons = ledger.known(m.link for m in made if m.link.kind in PEOPLE)
            exchange.journal.entries |= persons
            known = {**persons, **entries}
            yield from _gone(exchange, [link for link, e in known.items() if e.id and link not in waiting], ask)


def _open(exchange: Exchange, waiting: list[Link], ask: Callable[[Question], Answer]) -> Iterator[Settled]:
    before = {link: exchange.journal.entries[link] for link in waiting}
    unknown = exchange.journal.settle(waiting)
    for link in waiting:
        if link not in unknown:
            e = exchange.journal.entries.get(link)
            arrived = e is not None and (not before[link].id or e.base == before[link].sought)
            yield Settled(link, "there" if arrived else "not there")
            continue
        what = "was sent, its answer was lost, and it is not on the server (yet); sent again, it may be there twice"
        yield _answered(exchange, Question(link, before[link], what), ask)


def _gone(exchange: Exchange, known: list[Link], ask: Callable[[Question], Answer]) -> Iterator[Settled]:
    for link in known:
        e = exchange.journal.entries[link]
        try:
            there = exchange.journal.current(link, e.id) is not None
        except Refused:
            continue
        if not there:
            what = f"{link.kind}/{e.id} was deleted on the server; forgotten, the next push makes it anew"
            yield _answered(exchange, Question(link, e, what), ask)


def _answered(exchange: Exchange, question: Question, ask: Callable[[Question], Answer]) -> Settled:
    if ask(question) == "keep":
        return Settled(question.link, "kept")
    e = question.entry
    kept = undone(e) if e.id and e.state in OPEN else None  # an update: what stood there is known
    exchange.ledger.write({question.link: kept})
    return Settled(question.link, "forgotten")

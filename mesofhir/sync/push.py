"""Push: histories to a server, each as a whole, many at a time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from mesofhir.errors import InvalidInput, MesofhirError, NotAllDone, Problem, UsageError
from mesofhir.mapping import Clinic, Graph, Made, graph
from mesofhir.records import TreatmentHistory, faults
from mesofhir.server import Server, is_public_sandbox
from mesofhir.sync.allergies import Allergies
from mesofhir.sync.exchange import Exchange
from mesofhir.sync.fallen import fallen, file, with_summaries
from mesofhir.sync.finder import Doubled, Finder
from mesofhir.sync.parts import Limits
from mesofhir.sync.people import PEOPLE, People
from mesofhir.sync.plan import Plan
from mesofhir.sync.report import Result, Summary
from mesofhir.sync.withdraw import withdraw

WINDOW = 40  # histories whose people are settled together


@dataclass(frozen=True)
class Options:
    """How to push.

    :param create_people: make patients and practitioners whom the server does not have
    :param match_systems: identifier systems by which people are matched; empty: all that a record states
    :param jobs: histories at the same time
    :param withdraw: mark all of it ``entered-in-error`` instead
    :param files: a folder for what the server takes in no form
    """

    create_people: bool = False
    match_systems: Sequence[str] = ()
    jobs: int = 1
    withdraw: bool = False
    files: Path | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass
class _Work:
    history: TreatmentHistory
    made: list[Made]
    result: Result


def check_destination(server_url: str, history: TreatmentHistory) -> None:
    """:raises UsageError: a real patient's history would go to a public sandbox"""
    if is_public_sandbox(server_url) and history.synthetic is not True:
        raise UsageError(
            f"history {history.key} is not marked `synthetic`, and the server is a public sandbox that everybody "
            "can read; nothing was sent. Mark invented data with `synthetic: true`, or push to a server of your own"
        )


def iter_push(
    histories: Iterable[TreatmentHistory], server: Server, clinic: Clinic, options: Options | None = None
) -> Iterator[Result]:
    """Push histories and yield what became of each, in their order; memory holds a window of them only.

    :raises InvalidInput: a history is invalid: nothing of it, and nothing after it, was sent
    :raises UsageError: a real patient's history would go to a public sandbox
    :raises Unreachable: the server cannot be asked at all
    """
    run = _Run(server, clinic, options or Options())
    source = iter(histories)
    with ThreadPoolExecutor(max(1, run.options.jobs)) as pool:
        while window := [run.prepared(h) for h in islice(source, WINDOW)]:
            run.settle(window)
            order = list(range(len(window)))
            random.shuffle(order)  # pushers of the same histories collide less, each in an order of its own
            running = {n: pool.submit(run.one, window[n]) for n in (order if run.options.jobs > 1 else sorted(order))}
            for n in range(len(window)):
                yield running[n].result()


def push(
    histories: Iterable[TreatmentHistory], server: Server, clinic: Clinic, options: Options | None = None
) -> Summary:
    """Push histories; counts and exit code of all of them. See :func:`iter_push`."""
    summary = Summary()
    for result in iter_push(histories, server, clinic, options):
        summary.add(result)
    return summary


class _Run:
    """One push, of however many histories: what is asked of the server once for all of them."""

    def __init__(self, server: Server, clinic: Clinic, options: Options) -> None:
        self.server, self.clinic, self.options = server, clinic, options
        self.allergies = Allergies(server, clinic)
        self.finder = Finder(server, clinic)

    @cached_property
    def plan(self) -> Plan:
        """Made once there is something valid to send."""
        return Plan(self.server.abilities(), self.options.files is not None)

    @cached_property
    def people(self) -> People:
        create = self.options.create_people and not self.options.withdraw
        return People(self.server, self.clinic, self.plan, self.options.match_systems, create)

    def prepared(self, history: TreatmentHistory) -> _Work:
        """:raises InvalidInput: with all that is wrong with a history"""
        check_destination(self.server.url, history)
        wrong = [f for f in faults(history, self.clinic.codes) if not f.warning]
        drawn = graph(history, self.clinic) if not wrong else Graph()
        if wrong := wrong or drawn.faults:
            raise InvalidInput(
                [Problem(f"history {history.key}: {f.path}", f.what, f.expected, f.hint) for f in wrong]
            )
        return _Work(history, drawn.made, Result(history.key))

    def settle(self, window: list[_Work]) -> None:
        """Shared resources first, once for the window."""
        self.people.settle(m for w in window for m in w.made if m.link.kind in PEOPLE)
        if not self.options.withdraw:
            with_allergies = [w for w in window if any(m.link.kind == "AllergyIntolerance" for m in w.made)]
            patients = [m.link for w in with_allergies for m in w.made if m.link.kind == "Patient"]
            found = [self.people.found[p] for p in patients if p in self.people.found]
            self.allergies.load(f"Patient/{x['id']}" for x in found)

    def one(self, work: _Work) -> Result:
        """One history; what stops it stops only it."""
        result, limits = work.result, self.options.limits.within(self.plan.limits)
        falls = fallen(work.made, self.plan)
        made = with_summaries(work.made, falls)
        how = (self.people, self.allergies, self.finder)
        exchange = Exchange(self.server, self.clinic, self.plan, made, *how, result, falls, limits)
        try:
            (withdraw if self.options.withdraw else Exchange.run)(exchange)
            if self.options.files and not self.options.withdraw:
                file(self.options.files, made, falls, exchange.names, exchange.ours)
        except MesofhirError as why:
            for link in why.links if isinstance(why, Doubled) else ():
                exchange.note(link, "blocked")
            result.stopped = str(why)
            result.exit_code = why.exit_code if why.exit_code != 1 else NotAllDone.exit_code
        for m in made:
            result.outcomes.setdefault(m.link, "refused")
        return result

"""Push: histories to a server, each as a whole, many at a time."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from mesofhir.errors import InvalidInput, MesofhirError, NotAllDone, Problem, UsageError
from mesofhir.mapping import Clinic, Made, graph
from mesofhir.records import TreatmentHistory, faults
from mesofhir.server import Server, is_public_sandbox
from mesofhir.sync.allergies import Allergies
from mesofhir.sync.exchange import Exchange, Limits
from mesofhir.sync.people import People
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
    """

    create_people: bool = False
    match_systems: Sequence[str] = ()
    jobs: int = 1
    withdraw: bool = False
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
    options = options or Options()
    people = People(server, clinic, options.match_systems, options.create_people and not options.withdraw)
    allergies = Allergies(server, clinic)
    source = iter(histories)
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        while window := [_prepared(h, server.url, clinic) for h in islice(source, WINDOW)]:
            _settle(window, people, allergies, options)
            order = list(range(len(window)))
            if options.jobs > 1:
                random.shuffle(
                    order
                )  # pushers of the same histories collide less, each in an order of its own
            running = {
                n: pool.submit(_one, window[n], server, clinic, people, allergies, options) for n in order
            }
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


def _prepared(history: TreatmentHistory, url: str, clinic: Clinic) -> _Work:
    check_destination(url, history)
    wrong = [f for f in faults(history) if not f.warning]
    drawn = graph(history, clinic)
    wrong += drawn.faults
    if wrong:
        raise InvalidInput(
            [Problem(f"history {history.key}: {f.path}", f.what, f.expected, f.hint) for f in wrong]
        )
    return _Work(history, drawn.made, Result(history.key))


def _settle(window: list[_Work], people: People, allergies: Allergies, options: Options) -> None:
    """Shared resources first, once for the window."""
    people.settle(m for w in window for m in w.made if m.link.kind in ("Patient", "Practitioner"))
    if not options.withdraw:
        drugs = {w.history.key for w in window if any(m.link.kind == "AllergyIntolerance" for m in w.made)}
        patients = [
            m.link for w in window if w.history.key in drugs for m in w.made if m.link.kind == "Patient"
        ]
        allergies.load(people.reference(p) for p in patients if p in people.found)


def _one(
    work: _Work, server: Server, clinic: Clinic, people: People, allergies: Allergies, options: Options
) -> Result:
    """One history; what stops it stops only it."""
    result = work.result
    exchange = Exchange(server, clinic, work.made, people, allergies, result, options.limits)
    try:
        (withdraw if options.withdraw else Exchange.run)(exchange)
    except MesofhirError as why:
        result.stopped = str(why)
        result.exit_code = why.exit_code if why.exit_code != 1 else NotAllDone.exit_code
    for m in work.made:
        result.outcomes.setdefault(m.link, "refused")
    return result

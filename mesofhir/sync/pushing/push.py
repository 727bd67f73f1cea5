"""Push: histories to a server, each as a whole, many at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from mesofhir.errors import InvalidInput, MesofhirError, NotAllDone, Refused, UnknownOutcome, Unreachable, UsageError
from mesofhir.fhir.exactjson import encode
from mesofhir.formats import Item
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.records import TreatmentHistory, plain
from mesofhir.server import Server, is_public_sandbox
from mesofhir.sync.deciding.merge import Verdict
from mesofhir.sync.ledger.ledger import Ledger, LedgerFailed
from mesofhir.sync.planning.parts import Limits
from mesofhir.sync.planning.plan import PEOPLE, Plan
from mesofhir.sync.pushing.bring import bring
from mesofhir.sync.pushing.exchange import Exchange
from mesofhir.sync.pushing.fallen import Fall, fallen, file, filed, with_summaries
from mesofhir.sync.pushing.rekeyed import patient_before
from mesofhir.sync.pushing.withdraw import withdraw
from mesofhir.sync.report import Result, Summary
from mesofhir.sync.sending.finder import Doubled, Finder
from mesofhir.sync.sending.writes import Witness, unwitnessed
from mesofhir.sync.theirs.foreign import CODED
from mesofhir.sync.theirs.people import People, PersonNotSettled
from mesofhir.sync.theirs.reconcile import Reconciliation, wanted

WINDOW = 40  # histories whose people are settled together


@dataclass(frozen=True)
class Options:
    """How to push.

    :param create_people: make patients and practitioners whom the server does not have
    :param match_systems: identifier systems by which people are matched; empty: all that a record states
    :param jobs: histories at the same time
    :param withdraw: mark all of it ``entered-in-error`` instead
    :param witness: is given each resource that was written, and each person who was made
    :param files: a folder for what the server takes in no form
    :param dry_run: ask the server, decide, and send nothing
    :param side: whose value stands where both sides changed it: ``ours`` or ``theirs``; "": it is left, and told
    :param moved: records may go to another patient: what stands there is marked ``entered-in-error``
    :param rekeyed: did the clinic correct keys? None: nobody said, and a history where it seems so is stopped
    :param resume: leave out what the run that was interrupted has done
    :param ledger: what is known of the server; without one it is known for this run only
    :param stop: asked before each history: once it says yes, none is begun any more, and the run can be resumed
    """

    create_people: bool = False
    match_systems: Sequence[str] = ()
    jobs: int = 1
    withdraw: bool = False
    witness: Witness = unwitnessed
    files: Path | None = None
    dry_run: bool = False
    side: Literal["ours", "theirs", ""] = ""
    moved: bool = False
    rekeyed: bool | None = None
    resume: bool = False
    ledger: Ledger | None = None
    stop: Callable[[], bool] = bool
    limits: Limits = field(default_factory=Limits)


@dataclass
class _Work:
    history: TreatmentHistory
    made: list[Made]
    result: Result
    said: str


def check_destination(server_url: str, history: TreatmentHistory) -> None:
    """:raises UsageError: a real patient's history would go to a public sandbox"""
    if is_public_sandbox(server_url) and history.synthetic is not True:
        raise UsageError(
            f"history {history.key} is not marked `synthetic`, and the server is a public sandbox that everybody "
            "can read; nothing was sent. Mark invented data with `synthetic: true`, or push to a server of your own"
        )


def iter_push(
    histories: Iterable[TreatmentHistory | Item], server: Server, clinic: Clinic, options: Options | None = None
) -> Iterator[Result]:
    """Push histories and yield what became of each, in their order; memory holds a window of them only.

    Closing the iterator ends the push: histories that were begun come to their end, no others are begun.

    :param histories: items of a source, that were judged for this clinic, are not judged again
    :raises InvalidInput: a history is invalid: nothing of it, and nothing after it, was sent
    :raises UsageError: a real patient's history would go to a public sandbox
    :raises Unreachable: it is hopeless to ask the server at all
    :raises LedgerFailed: the ledger cannot be written; what became of what was begun is told before
    """
    run = _Run(server, clinic, options or Options())
    run.begin()
    source = iter(histories)
    with ThreadPoolExecutor(max(1, run.options.jobs)) as pool:
        running: dict[int, Future[Result | None]] = {}
        try:
            while window := [run.prepared(h) for h in islice(source, WINDOW)]:
                try:
                    run.settle([w for w in window if not w.result.resumed])
                except (NotAllDone, Unreachable, UnknownOutcome) as why:
                    if server.hopeless:
                        raise
                    yield from run.stopped(window, why)
                    continue
                order = list(range(len(window)))
                if run.options.jobs > 1:
                    random.shuffle(order)  # pushers of the same histories collide less, each in an order of its own
                running = {n: pool.submit(run.one, window[n]) for n in order}
                for n in range(len(window)):
                    if (result := running[n].result()) is not None:
                        yield result
                if run.failed:
                    raise run.failed
            if not run.options.stop():
                run.end()
        finally:
            for waiting in running.values():
                waiting.cancel()


def push(
    histories: Iterable[TreatmentHistory | Item], server: Server, clinic: Clinic, options: Options | None = None
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
        self.others = Reconciliation(server, clinic)
        self.finder = Finder(server, clinic)
        self.ledger = options.ledger or Ledger(None, server.url, clinic.namespace)
        self.failed: LedgerFailed | None = None
        self.side = {"ours": Verdict.OURS, "theirs": Verdict.THEIRS}.get(options.side)

    @cached_property
    def plan(self) -> Plan:
        """Made once there is something valid to send."""
        return Plan(self.server.abilities(), self.options.files is not None)

    @cached_property
    def people(self) -> People:
        options, create = self.options, self.options.create_people and not self.options.withdraw
        how = (self.server, self.clinic, self.plan)
        return People(*how, options.match_systems, create, options.dry_run, options.witness, self._before)

    def _before(self, link: Link) -> str:
        """What the server called somebody when the ledger last heard of them."""
        return next((e.id for e in self.ledger.known([link]).values()), "")

    def begin(self) -> None:
        """:raises UsageError: there is nothing to resume"""
        if self.options.dry_run:
            return
        if not self.ledger.begin(resume=self.options.resume) and self.options.resume:
            self.ledger.end()
            raise UsageError("there is no interrupted push to resume; push without --resume")

    def end(self) -> None:
        """All histories were handled."""
        if not self.options.dry_run:
            self.ledger.end()

    def prepared(self, given: TreatmentHistory | Item) -> _Work:
        """:raises InvalidInput: with all that is wrong with a history"""
        item = given if isinstance(given, Item) else Item.of(given)
        if item.history is None:
            raise ValueError("an item without a history cannot be pushed")
        check_destination(self.server.url, item.history)
        said = f"{'withdraw' if self.options.withdraw else 'push'} {encode(plain(item.history)).decode()}"
        resumed = self.options.resume and self.ledger.was_handled(item.history.key, said)
        if item is not given and not resumed:
            item.locate = lambda fault: f"history {given.key}: {fault.path}"  # type: ignore[union-attr]
            item.judge(self.clinic)
        if item.faults:
            raise InvalidInput(item.faults)
        result = Result(item.history.key, planned=self.options.dry_run, resumed=resumed)
        return _Work(item.history, [] if resumed else item.graph(self.clinic).made, result, said)

    def settle(self, window: list[_Work]) -> None:
        """Shared resources first, once for the window."""
        for work in window:
            self._recognise(work)
        self.people.settle(m for w in window for m in w.made if m.link.kind in PEOPLE)
        if not self.options.withdraw:
            self.others.load(self.plan, {kind: self._patients(window, kind) for kind in CODED})

    def _recognise(self, work: _Work) -> None:
        """A patient whose key was corrected is not looked for by the new one, and nobody is made anew for what is
        known as another patient's."""
        options = self.options
        if options.moved or options.withdraw or (before := patient_before(self.ledger, work.made)) is None:
            return
        m = next(m for m in work.made if m.link.kind == "Patient")
        if options.rekeyed and before.whole:
            if x := next(self.finder.named("Patient", [before.id]), None):
                self.people.recognise(m, x)
        else:
            self.people.stop(
                m.link,
                f"{'all' if before.whole else 'some'} of it was pushed before as another patient's "
                f"(Patient/{before.id}); nothing was changed. If records were entered for the wrong patient, push with "
                f"--moved{'; if the key was corrected, with --rekeyed' if before.whole else ''}",
                before.known,
            )

    def _patients(self, window: list[_Work], kind: str) -> list[dict[str, Any]]:
        """The patients of whom the EHR may hold such a resource of its own that matters: whom it had before us; of
        allergies and states all."""
        some = [w for w in window if kind in wanted(w.made)]
        links = [m.link for w in some for m in w.made if m.link.kind == "Patient"]
        people = [self.people.found[p] for p in links if p in self.people.found]
        always = kind in ("AllergyIntolerance", "Observation")
        return [x for x in people if always or self.clinic.link_of(x) is None]

    def stopped(self, window: list[_Work], why: MesofhirError) -> Iterator[Result]:
        """A search for people, say, failed: that stops those who were looked for, and no others. Who was made before
        it is told as that."""
        there = self.people.found if "people" in vars(self) else {}  # of a server that is not spoken to, nobody
        for work in window:
            if not work.result.resumed:
                work.result.stopped, work.result.exit_code = str(why), why.exit_code
                made = {m.link: self.people.became(m.link) for m in work.made if m.link in there}
                work.result.outcomes.update((m.link, made.get(m.link, "refused")) for m in work.made)
            yield work.result

    def one(self, work: _Work) -> Result | None:
        """One history; what stops it stops only it, but for a ledger that cannot be written: then no other would fare
        better. None: it was not begun, since it is time to stop."""
        result, options = work.result, self.options
        if options.stop() or self.failed:
            return None
        if result.resumed:
            return result
        falls = fallen(work.made, self.plan)
        made = with_summaries(work.made, falls)
        exchange = Exchange(
            self.server, self.clinic, self.plan, made, self.people, self.finder, result, self.ledger,
            options.limits.within(self.plan.limits), self.side, options.dry_run,
        )  # fmt: skip
        exchange.delivery.witness = options.witness
        try:
            if options.withdraw:
                withdraw(exchange)
            else:
                self._bring(exchange, falls)
        except MesofhirError as why:
            for link in why.links if isinstance(why, Doubled | PersonNotSettled) else ():
                exchange.notes.note(link, "blocked")
            if isinstance(why, LedgerFailed):
                self.failed = why
            if lost := exchange.journal.unsettled():
                why = exchange.notes.lost(lost, f"what became of it is noted nowhere: {why}")
            result.stopped = str(why)
            result.exit_code = max(why.exit_code, NotAllDone.exit_code)
        for m in made:
            result.outcomes.setdefault(m.link, "refused")
        if result.code == 0 and not options.dry_run and not self.failed:
            self._handled(work)
        return result

    def _bring(self, exchange: Exchange, falls: Mapping[Link, Fall]) -> None:
        """Bring a history, and file what the server takes in no form, or has refused."""
        try:
            bring(exchange, self.others, falls, moves=self.options.moved, rekeyed=self.options.rekeyed)
        except Refused:
            self._file(exchange, falls)
            raise
        self._file(exchange, falls)

    def _file(self, exchange: Exchange, falls: Mapping[Link, Fall]) -> None:
        folder, notes = self.options.files, exchange.notes
        if folder is None or self.options.dry_run:
            return
        own = {m.link for m in exchange.made if m.link.kind not in PEOPLE} - notes.result.references.keys()
        left = {link for link in own if notes.result.outcomes.get(link, "refused") in ("refused", "untaken")}
        strangers = [m for m in exchange.made if m.link == notes.patient and not notes.subject]
        names = notes.names | {notes.handles[m.link]: self.people.sought(m) for m in strangers}
        file(folder, exchange.made, filed(falls) | left, names, notes.ours)
        for link in left - filed(falls):
            notes.remark(link, "filed", "it stands in the file for an interface engine")

    def _handled(self, work: _Work) -> None:
        try:
            self.ledger.handled(work.history.key, work.said)
        except LedgerFailed as why:
            self.failed = why

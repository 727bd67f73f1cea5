"""``mesofhir push``: the whole source is checked first; then the histories go, one by one."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesofhir.cli import config, contradicting, places, sources, verifying
from mesofhir.cli.ending import Ending
from mesofhir.cli.options import (
    Connecting,
    Deciding,
    General,
    Reading,
    common,
    connecting,
    deciding,
    general,
    reading,
    remembering,
    reporting,
)
from mesofhir.cli.report import Report
from mesofhir.cli.words import MOST, Interrupted, Voice, interruptible, number
from mesofhir.errors import InvalidInput, MesofhirError, NotAllDone, UsageError

if TYPE_CHECKING:
    from mesofhir.formats import Item
    from mesofhir.mapping import Clinic
    from mesofhir.server import Server
    from mesofhir.sync import Options, Result, Summary


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("server", metavar="SERVER")
@click.option(
    "--create-people/--no-create-people", default=None,
    help="Make patients and practitioners whom the server does not have [default: on public sandboxes only].",
)
@click.option(
    "--match-system", "match_systems", metavar="URI", multiple=True,
    help="Identifier system by which people are matched; may be repeated [default: all that a record states].",
)
@click.option("--jobs", type=click.IntRange(1, 32), help="Histories at the same time [default: 1].")
@click.option("--withdraw", is_flag=True, help="Mark all of it entered-in-error instead; nothing is deleted.")
@click.option(
    "--files", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Folder for what the server takes in no form: a bundle for each history, for an interface engine to load.",
)
@deciding
@remembering
@verifying.option
@reporting("What became of each resource")
@reading
@connecting
@general
@common
def command(
    voice: Voice,
    general: General,
    connecting: Connecting,
    reading: Reading,
    report: Path | None,
    source: str,
    server: str,
    create_people: bool | None,
    match_systems: tuple[str, ...],
    jobs: int | None,
    withdraw: bool,
    files: Path | None,
    deciding: Deciding,
    ledger: Path | None,
    verify: bool | None,
) -> int:
    """Bring histories to a FHIR server: nothing twice, nothing erased.

    The source is read to its end first: if anything in it is invalid, nothing is sent. Only what the clinic has
    changed since the last push is sent; what an EHR has added or changed stays, and what both have changed is left
    and told. People are found by their identifiers; a history whose patient is not found, or found twice, is left
    out and told. What was sent, and what became of it, is remembered in a ledger, so that a push that was cut off
    doubles and loses nothing.

    \b
    Examples:
      mesofhir push clinic.json https://fhir.example.org/r4 --namespace https://clinic.example/mesotherapy
      mesofhir push clinic.json hospital --dry-run                 # what would it do?
      mesofhir push clinic-csv/ hospital --report push.ndjson      # hospital: see mesofhir.toml
      mesofhir push examples.ndjson https://hapi.fhir.org/baseR4 --withdraw
    """
    settings = config.load(general.config)
    place = places.place(server, connecting, settings)
    clinic = place.clinic(places.clinic(general, settings), settings, voice.say)
    from mesofhir.sync import Options
    from mesofhir.sync.pushing.push import check_destination

    options = Options(
        create_people=place.create_people if create_people is None else create_people,
        match_systems=match_systems or place.match_systems(clinic),
        jobs=jobs or place.said.concurrency or 1,
        withdraw=withdraw,
        files=files,
        **deciding.options(),
    )
    with (
        place.open(voice.warn) as opened,
        Report(report, source) as written,
        places.source(source, reading, clinic, settings) as items,
    ):
        survey = sources.Survey(voice, written)
        against = contradicting.Told(voice, written, places.strengths(settings), clinic.codes, each=False)
        with interruptible("nothing was sent"):
            for item in survey.of(items, "checked", items):
                against.see(item)
                if item.history is not None:
                    check_destination(place.said.url, item.history)
        voice.say(sources.counted(items.counts))
        against.end()
        if not survey.valid:
            voice.say("nothing was sent")
            return InvalidInput.exit_code
        if survey.kept:
            voice.warn(f"{number(survey.kept, 'resource')} of the source in no record: not sent")
        if not survey.histories:
            if survey.kept:
                voice.warn(f"{source} holds no history of {clinic.namespace}: is that the right namespace?")
            voice.say("nothing to send")
            return 0
        with places.ledger(ledger, place, clinic, dry=options.dry_run) as remembered:
            if remembered.lost:
                voice.warn(remembered.lost)
            if options.resume and not remembered.interrupted:
                raise UsageError("there is no interrupted push to resume; push without --resume")
            check = verifying.Verifying(voice, opened, False if options.dry_run else verify)
            options = replace(options, ledger=remembered, witness=check.witness)
            return _Push(voice, written, opened, clinic, options, survey.histories, check).run(items)


@dataclass
class _Push:
    """The second pass: what was checked is sent.

    :param total: histories
    """

    voice: Voice
    report: Report
    server: Server
    clinic: Clinic
    options: Options
    total: int
    verifying: verifying.Verifying
    shown: Counter[str] = field(default_factory=Counter)
    ending: threading.Event = field(default_factory=threading.Event)

    def run(self, items: Iterable[Item]) -> int:
        from mesofhir.sync import Summary, iter_push

        summary, failure = Summary(), None
        options = replace(self.options, stop=self.ending.is_set)
        with places.requests_counted() as requests, _gently(self.voice, self.ending) as interrupted:
            try:
                self.server.abilities()  # a wrong URL ends here, and says so
                with self.voice.counting("pushed", self.total) as counter:
                    for result in iter_push(self._fed(items), self.server, self.clinic, options):
                        summary.add(result)
                        self._tell(result)
                        self.verifying.look()
                        counter.add()
                        if result.code == 5 and self.server.hopeless:
                            self.ending.set()  # nobody is there, or not for us: the others would not fare better
            except KeyboardInterrupt:
                interrupted.set()
            except MesofhirError as error:
                failure = _late(error)
            read_back = self.verifying.end() if failure is None else 0
        self._more()
        self._advise(summary)
        return self._end(summary, requests.count, failure, interrupted.is_set(), read_back)

    def _fed(self, items: Iterable[Item]) -> Iterator[Item]:
        """The histories, until it is time to end: those that were begun are brought to their end.

        :raises InvalidInput: the source is another one than it was when it was checked
        """
        for item in items:
            if self.ending.is_set():
                return
            if item.faults:
                raise InvalidInput(item.faults)
            if item.history is not None:
                yield item

    def _tell(self, result: Result) -> None:
        self.report.add(*result.lines())
        for line in result.plan():
            click.echo(line)
        if result.stopped:
            self._show("stopped", f"error: history {result.key} was stopped: {result.stopped}")
        for remark in result.remarks:
            if not self.voice.quiet:
                self._show("remarked", f"note: {remark}")

    def _show(self, kind: str, text: str) -> None:
        self.shown[kind] += 1
        if self.shown[kind] <= MOST:
            self.voice.line(text)

    def _more(self) -> None:
        where = f"all in {self.report.path}" if self.report.path else "--report FILE has all"
        for word, kind in (("error", "stopped"), ("note", "remarked")):
            if self.shown[kind] > MOST:
                self.voice.line(f"{word}: … and {self.shown[kind] - MOST} more ({where})")

    def _advise(self, summary: Summary) -> None:
        """What a person can do about what the server has refused."""
        if summary.refusals:
            from mesofhir.sync.planning.plan import Plan
            from mesofhir.sync.planning.refusal import advice

            plan = Plan(self.server.abilities(), self.options.files is not None)
            for text in advice(summary.refusals, summary.taken, plan):
                self.voice.warn(text)

    def _end(
        self, summary: Summary, requests: int, failure: MesofhirError | None, interrupted: bool, code: int
    ) -> int:
        codes = {summary.exit_code, code}
        if summary.remarks:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(summary.remarks.items()))
            self.voice.say(f"remarks: {kinds}")
        left = self.total - summary.histories
        if failure is not None:
            codes.add(failure.exit_code)
            self.voice.error(failure)
        if interrupted and left:
            words = f"interrupted: {summary.histories} of {self.total} histories were handled; `push --resume` goes on"
            self.voice.error(Interrupted(words))
        elif left:
            why = "the server does not answer, or does not let us in" if 5 in codes else "it could not go on"
            self.voice.error(NotAllDone(f"{number(left, 'history', 'histories')} not tried: {why}"))
        done, stopped, counts = summary.histories, summary.stopped, summary.counts
        numbers = (self.total, done, stopped, counts, requests, frozenset(codes), interrupted)
        return Ending(*numbers, summary.resumed, summary.planned).tell(self.voice)


def _late(error: MesofhirError) -> MesofhirError:
    """Something went wrong after others were sent: that is no longer `nothing was sent`."""
    if isinstance(error, InvalidInput):
        return NotAllDone(f"the source has changed since it was checked: {error}")
    return NotAllDone(str(error)) if isinstance(error, UsageError) else error


@contextmanager
def _gently(voice: Voice, ending: threading.Event) -> Iterator[threading.Event]:
    """Ctrl-C lets what was begun come to its end; a second one does not wait."""
    interrupted = threading.Event()

    def pressed(number: int, frame: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        ending.set()
        with suppress(RuntimeError):  # in the middle of a line that is being written
            voice.line("finishing the histories that were begun; Ctrl-C again to stop at once")

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, pressed)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)

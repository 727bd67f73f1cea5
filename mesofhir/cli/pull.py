"""``mesofhir pull``: histories from a server, in any format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesofhir.cli import config, places, sources
from mesofhir.cli.options import (
    FILE,
    Connecting,
    General,
    common,
    connecting,
    general,
    reporting,
    writing,
)
from mesofhir.cli.report import Report
from mesofhir.cli.words import Voice, interruptible, number
from mesofhir.errors import InvalidInput, MesofhirError, NotAllDone, Problem, UsageError

if TYPE_CHECKING:
    from mesofhir.formats import Item, Written
    from mesofhir.mapping import Clinic
    from mesofhir.server import Server


@click.command()
@click.argument("server", metavar="SERVER")
@click.argument("destination", metavar="DST")
@click.option(
    "--patient", "patients", metavar="ID", multiple=True,
    help="Only this one: the clinic's key, or Patient/ID of the server; may be repeated.",
)
@click.option(
    "--patients", "patients_file", metavar="FILE", type=FILE, help="Only those in a file, one a line."
)
@click.option("--foreign", is_flag=True, help="Also what is not ours, kept whole beside the histories.")
@writing
@reporting("What no record holds, with path and reason")
@connecting
@general
@common
def command(
    voice: Voice,
    general: General,
    connecting: Connecting,
    to: str,
    report: Path | None,
    server: str,
    destination: str,
    patients: tuple[str, ...],
    patients_file: Path | None,
    foreign: bool,
) -> int:
    """Fetch histories from a FHIR server.

    Ours, by the identifiers of the clinic's namespace, and for each all that the EHR made of it. What no record
    holds is kept whole in DST.kept.ndjson and told with its path. A history that cannot be read is kept there
    too, and does not stop the others; exit code 4 says so. DST is replaced as a whole, a folder with all the
    files in it; where nothing was found nothing is written, and what was there stays (exit code 4).

    \b
    Examples:
      mesofhir pull https://fhir.example.org/r4 back.json --namespace https://clinic.example/mesotherapy
      mesofhir pull hospital back-csv/ --patients cohort.txt       # hospital: see mesofhir.toml
      mesofhir pull hospital - --to fhir --patient P1001 --foreign
    """
    settings = config.load(general.config)
    place = places.place(server, connecting, settings)
    clinic = place.clinic(places.clinic(general, settings), settings, voice.say)
    wanted = [*patients, *_listed(patients_file)]
    from mesofhir.formats import registry, write

    known = registry.chosen(to, "--to") if to else registry.of_destination(destination, Path(destination))
    with (
        place.open(voice.warn) as opened,
        Report(report, destination) as written,
        places.requests_counted() as requests,
    ):
        survey = sources.Survey(voice, written)
        done: Written | None = None
        pulled = _Pulled(opened, clinic, survey, fhir=known.fhir)
        with interruptible("nothing was written"), suppress(_Nothing):
            done = write(destination, pulled.items(wanted, foreign=foreign), format=to, clinic=clinic)
        survey.end()
    voice.say(
        f"{number(survey.histories, 'history', 'histories')} from {number(pulled.mapped, 'resource')}; "
        f"{survey.kept} kept in no record; {number(requests.count, 'request')}"
    )
    survey.tell_places()
    if done is not None:
        sources.tell_written(voice, done)
    elif not wanted:
        pulled.missing.append(
            NotAllDone(f"the server holds nothing of {clinic.namespace}: is that the right namespace?")
        )
    for missing in pulled.missing:
        voice.error(missing)
    if done is None:
        voice.say("nothing was written")
    return 0 if survey.valid and not pulled.missing else NotAllDone.exit_code


class _Nothing(Exception):
    """Nothing was found: what is there from an earlier pull must stay."""


@dataclass
class _Pulled:
    """What comes from the server; what cannot be read is told, and kept.

    :param fhir: is it to be FHIR again?
    :param staff: practitioners, who may be of several histories
    :param others: resources of one history
    :param missing: what was asked for and is not there
    """

    server: Server
    clinic: Clinic
    survey: sources.Survey
    fhir: bool
    staff: set[str] = field(default_factory=set)
    others: int = 0
    missing: list[MesofhirError] = field(default_factory=list)

    @property
    def mapped(self) -> int:
        """Resources that stand in a record."""
        return len(self.staff) + self.others

    def items(self, wanted: Sequence[str], *, foreign: bool) -> Iterator[Item]:
        """All that can be written.

        :raises _Nothing: at the end, where that is nothing
        """
        from mesofhir.sync import PatientNotFound, iter_pull

        self.server.capabilities()  # a wrong URL ends here, and says so
        found = iter_pull(self.server, self.clinic, patients=wanted, foreign=foreign)
        try:
            with self.survey.voice.counting("pulled") as counter:
                for item in counter.over(found):
                    yield self._told(item)
        except PatientNotFound as why:  # at the very end: the others were pulled
            self.missing.append(why)
        if not (self.survey.histories or self.survey.kept):
            raise _Nothing

    def _told(self, item: Item) -> Item:
        """An item that can be written: a history that would not be accepted again is kept as resources."""
        from mesofhir.mapping import Kept

        item.judge(self.clinic if self.fhir else None)
        whole = item
        if item.faults:
            unfit = [Kept(x, "its history cannot be used") for x in item.sources.values()]
            whole = replace(item, history=None, kept=[*item.kept, *unfit], notes=[], sources={}, faults=[])
        problems = [*(_at(item.where, p) for p in item.faults), *self._unread(item)]
        self.survey.see(replace(whole, faults=problems))
        staff = {link.key for link in whole.sources if link.table == "practitioners"}
        self.staff |= staff
        self.others += len(whole.sources) - len(staff)
        return whole

    def _unread(self, item: Item) -> Iterator[Problem]:
        """Resources of ours that stand in no record."""
        for kept in item.kept:
            if self.clinic.link_of(kept.resource) is not None:
                where = f"{item.where}: {sources.name_of(kept.resource)}"
                yield Problem(where, kept.reason, hint="kept as it is")


def _at(where: str, p: Problem) -> Problem:
    """A problem of a history, and whose."""
    return Problem(f"{where}: {p.where}", p.what, p.expected, p.hint)


def _listed(path: Path | None) -> list[str]:
    """The patients in a file, one a line.

    :raises UsageError: it cannot be read, or names nobody: that must not mean everybody
    """
    if path is None:
        return []
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: the patients cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(Problem(str(path), "bytes that are not UTF-8", "one patient a line")) from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise UsageError(f"{path}: names no patient; leave --patients out to pull all")
    return found

"""``mesofhir pull``: histories from a server, in any format."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesofhir.cli import config, increments, places, sources
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
from mesofhir.cli.pulled import Nothing, Pulled
from mesofhir.cli.report import Report
from mesofhir.cli.words import Voice, interruptible, number
from mesofhir.errors import InvalidInput, NotAllDone, Problem, UsageError

if TYPE_CHECKING:
    from mesofhir.formats import Written


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
@click.option(
    "--since", metavar="WHEN|auto",
    help="Only histories that were touched since then, merged into DST; auto: since the last pull into DST.",
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
    since: str | None,
    foreign: bool,
) -> int:
    """Fetch histories from a FHIR server.

    Ours, by the identifiers of the clinic's namespace, and for each all that the EHR made of it. What no record
    holds is kept whole in DST.kept.ndjson and told with its path. A history that cannot be read is kept there
    too, and does not stop the others; exit code 4 says so. DST is replaced as a whole, a folder with all the
    files in it; where nothing was found nothing is written, and what was there stays (exit code 4).

    With --since the histories that were touched are read whole and merged into DST (json, ndjson, csv): what did
    not change stays byte for byte. What was deleted on the server is told, and its records stay in DST. WHEN is a
    date, or a time with its zone; auto remembers what the last pull into DST has seen.

    \b
    Examples:
      mesofhir pull https://fhir.example.org/r4 back.json --namespace https://clinic.example/mesotherapy
      mesofhir pull hospital back-csv/ --patients cohort.txt       # hospital: see mesofhir.toml
      mesofhir pull hospital - --to fhir --patient P1001 --foreign
      mesofhir pull hospital back.ndjson --since auto              # every night, say
    """
    settings = config.load(general.config)
    place = places.place(server, connecting, settings)
    clinic = place.clinic(places.clinic(general, settings), settings, voice.say)
    wanted = [*patients, *_listed(patients_file)]
    from mesofhir.formats import registry, write

    known = registry.chosen(to, "--to") if to else registry.of_destination(destination, Path(destination))
    if since is not None:
        wishes = increments.Wishes(since, destination, known.name, wanted, foreign)
        with place.open(voice.warn) as opened, Report(report, destination) as written:
            return increments.run(voice, written, opened, clinic, wishes)
    with (
        place.open(voice.warn) as opened,
        Report(report, destination) as written,
        places.requests_counted() as requests,
    ):
        survey = sources.Survey(voice, written)
        done: Written | None = None
        pulled = Pulled(opened, clinic, survey, fhir=known.fhir)
        with interruptible("nothing was written; pull again to go on"), suppress(Nothing):
            done = write(destination, pulled.items(wanted, foreign=foreign), format=to, clinic=clinic)
        survey.end()
    survey.tell_places()
    if done is not None:
        sources.tell_written(voice, done)
    elif not wanted:
        pulled.missing.append(pulled.nothing)
    for missing in pulled.missing:
        voice.error(missing)
    if done is None:
        voice.say("nothing was written")
    voice.say(
        f"{number(survey.histories, 'history', 'histories')} from {number(pulled.mapped, 'resource')}; "
        f"{survey.kept} kept in no record; {number(requests.count, 'request')}"
    )
    return 0 if survey.valid and not pulled.missing else NotAllDone.exit_code


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

"""``mesofhir convert``: from one form of histories to another, offline."""

from __future__ import annotations

from pathlib import Path

import click

from mesofhir.cli import config, places, sources
from mesofhir.cli.options import General, Reading, common, general, reading, reporting, writing
from mesofhir.cli.report import Report
from mesofhir.cli.words import Voice, interruptible
from mesofhir.errors import InvalidInput


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@writing
@reporting("What no record holds, with path and reason")
@reading
@general
@common
def command(
    voice: Voice,
    general: General,
    reading: Reading,
    to: str,
    report: Path | None,
    source: str,
    destination: str,
) -> int:
    """Convert between records, FHIR and CSV, offline.

    What FHIR said and no record holds is kept whole in DST.kept.ndjson, and joined again on the way back. If
    anything is invalid, nothing is written. FHIR needs the clinic's namespace. DST is replaced as a whole, a
    folder with all the files in it: nothing is added to what is there.

    \b
    Formats, by name or with --from and --to:
      x.json, x.ndjson     json, ndjson   records
      a folder             csv            records, a CSV file for each table
      x.bundle.json        bundle         FHIR, one Bundle a history (x.bundles: a folder of them)
      x.fhir.ndjson        fhir           FHIR, one resource a line

    \b
    Examples:
      mesofhir convert clinic.json clinic.fhir.ndjson --namespace https://clinic.example/mesotherapy
      mesofhir convert from-ehr/ records.json --from fhir --report not-held.ndjson
      mesofhir convert clinic-csv/ - --to ndjson --locale it
    """
    settings = config.load(general.config)
    clinic = places.clinic_if_any(general, settings)
    from mesofhir.formats import write

    with (
        Report(report, source, destination) as written,
        places.source(source, reading, clinic, settings) as items,
    ):
        survey = sources.Survey(voice, written)
        with interruptible("nothing was written"):
            for _ in survey.of(items, "read", items):  # all of it, before any of it goes to standard output
                pass
        if not survey.valid:
            voice.say(f"nothing was written; {sources.counted(items.counts)}")
            return InvalidInput.exit_code
        with (
            interruptible("nothing was written" if destination != "-" else "the output is not whole"),
            voice.counting("written", survey.items) as counter,
        ):
            done = write(destination, counter.over(items), format=to, clinic=clinic)
    survey.tell_places()
    sources.tell_written(voice, done)
    voice.say(sources.counted(items.counts))
    return 0

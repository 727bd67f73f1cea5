"""``mesofhir check``: what a push would say about a source, without a server; and what a server's validator says."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesofhir.cli import config, contradicting, places, sources, validating
from mesofhir.cli.options import Connecting, General, Reading, common, connecting, general, reading, reporting
from mesofhir.cli.report import Report
from mesofhir.cli.words import Voice, interruptible
from mesofhir.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from mesofhir.formats import Item
    from mesofhir.mapping import Clinic


@click.command()
@click.argument("source", metavar="SRC")
@click.option("--server", metavar="SERVER", help="A server whose $validate judges each resource too, and stores none.")
@reporting("All problems")
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
    server: str | None,
) -> int:
    """Read, map and validate, without a network.

    Each history is read and checked, and mapped to FHIR; every resource that the histories become is validated
    against FHIR R4 and the rules of the profiles. So is what stands in a source of FHIR: each resource of yours, and
    each other one that claims a profile of mesofhir; what is neither is kept as it is, and not validated.
    Contradictions are told too, facts of one history that stand against each other (docs/contradictions.md): these
    refuse nothing.
    With --server each resource is judged by that server's own validator as well, by the same profiles: `mesofhir
    profiles install` puts them there. What it warns of is counted; the report has every line.
    Exit code 3: something is invalid, and a push would send nothing; or the source is empty. 4: the server has no
    $validate, or not our profiles.

    \b
    Examples:
      mesofhir check clinic.json --namespace https://clinic.example/mesotherapy
      mesofhir check clinic-csv/ --encoding cp1252 --locale it --timezone Europe/Rome
      mesofhir check clinic.json --server https://fhir.example.org/r4
    """
    settings = config.load(general.config)
    clinic = places.clinic(general, settings)
    made: Counter[str] = Counter()
    place = _place(server, connecting, settings)
    with (
        Report(report, source) as written,
        places.source(source, reading, clinic, settings) as items,
    ):
        survey = sources.Survey(voice, written)
        against = contradicting.Told(voice, written, places.strengths(settings), clinic.codes)
        refused = False
        with interruptible("nothing was changed; not all was checked"):
            for item in survey.of(_judged(items, clinic, made), "checked", items):
                against.see(item)
                if place and item.history is not None:
                    from mesofhir.sync.pushing.push import check_destination  # not needed offline, and slow to load

                    check_destination(place.said.url, item.history)
            against.end()
            if place:
                refused = validating.refused(items, place, clinic, voice, written)
    survey.tell_places()
    for kind, count in sorted(made.items()):
        click.echo(f"{count:8} {kind}")
    sys.stdout.flush()  # the numbers come after it also where both are one file
    voice.say(sources.counted(items.counts))
    return 0 if survey.valid and not refused else InvalidInput.exit_code


def _place(server: str | None, connecting: Connecting, settings: config.Config) -> places.Place | None:
    if server is not None:
        return places.place(server, connecting, settings)
    if any(value is not None for value in vars(connecting).values()):
        raise UsageError("it is said how to reach a server, and not which one: --server SERVER")
    return None


def _judged(items: Iterable[Item], clinic: Clinic, made: Counter[str]) -> Iterator[Item]:
    """The items, with what is wrong with their resources added to what is wrong with them."""
    from mesofhir.formats.judging import Judge

    judge = Judge(clinic)
    for item in items:
        made.update(judge.judge(item))
        yield item

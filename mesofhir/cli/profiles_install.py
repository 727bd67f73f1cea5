"""``mesofhir profiles install``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from mesofhir.cli import places
from mesofhir.cli.config import load
from mesofhir.cli.options import Connecting, common, configuration, connecting
from mesofhir.cli.words import Voice


@click.command()
@click.argument("server", metavar="SERVER")
@click.option("--dry-run", is_flag=True, help="Only say what would be new and what would change.")
@connecting
@configuration
@common
def command(voice: Voice, config: Path | None, connecting: Connecting, server: str, dry_run: bool) -> int:
    """Put the profiles on a server, with all that it needs to validate.

    Each resource is found by its canonical URL and version: what is there already and says the same is left alone,
    other versions stay as they are. A server that has validated by the profiles before they were there, or before
    they changed, may go on by what it remembers for some time (HAPI: up to ten minutes).

    \b
    Examples:
      mesofhir profiles install http://localhost:8080/fhir --dry-run
      mesofhir profiles install hospital
    """
    from mesofhir.fhir.profiles import package
    from mesofhir.sync.profiles import conformance

    told: set[str] = set()

    def say(done: conformance.Installed) -> None:
        reason = "" if done.why in told else done.why  # a type that is refused is refused for one reason
        told.add(done.why)
        if done.word != "same":
            r = done.resource
            click.echo(f"{done.word:8} {r['resourceType']} {r['id']}" + (f": {reason}" if reason else ""))

    place = places.place(server, connecting, load(config))
    with place.open(voice.warn) as opened:
        done = conformance.install(opened, package(), dry_run=dry_run, say=say)
    counts = Counter(d.word for d in done)
    line = ", ".join(f"{counts[word]} {word}" for word in conformance.WORDS if counts[word])
    voice.say(line + (" (nothing was written)" if dry_run else ""))
    return conformance.exit_code(done)

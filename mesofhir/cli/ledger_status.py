"""``mesofhir ledger status``: how much is done, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from mesofhir.cli import config, places
from mesofhir.cli.options import Connecting, General, common, connecting, general, remembering
from mesofhir.cli.words import MOST, Voice
from mesofhir.errors import UsageError


@click.command()
@click.argument("server", metavar="[SERVER]", required=False)
@remembering
@connecting
@general
@common
def command(
    voice: Voice, general: General, connecting: Connecting, ledger: Path | None, server: str | None
) -> int:
    """Say what was done, and what is pending, unknown or refused, per server.

    Without SERVER: of all ledgers in the user's data folder. A ledger knows records by hashes only;
    `ledger resolve` names them, by a source.

    \b
    Examples:
      mesofhir ledger status
      mesofhir ledger status hospital
    """
    from mesofhir.sync.ledger.look import look

    for path in _paths(general, connecting, ledger, server):
        seen = look(path)
        click.echo(f"{seen.server}\n  namespace {seen.namespace}\n  {path}")
        click.echo("  " + ", ".join(f"{n} {state}" for state, n in seen.counts.items()))
        if seen.interrupted:
            click.echo("  the last push was interrupted: `mesofhir push … --resume` goes on")
        for row in seen.open[:MOST]:
            where = f"{row['type']}/{row['id']}" if row["id"] else row["type"]
            sent = f"{row['method']} of {where} ({row['step']}), {row['at']}"
            click.echo(f"  {row['state']:8} {sent}, record {row['record']}")
        if len(seen.open) > MOST:
            click.echo(f"  … and {len(seen.open) - MOST} more")
    return 0


def _paths(general: General, connecting: Connecting, ledger: Path | None, server: str | None) -> Iterator[Path]:
    """The ledgers that are meant.

    :raises UsageError: there is none
    """
    from mesofhir.sync.ledger.files import folder

    if server is None and ledger is None:
        found = sorted(folder().glob("*.sqlite"))
        if not found:
            raise UsageError(f"there is no ledger in {folder()}: nothing was pushed yet, or elsewhere (--ledger)")
        yield from found
        return
    path = ledger
    if path is None and server is not None:
        settings = config.load(general.config)
        place = places.place(server, connecting, settings)
        clinic = place.clinic(places.clinic(general, settings), settings, lambda text: None)
        path = places.ledger_path(None, place, clinic)
    if path is None or not path.exists():
        raise UsageError(f"{path}: there is no such ledger: nothing was pushed there yet")
    yield path

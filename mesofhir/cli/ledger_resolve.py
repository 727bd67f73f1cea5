"""``mesofhir ledger resolve``: what nobody knows the outcome of is looked for, settled, or asked."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mesofhir.cli import config, places
from mesofhir.cli.options import (
    Connecting,
    General,
    Reading,
    common,
    connecting,
    general,
    reading,
    remembering,
)
from mesofhir.cli.words import Interrupted, Voice
from mesofhir.errors import UnknownOutcome

if TYPE_CHECKING:
    from mesofhir.sync.pushing.resolve import Answer, Question

_WORDS: Final = {
    "there": "is there",
    "not there": "is not there: the next push sends it",
    "forgotten": "is forgotten: the next push sends it",
    "kept": "stays as it is",
}


class _Person:
    """Whoever sits at the terminal, if anybody does.

    :param assume: their answer to everything, given beforehand
    """

    def __init__(self, assume: str | None) -> None:
        self.assume, self.there = assume, assume is None and sys.stdin.isatty()

    def asked(self, what: str) -> Answer:
        """:raises Interrupted: by Ctrl-C; after the end of input nothing more is asked, and all stays as it is"""
        if not self.there:
            return "forget" if self.assume == "forget" else "keep"
        click.echo(what, err=True)
        try:
            return "forget" if click.confirm("  forget that it was sent?", default=False, err=True) else "keep"
        except click.Abort as abort:
            click.echo(err=True)
            if not isinstance(abort.__context__, EOFError):
                raise Interrupted("interrupted: what was answered holds, the rest stays as it is") from None
            self.there = False
            return "keep"


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("server", metavar="SERVER")
@click.option("--gone", is_flag=True, help="Look for all that is done, too, and ask of what was deleted there.")
@click.option(
    "--assume", type=click.Choice(["forget", "keep"]),
    help="Answer every question so, instead of asking [default: asked on a terminal, else keep].",
)
@remembering
@reading
@connecting
@general
@common
def command(
    voice: Voice,
    general: General,
    connecting: Connecting,
    reading: Reading,
    ledger: Path | None,
    source: str,
    server: str,
    gone: bool,
    assume: str | None,
) -> int:
    """Settle what is pending or unknown: look for it on the server, compare, and ask of the rest.

    SRC gives the records their names; the ledger knows them by hashes only. Nothing is sent.

    \b
    Examples:
      mesofhir ledger resolve clinic.json hospital
      mesofhir ledger resolve clinic.json hospital --gone --assume forget
    """
    settings = config.load(general.config)
    place = places.place(server, connecting, settings)
    clinic = place.clinic(places.clinic(general, settings), settings, voice.say)
    from mesofhir.sync.pushing.resolve import resolve
    from mesofhir.sync.sending.writes import told

    person = _Person(assume)

    def ask(question: Question) -> Answer:
        return person.asked(f"{told(question.link)} {question.what}")

    counts: Counter[str] = Counter()
    with (
        place.open(voice.warn) as opened,
        places.source(source, reading, clinic, settings) as items,
        places.ledger(ledger, place, clinic) as remembered,
    ):
        for each in resolve(items, opened, clinic, remembered, ask, gone=gone):
            counts[each.how] += 1
            click.echo(f"{told(each.link)} {_WORDS[each.how]}")
        left = remembered.counts()
    voice.say(", ".join(f"{n} {how}" for how, n in sorted(counts.items())) or "nothing to settle in this source")
    waiting = left["pending"] + left["unknown"]
    if waiting:
        voice.say(f"{waiting} still pending or unknown")
    return UnknownOutcome.exit_code if waiting else 0

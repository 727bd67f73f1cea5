"""``mesofhir server check``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mesofhir.cli import places
from mesofhir.cli.config import load
from mesofhir.cli.options import Connecting, common, configuration, connecting
from mesofhir.cli.words import Voice
from mesofhir.errors import Refused

if TYPE_CHECKING:
    from mesofhir.server import Abilities, Server, Settled, TypeAbilities
    from mesofhir.sync.planning.plan import Plan, TypePlan

COLUMNS: Final = ("create", "read", "update", "search", "by identifier", "conditional create", "versions")
_NEEDED_OF_PEOPLE: Final = ("search", "by identifier")  # they belong to the EHR: found, not made
_SIGNS: Final = {True: "yes", False: "no", None: "?"}


@click.command()
@click.argument("server", metavar="SERVER")
@click.option(
    "--probe", is_flag=True,
    help="Ask what it does not say, by requests that change nothing (a count, a bundle with a count), and remember it.",
)
@connecting
@configuration
@common
def command(voice: Voice, config: Path | None, connecting: Connecting, server: str, probe: bool) -> int:
    """Say what a server is, what it can do for each type that we write, and how a push would go.

    It is asked for its CapabilityStatement, and changes nothing. `?` stands for what neither it nor a preset says,
    which is not a no; but nothing is written that nobody says can be. Exit code 4: something that a push needs is
    missing.

    \b
    Examples:
      mesofhir server check https://hapi.fhir.org/baseR4
      mesofhir server check hospital --preset epic-like
    """
    from mesofhir.sync.observing.observed import Observed, lines
    from mesofhir.sync.planning.plan import Plan

    place = places.place(server, connecting, load(config))
    with place.open(voice.warn) as opened:
        opened.capabilities()
        if probe:
            from mesofhir.sync.planning import probes

            place.remember(probes.ask(opened, kinds()))
        abilities = opened.abilities(anyway=True)
        missing = [*_missing(abilities), *(_not_let_in(opened) if place.said.auth not in (None, "none") else ())]
        plan = Plan(abilities)
        for line in (*_table(opened, abilities), "", *_planned(plan), "", *_settled(abilities)):
            click.echo(line)
        click.echo("")
        for line in lines(Observed(places.observed()), opened.url):
            click.echo(line)
    if unlisted := [kind for kind in kinds() if not abilities.said.of(kind).listed]:
        click.echo(f"not listed, which is not a no: {', '.join(unlisted)}")
    for reason in missing:
        click.echo(f"missing: {reason}")
    if place.sandbox:
        click.echo("everybody can read and write this server: synthetic histories only")
    return 4 if missing else 0


def kinds() -> list[str]:
    """The resource types that we write."""
    from mesofhir.mapping import Clinic
    from mesofhir.mapping.shapes import shapes_of

    return sorted({kind for kind, _ in shapes_of(Clinic("https://any.example"))})


def _table(server: Server, abilities: Abilities) -> Iterator[str]:
    said = abilities.said
    software = " ".join(filter(None, (said.software, said.software_version)))
    yield f"{server.url}: {software or 'software not said'}, FHIR {said.fhir_version or 'release not said'}"
    if abilities.preset.name:
        yield f"preset {abilities.preset.name}: {abilities.preset.about}"
    yield f"transaction: {_SIGNS[abilities.transaction.can]}   batch: {_SIGNS[abilities.batch.can]}"
    yield ""
    wide = max(map(len, kinds()))
    yield " ".join([" " * wide, *COLUMNS])
    for kind in kinds():
        can = _abilities(abilities.of(kind))
        yield " ".join([f"{kind:{wide}}", *(f"{_SIGNS[can[c]]:^{len(c)}}" for c in COLUMNS)]).rstrip()


def _abilities(kind: TypeAbilities) -> dict[str, bool | None]:
    return {
        **{column: kind[column].can for column in ("create", "read", "update")},
        "search": kind["search-type"].can,
        "by identifier": None if kind.params is None else "identifier" in kind.params,
        "conditional create": kind.conditional_create.can,
        "versions": kind.if_match.can,
    }


def _planned(plan: Plan) -> Iterator[str]:
    """The step that each type takes, and why no earlier one."""
    from mesofhir.sync.planning.plan import DOCUMENT, PEOPLE

    yield "how a push goes:"
    wide = max(map(len, kinds()))
    for kind in (*kinds(), DOCUMENT):
        planned = plan.of(kind)
        step = f"{planned.step}, after a search" if planned.blind and planned.step.batched else str(planned.step)
        notes = [planned.why, *planned.able.known.rules]
        if planned.step.itself and kind not in PEOPLE:
            notes += _changes(planned)
        if kind in PEOPLE:
            step = f"found; made only with --create-people: {step}" if planned.step.itself else "found, never made"
        yield f"{kind:{wide}} {step}" + (f" ({'; '.join(filter(None, notes))})" if any(notes) else "")


def _changes(planned: TypePlan) -> Iterator[str]:
    """How a change goes, where it does not go as it should."""
    able = planned.able
    if not (able.offers("read") or able.offers("search-type")):
        yield "it shows nothing of what is there: what the ledger does not know is told, and left"
    elif not planned.update:
        yield f"changes: {planned.update}"
    elif able.if_match.can is None:
        after = "looked at afterwards" if able["history-instance"] else "and it keeps no history to look at"
        yield f"changes: nobody says that If-Match is heeded, {after}"


def _settled(abilities: Abilities) -> Iterator[str]:
    """What the statement leaves open, and how that was settled, if it was."""
    answers: dict[str, list[str]] = {}
    for name, settled in (("transaction", abilities.transaction), ("batch", abilities.batch)):
        if settled.by != "declared":
            answers.setdefault(f"{name}: {_word(settled)}", [])
    for kind in kinds():
        able = abilities.of(kind)
        each = {**able.interactions, "conditional create": able.conditional_create, "If-Match": able.if_match}
        for name, settled in each.items():
            if settled.by != "declared":
                answers.setdefault(f"{name}: {_word(settled)}", []).append(kind)
    if answers:
        yield "not declared:"
    for answer, of in sorted(answers.items()):
        everything = len(of) == len(kinds())
        yield answer + (" of every type" if everything else f" of {', '.join(of)}" if of else "")
    if abilities.probed.told:
        yield f"probed: {abilities.probed.told}"
    if any(abilities.of(kind)["create"].can is None for kind in kinds()):
        yield "what is not known is not written; a preset may know it: --preset NAME, or a file of your own"


def _word(settled: Settled) -> str:
    return "not known" if settled.can is None else str(settled)


def _missing(abilities: Abilities) -> Iterator[str]:
    """What a push needs, and is not there."""
    from mesofhir.server.abilities import NOT_LISTED
    from mesofhir.sync.planning.plan import PEOPLE, Plan

    plan = Plan(abilities)
    if abilities.unfit:
        yield abilities.unfit
    if plan.patientless:
        yield f"{plan.patientless}: every history is stopped; push --files DIR puts them into files"
    for kind in kinds():
        able = abilities.of(kind)
        can = _abilities(able)
        planned = plan.of(kind)
        if kind in PEOPLE:
            unlisted = able["search-type"].by == NOT_LISTED
            if lacking := [each for each in _NEEDED_OF_PEOPLE if can[each] is False or unlisted]:
                yield f"{kind}: {', '.join(lacking)}"
        elif not planned.step.itself:
            yield f"{kind}: taken in no form of its own: {planned.step}"
        elif planned.update.can is False:
            yield f"{kind}: changes"


def _not_let_in(server: Server) -> Iterator[str]:
    """A CapabilityStatement is for everybody: whether our credentials open the door, a search tells.

    :raises NotAuthorised: they do not
    """
    offered = (kind for kind in ("Patient", *kinds()) if server.abilities(anyway=True).of(kind).offers("search-type"))
    if kind := next(offered, ""):
        try:
            next(iter(server.search(kind, [("_summary", "count")])), None)
        except Refused as why:
            yield f"a first search ({kind}): {why}"

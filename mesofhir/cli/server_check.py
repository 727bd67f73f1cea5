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
    from mesofhir.server import Capabilities, Server, TypeCapability

PEOPLE: Final = ("Patient", "Practitioner")
COLUMNS: Final = ("create", "read", "update", "search", "by identifier", "conditional create", "versions")
_NEEDED: Final = ("create", "read", "update", "search", "conditional create")
_NEEDED_OF_PEOPLE: Final = ("search", "by identifier")  # they belong to the EHR: found, not made
_RELEASES: Final = ("4.0.", "4.3.")
_SIGNS: Final = {True: "yes", False: "no", None: "?"}


@click.command()
@click.argument("server", metavar="SERVER")
@connecting
@configuration
@common
def command(voice: Voice, config: Path | None, connecting: Connecting, server: str) -> int:
    """Say what a server is, and what it can do for each type that we write.

    It is asked for its CapabilityStatement, and changes nothing. `?` stands for what it does not say, which is
    not a no. Exit code 4: something that a push needs is declared missing.

    \b
    Example:
      mesofhir server check https://hapi.fhir.org/baseR4
    """
    place = places.place(server, connecting, load(config))
    with place.open(voice.warn) as opened:
        said = opened.capabilities()
        for line in _table(opened, said):
            click.echo(line)
        missing = [*_missing(said), *(_not_let_in(opened) if place.said.auth not in (None, "none") else ())]
    if unlisted := [kind for kind in kinds() if not said.of(kind).listed]:
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


def _table(server: Server, said: Capabilities) -> Iterator[str]:
    software = " ".join(filter(None, (said.software, said.software_version)))
    yield f"{server.url}: {software or 'software not said'}, FHIR {said.fhir_version or 'release not said'}"
    yield f"transaction: {_SIGNS[said.transaction]}   batch: {_SIGNS[said.batch]}"
    yield ""
    wide = max(map(len, kinds()))
    yield " ".join([" " * wide, *COLUMNS])
    for kind in kinds():
        can = _abilities(said.of(kind))
        yield " ".join([f"{kind:{wide}}", *(f"{_SIGNS[can[c]]:^{len(c)}}" for c in COLUMNS)]).rstrip()


def _abilities(kind: TypeCapability) -> dict[str, bool | None]:
    """What is said about a type. A list of interactions, or of parameters, is taken as whole where there is one;
    that of types is not: the embedded server takes types that it does not list."""
    done, params = kind.interactions, kind.search_params
    words = {"create": "create", "read": "read", "update": "update", "search": "search-type"}
    return {
        **{column: None if done is None else word in done for column, word in words.items()},
        "by identifier": None if params is None else "identifier" in params,
        "conditional create": kind.conditional_create,
        "versions": None if kind.versioning is None else kind.versioning != "no-version",
    }


def _missing(said: Capabilities) -> Iterator[str]:
    """What a push needs, and is declared not to be there."""
    if said.fhir_version and not said.fhir_version.startswith(_RELEASES):
        yield f"FHIR R4: the server speaks {said.fhir_version[:20]}, we write 4.0.1"
    for kind in kinds():
        can = _abilities(said.of(kind))
        needed = _NEEDED_OF_PEOPLE if kind in PEOPLE else _NEEDED
        if lacking := [each for each in needed if can[each] is False]:
            yield f"{kind}: {', '.join(lacking)}"


def _not_let_in(server: Server) -> Iterator[str]:
    """A CapabilityStatement is for everybody: whether our credentials open the door, a search tells.

    :raises NotAuthorised: they do not
    """
    try:
        next(iter(server.search("CarePlan", [("_summary", "count")])), None)
    except Refused as why:
        yield f"a first search (CarePlan): {why}"

"""``mesofhir profiles show``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

import click

from mesofhir.cli.options import common, language
from mesofhir.cli.words import Voice
from mesofhir.errors import UsageError

if TYPE_CHECKING:
    from mesofhir.fhir.profiles import Package

WIDTH: Final = 110
HEADINGS: Final = {
    "en": ("element", "", "type", "asked for", "meaning"),
    "it": ("elemento", "", "tipo", "richiesto", "significato"),
}


@click.command()
@click.argument("name", metavar="NAME")
@language
@common
def command(voice: Voice, language: str, name: str) -> None:
    """Show what a profile asks for, as a table; or the codes of a value set.

    NAME is one of `mesofhir profiles list`, or its canonical URL. MS: must-support, what we write whenever a record
    states it and read back.

    \b
    Examples:
      mesofhir profiles show mesotherapy-session
      mesofhir profiles show sites --language it
    """
    from mesofhir.fhir.profiles import package

    found = named(package(), name)
    for line in lines(found, package(), language):
        click.echo(line)


def named(package: Package, name: str) -> Any:
    """What the package holds under an id, a name or a URL.

    :raises UsageError: nothing; with what was meant, perhaps
    """
    from difflib import get_close_matches

    by_name = {str(r["id"]): r for r in package.by_url.values()}
    found = package.get(name) or by_name.get(name)
    if found is None:
        near = get_close_matches(name, by_name, 1, 0.4)
        hint = f"did you mean {near[0]!r}?" if near else "`mesofhir profiles list` names all"
        raise UsageError(f"the package holds nothing of the name {name[:60]!r}: {hint}")
    return found


def lines(resource: Any, package: Package, language: str) -> Iterator[str]:
    """All that is to be shown of it."""
    from mesofhir.fhir.profiles import described

    yield f"{described.title(resource, language)} ({described.kind(resource)})"
    yield resource["url"]
    if where := described.on(resource):
        yield f"on {where}"
    yield ""
    yield from wrap(described.translated(resource, "description", language), WIDTH)
    yield ""
    if resource["resourceType"] == "StructureDefinition":
        yield from _table([HEADINGS[language], *(astuple(r) for r in described.rows(resource, package, language))])
        if stated := list(described.rules(resource)):
            yield ""
            yield from _table(stated)
    elif resource["resourceType"] in ("ValueSet", "CodeSystem"):
        yield from _table([("system", "code", "display", "it"), *described.codes(resource, package)])
    elif resource["resourceType"] == "ActivityDefinition":
        yield from (f"{k}: {v}" for k, v in resource["timingTiming"]["repeat"].items())


def _table(cells: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Columns as wide as they need; the last one is not padded."""
    wide = [min(max(len(row[n]) for row in cells), 60) for n in range(len(cells[0]) - 1)]
    for row in cells:
        yield "  ".join([*(f"{c:{w}}" for c, w in zip(row, wide, strict=False)), row[-1]]).rstrip()

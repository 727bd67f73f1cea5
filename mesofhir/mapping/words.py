"""What people read for a table, a field or a word of a choice, in Italian and English.

They stand in ``words.csv``: ``kind,name,it,en``.

``table``
    a table, in the singular: ``sessions`` → *Seduta*
``field``
    a column of a table, or of a list of values: ``sessions.start``
``choice``
    a word that a column may hold, or its unit: ``sessions.status.done``, ``cycles.interval.wk``
``one``
    a unit after the number one: *settimana*, where the choice says *settimane*
``phrase``
    the rest: *sì*, *no*, *non noto*

A line for ``*.start`` or ``*.*.wk`` serves wherever no nearer one stands. Words that a code set of
``terminology`` labels are not repeated here.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from mesofhir.errors import MesofhirError
from mesofhir.terminology import LANGUAGES, code_set

Kind = Literal["table", "field", "choice", "one", "phrase"]
KINDS: Final = ("table", "field", "choice", "one", "phrase")

LABELLED: Final = {
    "exclusions.kind": "contraindications",
    "findings.kind": "contraindications",
    "mixtures.route": "routes",
    "continuations.phase": "phases",
}
"""The choices whose words are tokens of a code set."""

_FILE = "words.csv"
_HEADING = ["kind", "name", *LANGUAGES]


@cache
def word(kind: Kind, name: str, language: str) -> str:
    """What people read for it.

    :param name: ``table``, ``table.field`` or ``table.field.word``; a list of values counts as a table
    :param language: ``it`` or ``en``
    :raises KeyError: if there is no such thing, or no such language
    """
    if line := line_of(kind, name):
        return lines()[line][language]
    column, _, token = name.rpartition(".")
    if kind == "choice" and column in LABELLED:
        return code_set(LABELLED[column]).label(token, language)
    raise KeyError(f"no word for {kind} {name!r}")


def line_of(kind: Kind, name: str) -> tuple[str, str] | None:
    """Kind and name of the line that answers, the nearest first."""
    rest = name.partition(".")[2]
    token = rest.partition(".")[2]
    nearest = [name]
    if rest:
        nearest.append(f"*.{rest}")
    if token:
        nearest.append(f"*.*.{token}")
    kinds: tuple[Kind, ...] = ("one", "choice") if kind == "one" else (kind,)
    return next(((k, n) for k in kinds for n in nearest if (k, n) in lines()), None)


@cache
def lines() -> Mapping[tuple[str, str], Mapping[str, str]]:
    """All lines: (kind, name) → language → word.

    :raises MesofhirError: if the table is broken: a bug of ours
    """
    return _lines(files("mesofhir.mapping").joinpath(_FILE).read_text(encoding="utf-8"))


def _lines(text: str) -> dict[tuple[str, str], dict[str, str]]:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for number, cells in enumerate(csv.reader(text.splitlines(), strict=True), 1):
        where = f"{_FILE}, line {number}"
        if number == 1:
            _require(cells == _HEADING, where, f"the heading must be {','.join(_HEADING)}")
            continue
        _require(len(cells) == len(_HEADING), where, f"{len(cells)} cells, expected {len(_HEADING)}")
        _require(all(c and c == c.strip() for c in cells), where, "an empty cell, or blanks around one")
        kind, name, *words = cells
        _require(kind in KINDS, where, f"unknown kind {kind!r}")
        _require((kind, name) not in found, where, f"{kind} {name!r} stands here twice")
        found[kind, name] = dict(zip(LANGUAGES, words, strict=True))
    return found


def _require(condition: bool, where: str, what: str) -> None:
    if not condition:
        raise MesofhirError(f"{where}: {what}")

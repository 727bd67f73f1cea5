"""From plain values to the model, and what is wrong with them: in words of ours, without values of the input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from mesofhir.errors import InvalidInput, Problem
from mesofhir.records import model
from mesofhir.records.tables import PATIENTS, TABLES, Column, Table


def decode(raw: Any, where: str = "input") -> model.TreatmentHistory:
    """A history from plain JSON values.

    :param where: the name of the input, for messages
    :raises InvalidInput: with the JSON path of what is wrong; values are never quoted
    """
    return convert(raw, lambda path: f"{where}: {path}")


Place = Callable[[str], str]  # JSON path → how the caller's input calls that place


def convert(raw: Any, place: Place) -> model.TreatmentHistory:
    """A history from plain values.

    :raises InvalidInput: with what is wrong, each at its place
    """
    problems = list(_strict(raw, TABLES[PATIENTS], "$", place))
    if problems:
        raise InvalidInput(problems)
    try:
        return msgspec.convert(raw, model.TreatmentHistory)
    except msgspec.ValidationError as e:
        raise InvalidInput(_problem(str(e), place)) from None


def admissible(row: Mapping[str, Any], table: Table) -> tuple[dict[str, Any] | None, list[str]]:
    """A row as far as a record may say it, without the fields that no record may have as they stand; and the names
    of these.

    :param row: of one record, without links
    :return: None for the record where a field is missing that each record of the table has
    """
    out = dict(row)
    without: list[str] = []
    while wrong := _wrong(out, table):
        if wrong not in out:
            return None, without
        without.append(wrong)
        del out[wrong]
    return out, without


def _wrong(row: Mapping[str, Any], table: Table) -> str:
    """The first field that keeps a row from being a record: "" where there is none, ``$`` where one is missing."""
    strict = next(_strict(row, table, "$", str), None)
    if strict is None:
        try:
            msgspec.convert(row, table.struct)
        except msgspec.ValidationError as e:
            place = _AT.search(str(e))
        else:
            return ""
    field = re.match(r"\$\.([a-z_]+)", strict.where if strict else place["path"] if place else "$")
    return field[1] if field else "$"


_SAFE_NAME = re.compile(r"[a-z][a-z_0-9]{0,40}")


def _strict(raw: Any, table: Table, path: str, place: Place) -> Iterator[Problem]:
    """What msgspec would take, or would quote: ``"0.50"`` for a number, and fields that do not exist."""
    if not isinstance(raw, dict):
        return
    for name, value in raw.items():
        column = table.columns.get(name)
        if column is None and name not in table.children:
            yield _unknown_field(name, table, place(path))
            continue
        here = f"{path}.{name}"
        if column is not None and column.kind == "number" and isinstance(value, str):
            yield Problem(place(here), "text is not allowed here", "a number", "remove the quotes")
        below = TABLES[name] if column is None else column.values
        if below is not None and isinstance(value, list):
            for i, item in enumerate(value):
                yield from _strict(item, below, f"{here}[{i}]", place)


def _unknown_field(name: Any, table: Table, place: str) -> Problem:
    from difflib import get_close_matches

    shown = isinstance(name, str) and _SAFE_NAME.fullmatch(name)
    near = get_close_matches(name, [*table.columns, *table.children], 1, 0.6) if shown else []
    what = f"unknown field `{name}`" if shown else "unknown field (its name is not shown)"
    return Problem(place, what, hint=f"did you mean `{near[0]}`?" if near else "")


_AT = re.compile(r" - at `(?P<path>[^`]*)`$")
_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]*)`(, got `(?P<got>[^`]*)`)?")
_WORDS: Final = {
    "decimal": "a number",
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def _problem(message: str, place: Place) -> Problem:
    """msgspec's message in our words, without values of the input."""
    at = _AT.search(message)
    path = at["path"] if at else "$"
    where, column = place(path), _declared(path)
    expected = _EXPECTED.match(message)
    if missing := re.match(r"Object missing required field `([a-z_]+)`", message):
        return Problem(where, f"the required field `{missing[1]}` is missing")
    if message.startswith("Invalid enum value") and column is not None:
        return Problem(where, "not one of the allowed words", " or ".join(column.choices))
    if "matching regex" in message and column is not None:
        return Problem(where, "not in the expected form", _FORMS[column.pattern])
    if "of length" in message:
        return Problem(where, "too long", _FORMS[model.KEY_PATTERN])
    if limit := re.match(r"Expected `int` (>=|<=) (\d+)", message):
        return Problem(where, "out of range", f"at {'least' if limit[1] == '>=' else 'most'} {limit[2]}")
    if expected and expected["got"]:
        wanted = [_WORDS.get(w.strip(), w.strip()) for w in expected["expected"].split("|")]
        got = _WORDS.get(expected["got"], "something else")
        return Problem(where, f"{got} is not allowed here", " or ".join(wanted))
    return Problem(where, "not as the schema asks", hint="see `mesofhir schema`")


def _declared(path: str) -> Column | None:
    table, column = TABLES[PATIENTS], None
    for name in re.findall(r"\.([a-z_]+)", path):
        column = table.columns.get(name)
        table = TABLES[name] if column is None else column.values or table
    return column


_FORMS: Final = {
    model.KEY_PATTERN: "a key of at most 100 characters without `, | $ \\`, blanks at its ends or control characters",
    model.TIME_PATTERN: "a FHIR date (2026, 2026-03, 2026-03-04) or a time with its zone (2026-03-04T10:30:00+01:00)",
    model.DATE_PATTERN: "a FHIR date (2026, 2026-03 or 2026-03-04)",
    model.TEXT_PATTERN: "text that is not blank, without control characters",
    model.CODE_PATTERN: "a word of a code set, without blanks at its ends",
    model.URI_PATTERN: "a URI without blanks",
}
"""What a pattern asks for, in words."""

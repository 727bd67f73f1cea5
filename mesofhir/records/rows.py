"""A treatment history as a tree ⇄ as rows: tables joined by keys.

``flatten`` turns a history into rows, ``nest`` turns rows back. A row is a plain dict of the stated fields;
``patient`` holds the patient's key and ``of`` the key of the record that it stands in, where that is not the
patient. Practitioners belong to no patient: a history takes those that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, inspect

from mesofhir.errors import InvalidInput, Problem
from mesofhir.records import model

Kind = Literal["text", "number", "integer", "boolean", "choice", "words", "values"]
PATIENTS: Final = "patients"
SHARED: Final = "practitioners"
LINKS: Final = ("patient", "of")


@dataclass(frozen=True)
class Column:
    """A field of a record or of a value, as the model declares it.

    :param kind: text, number (exact decimal), integer, boolean, choice, words (a list of text), or values
        (a list of structs without a key)
    :param values: the struct of one value
    :param choices: the allowed words of a choice
    :param codes: the code set of its words (``terminology``); ``open``: also ``system|code``
    :param to: the table whose keys it names
    """

    name: str
    kind: Kind
    description: str
    required: bool
    nullable: bool
    values: Table | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    codes: str = ""
    open: bool = False
    to: str = ""
    needs: str = ""
    unit: str = ""
    must: bool = False

    @property
    def may_be_unknown(self) -> bool:
        """May a record's ``unknown`` name it? Not a reference, a unit, or the wording of a code."""
        wording = self.name.endswith(("_text", "_unit"))
        return self.nullable and self.name != "status" and not self.to and not wording


@dataclass(frozen=True)
class Table:
    """The records of one kind, or the values of one list field.

    :param name: the plural by which the tree, the CSV folder and the identifiers know it
    :param parent: the table that it stands in; "" for patients, practitioners
    :param children: the attribute of the struct, which is the name of the child table
    """

    name: str
    struct: type[msgspec.Struct]
    parent: str
    columns: dict[str, Column]
    children: tuple[str, ...]

    @property
    def description(self) -> str:
        return " ".join((self.struct.__doc__ or "").split())

    @cached_property
    def scalars(self) -> dict[str, Column]:
        """The columns that hold one value or a list of words."""
        return {n: c for n, c in self.columns.items() if c.kind != "values"}


TABLES: Final[dict[str, Table]] = {}


def _column(f: inspect.Field) -> Column:
    t: Any = f.type
    extra: dict[str, Any] = {}
    description = ""
    while isinstance(t, inspect.Metadata):
        extra, schema = {**extra, **(t.extra or {})}, t.extra_json_schema or {}
        description = description or schema.get("description", "")
        t = t.type
    options = list(t.types) if isinstance(t, inspect.UnionType) else [t]
    nullable = any(isinstance(o, inspect.NoneType) for o in options)
    [main] = [o for o in options if not isinstance(o, inspect.NoneType)]
    while isinstance(main, inspect.Metadata):
        extra, schema = {**(main.extra or {}), **extra}, main.extra_json_schema or {}
        description = description or schema.get("description", "")
        main = main.type
    kind: Kind
    values: Table | None = None
    choices: tuple[str, ...] = ()
    if isinstance(main, inspect.LiteralType):
        kind, choices = "choice", tuple(map(str, main.values))
    elif isinstance(main, inspect.ListType):
        item = main.item_type
        while isinstance(item, inspect.Metadata):
            item = item.type
        kind = "values" if isinstance(item, inspect.StructType) else "words"
        if isinstance(item, inspect.StructType):
            values = Table(f.name, item.cls, "", {c.name: _column(c) for c in item.fields}, ())
    else:
        kinds: dict[type, Kind] = {
            inspect.StrType: "text",
            inspect.DecimalType: "number",
            inspect.IntType: "integer",
            inspect.BoolType: "boolean",
        }
        kind = kinds[type(main)]
    pattern = main.pattern or "" if isinstance(main, inspect.StrType) else ""
    return Column(
        f.name, kind, description, f.required, nullable, values, choices, pattern or "", **extra
    )


def _walk(struct: type[msgspec.Struct], name: str, parent: str) -> None:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)  # noqa: S101
    columns, children = {}, []
    for f in info.fields:
        t = f.type
        while isinstance(t, inspect.Metadata):
            t = t.type
        item = t.item_type if isinstance(t, inspect.ListType) else None
        if isinstance(item, inspect.StructType) and issubclass(item.cls, model.Record):
            children.append((f.name, item.cls))
        else:
            columns[f.name] = _column(f)
    order = ["key", *(n for n in columns if n not in ("key", "unknown")), "unknown"]
    TABLES[name] = Table(name, struct, parent, {n: columns[n] for n in order}, tuple(n for n, _ in children))
    for child, cls in children:
        _walk(cls, child, "" if child == SHARED else name)


_walk(model.TreatmentHistory, PATIENTS, "")


def flatten(history: model.TreatmentHistory) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (table, row) of each record, parents before children."""
    yield from _flatten(history, PATIENTS, {})


def _flatten(
    record: msgspec.Struct, name: str, links: dict[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    table = TABLES[name]
    row = {n: _plain(v) for n in table.columns if (v := getattr(record, n)) is not UNSET}
    yield name, row | ({} if name == SHARED else links)
    key = row["key"]
    below = {"patient": key} if name == PATIENTS else {"patient": links.get("patient", key), "of": key}
    for child in table.children:
        for item in getattr(record, child):
            yield from _flatten(item, child, below)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, msgspec.Struct):
        return {n: _plain(v) for n in value.__struct_fields__ if (v := getattr(value, n)) is not UNSET}
    return value


def plain(history: model.TreatmentHistory) -> dict[str, Any]:
    """The history as plain JSON values, keyed lists in the order of their keys, empty ones left out."""
    return _tree(history, PATIENTS)


def _tree(record: msgspec.Struct, name: str) -> dict[str, Any]:
    table = TABLES[name]
    out = {n: _plain(v) for n in table.columns if (v := getattr(record, n)) is not UNSET}
    for child in table.children:
        items = sorted(getattr(record, child), key=lambda r: r.key)
        if items:
            out[child] = [_tree(i, child) for i in items]
    return out


def sorted_by_key(history: model.TreatmentHistory) -> model.TreatmentHistory:
    """The same history, its keyed lists in the order of their keys: two of them are equal if they say the
    same (architecture, rule 1: keyed lists are sets)."""
    return _build(plain(history))


Rows = Mapping[str, Mapping[str, dict[str, Any]]]  # table → key → row
Orphan = tuple[str, dict[str, Any]]


def nest(rows: Rows) -> tuple[list[model.TreatmentHistory], list[Orphan]]:
    """Histories from rows, in the order of their keys; and the rows that belong to none of them.

    :raises InvalidInput: a row is not what the model asks for
    """
    below: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for name, records in rows.items():
        for row in records.values():
            parent = TABLES[name].parent
            if parent:
                owner = row.get("patient") if parent == PATIENTS else row.get("of")
                below.setdefault((name, parent, str(owner)), []).append(row)
    used: set[tuple[str, str]] = set()

    def build(name: str, row: dict[str, Any]) -> dict[str, Any]:
        used.add((name, row["key"]))
        out = {k: v for k, v in row.items() if k not in LINKS}
        for child in TABLES[name].children:
            if child != SHARED:
                found = below.get((child, name, row["key"]), [])
                found = [r for r in found if r.get("patient", row.get("patient")) == row.get("patient")] if (
                    name != PATIENTS
                ) else found
                if found:
                    out[child] = [build(child, r) for r in sorted(found, key=lambda r: str(r["key"]))]
        return out

    histories = []
    for _, row in sorted(rows.get(PATIENTS, {}).items()):
        tree = build(PATIENTS, row)
        staff = rows.get(SHARED, {})
        named = sorted(k for k in practitioners_named(tree, PATIENTS) if k in staff)
        if named:
            tree[SHARED] = [build(SHARED, staff[k]) for k in named]
        histories.append(_build(tree))
    orphans = [
        (name, row) for name, records in rows.items() for key, row in records.items() if (name, key) not in used
    ]
    return histories, orphans


def practitioners_named(tree: Mapping[str, Any], name: str) -> set[str]:
    """The keys of the practitioners that a plain tree refers to."""
    table = TABLES[name]
    keys = {tree[c.name] for c in table.columns.values() if c.to == SHARED and isinstance(tree.get(c.name), str)}
    for child in table.children:
        if child != SHARED:
            keys = keys.union(*(practitioners_named(t, child) for t in tree.get(child, ())))
    return keys


def _build(tree: Mapping[str, Any]) -> model.TreatmentHistory:
    return msgspec.convert(tree, model.TreatmentHistory)


def decode(raw: Any, where: str = "input") -> model.TreatmentHistory:
    """A history from plain JSON values.

    :raises InvalidInput: with the JSON path of what is wrong; values are never quoted
    """
    problems = list(_text_for_numbers(raw, TABLES[PATIENTS], "$", where))
    if problems:
        raise InvalidInput(problems)
    try:
        return msgspec.convert(raw, model.TreatmentHistory)
    except msgspec.ValidationError as e:
        raise InvalidInput(_problem(str(e), raw, where)) from None


def _text_for_numbers(raw: Any, table: Table, path: str, where: str) -> Iterator[Problem]:
    """Numbers are numbers: msgspec would take ``"0.50"`` for one."""
    if not isinstance(raw, dict):
        return
    for name, value in raw.items():
        column = table.columns.get(name) if isinstance(name, str) else None
        if column is not None and column.kind == "number" and isinstance(value, str):
            yield Problem(
                f"{where}: {path}.{name}", "text where a number was expected", "a JSON number", "remove the quotes"
            )
        below = TABLES[name] if name in table.children else column.values if column else None
        if below is not None and isinstance(value, list):
            for i, item in enumerate(value):
                yield from _text_for_numbers(item, below, f"{path}.{name}[{i}]", where)


_AT = re.compile(r" - at `(?P<path>.*?)`$", re.S)
_EXPECTED = re.compile(r"Expected `(?P<expected>.*?)`(?:, got `(?P<got>.*?)`)?$", re.S)
_FIELD = re.compile(r"field `(?P<name>.*)`", re.S)
_SAFE_NAME = re.compile(r"[a-z][a-z_0-9]{0,40}")


def _problem(message: str, raw: Any, where: str) -> Problem:
    """msgspec's message in our words, without values of the input."""
    at = _AT.search(message)
    path = at["path"] if at else "$"
    message = message[: at.start()] if at else message
    place = f"{where}: {path}"
    table, column = _declared(path)
    if field := _FIELD.search(message):
        name = field["name"]
        if "missing" in message:
            return Problem(place, f"the required field `{name}` is missing")
        shown = f"`{name}`" if _SAFE_NAME.fullmatch(name) else "(its name is not shown)"
        near = _near(name, table)
        return Problem(place, f"unknown field {shown}", hint=f"did you mean `{near}`?" if near else "")
    if message.startswith("Invalid enum value"):
        return Problem(place, "not one of the allowed words", " or ".join(column.choices) if column else "")
    if "regex" in message and column is not None:
        return Problem(place, "not in the expected form", _form(column))
    if "`str` of length" in message:
        return Problem(place, "too long", "at most 100 characters")
    if m := _EXPECTED.search(message):
        words = {"decimal": "a number", "str": "text", "int": "a whole number", "bool": "true or false",
                 "array": "a list", "object": "an object", "null": "null", "float": "a number"}  # fmt: skip
        expected = " or ".join(words.get(w.strip(), w.strip()) for w in m["expected"].split("|"))
        got = words.get(m["got"] or "", m["got"] or "something else")
        return Problem(place, f"{got} is not allowed here", expected)
    return Problem(place, "not as the schema asks")


def _declared(path: str) -> tuple[Table, Column | None]:
    table, column = TABLES[PATIENTS], None
    for name in re.findall(r"\.([a-z_]+)", path):
        if name in table.children:
            table, column = TABLES[name], None
        elif name in table.columns:
            column = table.columns[name]
            table = column.values or table
    return table, column


def _near(name: str, table: Table) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, [*table.columns, *table.children], 1, 0.6)), "")


def _form(column: Column) -> str:
    """What a pattern asks for, in words."""
    if column.name == "key" or column.to:
        return "a key of at most 100 characters without `, | $ \\`, blanks at its ends or control characters"
    if column.pattern == model.TIME_PATTERN:
        return "a FHIR date (2026, 2026-03, 2026-03-04) or a time with its zone (2026-03-04T10:30:00+01:00)"
    if column.pattern == model.DATE_PATTERN:
        return "a FHIR date (2026, 2026-03 or 2026-03-04)"
    if column.pattern == model.TEXT_PATTERN:
        return "text that is not blank, without control characters"
    return f"the form {column.pattern}"


def number(value: Any) -> Decimal:
    """A number as the model holds it."""
    return Decimal(value)

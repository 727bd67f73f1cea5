"""A treatment history as a tree ⇄ as rows: tables joined by keys.

``flatten`` turns a history into rows, ``nest`` turns rows back. A row is a plain dict of the stated fields;
``patient`` holds the patient's key and ``of`` the key of the record that it stands in, where that is not the
patient. Practitioners belong to no patient: a history takes those that it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
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
    known: bool = False

    @property
    def may_be_unknown(self) -> bool:
        """May a record's ``unknown`` name it? Not a reference, a unit, or the wording of a code."""
        wording = self.name.endswith(("_text", "_unit")) or self.codes == "protocols"
        return self.nullable and self.name != "status" and not (self.to or self.known or wording)


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


_KINDS: Final[dict[type, Kind]] = {
    inspect.StrType: "text",
    inspect.DecimalType: "number",
    inspect.IntType: "integer",
    inspect.BoolType: "boolean",
    inspect.LiteralType: "choice",
}


def _bare(t: inspect.Type) -> tuple[Any, dict[str, Any], str]:
    """A type without what ``Annotated`` says of it; what ``model.doc`` says; the description."""
    extra: dict[str, Any] = {}
    description = ""
    while isinstance(t, inspect.Metadata):
        extra = {**(t.extra or {}), **extra}
        description = description or (t.extra_json_schema or {}).get("description", "")
        t = t.type
    return t, extra, description


def _column(f: inspect.Field) -> Column:
    t, extra, description = _bare(f.type)
    options = t.types if isinstance(t, inspect.UnionType) else (t,)
    [stated] = [o for o in options if not isinstance(o, inspect.NoneType)]
    main, also, about = _bare(stated)
    kind: Kind = "words"
    values = None
    if isinstance(main, inspect.ListType):
        main, *_ = _bare(main.item_type)
        if isinstance(main, inspect.StructType):
            kind = "values"
            values = Table(f.name, main.cls, "", {c.name: _column(c) for c in main.fields}, ())
    else:
        kind = _KINDS[type(main)]
    return Column(
        f.name,
        kind,
        description or about,
        f.required,
        nullable=len(options) > 1,
        values=values,
        choices=tuple(map(str, getattr(main, "values", ()))),
        pattern=getattr(main, "pattern", "") or "",
        **{**also, **extra},
    )


def _walk(struct: type[msgspec.Struct], name: str, parent: str) -> None:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)  # noqa: S101
    columns, children = {}, {}
    for f in info.fields:
        t, *_ = _bare(f.type)
        item = getattr(t, "item_type", None)
        if isinstance(item, inspect.StructType) and issubclass(item.cls, model.Record):
            children[f.name] = item.cls
        else:
            columns[f.name] = _column(f)
    order = ["key", *(n for n in columns if n not in ("key", "unknown")), "unknown"]
    TABLES[name] = Table(name, struct, parent, {n: columns[n] for n in order}, tuple(children))
    for child, cls in children.items():
        _walk(cls, child, "" if child == SHARED else name)


_walk(model.TreatmentHistory, PATIENTS, "")


def flatten(history: model.TreatmentHistory) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (table, row) of each record, parents before children."""
    yield from _flatten(history, PATIENTS, {})


def _flatten(record: msgspec.Struct, name: str, links: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
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


def plain(history: model.TreatmentHistory, *, by_key: bool = True) -> dict[str, Any]:
    """The history as plain JSON values, empty keyed lists left out.

    :param by_key: keyed lists, and the names in ``unknown``, in the order of their keys; else as they stand
    """
    return _tree(history, PATIENTS, by_key)


def _tree(record: msgspec.Struct, name: str, by_key: bool) -> dict[str, Any]:
    table = TABLES[name]
    out = {n: _plain(v) for n in table.columns if (v := getattr(record, n)) is not UNSET}
    if by_key and "unknown" in out:
        out["unknown"].sort()  # a set, like keyed lists
    for child in table.children:
        items = getattr(record, child)
        if items:
            items = sorted(items, key=lambda r: r.key) if by_key else items
            out[child] = [_tree(i, child, by_key) for i in items]
    return out


def sorted_by_key(history: model.TreatmentHistory) -> model.TreatmentHistory:
    """The same history, its keyed lists in the order of their keys: two of them are equal if they say the
    same (architecture, rule 1: keyed lists are sets; so is ``unknown``)."""
    return msgspec.convert(plain(history), model.TreatmentHistory)


Rows = Mapping[str, Mapping[str, dict[str, Any]]]  # table → key → row
Orphan = tuple[str, dict[str, Any]]


def nest(rows: Rows) -> tuple[list[model.TreatmentHistory], list[Orphan]]:
    """Histories from rows, in the order of their keys; and the rows that belong to none of them.

    :raises InvalidInput: a row is not what the model asks for; its place is given as table and key
    """
    below: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for name, records in rows.items():
        owner = "patient" if TABLES[name].parent == PATIENTS else "of"
        if TABLES[name].parent:
            for row in records.values():
                below.setdefault((name, row.get(owner)), []).append(row)
    used: set[tuple[str, str]] = set()

    def build(name: str, row: dict[str, Any], patient: str) -> dict[str, Any]:
        key = row["key"]
        used.add((name, key))
        out = {k: v for k, v in row.items() if k not in LINKS}
        if isinstance(out.get("unknown"), list):
            out["unknown"] = sorted(out["unknown"], key=str)
        for child in TABLES[name].children:
            found = [r for r in below.get((child, key), ()) if r.get("patient", patient) == patient]
            if found:
                found.sort(key=lambda r: str(r["key"]))
                out[child] = [build(child, r, patient) for r in found]
        return out

    histories = []
    staff = rows.get(SHARED, {})
    for patient, row in sorted(rows.get(PATIENTS, {}).items()):
        tree = build(PATIENTS, row, patient)
        named = sorted(practitioners_named(tree, PATIENTS) & staff.keys())
        if named:
            tree[SHARED] = [build(SHARED, staff[k], patient) for k in named]
        histories.append(_convert(tree, partial(_row_at, tree)))
    orphans = [(name, r) for name, rs in rows.items() for key, r in rs.items() if (name, key) not in used]
    return histories, orphans


def practitioners_named(tree: Mapping[str, Any], name: str) -> set[str]:
    """The keys of the practitioners that a plain tree refers to."""
    table = TABLES[name]
    stated = [tree.get(c.name) for c in table.columns.values() if c.to == SHARED]
    keys = {key for key in stated if isinstance(key, str)}
    for child in table.children:
        for item in tree.get(child, ()) if child != SHARED else ():
            keys |= practitioners_named(item, child)
    return keys


def decode(raw: Any, where: str = "input") -> model.TreatmentHistory:
    """A history from plain JSON values.

    :param where: the name of the input, for messages
    :raises InvalidInput: with the JSON path of what is wrong; values are never quoted
    """
    return _convert(raw, lambda path: f"{where}: {path}")


# --- from plain values to the model, and what is wrong with them --------------------------------------------

Place = Callable[[str], str]  # JSON path → how the caller's input calls that place


def _convert(raw: Any, place: Place) -> model.TreatmentHistory:
    problems = list(_strict(raw, TABLES[PATIENTS], "$", place))
    if problems:
        raise InvalidInput(problems)
    try:
        return msgspec.convert(raw, model.TreatmentHistory)
    except msgspec.ValidationError as e:
        raise InvalidInput(_problem(str(e), place)) from None


def _row_at(tree: dict[str, Any], path: str) -> str:
    """The place of a JSON path, in rows: table, key and field."""
    place, item = f"{PATIENTS} {tree['key']}", tree
    rest = path.removeprefix("$")
    while m := re.match(r"\.([a-z_]+)\[(\d+)\]", rest):
        child = item[m[1]][int(m[2])]
        if m[1] not in TABLES or not isinstance(child, dict):
            break
        item = child
        place, rest = f"{m[1]} {item['key']}", rest[m.end() :]
    return f"{place}: {rest.removeprefix('.')}" if rest else place


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

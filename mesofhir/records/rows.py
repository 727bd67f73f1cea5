"""A treatment history as a tree ⇄ as rows: tables joined by keys.

``flatten`` turns a history into rows, ``nest`` turns rows back. A row is a plain dict of the stated fields;
``patient`` holds the patient's key and ``of`` the key of the record that it stands in, where that is not the
patient. Practitioners belong to no patient: a history takes those that it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET

from mesofhir.records import model
from mesofhir.records.decoding import convert
from mesofhir.records.tables import PATIENTS, SHARED, TABLES

LINKS: Final = ("patient", "of")


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


def paths(history: model.TreatmentHistory) -> dict[tuple[str, str], str]:
    """(table, key) of each record of a history → its JSON path (``$.cycles[0]``); of a key that stands there twice
    the first."""
    found: dict[tuple[str, str], str] = {}

    def walk(tree: Mapping[str, Any], name: str, path: str) -> None:
        found.setdefault((name, tree["key"]), path)
        for child in TABLES[name].children:
            for i, item in enumerate(tree.get(child, ())):
                walk(item, child, f"{path}.{child}[{i}]")

    walk(plain(history, by_key=False), PATIENTS, "$")
    return found


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
        histories.append(convert(tree, partial(_row_at, tree)))
    orphans = [(name, r) for name, rs in rows.items() for key, r in rs.items() if (name, key) not in used]
    return histories, orphans


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


def practitioners_named(tree: Mapping[str, Any], name: str) -> set[str]:
    """The keys of the practitioners that a plain tree refers to."""
    table = TABLES[name]
    stated = [tree.get(c.name) for c in table.columns.values() if c.to == SHARED]
    keys = {key for key in stated if isinstance(key, str)}
    for child in table.children:
        for item in tree.get(child, ()) if child != SHARED else ():
            keys |= practitioners_named(item, child)
    return keys

"""Histories as JSON: one, a list of them, or one a line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from mesofhir.errors import InvalidInput, Problem
from mesofhir.fhir.exactjson import encode, encode_pretty
from mesofhir.formats.fhir_source import is_fhir
from mesofhir.formats.item import Item
from mesofhir.formats.json_values import Value
from mesofhir.formats.moments import with_zones
from mesofhir.formats.options import Options
from mesofhir.formats.spool import Spool
from mesofhir.records import Fault, decode, flatten, paths, plain
from mesofhir.records.tables import SHARED

UNIQUE: Final = "a key that is unique in its table across the namespace"


def read(values: Iterable[Value], options: Options) -> Iterator[Item]:
    """The histories of JSON values, each where it stands."""
    for value in values:
        yield _item(value, options)


def _item(value: Value, options: Options) -> Item:
    item = Item(value.where, faults=list(value.faults))
    if item.faults:
        return item
    if is_fhir(value.data):
        hint = "an input holds records or FHIR, not both"
        item.faults.append(Problem(item.where, "a FHIR resource among records", "a history", hint))
        return item
    with_zones(value.data, options, value.prefix, item.faults)
    key = value.data.get("key") if isinstance(value.data, dict) else None
    item.patient = key if isinstance(key, str) else ""
    try:
        item.history = decode(value.data, "")
    except InvalidInput as error:
        told = {p.where for p in item.faults}
        found = [
            Problem(value.prefix + p.where.removeprefix(": ").removeprefix("$"), p.what, p.expected, p.hint)
            for p in error.problems
        ]
        item.faults += [p for p in found if p.where not in told]
        return item
    item.locate = lambda fault: value.prefix + fault.path.removeprefix("$")
    return item


class SeenKeys:
    """The keys of the histories that were read: each of its table once, a practitioner always the same."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        spool.make(
            "CREATE TABLE seen (tbl TEXT, key TEXT, place TEXT, digest BLOB, PRIMARY KEY (tbl, key)) WITHOUT ROWID"
        )

    def begin(self) -> None:
        """Nothing was seen yet."""
        self.spool.do("DELETE FROM seen")

    def check(self, item: Item) -> None:
        """Add the keys of an item, and as its faults those that stood in an earlier one."""
        if item.history is None:
            return
        mine: set[tuple[str, str]] = set()  # twice in one history is told by the records
        for table, row in flatten(item.history):
            key = row["key"]
            digest = hashlib.blake2b(encode(_sorted(row)), digest_size=16).digest() if table == SHARED else b""
            sql = "INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?)"
            if (table, key) in mine or self.spool.do(sql, table, key, item.where, digest):
                mine.add((table, key))
                continue
            mine.add((table, key))
            found = self.spool.one("SELECT place, digest FROM seen WHERE tbl = ? AND key = ?", table, key)
            if found and (table != SHARED or found[1] != digest):
                what = "says something else of a practitioner" if table == SHARED else "the same key"
                what = f"{what} than {found[0]}" if table == SHARED else what
                fault = Fault(table, key, "key", f"{paths(item.history)[table, key]}.key", what, UNIQUE)
                item.faults.append(item.problem(fault))


def _sorted(row: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(row.items()))


# --- writing ------------------------------------------------------------------------------------------------


class JsonWriter:
    """One history as an object; none or several as a list. For people to read, too."""

    def __init__(self, out: BinaryIO) -> None:
        self.out, self.n = out, 0
        self.first: dict[str, Any] | None = None

    def add(self, item: Item) -> None:
        if item.history is None:
            return
        tree = plain(item.history)
        if self.n == 0:
            self.first = tree
        else:
            if self.first is not None:
                self.out.write(b"[\n" + encode_pretty(self.first).rstrip(b"\n"))
                self.first = None
            self.out.write(b",\n" + encode_pretty(tree).rstrip(b"\n"))
        self.n += 1

    def finish(self) -> None:
        if self.n == 1:
            self.out.write(encode_pretty(self.first))
        else:
            self.out.write(b"\n]\n" if self.n else b"[]\n")


class NdjsonWriter:
    """One history a line."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out

    def add(self, item: Item) -> None:
        if item.history is not None:
            self.out.write(encode(plain(item.history)) + b"\n")

    def finish(self) -> None:
        """Nothing is left to write."""

"""What makes a history valid, beyond the types of its fields: keys, references, words, dates.

A fault refuses the history before anything of it is sent. Contradictions between facts (rules G of the
clinical model) are not faults: they are reported and transported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from mesofhir.records import model
from mesofhir.records.rows import PATIENTS, SHARED, TABLES, Column, Table, plain, practitioners_named
from mesofhir.terminology import code_set

MAX_DIGITS: Final = 18
"""FHIR systems keep at least 18 significant digits (R4 2.24.0.1, decimal)."""
OPEN: Final = re.compile(r"[^|\s]+\|[^|]+")
HAPPENED: Final = frozenset({"running", "done", "stopped", "entered-in-error"})


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a record.

    :param path: JSON path in the history
    :param warning: the history is sent all the same
    """

    table: str
    key: str
    field: str
    path: str
    what: str
    expected: str = ""
    hint: str = ""
    warning: bool = False


def faults(history: model.TreatmentHistory) -> list[Fault]:
    """All that is wrong with a history, in the order of its tree."""
    tree = plain(history)
    keys: dict[str, set[str]] = {name: set() for name in TABLES}
    records = list(_records(tree, PATIENTS, "$"))
    found = []
    for name, record, path, _ in records:
        if record["key"] in keys[name]:
            found.append(Fault(name, record["key"], "key", path + ".key", "the same key twice in one table",
                               "a key that is unique in its table across the namespace"))  # fmt: skip
        keys[name].add(record["key"])
    for name, record, path, parent in records:
        check = _Check(TABLES[name], record, path)
        found += check.fields(keys)
        found += check.sense(parent)
    named = practitioners_named(tree, PATIENTS)
    for i, person in enumerate(tree.get(SHARED, ())):
        if person["key"] not in named:
            found.append(Fault(SHARED, person["key"], "key", f"$.{SHARED}[{i}]", "nothing in this history names this practitioner",
                               hint="left out: it has no place in this history", warning=True))  # fmt: skip
    return found


Tree = dict[str, Any]


def _records(tree: Tree, name: str, path: str, parent: Tree | None = None) -> Iterator[tuple[str, Tree, str, Tree | None]]:
    yield name, tree, path, parent
    for child in TABLES[name].children:
        for i, item in enumerate(tree.get(child, ())):
            yield from _records(item, child, f"{path}.{child}[{i}]", tree)


class _Check:
    """The checks of one record."""

    def __init__(self, table: Table, record: Tree, path: str) -> None:
        self.table, self.record, self.path = table, record, path

    def _fault(self, field: str, what: str, expected: str = "", hint: str = "", path: str = "") -> Fault:
        return Fault(
            self.table.name, self.record["key"], field, path or f"{self.path}.{field}", what, expected, hint
        )

    def fields(self, keys: dict[str, set[str]]) -> Iterator[Fault]:
        unknown = self.record.get("unknown") or []
        yield from self._unknown(unknown)
        yield from self._values(self.table, self.record, self.path, keys)
        for c in self.table.columns.values():
            if c.must and self.record.get(c.name) is None and c.name not in unknown:
                yield self._fault(c.name, "missing", "a value, or its name in `unknown`")

    def _unknown(self, unknown: list[str]) -> Iterator[Fault]:
        for name in unknown:
            c = self.table.columns.get(name)
            if c is None or not c.may_be_unknown:
                yield self._fault("unknown", "it names a field that cannot be unknown",
                                  "names of single-valued, optional fields of this record")  # fmt: skip
            elif name in self.record:
                yield self._fault("unknown", f"`{name}` is stated and called unknown", "one of the two")
        if len(set(unknown)) != len(unknown):
            yield self._fault("unknown", "a name twice")

    def _values(self, table: Table, values: Tree, path: str, keys: dict[str, set[str]]) -> Iterator[Fault]:
        stated = set(values) | set(self.record.get("unknown") or () if path == self.path else ())
        for c in table.columns.values():
            value, here = values.get(c.name), f"{path}.{c.name}"
            if value is None:
                continue
            if c.needs and c.needs not in stated:
                yield self._fault(c.name, f"says nothing without `{c.needs}`", f"`{c.needs}` beside it", path=here)
            if c.kind == "values" and c.values:
                for i, item in enumerate(value):
                    if not item:
                        yield self._fault(c.name, "an empty value", "a value that states something", path=f"{here}[{i}]")
                    yield from self._values(c.values, item, f"{here}[{i}]", keys)
            elif c.kind == "words":
                if c.to and len(set(value)) != len(value):
                    yield self._fault(c.name, "a key twice", path=here)
                for i, item in enumerate(value):
                    yield from self._word(c, item, f"{here}[{i}]", keys)
            else:
                yield from self._word(c, value, here, keys)

    def _word(self, c: Column, value: Any, path: str, keys: dict[str, set[str]]) -> Iterator[Fault]:
        if c.to and value not in keys[c.to]:
            yield self._fault(c.name, f"names a record that is not in `{c.to}` of this history",
                              f"a key of `{c.to}`", path=path)  # fmt: skip
        if c.codes and (wrong := _code(c, value)):
            yield self._fault(c.name, *wrong, path=path)
        if c.pattern in (model.TIME_PATTERN, model.DATE_PATTERN) or (c.name == "moved_from"):
            try:
                _moment(value)
            except ValueError:
                yield self._fault(c.name, "no such day in the calendar", "a date that exists", path=path)
        if c.kind == "boolean" and c.name == "synthetic" and value is False:
            yield self._fault(c.name, "false", "true, or nothing at all", "leave the field out", path=path)
        if isinstance(value, Decimal):
            if value < 0:
                yield self._fault(c.name, "a negative number", "zero or more", path=path)
            elif not value.is_finite() or len(value.as_tuple().digits) > MAX_DIGITS or abs(value.adjusted()) > MAX_DIGITS:
                yield self._fault(c.name, "too many digits", f"at most {MAX_DIGITS}", path=path)

    def sense(self, parent: Tree | None) -> Iterator[Fault]:
        """What the record's own fields, and its parent's, must make of each other."""
        r = self.record
        for a, b in (("start", "end"), ("since", "until"), ("planned_start", "planned_end"), ("onset", "resolved")):
            if isinstance(r.get(a), str) and isinstance(r.get(b), str) and _later(r[a], r[b]):
                yield self._fault(b, f"before `{a}`", f"not before `{a}`")
        for a, b in (("sessions_min", "sessions_max"), ("interval", "interval_max"), ("minutes_min", "minutes_max")):
            if r.get(a) is not None and r.get(b) is not None and r[b] < r[a]:
                yield self._fault(b, f"less than `{a}`", f"not less than `{a}`")
        name, status = self.table.name, r.get("status")
        if name == "conditions" and r.get("resolved") and status not in ("resolved", "remission", "inactive", "entered-in-error"):
            yield self._fault("status", "an end is stated, but no status that fits it", "resolved, remission or inactive",
                              "FHIR R4 Condition, con-4")  # fmt: skip
        if parent is None:
            return
        if name in ("mixtures", "effects") and parent.get("status") not in HAPPENED:
            yield self._fault("key", f"in a session that is `{parent.get('status')}`",
                              "a session that took place", path=self.path)  # fmt: skip
        if name == "sessions" and parent.get("status") == "planned" and status not in ("planned", "entered-in-error"):
            yield self._fault("status", "of a session in a cycle that is only planned", "`running` as the cycle's status")


def _code(c: Column, value: str) -> tuple[str, str, str] | None:
    """What is wrong with a code: (what, expected, hint)."""
    codes = code_set(c.codes)
    if c.codes == "protocols" and "://" in value:
        return None
    if value in codes:
        return None
    if c.open and OPEN.fullmatch(value):
        system, code = value.split("|", 1)
        token = codes.token_of(system, code)
        return ("a code that has a word of ours", f"`{token}`", "") if token else None
    from difflib import get_close_matches

    near = get_close_matches(value, codes, 3, 0.6)
    hint = f"did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
    words = f"a word of `{c.codes}`" + (", or `system|code`" if c.open else "")
    return "not a word that we know", words, hint or "see `mesofhir schema`"


def _moment(value: str) -> tuple[date, datetime | None]:
    """The day, and the instant where there is one; ValueError for a day that does not exist."""
    day = date.fromisoformat((value.split("T")[0] + "-01-01")[:10])
    return day, datetime.fromisoformat(value[:19] + _zone(value)) if "T" in value else None


def _zone(value: str) -> str:
    m = re.search(r"(Z|[+-]\d\d:\d\d)$", value)
    return (m[0] if m else "").replace("Z", "+00:00")


def _later(a: str, b: str) -> bool:
    """Is ``a`` surely after ``b``? As far as both are precise (R4, invariant per-1)."""
    try:
        (_, x), (_, y) = _moment(a), _moment(b)
    except ValueError:
        return False
    if x and y:
        return x > y
    n = min(len(a.split("T")[0]), len(b.split("T")[0]))
    return a[:n] > b[:n]

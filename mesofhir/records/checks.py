"""What makes a history valid, beyond the types of its fields: keys, references, words, dates.

A fault refuses the history before anything of it is sent. Contradictions between facts (rules G of the
clinical model) are not faults: they are reported and transported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from mesofhir.records import identifiers, model
from mesofhir.records.rows import plain, practitioners_named
from mesofhir.records.tables import PATIENTS, SHARED, TABLES, Column, Table
from mesofhir.terminology import OURS, CodeSet, Terminology

MAX_DIGITS: Final = 18
"""FHIR systems keep at least 18 significant digits (R4 2.24.0.1, decimal)."""
OPEN: Final = re.compile(r"[^|\s]+\|[^|\s]+( [^|\s]+)*")
"""``system|code``: a URI and a code without blanks but single ones inside (R4, uri, code)."""
CANONICAL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
HAPPENED: Final = frozenset({"running", "done", "stopped", "entered-in-error"})
ENDED: Final = frozenset({"resolved", "remission", "inactive"})
PERIODS: Final = (
    ("start", "end"), ("since", "until"), ("planned_start", "planned_end"), ("onset", "resolved"),
)  # fmt: skip
RANGES: Final = (
    ("sessions_min", "sessions_max"), ("interval", "interval_max"), ("minutes_min", "minutes_max"),
)  # fmt: skip
Tree = dict[str, Any]


class Known(NamedTuple):
    """What the values of a record may name.

    :param keys: table → key → how often it is there
    """

    keys: Mapping[str, Mapping[str, int]]
    codes: Terminology


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


def faults(history: model.TreatmentHistory, codes: Terminology = OURS) -> list[Fault]:
    """All that is wrong with a history, in the order of its tree.

    :param codes: the words that hold at the clinic
    """
    tree = plain(history, by_key=False)
    records = list(_records(tree, PATIENTS, "$"))
    keys: dict[str, Counter[str]] = {name: Counter() for name in TABLES}
    for record in records:
        keys[record.table.name][record.key] += 1
    known = Known(keys, codes)
    found = [fault for record in records for fault in record.faults(known)]
    named = practitioners_named(tree, PATIENTS)
    found += [
        Fault(
            SHARED,
            person["key"],
            "key",
            f"$.{SHARED}[{i}]",
            "nothing in this history names this practitioner",
            hint="left out: it has no place in this history",
            warning=True,
        )
        for i, person in enumerate(tree.get(SHARED, ()))
        if person["key"] not in named
    ]
    return found


def _records(tree: Tree, name: str, path: str, parent: Tree | None = None) -> Iterator[_Record]:
    yield _Record(TABLES[name], tree, path, parent)
    for child in TABLES[name].children:
        for i, item in enumerate(tree.get(child, ())):
            yield from _records(item, child, f"{path}.{child}[{i}]", tree)


class _Record:
    """One record and where it stands."""

    def __init__(self, table: Table, fields: Tree, path: str, parent: Tree | None) -> None:
        self.table, self.fields, self.path, self.parent = table, fields, path, parent
        self.key: str = fields["key"]
        self.unknown: list[str] = fields.get("unknown") or []

    def fault(self, field: str, what: str, expected: str = "", hint: str = "", path: str = "") -> Fault:
        return Fault(self.table.name, self.key, field, path or f"{self.path}.{field}", what, expected, hint)

    def faults(self, known: Known) -> Iterator[Fault]:
        if known.keys[self.table.name][self.key] > 1:
            unique = "a key that is unique in its table across the namespace"
            yield self.fault("key", "the same key twice in one table", unique)
        yield from self._unknown()
        yield from self._values(self.table, self.fields, self.path, self.unknown, known)
        yield from self._missing()
        yield from self._order()
        yield from self._status()

    def _unknown(self) -> Iterator[Fault]:
        for name in self.unknown:
            c = self.table.columns.get(name)
            if c is None or not c.may_be_unknown:
                yield self.fault(
                    "unknown",
                    "it names a field that cannot be unknown",
                    "names of fields of this record with one value, no reference, wording or unit, "
                    "nor what FHIR wants as a code",
                )
            elif name in self.fields:
                yield self.fault("unknown", f"`{name}` is stated and called unknown", "one of the two")
            elif c.needs and not c.needs.endswith("_unit") and not self._said(c.needs):
                what = f"`{name}` says nothing without `{c.needs}`"
                yield self.fault("unknown", what, f"`{c.needs}` beside it")
        if len(set(self.unknown)) != len(self.unknown):
            yield self.fault("unknown", "a name twice")

    def _said(self, name: str) -> bool:
        return self.fields.get(name) is not None or name in self.unknown

    def _missing(self) -> Iterator[Fault]:
        """A field that has to be stated, in the clinic's own words at least, or be called unknown."""
        for c in self.table.columns.values():
            if must(self.table, c, self.fields) and not self._said(c.name) and not self._said(f"{c.name}_text"):
                yield self.fault(c.name, "missing", "a value, or its name in `unknown`")

    def _values(self, table: Table, values: Tree, path: str, unknown: list[str], known: Known) -> Iterator[Fault]:
        """What is wrong with the values, one by one, of the record or of an item of one of its lists."""
        for c in table.columns.values():
            value, here = values.get(c.name), f"{path}.{c.name}"
            if c.must and table is not self.table and value is None and values.get(f"{c.name}_text") is None:
                yield self.fault(c.name, "missing", f"`{c.name}` or `{c.name}_text`", path=here)
            if value is None:
                continue
            if c.needs and values.get(c.needs) is None and c.needs not in unknown:
                what = f"says nothing without `{c.needs}`"
                yield self.fault(c.name, what, f"`{c.needs}` beside it", path=here)
            if c.kind not in ("words", "values"):
                yield from self._value(c, value, here, known)
                continue
            if c.to and len(set(value)) != len(value):
                yield self.fault(c.name, "a key twice", "each key once", path=here)
            for i, item in enumerate(value):
                at = f"{here}[{i}]"
                if c.values is None:
                    yield from self._value(c, item, at, known)
                elif item:
                    yield from self._values(c.values, item, at, [], known)
                    if c.name == "identifiers" and (found := identifiers.wrong(item["system"], item["value"])):
                        yield self.fault(c.name, *found, path=f"{at}.value")
                else:
                    yield self.fault(c.name, "an empty value", "a value that states something", path=at)

    def _value(self, c: Column, value: Any, path: str, known: Known) -> Iterator[Fault]:
        if c.to and value not in known.keys[c.to]:
            what = f"names a record that is not in `{c.to}` of this history"
            yield self.fault(c.name, what, f"a key of `{c.to}`", path=path)
        if c.codes and (wrong := _code(c, value, known.codes[c.codes])):
            yield self.fault(c.name, *wrong, path=path)
        if c.pattern in (model.TIME_PATTERN, model.DATE_PATTERN) and not _exists(value):
            yield self.fault(c.name, "no such day in the calendar", "a date that exists", path=path)
        if c.name == "synthetic" and value is False:
            yield self.fault(c.name, "false", "true, or nothing at all", "leave the field out", path=path)
        if isinstance(value, Decimal) and (wrong := _number(value, c.most)):
            yield self.fault(c.name, *wrong, path=path)

    def _order(self) -> Iterator[Fault]:
        """The ends of a period or a range are in order."""
        for a, b in PERIODS:
            first, last = self.fields.get(a), self.fields.get(b)
            if first and last and later(first, last):
                yield self.fault(b, f"before `{a}`", f"not before `{a}`")
            elif first and last and b != "resolved" and not in_order(first, last):  # an abatement is in no Period
                what = f"it cannot be told whether it is before `{a}`: one of them is more precise"
                yield self.fault(b, what, f"`{a}` and `{b}` equally precise", "FHIR R4 Period, per-1")
        for a, b in RANGES:
            both = [Decimal(v) for n in (a, b) if (v := self.fields.get(n)) is not None]
            if len(both) == 2 and all(n.is_finite() for n in both) and both[1] < both[0]:
                yield self.fault(b, f"less than `{a}`", f"not less than `{a}`")

    def _status(self) -> Iterator[Fault]:
        """What the status, and that of the record it stands in, leave room for."""
        name, status = self.table.name, self.fields.get("status")
        ended = self.fields.get("resolved") or "resolved" in self.unknown
        if name == "conditions" and ended and status not in ENDED:
            what = "an end is stated, but no status that fits it"
            yield self.fault("status", what, "resolved, remission or inactive", "FHIR R4 Condition, con-4")
        if self.parent is None:
            return
        above = self.parent.get("status")
        if name in ("mixtures", "effects") and above not in HAPPENED:
            what = f"in a session that is `{above}`"
            yield self.fault("key", what, "a session that took place", path=self.path)
        if name == "sessions" and above == "planned" and status not in ("planned", "entered-in-error"):
            what = "of a session in a cycle that is only planned"
            yield self.fault("status", what, "`running` as the cycle's status")


def must(table: Table, column: Column, fields: Tree) -> bool:
    """Has such a record to state the field, or to call it unknown? FHIR requires it there."""
    anticoagulant = table.name == "findings" and fields.get("kind") == "anticoagulant"
    return column.must or (anticoagulant and column.name == "medicine")


Wrong = tuple[str, str, str]  # what, expected, hint


def _code(c: Column, value: str, codes: CodeSet) -> Wrong | None:
    if value in codes or (c.codes == "protocols" and CANONICAL.fullmatch(value)):
        return None
    if c.open and OPEN.fullmatch(value):
        token = codes.token_of(*value.split("|"))
        return ("a code that has a word of ours", f"`{token}`", "") if token else None
    from difflib import get_close_matches

    near = " or ".join(f"`{n}`" for n in get_close_matches(value, codes, 3, 0.6))
    words = f"a word of `{c.codes}`" + (", or `system|code`" if c.open else "")
    return "not a word that we know", words, f"did you mean {near}?" if near else "see `mesofhir schema`"


def _number(value: Decimal, most: int) -> Wrong | None:
    if not value.is_finite():
        return "not a number", "a number", ""
    if value < 0:
        return "a negative number", "zero or more", ""
    if most and value > most:
        return "more than the scale holds", f"at most {most}", ""
    if len(value.as_tuple().digits) > MAX_DIGITS or abs(value.adjusted()) > MAX_DIGITS:
        return "too many digits", f"at most {MAX_DIGITS}", ""
    return None


def _exists(value: str) -> bool:
    try:
        _moment(value)
    except ValueError:
        return False
    return True


def _moment(value: str) -> tuple[str, datetime | None]:
    """The date as precise as it is, and the instant where there is one.

    :raises ValueError: for a day that does not exist
    """
    day, clock, _ = value.partition("T")
    date.fromisoformat((day + "-01-01")[:10])
    return day, datetime.fromisoformat(value) if clock else None


def in_order(first: str, last: str) -> bool:
    """Is a period surely in order, as the validators of FHIR compare its ends (R4, invariant per-1)?

    A whole month neither begins before nor ends after one of its days: such a period is refused by them. Of a day
    and an instant, the instant's day is that in UTC (FHIRPath, comparison). Tried on the HL7 validator 6.7.9.
    """
    try:
        (day, instant), (other, other_instant) = _moment(first), _moment(last)
    except ValueError:
        return True  # that is a fault of its own
    if instant and other_instant:
        return instant <= other_instant
    one, two = (str(at.astimezone(UTC).date()) if at else said for said, at in ((day, instant), (other, other_instant)))
    n = min(len(one), len(two))
    return one[:n] < two[:n] or (first == last)


def later(a: str, b: str) -> bool:
    """Is ``a`` surely after ``b``? As far as both are precise (R4, invariant per-1)."""
    try:
        (day, instant), (other, other_instant) = _moment(a), _moment(b)
    except ValueError:
        return False
    if instant and other_instant:
        return instant > other_instant
    n = min(len(day), len(other))
    return day[:n] > other[:n]

"""What a rule looks at, and what it says: two facts of one history that stand against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mesofhir.records.contradictions.strengths import Strengths
from mesofhir.records.model import TreatmentHistory
from mesofhir.records.rows import flatten, paths
from mesofhir.records.tables import TABLES
from mesofhir.terminology import Terminology

Severity = Literal["error", "warning"]
WITHDRAWN: Final = "entered-in-error"


@dataclass(frozen=True, order=True)
class Fact:
    """Where one side of a contradiction stands.

    :param field: of the record; of a value in a list ``drugs[0].substance``
    :param path: JSON path in the history
    """

    table: str
    key: str
    field: str
    path: str


@dataclass(frozen=True, order=True)
class Contradiction:
    """Two facts that stand against each other: never an advice, and never a reason to refuse a history.

    :param rule: ``G1`` to ``G12`` (clinical model, §2.5)
    :param what: what the two say, in words; no values of the record
    """

    rule: str
    severity: Severity
    what: str
    one: Fact
    other: Fact


@dataclass(frozen=True)
class Record:
    """A record that stands: neither it nor what it stands in is withdrawn.

    :param fields: those with a value: what is unknown, cleared or not stated is not there
    """

    table: str
    key: str
    path: str
    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """The value of a field; None where none is stated."""
        return self.fields.get(name)

    def at(self, field: str) -> Fact:
        """A field of the record as a fact; also ``drugs[0].substance``, or the name of a table in it."""
        return Fact(self.table, self.key, field, f"{self.path}.{field}")


class View:
    """The records of a history that stand, by table and key; each list in the order of the keys."""

    def __init__(self, history: TreatmentHistory, strengths: Strengths, codes: Terminology) -> None:
        self.strengths, self.substances = strengths, codes["substances"]
        self._records: dict[str, dict[str, Record]] = {}
        where = paths(history)
        for table, row in sorted(flatten(history), key=lambda r: (_DEPTH[r[0]], r[0], r[1]["key"])):
            parent = TABLES[table].parent
            above = row.get("patient" if parent == "patients" else "of")
            if row.get("status") != WITHDRAWN and (not parent or above in self._records.get(parent, {})):
                fields = {n: v for n, v in row.items() if v is not None}
                record = Record(table, row["key"], where[table, row["key"]], fields)
                self._records.setdefault(table, {})[record.key] = record
        [self.patient] = self.all("patients")

    def all(self, table: str) -> list[Record]:
        return list(self._records.get(table, {}).values())

    def get(self, table: str, key: str | None) -> Record | None:
        return self._records.get(table, {}).get(key) if key is not None else None

    def inside(self, table: str, above: Record) -> list[Record]:
        """The records of a table that stand in another record."""
        return [r for r in self.all(table) if r["of"] == above.key]

    def above(self, record: Record) -> Record:
        """The record in which one stands (a session's cycle)."""
        return self._records[TABLES[record.table].parent][record["of"]]


def _depth(table: str) -> int:
    parent = TABLES[table].parent
    return _depth(parent) + 1 if parent else 0


_DEPTH: Final = {table: _depth(table) for table in TABLES}

Clash = tuple[Severity, str, Fact, Fact]
"""What a rule yields: severity, what, the two facts."""


@dataclass(frozen=True)
class Rule:
    """One line of the table of rules.

    :param says: what stands against what, as the published page says it
    :param compares: the fields (``table.field``) of which its facts are
    """

    key: str
    severity: str
    says: str
    compares: tuple[str, ...]
    find: Callable[[View], Iterator[Clash]]


def rule(key: str, severity: str, says: str, *compares: str) -> Callable[[Callable[[View], Iterator[Clash]]], Rule]:
    """Make a function a rule."""
    return lambda find: Rule(key, severity, says, compares, find)

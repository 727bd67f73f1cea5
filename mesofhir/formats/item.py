"""What a source gives: one history at a time, with all that is wrong with it and all that it does not hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mesofhir.errors import InvalidInput, Problem
from mesofhir.fhir.exactjson import encode
from mesofhir.mapping import Clinic, Graph, Kept, Link, Note, graph
from mesofhir.records import TABLES, Fault, TreatmentHistory, faults, paths, plain, sorted_by_key
from mesofhir.terminology import OURS


@dataclass(frozen=True)
class Foreign(Kept):
    """A kept resource, and the ``fullUrl`` that it had in its Bundle."""

    url: str = ""


def url_of(kept: Kept) -> str:
    """The ``fullUrl`` that a kept resource had, or ""."""
    return kept.url if isinstance(kept, Foreign) else ""


@dataclass
class Counts:
    """Where everything went: ``read = mapped + kept + refused + repeated``.

    The unit is a resource of FHIR sources, else a record. What cannot be read at all counts as one.

    :param mapped: stands in a history that can be used
    :param kept: stands whole beside the histories, with the reason
    :param refused: stands in a history that cannot be used, or could not be read
    :param repeated: the same resource again, word for word
    :param histories: those that can be used
    """

    read: int = 0
    mapped: int = 0
    kept: int = 0
    refused: int = 0
    repeated: int = 0
    histories: int = 0


Locator = Callable[[Fault], str]
"""How the source calls the place of a fault."""


@dataclass
class Item:
    """One history of a source; without one, what belongs to no history.

    :param where: the place in the source, such as ``clinic.json: $[3]``
    :param history: None where nothing could be read, or where there is only something kept
    :param faults: what is wrong: the history must not be used
    :param warnings: what to tell, no more
    :param patient: the key of the patient, where it is known; also without a history
    :param kept: resources that are in no record
    :param notes: places in resources of ours that are in no record
    :param sources: the resource of each record as it was read, to write over
    :param urls: the ``fullUrl`` that it had
    :param locate: where a fault of the history stands
    """

    where: str
    history: TreatmentHistory | None = None
    faults: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    patient: str = ""
    kept: list[Kept] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    sources: Mapping[Link, dict[str, Any]] = field(default_factory=dict)
    urls: Mapping[Link, str] = field(default_factory=dict)
    locate: Locator = field(default=lambda fault: f"{fault.table} {fault.key}: {fault.field}", repr=False)
    _graph: tuple[Clinic, bytes, Graph] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, history: TreatmentHistory) -> Item:
        """An item of a history that comes from no source."""
        return cls(f"patient {history.key}", history, patient=history.key)

    def problem(self, fault: Fault) -> Problem:
        """A fault, with its place in the source."""
        return Problem(self.locate(fault), fault.what, fault.expected, fault.hint)

    def graph(self, clinic: Clinic) -> Graph:
        """The resources of the history, in an order that depends on its content only.

        Made once, as long as the history says the same.
        """
        if self.history is None:
            return Graph()
        said = encode(plain(self.history))
        if self._graph is None or self._graph[:2] != (clinic, said):
            self._graph = (clinic, said, graph(sorted_by_key(self.history), clinic))
        return self._graph[2]

    def judge(self, clinic: Clinic | None) -> None:
        """Add all that is wrong with the history as a whole; for a clinic, also what FHIR cannot carry."""
        if self.history is None:
            return
        for fault in faults(self.history, clinic.codes if clinic else OURS):
            (self.warnings if fault.warning else self.faults).append(self.problem(fault))
        if clinic is not None and not self.faults:
            here = paths(self.history)  # the graph is drawn of the sorted history, whose places are others
            for fault in self.graph(clinic).faults:
                at = here[fault.table, fault.key] + (f".{fault.field}" if fault.field else "")
                self.faults.append(self.problem(replace(fault, path=at)))


# --- places in a tree ---------------------------------------------------------------------------------------

_STEP: Final = re.compile(r"\.([a-z_]+)\[([0-9]+)\]")


@dataclass(frozen=True)
class Spot:
    """A place in a history: the record, and the rest of the path in it (``.drugs[1].amount``)."""

    table: str
    key: str
    rest: str


def spot(tree: Any, path: str) -> Spot:
    """The record in which a JSON path of a raw tree stands; an empty key where the record has none.

    :param tree: decoded JSON, of whatever shape
    """
    table, record, rest = "patients", tree, path.removeprefix("$")
    while m := _STEP.match(rest):
        items = record.get(m[1]) if isinstance(record, dict) else None
        at = int(m[2])
        if m[1] not in TABLES[table].children or not isinstance(items, list) or at >= len(items):
            break
        table, record, rest = m[1], items[at], rest[m.end() :]
    key = record.get("key") if isinstance(record, dict) else None
    return Spot(table, key if isinstance(key, str) else "", rest)


def located(tree: Any, error: InvalidInput) -> Iterator[Fault]:
    """What :func:`mesofhir.records.decode` found wrong with a raw tree of name "", as faults of its records."""
    for p in error.problems:
        path = p.where.removeprefix(": ")
        at = spot(tree, path)
        yield Fault(at.table, at.key, at.rest.lstrip("."), path, p.what, p.expected, p.hint)


def differing(where: str, key: str) -> Problem:
    """Two histories of which each says something else of one practitioner."""
    what = f"says something else of the practitioner `{key}` than an earlier history"
    return Problem(where, what, "one practitioner of a key in the whole source")

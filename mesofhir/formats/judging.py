"""Resources judged offline, by FHIR R4 and by our profiles, and what is wrong told in the terms of the record.

Where a field of a record stands at the place, its place in the source is named (file and row, or JSON path), and the
FHIR path and the rule beside it. What is judged: every resource that a history becomes; and of a source of FHIR also
each resource of ours as it stands there, and each other one that claims a profile of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesofhir.errors import Problem
from mesofhir.fhir.definitions import name_of
from mesofhir.fhir.profiles import ours, violations
from mesofhir.fhir.references import own_name
from mesofhir.fhir.validation import validate
from mesofhir.formats.item import Item, url_of
from mesofhir.mapping import Clinic, Kept, Link
from mesofhir.mapping.clinic import tail
from mesofhir.mapping.fields import field_at
from mesofhir.records import TABLES, Fault, paths


@dataclass(frozen=True)
class Found:
    """One thing that is wrong with a resource.

    :param path: its JSON path in the resource
    :param rule: the name of the rule of a profile; "" for FHIR R4 itself
    """

    path: str
    what: str
    expected: str
    hint: str
    rule: str
    warning: bool


class Judge:
    """Judges what a source gives."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.places: dict[tuple[str, str], str] = {}

    def judge(self, item: Item) -> list[str]:
        """Add what is wrong with the resources of an item to what is wrong with it.

        :return: the types of the resources that its history becomes, if it is one that can be used
        """
        unusable = bool(item.faults)
        said = set(item.faults) | set(item.warnings)
        self.places = {}
        named = _Named({url: item.sources[link] for link, url in item.urls.items()})
        named.add(*item.sources.values(), *(kept.resource for kept in item.kept))
        named.known |= {url: kept.resource for kept in item.kept if (url := url_of(kept))}
        for link, resource in item.sources.items():
            self._tell(item, link, resource, {}, named, said)
        for kept in item.kept:
            own = self.clinic.link_of(kept.resource)
            if own and own.table in TABLES:
                self._tell(item, own, kept.resource, {}, named, said)
            elif ours().claims(kept.resource):
                self._tell_foreign(item, kept, named, said)
        if item.history is None or unusable:
            return []
        made = item.graph(self.clinic).made
        named = _Named({f"{m.link.kind}/{m.handle}": m.resource for m in made})
        for m in made:
            self._tell(item, m.link, m.resource, m.row, named, said)
        return [m.link.kind for m in made]

    def _tell(
        self,
        item: Item,
        link: Link,
        resource: dict[str, Any],
        row: Mapping[str, Any],
        named: _Named,
        said: set[Problem],
    ) -> None:
        for found in judged(resource, named):
            at = field_at(self.clinic, link, resource, found.path, row)
            if item.history is not None and not self.places:
                self.places = paths(item.history)
            place = self.places.get((at.table, at.key), "$") + (f".{at.field}" if at.field else "")
            fault = Fault(at.table, at.key, at.field, place, found.what, found.expected, _beside(link.kind, found))
            _add(item, item.problem(fault), found.warning, said)

    def _tell_foreign(self, item: Item, kept: Kept, named: _Named, said: set[Problem]) -> None:
        name = name_of(kept.resource)
        if "/" not in name:
            name = " ".join(filter(None, (name, url_of(kept))))
        for found in judged(kept.resource, named):
            where = f"{item.where}: {name} {found.path}"
            hint = "; ".join(filter(None, (found.hint, found.rule and f"rule {found.rule}")))
            _add(item, Problem(where, found.what, found.expected, hint), found.warning, said)


class _Named:
    """What the references between the resources of an item lead to.

    :param known: literal reference → resource
    """

    def __init__(self, known: dict[str, dict[str, Any]]) -> None:
        self.known = known

    def add(self, *resources: dict[str, Any]) -> None:
        """Resources that have ids."""
        for resource in resources:
            if name := own_name(resource):
                self.known.setdefault(name, resource)

    def __call__(self, reference: Mapping[str, Any]) -> Mapping[str, Any] | None:
        literal = reference.get("reference")
        if not isinstance(literal, str):
            return None
        return self.known.get(literal) or self.known.get(tail(literal))


def judged(resource: dict[str, Any], named: _Named) -> Iterator[Found]:
    """What is wrong with a resource: as FHIR R4, then by our profiles."""
    for p in validate(resource):
        yield Found(p.where, p.what, p.expected, p.hint, "", False)
    for v in violations(resource, resolve=named):
        yield Found(v.path, v.what, v.expected, "", v.rule, v.severity != "error")


def _beside(kind: str, found: Found) -> str:
    """Where it stands in FHIR, for who reads that."""
    kind = name_of({"resourceType": kind})
    return "; ".join(filter(None, (found.hint, f"FHIR: {kind} {found.path}", found.rule and f"rule {found.rule}")))


def _add(item: Item, problem: Problem, warning: bool, said: set[Problem]) -> None:
    if problem not in said:
        said.add(problem)
        (item.warnings if warning else item.faults).append(problem)

"""Which codes a value set of the package holds (R4 valueset.html#compositions): systems, concepts, other sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesofhir.fhir.profiles.package import Package
from mesofhir.fhir.profiles.tree import unknown

Code = tuple[str, str]  # system, code


@dataclass
class Members:
    """The codes of a value set.

    :param codes: one by one
    :param systems: systems of which it holds every code, where the package does not list them
    :param gone: codes that it leaves out
    """

    codes: set[Code] = field(default_factory=set)
    systems: set[str] = field(default_factory=set)
    gone: set[Code] = field(default_factory=set)

    def holds(self, system: str, code: str) -> bool:
        at = (system, code)
        return (at in self.codes or system in self.systems) and at not in self.gone

    def holds_word(self, code: str) -> bool:
        """Is it a code of whichever system? Of an element that is nothing but a code."""
        return any(code == other for _, other in self.codes - self.gone)


def members(canonical: str, package: Package, where: str) -> Members:
    """The members of a value set.

    :param where: what asks for it, for the message
    :raises MesofhirError: it is not in the package, or composed in a way that the interpreter does not know
    """
    value_set = package.get(canonical, "ValueSet")
    if value_set is None:
        raise unknown(where, f"the value set {canonical}, which is not in the package,")
    name, compose = f"ValueSet {value_set.get('id')}", value_set.get("compose", {})
    if set(compose) - {"include", "exclude", "inactive", "lockedDate"} or not compose.get("include"):
        raise unknown(name, "a composition of this form")
    found = Members()
    for part in compose["include"]:
        codes, systems = _part(part, package, name)
        found.codes |= codes
        found.systems |= systems
    for part in compose.get("exclude", ()):
        codes, systems = _part(part, package, name)
        if systems:
            raise unknown(name, "the exclusion of a whole system that the package does not list")
        found.gone |= codes
    return found


def _part(part: Mapping[str, Any], package: Package, name: str) -> tuple[set[Code], set[str]]:
    if set(part) - {"system", "version", "concept", "valueSet"} or ("system" in part) == ("valueSet" in part):
        raise unknown(name, "an include or exclude of this form")
    if "valueSet" in part:
        others = [members(url, package, name) for url in part["valueSet"]]
        if len(others) != 1 or others[0].gone:
            raise unknown(name, "an intersection of value sets, or one that leaves codes out,")
        return others[0].codes, others[0].systems
    system = part["system"]
    if "concept" in part:
        return {(system, concept["code"]) for concept in part["concept"]}, set()
    listed = package.get(system, "CodeSystem")
    if listed is None:
        return set(), {system}
    return {(system, concept["code"]) for concept in concepts(listed)}, set()


def concepts(code_system: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The concepts of a code system, those inside others too."""
    waiting = list(code_system.get("concept", ()))
    while waiting:
        concept = waiting.pop(0)
        yield concept
        waiting += concept.get("concept", ())

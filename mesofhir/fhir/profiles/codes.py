"""Codes and their displays: those of our code systems, and of SNOMED CT and ATC as far as our tables know them.

``$validate`` takes any code of a system that it does not hold, so these are looked up here. A code that a code
system of HL7's does not have is an error; one that a code system of ours does not have is one only where a binding
requires it, else a warning (both as the HL7 validator says it). A code of SNOMED CT or ATC that our tables do not have
may be right all the same (an EHR's own, a clinic's ``system|code``; architecture, rule 11): a warning. So is the
display of another ATC code: one published ATC list has its displays shifted by a row. SNOMED CT gives a concept many
names, so its displays are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from mesofhir.fhir.profiles.package import Package
from mesofhir.fhir.profiles.rules import Rule, Violation
from mesofhir.fhir.profiles.valuesets import concepts
from mesofhir.fhir.walk import Spot
from mesofhir.terminology import ATC, SCT, code_set, code_sets, verified_codings

_NAMES: Final = {SCT: "SNOMED CT", ATC: "ATC"}


@cache
def known() -> Mapping[str, Mapping[str, str]]:
    """System → code → display, of SNOMED CT and ATC in our tables and in the lists that these are made from."""
    found: dict[str, dict[str, str]] = {system: {} for system in _NAMES}
    sets = (code_set(name) for name in code_sets())
    codings = [coding for tokens in sets for token in tokens for coding in tokens[token].codings]
    for coding in (*codings, *verified_codings()):
        if coding.system in found:
            found[coding.system].setdefault(coding.code, coding.display)
    return found


class Codes:
    """The code systems of a package, and those of R4 that are known."""

    def __init__(self, package: Package, known: Package | None = None) -> None:
        self.systems: dict[str, set[str]] = {}
        self.rules: dict[str, Rule] = {}
        for severity, source in (("error", known), ("warning", package)):
            for system in source.of("CodeSystem") if source else ():
                if system.get("content") == "complete":
                    url, name = str(system["url"]), str(system["id"])
                    self.systems[url] = {str(c["code"]) for c in concepts(system)}
                    self.rules[url] = self._rule(name, severity)
        self.unknown = {s: _warning(f"{n}:code", f"a code of {n} that is not in our tables") for s, n in _NAMES.items()}
        self.display = _warning("ATC:display", "a code of ATC with the display of something else")

    @staticmethod
    def _rule(name: str, severity: str) -> Rule:
        what = f"a code that the code system {name} does not have"
        return Rule(f"{name}:code", "", "Coding", what, f"a code of {name}", severity)

    def judge(self, spot: Spot) -> Iterator[Violation]:
        """What is wrong with a Coding."""
        if "Coding" not in spot.types:
            return
        system, code, display = (spot.value.get(key) for key in ("system", "code", "display"))
        if not isinstance(system, str) or not isinstance(code, str | None):  # their types are judged elsewhere
            return
        if system in self.systems:
            if code not in self.systems[system]:  # nor has it a code that is not stated
                yield self.rules[system].broken(f"{spot.path}.code")
        elif not isinstance(code, str):
            return
        elif system in _NAMES:
            if code not in known()[system]:
                yield self.unknown[system].broken(f"{spot.path}.code")
            elif system == ATC and isinstance(display, str) and not _alike(display, known()[ATC][code]):
                yield self.display.broken(f"{spot.path}.display")


def _alike(display: str, ours: str) -> bool:
    return not ours or " ".join(display.split()).casefold() == " ".join(ours.split()).casefold()


def _warning(name: str, what: str) -> Rule:
    return Rule(name, "", "Coding", what, "", "warning")

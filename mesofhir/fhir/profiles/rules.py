"""What a profile may ask of one value, each as a rule with a name and a test (R4 elementdefinition.html)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from mesofhir.errors import MesofhirError
from mesofhir.fhir.definitions import model_of
from mesofhir.fhir.exactjson import encode
from mesofhir.fhir.fhirpath import check, holds
from mesofhir.fhir.profiles.places import Place, choice_types
from mesofhir.fhir.profiles.tree import Element, unknown
from mesofhir.fhir.profiles.valuesets import Members, members

if TYPE_CHECKING:
    from mesofhir.fhir.profiles.judge import Judging
    from mesofhir.fhir.profiles.package import Package

CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
_CODED: Final = ("", "code", "Coding", "CodeableConcept", "Quantity", "string", "uri")
"""The types that a binding speaks of, and "" where the element is no choice."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a profile asks for.

    :param name: stable, such as ``mesotherapy-session#ses-1`` or ``mesotherapy-session#Procedure.partOf:min``
    :param profile: the id of the profile or extension that states it
    :param element: the id of the element at which it stands
    :param what: what is wrong where it is broken
    :param expected: what would be right
    :param severity: ``error`` or ``warning``
    """

    name: str
    profile: str
    element: str
    what: str
    expected: str
    severity: str = "error"

    def broken(self, path: str) -> Violation:
        """The rule, broken at a place."""
        return Violation(self.name, self.profile, path, self.what, self.expected, self.severity)


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a resource breaks.

    :param rule: its name
    :param profile: the id of the profile or extension that states it
    :param path: the JSON path, such as ``$.extension[0].valuePositiveInt``
    :param what: what is wrong, never with a value of the resource
    :param expected: what would be right
    :param severity: ``error`` or ``warning``
    """

    rule: str
    profile: str
    path: str
    what: str
    expected: str
    severity: str = "error"


Holds = Callable[[Place, "Judging"], bool]
Ruled = tuple[Rule, Holds]


@dataclass(frozen=True)
class Maker:
    """Makes the rules of the elements of one profile.

    :param profile: its id
    """

    profile: str
    package: Package

    def where(self, element: Element) -> str:
        """What to call an element in a message about the package."""
        return f"{self.profile}: {element.id}"

    def rule(self, element: Element, kind: str, what: str, expected: str, severity: str = "error") -> Rule:
        """The rule of a kind at an element."""
        return Rule(f"{self.profile}#{element.id}:{kind}", self.profile, element.id, what, expected, severity)

    def of_value(self, element: Element) -> Iterator[Ruled]:
        """All that is asked of each value of an element."""
        yield from self._types(element)
        yield from self._constants(element)
        yield from self._limits(element)
        yield from self._binding(element)
        yield from self._invariants(element)

    # --- types and targets ----------------------------------------------------------------------------------

    def _types(self, element: Element) -> Iterator[Ruled]:
        if "type" not in element.stated:
            return
        types = element.stated["type"]
        if element.step.endswith("[x]"):
            codes = {t["code"] for t in types}
            if codes - set(choice_types().values()):
                raise unknown(self.where(element), "a type that R4 does not have")
            if element.slice == "" and codes != set(choice_types().values()):
                expected = "one of " + ", ".join(sorted(codes)) if len(codes) > 1 else f"a {min(codes)}"
                yield (
                    self.rule(element, "type", "a type that may not stand here", expected),
                    lambda p, _: p.type in codes,
                )
        for one in types:
            if one["code"] == "Reference" and "targetProfile" in one:
                yield self._target(element, one["targetProfile"])
            if one["code"] == "canonical" and "targetProfile" in one:
                yield self._canonical(element, one["targetProfile"])
            if "aggregation" in one:
                yield self._aggregation(element, one["aggregation"])

    def _target(self, element: Element, profiles: list[str]) -> Ruled:
        kinds: dict[str, list[str]] = {}
        for url in profiles:
            kinds.setdefault(self._kind(element, url), []).append(url)
        names = ", ".join(dict.fromkeys(url.rpartition("/")[2] for url in profiles))
        rule = self.rule(
            element, "target", "a reference to something that may not stand here", f"a reference to {names}"
        )
        if "Resource" in kinds:
            return rule, lambda place, judging: True

        def holds(place: Place, judging: Judging) -> bool:
            if not isinstance(place.value, dict) or place.type not in ("", "Reference"):
                return True
            found = judging.target(place.value)
            if isinstance(found, str):
                return found in kinds
            if found is None:
                return True
            asked = kinds.get(str(found.get("resourceType")))
            return asked is not None and any(u.startswith(CORE) or judging.conforms(found, u) for u in asked)

        return rule, holds

    def _kind(self, element: Element, url: str) -> str:
        """The resource type of a profile."""
        if url.startswith(CORE):
            name = url.removeprefix(CORE)
            if name == "Resource" or model_of({"resourceType": name}):
                return name
        elif found := self.package.get(url, "StructureDefinition"):
            return str(found["type"])
        raise unknown(self.where(element), f"the profile {url}")

    def _canonical(self, element: Element, profiles: list[str]) -> Ruled:
        kinds = {self._kind(element, url) for url in profiles}
        expected = "the URL of " + " or ".join(sorted(kinds))

        def holds(place: Place, judging: Judging) -> bool:
            found = self.package.get(place.value) if isinstance(place.value, str) else None
            return found is None or "Resource" in kinds or found["resourceType"] in kinds

        return self.rule(element, "target", "the URL of something that may not stand here", expected), holds

    def _aggregation(self, element: Element, ways: list[str]) -> Ruled:
        if set(ways) not in ({"contained"}, {"referenced"}):
            raise unknown(self.where(element), "an aggregation of this kind")
        inside = ways == ["contained"]
        expected = "a reference to a contained resource" if inside else "a reference to a resource of its own"

        def holds(place: Place, judging: Judging) -> bool:
            literal = place.value.get("reference") if isinstance(place.value, dict) else None
            return not isinstance(literal, str) or literal.startswith("#") is inside

        return self.rule(element, "aggregation", "the wrong kind of reference", expected), holds

    # --- constants, limits ----------------------------------------------------------------------------------

    def _constants(self, element: Element) -> Iterator[Ruled]:
        if element.tells:
            return
        if fixed := element.valued("fixed"):
            rule = self.rule(element, "fixed", "not the value that stands here always", told(fixed[1]))
            yield rule, lambda place, _: equal(place.value, fixed[1])
        if pattern := element.valued("pattern"):
            rule = self.rule(element, "pattern", "lacks what stands here always", told(pattern[1]))
            yield rule, lambda place, _: fits(place.value, pattern[1])

    def _limits(self, element: Element) -> Iterator[Ruled]:
        if longest := element.stated.get("maxLength"):
            rule = self.rule(element, "maxLength", "too long a text", f"at most {longest} characters")
            yield rule, lambda place, _: not isinstance(place.value, str) or len(place.value) <= longest
        for kind, word in (("minValue", "at least"), ("maxValue", "at most")):
            if limit := element.valued(kind):
                yield self._limit(element, kind, word, *limit)

    def _limit(self, element: Element, kind: str, word: str, of: str, limit: Any) -> Ruled:
        if of not in ("Decimal", "Integer", "PositiveInt", "UnsignedInt"):
            raise unknown(self.where(element), f"`{kind}{of}`")

        def holds(place: Place, judging: Judging) -> bool:
            value = place.value
            if isinstance(value, bool) or not isinstance(value, int | Decimal):
                return True
            return bool(value >= limit if kind == "minValue" else value <= limit)

        return self.rule(element, kind, "a number out of range", f"{word} {limit}"), holds

    # --- bindings -------------------------------------------------------------------------------------------

    def _binding(self, element: Element) -> Iterator[Ruled]:
        binding = element.stated.get("binding", {})
        if binding.get("strength") != "required" or element.tells:
            return  # the others advise authors: a clinic's own words and codes may stand there
        codes = members(binding["valueSet"], self.package, self.where(element))
        name = binding["valueSet"].rpartition("/")[2]
        rule = self.rule(element, "binding", "no code of the value set", f"a code of the value set {name}")
        yield rule, lambda place, _: place.type not in _CODED or coded_in(place.value, codes)

    # --- invariants -----------------------------------------------------------------------------------------

    def _invariants(self, element: Element) -> Iterator[Ruled]:
        for stated in element.stated.get("constraint", ()):
            name, expression = f"{self.profile}#{stated['key']}", stated["expression"]
            try:
                check(expression)
            except MesofhirError as error:
                raise unknown(name, "an invariant of this form") from error
            what = f"breaks the invariant {stated['key']}"
            rule = Rule(name, self.profile, element.id, what, stated["human"], stated["severity"])
            yield rule, _invariant(expression, _typed(element))


def _invariant(expression: str, at: str) -> Holds:
    def asked(place: Place, judging: Judging) -> bool:
        path = at.replace("[x]", place.type[:1].upper() + place.type[1:])
        return holds(expression, place.value, path, judging.resource)

    return asked


def _typed(element: Element) -> str:
    """The type of an element, or where it has none of its own its path, without the names of slices."""
    codes = [t["code"] for t in element.whole.get("type", ())]
    if len(codes) == 1 and codes[0] not in ("BackboneElement", "Element", "Resource"):
        return str(codes[0])
    return re.sub(r":[^.]+", "", element.id)


def coded_in(value: Any, codes: Members) -> bool:
    """Is a code, Coding, Quantity or one of the codings of a CodeableConcept in a value set?"""
    if isinstance(value, str):
        return codes.holds_word(value)
    if not isinstance(value, dict):
        return value is None
    codings = [value] if "code" in value or "system" in value else value.get("coding")
    found = [c for c in codings if isinstance(c, dict)] if isinstance(codings, list) else []
    return any(codes.holds(str(c.get("system", "")), str(c.get("code", ""))) for c in found)


def equal(value: Any, fixed: Any) -> bool:
    """The same value; ``true`` is not ``1``."""
    return bool(value == fixed) and isinstance(value, bool) == isinstance(fixed, bool)


def fits(value: Any, pattern: Any) -> bool:
    """Does a value hold all of a pattern (R4 ElementDefinition.pattern[x])?"""
    if isinstance(pattern, Mapping):
        return isinstance(value, dict) and all(k in value and fits(value[k], v) for k, v in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(x, one) for x in value) for one in pattern)
    return equal(value, pattern)


def told(constant: Any) -> str:
    """A constant of a profile, for a message: the code of a concept, else its JSON."""
    codings = constant.get("coding") if isinstance(constant, Mapping) else None
    if codings and set(constant) == {"coding"}:
        return "the code " + " and ".join(f"{c.get('code')} of {c.get('system')}" for c in codings)
    return constant if isinstance(constant, str) else encode(constant).decode()

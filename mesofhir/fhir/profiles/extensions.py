"""Extensions of ours, wherever they stand: where they may stand, and what they may hold (R4 extensibility.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mesofhir.fhir.profiles.rules import Rule, Violation
from mesofhir.fhir.profiles.tree import unknown
from mesofhir.fhir.walk import Spot

KEYS: Final = ("extension", "modifierExtension")


@dataclass(frozen=True)
class Contexts:
    """Where an extension may stand.

    :param places: element paths and types
    :param inside: the URLs of extensions that it may stand in
    :param modifies: it may only be a ``modifierExtension``, or only be none
    :param parts: the names of its parts
    """

    places: frozenset[str]
    inside: frozenset[str]
    modifies: bool
    rule: Rule
    parts: frozenset[str] = frozenset()

    def allow(self, spot: Spot, key: str) -> bool:
        """May it stand in this object, as this element?"""
        if (key == "modifierExtension") is not self.modifies:
            return False
        if self.places & (spot.types | spot.paths):
            return True
        return spot.value.get("url") in self.inside and "Extension" in spot.types


def contexts(definition: Mapping[str, Any]) -> Contexts:
    """The contexts of an extension.

    :raises MesofhirError: they are of a kind that the interpreter does not know
    """
    name = str(definition["id"])
    places: set[str] = set()
    inside: set[str] = set()
    for one in definition.get("context", ()):
        if set(one) != {"type", "expression"} or one["type"] not in ("element", "extension"):
            raise unknown(name, "a context of this kind")
        (places if one["type"] == "element" else inside).add(one["expression"])
    if not places and not inside:
        raise unknown(name, "an extension without a context")
    root = definition["snapshot"]["element"][0]
    expected = "one in " + ", ".join(sorted(places | inside))
    rule = Rule(f"{name}#context", name, "Extension", "the extension may not stand here", expected)
    inner = [e for e in definition["snapshot"]["element"] if e["path"] == "Extension.extension.url"]
    parts = frozenset(str(e["fixedUri"]) for e in inner if "fixedUri" in e)
    return Contexts(frozenset(places), frozenset(inside), root.get("isModifier", False), rule, parts)


def extensions(spot: Spot) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The extensions of an object: path, name of the element, extension."""
    for key in KEYS:
        items = spot.value.get(key)
        for i, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                yield f"{spot.path}.{key}[{i}]", key, item


def undefined(allowed: Contexts, extension: Mapping[str, Any], path: str) -> Iterator[Violation]:
    """The parts of an extension that its definition does not have; of other extensions inside it nothing is said."""
    name = allowed.rule.profile
    expected = ", ".join(sorted(allowed.parts)) or "none"
    rule = Rule(f"{name}#part", name, "Extension.extension", "a part that the extension does not have", expected)
    parts = extension.get("extension")
    for i, part in enumerate(parts if isinstance(parts, list) else ()):
        url = part.get("url") if isinstance(part, dict) else None
        if isinstance(url, str) and ":" not in url and url not in allowed.parts:
            yield rule.broken(f"{path}.extension[{i}]")


def misplaced(allowed: Contexts, spot: Spot, key: str, path: str) -> Iterator[Violation]:
    """The violation of an extension that stands where it may not."""
    if not allowed.allow(spot, key):
        yield allowed.rule.broken(path)

"""A StructureDefinition as a tree of elements; what the interpreter does not know is refused here.

The *differential* holds what a profile states, the *snapshot* what it states together with what it inherits
(R4 elementdefinition.html). Rules are made of what is stated; the inherited rest says how to read it: which
elements are choices, and by what slices are told apart. What R4 itself asks for is base validation's matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.errors import MesofhirError

_WORDS: Final = frozenset(
    {
        "id", "path", "sliceName", "short", "definition", "comment", "requirements", "alias", "mapping", "code",
        "label", "example", "isSummary", "mustSupport", "condition", "base", "meaningWhenMissing", "orderMeaning",
        "isModifierReason", "representation",
    }
)  # fmt: skip
"""What an element definition says to people and programs, and not of the values; ``mustSupport`` included."""
_RULES: Final = frozenset({"min", "max", "type", "binding", "constraint", "slicing", "maxLength"})
_VALUED: Final = re.compile(r"(fixed|pattern|minValue|maxValue)([A-Z][A-Za-z]+)")
_PARTS: Final[Mapping[str, Collection[str]]] = {
    "type": ("code", "profile", "targetProfile", "aggregation"),
    "binding": ("strength", "valueSet", "description"),
    "constraint": ("key", "severity", "human", "expression", "source", "requirements", "xpath"),
    "slicing": ("discriminator", "description", "ordered", "rules"),
    "discriminator": ("type", "path"),
}
_STEP: Final = re.compile(r"([A-Za-z]+(?:\[x\])?)(?::([^:./]+))?")
_NAMED: Final = ("binding", "type")  # their extensions only name and describe them
_NAMES: Final = (
    "http://hl7.org/fhir/StructureDefinition/elementdefinition-bindingName",
    "http://hl7.org/fhir/StructureDefinition/elementdefinition-isCommonBinding",
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type",
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-hierarchy",
)


def unknown(where: str, what: str) -> MesofhirError:
    """The package holds what the interpreter cannot judge: our bug, never to be passed over."""
    return MesofhirError(f"profiles: {where}: {what} is nothing that the interpreter of the profiles knows")


@dataclass
class Element:
    """One element of a profile, or one slice of it.

    :param id: its id, such as ``Procedure.extension:number``
    :param step: the name by which it stands in its object, such as ``performed[x]``
    :param slice: the name of the slice, or ""
    :param stated: what the profile states of it
    :param whole: that and what it inherits
    :param tells: its constant tells a slice or an extension apart: what says something else is not it, and breaks
        no rule
    """

    id: str
    step: str
    slice: str
    stated: Mapping[str, Any]
    whole: Mapping[str, Any]
    tells: bool = False
    children: dict[str, Element] = field(default_factory=dict)
    slices: dict[str, Element] = field(default_factory=dict)

    def valued(self, what: str) -> tuple[str, Any] | None:
        """The type and the value of ``fixed[x]`` and its like, where it is stated."""
        for key, value in self.stated.items():
            match = _VALUED.fullmatch(key)
            if match and match[1] == what:
                return match[2], value
        return None

    def walk(self) -> Iterator[Element]:
        """This element and all inside it."""
        yield self
        for part in (*self.slices.values(), *self.children.values()):
            yield from part.walk()


def tree(definition: Mapping[str, Any]) -> Element:
    """The elements of a profile or extension, from the root.

    :raises MesofhirError: it uses a construct that the interpreter does not know
    """
    name = str(definition.get("id"))
    if definition.get("derivation") != "constraint" or "contextInvariant" in definition:
        raise unknown(name, "a definition that is no constraint, or whose context has an invariant")
    whole = {e["id"]: e for e in definition.get("snapshot", {}).get("element", ())}
    if not whole:
        raise unknown(name, "a definition without a snapshot")
    kind = definition["type"]
    root = Element(kind, kind, "", {}, whole.get(kind, {}))
    for stated in definition.get("differential", {}).get("element", ()):
        _refuse_unknown(f"{name}: {stated.get('id')}", stated)
        element = _at(root, stated["id"], whole, name)
        element.stated, element.tells = stated, stated["id"] == "Extension.url"
    return root


def _at(root: Element, place: str, whole: Mapping[str, Any], name: str) -> Element:
    """The element of an id, made with all above it where they are not there yet."""
    here = root
    first, *steps = place.split(".")
    if first != root.step:
        raise unknown(f"{name}: {place}", "an element outside of its type")
    for step in steps:
        match = _STEP.fullmatch(step)
        if match is None:
            raise unknown(f"{name}: {place}", "an id of this form")
        at = f"{here.id}.{match[1]}"
        here = here.children.setdefault(match[1], Element(at, match[1], "", {}, whole.get(at, {})))
        if match[2]:
            at = f"{at}:{match[2]}"
            here = here.slices.setdefault(match[2], Element(at, match[1], match[2], {}, whole.get(at, {})))
        if not here.whole:
            raise unknown(f"{name}: {place}", "an element that is not in the snapshot")
    return here


def _refuse_unknown(where: str, stated: Mapping[str, Any]) -> None:
    for key, value in stated.items():
        known = key.removeprefix("_") in _WORDS or key in _RULES or _VALUED.fullmatch(key)
        modifies = key == "isModifier" and (value is False or stated.get("id") == "Extension")
        if not known and not modifies:
            raise unknown(where, f"`{key}`")
        for part in value if isinstance(value, list) else [value]:
            if key in _PARTS:
                _refuse_unknown_part(where, key, part)


def _refuse_unknown_part(where: str, name: str, part: Mapping[str, Any]) -> None:
    for key, value in part.items():
        if key == "extension" and name in _NAMED and all(x.get("url") in _NAMES for x in value):
            continue
        if key.removeprefix("_") not in _PARTS[name]:
            raise unknown(where, f"`{name}.{key}`")
    if name == "slicing":
        if part.get("ordered") or part.get("rules") not in ("open", "closed"):
            raise unknown(where, "a slicing that is ordered or open at its end")
        for discriminator in part.get("discriminator", ()):
            _refuse_unknown_part(where, "discriminator", discriminator)

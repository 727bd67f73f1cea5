"""The shape of a resource: what FHIR makes of JSON (R4 json.html, datatypes.html#primitive)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from decimal import Decimal
from types import NoneType
from typing import Any

from mesofhir.errors import Problem
from mesofhir.fhir.definitions import ID, Element, Shape, elements_of, model_of

_WHOLE_TYPES = ("integer", "unsignedInt", "positiveInt", "integer64")
# Where fhir.resources is laxer than R4.
_PATTERNS = {
    "id": re.compile(ID),
    "uri": re.compile(r"\S+"),
    "url": re.compile(r"\S+"),
    "canonical": re.compile(r"\S+"),
    "uuid": re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "base64Binary": re.compile(r"[0-9A-Za-z+/=\s]+"),
}
_LONGEST_TEXT = 1024 * 1024  # characters of a string (datatypes.html#string)


def _is_kind(primitive: str, value: object) -> bool:
    """Whether a value is what JSON uses for the type."""
    if primitive == "boolean":
        return isinstance(value, bool)
    if primitive in _WHOLE_TYPES:
        return isinstance(value, int) and not isinstance(value, bool)
    if primitive == "decimal":
        return isinstance(value, int | Decimal | float) and not isinstance(value, bool)
    return isinstance(value, str)


def _kind(value: object) -> str:
    kinds: tuple[tuple[type, str], ...] = (
        (NoneType, "null"), (bool, "true or false"), (int, "a whole number"), (Decimal, "a number"),
        (float, "a number"), (str, "text"), (list, "a list"), (dict, "an object"),
    )  # fmt: skip
    return next((name for kind, name in kinds if isinstance(value, kind)), "something that JSON does not have")


def wrong_kind(where: str, value: object, expected: str) -> Problem:
    return Problem(where, f"found {_kind(value)}", expected)


def _empty(where: str, what: str) -> Problem:
    return Problem(where, f"an empty {what}", "some content", "leave out what is not stated")


_SAFE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_REFERENCE = re.compile(  # references.html#literal; a search instead of an id stands in transactions
    rf"(?P<type>[A-Z][A-Za-z]+)(/{ID}(/_history/{ID})?|\?\S+)|\#(?P<contained>\S*)|[A-Za-z][A-Za-z0-9+.\-]*:\S+"
)


class Walk:
    """One walk through a resource beside its shape, and what was found."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.contained: frozenset[object] = frozenset()

    def resource(self, value: dict[str, Any], where: str) -> None:
        if "resourceType" not in value:
            self.found.append(Problem(where, "an object without resourceType", "a resource"))
            return
        model = model_of(value)
        if model is None:
            expected = "the name of a resource type of FHIR R4"
            self.found.append(Problem(f"{where}.resourceType", "an unknown resource type", expected))
            return
        content = {key: item for key, item in value.items() if key != "resourceType"}
        self.content(content, elements_of(model), where)

    def root(self, value: dict[str, Any], where: str) -> None:
        """A resource of its own, with contained resources of its own."""
        outside = self.contained
        contained = value.get("contained")
        self.contained = frozenset(
            item["id"]
            for item in (contained if isinstance(contained, list) else ())
            if isinstance(item, dict) and isinstance(item.get("id"), str)
        )
        self.resource(value, where)
        self.contained = outside

    def content(self, value: dict[str, Any], shape: Shape, where: str, targets: tuple[str, ...] = ()) -> None:
        for key, item in value.items():
            element = shape.elements.get(key)
            if element is None:
                self.found.append(_unknown(key, shape, where))
            elif element.many:
                self.items(item, element, f"{where}.{key}", _beside(key, value))
            else:
                self.value(item, element, f"{where}.{key}")
        self.found += _missing(value, shape, where)
        self.found += _choices(value, shape, where)
        if shape.type == "Reference":
            self.reference(value.get("reference"), f"{where}.reference", targets)
            self.target(value, where, targets)
        if shape.type == "Extension":
            self.found += _extension(value, where)

    def items(self, value: object, element: Element, where: str, beside: list[Any]) -> None:
        if not isinstance(value, list):
            self.found.append(wrong_kind(where, value, element.expected))
        elif not value:
            self.found.append(_empty(where, "list"))
        else:
            for index, item in enumerate(value):
                if item is not None or index >= len(beside) or beside[index] is None:
                    self.value(item, element, f"{where}[{index}]")

    def value(self, value: object, element: Element, where: str) -> None:
        if value is None:
            self.found.append(Problem(where, "found null", "a value", "leave out what is not stated"))
        elif element.model is None:
            self.found += _primitive(value, element, where)
        elif not isinstance(value, dict):
            self.found.append(wrong_kind(where, value, element.one))
        elif not value:
            self.found.append(_empty(where, "object"))
        elif element.key == "contained":
            self.resource(value, where)
        elif element.type == "Resource":
            self.root(value, where)
        else:
            self.content(value, elements_of(element.model()), where, element.targets)

    def reference(self, value: object, where: str, targets: tuple[str, ...]) -> None:
        if not isinstance(value, str):
            return
        match = _REFERENCE.fullmatch(value)
        if match is None:
            expected = "Type/id, a URL, urn:uuid:…, or #id of a contained resource"
            self.found.append(Problem(where, "a reference in a form that FHIR does not have", expected))
        elif match["contained"] and match["contained"] not in self.contained:
            self.found.append(Problem(where, "a reference to a contained resource that is not there"))
        elif match["type"] and targets and match["type"] not in targets:
            expected = "a reference to " + ", ".join(targets)
            self.found.append(Problem(where, "a reference to a type that may not stand here", expected))


    def target(self, value: dict[str, Any], where: str, targets: tuple[str, ...]) -> None:
        """The type that a reference says (references.html#Reference.type): one of R4 that may stand there, and that
        of its literal."""
        kind, literal = value.get("type"), value.get("reference")
        if not isinstance(kind, str):
            return
        match = _REFERENCE.fullmatch(literal) if isinstance(literal, str) else None
        if model_of({"resourceType": kind}) is None:
            self.found.append(Problem(f"{where}.type", "an unknown resource type", "a resource type of FHIR R4"))
        elif targets and kind not in targets:
            expected = "one of " + ", ".join(targets)
            self.found.append(Problem(f"{where}.type", "a type that may not stand here", expected))
        elif match and match["type"] and match["type"] != kind:
            self.found.append(Problem(f"{where}.type", "another type than that of the reference", "the same type"))


def _unknown(key: object, shape: Shape, where: str) -> Problem:
    if not isinstance(key, str) or not _SAFE_KEY.fullmatch(key):
        return Problem(where, "an element with a name that FHIR does not have", f"an element of {shape.type}")
    near = difflib.get_close_matches(key, shape.elements, 1)
    hint = f"did you mean {near[0]}?" if near else ""
    return Problem(f"{where}.{key}", "an unknown element", f"an element of {shape.type}", hint)


def _beside(key: str, value: dict[str, Any]) -> list[Any]:
    """The list that a list is aligned with (json.html#primitive): ``_given`` for ``given``, and back."""
    beside = value.get(key[1:] if key.startswith("_") else f"_{key}")
    return beside if isinstance(beside, list) else []


def _missing(value: dict[str, Any], shape: Shape, where: str) -> Iterator[Problem]:
    for key in shape.required:
        if not _answered(key, value):
            yield Problem(f"{where}.{key}", "missing, but required", shape.elements[key].expected)


def _answered(key: str, value: dict[str, Any]) -> bool:
    """Whether an element is there, or an extension in its place, which may say why it is not (ele-1)."""
    instead = value.get(f"_{key}")
    return key in value or (isinstance(instead, dict) and "extension" in instead)


def _choices(value: dict[str, Any], shape: Shape, where: str) -> Iterator[Problem]:
    """Of the elements of an ``x[y]`` one stands if it is required, and never two (formats.html#choice)."""
    stated: dict[str, str] = {}
    for key in value:
        element = shape.elements.get(key)
        if element and element.choice:
            name = key.removeprefix("_")
            if stated.setdefault(element.choice, name) != name:
                yield Problem(f"{where}.{key}", f"a second value for {element.choice}[x]", "only one of them")
    for choice, names in shape.choices.items():
        if not any(_answered(name, value) for name in names):
            yield Problem(f"{where}.{choice}[x]", "missing, but required", "one of " + ", ".join(names))


def _extension(value: dict[str, Any], where: str) -> Iterator[Problem]:
    """Invariant ext-1: an extension holds a value or extensions, and not both."""
    valued = any(isinstance(key, str) and key.startswith(("value", "_value")) for key in value)
    if valued == ("extension" in value):
        what = "an extension with a value and extensions" if valued else "an extension without content"
        yield Problem(where, what, "a value[x] or extensions, and not both")


def _primitive(value: object, element: Element, where: str) -> Iterator[Problem]:
    if not _is_kind(element.type, value):
        yield wrong_kind(where, value, element.one)
    elif value == "":
        yield _empty(where, "text")
    elif element.codes and value not in element.codes:
        yield Problem(where, "a code outside the required value set", element.one)
    elif element.type in _PATTERNS and not _PATTERNS[element.type].fullmatch(str(value)):
        yield invalid(where, element)
    elif element.type in ("string", "markdown") and len(str(value)) > _LONGEST_TEXT:
        yield Problem(where, "too long a text", f"at most {_LONGEST_TEXT} characters")


def invalid(where: str, element: Element) -> Problem:
    return Problem(where, f"not a valid {element.type}", element.one)


def shape_at(element: Element, value: object) -> Shape | None:
    if element.model is None:
        return None
    if element.type != "Resource":
        return elements_of(element.model())
    model = model_of(value)
    return elements_of(model) if model else None

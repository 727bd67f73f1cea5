"""Base validation: whether a resource is FHIR R4 at all, before any profile is asked.

The judge is ``fhir.resources``, whose R4B classes serve for R4 4.0.1. It checks what is required, and how
dates and numbers are written; it lets a good deal through (nulls, empty lists, ``"7"`` for a number, codes
outside a required value set, its own Python names). So there are two passes, and their findings are joined:

1. *the shape*: the resource is walked beside the elements that the classes declare, and checked for what FHIR
   makes of JSON (R4 json.html, datatypes.html#primitive), required bindings, and references;
2. *the models* of ``fhir.resources`` themselves.

:func:`validate` is the one door. It changes nothing in the resource: send the dict that was validated.
Problems carry the JSON path and say what kind of thing is wrong, never a value.

Known limits: bindings of CodeableConcepts, other invariants than ext-1 and ref-1, and profiles are the matter
of the compiled package; resource types that only R4B has are not told apart.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from mesofhir.errors import Problem

if TYPE_CHECKING:  # importing fhir.resources takes longer than everything else together
    from fhir_core.fhirabstractmodel import FHIRAbstractModel
    from pydantic.fields import FieldInfo

    Model = type[FHIRAbstractModel]


def validate(resource: Mapping[str, Any], where: str = "$") -> list[Problem]:
    """Say what makes a resource invalid FHIR R4; an empty list says that nothing does.

    :param resource: FHIR JSON as :func:`mesofhir.fhir.exactjson.decode` gives it; it is not changed
    :param where: where the resource stands, such as ``bundle.json: $.entry[0].resource``; paths start there
    """
    if not isinstance(resource, Mapping):
        return [_wrong_kind(where, resource, "a resource, which is an object")]
    resource = resource if isinstance(resource, dict) else dict(resource)
    try:
        walk = _Walk()
        walk.root(resource, where)
        model = _model_of(resource)
        return [*walk.found, *_ask_model(resource, model, where, walk.found)] if model else walk.found
    except RecursionError:
        return [Problem(where, "nested too deeply to be checked", "far fewer levels of extensions")]


# --- what the classes of fhir.resources declare ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Element:
    """One property of an object, ``_birthDate`` and its like included.

    :param type: its FHIR type: ``dateTime``, ``Quantity``, ``Resource`` …
    :param model: gives the class of a complex type; ``None`` for a primitive one
    :param codes: the codes of a required binding, or none
    :param targets: the types that a reference may point to; none says any
    :param choice: the ``x`` of ``x[y]``, if it is one of several
    """

    key: str
    type: str
    model: Callable[[], Model] | None
    many: bool
    required: bool
    codes: tuple[str, ...]
    targets: tuple[str, ...]
    choice: str

    @property
    def one(self) -> str:
        """What is expected of one value."""
        if self.codes:
            return "one of " + ", ".join(self.codes)
        return _EXPECTED.get(self.type, f"an object ({self.type})")

    @property
    def expected(self) -> str:
        return f"a list, each {self.one}" if self.many else self.one


@dataclass(frozen=True, slots=True)
class _Shape:
    """What an object of one class may hold.

    :param required: the elements that must be there, choices apart
    :param choices: the ``x`` of each ``x[y]`` that must be there, and its elements
    """

    type: str
    elements: dict[str, _Element]
    required: tuple[str, ...]
    choices: dict[str, tuple[str, ...]]


# R4B differs from R4 in the types used here only so (compared with the published definitions of 4.0.1).
_ONLY_R4B = ("CodeableReference", "RatioRange")  # as value[x] of an extension
# Required bindings whose metadata is cut short ("amended +") or left out; value sets of R4 4.0.1.
_OBSERVATION = ("corrected", "cancelled", "entered-in-error", "unknown")
_MORE_CODES = {
    "Encounter.status": ("entered-in-error", "unknown"),
    "EncounterStatusHistory.status": ("entered-in-error", "unknown"),
    "Observation.status": _OBSERVATION,
    "DetectedIssue.status": _OBSERVATION,
    "Quantity.comparator": ("<", "<=", ">=", ">"),
}


_TYPE_NAME = re.compile("[A-Z][A-Za-z]{1,63}")


def _model_of(resource: object) -> Model | None:
    """The class of a resource, or none if it names no type that there is."""
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    return _model(name) if isinstance(name, str) else None


@lru_cache(maxsize=512)
def _model(resource_type: str) -> Model | None:
    from fhir.resources.R4B import get_fhir_model_class

    if resource_type in ("Resource", "DomainResource") or not _TYPE_NAME.fullmatch(resource_type):
        return None
    try:
        model = get_fhir_model_class(resource_type)
    except ValueError:
        return None
    return model if model.has_resource_base() else None


@cache
def _shape(model: Model) -> _Shape:
    declared = [_element(model, name, field) for name, field in model.model_fields.items()]
    if model.__name__ == "Extension":
        declared.append(_value_meta())
    elements = {
        element.key: element
        for element in declared
        if element.key != "fhir_comments" and not (element.choice and element.key.endswith(_ONLY_R4B))
    }
    required = [element for element in elements.values() if element.required]
    choices = {
        one.choice: tuple(each.key for each in required if each.choice == one.choice)
        for one in required
        if one.choice
    }
    plain = tuple(element.key for element in required if not element.choice)
    return _Shape(_type_name(model.get_resource_type()), elements, plain, choices)


def _type_name(name: str) -> str:
    return "Element" if name == "FHIRPrimitiveExtension" else name


def _value_meta() -> _Element:
    """``valueMeta``, which R4 has and R4B has not."""
    from fhir.resources.R4B import get_fhir_model_class

    return _Element("valueMeta", "Meta", lambda: get_fhir_model_class("Meta"), False, False, (), (), "value")


def _element(model: Model, name: str, field: FieldInfo) -> _Element:
    from fhir_core.constraints import FHIR_PRIMITIVES_MAPS

    key = field.alias or name
    annotation, many = _unwrapped(field.annotation)
    primitive = FHIR_PRIMITIVES_MAPS.get(annotation)
    says = _says(field)
    targets = _texts(says.get("enum_reference_types"))
    return _Element(
        key=key,
        type=primitive or _type_name(annotation.__name__.removesuffix("Type")),
        model=None if primitive else annotation.get_model_klass,
        many=many,
        required=bool(
            field.is_required() or says.get("element_required") or says.get("one_of_many_required")
        ),
        codes=_codes(model, key, _texts(says.get("enum_values"))),
        targets=() if "Resource" in targets else targets,
        choice=str(_says(model.model_fields.get(name.removesuffix("__ext"), field)).get("one_of_many", "")),
    )


def _says(field: FieldInfo) -> dict[str, Any]:
    """What fhir.resources says of an element beside its type; nothing of an ``_x``."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _unwrapped(annotation: Any) -> tuple[Any, bool]:
    """The type inside ``list[…]`` and ``… | None``, and whether there was a list."""
    many = False
    while get_origin(annotation) in (Union, UnionType, list):
        many = many or get_origin(annotation) is list
        inner = [argument for argument in get_args(annotation) if argument is not NoneType]
        if len(inner) != 1:  # str | list[str]: only fhir_comments, which is not FHIR
            return str, many
        annotation = inner[0]
    return annotation, many


def _codes(model: Model, key: str, listed: tuple[str, ...]) -> tuple[str, ...]:
    more = [
        _MORE_CODES[f"{base.__name__}.{key}"]
        for base in model.__mro__
        if f"{base.__name__}.{key}" in _MORE_CODES
    ]
    if not more and not {"+", "etc."}.isdisjoint(listed):
        return ()  # a list that is cut short says nothing
    return tuple(code for code in (*listed, *(more[0] if more else ())) if code != "+")


def _texts(says: object) -> tuple[str, ...]:
    return tuple(map(str, says)) if isinstance(says, list) else ()


# --- primitive types (R4 datatypes.html#primitive) -------------------------------------------------------

_WHOLE = "a whole number from {} to 2147483647"
_EXPECTED = {
    "boolean": "true or false",
    "integer": _WHOLE.format(-2147483648),
    "unsignedInt": _WHOLE.format(0),
    "positiveInt": _WHOLE.format(1),
    "integer64": "a whole number",
    "decimal": "a number",
    "string": "text",
    "markdown": "text",
    "xhtml": "text",
    "code": "a code: text without spaces at its ends",
    "id": "1 to 64 letters, digits, hyphens and points",
    "uri": "a URI, without spaces",
    "url": "a URL, without spaces",
    "canonical": "a canonical URL, without spaces",
    "oid": "an OID as urn:oid:1.2.3",
    "uuid": "a UUID as urn:uuid: and 36 lower-case characters",
    "base64Binary": "base64",
    "date": "a date of the calendar: YYYY, YYYY-MM or YYYY-MM-DD",
    "dateTime": "a date of the calendar: YYYY, YYYY-MM, YYYY-MM-DD, or YYYY-MM-DDThh:mm:ss and its zone",
    "instant": "YYYY-MM-DDThh:mm:ss and its zone",
    "time": "hh:mm:ss, without a zone",
}
_WHOLE_TYPES = ("integer", "unsignedInt", "positiveInt", "integer64")
# Where fhir.resources is laxer than R4.
_PATTERNS = {
    "id": re.compile(r"[A-Za-z0-9\-.]{1,64}"),
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
    return next(
        (name for kind, name in kinds if isinstance(value, kind)), "something that JSON does not have"
    )


def _wrong_kind(where: str, value: object, expected: str) -> Problem:
    return Problem(where, f"found {_kind(value)}", expected)


def _empty(where: str, what: str) -> Problem:
    return Problem(where, f"an empty {what}", "some content", "leave out what is not stated")


# --- the shape -------------------------------------------------------------------------------------------

_SAFE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_ID = r"[A-Za-z0-9\-.]{1,64}"
_REFERENCE = re.compile(  # references.html#literal; a search instead of an id stands in transactions
    rf"(?P<type>[A-Z][A-Za-z]+)(/{_ID}(/_history/{_ID})?|\?\S+)|\#(?P<contained>\S*)|[A-Za-z][A-Za-z0-9+.\-]*:\S+"
)


class _Walk:
    """One walk through a resource beside its shape, and what was found."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.contained: frozenset[object] = frozenset()

    def resource(self, value: dict[str, Any], where: str) -> None:
        if "resourceType" not in value:
            self.found.append(Problem(where, "an object without resourceType", "a resource"))
            return
        model = _model_of(value)
        if model is None:
            expected = "the name of a resource type of FHIR R4"
            self.found.append(Problem(f"{where}.resourceType", "an unknown resource type", expected))
            return
        content = {key: item for key, item in value.items() if key != "resourceType"}
        self.content(content, _shape(model), where)

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

    def content(
        self, value: dict[str, Any], shape: _Shape, where: str, targets: tuple[str, ...] = ()
    ) -> None:
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
        if shape.type == "Extension":
            self.found += _extension(value, where)

    def items(self, value: object, element: _Element, where: str, beside: list[Any]) -> None:
        if not isinstance(value, list):
            self.found.append(_wrong_kind(where, value, element.expected))
        elif not value:
            self.found.append(_empty(where, "list"))
        else:
            for index, item in enumerate(value):
                if item is not None or index >= len(beside) or beside[index] is None:
                    self.value(item, element, f"{where}[{index}]")

    def value(self, value: object, element: _Element, where: str) -> None:
        if value is None:
            self.found.append(Problem(where, "found null", "a value", "leave out what is not stated"))
        elif element.model is None:
            self.found += _primitive(value, element, where)
        elif not isinstance(value, dict):
            self.found.append(_wrong_kind(where, value, element.one))
        elif not value:
            self.found.append(_empty(where, "object"))
        elif element.key == "contained":
            self.resource(value, where)
        elif element.type == "Resource":
            self.root(value, where)
        else:
            self.content(value, _shape(element.model()), where, element.targets)

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


def _unknown(key: object, shape: _Shape, where: str) -> Problem:
    if not isinstance(key, str) or not _SAFE_KEY.fullmatch(key):
        return Problem(where, "an element with a name that FHIR does not have", f"an element of {shape.type}")
    near = difflib.get_close_matches(key, shape.elements, 1)
    hint = f"did you mean {near[0]}?" if near else ""
    return Problem(f"{where}.{key}", "an unknown element", f"an element of {shape.type}", hint)


def _beside(key: str, value: dict[str, Any]) -> list[Any]:
    """The list that a list is aligned with (json.html#primitive): ``_given`` for ``given``, and back."""
    beside = value.get(key[1:] if key.startswith("_") else f"_{key}")
    return beside if isinstance(beside, list) else []


def _missing(value: dict[str, Any], shape: _Shape, where: str) -> Iterator[Problem]:
    for key in shape.required:
        if not _answered(key, value):
            yield Problem(f"{where}.{key}", "missing, but required", shape.elements[key].expected)


def _answered(key: str, value: dict[str, Any]) -> bool:
    """Whether an element is there, or an extension in its place, which may say why it is not (ele-1)."""
    instead = value.get(f"_{key}")
    return key in value or (isinstance(instead, dict) and "extension" in instead)


def _choices(value: dict[str, Any], shape: _Shape, where: str) -> Iterator[Problem]:
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


def _primitive(value: object, element: _Element, where: str) -> Iterator[Problem]:
    if not _is_kind(element.type, value):
        yield _wrong_kind(where, value, element.one)
    elif value == "":
        yield _empty(where, "text")
    elif element.codes and value not in element.codes:
        yield Problem(where, "a code outside the required value set", element.one)
    elif element.type in _PATTERNS and not _PATTERNS[element.type].fullmatch(str(value)):
        yield _invalid(where, element)
    elif element.type in ("string", "markdown") and len(str(value)) > _LONGEST_TEXT:
        yield Problem(where, "too long a text", f"at most {_LONGEST_TEXT} characters")


def _invalid(where: str, element: _Element) -> Problem:
    return Problem(where, f"not a valid {element.type}", element.one)


# --- the models ------------------------------------------------------------------------------------------


def _ask_model(resource: dict[str, Any], model: Model, where: str, known: list[Problem]) -> list[Problem]:
    """What the models refuse, without what the shape has said already."""
    from pydantic import ValidationError

    try:
        model.model_validate(resource)
    except ValidationError as error:
        places = [problem.where for problem in known]
        found = []
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            problem = _explained(detail["type"], detail["msg"], detail["loc"], resource, model, where)
            if problem and not any(_same_place(problem.where, place) for place in places):
                found.append(problem)
        return found
    except (KeyError, TypeError, AttributeError):
        if not known:  # a good shape must not break the models: our bug
            raise
    return []


def _explained(
    kind: str, message: str, steps: tuple[int | str, ...], resource: dict[str, Any], model: Model, where: str
) -> Problem | None:
    """One refusal in our words; none where the models are wrong for R4, or where the shape says it better."""
    path, element, complete = _located(steps, resource, model)
    place = where + path
    if kind == "value_error" and "from this list" in message:
        return None  # x[y]: the shape has checked it, and knows that _x with an extension is enough
    if (kind == "extra_forbidden" and complete) or kind == "uuid_version":
        return None  # valueMeta, and UUIDs that are not random
    if element is None:
        return Problem(place, "not valid", f"a valid {model.get_resource_type()}")
    if kind in ("missing", "model_field_validation.missing"):
        return Problem(place, "missing, but required", element.expected)
    return _invalid(place, element)


def _located(
    steps: tuple[int | str, ...], resource: dict[str, Any], model: Model
) -> tuple[str, _Element | None, bool]:
    """The JSON path of an error, the element there, and whether all steps were understood."""
    path = ""
    element: _Element | None = None
    here: Any = resource
    shape: _Shape | None = _shape(model)
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
            here = here[step] if isinstance(here, list) and step < len(here) else None
            continue
        if element is not None:
            shape = _shape_of(element, here)
        if shape is None or step not in shape.elements:
            return path, element, False
        element = shape.elements[step]
        path += f".{step}"
        here = here.get(step) if isinstance(here, dict) else None
    return path, element, True


def _shape_of(element: _Element, value: object) -> _Shape | None:
    if element.model is None:
        return None
    if element.type != "Resource":
        return _shape(element.model())
    model = _model_of(value)
    return _shape(model) if model else None


def _same_place(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies inside the other."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) :][:1] in ("", ".", "[")

"""What the classes of ``fhir.resources`` declare of each element: its types, codes, cardinality."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

if TYPE_CHECKING:  # importing fhir.resources takes longer than everything else together
    from fhir_core.fhirabstractmodel import FHIRAbstractModel
    from pydantic.fields import FieldInfo

    Model = type[FHIRAbstractModel]


_WHOLE = "a whole number from {} to 2147483647"
EXPECTED = {
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


@dataclass(frozen=True, slots=True)
class Element:
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
        return EXPECTED.get(self.type, f"an object ({self.type})")

    @property
    def expected(self) -> str:
        return f"a list, each {self.one}" if self.many else self.one


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object of one class may hold.

    :param required: the elements that must be there, choices apart
    :param choices: the ``x`` of each ``x[y]`` that must be there, and its elements
    """

    type: str
    elements: dict[str, Element]
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
ID = r"[A-Za-z0-9\-.]{1,64}"  # datatypes.html#id


def model_of(resource: object) -> Model | None:
    """The class of a resource, or none if it names no type that there is."""
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    return _model(name) if isinstance(name, str) else None


def name_of(resource: Mapping[str, Any]) -> str:
    """``Type/id``, as far as there is such a type, and as it can be an id; whatever else stands in their places may be
    about a patient, and is shown to nobody."""
    if model_of(resource) is None:
        return "a resource"
    logical = resource.get("id")
    whole = isinstance(logical, str) and re.fullmatch(ID, logical)
    return f"{resource['resourceType']}/{logical}" if whole else str(resource["resourceType"])


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
def elements_of(model: Model) -> Shape:
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
        one.choice: tuple(each.key for each in required if each.choice == one.choice) for one in required if one.choice
    }
    plain = tuple(element.key for element in required if not element.choice)
    return Shape(_type_name(model.get_resource_type()), elements, plain, choices)


def _type_name(name: str) -> str:
    return "Element" if name == "FHIRPrimitiveExtension" else name


def _value_meta() -> Element:
    """``valueMeta``, which R4 has and R4B has not."""
    from fhir.resources.R4B import get_fhir_model_class

    return Element("valueMeta", "Meta", lambda: get_fhir_model_class("Meta"), False, False, (), (), "value")


def _element(model: Model, name: str, field: FieldInfo) -> Element:
    from fhir_core.constraints import FHIR_PRIMITIVES_MAPS

    key = field.alias or name
    annotation, many = _unwrapped(field.annotation)
    primitive = FHIR_PRIMITIVES_MAPS.get(annotation)
    says = _says(field)
    targets = _texts(says.get("enum_reference_types"))
    return Element(
        key=key,
        type=primitive or _type_name(annotation.__name__.removesuffix("Type")),
        model=None if primitive else annotation.get_model_klass,
        many=many,
        required=bool(field.is_required() or says.get("element_required") or says.get("one_of_many_required")),
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
    more = [_MORE_CODES[f"{base.__name__}.{key}"] for base in model.__mro__ if f"{base.__name__}.{key}" in _MORE_CODES]
    if not more and not {"+", "etc."}.isdisjoint(listed):
        return ()  # a list that is cut short says nothing
    return tuple(code for code in (*listed, *(more[0] if more else ())) if code != "+")


def _texts(says: object) -> tuple[str, ...]:
    return tuple(map(str, says)) if isinstance(says, list) else ()

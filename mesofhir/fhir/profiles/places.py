"""The values of a resource and where they stand, as the paths of element definitions find them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from mesofhir.fhir.definitions import elements_of


class Place(NamedTuple):
    """A value of a resource.

    :param path: its JSON path
    :param value: what stands there; None for a primitive that has only an id or extensions
    :param type: the type, where the name of the element says it (``valueQuantity``), else ""
    :param beside: of a primitive, the object with its id and extensions (``_birthDate``; R4 json.html#primitive)
    :param beside_path: the JSON path of that object
    """

    path: str
    value: Any
    type: str = ""
    beside: Any = None
    beside_path: str = ""


@cache
def choice_types() -> dict[str, str]:
    """How the name of a choice ends → its type: ``DateTime`` → ``dateTime`` (R4 datatypes.html#open)."""
    from fhir.resources.R4B import get_fhir_model_class

    shape = elements_of(get_fhir_model_class("Extension"))
    return {
        key.removeprefix("value"): element.type
        for key, element in shape.elements.items()
        if element.choice == "value" and not key.startswith("_")
    }


def below(place: Place, step: str) -> list[Place]:
    """The values of one element of an object, in their order.

    :param step: the name of the element, with ``[x]`` where it is a choice
    """
    holder, path = (place.value, place.path) if isinstance(place.value, dict) else (place.beside, place.beside_path)
    if not isinstance(holder, dict):
        return []
    if not step.endswith("[x]"):
        return list(_values(holder, path, step, ""))
    stem, types = step[:-3], choice_types()
    found: list[Place] = []
    for name in dict.fromkeys(key.removeprefix("_") for key in holder if isinstance(key, str)):
        if name.startswith(stem) and name[len(stem) :] in types:
            found += _values(holder, path, name, types[name[len(stem) :]])
    return found


def _values(holder: dict[str, Any], path: str, name: str, kind: str) -> Iterator[Place]:
    value, beside = holder.get(name), holder.get(f"_{name}")
    here, there = f"{path}.{name}", f"{path}._{name}"
    if not isinstance(value, list) and not isinstance(beside, list):
        if value is not None or beside is not None:
            yield Place(here, value, kind, beside, there)
        return
    values = value if isinstance(value, list) else []
    besides = beside if isinstance(beside, list) else []
    for i in range(max(len(values), len(besides))):
        one, other = (xs[i] if i < len(xs) else None for xs in (values, besides))
        if one is not None or other is not None:
            yield Place(f"{here}[{i}]", one, kind, other, f"{there}[{i}]")

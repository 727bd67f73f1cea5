"""A walk through a resource beside the elements that R4 declares: every object, its type and its element paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from mesofhir.fhir.definitions import Element, elements_of, model_of

_RESOURCE: Final = frozenset({"Resource", "DomainResource"})


class Spot(NamedTuple):
    """An object of a resource.

    :param path: its JSON path
    :param types: what it is: its type, and ``Element`` or ``Resource``
    :param paths: the element paths that lead to it: ``Procedure.bodySite.coding``, ``CodeableConcept.coding``
    """

    path: str
    value: dict[str, Any]
    types: frozenset[str]
    paths: frozenset[str]


def spots(resource: dict[str, Any], path: str = "$") -> Iterator[Spot]:
    """Every object of a resource, from the root; contained resources are left out, and what R4 does not know."""
    model = model_of(resource)
    if model is None:
        return
    kind = str(resource["resourceType"])
    root = Spot(path, resource, _RESOURCE | {kind}, frozenset({kind}))
    waiting = [(root, elements_of(model).elements)]
    while waiting:
        spot, elements = waiting.pop()
        yield spot
        for key, item in spot.value.items():
            element = elements.get(key)
            if element is None or element.model is None or key == "contained":
                continue
            model = model_of(item) if element.type == "Resource" else element.model()
            if model is not None:
                inner = elements_of(model).elements
                waiting += ((found, inner) for found in _below(spot, key, item, element, elements))


def _below(spot: Spot, key: str, item: Any, element: Element, elements: dict[str, Element]) -> Iterator[Spot]:
    """The objects of one element; ``_status`` is the object of the primitive ``status``."""
    plain = key.removeprefix("_")
    kind = elements[plain].type if plain in elements else element.type
    names = {plain, f"{element.choice}[x]"} if element.choice else {plain}
    paths = frozenset(f"{above}.{name}" for above in (*spot.paths, *spot.types) for name in names)
    many = isinstance(item, list)
    for i, value in enumerate(item if many else [item]):
        if isinstance(value, dict):
            at = f"{spot.path}.{key}[{i}]" if many else f"{spot.path}.{key}"
            yield Spot(at, value, frozenset({kind, "Element"}), paths)

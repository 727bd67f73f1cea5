"""Which field of a record stands at a place of its resource: the pictures, read the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from mesofhir.mapping.clinic import Clinic, Link, Shape, World
from mesofhir.mapping.shapes import shapes_of
from mesofhir.mapping.writing import readable
from mesofhir.records import TABLES

_STEP: Final = re.compile(r"\.([A-Za-z_]+)(?:\[([^\]]*)\])?")
_TELLING: Final = ("url", "id", "system", "relation")  # by which the published table names a list item


class Step(NamedTuple):
    """``extension[session-number]``: a name, and which item; None where it is no list or the whole of it."""

    name: str
    item: str | None


class Where(NamedTuple):
    """A field of a record; ``field`` is "" where the place is the record's as a whole."""

    table: str
    key: str
    field: str


def shape_for(clinic: Clinic, link: Link, resource: Mapping[str, Any]) -> Shape | None:
    """The picture by which a resource of ours is read; the first of its table where none fits it."""
    shapes = shapes_of(clinic).get((link.kind, link.table), [])
    world = World(clinic.namespace, codes=clinic.codes)
    return next((s for s in shapes if _fits(s, resource, world)), shapes[0] if shapes else None)


def _fits(shape: Shape, resource: Mapping[str, Any], world: World) -> bool:
    try:
        return readable(shape, resource, world)
    except (TypeError, ValueError, KeyError, AttributeError):
        return False


def field_at(clinic: Clinic, link: Link, resource: Mapping[str, Any], path: str, row: Mapping[str, Any]) -> Where:
    """The field that stands at a place of a resource, as far as its picture knows.

    :param path: a JSON path from ``$``; ``extension[session-number]`` stands for an item that is missing
    :param row: the record, for the record that it stands in
    """
    shape = shape_for(clinic, link, resource)
    name = _field(shape, resource, path) if shape else ""
    if name.startswith("/"):
        return Where("patients", str(row.get("patient", link.key)), name[1:])
    if name.startswith("^"):
        return Where(TABLES[link.table].parent, str(row.get("of", "")), name[1:])
    return Where(link.table, link.key, name)


def _field(shape: Shape, resource: Mapping[str, Any], path: str) -> str:
    """The field at the place, or around it, or the first one inside it or (a unit) beside it."""
    place = _steps(path)
    found = _at(shape, resource, place)
    beside = _at(shape, resource, place[:-1]) if len(place) > 1 and not found else ""
    return found if found or beside.startswith("/") else beside


def _at(shape: Shape, resource: Mapping[str, Any], place: tuple[Step, ...]) -> str:
    inside, best, length = "", "", 0
    for name, steps in _holes(shape):
        shared = _shared(steps, place, resource)
        if shared == len(steps) and shared > length:
            best, length = name, shared
        elif place and shared == len(place):
            inside = inside or name
    return best or inside


@lru_cache(256)
def _holes(shape: Shape) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    found = [(name, _steps(path)) for name, path in shape.picture.holes("$")]
    return tuple((name, steps) for name, steps in found if not name.startswith("@"))


def _steps(path: str) -> tuple[Step, ...]:
    return tuple(Step(m[1], m[2]) for m in _STEP.finditer(path))


def _shared(hole: tuple[Step, ...], place: tuple[Step, ...], resource: Mapping[str, Any]) -> int:
    """How many steps a hole and a place have in common; 0 where they part before either ends."""
    values: list[Any] = [resource]
    for ours, theirs in zip(hole, place, strict=False):
        choice = theirs.item == "x" and ours.name.startswith(theirs.name)
        if ours.name != theirs.name and not choice:
            return 0
        values = [v for x in values if isinstance(x, dict) for v in _items(x.get(theirs.name), theirs.item)]
        if ours.item and theirs.item not in (None, ours.item) and not any(ours.item in _names(v) for v in values):
            return 0
    return min(len(hole), len(place))


def _items(value: Any, item: str | None) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    if item is not None and item.isdecimal():
        return value[int(item) : int(item) + 1]
    return value


def _names(value: Any) -> Iterator[str]:
    for key in _TELLING if isinstance(value, dict) else ():
        if isinstance(value.get(key), str):
            yield value[key].rpartition("/")[2]

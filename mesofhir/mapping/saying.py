"""What a resource says of a record, value by value: to be compared, remembered, and proven to be ours.

Values are *canonical*: what says the same is the same text (``2.50`` and ``2.5``, an instant in another zone, a
reference by whatever literal), and a list is its items by what tells them apart. Copies of what another resource
owns are values too, named ``=status``.

**The proof.** What we write is signed: the element id of our generated narrative (``Narrative.id``; HAPI and
sekmet keep element ids) holds a digest over the values that the resource says on our behalf, and the names of those
that it says on somebody else's. A version whose digest matches its own content is what we wrote, whoever PUT it
last; an EHR's edit of any value of ours breaks it, its own additions do not. ``meta.source`` proves nothing: who
reads, edits and PUTs keeps it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from mesofhir.fhir.picture import UNKNOWN, Each, Echo, Mismatch, Reading
from mesofhir.mapping.clinic import Link, Shape, World
from mesofhir.mapping.narrative import ID, SIGNATURE, is_generated

Value = str | dict[str, str]
"""Canonical; of a list: what tells an item apart → the item. ``""`` or an empty list: nothing stands there."""
Values = dict[str, Value]
ABSENT: Final = ""
IDENTITY: Final = frozenset({"key", "patient"})
"""What is settled before any value is compared: which record it is, and whose."""
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Said:
    """What a resource says.

    :param row: the values themselves, by field
    :param values: the canonical ones, copies too
    :param places: where each field stands
    :param unclear: what stands there and cannot be read, and where
    :param doubts: the same in words
    :param seen: all places that were accounted for
    """

    shape: Shape
    row: dict[str, Any]
    values: Values
    places: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)
    doubts: list[tuple[str, str]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)


def said(resource: Mapping[str, Any], shapes: Iterable[Shape], world: World) -> Said | None:
    """What a resource says, by the first of the shapes in which all of it can be read, else by the first that it has
    at all; None if it has none of them."""
    found: Said | None = None
    for shape in shapes:
        r = Reading(world)
        try:
            shape.picture.get(resource, r, "$")
        except Mismatch:
            continue
        except (TypeError, ValueError, KeyError, AttributeError):  # a text where an object belongs, say
            continue
        this = Said(shape, r.row, {**values(shape, r.row), **_copies(r)}, r.places, r.unclear, r.doubts, r.seen)
        if not r.doubts and not r.unclear:
            return this
        found = found or this
    return found


def values(shape: Shape, row: Mapping[str, Any]) -> Values:
    """The canonical values of a row, as far as a shape holds them; what is cleared is there and empty."""
    lists = lists_of(shape)
    return {
        name: items(lists[name], row[name]) if name in lists else canonical(row[name])
        for name in shape.picture.fields - IDENTITY
        if name in row
    }


def items(of: Each, listed: Any) -> Value:
    """The items of a list, by what tells them apart; those that look alike there stand together."""
    if listed is UNKNOWN:
        return canonical(UNKNOWN)
    out: dict[str, list[str]] = {}
    for x in listed or ():
        out.setdefault(canonical(of.key(x)), []).append(canonical(x))
    return {key: "\n".join(sorted(same)) for key, same in out.items()}


@lru_cache(1024)
def lists_of(shape: Shape) -> dict[str, Each]:
    """The lists of a shape of which each item stands for itself."""
    return {each.name: each for each in shape.picture.lists()}


def _copies(r: Reading) -> Values:
    out: dict[str, list[str]] = {}
    for _, echo, x in r.echoes:
        out.setdefault(f"={echo.name}", []).append(_copy(echo, x, r.world))
    return {name: "\n".join(all_) for name, all_ in out.items()}


def _copy(echo: Echo, x: Any, world: World) -> str:
    try:
        return canonical(echo.codec.back(x, world))
    except (KeyError, ValueError, TypeError, AttributeError):
        return canonical(x)


def canonical(value: Any) -> str:
    """A value as a text that is the same for all that says the same; "" for nothing."""
    if value is None or value == []:
        return ABSENT
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if value is UNKNOWN:
        return {"": "unknown"}
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Decimal):
        number = Decimal(value)
        return {"": str(number.normalize() if number else Decimal(0))}
    if isinstance(value, Link):
        return {"": list(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    text = str(value)
    return _utc(text) if _INSTANT.fullmatch(text) else text


def _utc(text: str) -> Any:
    try:
        return {"": datetime.fromisoformat(text).astimezone(UTC).isoformat()}
    except (ValueError, OverflowError):
        return text


# --- the proof ----------------------------------------------------------------------------------------------


def signed(
    resource: dict[str, Any], said: Said, link: Link, ours: Collection[str], stated: Iterable[str] = ()
) -> dict[str, Any]:
    """The resource with a signature in its narrative, if that is ours.

    :param said: what the resource says
    :param ours: the names of the values that it says on our behalf
    :param stated: the names of what we state: where it says nothing of them, that is on somebody else's behalf
    """
    text = resource.get("text")
    if not isinstance(text, dict) or not is_generated(text.get("id")):
        return resource
    present = {name: v for name, v in said.values.items() if v}
    others = sorted({*present, *stated} - set(ours))
    digest = _digest(link, {name: v for name, v in present.items() if name in ours})
    name = ".".join([f"{ID}-{digest}", *map(_short, others)])
    return resource | {"text": {**text, "id": name}}


@dataclass(frozen=True)
class Proof:
    """What a version says on our behalf; it is proven that we wrote it.

    :param others: the names of what it says on somebody else's, as they stand in its signature
    """

    values: Values
    others: frozenset[str]

    def covers(self, name: str) -> bool:
        """Does it tell what we had there, if only that it was nothing?"""
        return _short(name) not in self.others


def proven(resource: Mapping[str, Any], said: Said | None, link: Link) -> Proof | None:
    """The proof that we wrote a version; None if there is none.

    :param said: what it says
    """
    text = resource.get("text")
    m = SIGNATURE.fullmatch(str(text.get("id"))) if isinstance(text, dict) else None
    if m is None or said is None or said.unclear or said.doubts:
        return None
    others = frozenset(m[2].split(".")[1:])
    ours = {name: v for name, v in said.values.items() if v and _short(name) not in others}
    return Proof(ours, others) if _digest(link, ours) == m[1] else None


def _short(name: str) -> str:
    """A name as it stands in an element id: ``@goals.Goal`` → ``goals-Goal``."""
    return name.lstrip("@").replace(".", "-")


def _digest(link: Link, ours: Values) -> str:
    return hashlib.sha256(canonical([list(link), ours]).encode()).hexdigest()[:24]

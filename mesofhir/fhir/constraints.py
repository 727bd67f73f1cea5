"""What R4 asks for beyond the shape of JSON, of the types that histories are made of, as the HL7 validator judges it.

* invariants of resources and data types: ``invariants.csv``, read off the definitions of R4 4.0.1 (``profiles/r4.py``;
  ele-1, ext-1 and ref-1 are known to the shape)
* periods whose end is not after their start, or cannot be told to be (per-1)
* required bindings of CodeableConcepts
* URIs that must be absolute (``Identifier.system``, ``Extension.url``, ``Meta.profile``); OIDs and UUIDs as systems
* element ids that stand twice in a resource; contained resources that nothing refers to (dom-3)

* narratives: XHTML of the elements that R4 allows, with some content (txt-1, txt-2)
* units that UCUM does not have
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from mesofhir.errors import Problem
from mesofhir.fhir import ucum, xhtml
from mesofhir.fhir.elements import UCUM
from mesofhir.fhir.fhirpath import holds
from mesofhir.fhir.walk import Spot, spots

_HL7: Final = "http://terminology.hl7.org/CodeSystem/"
_BINDINGS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    path: (_HL7 + system, frozenset(codes.split()))
    for path, system, codes in (
        ("AllergyIntolerance.clinicalStatus", "allergyintolerance-clinical", "active inactive resolved"),
        (
            "AllergyIntolerance.verificationStatus",
            "allergyintolerance-verification",
            "unconfirmed confirmed refuted entered-in-error",
        ),
        (
            "Condition.clinicalStatus",
            "condition-clinical",
            "active recurrence relapse inactive remission resolved",
        ),
        (
            "Condition.verificationStatus",
            "condition-ver-status",
            "unconfirmed provisional differential confirmed refuted entered-in-error",
        ),
    )
}
"""Element → system and codes of its value set (R4 terminologies-valuesets.html)."""
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")
_OID: Final = re.compile(r"(?=.{5,}\.[^.]*$)[0-2](\.(0|[1-9][0-9]*))+")  # none as short as 1.2.3
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


_QUANTITIES: Final = frozenset({"Quantity", "Age", "Count", "Distance", "Duration"})


class Invariant(NamedTuple):
    """An invariant of R4."""

    key: str
    human: str
    expression: str


@cache
def invariants() -> Mapping[str, tuple[Invariant, ...]]:
    """Type or element path → its invariants."""
    found: dict[str, tuple[Invariant, ...]] = {}
    text = files(__package__).joinpath("invariants.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        one = Invariant(row["key"], row["human"], row["expression"])
        found[row["element"]] = (*found.get(row["element"], ()), one)
    return found


def broken(resource: dict[str, Any], where: str = "$") -> Iterator[Problem]:
    """What breaks these rules in a resource whose shape is good; contained resources are judged with it."""
    ids: set[str] = set()
    for spot in spots(resource, where):
        yield from _invariants(spot, resource)
        yield from _period(spot)
        yield from _narrative(spot)
        yield from _unit(spot)
        yield from _codes(spot)
        yield from _uris(spot)
        yield from _twice(spot, ids)
    contained = resource.get("contained")
    for i, inner in enumerate(contained if isinstance(contained, list) else ()):
        if isinstance(inner, dict):
            here = f"{where}.contained[{i}]"
            yield from broken(inner, here)
            if not _referred_to(inner.get("id"), resource, inner):
                yield Problem(here, "a contained resource that nothing refers to", "a reference to it (dom-3)")


def _invariants(spot: Spot, resource: dict[str, Any]) -> Iterator[Problem]:
    known = invariants()
    for at in spot.types | spot.paths:
        for one in known.get(at, ()):
            if not holds(one.expression, spot.value, at, resource):
                yield Problem(spot.path, f"breaks the invariant {one.key}", one.human)


def _period(spot: Spot) -> Iterator[Problem]:
    if "Period" in spot.types:
        start, end = spot.value.get("start"), spot.value.get("end")
        if isinstance(start, str) and isinstance(end, str) and not in_order(start, end):
            what = "a period that ends before it starts, or of which that cannot be told"
            yield Problem(spot.path, what, "a start and an end of one precision, in order (per-1)")


def _narrative(spot: Spot) -> Iterator[Problem]:
    div = spot.value.get("div") if "Narrative" in spot.types else None
    if isinstance(div, str):
        yield from xhtml.broken(div, f"{spot.path}.div")


def in_order(start: str, end: str) -> bool:
    """Is a date or time certainly not after another? FHIRPath compares no further than both are precise.

    Of a day and an instant, the instant's day is that in UTC, as the HL7 validator has it.
    """
    if "T" in start and "T" in end:
        try:
            return datetime.fromisoformat(start) <= datetime.fromisoformat(end)
        except (TypeError, ValueError):  # a leap second, say
            return start <= end
    one, other = _day(start).split("-"), _day(end).split("-")
    shared = min(len(one), len(other))
    if one[:shared] != other[:shared]:
        return one[:shared] < other[:shared]
    return len(one) == len(other) and ("T" in start) is ("T" in end)


def _day(moment: str) -> str:
    try:
        return str(datetime.fromisoformat(moment).astimezone(UTC).date()) if "T" in moment else moment
    except (ValueError, OverflowError):  # a leap second, or a zone that leads out of the calendar
        return moment.split("T")[0]


def _unit(spot: Spot) -> Iterator[Problem]:
    code = spot.value.get("code")
    if spot.types & _QUANTITIES and spot.value.get("system") == UCUM and isinstance(code, str) and not ucum.known(code):
        yield Problem(f"{spot.path}.code", "no unit of UCUM", "a UCUM code, such as mL or mg")


def _codes(spot: Spot) -> Iterator[Problem]:
    for path in spot.paths & _BINDINGS.keys():
        system, codes = _BINDINGS[path]
        theirs = spot.value.get("coding")
        found = [c for c in theirs if isinstance(c, dict)] if isinstance(theirs, list) else []
        if not any(c.get("system") == system and c.get("code") in codes for c in found):
            yield Problem(spot.path, "no code of the required value set", "one of " + ", ".join(sorted(codes)))


def _uris(spot: Spot) -> Iterator[Problem]:
    if "Identifier" in spot.types:
        yield from _absolute(spot.value.get("system"), f"{spot.path}.system")
    if "Extension" in spot.types and not any(path.startswith("Extension.") for path in spot.paths):
        yield from _absolute(spot.value.get("url"), f"{spot.path}.url")  # inside another one it is a mere name
    if spot.types & {"Identifier", "Coding", "Quantity"}:
        yield from _urn(spot.value.get("system"), f"{spot.path}.system")
    profiles = spot.value.get("profile") if "Meta" in spot.types else None
    for i, profile in enumerate(profiles if isinstance(profiles, list) else ()):
        yield from _absolute(profile, f"{spot.path}.profile[{i}]")


def _urn(uri: object, where: str) -> Iterator[Problem]:
    """R4 datatypes.html#oid, #uuid."""
    if not isinstance(uri, str) or not uri.startswith("urn:"):
        return
    kind, _, rest = uri.removeprefix("urn:").partition(":")
    if kind == "oid" and not _OID.fullmatch(rest):
        yield Problem(where, "not an OID", "an OID such as urn:oid:2.16.840.1.113883.2.9.4.3.2")
    if kind == "uuid" and not _UUID.fullmatch(rest):
        yield Problem(where, "not a UUID", "a UUID in small letters, behind urn:uuid:")


def _absolute(uri: object, where: str) -> Iterator[Problem]:
    if isinstance(uri, str) and not _ABSOLUTE.fullmatch(uri):
        yield Problem(where, "a URI that is not absolute", "an absolute URI, such as https://… or urn:…")


def _twice(spot: Spot, ids: set[str]) -> Iterator[Problem]:
    own = spot.value.get("id")
    if isinstance(own, str) and "Resource" not in spot.types:
        if own in ids:
            yield Problem(f"{spot.path}.id", "an element id that stands twice in the resource", "an id of its own")
        ids.add(own)


def _referred_to(own: object, whole: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    """Does anything refer to a contained resource, or it to what contains it?"""
    literals = (x.get("reference") for x in _objects(whole))
    return any(x == f"#{own}" for x in literals) or any(x.get("reference") == "#" for x in _objects(inner))


def _objects(x: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [x]
    while waiting:
        x = waiting.pop()
        if isinstance(x, dict):
            yield x
            waiting += x.values()
        elif isinstance(x, list):
            waiting += x

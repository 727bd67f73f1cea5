"""What every part of a picture can do, and what reading and writing find on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mesofhir.fhir.picture.holes import Computed, Echo
    from mesofhir.fhir.picture.lists import Each

Row = Mapping[str, Any]
Doubt = tuple[str, str]  # (path, why)


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""The clinic says that it does not know the value (architecture, rule 1)."""

ABSENT_REASON: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_NOT_KNOWN: Final = {"url": ABSENT_REASON, "valueCode": "unknown"}

CHOICES: Final = (
    "performed", "effective", "onset", "abatement", "occurrence", "identified", "medication", "value",
    "asNeeded", "deceased", "multipleBirth",
)  # fmt: skip
"""The ``x[y]`` elements of the resources that are pictured (FHIR R4, 2.6.4.1 Choice of data types)."""


class Mismatch(Exception):
    """What was read is not what the picture shows."""


@dataclass(slots=True)
class Reading:
    """What one ``get`` found: the row, the paths accounted for, the doubts, and the copies to compare.

    ``places`` says where each field was read, ``unclear`` which fields could not be, and where (``=name``: a copy).

    An *echo* is a place that repeats a field owned by another resource or by the parent's row: it is
    verified once all rows are known (:class:`Echo`); so is a computed place.
    """

    world: Any = None
    row: dict[str, Any] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    echoes: list[tuple[str, Echo, Any]] = field(default_factory=list)
    computed: list[tuple[str, Computed, Any]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)

    def say(self, name: str, value: Any, path: str, same: Callable[[Any, Any], bool] | None = None, *seen: str) -> None:
        """Record that the resource states ``value`` for the field ``name``."""
        if name in self.row and not (same or equal)(self.row[name], value):
            raise Mismatch(f"{path}: {name} is said twice, differently")
        self.row.setdefault(name, value)
        self.places.setdefault(name, path)
        self.seen += seen or (path,)

    def doubt(self, part: Node, path: str, why: str) -> None:
        """Record that what stands at ``path`` cannot be read."""
        self.doubts.append((path, why))
        self.unclear |= dict.fromkeys([*part.fields, *part.describes, *(f"={name}" for name in part.copies)], path)

    def part(self) -> Reading:
        """A reading of a part, to be merged or dropped as a whole."""
        return Reading(self.world)

    def merge(self, part: Reading, path: str, same: Callable[[Any, Any], bool] | None = None) -> None:
        for name, value in part.row.items():
            if name in self.row and not (same or equal)(self.row[name], value):
                raise Mismatch(f"{path}: {name} is said twice, differently")
        self.row |= part.row
        self.places |= part.places
        self.unclear |= part.unclear
        self.seen += part.seen
        self.doubts += part.doubts
        self.echoes += part.echoes
        self.computed += part.computed


@dataclass(slots=True)
class Writing:
    """What one ``put`` needs and reports: the row, the world around it, and what was left alone.

    :ivar refresh: make computed values anew where they are ours
    :ivar force: what stands there is known to be ours in another form (the record was withdrawn)
    :ivar leave: copies that stay as they are, although the row says something else
    :ivar gentle: another choice of an ``x[y]`` element that stands there stays, and is a doubt
    """

    row: Row
    world: Any = None
    doubts: list[Doubt] = field(default_factory=list)
    refresh: bool = False
    force: bool = False
    leave: frozenset[str] = frozenset()
    gentle: bool = False


def equal(a: Any, b: Any) -> bool:
    return bool(a == b) and (isinstance(a, bool) == isinstance(b, bool))


@dataclass(frozen=True, slots=True)
class Codec:
    """How a field's value stands in FHIR.

    :param out: value, world → JSON
    :param back: JSON, world → value; KeyError, ValueError or TypeError where it has no counterpart
    :param same: do two values say the same?
    :param fits: could this JSON be ours? Tells list items apart (a reference into our own namespace)
    :param mark: what ``fits`` looks for; two different marks never fit the same JSON
    :param complex: the JSON is an object, so that a data-absent-reason goes inside it
    :param places: the members of that object that the value accounts for; None: all of it
    """

    out: Callable[[Any, Any], Any] = lambda v, _: v
    back: Callable[[Any, Any], Any] = lambda x, _: x
    same: Callable[[Any, Any], bool] = equal
    fits: Callable[[Any, Any], bool] = lambda x, _: True
    mark: object = None
    complex: bool = False
    places: Callable[[Any], list[str]] | None = None

    def seen(self, x: Any, path: str) -> list[str]:
        """The paths that a value read from ``x`` accounts for."""
        return [f"{path}.{p}" for p in self.places(x)] if self.places else [path]


PLAIN: Final = Codec()


class Node:
    """A part of a picture."""

    fields: frozenset[str] = frozenset()  # the row's fields that it holds
    copies: frozenset[str] = frozenset()  # the fields that it repeats
    describes: frozenset[str] = frozenset()  # the fields that mean something else without it (a unit)
    constant: bool = False  # no holes at all
    decisive: bool = False  # unreadable, it refuses the whole resource (a status, an identity)
    mark: object = None  # what tells a list item of this picture apart, beside its constants
    required: bool = False  # without it the resource is not as pictured
    closed: str = ""  # its field, if that has to be a code of a closed set

    def put(self, w: Writing, old: Any, path: str) -> Any:
        """What should stand at ``path``, given what stands there; None: nothing."""
        raise NotImplementedError

    def get(self, x: Any, r: Reading, path: str) -> None:
        """Read ``x`` into ``r``; :class:`Mismatch` where it is not as pictured."""
        raise NotImplementedError

    def fits(self, x: Any, world: Any) -> bool:
        """Could ``x`` be what this picture made, as far as its constants say?"""
        return True

    def held(self, x: Any) -> int:
        """How many starting values still stand in ``x``: breaks ties between candidates."""
        return 0

    def stated(self, row: Row) -> bool:
        """Does the row state anything that has its place here?"""
        return self.constant or any(name in row for name in self.fields)

    def unknown(self, row: Row) -> bool:
        """Is the element to say that its value is not known?"""
        return False

    def says(self, x: Any, w: Writing, path: str) -> bool:
        """Does ``x`` already say all that the row states here (P4)?"""
        r = read(self, x, w.world, path)
        return r is not None and all(
            alike(self, name, r.row.get(name), w.row[name]) for name in self.fields if name in w.row
        )

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        """How two values of the field are compared."""
        return equal

    def lists(self) -> Iterator[Each]:
        """The lists of which each item stands for itself."""
        return iter(())

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        """(field, path) of each hole, for the published table."""
        return iter(())


def alike(node: Node, name: str, theirs: Any, ours: Any) -> bool:
    if theirs is None or ours is None or theirs is UNKNOWN or ours is UNKNOWN:
        return theirs is ours
    return node.same(name)(theirs, ours)


def read(node: Node, x: Any, world: Any, path: str = "$") -> Reading | None:
    """A reading of ``x``, or None where anything in it is unclear."""
    r = Reading(world)
    try:
        node.get(x, r, path)
    except Mismatch:
        return None
    return None if r.doubts else r


def absent(x: Any) -> bool:
    """Does the element say that its value is unknown (P10)?"""
    extensions = x.get("extension") or () if isinstance(x, dict) else ()
    return any(isinstance(e, dict) and _NOT_KNOWN.items() <= e.items() for e in extensions)


def not_known(old: Any) -> dict[str, Any]:
    """The element with a data-absent-reason, beside the other extensions that it has."""
    if absent(old):
        return dict(old)
    others = [e for e in (old or {}).get("extension") or () if e.get("url") != ABSENT_REASON]
    kept = {k: v for k, v in (old or {}).items() if k == "id"}
    return {**kept, "extension": [*others, dict(_NOT_KNOWN)]}


def known(old: Any) -> Any:
    """The element without its data-absent-reason; None when nothing else is left."""
    if not isinstance(old, dict) or "extension" not in old:
        return old
    others = [e for e in old["extension"] if e.get("url") != ABSENT_REASON]
    rest = {k: v for k, v in old.items() if k != "extension"} | ({"extension": others} if others else {})
    return rest or None


def guarded(part: Node, x: Any, r: Reading, path: str) -> None:
    """One unreadable place is a doubt about that place; a wrong constant refuses the whole."""
    if part.constant:
        part.get(x, r, path)
        return
    attempt = r.part()
    try:
        part.get(x, attempt, path)
        r.merge(attempt, path, part.same(*part.fields) if len(part.fields) == 1 else None)
    except Mismatch as why:
        if part.decisive:
            raise
        r.doubt(part, path, str(why).removeprefix(f"{path}: "))


LITERALS: Final[list[tuple[type, Callable[[Any], Node]]]] = []
"""Which node stands for which kind of literal; the modules of the nodes add themselves."""


def picture(literal: Any) -> Node:
    """The node of a literal: dicts, lists, constants, and nodes as they are."""
    if isinstance(literal, Node):
        return literal
    return next(make(literal) for kind, make in LITERALS if isinstance(literal, kind))

"""Pictures: a resource declared by a literal of itself, read and written by the same declaration.

A picture is a FHIR literal with *holes*. ``put`` fills it from a row, over what the server already holds;
``get`` reads the row back and says which places it accounts for. The rules, each of which has a test of its
own in ``tests/unit/test_picture.py``:

======  ==================================================================================================
 P1     A field that the row does not state leaves what stands there. ``None`` (cleared) takes it away.
 P2     What the picture does not show is never touched.
 P3     A constant is written only beside a value that it describes, and verified on reading.
 P4     What already says the same stays as it is, to the letter: ``2.50`` over ``2.5``, an instant in
        another zone, a code with an additional coding.
 P5     An item of a list is found again by its constants. Several candidates: nothing is touched and the
        place is a *doubt*. A picture whose list items cannot be told apart is refused when it is made.
 P6     Values without a key (``Each``) are united with theirs and paired by content, never by position.
 P7     A ``Whole`` (a quantity) stands or falls as one: in a unit or with a comparator that the picture does
        not know it is neither read nor overwritten, but a doubt.
 P8     ``Start`` is a value to begin with: what stands afterwards is theirs.
 P9     A field said twice, differently, is a doubt; so is a place that cannot be read.
 P10    A value that the clinic does not know (``UNKNOWN``) is a data-absent-reason on the element.
 P11    Of the choices of one ``x[y]`` element only one stands: writing ours takes theirs away, reported.
======  ==================================================================================================

Rows are plain dicts that hold the stated fields only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

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

    An *echo* is a place that repeats a field owned by another resource or by the parent's row: it is
    verified once all rows are known (:class:`Echo`); so is a computed place.
    """

    world: Any = None
    row: dict[str, Any] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    echoes: list[tuple[str, Echo, Any]] = field(default_factory=list)
    computed: list[tuple[str, Computed, Any]] = field(default_factory=list)

    def say(
        self, name: str, value: Any, path: str, same: Callable[[Any, Any], bool] | None = None, *seen: str
    ) -> None:
        """Record that the resource states ``value`` for the field ``name``."""
        if name in self.row and not (same or _equal)(self.row[name], value):
            raise Mismatch(f"{path}: {name} is said twice, differently")
        self.row.setdefault(name, value)
        self.seen += seen or (path,)

    def part(self) -> Reading:
        """A reading of a part, to be merged or dropped as a whole."""
        return Reading(self.world)

    def merge(self, part: Reading, path: str, same: Callable[[Any, Any], bool] | None = None) -> None:
        for name, value in part.row.items():
            if name in self.row and not (same or _equal)(self.row[name], value):
                raise Mismatch(f"{path}: {name} is said twice, differently")
        self.row |= part.row
        self.seen += part.seen
        self.doubts += part.doubts
        self.echoes += part.echoes
        self.computed += part.computed


@dataclass(slots=True)
class Writing:
    """What one ``put`` needs and reports: the row, the world around it, and what was left alone."""

    row: Row
    world: Any = None
    doubts: list[Doubt] = field(default_factory=list)
    refresh: bool = False  # make computed values anew where they are ours
    force: bool = False  # what stands there is known to be ours in another form (the record was withdrawn)


def _equal(a: Any, b: Any) -> bool:
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
    same: Callable[[Any, Any], bool] = _equal
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
    constant: bool = False  # no holes at all
    decisive: bool = False  # unreadable, it refuses the whole resource (a status, an identity)
    mark: object = None  # what tells a list item of this picture apart, beside its constants

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

    def says(self, x: Any, w: Writing, path: str) -> bool:
        """Does ``x`` already say all that the row states here (P4)?"""
        r = read(self, x, w.world, path)
        return r is not None and all(
            _alike(self, name, r.row.get(name), w.row[name]) for name in self.fields if name in w.row
        )

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        """How two values of the field are compared."""
        return _equal

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        """(field, path) of each hole, for the published table."""
        return iter(())


def _alike(node: Node, name: str, theirs: Any, ours: Any) -> bool:
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
    return isinstance(x, dict) and any(e == _NOT_KNOWN for e in x.get("extension") or ())


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


class Constant(Node):
    """A literal without holes: written beside the values that it describes, verified on reading (P3)."""

    constant = True

    def __init__(self, value: Any) -> None:
        self.value = value

    def put(self, w: Writing, old: Any, path: str) -> Any:
        return self.value

    def get(self, x: Any, r: Reading, path: str) -> None:
        if not _equal(x, self.value):
            raise Mismatch(f"{path}: not the expected constant")
        r.seen.append(path)

    def fits(self, x: Any, world: Any) -> bool:
        return _equal(x, self.value)


class Field(Node):
    """A hole for one field of the row."""

    def __init__(self, name: str, codec: Codec = PLAIN) -> None:
        self.name, self.codec = name, codec
        self.fields = frozenset([name])
        self.mark = codec.mark

    def put(self, w: Writing, old: Any, path: str) -> Any:
        if self.name not in w.row:
            return old
        value = w.row[self.name]
        if value is None:
            return None
        if value is UNKNOWN:
            return not_known(old) if self.codec.complex else None
        if old is not None and self.says(old, w, path):
            return old
        return self.codec.out(value, w.world)

    def get(self, x: Any, r: Reading, path: str) -> None:
        if self.codec.complex and absent(x):
            r.say(self.name, UNKNOWN, path)
            return
        try:
            if not self.codec.fits(x, r.world):
                raise ValueError
            value = self.codec.back(x, r.world)
        except (KeyError, ValueError, TypeError, AttributeError):
            raise Mismatch(f"{path}: has no counterpart in {self.name}") from None
        r.say(self.name, value, path, self.codec.same, *self.codec.seen(x, path))

    def fits(self, x: Any, world: Any) -> bool:
        return (self.codec.complex and absent(x)) or self.codec.fits(x, world)

    def unknown(self, row: Row) -> bool:
        """Is the element to say that its value is not known?"""
        return row.get(self.name) is UNKNOWN

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        return self.codec.same

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        yield self.name, path


class Echo(Node):
    """A copy of a field that another resource or the parent's row owns.

    Written like a field; on reading it is not taken, but compared with the owner once that is known. Several
    values of the owner may look alike here (a plan is ``revoked`` whether stopped or never begun).

    :param alone: what the copy says where no owner speaks; None: nothing
    :param decisive: a copy that disagrees refuses its whole resource (a status)
    :param needed: FHIR asks for the element: a copy of what is not stated says that it is not known
    """

    def __init__(
        self,
        name: str,
        codec: Codec = PLAIN,
        *,
        alone: Callable[[Any], Any] | None = None,
        decisive: bool = False,
        needed: bool = False,
    ) -> None:
        self.name, self.codec, self.alone, self.decisive = name, codec, alone, decisive
        self.needed = needed
        self.mark = codec.mark
        self.copies = frozenset([name])

    def put(self, w: Writing, old: Any, path: str) -> Any:
        value = w.row.get(self.name)
        if value is None:
            return old
        if value is UNKNOWN:
            return not_known(old) if self.codec.complex else None
        return old if old is not None and self.agrees(old, value, w.world) else self.codec.out(value, w.world)

    def get(self, x: Any, r: Reading, path: str) -> None:
        if not self.codec.fits(x, r.world):
            raise Mismatch(f"{path}: is not a copy of {self.name.lstrip('^/')}")
        r.echoes.append((path, self, x))
        r.seen += self.codec.seen(x, path)

    def agrees(self, x: Any, value: Any, world: Any) -> bool:
        """Does the copy ``x`` agree with the owner's ``value`` (None: it states none)?"""
        if value is UNKNOWN or value is None:
            return absent(x)
        try:
            return self.codec.same(x, self.codec.out(value, world))
        except (KeyError, ValueError, TypeError, AttributeError):
            return False

    def stated(self, row: Row) -> bool:
        return self.needed or row.get(self.name) is not None

    def unknown(self, row: Row) -> bool:
        """Is the element to say that its value is not known?"""
        return row.get(self.name) is UNKNOWN or (self.needed and row.get(self.name) is None)

    def fits(self, x: Any, world: Any) -> bool:
        return self.codec.fits(x, world)

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        yield self.name, path


class Decoration(Node):
    """List items that ours begins with and that carry no fact (a profile, a broader coding): never missed."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)

    def put(self, w: Writing, old: Any, path: str) -> Any:
        return list(self.items) if old is None else old

    def get(self, x: Any, r: Reading, path: str) -> None:
        r.seen += [f"{path}[{i}]" for i, item in enumerate(x) if item in self.items]


class Start(Node):
    """A value to begin with, theirs from then on (P8)."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def put(self, w: Writing, old: Any, path: str) -> Any:
        return self.value if old is None else old

    def get(self, x: Any, r: Reading, path: str) -> None:
        if _equal(x, self.value):
            r.seen.append(path)

    def held(self, x: Any) -> int:
        return int(_equal(x, self.value))


class Computed(Node):
    """A value made from the row (a display, a narrative): written when the rest is, never compared or read.

    :param make: row, world → JSON, or None
    :param ours: may what stands there be replaced? By default only where nothing stands
    :param alone: is it written even when nothing beside it is stated?
    """

    def __init__(
        self,
        make: Callable[[Row, Any], Any],
        ours: Callable[[Any], bool] = lambda old: False,
        *,
        alone: bool = False,
    ) -> None:
        self.make, self.ours, self.alone = make, ours, alone

    def accounts(self, x: Any, row: Row, worlds: Iterable[Any]) -> bool:
        """Is ``x`` what we would have computed, or a text of ours?"""
        return any(self.make(row, world) == x for world in worlds)

    def stated(self, row: Row) -> bool:
        return self.alone

    def put(self, w: Writing, old: Any, path: str) -> Any:
        return self.make(w.row, w.world) if old is None or (w.refresh and self.ours(old)) else old

    def get(self, x: Any, r: Reading, path: str) -> None:
        r.computed.append((path, self, x))


class Along(Node):
    """A constant that describes certain fields only, among others of the same object (a unit, a frequency).

    :param value: the constant, or a function of row and world, which is then not verified on reading
    """

    def __init__(self, names: tuple[str, ...], value: Any) -> None:
        self.names, self.make = names, value if callable(value) else None
        self.node = Start(None) if callable(value) else picture(value)
        self.mark = ("along", str(value))

    def put(self, w: Writing, old: Any, path: str) -> Any:
        values = [w.row[name] for name in self.names if name in w.row]
        if not values:
            return old
        if all(v is None for v in values):
            return None
        return self.make(w.row, w.world) if self.make else self.node.put(w, old, path)

    def get(self, x: Any, r: Reading, path: str) -> None:
        if self.make:
            r.seen.append(path)
        else:
            self.node.get(x, r, path)

    def fits(self, x: Any, world: Any) -> bool:
        return self.node.fits(x, world)


class Absent(Node):
    """An element that may not stand here."""

    def put(self, w: Writing, old: Any, path: str) -> Any:
        return None

    def get(self, x: Any, r: Reading, path: str) -> None:
        raise Mismatch(f"{path}: may not stand here")

    def fits(self, x: Any, world: Any) -> bool:
        return False


class Object(Node):
    """An object: constants, holes, and whatever else they put there."""

    always = False

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self.parts: dict[str, Node] = {k: picture(v) for k, v in parts.items()}
        self.fields = frozenset().union(*(p.fields for p in self.parts.values()))
        self.copies = frozenset().union(*(p.copies for p in self.parts.values()))
        self.constant = all(p.constant for p in self.parts.values())
        self.decisive = any(p.decisive for p in self.parts.values())

    def stated(self, row: Row) -> bool:
        return (
            self.constant or self.always or any(p.stated(row) for p in self.parts.values() if not p.constant)
        )

    def put(self, w: Writing, old: Any, path: str) -> Any:
        if not self.stated(w.row):
            return old
        old = old if isinstance(old, dict) else {}
        new: dict[str, Any] = dict(old)
        said = self.constant or self.always
        for k, part in self.parts.items():
            value = part.put(w, new.get(k), f"{path}.{k}")
            new[k] = value
            said = said or (value is not None and not part.constant and self._speaks(part, w.row))
            if isinstance(part, Field | Echo) and not part.codec.complex and part.stated(w.row):
                said = self._say_unknown(k, value is None and part.unknown(w.row), new) or said
            if value is not None and k not in old:
                self._sole_choice(k, new, w, path)
        if not said:  # nothing left that our constants would describe
            new = {k: v for k, v in new.items() if k not in self.parts}
        return {k: v for k, v in new.items() if v is not None} or None

    def _say_unknown(self, k: str, unknown: bool, new: dict[str, Any]) -> bool:
        """P10 for a primitive: on its sibling ``_birthDate``; an extension says it in place of its value."""
        if "url" in self.parts:
            now = (not_known if unknown else known)(
                {"extension": new["extension"]} if "extension" in new else None
            )
            new["extension"] = (now or {}).get("extension")
        else:
            new["_" + k] = (not_known if unknown else known)(new.get("_" + k))
        return unknown

    def _unknown(self, x: dict[str, Any], k: str) -> str:
        """Where ``x`` says that the primitive ``k`` is unknown; "" if it does not."""
        if "url" in self.parts:
            return "extension" if k.startswith("value") and absent(x) else ""
        return "_" + k if absent(x.get("_" + k)) else ""

    def _speaks(self, part: Node, row: Row) -> bool:
        return bool(part.fields) or isinstance(part, Echo) or part.stated(row)

    def _sole_choice(self, k: str, new: dict[str, Any], w: Writing, path: str) -> None:
        """P11: our ``performedPeriod`` takes the place of their ``performedDateTime``."""
        stem = next((c for c in CHOICES if k.startswith(c) and k[len(c) : len(c) + 1].isupper()), None)
        if stem is None:
            return
        for other in [o for o in new if o.startswith(stem) and o[len(stem) : len(stem) + 1].isupper()]:
            if other != k and other not in self.parts:
                w.doubts.append((f"{path}.{other}", f"replaced by {k}"))
                del new[other]

    def get(self, x: Any, r: Reading, path: str) -> None:
        if not isinstance(x, dict):
            raise Mismatch(f"{path}: an object was expected")
        for k, part in self.parts.items():
            here = f"{path}.{k}"
            if k in x:
                _guarded(part, x[k], r, here)
            elif isinstance(part, Field | Echo) and (said := self._unknown(x, k)):
                self._get_unknown(part, x[said], r, f"{path}.{said}")
            elif part.constant:
                raise Mismatch(f"{here}: missing")

    def _get_unknown(self, part: Field | Echo, x: Any, r: Reading, path: str) -> None:
        if isinstance(part, Field):
            r.say(part.name, UNKNOWN, path)
        else:
            r.echoes.append((path, part, x if isinstance(x, dict) else {"extension": x}))
            r.seen.append(path)

    def fits(self, x: Any, world: Any) -> bool:
        return isinstance(x, dict) and all(
            part.fits(x[k], world) if k in x else not part.constant for k, part in self.parts.items()
        )

    def held(self, x: Any) -> int:
        return sum(part.held(x[k]) for k, part in self.parts.items() if k in x)

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        return next(part.same(name) for part in self.parts.values() if name in part.fields)

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        for k, part in self.parts.items():
            yield from part.holes(f"{path}.{k}")


class Sole(Object):
    """A list item that nothing constant tells apart: the only one, or the one with its starting values."""


class Always(Object):
    """An object that is written even when the row states nothing in it (what a reference points to)."""

    always = True


class Whole(Object):
    """An object that stands or falls as one, such as a quantity (P7)."""

    MAY_STAND_BESIDE: Final = frozenset({"id", "extension", "unit", "_value"})

    def put(self, w: Writing, old: Any, path: str) -> Any:
        if not self.stated(w.row):
            return old
        if old is None or absent(old):
            return super().put(w, known(old) if old else None, path)
        r = read(self, old, w.world, path)
        if r is None:
            w.doubts.append((path, "stands there in a form that is not ours; left alone"))
            return old
        if self.says(old, w, path):
            return old
        kept = {k: v for k, v in old.items() if k in ("id", "extension")}
        everything = Writing({**r.row, **w.row}, w.world, w.doubts)
        return super().put(everything, kept or None, path)

    def get(self, x: Any, r: Reading, path: str) -> None:
        if absent(x):
            r.say(min(self.fields), UNKNOWN, path)
            return
        strange = set(x) - set(self.parts) - self.MAY_STAND_BESIDE if isinstance(x, dict) else {"?"}
        if strange:
            raise Mismatch(f"{path}: {min(strange)} changes what it says")
        super().get(x, r, path)


class Both(Node):
    """Two pictures of one element (a coded site, and the extension that says on which side)."""

    def __init__(self, *of: Any) -> None:
        self.of = [picture(p) for p in of]
        self.fields = frozenset().union(*(p.fields for p in self.of))
        self.copies = frozenset().union(*(p.copies for p in self.of))
        self.decisive = any(p.decisive for p in self.of)

    def put(self, w: Writing, old: Any, path: str) -> Any:
        for part in self.of:
            old = part.put(w, old, path)
        return old

    def get(self, x: Any, r: Reading, path: str) -> None:
        for part in self.of:
            part.get(x, r, path)

    def fits(self, x: Any, world: Any) -> bool:
        return all(part.fits(x, world) for part in self.of)

    def stated(self, row: Row) -> bool:
        return any(part.stated(row) for part in self.of)

    def held(self, x: Any) -> int:
        return sum(part.held(x) for part in self.of)

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        return next(part.same(name) for part in self.of if name in part.fields)

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        for part in self.of:
            yield from part.holes(path)


class Each(Node):
    """The items of a list field, one list item each (P6). Only inside a list.

    :param item: the picture of one item; its holes are the item's own fields, or the hole named ``""`` where
        an item is a plain value
    :param by: the part of an item that says which one it is: an item of ours that says something else under
        the same ``by`` is changed in place instead of added
    """

    def __init__(self, name: str, item: Any, by: str | None = None) -> None:
        self.name, self.item, self.by = name, picture(item), by
        self.fields = frozenset([name])
        self.plain = "" in self.item.fields

    def _row(self, value: Any) -> dict[str, Any]:
        return {"": value} if self.plain else value

    def _value(self, row: dict[str, Any]) -> Any:
        return row[""] if self.plain else row

    def _mine(self, xs: list[Any], world: Any, others: list[Node]) -> dict[int, dict[str, Any]]:
        """Index → row, of the items that this picture can read and no other claims."""
        found = {}
        for i, x in enumerate(xs):
            if self.item.fits(x, world) and not any(o.fits(x, world) for o in others):
                r = read(self.item, x, world)
                if r is not None and (not self.plain or "" in r.row):
                    found[i] = r.row
        return found

    def _same_row(self, a: Row, b: Row) -> bool:
        return a.keys() == b.keys() and all(_alike(self.item, k, a[k], b[k]) for k in a)

    def put_items(self, w: Writing, xs: list[Any], others: list[Node], path: str) -> list[Any]:
        if self.name not in w.row:
            return xs
        left = self._mine(xs, w.world, others)
        values = w.row[self.name]
        if not values:  # cleared
            return [x for i, x in enumerate(xs) if i not in left]
        todo = [self._row(v) for v in values]
        new = list(xs)
        says: list[Callable[[Row, int], bool]] = [
            lambda v, i: self._same_row(v, left[i]),
            lambda v, i: self.item.says(xs[i], Writing(v, w.world), path),
        ]
        if self.by is not None:
            says.append(lambda v, i: v.get(self.by or "") == left[i].get(self.by or ""))
        for alike in says:
            for v in list(todo):
                i = next((i for i in left if alike(v, i)), None)
                if i is not None:
                    new[i] = self.item.put(Writing(v, w.world, w.doubts), xs[i], f"{path}[{i}]")
                    del left[i]
                    todo.remove(v)
        made = [self.item.put(Writing(v, w.world, w.doubts), None, f"{path}[]") for v in todo]
        return new + [m for m in made if m is not None]

    def get_items(self, xs: list[Any], r: Reading, others: list[Node], path: str) -> None:
        out = []
        for i, row in self._mine(xs, r.world, others).items():
            part = r.part()
            self.item.get(xs[i], part, f"{path}[{i}]")
            r.seen += part.seen
            out.append(self._value(row))
        if out:
            same = self.same(self.name)
            r.say(self.name, out, path, lambda a, b: same(a, b) and same(b, a), "")

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        def united(theirs: Any, ours: Any) -> bool:
            rows = [self._row(v) for v in theirs]
            return all(any(self._same_row(self._row(v), t) for t in rows) for v in ours)

        return united

    def fits(self, x: Any, world: Any) -> bool:
        return self.item.fits(x, world)

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        for name, at in self.item.holes(f"{path}"):
            yield (f"{self.name}.{name}" if name else self.name), at


class Array(Node):
    """A list: each item of the picture is found among theirs by what is constant in it (P5)."""

    def __init__(self, items: list[Any]) -> None:
        self.items = [i if isinstance(i, Each) else picture(i) for i in items]
        self.fields = frozenset().union(*(i.fields for i in self.items))
        self.copies = frozenset().union(*(i.copies for i in self.items))
        self.constant = all(i.constant for i in self.items)
        self.decisive = any(i.decisive for i in self.items if not isinstance(i, Each))
        for i in self.items:
            if not isinstance(i, Each) and not i.constant and not isinstance(i, Sole) and not _tells(i):
                raise TypeError(f"a list item has no constant that tells it apart: {sorted(i.fields)}")
        for n, a in enumerate(self.items):
            for b in self.items[n + 1 :]:
                if isinstance(a, Each) is isinstance(b, Each) and not _apart(_node(a), _node(b)):
                    raise TypeError(
                        f"two items of a list could claim the same: {sorted(a.fields)}, {sorted(b.fields)}"
                    )

    def stated(self, row: Row) -> bool:
        return self.constant or any(i.stated(row) for i in self.items if not i.constant)

    def _find(self, item: Node, xs: list[Any], world: Any, w: Writing | None, path: str) -> list[int]:
        at = [i for i, x in enumerate(xs) if item.fits(x, world)]
        if len(at) > 1:
            most = max(item.held(xs[i]) for i in at)
            at = [i for i in at if item.held(xs[i]) == most]
        if len(at) > 1:
            at = [i for i in at if read(item, xs[i], world) is not None] or at
        if len(at) > 1 and w is not None:
            at = [i for i in at if item.says(xs[i], w, path)][:1] or at
        return at

    def put(self, w: Writing, old: Any, path: str) -> Any:
        if not self.stated(w.row):
            return old
        new = list(old) if isinstance(old, list) else []
        plain = [i for i in self.items if not isinstance(i, Each)]
        for item in self.items:
            if isinstance(item, Each):
                new = item.put_items(w, new, plain, path)
                continue
            if not item.stated(w.row):
                continue
            at = self._find(item, new, w.world, w, path)
            if item.constant:
                new += [] if at else [item.put(w, None, path)]
            elif len(at) > 1:
                w.doubts.append((path, f"which of {len(at)} is ours? Left alone"))
            else:
                here = at[0] if at else len(new)
                made = item.put(w, new[here] if at else None, f"{path}[{here}]")
                new[here : here + 1] = [] if made is None else [made]
        return new or None

    def get(self, x: Any, r: Reading, path: str) -> None:
        if not isinstance(x, list):
            raise Mismatch(f"{path}: a list was expected")
        plain = [i for i in self.items if not isinstance(i, Each)]
        for item in self.items:
            if isinstance(item, Each):
                item.get_items(x, r, plain, path)
                continue
            at = self._find(item, x, r.world, None, path)
            if item.constant and not at:
                raise Mismatch(f"{path}: an expected item is missing")
            if len(at) > 1 and not item.constant:
                r.doubts.append((path, f"which of {len(at)} is ours?"))
            elif at:
                _guarded(item, x[at[0]], r, f"{path}[{at[0]}]")

    def fits(self, x: Any, world: Any) -> bool:
        return isinstance(x, list) and all(
            any(item.fits(y, world) for y in x) for item in self.items if item.constant
        )

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        return next(i.same(name) for i in self.items if name in i.fields)

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        for item in self.items:
            yield from item.holes(f"{path}[]" if not isinstance(item, Object) else path + _label(item))


def _label(item: Object) -> str:
    """How the published table names a list item: by the constant that tells it apart."""
    for k in ("url", "id", "system", "relation"):
        part = item.parts.get(k)
        if isinstance(part, Constant | Start):
            return f"[{str(part.value).rsplit('/', 1)[-1]}]"
    return "[]"


def _node(item: Node) -> Node:
    return item.item if isinstance(item, Each) else item


def _guarded(part: Node, x: Any, r: Reading, path: str) -> None:
    """One unreadable place is a doubt about that place; a wrong constant refuses the whole."""
    if part.constant:
        part.get(x, r, path)
        return
    attempt = r.part()
    try:
        part.get(x, attempt, path)
        r.merge(attempt, path, part.same(next(iter(part.fields))) if isinstance(part, Field) else None)
    except Mismatch as why:
        if part.decisive:
            raise
        r.doubts.append((path, str(why).removeprefix(f"{path}: ")))


def _tells(node: Node) -> bool:
    """Is there anything constant that tells an item of this picture from others?"""
    if isinstance(node, Constant | Along):
        return True
    if isinstance(node, Object):
        return any(_tells(p) for p in node.parts.values())
    if isinstance(node, Both):
        return any(_tells(p) for p in node.of)
    if isinstance(node, Array):
        return any(_tells(_node(p)) for p in node.items)
    return node.mark is not None


def _apart(a: Node, b: Node) -> bool:
    """Can no item be claimed by both pictures?"""
    if isinstance(a, Constant) and isinstance(b, Constant):
        return not _equal(a.value, b.value)
    if isinstance(a, Object) and isinstance(b, Object):
        return any(
            _apart(p, b.parts[k]) if k in b.parts else isinstance(p, Constant) and k == "id"
            for k, p in a.parts.items()
        ) or any(k not in a.parts and k == "id" and isinstance(p, Constant) for k, p in b.parts.items())
    if isinstance(a, Both):
        return any(_apart(p, b) for p in a.of)
    if isinstance(b, Both):
        return any(_apart(a, p) for p in b.of)
    if isinstance(a, Array) and isinstance(b, Array):
        return any(_apart(_node(p), _node(q)) for p in a.items for q in b.items)
    return a.mark is not None and b.mark is not None and a.mark != b.mark


def picture(literal: Any) -> Node:
    """The node of a literal: dicts, lists, constants, and nodes as they are."""
    if isinstance(literal, Node):
        return literal
    if isinstance(literal, Mapping):
        return Object(literal)
    if isinstance(literal, list):
        return Array(literal)
    return Constant(literal)


def leaves(x: Any, path: str = "$") -> Iterator[str]:
    """The paths of all values that are neither object nor list."""
    if isinstance(x, dict):
        for k, v in x.items():
            yield from leaves(v, f"{path}.{k}")
    elif isinstance(x, list):
        for i, v in enumerate(x):
            yield from leaves(v, f"{path}[{i}]")
    else:
        yield path


def unaccounted(x: Any, seen: list[str]) -> list[str]:
    """The leaves that no picture accounted for: the loss report."""
    places = set(seen)

    def held(path: str) -> bool:
        while path:
            if path in places:
                return True
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return False

    return [p for p in leaves(x) if not held(p)]


def changes(old: Any, new: Any, path: str = "$") -> Iterator[str]:
    """The paths of the values of ``old`` that ``new`` replaces or takes away; additions are not listed."""
    if isinstance(old, dict) and isinstance(new, dict):
        for k, v in old.items():
            yield from changes(v, new.get(k), f"{path}.{k}")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) <= len(new):
            for i, v in enumerate(old):
                yield from changes(v, new[i], f"{path}[{i}]")
        else:
            for i, v in enumerate(old):
                if v not in new:
                    yield f"{path}[{i}]"
    elif not _equal(old, new):
        yield path

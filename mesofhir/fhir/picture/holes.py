"""The nodes without parts: constants, holes, copies, and what we begin with or compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mesofhir.fhir.picture.core import (
    LITERALS,
    PLAIN,
    UNKNOWN,
    Codec,
    Mismatch,
    Node,
    Reading,
    Row,
    Writing,
    absent,
    equal,
    not_known,
    picture,
)


class Constant(Node):
    """A literal without holes: written beside the values that it describes, verified on reading (P3)."""

    constant = True

    def __init__(self, value: Any) -> None:
        self.value = value

    def put(self, w: Writing, old: Any, path: str) -> Any:
        return self.value

    def get(self, x: Any, r: Reading, path: str) -> None:
        if not equal(x, self.value):
            raise Mismatch(f"{path}: not the expected constant")
        r.seen.append(path)

    def fits(self, x: Any, world: Any) -> bool:
        return equal(x, self.value)


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
        if equal(x, self.value):
            r.seen.append(path)

    def held(self, x: Any) -> int:
        return int(equal(x, self.value))


class Computed(Node):
    """A value made from the row (a display, a narrative): written when the rest is, never compared or read.

    :param make: row, world → JSON, or None
    :param ours: may what stands there be replaced? By default only where nothing stands
    :param alone: is it written even when nothing beside it is stated?
    :param follows: is it a fact that follows from others (the skin over a site), to be changed with them?
    """

    def __init__(
        self,
        make: Callable[[Row, Any], Any],
        ours: Callable[[Any], bool] = lambda old: False,
        *,
        alone: bool = False,
        follows: bool = False,
    ) -> None:
        self.make, self.ours, self.alone, self.follows = make, ours, alone, follows

    def accounts(self, x: Any, row: Row, worlds: Iterable[Any]) -> bool:
        """Is ``x`` what we would have computed, or a text of ours?"""
        return any(self.make(row, world) == x for world in worlds)

    def stated(self, row: Row) -> bool:
        return self.alone

    def put(self, w: Writing, old: Any, path: str) -> Any:
        if old is not None and not ((w.refresh or self.follows) and self.ours(old)):
            return old
        made = self.make(w.row, w.world)
        return old if made is None or (self.follows and _within(made, old)) else made

    def get(self, x: Any, r: Reading, path: str) -> None:
        r.computed.append((path, self, x))


def _within(x: Any, whole: Any) -> bool:
    """Does ``whole`` say all of ``x``, among other things? A display only repeats the code that it stands beside."""
    if isinstance(x, dict) and isinstance(whole, dict):
        return all(k == "display" or (k in whole and _within(v, whole[k])) for k, v in x.items())
    if isinstance(x, list) and isinstance(whole, list):
        return all(any(_within(y, z) for z in whole) for y in x)
    return equal(x, whole)


class Along(Node):
    """A constant that describes certain fields only, among others of the same object (a unit, a frequency).

    :param value: the constant, or a function of row and world, which is then not verified on reading
    """

    def __init__(self, names: tuple[str, ...], value: Any) -> None:
        self.names, self.make = names, value if callable(value) else None
        self.node = Start(None) if callable(value) else picture(value)
        self.mark = ("along", str(value))
        # What stands in a list stands beside other items, and changes the meaning of nothing.
        self.describes = frozenset() if self.make or isinstance(value, list) else frozenset(names)

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

    def stated(self, row: Row) -> bool:
        return any(row.get(name) is not None for name in self.names)

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


LITERALS.append((object, Constant))  # what is neither object nor list

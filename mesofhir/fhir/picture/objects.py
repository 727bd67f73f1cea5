"""Objects: what stands together (P1 to P3, P7, P10, P11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from mesofhir.fhir.picture.core import (
    CHOICES,
    LITERALS,
    UNKNOWN,
    Mismatch,
    Node,
    Reading,
    Row,
    Writing,
    absent,
    guarded,
    known,
    not_known,
    picture,
    read,
)
from mesofhir.fhir.picture.holes import Echo, Field, Start

if TYPE_CHECKING:
    from mesofhir.fhir.picture.lists import Each


def _stem(name: str) -> str:
    """``performed`` of ``performedPeriod``; "" for what is no choice."""
    return next((c for c in CHOICES if name.startswith(c) and name[len(c) : len(c) + 1].isupper()), "")


class Object(Node):
    """An object: constants, holes, and whatever else they put there."""

    always = False

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self.parts: dict[str, Node] = {k: picture(v) for k, v in parts.items()}
        self.fields = frozenset().union(*(p.fields for p in self.parts.values()))
        self.copies = frozenset().union(*(p.copies for p in self.parts.values()))
        self.described: frozenset[str] = frozenset().union(*(p.describes for p in self.parts.values()))
        self.constant = all(p.constant or isinstance(p, Start) for p in self.parts.values())
        self.decisive = any(p.decisive for p in self.parts.values())
        self.choices = {k: stem for k in self.parts if (stem := _stem(k))}

    def stated(self, row: Row) -> bool:
        return self.constant or self.always or any(p.stated(row) for p in self.parts.values() if not p.constant)

    def put(self, w: Writing, old: Any, path: str) -> Any:
        if not self.stated(w.row):
            return old
        old = old if isinstance(old, dict) else {}
        new: dict[str, Any] = dict(old)
        said = self.constant or self.always
        for k, part in self.parts.items():
            if part.copies and part.copies <= w.leave and not part.fields:
                said = said or k in old
                continue
            value, aside = part.put(w, new.get(k), f"{path}.{k}"), self._aside(k, part)
            value = None if aside and absent(value) else value
            new[k] = value
            said = said or (value is not None and not part.constant and self._speaks(part, w.row))
            if aside and part.stated(w.row):
                said = self._say_unknown(k, value is None and part.unknown(w.row), new) or said
            if k in self.choices and value is not None and k not in old:
                self._sole_choice(k, new, w, path)
        if not said:  # nothing left that our constants would describe
            new = {k: v for k, v in new.items() if k not in self.parts}
        return {k: v for k, v in new.items() if v is not None} or None

    def _aside(self, k: str, part: Node) -> bool:
        """Does something beside the element say that it is unknown, and not the element itself (P10)?"""
        if isinstance(part, Field | Echo):
            return not part.codec.complex
        return bool(part.closed) and self._is_value(k)

    def _is_value(self, k: str) -> bool:
        """Is it the value of an extension?"""
        return "url" in self.parts and k.startswith("value")

    def _say_unknown(self, k: str, unknown: bool, new: dict[str, Any]) -> bool:
        """P10 for a primitive: on its sibling ``_birthDate``; an extension says it in place of its value."""
        if self._is_value(k):
            now = (not_known if unknown else known)({"extension": new["extension"]} if "extension" in new else None)
            new["extension"] = (now or {}).get("extension")
        else:
            new["_" + k] = (not_known if unknown else known)(new.get("_" + k))
        return unknown

    def _unknown(self, x: dict[str, Any], k: str) -> str:
        """Where ``x`` says beside ``k`` that it is unknown; "" if it does not."""
        if self._is_value(k):
            return "extension" if absent(x) else ""
        return "_" + k if absent(x.get("_" + k)) else ""

    def _speaks(self, part: Node, row: Row) -> bool:
        return bool(part.fields) or isinstance(part, Echo) or part.stated(row)

    def _sole_choice(self, k: str, new: dict[str, Any], w: Writing, path: str) -> None:
        """P11: our ``performedPeriod`` takes the place of their ``performedDateTime``, unless theirs is to stay."""
        for other in [o for o in new if o != k and o not in self.parts and _stem(o) == self.choices[k]]:
            if w.gentle:
                w.doubts.append((f"{path}.{other}", f"stands in the place of {k}; left alone"))
                new[k] = None
                continue
            w.doubts.append((f"{path}.{other}", f"replaced by {k}"))
            del new[other]

    def get(self, x: Any, r: Reading, path: str) -> None:
        if not isinstance(x, dict):
            raise Mismatch(f"{path}: an object was expected")
        for k, part in self.parts.items():
            here = f"{path}.{k}"
            if k in x:
                guarded(part, x[k], r, here)
            elif (isinstance(part, Field | Echo) or self._aside(k, part)) and (said := self._unknown(x, k)):
                self._get_unknown(part, x[said], r, f"{path}.{said}")
            elif part.constant or part.required:
                raise Mismatch(f"{here}: missing")
        for name in self.described & r.unclear.keys():  # every 1 wk, but twice: that is no interval of one week
            r.row.pop(name, None)
            if (at := r.places.pop(name, "")) in r.seen:
                r.seen.remove(at)

    def _get_unknown(self, part: Node, x: Any, r: Reading, path: str) -> None:
        if isinstance(part, Echo):
            r.echoes.append((path, part, x if isinstance(x, dict) else {"extension": x}))
            r.seen.append(path)
        else:
            r.say(part.name if isinstance(part, Field) else part.closed, UNKNOWN, path)

    def fits(self, x: Any, world: Any) -> bool:
        return isinstance(x, dict) and all(
            part.fits(x[k], world) if k in x else not part.constant for k, part in self.parts.items()
        )

    def held(self, x: Any) -> int:
        return sum(part.held(x[k]) for k, part in self.parts.items() if k in x)

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        return next(part.same(name) for part in self.parts.values() if name in part.fields)

    def lists(self) -> Iterator[Each]:
        for part in self.parts.values():
            yield from part.lists()

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

    def fits(self, x: Any, world: Any) -> bool:
        """In another unit it is the same item of a list all the same: a doubt about it, not another item."""
        return isinstance(x, dict)

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

    def lists(self) -> Iterator[Each]:
        for part in self.of:
            yield from part.lists()

    def holes(self, path: str) -> Iterator[tuple[str, str]]:
        for part in self.of:
            yield from part.holes(path)


LITERALS.insert(0, (Mapping, Object))

"""Lists: which item is which (P5, P6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from mesofhir.fhir.picture.core import (
    LITERALS,
    Mismatch,
    Node,
    Reading,
    Row,
    Writing,
    alike,
    equal,
    guarded,
    picture,
    read,
)
from mesofhir.fhir.picture.holes import Along, Constant, Start
from mesofhir.fhir.picture.objects import Both, Object, Sole


class Each(Node):
    """The items of a list field, one list item each (P6). Only inside a list.

    :param item: the picture of one item; its holes are the item's own fields, or the hole named ``""`` where
        an item is a plain value
    An item that we make carries an element id of ours (``mesofhir-drugs-1``). So what the clinic states no longer
    is taken away, and what an EHR added stays: without the id nobody could tell the two. A computed list (``@…``)
    is only ever united.

    :param by: the part of an item that says which one it is: an item that says something else under the same
        ``by`` is changed in place instead of added
    """

    def __init__(self, name: str, item: Any, by: str | None = None) -> None:
        self.name, self.item, self.by = name, picture(item), by
        self.fields = frozenset([name])
        self.plain = "" in self.item.fields
        self.id = "" if name.startswith("@") else f"mesofhir-{name.replace('_', '-')}-"

    def _made_by_us(self, x: Any) -> bool:
        return bool(self.id) and isinstance(x, dict) and str(x.get("id", "")).startswith(self.id)

    def _marked(self, made: list[Any], beside: list[Any]) -> list[Any]:
        """The items with element ids that nothing beside them has."""
        taken = {x.get("id") for x in beside if isinstance(x, dict)}
        free = (f"{self.id}{n}" for n in count(1) if f"{self.id}{n}" not in taken)
        return [{"id": next(free)} | m if self.id and isinstance(m, dict) else m for m in made]

    def _row(self, value: Any) -> dict[str, Any]:
        return {"": value} if self.plain else value

    def _value(self, row: dict[str, Any]) -> Any:
        return row[""] if self.plain else row

    def _mine(self, xs: list[Any], world: Any, others: list[Node]) -> dict[int, dict[str, Any]]:
        """Index → row, of the items that this picture can read and no other claims."""
        found = {}
        for i, x in enumerate(xs):
            if self.item.fits(x, world) and not any(o.fits(x, world) for o in others):
                r = self._read(x, world)
                if r is not None and (not self.plain or "" in r.row):
                    found[i] = r.row
        return found

    def _read(self, x: Any, world: Any) -> Reading | None:
        """A reading of an item; what is unclear in it does not hide which one it is."""
        r = Reading(world)
        try:
            self.item.get(x, r, "")
        except Mismatch:
            return None
        return r if not r.doubts or self.by in r.row else None

    def _same_row(self, a: Row, b: Row) -> bool:
        return a.keys() == b.keys() and all(alike(self.item, k, a[k], b[k]) for k in a)

    def put_items(self, w: Writing, xs: list[Any], others: list[Node], path: str) -> list[Any]:
        if self.name not in w.row:
            return xs
        left = self._mine(xs, w.world, others)
        values = w.row[self.name]
        if not values:  # cleared
            return [x for i, x in enumerate(xs) if i not in left]
        rows = [self._row(v) for v in values]
        todo = list(rows)
        where: dict[int, int] = {}  # which of ours stands at which place
        new = list(xs)
        says: list[Callable[[Row, int], bool]] = [
            lambda v, i: self._same_row(v, left[i]),
            lambda v, i: self.item.says(xs[i], Writing(v, w.world), path),
        ]
        if self.by is not None:
            says.append(lambda v, i: v.get(self.by or "") == left[i].get(self.by or "", ""))
        for agree in says:
            for v in list(todo):
                i = next((i for i in left if agree(v, i)), None)
                if i is not None:
                    new[i] = self.item.put(Writing(v, w.world, w.doubts), xs[i], f"{path}[{i}]")
                    del left[i]
                    where[id(v)] = i
                    todo = [t for t in todo if t is not v]
        gone = {i for i in left if self._made_by_us(xs[i])}  # ours, and no longer stated
        kept = [i for i in range(len(new)) if i not in gone]
        made = self._marked([self._new(v, w, path) for v in todo], [new[i] for i in kept])
        if not gone and not made:
            return new  # in their order
        fresh = {id(v): m for v, m in zip(todo, made, strict=True)}
        stated = [fresh[id(v)] if id(v) in fresh else new[where[id(v)]] for v in rows]
        slots = iter(stated)
        ours = set(where.values())
        return [next(slots) if i in ours else new[i] for i in kept] + list(slots)

    def _new(self, row: Row, w: Writing, path: str) -> Any:
        return self.item.put(Writing(row, w.world, w.doubts), None, f"{path}[]") or {}

    def get_items(self, xs: list[Any], r: Reading, others: list[Node], path: str) -> None:
        out = []
        mine = self._mine(xs, r.world, others)
        if broken := [i for i, x in enumerate(xs) if i not in mine and self._made_by_us(x)]:
            r.unclear[self.name] = f"{path}[{broken[0]}]"
        for i, row in mine.items():
            part = r.part()
            self.item.get(xs[i], part, f"{path}[{i}]")
            r.seen += part.seen + ([f"{path}[{i}].id"] if self._made_by_us(xs[i]) else [])
            r.doubts += part.doubts
            out.append(self._value(row))
        if out:
            same = self.same(self.name)
            r.say(self.name, out, path, lambda a, b: same(a, b) and same(b, a), "")

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        def united(theirs: Any, ours: Any) -> bool:
            rows = [self._row(v) for v in theirs]
            return all(any(self._same_row(self._row(v), t) for t in rows) for v in ours)

        return united

    def key(self, value: Any) -> Any:
        """Which item a value of the list is: items of one key are changed, others are different items."""
        return value.get(self.by) if self.by is not None else value

    def lists(self) -> Iterator[Each]:
        yield self

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
                    raise TypeError(f"two items of a list could claim the same: {sorted(a.fields)}, {sorted(b.fields)}")

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
                r.doubt(item, path, f"which of {len(at)} is ours?")
            elif at:
                guarded(item, x[at[0]], r, f"{path}[{at[0]}]")

    def fits(self, x: Any, world: Any) -> bool:
        return isinstance(x, list) and all(any(item.fits(y, world) for y in x) for item in self.items if item.constant)

    def same(self, name: str) -> Callable[[Any, Any], bool]:
        return next(i.same(name) for i in self.items if name in i.fields)

    def lists(self) -> Iterator[Each]:
        for item in self.items:
            yield from item.lists()

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
        return not equal(a.value, b.value)
    if isinstance(a, Object) and isinstance(b, Object):
        return any(
            _apart(p, b.parts[k]) if k in b.parts else isinstance(p, Constant) and k == "id" for k, p in a.parts.items()
        ) or any(k not in a.parts and k == "id" and isinstance(p, Constant) for k, p in b.parts.items())
    if isinstance(a, Both):
        return any(_apart(p, b) for p in a.of)
    if isinstance(b, Both):
        return any(_apart(a, p) for p in b.of)
    if isinstance(a, Array) and isinstance(b, Array):
        return any(_apart(_node(p), _node(q)) for p in a.items for q in b.items)
    return a.mark is not None and b.mark is not None and a.mark != b.mark


LITERALS.insert(0, (list, Array))

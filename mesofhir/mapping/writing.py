"""A history → resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from mesofhir.fhir.picture import UNKNOWN, Mismatch, Reading, Writing
from mesofhir.mapping.clinic import Clinic, Link, Shape, World
from mesofhir.mapping.effects import unexpected
from mesofhir.mapping.narrative import title
from mesofhir.mapping.saying import ABSENT, Said, Values, canonical, said, signed, values
from mesofhir.mapping.shapes import Shapes, shapes_of
from mesofhir.records import TABLES, Fault, TreatmentHistory, flatten, paths
from mesofhir.records.identifiers import emitted

Rows = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Overlay:
    """Values to be put over a resource.

    :param shape: the form that it is to have
    :param leave: copies that stay as they are there
    :param gentle: a value that stands in the place of ours (the other choice of an ``x[y]``) stays
    """

    row: Mapping[str, Any]
    shape: Shape
    leave: frozenset[str] = frozenset()
    gentle: bool = False


@dataclass
class Made:
    """One resource of a history.

    :param link: what it is called
    :param row: what it says
    """

    link: Link
    shape: Shape
    row: dict[str, Any]
    world: World
    clinic: Clinic

    @cached_property
    def resource(self) -> dict[str, Any]:
        """The resource as if the server held nothing, signed."""
        return signed(self._drawn, self.says, self.link, self.says.values)

    @cached_property
    def _drawn(self) -> dict[str, Any]:
        drawn: dict[str, Any] = self.shape.picture.put(Writing(self.row, self.world), None, "$")
        return drawn

    @cached_property
    def says(self) -> Said:
        """What our resource says, read back."""
        found = said(self._drawn, [self.shape], World(self.world.namespace, codes=self.world.codes))
        if found is None:
            raise RuntimeError(f"{self.link.kind} of {self.link.table} cannot be read back")
        return found

    @property
    def forms(self) -> list[Shape]:
        """All shapes that such a resource may have, the one that the row takes now first."""
        others = shapes_of(self.clinic).get((self.link.kind, self.link.table), ())
        return [self.shape, *(s for s in others if s is not self.shape)]

    @cached_property
    def stated(self) -> Values:
        """All values that the record states: what is cleared is among them, and what is not stated is not."""
        copies = {name: v for name, v in self.says.values.items() if name[0] == "="}
        others: Values = {}  # cleared, with a place in another form of the resource
        for shape in self.forms:
            others |= {name: v for name, v in values(shape, self.row).items() if not v}
        return {**copies, **others, **values(self.shape, self.row)}

    @cached_property
    def fingerprint(self) -> str:
        """All that we would write, with what is computed from other records; without what only people read there."""
        return canonical({k: v for k, v in _bare(self._drawn).items() if k not in ("text", "meta")})

    @cached_property
    def likeness(self) -> str:
        """What the record states, but for its key and its references: the same under another key is the same here."""
        named = TABLES[self.link.table].references
        stated = {name: v for name, v in self.stated.items() if v and name[0] not in "@=" and name not in named}
        return canonical(stated)

    def over(self, old: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The row put over another resource, and the places that were left alone, with the reason: what the record
        states takes the place of whatever stands there."""
        if old is None:
            return self.resource, []
        new, doubts = self.put(old, Overlay(self.row, self.shape))
        if new != old and (found := said(new, [self.shape], self.world)):
            agreed = [name for name, v in self.stated.items() if found.values.get(name, ABSENT) == v]
            new = signed(new, found, self.link, agreed, self.stated)
        return new, doubts

    def put(self, old: Mapping[str, Any], overlay: Overlay) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Values put over another resource, and the places that were left alone, with the reason.

        Computed places (narrative, displays) are made anew only if something else changes.
        """
        picture, force = overlay.shape.picture, not readable(overlay.shape, old, self.world)
        gentle = overlay.gentle and not force
        w = Writing(overlay.row, self.world, force=force, leave=overlay.leave, gentle=gentle)
        new = picture.put(w, old, "$")
        if new != old:
            w = Writing(overlay.row, self.world, refresh=True, force=force, leave=overlay.leave, gentle=gentle)
            new = picture.put(w, old, "$")
        return new, w.doubts

    def reads(self, theirs: Mapping[str, Any]) -> bool:
        """Does the server's resource have the form that this record asks for now?"""
        return readable(self.shape, theirs, self.world)

    def strange(self, theirs: Mapping[str, Any]) -> bool:
        """Has the server's resource no form of ours at all (a status that we do not know, say)?

        Such a resource is neither read nor written.
        """
        return not any(readable(s, theirs, self.world) for s in self.forms)

    @property
    def handle(self) -> str:
        return self.clinic.handle(self.link)


@dataclass
class Graph:
    """All resources of one history, and what is wrong with its rows."""

    made: list[Made] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def graph(history: TreatmentHistory, clinic: Clinic) -> Graph:
    """The resources of a history, each before those that refer to it as far as their tables say.

    A fault is a field that has no place in FHIR for a record of its kind, or that would not be read back as
    it was written.
    """
    return _Graph(history, clinic).graph()


class _Graph:
    def __init__(self, history: TreatmentHistory, clinic: Clinic) -> None:
        self.clinic, self.history = clinic, history
        self.shapes: Shapes = shapes_of(clinic)
        self.rows: Rows = {}
        for table, row in flatten(history):
            if "identifiers" in row:
                row["identifiers"] = emitted(row["identifiers"], clinic.systems)
            self.rows.setdefault(table, {})[row["key"]] = _stated(row)
        self.language = history.language if isinstance(history.language, str) else "it"
        self.titles: dict[tuple[str, str], str] = {}

    def _title(self, table: str, key: str) -> str:
        if (table, key) not in self.titles:
            row = self.rows.get(table, {}).get(key)
            self.titles[table, key] = title(table, row, self.language, self.clinic.codes) if row else ""
        return self.titles[table, key]

    def graph(self) -> Graph:
        out = Graph()
        made: dict[Link, Shape] = {}
        for table, row in self._all():
            row |= self._inherited(table, row)
            for shape in self.shapes.of_table[table]:
                if shape.takes(row):
                    made[Link(shape.kind, table, row["key"])] = shape
        world = World(self.clinic.namespace, self.language, made.keys(), self._title, codes=self.clinic.codes)
        for table, row in self._all():
            row |= self._links(table, row, made)
        for link, shape in made.items():
            out.made.append(Made(link, shape, self.rows[link.table][link.key], world, self.clinic))
        wrong = list(self._without_place(out.made)) or [w for m in out.made for w in _unreadable(m)]
        out.faults += self._faults(wrong)
        return out

    def _faults(self, wrong: list[_Wrong]) -> Iterator[Fault]:
        """What is wrong, where it stands in the history."""
        here = paths(self.history) if wrong else {}
        for table, key, name, what, hint in wrong:
            path = here[table, key] + (f".{name}" if name else "")
            yield Fault(table, key, name, path, what, hint=hint)

    def _all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for table, rows in self.rows.items():
            for row in rows.values():
                yield table, row

    def _inherited(self, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """What a row repeats: of the whole history (``/language``), of the record it stands in (``^start``)."""
        root = next(iter(self.rows["patients"].values()))
        out = {f"/{n}": root[n] for n in ("language", "synthetic") if n in root}
        parent = self.rows.get(TABLES[table].parent, {}).get(row.get("of", ""))
        if parent:
            out |= {f"^{n}": v for n, v in parent.items() if n[0] not in "@^/"}
        return out

    def _links(self, table: str, row: Mapping[str, Any], made: Mapping[Link, Shape]) -> dict[str, Any]:
        """The computed fields: the record's other resources, and those of the records in it."""
        out: dict[str, Any] = {}
        wanted = {n for s in self.shapes.of_table[table] for n in s.picture.fields if n.startswith("@")}
        for name in sorted(wanted):
            other, _, kind = name[1:].rpartition(".")
            if not other:
                link = Link(kind, table, row["key"])
                found = [link] if link in made else []
            else:
                inside = TABLES[other].parent == table
                keys = [r["key"] for r in self.rows.get(other, {}).values() if not inside or r.get("of") == row["key"]]
                found = [ln for key in sorted(keys) if (ln := Link(kind, other, key)) in made]
            if found:
                out[name] = found if other else found[0]
        if table == "sessions":
            out["@unexpected"] = complications(self.rows, row["key"])
        return out

    def _without_place(self, made: list[Made]) -> Iterator[_Wrong]:
        places: dict[tuple[str, str], set[str]] = {}
        for m in made:
            places.setdefault((m.link.table, m.link.key), {"key", "patient", "of"}).update(m.shape.places)
        for table, row in self._all():
            held = places.get((table, row["key"]), set())
            for name, value in row.items():
                if name[0] not in "@^/" and value is not None and value != [] and name not in held:
                    what = f"`{name}` has no place in {_what(table, row)}"
                    hint = "leave it out, or correct the record's kind or status"
                    yield _Wrong(table, row["key"], name, what, hint)


def _bare(x: Any) -> Any:
    """Without displays."""
    if isinstance(x, dict):
        return {k: _bare(v) for k, v in x.items() if k != "display"}
    return [_bare(y) for y in x] if isinstance(x, list) else x


def readable(shape: Shape, resource: Mapping[str, Any], world: World) -> bool:
    """Is a resource as this shape pictures it, as far as that decides what it means?"""
    try:
        shape.picture.get(resource, Reading(world), "$")
    except Mismatch:
        return False
    return True


def complications(rows: Mapping[str, Mapping[str, Mapping[str, Any]]], session: str) -> list[str]:
    """The unexpected effects of a session that stand."""
    effects = [e for e in rows.get("effects", {}).values() if e.get("of") == session]
    return sorted({e["effect"] for e in effects if unexpected(e) and e.get("status") is None})


def _what(table: str, row: Mapping[str, Any]) -> str:
    kind = next((f"{n} `{row[n]}`" for n in ("status", "kind", "role", "phase") if isinstance(row.get(n), str)), "")
    return f"a record of `{table}`" + (f" whose {kind.replace(' ', ' is ', 1)}" if kind else "")


def _stated(row: dict[str, Any]) -> dict[str, Any]:
    """A row for the pictures: what is called unknown, as a value; a value within a list has no cleared parts."""
    unknown = row.pop("unknown", None) or ()
    for name, value in row.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            row[name] = [{k: v for k, v in item.items() if v is not None} for item in value]
    return row | dict.fromkeys(unknown, UNKNOWN)


class _Wrong(NamedTuple):
    table: str
    key: str
    field: str
    what: str
    hint: str = ""


def _unreadable(m: Made) -> Iterator[_Wrong]:
    """Nothing is sent that would not be read back as it was stated."""
    table, key = m.link.table, m.link.key
    for path, why in m.says.doubts:
        yield _Wrong(table, key, "", f"cannot be carried by {m.link.kind}{path.removeprefix('$')}: {why}")
    for name in m.shape.picture.fields:
        ours, theirs = m.row.get(name), m.says.row.get(name)
        if ours is None or ours == [] or name.startswith("@"):
            continue
        if theirs is not ours and theirs != ours:
            hint = "its own wording says no more than the code: leave it out" if name.endswith("_text") else ""
            yield _Wrong(table, key, name, f"{m.link.kind} cannot carry this value of `{name}`", hint)

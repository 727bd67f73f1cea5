"""Resources → histories: what we wrote, and what an EHR made of it.

Nothing is dropped: what is no record of ours is *kept* with the reason, what no picture accounts for in a
record of ours is *noted* with its path (architecture, rules 3 and 11).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from mesofhir.errors import InvalidInput
from mesofhir.fhir.picture import UNKNOWN, Echo, Mismatch, Reading, unaccounted
from mesofhir.mapping.clinic import Clinic, Link, Shape, World, tail
from mesofhir.mapping.narrative import ID
from mesofhir.mapping.shapes import shapes_of
from mesofhir.mapping.writing import complications
from mesofhir.records import TABLES, TreatmentHistory, nest

ADOPTED: Final = {"Patient": "patients", "Practitioner": "practitioners", "AllergyIntolerance": "allergies"}
"""What the EHR may have already: our references carry the clinic's key beside its own resource."""
ENVELOPE: Final = ("$.id", "$.meta.versionId", "$.meta.lastUpdated", "$.meta.source")
MODIFIERS: Final = frozenset(
    {
        "modifierExtension", "implicitRules", "doNotPerform", "status", "lifecycleStatus", "verificationStatus",
        "clinicalStatus", "intent", "comparator", "active", "deceasedBoolean", "deceasedDateTime", "link",
    }
)  # fmt: skip
"""Elements that change the meaning of what stands beside them (R4, isModifier), as far as pictured types have them."""
HARMLESS: Final = {
    "Patient": frozenset({"active", "deceasedBoolean", "deceasedDateTime"}),
    "Practitioner": frozenset({"active"}),
    "CarePlan": frozenset({"intent"}),
    "ServiceRequest": frozenset({"intent"}),
    "AllergyIntolerance": frozenset({"clinicalStatus"}),
    "Condition": frozenset({"clinicalStatus", "verificationStatus"}),
}
"""Where they do not: a patient who has died is a patient; a plan that the EHR calls an order is a plan."""


@dataclass(frozen=True)
class Kept:
    """A resource that is in no record, whole, and why."""

    resource: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class Note:
    """A place in a resource of ours that is in no record, or that says what another place does not."""

    resource: dict[str, Any]
    path: str
    reason: str


@dataclass
class Understood:
    """What a set of resources says.

    :param histories: in the order of their keys
    :param kept: resources that are in no record
    :param notes: places that are in no record
    :param sources: the resource of each record, to write over
    """

    histories: list[TreatmentHistory] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    sources: dict[Link, dict[str, Any]] = field(default_factory=dict)
    read: int = 0


@dataclass
class _Read:
    link: Link
    shape: Shape
    resource: dict[str, Any]
    reading: Reading


def understand(
    resources: Iterable[dict[str, Any]],
    clinic: Clinic,
    *,
    urls: Sequence[str] = (),
    known: Mapping[str, Link] | None = None,
) -> Understood:
    """Read histories from resources.

    :param urls: the ``fullUrl`` of each resource, where it has one
    :param known: what literal references are known to mean (a patient of the EHR that is one of ours)
    """
    return _Understanding(clinic, list(resources), urls, known or {}).result()


class _Understanding:
    def __init__(
        self, clinic: Clinic, resources: list[dict[str, Any]], urls: Sequence[str], known: Mapping[str, Link]
    ) -> None:
        self.clinic, self.resources = clinic, resources
        self.shapes = shapes_of(clinic)
        self.out = Understood()
        self.targets: dict[str, Link] = dict(known)
        for n, x in enumerate(resources):
            link = clinic.link_of(x)
            if link:
                self.targets[f"{x.get('resourceType')}/{x.get('id')}"] = link
                if n < len(urls) and urls[n]:
                    self.targets[urls[n]] = link
        self.targets |= _adopted(resources, clinic, set(self.targets.values()))

    def result(self) -> Understood:
        reads = list(self._single())
        rows = self._rows(reads, report=False)
        reads = [r for r in reads if self._believed(r, rows)]
        rows = self._rows(reads, report=True)
        self._copies(reads, rows)
        self._parents(rows)
        self._computed(reads, rows)
        self._nested(reads, rows)
        for r in reads:
            self._report(r)
        self.out.read = len(self.out.sources)
        return self.out

    def _keep(self, x: dict[str, Any], reason: str) -> None:
        self.out.kept.append(Kept(x, reason))

    def _single(self) -> Iterator[_Read]:
        """Each resource by itself."""
        seen: set[Link] = set()
        for x in self.resources:
            kind = str(x.get("resourceType"))
            link = self.clinic.link_of(x)
            if link is None and kind in ADOPTED:
                link = self.targets.get(f"{kind}/{x.get('id')}")
            shapes = self.shapes.get((kind, link.table), []) if link else []
            if link is None:
                self._keep(x, "not ours: no identifier in the namespace")
            elif not shapes:
                self._keep(x, f"a {kind} is nothing that the table `{link.table}` makes")
            elif link in seen:
                self._keep(x, f"a second {kind} with the same identifier")
            else:
                r = self._read(link, shapes, x)
                if r:
                    seen.add(link)
                    yield r

    def _read(self, link: Link, shapes: list[Shape], x: dict[str, Any]) -> _Read | None:
        reasons = []
        for shape in shapes:
            reading = Reading(World(self.clinic.namespace, targets=self.targets))
            try:
                shape.picture.get(x, reading, "$")
            except Mismatch as why:
                reasons.append(str(why))
                continue
            except (TypeError, ValueError, KeyError, AttributeError):
                reasons.append("is not shaped as FHIR asks")  # a text where an object belongs, say
                continue
            reading.row["key"] = link.key
            if "patient" in shape.picture.fields and not isinstance(reading.row.get("patient"), str):
                self._keep(x, "its subject is not a patient of ours")
                return None
            missing = _unreadable_must(link.table, shape, reading)
            if missing:
                self._keep(x, missing)
                return None
            changed = _changed_meaning(x, reading)
            if changed:
                self._keep(x, f"{changed}: changes what the resource means")
                return None
            return _Read(link, shape, x, reading)
        self._keep(x, reasons[0])
        return None

    def _rows(self, reads: list[_Read], *, report: bool) -> dict[str, dict[str, dict[str, Any]]]:
        """The rows that the resources say together; the owner of a field before its copies."""
        rows: dict[str, dict[str, dict[str, Any]]] = {}
        for r in sorted(reads, key=lambda r: self.shapes.order[id(r.shape)]):
            row = rows.setdefault(r.link.table, {}).setdefault(r.link.key, {"key": r.link.key})
            for name, value in r.reading.row.items():
                if name not in row:
                    row[name] = value
                elif not name.startswith("@") and not _alike(r.shape, name, row[name], value) and report:
                    self.out.notes.append(
                        Note(r.resource, "$", f"`{name}` differs from another resource of the record")
                    )
        patients = rows.setdefault("patients", {})
        for row in [row for table in list(rows.values()) for row in table.values()]:
            if isinstance(row.get("patient"), str):  # known by what refers to it, whoever holds the Patient
                patients.setdefault(row["patient"], {"key": row["patient"]})
        return rows

    def _owner(self, r: _Read, echo: Echo, rows: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, Any] | None:
        row = rows.get(r.link.table, {}).get(r.link.key, {})
        if echo.name.startswith("/"):
            patient = r.link.key if r.link.table == "patients" else row.get("patient", "")
            return rows.get("patients", {}).get(patient)
        if echo.name.startswith("^"):
            return rows.get(TABLES[r.link.table].parent, {}).get(row.get("of", ""))
        return row

    def _believed(self, r: _Read, rows: Mapping[str, Mapping[str, dict[str, Any]]]) -> bool:
        """A status that contradicts the owner's (withdrawn here, in force there) refuses the resource."""
        for path, echo, x in r.reading.echoes:
            owner = self._owner(r, echo, rows)
            value = (owner or {}).get(echo.name.lstrip("^/"))
            if echo.decisive and value is not None and not echo.agrees(x, value, r.reading.world):
                self._keep(r.resource, f"{path}: says something else than the record's other resource")
                return False
            if echo.decisive and value is None and not _alone(echo, x):
                self._keep(r.resource, f"{path}: not a status that a record of ours has")
                return False
        return True

    def _copies(self, reads: list[_Read], rows: dict[str, dict[str, dict[str, Any]]]) -> None:
        """What only a copy says is taken from it; a copy that says something else is noted."""
        for r in sorted(reads, key=lambda r: self.shapes.order[id(r.shape)]):
            for path, echo, x in r.reading.echoes:
                owner, name = self._owner(r, echo, rows), echo.name.lstrip("^/")
                if owner is None:
                    continue
                if name not in owner and echo.alone is not None:
                    said = _alone(echo, x)
                    if said:
                        owner[name] = said[0]
                        continue
                if not echo.agrees(x, owner.get(name), r.reading.world):
                    r.reading.seen = [p for p in r.reading.seen if not p.startswith(path)]
                    self.out.notes.append(
                        Note(r.resource, path, f"says something else than `{name}` of the record that owns it")
                    )

    def _parents(self, rows: dict[str, dict[str, dict[str, Any]]]) -> None:
        """A record whose resource does not name its parent is named by it (an aftercare's instructions)."""
        for table in list(rows.values()):
            for row in table.values():
                for name, links in list(row.items()):
                    if name.startswith("@") and isinstance(links, list):
                        for link in links:
                            child = rows.get(link.table, {}).get(link.key) if isinstance(link, Link) else None
                            if child is not None and TABLES[link.table].parent and "of" not in child:
                                child["of"] = row["key"]

    def _computed(self, reads: list[_Read], rows: dict[str, dict[str, dict[str, Any]]]) -> None:
        """A computed place is accounted for if it says what we would say."""
        worlds = [World(self.clinic.namespace, language) for language in ("it", "en")]
        for r in reads:
            row = dict(rows[r.link.table][r.link.key])
            parent = rows.get(TABLES[r.link.table].parent, {}).get(row.get("of", ""), {})
            row |= {f"^{n}": v for n, v in parent.items()}
            if r.link.table == "sessions":
                row["@unexpected"] = complications(rows, r.link.key)
            for path, node, x in r.reading.computed:
                if (isinstance(x, dict) and str(x.get("id", "")).startswith(ID)) or node.accounts(x, row, worlds):
                    r.reading.seen.append(path)

    def _nested(self, reads: list[_Read], rows: Mapping[str, dict[str, dict[str, Any]]]) -> None:
        """Rows → histories, patient by patient: an unreadable one does not stop the others."""
        mine: dict[str, dict[str, dict[str, dict[str, Any]]]] = {p: {} for p in rows.get("patients", {})}
        lost: dict[tuple[str, str], str] = {}
        for table, records in rows.items():
            for key, row in records.items():
                reason = self._misplaced(table, row, rows)
                patient = key if table == "patients" else row.get("patient")
                if reason:
                    lost[table, key] = reason
                elif table == "practitioners":
                    for own in mine.values():
                        own.setdefault(table, {})[key] = _record(table, row)
                elif patient in mine:
                    mine[patient].setdefault(table, {})[key] = _record(table, row)
                else:
                    lost[table, key] = "its patient is not known"
        named: set[tuple[str, str]] = set()
        for own in mine.values():
            try:
                histories, orphans = nest(own)
            except (InvalidInput, msgspec.ValidationError) as why:
                for table, records in own.items():
                    if table != "practitioners":
                        lost |= dict.fromkeys(
                            ((table, k) for k in records), f"its history cannot be read: {_safe(why)}"
                        )
                continue
            gone = {(t, row["key"]) for t, row in orphans}
            named |= {(t, k) for t, records in own.items() for k in records} - gone
            lost |= {(t, k): "the record that it stands in is missing" for t, k in gone if t != "practitioners"}
            self.out.histories += histories
        for r in reads:
            at = (r.link.table, r.link.key)
            if at in lost:
                self._keep(r.resource, lost[at])
            elif r.link.table == "practitioners" and at not in named:
                self._keep(r.resource, "nothing here names this practitioner")
            else:
                self.out.sources[r.link] = r.resource
        self.out.histories.sort(key=lambda h: h.key)

    def _misplaced(self, table: str, row: Mapping[str, Any], rows: Mapping[str, Mapping[str, dict[str, Any]]]) -> str:
        parent = TABLES[table].parent
        if not parent:
            return ""
        if not isinstance(row.get("patient"), str):
            return "its subject is not a patient of ours"
        if parent == "patients":
            return ""
        above = rows.get(parent, {}).get(row.get("of", ""))
        if above is None:
            return "the record that it stands in is missing"
        if above.get("patient") != row["patient"]:
            return "its subject is not that of the record that it stands in"
        return ""

    def _report(self, r: _Read) -> None:
        if r.link not in self.out.sources:
            return
        notes = self.out.notes
        doubted = {path for path, _ in r.reading.doubts}
        notes += [Note(r.resource, path, why) for path, why in r.reading.doubts]
        for path in unaccounted(r.resource, [*r.reading.seen, *ENVELOPE]):
            if not any(path == d or path.startswith((d + ".", d + "[")) for d in doubted):
                notes.append(Note(r.resource, path, "no field of a record holds it"))


def _alone(echo: Echo, x: Any) -> list[Any]:
    """What a copy says where no owner speaks: one value, or none."""
    try:
        return [echo.alone(x)] if echo.alone else []
    except (KeyError, ValueError, TypeError):
        return []


def _alike(shape: Shape, name: str, a: Any, b: Any) -> bool:
    if a is UNKNOWN or b is UNKNOWN:
        return a is b
    same = shape.picture.same(name)
    return same(a, b) and same(b, a)


def _unreadable_must(table: str, shape: Shape, reading: Reading) -> str:
    """A place that cannot be read, of a field without which the record is none (a dose in another unit)."""
    for c in TABLES[table].columns.values():
        if (c.must or c.required) and c.name in shape.picture.fields and c.name not in reading.row:
            stated = f"{c.name}_text" in reading.row
            if reading.doubts and not stated:
                path, why = reading.doubts[0]
                return f"`{c.name}` cannot be read: {path}: {why}"
    return ""


def _changed_meaning(x: dict[str, Any], reading: Reading) -> str:
    """An unaccounted modifier element; "" where there is none."""
    harmless = HARMLESS.get(str(x.get("resourceType")), frozenset())
    for path in unaccounted(x, [*reading.seen, *ENVELOPE]):
        names = [part.split("[")[0] for part in path.split(".")[1:]]
        if "modifierExtension" in names or (names[0] in MODIFIERS and names[0] not in harmless):
            if names[0] == "status" and len(names) > 1:
                continue
            return path
    return ""


def _adopted(resources: list[dict[str, Any]], clinic: Clinic, placed: set[Link]) -> dict[str, Link]:
    """Resources of the EHR that stand for records of ours, as our own references say: literal and identifier
    beside it. Where they disagree, most of them are right; the others will not be believed."""
    votes: dict[Link, Counter[str]] = {}
    for x in resources:
        if clinic.link_of(x):
            for literal, link in _named(x, clinic):
                if link not in placed:
                    votes.setdefault(link, Counter())[tail(literal)] += 1
    return {count.most_common(1)[0][0]: link for link, count in votes.items()}


def _named(x: Any, clinic: Clinic) -> Iterator[tuple[str, Link]]:
    for value in x.values() if isinstance(x, dict) else x:
        if isinstance(value, dict | list):
            yield from _named(value, clinic)
    if isinstance(x, dict) and isinstance(x.get("reference"), str):
        for kind, table in ADOPTED.items():
            link = clinic.link(kind, x.get("identifier"))
            if link and link.table == table:
                yield x["reference"], link


def _record(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as ``records`` knows it."""
    unknown = sorted(n for n, v in row.items() if v is UNKNOWN and n in TABLES[table].columns)
    out = {n: v for n, v in row.items() if n[0] not in "@^/" and v is not UNKNOWN}
    return out | ({"unknown": unknown} if unknown else {})


def _safe(why: Exception) -> str:
    """The place of a fault, without values."""
    text = str(why)
    return text[text.rfind("`$") :] if "`$" in text else "a required field is missing"

"""Each resource by itself: which record of ours it is, and whether it means what its picture says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mesofhir.fhir.picture import Mismatch, Reading, unaccounted
from mesofhir.mapping.clinic import Clinic, Link, Shape, World
from mesofhir.mapping.reading.found import Read, Understood
from mesofhir.mapping.reading.identity import ADOPTED
from mesofhir.mapping.shapes import shapes_of
from mesofhir.records import TABLES

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


class Singles:
    """Reads resources one by one; what is none of ours goes to ``out``, with the reason.

    :param targets: literal reference → the record that it leads to
    """

    def __init__(self, clinic: Clinic, targets: Mapping[str, Link], out: Understood) -> None:
        self.clinic, self.targets, self.out = clinic, targets, out
        self.shapes = shapes_of(clinic)

    def read(self, resources: list[dict[str, Any]]) -> Iterator[Read]:
        seen: set[Link] = set()
        ours = {_name(x) for x in resources if self.clinic.link_of(x)}
        for x in resources:
            kind = str(x.get("resourceType"))
            link = self.clinic.link_of(x)
            if link is None and kind in ADOPTED and _name(x) not in ours:  # of another server, with the same id
                link = self.targets.get(_name(x))
            shapes = self.shapes.get((kind, link.table), []) if link else []
            if link is None:
                self.out.keep(x, "not ours: no identifier in the namespace")
            elif not shapes:
                self.out.keep(x, f"of another type than what the table `{link.table}` makes")
            elif link in seen:
                self.out.keep(x, f"a second {kind} with the same identifier")
            elif r := self._read(link, shapes, x):
                seen.add(link)
                yield r

    def _read(self, link: Link, shapes: list[Shape], x: dict[str, Any]) -> Read | None:
        reasons = []
        for shape in shapes:
            reading = Reading(World(self.clinic.namespace, targets=self.targets, codes=self.clinic.codes))
            try:
                shape.picture.get(x, reading, "$")
            except Mismatch as why:
                reasons.append(str(why))
                continue
            except (TypeError, ValueError, KeyError, AttributeError):
                reasons.append("is not shaped as FHIR asks")  # a text where an object belongs, say
                continue
            reading.row["key"] = link.key
            if wrong := _not_a_record(link.table, shape, x, reading):
                self.out.keep(x, wrong)
                return None
            return Read(link, shape, x, reading, self.shapes.order[id(shape)])
        self.out.keep(x, reasons[0])
        return None


def _name(x: Mapping[str, Any]) -> str:
    return f"{x.get('resourceType')}/{x.get('id')}"


def _not_a_record(table: str, shape: Shape, x: dict[str, Any], reading: Reading) -> str:
    """Why a resource that can be read is no record of ours all the same; "" if it is one."""
    if "patient" in shape.picture.fields and not isinstance(reading.row.get("patient"), str):
        return "its subject is not a patient of ours"
    if missing := _unreadable_must(table, shape, reading):
        return missing
    changed = _changed_meaning(x, reading)
    return f"{changed}: changes what the resource means" if changed else ""


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
        if "modifierExtension" in names:
            return path
        if names[0] in MODIFIERS and names[0] not in harmless and not _translates(x, path, reading.seen):
            if names[0] == "status" and len(names) > 1:
                continue
            return path
    return ""


_IN_CONCEPT: Final = re.compile(r"\$\.(?P<element>[A-Za-z]+)\.(?:coding\[(?P<n>[0-9]+)\]|text|id|extension\[)")


def _translates(x: Mapping[str, Any], path: str, seen: list[str]) -> bool:
    """Does the place only repeat, in a code system of the EHR's own or in words, what a coding that we read decides?

    All codings of a CodeableConcept say the same (R4 2.24.0.8). Another code of the system that we read would say
    something else: that is no translation.
    """
    m = _IN_CONCEPT.match(path)
    concept = x.get(m["element"]) if m else None
    if not m or not isinstance(concept, dict):
        return False
    codings = [c if isinstance(c, dict) else {} for c in concept.get("coding") or ()]
    read = {c.get("system") for n, c in enumerate(codings) if f"$.{m['element']}.coding[{n}].code" in seen}
    return bool(read) and (m["n"] is None or codings[int(m["n"])].get("system") not in {*read, None})

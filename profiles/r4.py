"""What mesofhir knows of R4's own definitions: `python profiles/r4.py`, after `python profiles/build.py`.

R4 core 4.0.1 does not change, so this was run once; it says where ``invariants.csv``, ``ucum.txt`` and
``profiles/r4.json`` in ``mesofhir/fhir/`` come from, and how to take in another type or extension.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # our own mesofhir, installed or not

from mesofhir.fhir.ucum import simple_units  # noqa: E402

FHIR: Final = HERE.parent / "mesofhir" / "fhir"
TYPES: Final = (
    "Age", "AllergyIntolerance", "Attachment", "CarePlan", "Condition", "Consent", "ContactPoint", "Count", "Distance",
    "Duration", "Expression", "Goal", "MedicationAdministration", "Observation", "Organization", "Patient", "Period",
    "Quantity", "Range", "Ratio", "ServiceRequest", "Timing",
)  # fmt: skip
"""The types whose invariants are judged: those of a history's resources that have any, and the data types."""
KNOWN: Final = ("ele-1", "ext-1", "ref-1", "per-1")  # judged without FHIRPath
EXTENSIONS: Final = ("condition-dueTo", "data-absent-reason", "procedure-method", "translation")
"""The extensions of R4 that we write."""
SYSTEMS: Final = (
    "allergyintolerance-clinical", "allergyintolerance-verification", "condition-clinical", "condition-ver-status",
    "data-absent-reason", "goal-achievement", "observation-category", "v3-ActCode", "v3-ActReason",
    "v3-RouteOfAdministration",
)  # fmt: skip
"""The code systems of HL7's of which we write codes: the HL7 validator refuses a code that is not in them."""
_ELEMENT: Final = ("id", "path", "sliceName", "slicing", "min", "max", "base", "type", "isModifier")


def main() -> None:
    core = next((HERE / ".cache").rglob("hl7.fhir.r4.core#4.0.1")) / "package"
    with (FHIR / "invariants.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["element", "key", "human", "expression"])
        rows.writerows(invariants(core))
    resources = [trimmed(read(core, "StructureDefinition", name)) for name in EXTENSIONS]
    resources += [codes(read(core, "CodeSystem", name)) for name in SYSTEMS]
    resources.append(codes(read(core, "ValueSet", "data-absent-reason")))
    lines = ",\n".join(json.dumps(resource, separators=(",", ":"), ensure_ascii=False) for resource in resources)
    (FHIR / "profiles" / "r4.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    include = read(core, "ValueSet", "ucum-common")["compose"]["include"][0]
    units = {unit for concept in include["concept"] for unit in simple_units(concept["code"])}
    (FHIR / "ucum.txt").write_text("\n".join(sorted(units)) + "\n", encoding="utf-8")


def read(core: Path, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((core / f"{kind}-{name}.json").read_text(encoding="utf-8"))
    return found


def invariants(core: Path) -> Iterator[list[str]]:
    for name in TYPES:
        for element in read(core, "StructureDefinition", name)["differential"]["element"]:
            for one in element.get("constraint", ()):
                if one["severity"] == "error" and one["key"] not in KNOWN:
                    yield [element["path"], one["key"], " ".join(one["human"].split()), one["expression"]]


def trimmed(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition without its documentation, and without bindings that are not required."""
    names = ("resourceType", "id", "url", "type", "derivation", "baseDefinition", "context")
    return {name: definition[name] for name in names} | {
        view: {"element": [dict(_element(e)) for e in definition[view]["element"]]}
        for view in ("snapshot", "differential")
    }


def _element(element: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in element.items():
        if key == "binding" and value["strength"] == "required":
            yield key, {name: value[name] for name in ("strength", "valueSet")}
        elif key in _ELEMENT or key.startswith("fixed"):
            yield key, value


def codes(resource: dict[str, Any]) -> dict[str, Any]:
    """A code system or value set: its codes alone."""
    plain = {name: resource[name] for name in ("resourceType", "id", "url", "content", "compose") if name in resource}
    return plain | ({"concept": _concepts(resource["concept"])} if "concept" in resource else {})


def _concepts(concepts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"code": c["code"]} | ({"concept": _concepts(c["concept"])} if "concept" in c else {}) for c in concepts
    ]


if __name__ == "__main__":
    main()

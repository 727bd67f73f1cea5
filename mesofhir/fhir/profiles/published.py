"""The published page of the profiles, read off the package: tables, the graph of references, code lists.

``python -m mesofhir.fhir.profiles.published > docs/profiles.md`` refreshes it; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator

from mesofhir.fhir.profiles.described import codes, kind, listed, on, rows, rules, title, translated
from mesofhir.fhir.profiles.package import Package, Resource, package

_SYSTEMS = {
    "https://w3id.org/mesofhir/CodeSystem/mesotherapy": "mesofhir",
    "http://snomed.info/sct": "SNOMED CT",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/icd-9-cm": "ICD-9-CM",
    "http://www.whocc.no/atc": "ATC",
    "http://hl7.it/fhir/televisita/CodeSystem/CsCatalogoNazionalePrestazioni": "CNP",
    "http://loinc.org": "LOINC",
    "http://unitsofmeasure.org": "UCUM",
}
_UNPROFILED = ("Encounter", "MedicationStatement")
"""What is written without a profile. Only what we write is drawn, and no people, since everything refers to them."""


def page(package: Package) -> str:
    """The whole page, as Markdown."""
    out = [
        "# The profiles",
        "",
        "Generated from the FHIR package by `python -m mesofhir.fhir.profiles.published`; not edited by hand.",
        "The sources are in `profiles/`; `mesofhir profiles show NAME` shows a part of this page in a terminal.",
        "",
        f"Package `mesofhir.profiles`, version {_version(package)}, FHIR R4 (4.0.1).",
        "",
        "**MS**, must-support: mesofhir writes the element whenever the record states it, reads it back, and tells",
        "when a server dropped or changed it. An element that the record calls unknown carries data-absent-reason",
        "`unknown`; one that it does not state is left out, which is no error. A rule that is a *warning* is what a",
        "good record has, but a clinic may honestly not have recorded.",
        "",
        "## What refers to what",
        "",
        *_graph(package),
        "",
        "## Profiles",
        "",
    ]
    for resource in _of(package, "profile"):
        out += _profile(resource, package)
    out += [*_extensions(package), *_protocols(package), "## Code lists", ""]
    for resource in _of(package, "value set"):
        out += _codes(resource, package)
    for resource in _of(package, "code system"):
        out += _codes(resource, package)
    return "\n".join(out)


def _of(package: Package, wanted: str) -> list[Resource]:
    return [r for r in listed(package) if kind(r) == wanted]


def _version(package: Package) -> str:
    return str(_of(package, "code system")[0]["version"])


def _graph(package: Package) -> Iterator[str]:
    """The references between profiles, and to resource types without one."""
    yield "```mermaid"
    yield "flowchart LR"
    edges: dict[tuple[str, str], list[str]] = {}
    profiles = _of(package, "profile")
    drawn = {*_UNPROFILED, *(r["type"] for r in profiles), *(r["id"] for r in profiles)}
    for resource in profiles:
        yield f'  {resource["id"]}["{title(resource, "en")}<br>{resource["type"]}"]'
        for e in resource["snapshot"]["element"]:
            references = [t for t in e.get("type", ()) if t["code"] == "Reference"] if e.get("mustSupport") else []
            for name in (u.rpartition("/")[2] for t in references for u in t.get("targetProfile", ())):
                if name in drawn:
                    edges.setdefault((resource["id"], name), []).append(e["path"].partition(".")[2].replace("[x]", ""))
    for (start, end), paths in sorted(edges.items()):
        yield f"  {start} -->|{', '.join(dict.fromkeys(paths))}| {end}"
    yield "```"


def _profile(resource: Resource, package: Package) -> Iterator[str]:
    yield from (f"### {title(resource, 'en')} · {title(resource, 'it')}", "")
    yield from (f"`{resource['id']}` on {on(resource)}: <{resource['url']}>", "")
    yield from (_cell(resource["description"]), "")
    yield from ("| element | | type | asked for | meaning | significato |", "|---|---|---|---|---|---|")
    italian = [r.meaning for r in rows(resource, package, "it")]
    for row, meaning in zip(rows(resource, package, "en"), italian, strict=True):
        depth = (len(row.element) - len(row.element.lstrip())) // 2
        name = "· " * depth + f"`{row.element.strip()}`"
        cells = (name, row.cardinality, row.type, row.binding, row.meaning, meaning if meaning != row.meaning else "")
        yield _line(*cells)
    yield ""
    if stated := list(rules(resource)):
        yield from ("| rule | | |", "|---|---|---|")
        yield from (_line(f"`{key}`", severity, words) for key, severity, words in stated)
        yield ""


def _extensions(package: Package) -> Iterator[str]:
    yield from ("## Extensions", "", "| extension | on | value | codes | meaning | significato |")
    yield "|---|---|---|---|---|---|"
    for resource in _of(package, "extension"):
        values = [r for r in rows(resource, package, "en") if r.element == "value[x]" and r.cardinality != "0..0"]
        parts = [r.element.strip() for r in rows(resource, package, "en") if r.element.startswith("extension[")]
        value = ", ".join(r.type for r in values) or ", ".join(parts)
        yield _line(
            f"`{resource['id']}`", on(resource), value, ", ".join(r.binding for r in values),
            str(resource["description"]), title(resource, "it"),
        )  # fmt: skip
    yield ""


def _protocols(package: Package) -> Iterator[str]:
    yield from ("## Protocols", "", "As public pages of clinics describe them; no recommendation.", "")
    yield from ("| protocol | title | titolo | sessions | minutes | what it says |", "|---|---|---|---|---|---|")
    for resource in _of(package, "protocol"):
        repeat = resource["timingTiming"]["repeat"]
        sessions, minutes = (
            "–".join(str(repeat[k]) for k in (least, f"{least}Max") if k in repeat) for least in ("count", "duration")
        )
        names = (title(resource, "en"), title(resource, "it"))
        yield _line(f"`{resource['id']}`", *names, sessions, minutes, str(resource["description"]))
    yield ""


def _codes(resource: Resource, package: Package) -> Iterator[str]:
    yield from (f"### {title(resource, 'en')} · {title(resource, 'it')}", "")
    yield from (f"`{resource['id']}`: {_cell(translated(resource, 'description', 'en'))}", "")
    yield from ("| system | code | display | italiano |", "|---|---|---|---|")
    for system, code, display, italian in codes(resource, package):
        yield _line(_SYSTEMS.get(system, system.rpartition("/")[2]), f"`{code}`", display, italian)
    yield ""


def _line(*cells: str) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    print(page(package()))

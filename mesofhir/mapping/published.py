"""The published table: each field of a history with its place in FHIR, read off the pictures.

``python -m mesofhir.mapping.published > docs/mapping.md`` refreshes it; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator

from mesofhir.mapping.clinic import Clinic
from mesofhir.mapping.shapes import shapes_of
from mesofhir.records import TABLES, Table

_NAMESPACE = "https://clinic.example/mesotherapy"
_LINKS = {"of": "the record that it stands in", "patient": "the patient"}


def places() -> dict[tuple[str, str], list[str]]:
    """(table, field) → its FHIR paths; a field of a value in a list is ``list.field``."""
    out: dict[tuple[str, str], list[str]] = {}
    for shapes in shapes_of(Clinic(_NAMESPACE)).values():
        for shape in shapes:
            for name, path in shape.picture.holes(shape.kind):
                name = name.lstrip("/") if shape.table == "patients" else name
                found = out.setdefault((shape.table, name), [])
                if path not in found:
                    found.append(path)
    return out


def _rows(table: Table, where: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    for name in ("of", "patient"):
        if (table.name, name) in where:
            yield f"| *{_LINKS[name]}* | {_paths(where[table.name, name])} | |"
    for c in table.columns.values():
        if c.name == "unknown":
            continue
        if c.values is not None:
            for v in c.values.columns.values():
                name = f"{c.name}.{v.name}"
                yield f"| `{name}` | {_paths(where.get((table.name, name), []))} | {v.description} |"
        else:
            paths = _paths(where.get((table.name, c.name), []))
            yield f"| `{c.name}` | {paths} | {_described(c.description, c.unit)} |"


def _described(text: str, unit: str) -> str:
    return text.replace("|", "\\|") + (f" Unit: `{unit}`." if unit else "")


def _paths(paths: list[str]) -> str:
    return "<br>".join(f"`{p}`" for p in paths)


def page() -> str:
    """The whole page, as Markdown."""
    where = places()
    out = [
        "# Where each field of a treatment history stands in FHIR R4",
        "",
        "Generated from the pictures in `mesofhir/mapping/` by `python -m mesofhir.mapping.published`; not edited by",
        "hand. `[name]` is the item of a list that carries that URL, element id or system; `[]` any item. A field",
        "named in `unknown` is written as data-absent-reason `unknown` at its place. Every resource also has",
        "`meta.source` (the namespace), `meta.security` HTEST for synthetic histories, `language`, a generated",
        "narrative in `text`, and references that carry `identifier` and `display` beside the literal.",
        "",
    ]
    for table in TABLES.values():
        out += [f"## {table.name}", "", table.description, "", "| field | FHIR | meaning |", "|---|---|---|"]
        out += [*_rows(table, where), ""]
    return "\n".join(out)


if __name__ == "__main__":
    print(page(), end="")

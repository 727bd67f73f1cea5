"""The rows that resources say together: one record may stand in several of them."""

from __future__ import annotations

from typing import Any, Final

from mesofhir.fhir.picture import UNKNOWN, Echo
from mesofhir.mapping.clinic import Clinic, Link, Shape, World
from mesofhir.mapping.narrative import ID
from mesofhir.mapping.reading.found import Read, Rows, RowsSeen, Understood
from mesofhir.mapping.writing import complications
from mesofhir.records import TABLES

_LANGUAGES: Final = ("it", "en")


def joined(reads: list[Read], clinic: Clinic, out: Understood) -> tuple[list[Read], Rows]:
    """The resources that are to be believed, and their rows.

    A copy that says something else than the owner of a field is noted; a status that does refuses the resource.
    """
    reads = sorted(reads, key=lambda r: r.order)
    first = _rows(reads, None)
    reads = [r for r in reads if _believed(r, first, out)]
    rows = _rows(reads, out)
    _parents(rows)
    _copies(reads, rows, out)
    _computed(reads, rows, clinic)
    return reads, rows


def _rows(reads: list[Read], out: Understood | None) -> Rows:
    """The rows that the resources say together; the owner of a field before its copies.

    :param out: where to note differences
    """
    rows: Rows = {}
    for r in reads:
        row = rows.setdefault(r.link.table, {}).setdefault(r.link.key, {"key": r.link.key})
        for name, value in r.reading.row.items():
            if name not in row:
                row[name] = value
            elif out and not name.startswith("@") and not _alike(r.shape, name, row[name], value):
                out.note(r.resource, "$", f"`{name}` differs from another resource of the record")
    patients = rows.setdefault("patients", {})
    for row in [row for table in list(rows.values()) for row in table.values()]:
        if isinstance(row.get("patient"), str):  # known by what refers to it, whoever holds the Patient
            patients.setdefault(row["patient"], {"key": row["patient"]})
    return rows


def _alike(shape: Shape, name: str, a: Any, b: Any) -> bool:
    if a is UNKNOWN or b is UNKNOWN:
        return a is b
    same = shape.picture.same(name)
    return same(a, b) and same(b, a)


def _owner(r: Read, echo: Echo, rows: RowsSeen) -> dict[str, Any] | None:
    """The row that owns what a copy repeats."""
    row = rows.get(r.link.table, {}).get(r.link.key, {})
    if echo.name.startswith("/"):
        patient = r.link.key if r.link.table == "patients" else row.get("patient", "")
        return rows.get("patients", {}).get(patient)
    if echo.name.startswith("^"):
        return rows.get(TABLES[r.link.table].parent, {}).get(row.get("of", ""))
    return row


def _believed(r: Read, rows: RowsSeen, out: Understood) -> bool:
    """A status that contradicts the owner's (withdrawn here, in force there) refuses the resource."""
    for path, echo, x in r.reading.echoes:
        value = (_owner(r, echo, rows) or {}).get(echo.name.lstrip("^/"))
        if echo.decisive and value is not None and not echo.agrees(x, value, r.reading.world):
            out.keep(r.resource, f"{path}: says something else than the record's other resource")
            return False
        if echo.decisive and value is None and not _alone(echo, x):
            out.keep(r.resource, f"{path}: not a status that a record of ours has")
            return False
    return True


def _alone(echo: Echo, x: Any) -> list[Any]:
    """What a copy says where no owner speaks: one value, or none."""
    try:
        return [echo.alone(x)] if echo.alone else []
    except (KeyError, ValueError, TypeError):
        return []


def _copies(reads: list[Read], rows: Rows, out: Understood) -> None:
    """What only a copy says is taken from it; a copy that says something else is noted."""
    for r in reads:
        for path, echo, x in r.reading.echoes:
            owner, name = _owner(r, echo, rows), echo.name.lstrip("^/")
            if owner is None:
                continue
            if name not in owner and (said := _alone(echo, x)):
                owner[name] = said[0]
            elif not echo.agrees(x, owner.get(name), r.reading.world):
                r.reading.seen = [p for p in r.reading.seen if not p.startswith(path)]
                out.note(r.resource, path, f"says something else than `{name}` of the record that owns it")


def _parents(rows: Rows) -> None:
    """A record whose resource does not name its parent is named by it (an aftercare's instructions)."""
    for row in [row for table in rows.values() for row in table.values()]:
        for name, links in list(row.items()):
            for link in links if name.startswith("@") and isinstance(links, list) else ():
                child = rows.get(link.table, {}).get(link.key) if isinstance(link, Link) else None
                if child is not None and TABLES[link.table].parent and "of" not in child:
                    child["of"] = row["key"]


def _computed(reads: list[Read], rows: Rows, clinic: Clinic) -> None:
    """A computed place is accounted for if it says what we would say."""
    worlds = [World(clinic.namespace, language, codes=clinic.codes) for language in _LANGUAGES]
    for r in reads:
        row = dict(rows[r.link.table][r.link.key])
        parent = rows.get(TABLES[r.link.table].parent, {}).get(row.get("of", ""), {})
        row |= {f"^{n}": v for n, v in parent.items()}
        if r.link.table == "sessions":
            row["@unexpected"] = complications(rows, r.link.key)
        for path, node, x in r.reading.computed:
            if (isinstance(x, dict) and str(x.get("id", "")).startswith(ID)) or node.accounts(x, row, worlds):
                r.reading.seen.append(path)

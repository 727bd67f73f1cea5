"""What stands in the summary of a cycle, and which summaries a history needs.

The text is the narratives of the records, one below the other, in the language of the record: all of the cycle, and
of what is the patient's (a finding, a consent) whatever would otherwise be missing on the server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from html import escape
from typing import Final

from mesofhir.mapping.clinic import Link
from mesofhir.mapping.documents import KIND, shape
from mesofhir.mapping.writing import Made
from mesofhir.records import TABLES

_SHARED: Final[tuple[str, ...]] = ("patient", "/language", "/synthetic")
_ABOUT_PEOPLE: Final = ("patients", "practitioners")


def summaries(made: Iterable[Made], fallen: Collection[Link]) -> list[Made]:
    """The summaries that are needed: one for each cycle that something is missing of; where the history has no cycle,
    one for the patient.

    :param made: all resources of a history
    :param fallen: those that go in no form of their own
    """
    records = {(m.link.table, m.link.key): m for m in made if m.link.kind != KIND}
    missing = {(link.table, link.key) for link in fallen} & records.keys()
    cycles = sorted(key for table, key in records if table == "cycles")
    out = []
    of = [("cycles", key) for key in cycles] or [name for name in records if name[0] == "patients"]
    for table, key in of:
        inside = [m for name, m in records.items() if _belongs(m, records, table, key, name in missing)]
        if any((m.link.table, m.link.key) in missing for m in inside):
            out.append(_document(records[table, key], inside))
    return out


def _belongs(m: Made, records: dict[tuple[str, str], Made], table: str, key: str, missing: bool) -> bool:
    """Does a record stand in the summary of another one? What is the patient's does where it would be lost."""
    if m.link.table in _ABOUT_PEOPLE:
        return False
    cycle = _cycle(m, records)
    return cycle == key if cycle else missing or table == "patients"


def _cycle(m: Made, records: dict[tuple[str, str], Made]) -> str:
    """The key of the cycle in which a record stands; "" for one of the patient's."""
    while m.link.table != "cycles":
        above = records.get((TABLES[m.link.table].parent or "", str(m.row.get("of", ""))))
        if above is None or above is m:
            return str(m.row.get("cycle") or "")
        m = above
    return m.link.key


def _document(of: Made, inside: Iterable[Made]) -> Made:
    """The summary of a record: the row is what the picture needs, and what the narrative says of the record."""
    link = Link(KIND, of.link.table, of.link.key)
    row = {name: of.row[name] for name in _SHARED if name in of.row}
    row |= {"key": of.link.key, "patient": of.row.get("patient", of.link.key), "document": _text(of, inside)}
    return Made(link, shape(of.clinic, of.link.table), row, of.world, of.clinic)


def _text(of: Made, inside: Iterable[Made]) -> str:
    title, order = of.world.title(of.link.table, of.link.key), list(TABLES)

    def place(m: Made) -> tuple[int, str, str]:
        when = m.row.get("start") or m.row.get("planned_start") or m.row.get("taken") or ""
        return order.index(m.link.table), str(when), m.link.key

    parts = [m.resource["text"]["div"] for m in sorted(inside, key=place)]
    language = escape(of.world.language, quote=True)
    head = f'<head><meta charset="utf-8"/><title>{escape(title)}</title></head>'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return f'<!DOCTYPE html>\n<html lang="{language}">{head}<body>\n{body}\n</body></html>\n'

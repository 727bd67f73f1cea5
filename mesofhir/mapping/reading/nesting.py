"""Rows → histories. What cannot be a record takes with it what stands in it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesofhir.fhir.picture import UNKNOWN
from mesofhir.mapping.reading.found import Read, Rows, RowsSeen, Understood
from mesofhir.records import TABLES, admissible, nest
from mesofhir.records.identifiers import wrong
from mesofhir.records.rows import LINKS
from mesofhir.records.tables import PATIENTS

At = tuple[str, str]
"""The table and the key of a record."""


def nested(reads: list[Read], rows: Rows, out: Understood) -> None:
    """Put the histories into ``out``, and the resources of the rows that belong to none with their reason."""
    _Nesting(reads, rows, out).nest()


class _Nesting:
    def __init__(self, reads: list[Read], rows: Rows, out: Understood) -> None:
        self.reads, self.rows, self.out = reads, rows, out
        self.speaker: dict[At, Read] = {}  # the resource that owns most of a record
        for r in reads:
            self.speaker.setdefault((r.link.table, r.link.key), r)
        self.lost: dict[At, str] = {}
        self.standing: Rows = {}

    def nest(self) -> None:
        for table in TABLES:  # parents before what stands in them
            for key, row in self.rows.get(table, {}).items():
                record = self._record(table, key, row)
                if record is not None:
                    self.standing.setdefault(table, {})[key] = record
        for table, key, record in list(_all(self.standing)):
            self._drop_dangling(table, key, record)
        histories, orphans = nest(self.standing)
        self.out.histories += histories
        strangers = {(table, row["key"]) for table, row in orphans}
        for r in self.reads:
            at = (r.link.table, r.link.key)
            if at in self.lost:
                self.out.keep(r.resource, self.lost[at])
            elif at in strangers:
                self.out.keep(r.resource, "nothing here names this practitioner")
            else:
                self.out.sources[r.link] = r.resource

    def _record(self, table: str, key: str, row: dict[str, Any]) -> dict[str, Any] | None:
        """A row as ``records`` knows it; None, and the reason in ``lost``, for one that cannot stand."""
        links = {name: row[name] for name in LINKS if name in row}
        record, without = admissible(_plain(table, row), TABLES[table])
        reason = self._misplaced(table, row) or ("" if record else "a field that it needs is missing")
        if reason or record is None:
            self.lost[table, key] = reason
            return None
        for name in without:
            self._note((table, key), name, f"`{name}` is nothing that a record may say")
        self._drop_wrong(table, key, record)
        return record | links

    def _drop_wrong(self, table: str, key: str, record: dict[str, Any]) -> None:
        """An identifier that the EHR mistyped is none by which anybody should be found."""
        stated = record.get("identifiers") or []
        right = [i for i in stated if not wrong(i["system"], i["value"])]
        if len(right) < len(stated):
            self._note((table, key), "identifiers.value", "an identifier that cannot be right")
            record["identifiers"] = right
            if not right:
                del record["identifiers"]

    def _misplaced(self, table: str, row: Mapping[str, Any]) -> str:
        """Why a row has no place; "" if it has one."""
        parent = TABLES[table].parent
        if not parent:
            return ""
        if not isinstance(row.get("patient"), str):
            return "its subject is not a patient of ours"
        if row["patient"] not in self.standing.get(PATIENTS, {}):
            return "its patient is not known"
        if parent == PATIENTS:
            return ""
        above = self.standing.get(parent, {}).get(row.get("of", ""))
        if above is None:
            return "the record that it stands in is missing"
        if above["patient"] != row["patient"]:
            return "its subject is not that of the record that it stands in"
        return ""

    def _drop_dangling(self, table: str, key: str, record: dict[str, Any]) -> None:
        """A reference to what is not here says nothing that a record could hold: its resource holds it still."""
        for c in TABLES[table].columns.values():
            if not c.to or c.name not in record:
                continue
            named = record[c.name] if isinstance(record[c.name], list) else [record[c.name]]
            here = [k for k in named if self._holds(c.to, k, record.get("patient", key))]
            if len(here) < len(named):
                self._note((table, key), c.name, f"`{c.name}` names a record that is not here")
                if here:
                    record[c.name] = here
                else:
                    del record[c.name]

    def _holds(self, table: str, key: str, patient: str) -> bool:
        record = self.standing.get(table, {}).get(key)
        return record is not None and record.get("patient", patient) == patient

    def _note(self, at: At, name: str, reason: str) -> None:
        r = self.speaker.get(at)
        if r is not None:
            self.out.note(r.resource, r.place(name), reason)


def _all(rows: RowsSeen) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for table, records in rows.items():
        for key, row in records.items():
            yield table, key, row


def _plain(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row, without what only pictures know."""
    unknown = sorted(n for n, v in row.items() if v is UNKNOWN and n in TABLES[table].columns)
    out = {n: v for n, v in row.items() if n in TABLES[table].columns and v is not UNKNOWN}
    return out | ({"unknown": unknown} if unknown else {})

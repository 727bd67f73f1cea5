"""Rows in any order → histories, by way of the spool. The same for every format of tables.

A row that cannot be placed is a fault of the patient whom it names, or else of the source as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from mesofhir.errors import InvalidInput, Problem
from mesofhir.fhir.exactjson import decode as from_json
from mesofhir.fhir.exactjson import encode as to_json
from mesofhir.formats.item import Item, located
from mesofhir.formats.moments import Wrong
from mesofhir.formats.sheets import LISTS, SHEETS, Sheet
from mesofhir.formats.spool import Spool
from mesofhir.records import TABLES, Fault, decode
from mesofhir.records.rows import practitioners_named
from mesofhir.records.tables import PATIENTS, SHARED

AT_ONCE: Final = 1000  #: problems, or rows, that are told together
_TABLES: Final = """
CREATE TABLE lines (
    id INTEGER PRIMARY KEY, sheet TEXT, line INTEGER, key TEXT, parent TEXT, patient TEXT, position INTEGER,
    owner TEXT, used INTEGER DEFAULT 0, body BLOB);
CREATE INDEX by_key ON lines (sheet, key);
CREATE INDEX by_parent ON lines (sheet, parent, position);
CREATE INDEX by_owner ON lines (owner);
CREATE TABLE problems (line INTEGER, owner TEXT, place TEXT, what TEXT, expected TEXT, hint TEXT);
CREATE INDEX by_line ON problems (line);
CREATE INDEX by_patient ON problems (owner)
"""
_IN_LIST = re.compile(r"(?P<list>[a-z_]+)\[(?P<n>[0-9]+)\](?:\.(?P<field>[a-z_]+))?\Z")
Tree = dict[str, Any]
Lines = dict[tuple[str, str], int]
"""(table, key) → line of the record; (``drugs[1]`` with its sheet, key of the record) → line of the value."""
Place = Callable[[Sheet, int, str], str]
"""Sheet, line and heading ("": the row) → how the source calls that place."""


class Rows:
    """The rows of one source.

    :param where: the name of the source
    :param place: how it calls a place
    """

    def __init__(self, spool: Spool, where: str, place: Place) -> None:
        self.spool, self.where, self.place = spool, where, place
        self.read = 0
        spool.make(_TABLES)

    # --- filling it -----------------------------------------------------------------------------------------

    def add(self, sheet: Sheet, line: int, links: dict[str, str], fields: Tree, position: int | None = None) -> int:
        """Spool one row.

        :param line: where it begins in its sheet
        :param links: the texts of the headings that place it, and ``key``; those that are stated
        :param fields: the values that it states; None is cleared
        :param position: of a list of values; None where the list is cleared
        :return: the number by which its problems are told
        """
        self.read += not sheet.field
        sql = "INSERT INTO lines (sheet, line, key, parent, patient, position, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
        values = (
            sheet.name, line, links.get("key"), links.get(sheet.parent), links.get("patient"), position,
            to_json(fields),
        )  # fmt: skip
        row = self.spool.db.execute(sql, values).lastrowid
        assert row is not None  # noqa: S101
        return row

    def wrong(self, row: int | None, sheet: Sheet, line: int, heading: str, wrong: Wrong) -> None:
        """Spool what is wrong with a row (None: it could not be spooled)."""
        sql = "INSERT INTO problems (line, place, what, expected, hint) VALUES (?, ?, ?, ?, ?)"
        self.spool.do(sql, row, self.place(sheet, line, heading), *wrong)

    def settle(self) -> None:
        """All rows are here: find the patient of each, and what cannot be placed."""
        for sheet in SHEETS.values():
            self._twice(sheet)
            self._owners(sheet)
        self.spool.do(
            "UPDATE problems SET owner = (SELECT coalesce(lines.owner, patients.key) FROM lines"
            " LEFT JOIN lines AS patients ON patients.sheet = 'patients' AND patients.key = lines.patient"
            " WHERE lines.id = problems.line)"
        )

    def _twice(self, sheet: Sheet) -> None:
        """The same key, or position, in two rows: the first one stands."""
        one = "parent, ifnull(position, 0)" if sheet.field else "key"
        rows = self.spool.rows(
            f"SELECT id, line, first FROM (SELECT id, line, min(line) OVER (PARTITION BY {one}) AS first"  # noqa: S608
            f" FROM lines WHERE sheet = ? AND {'parent' if sheet.field else 'key'} IS NOT NULL) WHERE line > first",
            sheet.name,
        )
        what = "the same position twice" if sheet.field else "the same key twice"
        for row, line, first in rows:
            hint = f"it stands in row {first} already"
            self.wrong(row, sheet, line, sheet.needed[-1], Wrong(what, "each once", hint))

    def _owners(self, sheet: Sheet) -> None:
        table, spool = sheet.table.name, self.spool
        if not sheet.field and table == PATIENTS:
            spool.do("UPDATE lines SET owner = key WHERE sheet = ?", sheet.name)
        if not sheet.parent:
            return
        above = table if sheet.field else sheet.table.parent
        spool.do(
            "UPDATE lines SET owner = (SELECT p.owner FROM lines AS p WHERE p.sheet = ? AND p.key = lines.parent)"
            " WHERE sheet = ?",
            above, sheet.name,
        )  # fmt: skip
        orphans = (
            "SELECT id, line FROM lines WHERE sheet = ? AND parent IS NOT NULL AND owner IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM lines AS p WHERE p.sheet = ? AND p.key = lines.parent)"
        )
        for row, line in spool.rows(orphans, sheet.name, above):
            wrong = Wrong(f"names a record that is not in `{above}`", f"a key of `{above}`")
            self.wrong(row, sheet, line, sheet.parent, wrong)
        others = "SELECT id, line FROM lines WHERE sheet = ? AND owner IS NOT NULL AND patient <> owner"
        if "patient" in sheet.links[:-1]:
            for row, line in spool.rows(others, sheet.name):
                wrong = Wrong(f"not the patient of the {sheet.parent} in which the row stands")
                self.wrong(row, sheet, line, "patient", wrong)

    # --- emptying it ----------------------------------------------------------------------------------------

    def items(self) -> Iterator[Item]:
        """What is wrong with the source as a whole; then each patient, in the order of their keys."""
        yield from self._unplaced()
        last = ""
        while found := self.spool.one("SELECT min(key) FROM lines WHERE sheet = ? AND key > ?", PATIENTS, last):
            if found[0] is None:  # min() of no rows
                break
            last = found[0]
            yield self._item(last)
        yield from self._unnamed()

    def _unplaced(self) -> Iterator[Item]:
        rows = self.spool.rows("SELECT place, what, expected, hint FROM problems WHERE owner IS NULL ORDER BY rowid")
        batch: list[Problem] = []
        for row in rows:
            batch.append(Problem(*row))
            if len(batch) == AT_ONCE:
                yield Item(self.where, faults=batch)
                batch = []
        if batch:
            yield Item(self.where, faults=batch)

    def _unnamed(self) -> Iterator[Item]:
        """The practitioners whom no history names."""
        sheet = SHEETS[SHARED]
        unused = "SELECT id, line FROM lines WHERE sheet = ? AND used = 0 AND id > ? ORDER BY id LIMIT ?"
        what, hint = "nothing names this practitioner", "left out: there is no place for the row in a history"
        last = 0
        while found := list(self.spool.rows(unused, SHARED, last, AT_ONCE)):
            last = found[-1][0]
            yield Item(self.where, warnings=[Problem(self.place(sheet, n, ""), what, hint=hint) for _, n in found])

    def _item(self, patient: str) -> Item:
        lines: Lines = {}
        tree = self._record(PATIENTS, patient, lines)
        for key in sorted(practitioners_named(tree, PATIENTS)):
            person = self._record(SHARED, key, lines)
            if person:
                tree.setdefault(SHARED, []).append(person)
        item = Item(self.place(SHEETS[PATIENTS], lines[PATIENTS, patient], ""), patient=patient)
        item.locate = lambda fault: self._locate(fault, lines)
        staff = [p["key"] for p in tree.get(SHARED, ())]
        marks = ",".join("?" * len(staff))
        for row in self.spool.rows(
            "SELECT place, what, expected, hint FROM problems WHERE owner = ? OR line IN"  # noqa: S608
            f" (SELECT id FROM lines WHERE sheet = '{SHARED}' AND key IN ({marks})) ORDER BY line, rowid",
            patient, *staff,
        ):  # fmt: skip
            item.faults.append(Problem(*row))
        try:
            item.history = decode(tree, "")
        except InvalidInput as error:
            if not item.faults:  # else these may well follow from them
                item.faults += [item.problem(f) for f in located(tree, error)]
        return item

    def _record(self, table: str, key: str, lines: Lines) -> Tree:
        """A record and all that stand in it, as plain values; nothing where there is no such row."""
        found = self.spool.one("SELECT id, line, body FROM lines WHERE sheet = ? AND key = ? ORDER BY line", table, key)
        if found is None:
            return {}
        row, line, body = found
        self.spool.do("UPDATE lines SET used = 1 WHERE id = ?", row)
        lines.setdefault((table, key), line)
        tree: Tree = {"key": key, **from_json(body)}
        for column in TABLES[table].columns.values():
            if column.kind == "values":
                values = self._values(LISTS[table, column.name], key, lines)
                if values is not None:
                    tree[column.name] = values
        for child in TABLES[table].children:
            below = "SELECT DISTINCT key FROM lines WHERE sheet = ? AND parent = ? AND key IS NOT NULL ORDER BY key"
            keys = [k for (k,) in self.spool.rows(below, child, key)] if child != SHARED else []
            if keys:
                tree[child] = [self._record(child, k, lines) for k in keys]
        return tree

    def _values(self, sheet: Sheet, key: str, lines: Lines) -> list[Any] | None:
        """The list of values of a record; ``[]`` where it is cleared, None where it is not stated."""
        sql = "SELECT line, position, body FROM lines WHERE sheet = ? AND parent = ? ORDER BY position, line"
        found = self.spool.db.execute(sql, (sheet.name, key)).fetchall()
        stated = [(line, from_json(body)) for line, position, body in found if position is not None]
        for n, (line, _) in enumerate(stated):
            lines[f"{sheet.name}[{n}]", key] = line
        return [value for _, value in stated] if found else None

    def _locate(self, fault: Fault, lines: Lines) -> str:
        """The row and column of a fault."""
        if m := _IN_LIST.search(fault.path):
            sheet = LISTS.get((fault.table, m["list"]))
            line = lines.get((f"{sheet.name}[{m['n']}]", fault.key)) if sheet else None
            if sheet and line is not None:
                return self.place(sheet, line, m["field"] or "")
        line = lines.get((fault.table, fault.key))
        if line is None:
            return f"{self.where}: {fault.table}, {fault.field}"
        return self.place(SHEETS[fault.table], line, fault.field.split("[")[0])

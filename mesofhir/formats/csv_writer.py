"""Histories → a folder of CSV files (:mod:`.sheets`, :mod:`.cells`): UTF-8, ``,``, ``\\n``, all columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from mesofhir.errors import InvalidInput
from mesofhir.formats import cells
from mesofhir.formats.item import Item, differing
from mesofhir.formats.output import Output, create
from mesofhir.formats.sheets import LISTS, SHEETS, Sheet
from mesofhir.records import flatten, sorted_by_key
from mesofhir.records.tables import PATIENTS, SHARED

_QUOTED = re.compile(r'[",\r\n]')


class CsvFolderWriter:
    """The writer: rows in the order of the histories, and in a history of their keys.

    :param folder: an empty one, to be filled
    """

    def __init__(self, folder: Path, output: Output) -> None:
        self.folder, self.output = folder, output
        self.files: dict[str, BinaryIO] = {}
        self.staff: dict[str, dict[str, Any]] = {}

    def add(self, item: Item) -> None:
        """Write the rows of a history.

        :raises InvalidInput: another history says something else of the same practitioner
        """
        for table, row in flatten(sorted_by_key(item.history)) if item.history else ():
            if table == SHARED:
                known = self.staff.setdefault(row["key"], row)
                if known is not row:
                    if known != row:
                        raise InvalidInput(differing(item.where, row["key"]))
                    continue
            sheet = SHEETS[table]
            links = {"patient": row.get("patient"), sheet.parent: row.get("of") or row.get("patient")}
            self._line(sheet, [*(cells.show(links[h]) for h in sheet.links)], row)
            for column in sheet.table.columns.values():
                if column.kind == "values" and column.name in row:
                    self._list(LISTS[table, column.name], row["key"], row[column.name] or ())

    def finish(self) -> None:
        """A folder of no history has a file too, by which it is known."""
        self._file(SHEETS[PATIENTS])

    def _list(self, sheet: Sheet, key: str, values: Sequence[dict[str, Any]]) -> None:
        for n, value in enumerate(values, 1):
            self._line(sheet, [cells.show(key), str(n)], value)
        if not values:
            self._line(sheet, [cells.show(key), cells.CLEARED], {})

    def _file(self, sheet: Sheet) -> BinaryIO:
        out = self.files.get(sheet.name)
        if out is None:
            out = self.output.add(create(self.folder / f"{sheet.name}.csv"))
            self.files[sheet.name] = out
            out.write(line(sheet.headings))
        return out

    def _line(self, sheet: Sheet, links: list[str], row: dict[str, Any]) -> None:
        self._file(sheet).write(line([*links, *(cells.show(row[c]) if c in row else "" for c in sheet.columns)]))


def line(row: list[str]) -> bytes:
    """A row as it stands in a file."""
    return (",".join(f'"{c.replace(chr(34), chr(34) * 2)}"' if _QUOTED.search(c) else c for c in row) + "\n").encode()

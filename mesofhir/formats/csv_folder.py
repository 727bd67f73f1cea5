"""A folder of CSV files, one for each table and one for each list of values (:mod:`.sheets`, :mod:`.cells`).

Read as other programs write it: with ``,``, ``;`` or tab, with or without a byte order mark, any line ends,
files and rows in any order, missing files for tables without rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any, Final

from mesofhir.errors import InvalidInput, Problem, UsageError
from mesofhir.formats import cells
from mesofhir.formats.item import Item
from mesofhir.formats.moments import Refusal, Wrong
from mesofhir.formats.options import Options
from mesofhir.formats.sheets import POSITION, SHEETS, Sheet, headings
from mesofhir.formats.spool import Spool
from mesofhir.formats.tables import Rows
from mesofhir.formats.text import lines

MAX_CELL: Final = 1024 * 1024  #: characters of one cell; a FHIR string is at most 1 MB long (R4, datatypes)
DELIMITERS: Final = (",", ";", "\t")
_SEPARATOR = re.compile(r"sep=.")  # by which a file tells its delimiter to Excel
_SAFE_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,60}")  # any other may be a patient's


class CsvFolder:
    """The reader.

    :param where: the name of the folder, for messages
    """

    def __init__(self, folder: Path, where: str, options: Options, spool: Spool) -> None:
        self.folder, self.where, self.options = folder, where, options
        self.rows = Rows(spool, where, self._place)
        self.names: dict[str, str] = {}  # sheet → file, as it is called there
        self.ignored: list[Problem] = []
        self.broken: list[Problem] | None = None  # what stops all; None: not looked at yet

    def items(self) -> Iterator[Item]:
        """Each patient of the folder; before them what is wrong with it as a whole."""
        if self.broken is None:
            self.broken = self._load()
            if not self.broken:
                self.rows.settle()
        if self.ignored:
            yield Item(self.where, warnings=self.ignored)
        if self.broken:
            yield Item(self.where, faults=self.broken)
            return
        yield from self.rows.items()

    def _place(self, sheet: Sheet, line: int, heading: str) -> str:
        place = f"{self.where}/{self.names.get(sheet.name, sheet.name + '.csv')}: row {line}"
        return f"{place}, column {heading}" if heading else place

    def _load(self) -> list[Problem]:
        """Spool all rows; what makes a whole file unreadable."""
        found: list[Problem] = []
        files: list[tuple[Sheet, Path]] = []
        for path in sorted(self.folder.iterdir()):
            name = path.name.lower()
            if name.startswith((".", "~$")):
                continue
            if not name.endswith(".csv"):
                hint = "only files that end in .csv are read"
                self.ignored.append(Problem(f"{self.where}/{_shown(path.name)}", "not read", hint=hint))
            elif (sheet := SHEETS.get(name[:-4])) is None:
                near = get_close_matches(name, headings(), 1, 0.6)
                hint = f"did you mean {near[0]}?" if near else "`mesofhir convert` writes a folder with all of them"
                what, right = "not the name of a table", f"a file of a table, such as {SHEETS['sessions'].name}.csv"
                found.append(Problem(f"{self.where}/{_shown(path.name)}", what, right, hint))
            elif sheet.name in self.names:
                found.append(Problem(f"{self.where}/{_shown(path.name)}", "a second file of the same table"))
            else:
                self.names[sheet.name] = path.name
                files.append((sheet, path))
        for sheet, path in files:
            try:
                _File(sheet, path, f"{self.where}/{path.name}", self.options, self.rows).load()
            except InvalidInput as error:
                found += error.problems
        return found


def _shown(name: str) -> str:
    return name if _SAFE_NAME.fullmatch(name) else "(a file whose name is not shown)"


class _File:
    """One file: its heading, then its rows."""

    def __init__(self, sheet: Sheet, path: Path, where: str, options: Options, rows: Rows) -> None:
        self.sheet, self.path, self.where = sheet, path, where
        self.options, self.rows = options, rows

    def load(self) -> None:
        """Spool the rows.

        :raises InvalidInput: the file cannot be read, or not further
        """
        if csv.field_size_limit() < MAX_CELL:  # of the whole process; raising it takes nothing from anybody
            csv.field_size_limit(MAX_CELL)
        try:
            with self.path.open("rb") as stream:
                self._load(lines(stream, self.options, self.where))
        except OSError as error:
            raise UsageError(f"{self.where}: cannot be read: {error.strerror}") from None

    def _load(self, text: Iterator[str]) -> None:
        skipped = 0
        first = next(text, "")
        while first and (not first.strip() or _SEPARATOR.fullmatch(first.strip())):
            skipped += 1
            first = next(text, "")
        if not first:
            return  # an empty file has no rows
        delimiter = self._delimiter(first)
        reader = csv.reader(chain([first], text), delimiter=delimiter, strict=True)
        heading: list[str] = []
        while True:
            start = skipped + reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise InvalidInput(self._unreadable(str(error), start)) from None
            if row is None:
                return
            if not heading:
                heading = self._heading(row, start)
            elif any(row):
                self._row(heading, row, start)

    def _delimiter(self, heading: str) -> str:
        """The one by which most of the heading is known."""

        def known(delimiter: str) -> int:
            cells = next(csv.reader([heading], delimiter=delimiter))
            return len({cell.strip() for cell in cells} & {*self.sheet.headings})

        return max(DELIMITERS, key=known)

    def _unreadable(self, error: str, line: int) -> Problem:
        """What csv says, in our words; where the row begins in which it came upon it."""
        place = f"{self.where}: row {line}"
        if "field larger than" in error:
            return Problem(place, "a cell that is too long", f"at most {MAX_CELL} characters")
        if "end of data" in error:
            return Problem(place, "a quoted cell that is not closed", "a double quote at its end")
        return Problem(place, "text behind the closing quote of a cell", "quotes inside of a cell doubled")

    def _heading(self, row: list[str], line: int) -> list[str]:
        """The headings of the columns; "" for one without.

        :raises InvalidInput: they are not those of the table
        """
        names, place, known = [cell.strip() for cell in row], f"{self.where}: row {line}", self.sheet.headings
        found = []
        for n, name in enumerate(names, 1):
            if name and name not in known:
                near = get_close_matches(name.lower(), known, 1, 0.6)
                shown = f"{n}, `{name}`" if _SAFE_NAME.fullmatch(name) else f"{n} (its name is not shown)"
                hint = f"did you mean `{near[0]}`?" if near else f"its columns are {', '.join(known)}"
                found.append(Problem(place, f"unknown column {shown}", f"a column of `{self.sheet.name}`", hint))
            elif name and name in names[: n - 1]:
                found.append(Problem(place, f"the column `{name}` twice", "each column once"))
        for name in self.sheet.needed:
            if name not in names:
                found.append(Problem(place, f"the column `{name}` is missing", f"{', '.join(self.sheet.needed)}"))
        if found:
            raise InvalidInput(found)
        return names

    def _row(self, heading: list[str], row: list[str], line: int) -> None:
        sheet, wrong = self.sheet, list[tuple[str, Wrong]]()
        if len(row) != len(heading):
            few = "too few" if len(row) < len(heading) else "too many"
            expected = f"{len(heading)}, as the heading has"
            hint = "a cell with the delimiter in it stands in double quotes"
            self.rows.wrong(None, sheet, line, "", Wrong(f"{few} cells ({len(row)})", expected, hint))
            return
        links: dict[str, str] = {}
        fields: dict[str, Any] = {}
        position: int | None = None
        for name, cell in zip(heading, row, strict=True):
            try:
                if not cell:
                    continue
                if len(cell) > MAX_CELL:
                    raise Refusal(Wrong("a cell that is too long", f"at most {MAX_CELL} characters"))
                if not name:
                    raise Refusal(Wrong("a cell under no heading", "nothing"))
                if name == POSITION:
                    position = cells.position(cell)
                    links[name] = cell
                elif name in sheet.links or name == "key":
                    links[name] = _key(cell)
                else:
                    fields[name] = cells.read(cell, sheet.columns[name], self.options)
            except Refusal as refusal:
                wrong.append((name, refusal.wrong))
        for name in sheet.needed:
            if name not in links and not any(n == name for n, _ in wrong):
                wrong.append((name, Wrong("missing", f"every row has its {' and its '.join(sheet.needed)}")))
        if fields and links.get(POSITION) == cells.CLEARED:
            wrong.append((POSITION, Wrong("values of a list that is cleared", "no other cells in this row")))
        number = self.rows.add(sheet, line, links, fields, position)
        for name, why in wrong:
            self.rows.wrong(number, sheet, line, name, why)


def _key(cell: str) -> str:
    text = cells.unguarded(cell)
    if text == cells.CLEARED or "\x00" in text:
        raise Refusal(Wrong("not a key", "the key of a record"))
    return text

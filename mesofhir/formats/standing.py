"""What stands at a destination already, piece by piece, so that it can be merged into.

A piece is the bytes of one history in one file: an item of a list, a line, a row of a CSV file. Pieces of one history
form a group, known by the patient's key; a practitioner of a CSV folder forms one, too. Merging puts the new pieces of
a group in the place of the old ones and copies all other bytes as they are.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from mesofhir.errors import InvalidInput, Problem, UsageError
from mesofhir.fhir.exactjson import decode
from mesofhir.formats.cells import unguarded
from mesofhir.formats.csv_writer import line as csv_line
from mesofhir.formats.json_values import Value, of_file, of_lines
from mesofhir.formats.kept import beside
from mesofhir.formats.options import Options
from mesofhir.formats.sheets import SHEETS, Sheet, headings
from mesofhir.formats.spool import Spool
from mesofhir.records import TreatmentHistory
from mesofhir.records import decode as as_history
from mesofhir.records.tables import PATIENTS, SHARED

FORMATS: Final = ("json", "ndjson", "csv")
AWAY: Final = "move it away: the next pull then writes all of it anew"
Values = Callable[[BinaryIO, Options, str], Iterator[Value]]


class Piece(NamedTuple):
    """Bytes of a file that belong to one group.

    :param group: ``P`` and a patient's key, ``D`` and a practitioner's
    """

    group: str
    start: int
    end: int


class Standing:
    """The histories at a place.

    :param format: one of :data:`FORMATS`
    :param side: a name by which its pieces are told from others in the same spool
    """

    def __init__(self, place: Path, where: str, format: str, spool: Spool, side: str = "old") -> None:
        self.place, self.where, self.format, self.spool, self.side = place, where, format, spool, side
        spool.make(
            "CREATE TABLE IF NOT EXISTS pieces (side TEXT, file TEXT, n INT, grp TEXT, start INT, stop INT,"
            " PRIMARY KEY (side, file, n)) WITHOUT ROWID;"
            "CREATE INDEX IF NOT EXISTS pieces_of ON pieces (side, grp, file, n);"
            "CREATE TABLE IF NOT EXISTS groups (side TEXT, grp TEXT, digest BLOB, PRIMARY KEY (side, grp))"
            " WITHOUT ROWID"
        )
        self.loaded = False

    @property
    def is_there(self) -> bool:
        return self.place.exists()

    @property
    def files(self) -> dict[str, Path]:
        """The files that hold pieces, by what they are called here."""
        if self.format != "csv":
            return {"": self.place} if self.place.is_file() else {}
        return {name: path for name in SHEETS if (path := self.place / f"{name}.csv").is_file()}

    def fingerprint(self) -> bytes:
        """A hash of all that stands there, and of what was kept beside it."""
        whole = hashlib.blake2b(digest_size=16)
        for name, path in [*self.files.items(), ("kept", beside(self.place))]:
            if path.is_file():
                whole.update(name.encode() + b"\0")
                with path.open("rb") as file:
                    while chunk := file.read(1 << 20):
                        whole.update(chunk)
        return whole.digest()

    def load(self) -> None:
        """Find the pieces.

        :raises InvalidInput: what stands there is not what mesofhir writes
        """
        if self.loaded:
            return
        self.loaded = True
        if self.format == "csv" and self.is_there:
            self._check_folder()
        for name, path in self.files.items():
            group, digest = "", b""
            for n, (piece, data) in enumerate(self._pieces(name, path)):
                self.spool.do(
                    "INSERT INTO pieces VALUES (?, ?, ?, ?, ?, ?)",
                    self.side, name, n, piece.group, piece.start, piece.end,
                )  # fmt: skip
                if piece.group != group:
                    self._put(group, digest)
                    group, digest = piece.group, self.digest(piece.group) or b""
                digest = hashlib.blake2b(digest + name.encode() + b"\0" + data, digest_size=16).digest()
            self._put(group, digest)

    def _put(self, group: str, digest: bytes) -> None:
        if group:
            self.spool.do("INSERT OR REPLACE INTO groups VALUES (?, ?, ?)", self.side, group, digest)

    # --- asking -------------------------------------------------------------------------------------------

    def digest(self, group: str) -> bytes | None:
        """A hash of the bytes of a group; None where there is none."""
        found = self.spool.one("SELECT digest FROM groups WHERE side = ? AND grp = ?", self.side, group)
        return found[0] if found else None

    def patients(self) -> Iterator[tuple[str, bytes]]:
        """The key of each history, and the hash of its bytes."""
        sql = "SELECT substr(grp, 2), digest FROM groups WHERE side = ? AND grp LIKE 'P%' ORDER BY grp"
        yield from self.spool.rows(sql, self.side)

    def history(self, key: str) -> TreatmentHistory | None:
        """The history that stands there for a patient.

        :raises InvalidInput: it is none
        """
        self.load()
        if self.digest(f"P{key}") is None:
            return None
        if self.format == "csv":
            return self._from_rows(key)
        found = self.spool.one(
            "SELECT start, stop FROM pieces WHERE side = ? AND grp = ? ORDER BY n", self.side, f"P{key}"
        )
        assert found is not None  # noqa: S101 - it has a digest
        with self.place.open("rb") as file:
            file.seek(found[0])
            return as_history(decode(file.read(found[1] - found[0])), self.where)

    def _from_rows(self, key: str) -> TreatmentHistory:
        """The rows of one patient, read as a folder of their own, with all practitioners."""
        from mesofhir.formats import read

        folder = self.spool.folder / f"one-{self.side}"
        folder.mkdir(exist_ok=True)
        for name, path in self.files.items():
            with path.open("rb") as old, (folder / path.name).open("wb") as new:
                new.write(old.readline())
                wanted = (
                    "SELECT start, stop FROM pieces WHERE side = ? AND file = ? AND (grp = ? OR grp LIKE 'D%')"
                    " ORDER BY n"
                )
                for start, stop in self.spool.rows(wanted, self.side, name, f"P{key}"):
                    old.seek(start)
                    new.write(old.read(stop - start))
        with read(folder, format="csv") as source:
            for item in source:
                if item.faults:
                    raise InvalidInput([Problem(p.where, p.what, p.expected, AWAY) for p in item.faults])
                if item.history is not None and item.history.key == key:
                    return item.history
        raise InvalidInput(Problem(self.where, "a history that stands there cannot be read", hint=AWAY))

    # --- finding pieces -----------------------------------------------------------------------------------

    def _pieces(self, name: str, path: Path) -> Iterator[tuple[Piece, bytes]]:
        with path.open("rb") as file:
            if self.format == "csv":
                yield from self._rows(SHEETS[name], file)
                return
            with path.open("rb") as again:
                values: Values = of_file if self.format == "json" else of_lines
                for value in values(file, Options(), self.where):
                    start, stop = value.span
                    again.seek(start)
                    yield Piece("P" + self._key(value), start, stop), again.read(stop - start)

    def _key(self, value: Value) -> str:
        key = value.data.get("key") if isinstance(value.data, dict) else None
        if value.faults or not isinstance(key, str):
            raise self._strange(value.where)
        return key

    def _rows(self, sheet: Sheet, file: BinaryIO) -> Iterator[tuple[Piece, bytes]]:
        where = f"{self.where}/{sheet.name}.csv"
        at = len(first := file.readline())
        if first != csv_line(sheet.headings):
            raise self._strange(f"{where}: line 1", "the headings that mesofhir writes")
        while row := file.readline():
            while row.count(b'"') % 2 and (more := file.readline()):  # a line end within quotes
                row += more
            start, at = at, at + len(row)
            yield Piece(self._group(sheet, row, where), start, at), row

    def _group(self, sheet: Sheet, row: bytes, where: str) -> str:
        try:
            [cells] = csv.reader([row.decode()], strict=True)
            said = {h: unguarded(cell) for h, cell in zip(sheet.headings, cells, strict=True)}
        except (ValueError, csv.Error):
            raise self._strange(where) from None
        if sheet.table.name == SHARED:
            return "D" + said[sheet.parent if sheet.field else "key"]
        if sheet.table.name == PATIENTS:
            return "P" + said[sheet.parent if sheet.field else "key"]
        if not sheet.field:
            self.spool.make("CREATE TABLE IF NOT EXISTS stands (name TEXT PRIMARY KEY, grp TEXT) WITHOUT ROWID")
            name = f"{self.side}/{sheet.name}/{said['key']}"
            self.spool.do("INSERT OR REPLACE INTO stands VALUES (?, ?)", name, f"P{said['patient']}")
            return f"P{said['patient']}"
        name = f"{self.side}/{sheet.table.name}/{said[sheet.parent]}"
        found = self.spool.one("SELECT grp FROM stands WHERE name = ?", name)
        if found is None:
            raise self._strange(where, "rows of records that stand in the folder")
        return str(found[0])

    def _check_folder(self) -> None:
        known = headings()
        strange = sorted(p.name for p in self.place.iterdir() if p.name not in known)
        if strange:
            raise UsageError(f"{self.where}: holds files that mesofhir does not write; {AWAY}")

    def _strange(self, where: str, expected: str = "histories as mesofhir writes them") -> InvalidInput:
        return InvalidInput(Problem(where, "cannot be merged into", expected, AWAY))

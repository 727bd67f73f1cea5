"""Merging into what stands at a destination: new histories take the place of old ones, all else stays byte for byte.

The new ones are written by the ordinary writer to a private place first; their pieces (:mod:`.standing`) then go
where the old pieces were, and histories that are new altogether behind the last one. Nothing is taken away: a history
that is not among the new ones stays as it is.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, Final

from mesofhir.errors import InvalidInput, Problem, UsageError
from mesofhir.fhir.exactjson import decode
from mesofhir.fhir.references import own_name
from mesofhir.formats.item import Item
from mesofhir.formats.kept import beside
from mesofhir.formats.output import Output, create
from mesofhir.formats.sheets import SHEETS, headings
from mesofhir.formats.spool import Spool
from mesofhir.formats.standing import AWAY, FORMATS, Piece, Standing
from mesofhir.formats.target import Written
from mesofhir.mapping import Clinic

CHUNK: Final = 1 << 20
Record = tuple[str, str]


def standing(destination: Path, where: str, format: str, spool: Spool) -> Standing:
    """What stands at a destination, to be merged into.

    :raises UsageError: the format, or a stream, cannot be merged into
    """
    if where == "-":
        raise UsageError("- is a stream, and nothing can be merged into it; name a file or a folder")
    if format not in FORMATS:
        raise UsageError(
            f"{where}: nothing can be merged into the format {format}, whose resources refer to each other across "
            f"histories; pull incrementally into records ({', '.join(FORMATS)}) and convert those, or pull all of it"
        )
    if destination.exists() and not (destination.is_file() or destination.is_dir()):
        raise UsageError(f"{where}: neither a file nor a folder; nothing can be merged into it")
    if destination.exists() and destination.is_dir() != (format == "csv"):
        raise UsageError(f"{where}: a {'folder' if destination.is_dir() else 'file'}; the format {format} is none")
    return Standing(destination, where, format, spool)


class Merge:
    """One merge.

    :param old: what stands there
    :ivar records: records (table, key) of the old histories that stand in the new ones although nobody stated them;
        what was kept of them stays, too
    """

    def __init__(self, old: Standing, clinic: Clinic, spool: Spool) -> None:
        self.old, self.clinic, self.spool = old, clinic, spool
        name = {"json": "new.json", "ndjson": "new.ndjson", "csv": "new"}[old.format]
        self.new = Standing(spool.folder / name, old.where, old.format, spool, "new")
        self.records: set[Record] = set()
        spool.make("CREATE TABLE told (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def write(self, items: Iterable[Item]) -> Written:
        """Merge items.

        :returns: what was written; nothing, where the items say what stands there
        :raises InvalidInput: an item has faults; or what stands there is not what mesofhir writes
        """
        from mesofhir.formats import write

        written = write(self.new.place, self._noted(items), format=self.old.format, clinic=self.clinic)
        written.files, written.replaced, written.removed = [], {}, []
        self.new.load()
        self.old.load()
        place = beside(self.old.place)
        written.kept = sum(1 for _ in self._kept())
        with Output() as output:
            if self._differs():
                self._write(output)
            if not written.kept:
                output.remove(place)
            elif any(a != b for a, b in zip_longest(self._kept(), _lines(place))):
                output.file(place).writelines(self._kept())
        written.files, written.replaced, written.removed = output.done, output.replaced, output.removed
        return written

    def _noted(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items; whom and what they tell is noted."""
        for item in items:
            patient = item.history.key if item.history else item.patient
            resources = [*item.sources.values(), *(k.resource for k in item.kept)]
            for name in {f"P{patient}" if patient else "", *map(own_name, resources)} - {""}:
                self.spool.do("INSERT OR IGNORE INTO told VALUES (?)", name)
            yield item

    def _is_told(self, name: str) -> bool:
        return self.spool.one("SELECT 1 FROM told WHERE name = ?", name) is not None

    def _differs(self) -> bool:
        sql = (
            "SELECT 1 FROM groups AS a WHERE side = 'new' AND NOT EXISTS"
            " (SELECT 1 FROM groups AS b WHERE b.side = 'old' AND b.grp = a.grp AND b.digest = a.digest)"
        )
        return self.spool.one(sql) is not None

    # --- the histories ------------------------------------------------------------------------------------

    def _write(self, output: Output) -> None:
        if self.old.format != "csv":
            with self._open("new", "") as new:
                out = output.file(self.old.place)
                (self._json if self.old.format == "json" else self._lines)("", out, new)
            return
        ours = headings()
        folder = output.folder(self.old.place, lambda name: name in ours)
        for name in SHEETS:
            if name in self.old.files or name in self.new.files:
                out = output.add(create(folder / f"{name}.csv"))
                with self._open("new", name) as new:
                    self._lines(name, out, new)

    def _lines(self, name: str, out: BinaryIO, new: BinaryIO) -> None:
        """A file of lines: the new ones of a group where its first one was, or at the end."""
        last = b"\n"
        if name in self.old.files and self.old.is_there:
            with self._open("old", name) as old:
                at, done = 0, set[str]()
                for piece in self._pieces("old", name):
                    if self.old.format == "ndjson":  # the end of a line is no part of the value
                        old.seek(piece.end)
                        piece = piece._replace(end=piece.end + len(old.readline()))
                    last = _copy(old, out, at, piece.start) or last
                    if self.new.digest(piece.group) is None:
                        last = _copy(old, out, piece.start, piece.end) or last
                    elif piece.group not in done:
                        last = self._pieces_of(name, piece.group, out, new) or last
                        done.add(piece.group)
                    at = piece.end
                last = _copy(old, out, at, None) or last
        elif self.old.format == "csv":
            out.write(self._header(new))
        for group in self._fresh(name):
            if last != b"\n":
                out.write(b"\n")
            last = self._pieces_of(name, group, out, new) or last

    def _pieces_of(self, name: str, group: str, out: BinaryIO, new: BinaryIO) -> bytes:
        """Write the new pieces of a group; the last byte that was written."""
        last = b""
        for piece in self._pieces("new", name, group):
            last = _copy(new, out, piece.start, piece.end) or last
            if self.old.format == "ndjson":
                out.write(b"\n")
                last = b"\n"
        return last

    def _json(self, name: str, out: BinaryIO, new: BinaryIO) -> None:
        """A list, or one history: pieces are replaced one by one; what is more goes behind the last."""
        pieces = list(self._pieces("old", name)) if self.old.is_there else []
        fresh = list(self._fresh(name))
        if not pieces:
            with self.new.place.open("rb") as whole:
                shutil.copyfileobj(whole, out)
            return
        with self._open("old", name) as old:
            old.seek(0)
            single = not old.read(pieces[0].start).strip(b"\xef\xbb\xbf \t\r\n")
            wrapped = single and bool(fresh)
            at = pieces[0].start if wrapped else 0
            if wrapped:
                out.write(b"[\n")
            for piece in pieces:
                _copy(old, out, at, piece.start)
                if self.new.digest(piece.group) is None:
                    _copy(old, out, piece.start, piece.end)
                else:
                    self._pieces_of(name, piece.group, out, new)
                at = piece.end
            for group in fresh:
                out.write(b",\n")
                self._pieces_of(name, group, out, new)
            if wrapped:
                out.write(b"\n]\n")
            else:
                _copy(old, out, at, None)

    def _pieces(self, side: str, name: str, group: str = "") -> Iterator[Piece]:
        sql = "SELECT grp, start, stop FROM pieces WHERE side = ? AND file = ? AND ? IN ('', grp) ORDER BY n"
        for row in self.spool.rows(sql, side, name, group):
            yield Piece(*row)

    def _fresh(self, name: str) -> Iterator[str]:
        """The groups of a new file that have nothing in the old one, in their order."""
        sql = (
            "SELECT grp FROM pieces AS a WHERE side = 'new' AND file = ? AND NOT EXISTS (SELECT 1 FROM pieces AS b"
            " WHERE b.side = 'old' AND b.file = a.file AND b.grp = a.grp) GROUP BY grp ORDER BY min(n)"
        )
        for (group,) in self.spool.rows(sql, name):
            yield group

    def _header(self, new: BinaryIO) -> bytes:
        new.seek(0)
        return new.readline()

    def _open(self, side: str, name: str) -> BinaryIO:
        files = (self.old if side == "old" else self.new).files
        return files[name].open("rb") if name in files else BytesIO()

    # --- what was kept ------------------------------------------------------------------------------------

    def _kept(self) -> Iterator[bytes]:
        """The lines that are to stand beside the histories: the old ones of whom nothing was told, then the new."""
        new = {hashlib.blake2b(text).digest() for text in _lines(beside(self.new.place))}
        for text in _lines(beside(self.old.place)):
            if hashlib.blake2b(text).digest() not in new and self._stays(text):
                yield text
        yield from _lines(beside(self.new.place))

    def _stays(self, text: bytes) -> bool:
        try:
            line = decode(text)
            patient, record, resource = line["patient"], line.get("record") or {}, line["resource"]
            if (record.get("table"), record.get("key")) in self.records:
                return True
            return not self._is_told(f"P{patient}" if patient else own_name(resource))
        except (InvalidInput, KeyError, TypeError, AttributeError):
            where = str(beside(self.old.place))
            raise InvalidInput(Problem(where, "not a line of kept resources", "as mesofhir wrote it", AWAY)) from None


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that may not be there, each with its end."""
    if path.is_file():
        with path.open("rb") as file:
            yield from (text.rstrip(b"\n") + b"\n" for text in file if text.strip())


def _copy(source: BinaryIO, out: BinaryIO, start: int, end: int | None) -> bytes:
    """Copy bytes; the last one of them.

    :param end: None: to the end of the file
    """
    source.seek(start)
    left, last = (end - start) if end is not None else -1, b""
    while left and (chunk := source.read(CHUNK if left < 0 else min(CHUNK, left))):
        out.write(chunk)
        last = chunk[-1:]
        left -= len(chunk) if left > 0 else 0
    return last


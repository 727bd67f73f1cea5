"""A source of histories: looked at as far as needed, read as often as wanted, and its spool removed at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, ClassVar, Final

from mesofhir.errors import Problem, UsageError
from mesofhir.formats import json_records
from mesofhir.formats.csv_folder import CsvFolder
from mesofhir.formats.fhir_source import FhirSource, is_fhir
from mesofhir.formats.item import Counts, Item
from mesofhir.formats.json_values import Value, of_file, of_lines
from mesofhir.formats.kept import KeptFile
from mesofhir.formats.options import Options
from mesofhir.formats.spool import Spool
from mesofhir.mapping import Clinic

Values = Callable[[BinaryIO, Options, str], Iterator[Value]]
LOOKED_AT: Final = 100  #: unreadable values after which an input is taken for records


@dataclass
class Input:
    """What a reader is given.

    :param path: a file that can be read twice, or a folder
    :param where: what the user calls it
    :param kept: the file with what was kept beside it, if there is one
    :param counts: where everything goes, of the present pass
    :param said: something was read, be it only that there is no history (``[]``)
    """

    path: Path
    where: str
    clinic: Clinic | None
    options: Options
    spool: Spool
    kept: Path | None
    counts: Counts
    said: bool = False

    def need_clinic(self) -> Clinic:
        """The clinic.

        :raises UsageError: none was named
        """
        if self.clinic is None:
            raise UsageError(
                f"{self.where}: holds FHIR; name the clinic's namespace with --namespace, by which its records"
                " are told from others"
            )
        return self.clinic


class RecordsReader:
    """Histories that stand in a source as records: judged, and joined with what was kept of them.

    :param histories: reads them, each time anew
    """

    expected: ClassVar[str] = "one history or more"

    def __init__(self, histories: Callable[[], Iterator[Item]], given: Input) -> None:
        self.histories, self.given = histories, given
        self.seen = json_records.SeenKeys(given.spool)
        self.kept = KeptFile(given.kept, given.spool) if given.kept else None

    def items(self) -> Iterator[Item]:
        counts = self.given.counts
        self.seen.begin()
        if self.kept:
            self.kept.begin()
            if self.kept.faults:
                yield Item(str(self.given.kept), faults=list(self.kept.faults))
        for item in self.histories():
            self.seen.check(item)
            item.judge(self.given.clinic)
            if self.kept:
                self.kept.join(item)
            one = item.history is not None or bool(item.faults)
            counts.read += one
            counts.mapped += one and not item.faults
            counts.refused += bool(item.faults)
            self._count(item)
            yield item
        for item in self.kept.rest() if self.kept else ():
            self._count(item)
            yield item

    def _count(self, item: Item) -> None:
        self.given.counts.read += len(item.kept)
        self.given.counts.kept += len(item.kept)


class CsvReader(RecordsReader):
    """A folder of CSV files."""

    expected = "a row in patients.csv for each history"

    def __init__(self, given: Input) -> None:
        folder = CsvFolder(given.path, given.where, given.options, given.spool)
        super().__init__(folder.items, given)


class JsonReader:
    """JSON files: of records or of FHIR, as the first value says.

    :param values: reads the values of one file
    :param fhir: it must be FHIR
    :param ending: of the files of a folder
    """

    @property
    def expected(self) -> str:
        """What should stand in it."""
        if self.given.path.is_dir():
            return f"files *{self.ending} with resources"
        return "one resource a line" if self.fhir else "one history a line, or one resource of FHIR a line"

    def __init__(self, given: Input, values: Values, *, fhir: bool, ending: str) -> None:
        self.given, self.values, self.fhir, self.ending = given, values, fhir, ending
        self.reader: RecordsReader | FhirSource | None = None

    def items(self) -> Iterator[Item]:
        if self.reader is None:
            self.reader = self._reader()
        yield from self.reader.items()

    def _reader(self) -> RecordsReader | FhirSource:
        given, values = self.given, self._all()
        start: list[Value] = []
        for value in islice(values, LOOKED_AT):
            start.append(value)
            if not value.faults:
                break
        if self.fhir or (start and is_fhir(start[-1].data)):
            every = chain(start, values)
            return FhirSource(lambda: every, given.where, given.need_clinic(), given.spool, given.counts)
        return RecordsReader(lambda: json_records.read(self._all(), given.options), given)

    def _all(self) -> Iterator[Value]:
        path, where = self.given.path, self.given.where
        files = [(path, where)]
        if path.is_dir():
            names = sorted(p.name for p in path.iterdir() if p.name.endswith(self.ending) and p.name[0] != ".")
            files = [(path / name, f"{where}/{name}") for name in names]
        for file, called in files:
            try:
                with file.open("rb") as stream:
                    self.given.said |= self.values is of_file  # a list without items says that there is none
                    for value in self.values(stream, self.given.options, called):
                        self.given.said = True
                        yield value
            except OSError as error:
                raise UsageError(f"{called}: cannot be read: {error.strerror}") from None


Reader = RecordsReader | JsonReader
Opener = Callable[[Input], Reader]


def json_file(given: Input) -> Reader:
    return JsonReader(given, of_file, fhir=False, ending=".json")


def json_lines(given: Input) -> Reader:
    return JsonReader(given, of_lines, fhir=False, ending=".ndjson")


def bundles(given: Input) -> Reader:
    return JsonReader(given, of_file, fhir=True, ending=".json")


def fhir_lines(given: Input) -> Reader:
    return JsonReader(given, of_lines, fhir=True, ending=".ndjson")


class Source:
    """The items of a source: to be iterated over as often as wanted, one item in memory at a time.

    A context manager. What it spooled is removed when it is closed, and at the latest when nothing refers to it
    any more or the process ends.

    :param counts: where everything went in the latest pass; complete at its end
    """

    def __init__(
        self,
        path: Path,
        where: str,
        opener: Opener,
        clinic: Clinic | None,
        options: Options,
        *,
        kept: Path | None = None,
        stream: BinaryIO | None = None,
    ) -> None:
        self._spool = Spool()
        self.counts = Counts()
        try:
            if stream is not None:
                path = self._spool.file(stream)
            self._given = Input(path, where, clinic, options, self._spool, kept, self.counts)
            self._reader: Reader = opener(self._given)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Item]:
        """The items, from the first.

        :raises UsageError: the source cannot be read, or is FHIR and no clinic was named
        """
        self.counts.__init__()  # type: ignore[misc]  # readers hold it
        for item in self._reader.items():
            self.counts.histories += item.history is not None and not item.faults
            yield item

    @property
    def blank(self) -> Problem | None:
        """After a pass that told no fault: that nothing stands in it at all, not even that there is no history
        (``[]``). An export that failed looks like that; who reads decides what it means."""
        if self.counts.read or self._given.said:
            return None
        return Problem(self._given.where, "empty: no history in it", self._reader.expected)

    def close(self) -> None:
        """Remove what was spooled. Twice does no harm."""
        self._spool.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def readable_twice(path: Path) -> bool:
    """Is it a regular file or a folder, not a pipe?"""
    return path.is_dir() or path.is_file() or not os.path.exists(path)

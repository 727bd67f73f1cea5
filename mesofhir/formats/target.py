"""A destination of histories: there whole or not at all, and beside records what they do not hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from mesofhir.errors import InvalidInput, Problem, UsageError
from mesofhir.formats.csv_writer import CsvFolderWriter
from mesofhir.formats.fhir_writer import FhirLines, ManyBundles, OneBundle, is_bundle_name
from mesofhir.formats.item import Item
from mesofhir.formats.json_records import JsonWriter, NdjsonWriter
from mesofhir.formats.kept import KeptWriter, beside
from mesofhir.formats.output import Output
from mesofhir.formats.sheets import headings
from mesofhir.formats.spool import Spool
from mesofhir.mapping import Clinic
from mesofhir.records import TreatmentHistory


@dataclass
class Written:
    """What was written.

    :param histories: how many
    :param resources: how many lines or entries, of FHIR
    :param kept: how many lines beside the records
    :param files: the files and folders that are there now
    :param replaced: those of them in whose place something was → how many files
    :param removed: what an earlier write kept beside the records, and has no place beside the new ones
    :param warnings: what to tell
    """

    histories: int = 0
    resources: int = 0
    kept: int = 0
    files: list[Path] = field(default_factory=list)
    replaced: dict[Path, int] = field(default_factory=dict)
    removed: list[Path] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


class Writer(Protocol):
    """Writes items, one after the other."""

    def add(self, item: Item) -> None: ...

    def finish(self) -> None: ...


@dataclass
class Target:
    """What a writer is given.

    :param place: a file or a folder; None for the stream
    :param where: what the user calls it
    """

    place: Path | None
    where: str
    stream: BinaryIO
    output: Output
    clinic: Clinic | None
    spool: Spool
    written: Written

    def file(self) -> BinaryIO:
        """The stream to write to."""
        return self.stream if self.place is None else self.output.file(self.place)

    def folder(self) -> Path:
        """The folder.

        :raises UsageError: standard output is none
        """
        if self.place is None:
            raise UsageError("- is one stream, and this format is a folder; name a folder, or another format")
        return self.place

    def need_clinic(self) -> Clinic:
        """The clinic.

        :raises UsageError: none was named
        """
        if self.clinic is None:
            raise UsageError(f"{self.where}: FHIR is written under the clinic's namespace; name it with --namespace")
        return self.clinic


def json_file(to: Target) -> Writer:
    return JsonWriter(to.file())


def json_lines(to: Target) -> Writer:
    return NdjsonWriter(to.file())


def csv_folder(to: Target) -> Writer:
    ours = headings()
    return CsvFolderWriter(to.output.folder(to.folder(), lambda name: name in ours), to.output)


def fhir_lines(to: Target) -> Writer:
    return FhirLines(to.file(), to.need_clinic(), to.written, to.spool)


def bundles(to: Target) -> Writer:
    clinic = to.need_clinic()
    if to.place is None or to.place.name.lower().endswith(".json"):
        return OneBundle(to.file(), to.where, clinic, to.written)
    return ManyBundles(to.output.folder(to.place, is_bundle_name), to.output, clinic, to.written)


def fill(items: Iterable[Item | TreatmentHistory], to: Target, writer: Writer, *, records: bool) -> None:
    """Write all items.

    :param records: does the format hold records, so that the rest is kept beside them?
    :raises InvalidInput: an item has faults
    """
    kept = _kept(to) if records else None
    left = 0
    for given in items:
        item = Item.of(given) if isinstance(given, TreatmentHistory) else given
        if item.faults:
            raise InvalidInput(item.faults)
        writer.add(item)
        to.written.histories += item.history is not None
        if kept is not None:
            kept.add(item)
        elif records:
            left += len(item.kept) + len({id(n.resource) for n in item.notes})
    writer.finish()
    if kept is not None:
        kept.finish()
        to.written.kept = kept.lines
        if kept.out is None and to.place is not None:
            to.output.remove(beside(to.place))
    if left:
        what = f"{left} resources are in no record, or not wholly, and are not kept beside a stream"
        to.written.warnings.append(Problem(to.where, what, hint="name a file to keep them"))


def _kept(to: Target) -> KeptWriter | None:
    place = to.place
    if place is None or (place.exists() and not place.is_file() and not place.is_dir()):
        return None
    return KeptWriter(lambda: to.output.file(beside(place)), to.spool)

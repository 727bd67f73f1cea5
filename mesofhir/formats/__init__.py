"""Readers and writers of treatment histories, behind one registry (:mod:`.registry`).

``read`` gives the items of a source, one in memory at a time, each with all that is wrong with it; ``write``
writes items or histories. Readers are lenient about form where nothing can be misread, and never about content.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from mesofhir.errors import UsageError
from mesofhir.formats import registry, target
from mesofhir.formats.item import Counts, Foreign, Item
from mesofhir.formats.kept import beside
from mesofhir.formats.merging import Merge, standing
from mesofhir.formats.options import Options
from mesofhir.formats.output import Output
from mesofhir.formats.registry import FORMATS, Format, formats
from mesofhir.formats.sheets import headings
from mesofhir.formats.source import Source, readable_twice
from mesofhir.formats.spool import Spool
from mesofhir.formats.standing import Standing
from mesofhir.formats.target import Written
from mesofhir.mapping import Clinic
from mesofhir.records import TreatmentHistory

__all__ = [
    "FORMATS", "Counts", "Foreign", "Format", "Item", "Merge", "Options", "Source", "Spool", "Standing", "Written",
    "formats", "headings", "read", "standing", "write",
]  # fmt: skip


def read(
    source: str | os.PathLike[str],
    *,
    format: str = "",
    clinic: Clinic | None = None,
    encoding: str = "utf-8",
    locale: str = "",
    timezone: str = "",
    stdin: BinaryIO | None = None,
) -> Source:
    """The items of a source. What is wrong with its content is told by the items, never raised.

    :param source: a file, a folder, or ``-`` for standard input
    :param format: one of :func:`formats`; "" takes it from the name, or from what a folder holds
    :param clinic: needed for FHIR; with it, records are checked for what FHIR can carry, too
    :param encoding: of texts; FHIR and records in JSON are UTF-8 by their standards, but may be told otherwise
    :param locale: ``it`` or ``en``: the manner of numbers, dates, yes and no in CSV cells
    :param timezone: IANA name of the zone of times that come without one
    :param stdin: standard input; by default the process's
    :raises UsageError: the source, the format or an option is not known, or the source cannot be read
    """
    options = Options.of(encoding, locale, timezone)
    name, path = os.fspath(source), Path(source)
    if name == "-":
        known = registry.chosen(format, "--from") if format else registry.of_source(name, path)
        stream = stdin if stdin is not None else sys.stdin.buffer
        return Source(path, "standard input", known.read, clinic, options, stream=stream)
    if not path.exists():
        raise UsageError(f"{name}: no such file or folder")
    try:
        known = registry.chosen(format, "--from") if format else registry.of_source(name, path)
        if path.is_dir() and not known.holds:
            raise UsageError(f"{name}: a folder; the format {known.name} is a file")
        if known.name == "csv" and not path.is_dir():
            raise UsageError(f"{name}: CSV is a folder of files: name the folder")
        kept = beside(path)
        if not readable_twice(path):
            with path.open("rb") as stream:
                return Source(path, name, known.read, clinic, options, stream=stream)
        where = name.rstrip("/" + os.sep) or name
        return Source(path, where, known.read, clinic, options, kept=kept if kept.is_file() else None)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None


def write(
    destination: str | os.PathLike[str],
    items: Iterable[Item | TreatmentHistory],
    *,
    format: str = "",
    clinic: Clinic | None = None,
    stdout: BinaryIO | None = None,
) -> Written:
    """Write items, or histories of your own. What is named is there whole or not at all.

    Beside records stands what FHIR said and they do not hold, in ``DESTINATION.kept.ndjson``.

    :param destination: a file, a folder, or ``-`` for standard output
    :param format: one of :func:`formats`; "" takes it from the name
    :param clinic: needed for FHIR
    :param stdout: standard output; by default the process's
    :raises UsageError: the destination or the format is not known, or cannot be written
    :raises InvalidInput: an item has faults, or FHIR cannot carry it
    """
    name, path = os.fspath(destination), Path(destination)
    known = registry.chosen(format, "--to") if format else registry.of_destination(name, path)
    written = Written()
    stream = stdout if stdout is not None else sys.stdout.buffer
    with Spool() as spool, Output() as output:
        to = target.Target(None if name == "-" else path, name, stream, output, clinic, spool, written)
        target.fill(items, to, known.write(to), records=not known.fhir)
    written.files, written.replaced, written.removed = output.done, output.replaced, output.removed
    return written

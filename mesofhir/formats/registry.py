"""The formats: one table. XLSX, SQL and Parquet will be entries of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mesofhir.errors import UsageError
from mesofhir.formats import source, target
from mesofhir.formats.kept import ENDING

KEPT: Final = ENDING


@dataclass(frozen=True)
class Format:
    """One format.

    :param name: by which ``--from`` and ``--to`` know it
    :param description: for the help
    :param endings: of the names of its files
    :param folders: of the names of its folders; ``/`` for any folder
    :param holds: the endings of the files in a folder by which it is known
    :param read: makes a reader
    :param write: makes a writer
    :param fhir: it holds resources: nothing is kept beside it
    """

    name: str
    description: str
    endings: tuple[str, ...]
    folders: tuple[str, ...]
    holds: tuple[str, ...]
    read: source.Opener
    write: Callable[[target.Target], target.Writer]
    fhir: bool = False


FORMATS: Final[dict[str, Format]] = {
    f.name: f
    for f in (
        Format(
            "json",
            "records: one history in a file, or a list of them (*.json)",
            (".json",), (), (),
            source.json_file, target.json_file,
        ),
        Format(
            "ndjson",
            "records: one history a line (*.ndjson)",
            (".ndjson",), (), (),
            source.json_lines, target.json_lines,
        ),
        Format(
            "csv",
            "records: a folder with a CSV file for each table",
            (), ("/",), (".csv",),
            source.CsvReader, target.csv_folder,
        ),
        Format(
            "bundle",
            "FHIR: one Bundle a history (*.bundle.json, or a folder *.bundles)",
            (".bundle.json",), (".bundles",), (".json",),
            source.bundles, target.bundles, fhir=True,
        ),
        Format(
            "fhir",
            "FHIR: one resource a line (*.fhir.ndjson); read also from a folder of NDJSON files",
            (".fhir.ndjson",), (), (".ndjson",),
            source.fhir_lines, target.fhir_lines, fhir=True,
        ),
    )
}  # fmt: skip


def formats() -> dict[str, str]:
    """Name → description of each format, for help."""
    return {f.name: f.description for f in FORMATS.values()}


def chosen(name: str, option: str) -> Format:
    """A format by its name.

    :raises UsageError: there is none
    """
    if name not in FORMATS:
        raise UsageError(f"{option}: no such format; one of {', '.join(FORMATS)}")
    return FORMATS[name]


def of_source(name: str, path: Path) -> Format:
    """The format of a source, by its name; of a folder by what it holds.

    :raises UsageError: neither says it
    """
    found = _by_ending(name, path.is_dir())
    if found is not None and found.folders != ("/",):
        return found
    if not path.is_dir():
        raise _unknown(name, "--from")
    files = [p.name.lower() for p in path.iterdir() if p.name[0] != "." and p.is_file()]
    held = [f for f in FORMATS.values() if any(n.endswith(f.holds) for n in files if f.holds)]
    if len(held) != 1:
        what = "holds files of several formats" if held else "an empty folder, or one without a file that we know"
        raise UsageError(f"{name}: {what}; say which is meant with --from ({', '.join(FORMATS)})")
    return held[0]


def of_destination(name: str, path: Path) -> Format:
    """The format of a destination, by its name.

    :raises UsageError: it does not say it
    """
    found = _by_ending(name, path.is_dir() or name.endswith(("/", os.sep)))
    if found is None:
        raise _unknown(name, "--to")
    return found


def _by_ending(name: str, folder: bool) -> Format | None:
    """The format with the longest ending that fits."""
    bare = name.rstrip("/" + os.sep).lower()
    if bare.endswith(ENDING):
        raise UsageError(f"{name}: holds what was kept beside records; name the records, and it is read with them")
    fits = [
        (len(ending), f.name)
        for f in FORMATS.values()
        for ending in (*(() if folder else f.endings), *f.folders)
        if bare.endswith(ending) or (ending == "/" and folder)
    ]
    return FORMATS[max(fits)[1]] if fits else None


def _unknown(name: str, option: str) -> UsageError:
    if name == "-":
        return UsageError(f"- has no name to tell its format by; name it with {option} ({', '.join(FORMATS)})")
    hint = "; CSV is a folder of files: name the folder" if name.lower().endswith(".csv") else ""
    if option == "--to" and not Path(name).suffix:
        hint = "; for a folder of CSV files end its name with / or use --to csv"
    known = "\n  ".join(f"{n}: {text}" for n, text in formats().items())
    return UsageError(f"{name}: its name tells no format that we know{hint}; name it with {option}, one of\n  {known}")

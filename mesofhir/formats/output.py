"""Output that is there whole or not at all: written beside its place, and renamed when all of it is done.

Files are 0600 and folders 0700: what is written are patients' data.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mesofhir.errors import UsageError


class Output:
    """The files of one write. A context manager: without an exception they take their places, in the order in
    which they were asked for; after one nothing of them is left.

    :raises UsageError: a place cannot be written
    """

    def __init__(self) -> None:
        self.done: list[Path] = []
        self.replaced: dict[Path, int] = {}  # what was there → how many files
        self.removed: list[Path] = []
        self._open: list[BinaryIO] = []
        self._moves: list[tuple[Path, Path]] = []
        self._gone: list[Path] = []

    def file(self, place: Path) -> BinaryIO:
        """A file to write. What is no regular file (a pipe) is written as it comes."""
        place = _through_links(place)
        try:
            if place.is_dir():
                raise UsageError(f"{place}: a folder; a file was expected")
            if place.exists() and not place.is_file():
                stream: BinaryIO = open(place, "wb")  # noqa: SIM115
            else:
                descriptor, name = tempfile.mkstemp(".part", f".{place.name[:40]}.", place.parent)  # 0600
                self._moves.append((Path(name), place))
                stream = open(descriptor, "wb")  # noqa: SIM115
        except OSError as error:
            raise _cannot(place, error) from None
        self._open.append(stream)
        return stream

    def folder(self, place: Path, ours: Callable[[str], bool]) -> Path:
        """A folder to fill, which then takes the place of one of the same kind.

        :param ours: could a file of this name be one that such a folder holds?
        """
        place = _through_links(place)
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place}: a file; a folder was expected")
        try:
            if place.is_dir() and not all(ours(p.name) and p.is_file() for p in place.iterdir()):
                hint = "name another, or move them away"
                raise UsageError(f"{place}: holds files that this format does not write; {hint}")
            made = Path(tempfile.mkdtemp(".part", f".{place.name[:40]}.", place.parent))  # 0700
        except OSError as error:
            raise _cannot(place, error) from None
        self._moves.append((made, place))
        return made

    def add(self, stream: BinaryIO) -> BinaryIO:
        """Close this stream, too, before anything is moved."""
        self._open.append(stream)
        return stream

    def remove(self, place: Path) -> None:
        """A file that has no place beside the new ones (what an earlier write kept)."""
        self._gone.append(place)

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._commit()
        except OSError as error:
            raise UsageError(f"writing failed: {error.strerror}") from None
        finally:
            for stream in self._open:
                with suppress(OSError):
                    stream.close()
            for made, _place in self._moves:
                shutil.rmtree(made, ignore_errors=True) if made.is_dir() else made.unlink(missing_ok=True)

    def _commit(self) -> None:
        for stream in self._open:
            if not stream.closed:
                stream.flush()
                with suppress(OSError):  # a pipe has no disk to reach
                    os.fsync(stream.fileno())
                stream.close()
        for made, place in self._moves:
            if place.exists():
                self.replaced[place] = len(list(place.iterdir())) if place.is_dir() else 1
            if made.is_dir():
                _replace_folder(made, place)
            else:
                made.replace(place)
            _settle(place.parent)
            self.done.append(place)
        for place in self._gone:
            if place.exists():
                place.unlink(missing_ok=True)
                self.removed.append(place)


def _replace_folder(made: Path, place: Path) -> None:
    if not place.exists():
        made.rename(place)
        return
    old = Path(tempfile.mkdtemp(".old", f".{place.name[:40]}.", place.parent))
    place.rename(old / place.name)
    try:
        made.rename(place)
    except OSError:
        (old / place.name).rename(place)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def _settle(folder: Path) -> None:
    """A new name outlives a power cut only when its folder is on the disk, too."""
    with suppress(OSError, AttributeError):  # no such thing on Windows, nor on some file systems
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def create(path: Path) -> BinaryIO:
    """A new file that nobody else may read, in a folder of ours."""
    return open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def _through_links(place: Path) -> Path:
    return Path(os.path.realpath(place))


def _cannot(place: Path, error: OSError) -> UsageError:
    return UsageError(f"{place}: cannot be written: {error.strerror}")

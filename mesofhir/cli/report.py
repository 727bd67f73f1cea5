"""The file of ``--report``: NDJSON, written as things happen, readable by its owner alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import click

from mesofhir.cli.words import Voice
from mesofhir.errors import NotAllDone, UsageError

_KEY: Final = "mesofhir.report"


def incomplete(ctx: click.Context) -> int:
    """The exit code of a verb that did all it had to do: not zero if its report ends too early."""
    return NotAllDone.exit_code if ctx.meta.get(_KEY) else 0


class Report:
    """A context manager; without a file it takes everything and keeps nothing. A disk that is full ends the report,
    and not what it reports of; that it ends is said, and in the exit code.

    :param others: what the verb reads and writes, which a report must not replace
    :raises UsageError: the file cannot be written; known before anything else is done
    """

    def __init__(self, path: Path | None, *others: str) -> None:
        self.path = path
        self._file: FileIO | None = None
        if path is None:
            return
        if str(path) == "-":
            raise UsageError("--report: needs a file; standard output is for data")
        if any(Path(other).resolve() == path.resolve() for other in others):
            raise UsageError(f"--report: {path} is what is read or written; name another file")
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            if os.name == "posix":
                os.fchmod(descriptor, 0o600)  # it may have been there, open to others
        except OSError as error:
            raise UsageError(f"{path}: the report cannot be written: {error.strerror}") from None
        self._file = FileIO(descriptor, "wb")

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._close()

    def add(self, *lines: Mapping[str, Any]) -> None:
        """Lines, each an object."""
        if self._file:
            from mesofhir.fhir.exactjson import encode

            data = memoryview(b"".join(encode(line) + b"\n" for line in lines))
            try:
                while data:  # not buffered, so that what a full disk did not take is not tried again on closing
                    data = data[self._file.write(data) :]
            except OSError as error:
                ctx = click.get_current_context()
                ctx.meta[_KEY] = True
                Voice.of(ctx).warn(f"{self.path}: the report ends before its time: {error.strerror}")
                self._close()

    def _close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

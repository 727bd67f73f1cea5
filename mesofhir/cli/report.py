"""The file of ``--report``: NDJSON, written as things happen, readable by its owner alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from mesofhir.errors import UsageError


class Report:
    """A context manager; without a file it takes everything and keeps nothing.

    :param others: what the verb reads and writes, which a report must not replace
    :raises UsageError: the file cannot be written; known before anything else is done
    """

    def __init__(self, path: Path | None, *others: str) -> None:
        self.path = path
        self._file: BinaryIO | None = None
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
        self._file = open(descriptor, "wb")  # noqa: SIM115 - it is a context manager itself

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, *lines: Mapping[str, Any]) -> None:
        """Lines, each an object."""
        if self._file:
            from mesofhir.fhir.exactjson import encode

            self._file.writelines(encode(line) + b"\n" for line in lines)
            self._file.flush()

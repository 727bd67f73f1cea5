"""Words for people, all on standard error: what happens, what is wrong, how far it is."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import click

from mesofhir.cli.progress import Counter
from mesofhir.errors import InvalidInput, MesofhirError, Problem

MOST: Final = 50  #: problems or remarks that are shown; all of them stand in a report
_KEY: Final = "mesofhir.voice"


class Interrupted(MesofhirError):
    """Somebody pressed Ctrl-C; the message says what was done by then."""

    exit_code = 130


@contextmanager
def interruptible(so_far: str) -> Iterator[None]:
    """:raises Interrupted: on Ctrl-C, with what was done by then"""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted: {so_far}") from None


class Voice:
    """What speaks to people. Safe to use from several threads.

    :param quiet: warnings and errors only
    :param verbose: also what the library logs: each exchange with a server, without data
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.lock = threading.RLock()  # a signal handler may speak in the middle of a line
        self._counter: Counter | None = None
        if verbose:
            self._listen()

    @classmethod
    def of(cls, ctx: click.Context) -> Voice:
        """The voice of a run; one with no wishes where none was expressed yet."""
        voice = ctx.meta.get(_KEY)
        return voice if isinstance(voice, Voice) else cls()

    def keep(self, ctx: click.Context) -> Voice:
        """Make this the voice of the run."""
        ctx.meta[_KEY] = self
        return self

    def say(self, text: str) -> None:
        """What happens or happened."""
        if not self.quiet:
            self.line(text)

    def warn(self, text: str) -> None:
        self.line(f"warning: {text}")

    def error(self, error: MesofhirError) -> None:
        """Why something ended."""
        if isinstance(error, InvalidInput):
            self.problems(error.problems)
        else:
            self.line(f"error: {error}")

    def problems(self, problems: Iterable[Problem], word: str = "error") -> None:
        """What is wrong with an input, one line each, and how many lines more there would be."""
        more = 0
        for n, problem in enumerate(problems):
            if n < MOST:
                self.line(f"{word}: {problem}")
            else:
                more += 1
        if more:
            self.line(f"{word}: … and {more} more")

    def line(self, text: str) -> None:
        """A line as it is."""
        with self.lock:
            if self._counter is not None:
                self._counter.clear()
            click.echo(_printable(text), err=True)

    @contextmanager
    def counting(self, label: str, total: int | None = None) -> Iterator[Counter]:
        """Tell how far something is."""
        counter, before = Counter(self, label, total), self._counter
        self._counter = counter
        try:
            yield counter
        finally:
            self._counter = before
            counter.close()

    def _listen(self) -> None:
        import logging

        voice = self

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                voice.line(f"{record.name}: {record.getMessage()}")

        log = logging.getLogger("mesofhir")
        log.handlers = [h for h in log.handlers if type(h).__qualname__ != Handler.__qualname__]
        log.addHandler(Handler())
        log.setLevel(logging.INFO)


def _printable(text: str) -> str:
    """Without what would steer a terminal: a name of a file, or a key, may hold anything."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "�" for c in text)


def number(n: int, one: str, many: str = "") -> str:
    """``1 history``, ``2 histories``."""
    return f"{n} {one if n == 1 else many or one + 's'}"

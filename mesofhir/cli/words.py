"""Words for people, all on standard error: what happens, what is wrong, how far it is."""

from __future__ import annotations

import sys
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import click

from mesofhir.errors import InvalidInput, MesofhirError, Problem

MOST: Final = 50  #: problems or remarks that are shown; all of them stand in a report
_EVERY: Final = 0.1  # seconds between two sights of the counter
_KEY: Final = "mesofhir.voice"
T = TypeVar("T")


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
        self._counting = False
        self._lock = threading.RLock()  # a signal handler may speak in the middle of a line
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
        with self._lock:
            self._clear()
            click.echo(_printable(text), err=True)

    @contextmanager
    def counting(self, label: str, total: int | None = None) -> Iterator[Counter]:
        """A line that counts on a terminal, and nothing elsewhere."""
        yield Counter(self, label, total)
        with self._lock:
            self._clear()

    def show(self, text: str) -> None:
        """The line that the next one takes the place of."""
        with self._lock:
            self._clear()
            click.echo(text, err=True, nl=False)
            self._counting = True

    def _clear(self) -> None:
        if self._counting:
            click.echo("\r\033[K", err=True, nl=False)
            self._counting = False

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


class Counter:
    """How far something is."""

    def __init__(self, voice: Voice, label: str, total: int | None) -> None:
        self.voice, self.label, self.total = voice, label, total
        self.count = 0
        self._next = 0.0
        self._shown = on_terminal() and not voice.quiet

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """The items, counted as they go by."""
        for item in items:
            yield item
            self.add()

    def add(self) -> None:
        """One more."""
        self.count += 1
        now = time.monotonic()
        if self._shown and now >= self._next:
            self._next = now + _EVERY
            of = f" of {self.total}" if self.total is not None else ""
            self.voice.show(f"{self.label}: {self.count}{of}")


def on_terminal() -> bool:
    """Does a person see standard error?"""
    return sys.stderr.isatty()


def _printable(text: str) -> str:
    """Without what would steer a terminal: a name of a file, or a key, may hold anything."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "�" for c in text)


def number(n: int, one: str, many: str = "") -> str:
    """``1 history``, ``2 histories``."""
    return f"{n} {one if n == 1 else many or one + 's'}"

"""How far something is: a line that moves on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from mesofhir.cli.words import Voice

PLAIN_EVERY: Final = 30.0
"""Seconds between two plain lines: in a log of a nightly run they tell that it goes on, and how fast."""
T = TypeVar("T")


class Counter:
    """How far something is, how fast it goes, and how long it will take.

    :param label: what is being done: ``pushed``
    :param total: of how many; None where nobody knows
    """

    def __init__(self, voice: Voice, label: str, total: int | None) -> None:
        self.voice, self.label, self.total = voice, label, total
        self.count = 0
        self._begun = time.monotonic()
        self._next = self._begun + PLAIN_EVERY
        self._bar: Any = None
        if not voice.quiet and on_terminal():
            from tqdm import tqdm

            tqdm.monitor_interval = 0  # no thread of its own
            self._bar = tqdm(desc=label, total=total, unit="", leave=False, dynamic_ncols=True, file=sys.stderr)

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """The items, counted as they go by."""
        for item in items:
            yield item
            self.add()

    def add(self) -> None:
        """One more."""
        self.count += 1
        if self._bar is not None:
            with self.voice.lock:
                self._bar.update()
        elif time.monotonic() >= self._next and not self.voice.quiet:
            self._next = time.monotonic() + PLAIN_EVERY
            self.voice.line(self.told())

    def told(self) -> str:
        """In words: ``pushed: 120 of 400, 4.2 a second, 1 min 7 s left``."""
        rate = self.count / max(time.monotonic() - self._begun, 1e-9)
        text = f"{self.label}: {self.count}" + (f" of {self.total}" if self.total is not None else "")
        text += f", {rate:.1f} a second"
        if self.total is not None and self.count:
            left = round((self.total - self.count) / rate)
            text += f", {left // 60} min {left % 60} s left" if left >= 60 else f", {left} s left"
        return text

    def clear(self) -> None:
        """Take the moving line away, so that another can be written; the next step brings it back."""
        if self._bar is not None:
            self._bar.clear()

    def close(self) -> None:
        """It is over."""
        if self._bar is not None:
            with self.voice.lock:
                self._bar.close()


def on_terminal() -> bool:
    """Does a person see standard error?"""
    return sys.stderr.isatty()

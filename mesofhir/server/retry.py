"""When to ask again, how long to wait, and when to stop asking.

What may be asked again (``trust.md``); *unknown* is never sent again, but looked for:

==============================================  ========  =========
 what came                                      a read    a write
==============================================  ========  =========
 429                                            again     again
 no connection, so that nothing was sent        again     again
 408, 500, 502, 503, 504                        again     unknown
 the connection was cut, or silence             again     unknown
 too late, too large, not FHIR, sent elsewhere  an error  unknown
==============================================  ========  =========

Bounded four times: attempts for one request, time for one wait, retries for one outage, and a circuit that opens
when nothing but failures came for a while: then nothing is sent at all until one request may try again.
Waiting uses full jitter (a random share of an exponential ceiling), so that clients that met part again; a
server that names a time with ``Retry-After`` (RFC 9110, 10.2.3: seconds or an HTTP date) gets it, up to a cap.

All of this decides, and nothing of it waits, sends or looks at a clock: time and chance are given.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

#: a read changes nothing, so it may be asked again after any answer that says "not now"
READ_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
#: a write only after the one status that promises that nothing was done
WRITE_AGAIN = frozenset({429})


def again_after(status: int, *, reads: bool) -> bool:
    """Whether a request may be sent again after this HTTP status."""
    return status in (READ_AGAIN if reads else WRITE_AGAIN)


def again_without_answer(*, reads: bool, sent: bool, final: bool) -> bool:
    """Whether a request may be sent again to which no answer came.

    :param sent: a byte of it may have reached the server
    :param final: what went wrong would go wrong again
    """
    return not final and (reads or not sent)


def is_failure(status: int) -> bool:
    """Whether a status says that the server is not well. 429 is the word of a healthy one."""
    return status == 408 or (status >= 500 and status != 501)


@dataclass(frozen=True, slots=True)
class Retry:
    """How stubborn to be.

    :param attempts: for one request, the first one included
    :param base: ceiling of the first wait, seconds; it doubles with each attempt
    :param ceiling: the highest ceiling, seconds
    :param longest: the longest ``Retry-After`` that is waited for, seconds; a longer one ends the request
    :param budget: retries of all requests of an outage together
    :param healed: so many good answers in a row end an outage, and give the budget back
    :param failures: so many failures in a row open the circuit if the first of them is
    :param silence: so many seconds ago: what is over in a moment is what attempts are for
    :param many: so many open it at once
    :param rest: seconds until one request may try whether the server is back; doubled when it is not,
    :param longest_rest: up to this
    """

    attempts: int = 3
    base: float = 0.5
    ceiling: float = 20.0
    longest: float = 120.0
    budget: int = 100
    healed: int = 50
    failures: int = 10
    silence: float = 5.0
    many: int = 50
    rest: float = 30.0
    longest_rest: float = 300.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests need neither.

    :param now: seconds since the epoch (for HTTP dates)
    :param sleep: waits that many seconds
    :param random: a number in [0, 1)
    :param tick: seconds since whenever; nobody sets it back, as they do with a clock on the wall
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random
    tick: Callable[[], float] = time.monotonic


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait according to a Retry-After header; None if it is absent or says nothing.

    :param now: seconds since the epoch
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)  # "-0000": RFC 5322 allows it, HTTP means GMT
    return max(0.0, when.timestamp() - now)


class Patience:
    """How a run has fared with its server, and what follows from it; shared by all threads of a run."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self._budget = retry.budget
        self._good = self._failures = 0  # in a row
        self._since = 0.0  # the first of these failures
        self._rest = 0.0  # how long nobody asks; 0: the circuit is closed
        self._until = 0.0
        self._trying = False  # one request is trying whether the server is back
        self._ever = False  # has anything ever gone well?
        self._lock = threading.Lock()

    def pause(self, attempt: int, asked: float | None, chance: float) -> float | None:
        """Seconds to wait before the next attempt, which this takes from the budget; None: there is to be none.

        :param attempt: how many were made, from 1
        :param asked: the seconds that the server asked for
        :param chance: in [0, 1)
        """
        retry = self._retry
        if attempt >= retry.attempts or (asked is not None and asked > retry.longest):
            return None
        with self._lock:
            if self._budget <= 0:
                return None
            self._budget -= 1
        ceiling = min(retry.ceiling, retry.base * 2.0 ** (attempt - 1))
        return max(asked or 0.0, chance * ceiling)

    def came(self, well: bool, tick: float) -> None:
        """An exchange went well, or did not."""
        with self._lock:
            if well:
                self._good, self._failures, self._rest, self._ever = self._good + 1, 0, 0.0, True
                if self._good >= self._retry.healed:
                    self._budget = self._retry.budget
                return
            self._since = self._since if self._failures else tick
            self._good, self._failures = 0, self._failures + 1
            if not self._rest:
                if self._failures >= (self._retry.failures if self._silent(tick) else self._retry.many):
                    self._open(self._retry.rest, tick)
            elif self._trying:  # others were under way when the circuit opened, and say nothing new
                self._open(min(self._rest * 2, self._retry.longest_rest), tick)

    def _silent(self, tick: float) -> bool:
        return tick - self._since >= self._retry.silence

    def _open(self, rest: float, tick: float) -> None:
        self._rest, self._until, self._trying = rest, tick + rest, False

    def closed_for(self, tick: float) -> float:
        """Seconds for which nothing is to be sent; 0: go ahead. When the rest is over, the first who asks may try."""
        with self._lock:
            if self._rest and tick < self._until:
                return self._until - tick
            if self._rest:
                self._until, self._trying = tick + self._rest, True
            return 0.0

    def is_open(self) -> bool:
        """Whether the circuit is open: nothing but failures came for a while."""
        return self._rest > 0

    def is_over(self) -> bool:
        """Whether nothing but failures came for a while, or ever."""
        return self.is_open() or not self._ever

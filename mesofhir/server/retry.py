"""When to ask again, how long to wait, and when to stop.

Bounded three times (``trust.md``): attempts for one request, time for one wait, retries for the whole run.
Waiting uses full jitter (a random share of an exponential ceiling), so that clients that met part again; a
server that names a time with ``Retry-After`` (RFC 9110, 10.2.3: seconds or an HTTP date) gets it, up to a
cap.
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


@dataclass(frozen=True, slots=True)
class Retry:
    """How stubborn to be.

    :param attempts: for one request, the first one included
    :param base: ceiling of the first wait, seconds; it doubles with each attempt
    :param ceiling: the highest ceiling, seconds
    :param longest: the longest ``Retry-After`` that is waited for, seconds; a longer one ends the request
    :param budget: retries of all requests of a run together
    """

    attempts: int = 3
    base: float = 0.5
    ceiling: float = 20.0
    longest: float = 120.0
    budget: int = 100


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests need neither.

    :param now: seconds since the epoch (for HTTP dates)
    :param sleep: waits that many seconds
    :param random: a number in [0, 1)
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random


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
    """What is left of the retries of a run; shared by all threads of a :class:`~mesofhir.server.Server`."""

    def __init__(self, retry: Retry, clock: Clock) -> None:
        self._retry, self._clock = retry, clock
        self._left = retry.budget
        self._lock = threading.Lock()

    def wait(self, attempt: int, header: str | None = None) -> bool:
        """Wait before the next attempt; False if there is to be none, without waiting.

        :param attempt: how many were made, from 1
        :param header: the Retry-After of the answer
        """
        asked = retry_after(header, self._clock.now())
        if attempt >= self._retry.attempts or (asked is not None and asked > self._retry.longest):
            return False
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= 1
        jitter = self._clock.random() * min(self._retry.ceiling, self._retry.base * 2 ** (attempt - 1))
        self._clock.sleep(max(asked or 0.0, jitter))
        return True

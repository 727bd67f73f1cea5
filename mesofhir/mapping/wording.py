"""How numbers, dates and free text read in a narrative, in Italian or English, as safe XHTML content."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any


def written_number(value: Any, language: str) -> str:
    """A number with exactly its digits."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        text = f"{value:f}" if isinstance(exponent, int) and abs(exponent) <= 40 else str(value)
    else:
        text = str(value)
    return text.replace(".", ",") if language == "it" else text


_TIME = re.compile(
    r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-([0-9]{2})(?:T([0-9]{2}:[0-9]{2}):([0-9.]+)(Z|[+-][0-9:]{5}))?)?)?"
)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


def written_date(value: str, language: str, *, clock: bool = True) -> str:
    """A FHIR date as people write it: *04/03/2026, ore 10:30 (+01:00)*; *4 March 2026, 10:30 (+01:00)*.

    :param clock: with the time of day
    """
    match = _TIME.fullmatch(value)
    if not match:
        return value
    year, month, day, minute, second, zone = match.groups()
    if language == "it":
        text = "/".join(part for part in (day, month, year) if part)
    else:
        month = _MONTHS[int(month) - 1] if month else ""
        text = " ".join(part for part in (day and day.lstrip("0"), month, year) if part)
    if not (clock and minute):
        return text
    at = ", ore " if language == "it" else ", "
    seconds = "" if second == "00" else f":{second}"
    return f"{text}{at}{minute}{seconds} ({'UTC' if zone == 'Z' else zone})"


_BREAK = re.compile(r"\r\n?")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
TAG = re.compile(r"<(?=[A-Za-z/!?])")


def _clean(text: str) -> str:
    """Text free of what XML 1.0 (2.2) forbids or advises against, with line breaks as XML reads them."""
    if text.isprintable():
        return text
    return _FORBIDDEN.sub("\ufffd", _BREAK.sub("\n", text))


def escaped(text: str) -> str:
    """Text as the content of an element."""
    return _clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def one_line(text: str) -> str:
    """Text on one line; "" if nothing of it can be seen."""
    line = " ".join(_clean(text).split())
    return line if any(c.isprintable() and c != " " for c in line) else ""

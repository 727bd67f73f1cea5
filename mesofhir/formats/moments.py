"""Times without a zone, and dates as people write them: read where the options say how, else refused.

``2026-03-29T02:30`` does not exist in Rome, and ``2026-10-25T02:30`` stands there twice: neither is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from mesofhir.errors import Problem
from mesofhir.formats.options import Options
from mesofhir.records import TABLES, Table
from mesofhir.records.model import DATE_PATTERN, TIME_PATTERN

DATED: Final = (DATE_PATTERN, TIME_PATTERN)
_LOCAL = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ]"
    r"(?P<minute>[0-9]{2}:[0-9]{2})(?P<second>:[0-9]{2})?(?P<fraction>\.[0-9]{1,9})?"
)
_CALENDAR = re.compile(r"(?P<a>[0-9]{1,2})[/.](?P<b>[0-9]{1,2})[/.](?P<year>[0-9]{4})(?P<clock>[T ][0-9:.]+)?")
_MONTH = re.compile(r"(?P<month>[0-9]{1,2})[/.](?P<year>[0-9]{4})")
_STARTS_AS_ISO = re.compile(r"[0-9]{4}(?![0-9/.])")
_ITALIAN: Final = "dd/mm/yyyy, mm/yyyy, yyyy or 2026-03-04"
_HINT: Final = "name the zone with --timezone, such as --timezone Europe/Rome"


class Wrong(NamedTuple):
    """Why a text is refused."""

    what: str
    expected: str = ""
    hint: str = ""


class Refusal(Exception):
    """A text that is not read as a value.

    :param wrong: why; without the text itself
    """

    def __init__(self, wrong: Wrong) -> None:
        self.wrong = wrong
        super().__init__(wrong.what)


def moment(text: str, options: Options, *, timed: bool = True) -> str:
    """A date or time as FHIR writes it: ISO as it is, the options' manner turned into it.

    What is neither is given back as it is: the model says what is wrong with it.

    :param timed: may it be a time, or only a date?
    :raises Refusal: a local time without zone, that does not exist or exists twice; a date that could be read
        in two ways
    """
    text = _iso(text, options)
    if timed and (m := _LOCAL.fullmatch(text)):
        return _zoned(m, options.zone)
    return text


def _iso(text: str, options: Options) -> str:
    """``4/3/2026 10:30`` in the Italian manner → ``2026-03-04T10:30``; ``05/1980`` → ``1980-05``."""
    m = _CALENDAR.fullmatch(text)
    if m is None:
        if options.locale != "it":
            return text
        if month := _MONTH.fullmatch(text):
            return _existing(f"{month['year']}-{int(month['month']):02}", "-01")
        if not _STARTS_AS_ISO.match(text):
            raise Refusal(Wrong("not a date", _ITALIAN))
        return text
    if options.locale != "it":
        hint = "" if options.locale else "--locale it reads it as day/month/year"
        raise Refusal(Wrong("a date whose day and month could be either way round", "such as 2026-03-04", hint))
    clock = m["clock"] or ""
    return _existing(f"{m['year']}-{int(m['b']):02}-{int(m['a']):02}") + ("T" + clock[1:] if clock else "")


def _existing(day: str, rest: str = "") -> str:
    """A date of the calendar, as it is."""
    try:
        date.fromisoformat(day + rest)
    except ValueError:
        raise Refusal(Wrong("no such day in the calendar", f"a date that exists: {_ITALIAN}")) from None
    return day


def _zoned(m: re.Match[str], zone: ZoneInfo | None) -> str:
    if zone is None:
        raise Refusal(Wrong("a time without its zone", "such as 2026-03-04T10:30:00+01:00", _HINT))
    clock = m["minute"] + (m["second"] or ":00")
    try:
        local = datetime.fromisoformat(f"{m['day']}T{clock}")
        early, late = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
        back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise Refusal(Wrong("no such day or time in the calendar", "one that exists")) from None
    if back != local:
        raise Refusal(Wrong("a local time that did not exist: the clocks were put forward", "the time with its zone"))
    if early != late or early is None:
        raise Refusal(Wrong("a local time that stands twice: the clocks were put back", "the time with its zone"))
    if early % timedelta(minutes=1):
        raise Refusal(Wrong("a local time before zones were in whole minutes", "the time with its zone"))
    minutes = int(early / timedelta(minutes=1))
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    return f"{m['day']}T{clock}{m['fraction'] or ''}{sign}{hours:02}:{rest:02}"


def with_zones(tree: Any, options: Options, prefix: str, found: list[Problem]) -> None:
    """Give the local times of a raw history their zone, in place; what is refused goes to ``found``.

    :param tree: decoded JSON, of whatever shape
    :param prefix: what stands before a JSON path in messages, with its ``$``: ``clinic.json: $``
    """
    if isinstance(tree, dict):
        for holder, key, path in _times(tree, TABLES["patients"], ""):
            try:
                holder[key] = _local(holder[key], options)
            except Refusal as refusal:
                found.append(Problem(prefix + path, *refusal.wrong))


def _local(text: str, options: Options) -> str:
    m = _LOCAL.fullmatch(text)
    return _zoned(m, options.zone) if m else text


def _times(tree: dict[str, Any], table: Table, path: str) -> Iterator[tuple[Any, Any, str]]:
    """(container, key or index, path) of each text that is to be a time."""
    for name, value in tree.items():
        column = table.columns.get(name)
        below = column.values if column else TABLES[name] if name in table.children else None
        here = f"{path}.{name}"
        if below is not None:
            for i, item in enumerate(value if isinstance(value, list) else ()):
                if isinstance(item, dict):
                    yield from _times(item, below, f"{here}[{i}]")
        elif column is None or column.pattern != TIME_PATTERN:
            continue
        elif isinstance(value, str):
            yield tree, name, here
        elif isinstance(value, list):
            yield from ((value, i, f"{here}[{i}]") for i, text in enumerate(value) if isinstance(text, str))

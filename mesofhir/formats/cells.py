r"""Values ⇄ the cells of tables.

=============================  =============================================================================
 cell                           says
=============================  =============================================================================
 (empty)                        not stated
 ``\N``                         cleared; a text that is ``\N`` itself has one backslash more
 ``a|b``                        a list of words; a ``|`` or ``\`` in a word has a backslash before it
 ``'=1+1``                      the text ``=1+1``: no program takes it for a formula. So with ``+ - @ '``, tab
                                and carriage return at the start
 ``0.50``, ``2026-03``          numbers with a point and dates as FHIR has them
 ``0,50``, ``4/3/2026``, ``sì``  with ``--locale it``
=============================  =============================================================================

What is written is read back exactly, to the digit. What could be read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from mesofhir.fhir.exactjson import MAX_DIGITS, MAX_EXPONENT
from mesofhir.formats.moments import DATED, Refusal, Wrong, moment
from mesofhir.formats.options import Options
from mesofhir.records.model import TIME_PATTERN
from mesofhir.records.tables import Column

CLEARED: Final = r"\N"
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Starts of cells that a spreadsheet takes for a formula (OWASP, CSV injection)."""

_BACKSLASHED_N = re.compile(r"\\+N")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")
_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_THOUSANDS = re.compile(r"-?[0-9]{1,3}(\.[0-9]{3})+")
_WORDS_PART = re.compile(r"((?:[^|\\]|\\[|\\])*)(\||\Z)")
_YES_NO: Final = {
    "": {"true": True, "false": False},
    "it": {"sì": True, "si": True, "no": False, "vero": True, "falso": False},
    "en": {"yes": True, "no": False},
}


# --- the outermost layer: texts that no spreadsheet may take for a formula ----------------------------------


def guarded(text: str) -> str:
    return "'" + text if text.startswith((*FORMULA, "'")) else text


def unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith((*FORMULA, "'")) else cell


# --- writing ------------------------------------------------------------------------------------------------


def show(value: Any) -> str:
    """The cell of a value: None is cleared; a list is one of words."""
    if value is None or value == []:
        return CLEARED
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return guarded(_digits(value))
    if isinstance(value, list):
        return guarded("|".join(word.replace("\\", r"\\").replace("|", r"\|") for word in value))
    text = str(value)
    return guarded("\\" + text if _BACKSLASHED_N.fullmatch(text) else text)


def _digits(value: Decimal) -> str:
    """The digits as they are: ``0.50``, ``0.00000001``; an exponent only where it tells the precision."""
    exponent = value.as_tuple().exponent
    return str(value) if not isinstance(exponent, int) or exponent > 0 else format(value, "f")


# --- reading ------------------------------------------------------------------------------------------------


def read(cell: str, column: Column, options: Options) -> Any:
    """The value of a cell that is not empty; None or ``[]`` where it is cleared.

    Whether the value suits its field is for the model to say; here it must only be clear what it is.

    :raises Refusal: it is not clear, or a cell is not of the column's kind
    """
    text = unguarded(cell)
    if text == CLEARED:
        return [] if column.kind in ("words", "values") else None
    if "\x00" in text:
        raise Refusal(Wrong("a NUL character", "text", "is the file UTF-16? Name it: --encoding utf-16"))
    if column.kind == "words":
        words = _words(text)
        timed = column.pattern in DATED
        return [moment(w, options) for w in words] if timed else words
    if column.kind == "text" and column.pattern not in DATED:
        return text[1:] if _BACKSLASHED_N.fullmatch(text) else text
    return _KINDS[column.kind](text.strip(), column, options)


def position(cell: str) -> int | None:
    """The place of a value in its list; None where the cell says that the list is cleared.

    :raises Refusal: it is neither
    """
    if cell == CLEARED:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", cell.strip()) or int(cell) < 1:
        raise Refusal(Wrong("not a position", r"a whole number from 1, or \N for a list that is cleared"))
    return int(cell)


def _words(text: str) -> list[str]:
    words, at = [], 0
    while m := _WORDS_PART.match(text, at):
        words.append(re.sub(r"\\([|\\])", r"\1", m[1]))
        at = m.end()
        if not m[2]:
            return words
    raise Refusal(Wrong("a backslash that escapes nothing", r"\\ for a backslash, \| for a |"))


def _text(text: str, column: Column, options: Options) -> str:
    return moment(text, options, timed=column.pattern == TIME_PATTERN)


def _choice(text: str, column: Column, options: Options) -> str:
    return text


def _boolean(text: str, column: Column, options: Options) -> bool:
    words = _YES_NO[""] | _YES_NO[options.locale]
    try:
        return words[text.casefold()]
    except KeyError:
        raise Refusal(Wrong("not yes or no", " or ".join(words))) from None


def _plain_number(text: str, options: Options) -> str:
    """The digits with a point, where the locale leaves no doubt what they are."""
    if options.locale == "it":
        if _THOUSANDS.fullmatch(text):
            hint = "write it without a point"
            raise Refusal(Wrong("a point that could stand for thousands or for a comma", "such as 0,50", hint))
        if _COMMA.fullmatch(text):
            return text.replace(",", ".")
    elif "," in text:
        hint = "" if options.locale else "--locale it reads a decimal comma"
        raise Refusal(Wrong("a comma in a number", "digits with a point, such as 0.50", hint))
    if not _NUMBER.fullmatch(text):
        such = "0,50" if options.locale == "it" else "0.50"
        raise Refusal(Wrong("not a number", f"digits such as {such}, without a unit or separators of thousands"))
    return text


def _number(text: str, column: Column, options: Options) -> Decimal:
    digits = _plain_number(text, options)
    number, _, exponent = digits.lower().partition("e")
    if len(number) > MAX_DIGITS or abs(int(exponent or 0)) > MAX_EXPONENT:
        raise Refusal(Wrong("a number with too many digits", f"at most {MAX_DIGITS}"))
    return Decimal(digits)


def _integer(text: str, column: Column, options: Options) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Refusal(Wrong("not a whole number", "digits such as 12, without separators"))
    return int(text)


_KINDS: Final[dict[str, Callable[[str, Column, Options], Any]]] = {
    "text": _text,
    "choice": _choice,
    "boolean": _boolean,
    "number": _number,
    "integer": _integer,
}

"""JSON with exact decimals: ``0.50`` stays ``0.50`` from file to wire and back.

FHIR R4, datatypes, *decimal*: the precision of a number is significant, so ``0.50`` is not ``0.5``; and
2.6.2, *JSON representation of resources*. RFC 8259 leaves open what a key given twice means; here it is
refused, because a resource with two ``status`` has none.

The common case is fast and the rare one is clear. :func:`decode` reads with msgspec and runs a few checks
in C that only ever err towards suspicion. Whatever is suspicious, or unreadable, goes to a small scanner
(:mod:`mesofhir.fhir.jsonscan`), which decides, and says in words where the fault stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO

import msgspec

from mesofhir.errors import InvalidInput, Problem
from mesofhir.fhir.jsonscan import MAX_DEPTH, MAX_DIGITS, MAX_EXPONENT, Fault, check_number, scan

__all__ = ["MAX_DEPTH", "MAX_DIGITS", "MAX_EXPONENT", "MAX_LINE", "decode", "encode", "encode_pretty", "lines"]

MAX_LINE = 64 * 1024 * 1024  #: bytes of one NDJSON line

_UTF8_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (  # UTF-32 before UTF-16, whose mark it begins with
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def decode(data: bytes, where: str = "input") -> Any:
    """Read one JSON text: numbers with a point or an exponent become ``Decimal``, whole ones ``int``.

    :param data: UTF-8, with or without its byte order mark
    :param where: the name of the input, for messages
    :raises InvalidInput: with line and column: not strict JSON (RFC 8259), a key twice in one object, a value
        beyond :data:`MAX_DEPTH`, a number beyond :data:`MAX_DIGITS` or :data:`MAX_EXPONENT`
    """
    text = data.removeprefix(_UTF8_BOM)
    return _decode(text, where, 1, len(data) - len(text))


def encode(value: Any) -> bytes:
    """Write compact JSON; keys keep their order, and a ``Decimal`` its digits, its trailing zeros included.

    A ``Decimal`` is written as ``str`` writes it: ``1E-8`` for 0.00000001, equal in value and precision.

    :raises ValueError: for a number that is not finite, or text that is no Unicode (a lone surrogate)
    :raises TypeError: for something that has no JSON form
    """
    data = _ENCODER.encode(value)
    if b"NaN" in data or b"Infinity" in data or b"null" in data:  # msgspec writes a float's NaN as null
        _refuse_not_finite(value)
    return data


def encode_pretty(value: Any) -> bytes:
    """Write JSON for people, indented by two spaces, with a final newline; otherwise as :func:`encode`.

    :raises ValueError, TypeError: as :func:`encode`
    """
    return msgspec.json.format(encode(value), indent=2) + b"\n"


def lines(stream: BinaryIO, where: str = "input", limit: int = MAX_LINE) -> Iterator[tuple[int, Any]]:
    """Read NDJSON: yield the number of each line that is not blank, from 1, and its value.

    :param stream: UTF-8, with or without a byte order mark at its start
    :param limit: bytes of the longest line with its end; of a longer one no more is read into memory
    :raises InvalidInput: as :func:`decode`, with the number of the line
    """
    number = start = 0
    while line := stream.readline(limit + 1):
        number += 1
        end = start + len(line)
        if len(line) > limit:
            most = f"at most {limit} bytes"
            hint = "NDJSON holds one resource a line"
            raise InvalidInput(Problem(f"{where}: line {number}", "a line that is too long", most, hint))
        if number == 1:
            line = line.removeprefix(_UTF8_BOM)
            start = end - len(line)
        line = line.rstrip(b"\r\n")
        if line.strip(b" \t"):
            yield number, _decode(line, where, number, start)
        start = end


# --- the fast path -----------------------------------------------------------------------------------------


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS or "e" in text or "E" in text:
        check_number(text)
    return Decimal(text)


_DECODER = msgspec.json.Decoder(float_hook=_decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DIGITS_TO_ZERO = bytes(ord("0") if chr(byte) in "0123456789" else byte for byte in range(256))
_TOO_MANY_DIGITS = b"0" * (MAX_DIGITS + 1)


def _decode(data: bytes, where: str, first_line: int, start: int) -> Any:
    """Read data that stands at a line, and a byte, of its input."""
    text = _utf8(data, where, first_line, start)
    try:
        value = _DECODER.decode(data)
        if not _suspicious(data, value):
            return value
        failure: Exception | None = None
    except (msgspec.MsgspecError, RecursionError) as error:
        failure = error
    try:
        scan(text)
    except Fault as fault:
        raise InvalidInput(fault.problem(text, where, first_line)) from None
    if failure:  # a scanner less strict than msgspec, or a stack that was nearly full before we came
        raise failure
    return value


def _suspicious(data: bytes, value: Any) -> bool:
    """Whether something may be wrong that msgspec accepts: keys given twice, depth, very long numbers.

    Keys: each pair of the input has a colon, and colons inside texts are the same in the input and in what
    was read, written again (the one escape that could hide a colon is excluded first). So the numbers of
    colons agree exactly when no pair was lost. That costs a tenth of a search for the keys themselves.
    """
    return (
        b"\\u003a" in data
        or b"\\u003A" in data
        or data.count(b":") != _ENCODER.encode(value).count(b":")
        or _TOO_MANY_DIGITS in data.translate(_DIGITS_TO_ZERO)
        or (data.count(b"[") + data.count(b"{") > MAX_DEPTH and _too_deep(value))
    )


def _too_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return any(level)


def _utf8(data: bytes, where: str, first_line: int, start: int) -> str:
    """Decode the data.

    :raises InvalidInput: for any other encoding, with the byte where UTF-8 ends
    """
    place = f"{where}: line {first_line}"
    for mark, name in _OTHER_BOMS:
        if data.startswith(mark):
            raise InvalidInput(_not_utf8(place, f"a {name.upper()} byte order mark", name))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        place = f"{where}: line {line}, byte offset {start + error.start}"
        raise InvalidInput(_not_utf8(place, "a byte that is not UTF-8", "cp1252")) from None


def _not_utf8(place: str, what: str, name: str) -> Problem:
    return Problem(place, what, "UTF-8", f"name another encoding with --encoding, such as --encoding {name}")


def _refuse_not_finite(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif (isinstance(item, Decimal) and not item.is_finite()) or (
            isinstance(item, float) and not math.isfinite(item)
        ):
            raise ValueError("a number that is not finite has no JSON form")

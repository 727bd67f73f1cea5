"""JSON with exact decimals: ``0.50`` stays ``0.50`` from file to wire and back.

FHIR R4, datatypes, *decimal*: the precision of a number is significant, so ``0.50`` is not ``0.5``; and
2.6.2, *JSON representation of resources*. RFC 8259 leaves open what a key given twice means; here it is
refused, because a resource with two ``status`` has none.

The common case is fast and the rare one is clear. :func:`decode` reads with msgspec and runs a few checks
in C that only ever err towards suspicion. Whatever is suspicious, or unreadable, goes to a small scanner,
which decides, and says in words where the fault stands. Messages name keys, kinds and places, never a value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

import msgspec

from mesofhir.errors import InvalidInput, Problem

MAX_DEPTH = 200  #: a value lies inside at most so many lists and objects
MAX_DIGITS = 100  #: digits of a number; FHIR asks for 18 at least
MAX_EXPONENT = 400  #: beyond 1e±400 a number is an attack, not a measurement
MAX_LINE = 64 * 1024 * 1024  #: bytes of one NDJSON line

_SAFE_KEY = re.compile(r"[a-z_][A-Za-z0-9_]{0,63}")  #: as FHIR and our records name things; a name begins otherwise
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
        _check_number(text)
    return Decimal(text)


def _check_number(text: str) -> None:
    """Raise ValueError for a number that would eat memory or time, or that no measurement needs."""
    digits, _, exponent = text.lower().partition("e")
    if sum(map(digits.count, "0123456789")) > MAX_DIGITS:
        raise ValueError("too many digits")
    if exponent and (len(exponent) > MAX_DIGITS or abs(int(exponent)) > MAX_EXPONENT):
        raise ValueError("an exponent out of bounds")


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
        _scan(text)
    except _Fault as fault:
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


# --- the scanner: slow, strict, and able to say where ------------------------------------------------------

_TOKEN = re.compile(
    r"""(?P<mark>[{}\[\]:,])
      | (?P<text>"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+")
      | (?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)(?![\w.+-])
      | (?P<word>true|false|null)(?!\w)""",
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t\r\n]*+")
_TEXT_START = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+')
_SURROGATES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)

# What may come next. The words are the ones of the messages.
_VALUE = "a value"
_VALUE_OR_END = "a value or ]"
_KEY = "a key in double quotes"
_KEY_OR_END = "a key in double quotes or }"
_COLON = "a colon"
_COMMA_IN_LIST = "a comma or ]"
_COMMA_IN_OBJECT = "a comma or }"
_END = "the end of the input"
_CLOSES = {"]": (_VALUE_OR_END, _COMMA_IN_LIST), "}": (_KEY_OR_END, _COMMA_IN_OBJECT)}


class _Open:
    """A list or an object that is not closed yet: its keys so far, and the step to where we are in it."""

    __slots__ = ("is_list", "keys", "step")

    def __init__(self, mark: str) -> None:
        self.is_list = mark == "["
        self.keys: set[str] = set()
        self.step: int | str | None = 0 if self.is_list else None


class _Fault(Exception):
    """The first fault of a text.

    :param at: its place, in characters from 0
    """

    def __init__(self, at: int, what: str, expected: str = "", hint: str = "") -> None:
        self.at, self.what, self.expected, self.hint = at, what, expected, hint
        self.path = ""

    def problem(self, text: str, where: str, first_line: int) -> Problem:
        line = first_line + text.count("\n", 0, self.at)
        column = self.at - text.rfind("\n", 0, self.at)
        place = f"{where}: line {line}, column {column}"
        return Problem(place + self.path, self.what, self.expected, self.hint)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def _scan(text: str) -> None:
    """Read a text strictly.

    :raises _Fault: at the first thing that is not right
    """
    opened: list[_Open] = []
    expected = _VALUE
    try:
        for token in _tokens(text):
            expected = _next(token, expected, opened)
    except _Fault as fault:
        fault.expected = fault.expected or expected
        fault.path = _path(opened)
        raise


def _tokens(text: str) -> Iterator[_Token]:
    at = _BLANK.match(text).end()  # type: ignore[union-attr]  # it matches always
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        yield _Token(str(match.lastgroup), match[0], at)
        at = _BLANK.match(text, match.end()).end()  # type: ignore[union-attr]
    yield _Token("end", "", at)


def _next(token: _Token, expected: str, opened: list[_Open]) -> str:
    """Take one token where ``expected`` may come, and say what may come after it."""
    kind, text, at = token
    if kind == "end":
        if expected is not _END:
            raise _Fault(at, "the input ends too early" if opened else "the input is empty")
        return expected
    if text in _CLOSES and expected in _CLOSES[text]:
        opened.pop()
        return _after_value(opened)
    if text == "," and expected in (_COMMA_IN_LIST, _COMMA_IN_OBJECT):
        return _after_comma(opened[-1])
    if text == ":" and expected is _COLON:
        return _VALUE
    if kind == "text" and expected in (_KEY, _KEY_OR_END):
        _key(token, opened[-1])
        return _COLON
    if expected not in (_VALUE, _VALUE_OR_END) or text in ("}", "]", ",", ":"):
        raise _Fault(at, *_misplaced(token, expected, opened))
    return _value(token, opened)


def _value(token: _Token, opened: list[_Open]) -> str:
    kind, text, at = token
    if len(opened) > MAX_DEPTH:
        raise _Fault(at, "lists and objects are nested too deeply", f"at most {MAX_DEPTH} levels")
    if kind == "mark":
        opened.append(_Open(text))
        return _VALUE_OR_END if text == "[" else _KEY_OR_END
    if kind == "text":
        _check_surrogates(token)
    if kind == "number":
        try:
            _check_number(text)
        except ValueError as limit:
            most = f"at most {MAX_DIGITS} digits and an exponent from -{MAX_EXPONENT} to {MAX_EXPONENT}"
            raise _Fault(at, f"a number with {limit}", most) from None
    return _after_value(opened)


def _after_value(opened: list[_Open]) -> str:
    if not opened:
        return _END
    return _COMMA_IN_LIST if opened[-1].is_list else _COMMA_IN_OBJECT


def _after_comma(inside: _Open) -> str:
    if isinstance(inside.step, int):
        inside.step += 1
        return _VALUE
    inside.step = None
    return _KEY


def _key(token: _Token, inside: _Open) -> None:
    _check_surrogates(token)
    key = json.loads(token.text)
    if key in inside.keys:
        name = f'the key "{key}"' if _SAFE_KEY.fullmatch(key) else "a key"
        raise _Fault(token.at, f"{name} stands twice in one object", "each key once")
    inside.keys.add(key)
    inside.step = key


def _check_surrogates(token: _Token) -> None:
    for escape in _SURROGATES.finditer(token.text) if "\\u" in token.text else ():
        if escape["lone"]:
            raise _Fault(token.at + escape.start(), "half of a surrogate pair", "\\u escapes in pairs")


def _misplaced(token: _Token, expected: str, opened: list[_Open]) -> tuple[str, str, str]:
    """What was found, what was expected, a hint: for a readable token at the wrong place."""
    if expected is _END:
        return "something follows the JSON value", _END, "several values, one a line, are NDJSON"
    if (expected is _VALUE and token.text == "]" and opened and opened[-1].is_list) or (
        expected is _KEY and token.text == "}"
    ):
        return f"a comma stands before {token.text}", expected, "JSON has no trailing commas"
    found = {"text": "text", "number": "a number", "word": "true, false or null"}.get(token.kind, token.text)
    return f"found {found}", expected, ""


def _unreadable(text: str, at: int) -> _Fault:
    """What stands where no token can be read."""
    start = text[at]
    if start == '"':
        return _unreadable_text(text, at)
    if text.startswith(("NaN", "Infinity", "-Infinity"), at):
        return _Fault(at, "NaN and Infinity are not JSON", "a number", "leave out what is not known")
    if start in "0123456789-+.":
        return _Fault(at, "not a JSON number", "digits as in -12.50: a point, no leading zero, no plus")
    if start == "\x00":
        return _Fault(at, "a NUL character", hint="if the input is UTF-16, name it: --encoding utf-16")
    if start == "\ufeff":
        return _Fault(at, "a byte order mark inside the input", hint="were files joined into one?")
    if start in "'/#":
        return _Fault(at, "a single quote" if start == "'" else "a comment, which JSON does not have")
    return _Fault(at, "something that is not JSON")


def _unreadable_text(text: str, at: int) -> _Fault:
    end = _TEXT_START.match(text, at).end()  # type: ignore[union-attr]  # a quote stands there
    if end == len(text):
        return _Fault(at, "a text that is not closed", "a double quote at its end")
    if text[end] == "\\":
        return _Fault(end, "an escape that JSON does not have", r"\" \\ \/ \b \f \n \r \t or \u and 4 digits")
    return _Fault(end, f"a bare control character (U+{ord(text[end]):04X})", "an escape such as \\n")


def _path(opened: list[_Open]) -> str:
    """The JSON path of what is open, as far as its keys may be shown."""
    path = ", $"
    for inside in opened[:20]:
        if isinstance(inside.step, int):
            path += f"[{inside.step}]"
        elif inside.step is not None:
            path += f".{inside.step}" if _SAFE_KEY.fullmatch(inside.step) else ".?"
    if len(opened) > 20:
        path += "…"
    return path if opened else ""

"""A scanner of JSON: slow, strict, and able to say where a text goes wrong.

It knows more than RFC 8259 refuses: a key given twice in one object, half of a surrogate pair, and the limits
that :mod:`mesofhir.fhir.exactjson` sets. Messages name keys, kinds and places, never a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from mesofhir.errors import Problem

MAX_DEPTH = 200  #: a value lies inside at most so many lists and objects
MAX_DIGITS = 100  #: digits of a number; FHIR asks for 18 at least
MAX_EXPONENT = 400  #: beyond 1e±400 a number is an attack, not a measurement

_SAFE_KEY = re.compile(r"[a-z_][A-Za-z0-9_]{0,63}")  #: as FHIR and our records name things; a name begins otherwise

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


class Fault(Exception):
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


def check_number(text: str) -> None:
    """Raise ValueError for a number that would eat memory or time, or that no measurement needs."""
    digits, _, exponent = text.lower().partition("e")
    if sum(map(digits.count, "0123456789")) > MAX_DIGITS:
        raise ValueError("too many digits")
    if exponent and (len(exponent) > MAX_DIGITS or abs(int(exponent)) > MAX_EXPONENT):
        raise ValueError("an exponent out of bounds")


def scan(text: str) -> None:
    """Read a text strictly.

    :raises Fault: at the first thing that is not right
    """
    opened: list[_Open] = []
    expected = _VALUE
    try:
        for token in _tokens(text):
            expected = _next(token, expected, opened)
    except Fault as fault:
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
            raise Fault(at, "the input ends too early" if opened else "the input is empty")
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
        raise Fault(at, *_misplaced(token, expected, opened))
    return _value(token, opened)


def _value(token: _Token, opened: list[_Open]) -> str:
    kind, text, at = token
    if len(opened) > MAX_DEPTH:
        raise Fault(at, "lists and objects are nested too deeply", f"at most {MAX_DEPTH} levels")
    if kind == "mark":
        opened.append(_Open(text))
        return _VALUE_OR_END if text == "[" else _KEY_OR_END
    if kind == "text":
        _check_surrogates(token)
    if kind == "number":
        try:
            check_number(text)
        except ValueError as limit:
            most = f"at most {MAX_DIGITS} digits and an exponent from -{MAX_EXPONENT} to {MAX_EXPONENT}"
            raise Fault(at, f"a number with {limit}", most) from None
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
        raise Fault(token.at, f"{name} stands twice in one object", "each key once")
    inside.keys.add(key)
    inside.step = key


def _check_surrogates(token: _Token) -> None:
    for escape in _SURROGATES.finditer(token.text) if "\\u" in token.text else ():
        if escape["lone"]:
            raise Fault(token.at + escape.start(), "half of a surrogate pair", "\\u escapes in pairs")


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


def _unreadable(text: str, at: int) -> Fault:
    """What stands where no token can be read."""
    start = text[at]
    if start == '"':
        return _unreadable_text(text, at)
    if text.startswith(("NaN", "Infinity", "-Infinity"), at):
        return Fault(at, "NaN and Infinity are not JSON", "a number", "leave out what is not known")
    if start in "0123456789-+.":
        return Fault(at, "not a JSON number", "digits as in -12.50: a point, no leading zero, no plus")
    if start == "\x00":
        return Fault(at, "a NUL character", hint="if the input is UTF-16, name it: --encoding utf-16")
    if start == "\ufeff":
        return Fault(at, "a byte order mark inside the input", hint="were files joined into one?")
    if start in "'/#":
        return Fault(at, "a single quote" if start == "'" else "a comment, which JSON does not have")
    return Fault(at, "something that is not JSON")


def _unreadable_text(text: str, at: int) -> Fault:
    end = _TEXT_START.match(text, at).end()  # type: ignore[union-attr]  # a quote stands there
    if end == len(text):
        return Fault(at, "a text that is not closed", "a double quote at its end")
    if text[end] == "\\":
        return Fault(end, "an escape that JSON does not have", r"\" \\ \/ \b \f \n \r \t or \u and 4 digits")
    return Fault(end, f"a bare control character (U+{ord(text[end]):04X})", "an escape such as \\n")


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

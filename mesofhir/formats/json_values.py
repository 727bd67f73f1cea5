"""The values of JSON inputs, one in memory at a time: of a file, of a list in a file, of lines.

A fault of one value is told with its place in the whole input, and the next value is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from mesofhir.errors import InvalidInput, Problem
from mesofhir.fhir import exactjson
from mesofhir.formats.options import Options
from mesofhir.formats.text import CHUNK, as_utf8

MAX_VALUE: Final = exactjson.MAX_LINE  #: bytes of one value of a list, or of one line
_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"
_BLANKS = re.compile(rb"[ \t\r\n]*+")
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)  # a lone quote: a text not read to its end


@dataclass(frozen=True)
class Value:
    """One JSON value of an input.

    :param data: the value; None where it could not be read
    :param prefix: what stands before a path in messages, with its ``$``: ``clinic.json: $[3]``
    :param faults: why it could not be read
    :param span: the bytes of the input (as UTF-8) in which it stands: the first, and the one behind the last
    """

    data: Any
    prefix: str
    faults: tuple[Problem, ...] = ()
    span: tuple[int, int] = (0, 0)

    @property
    def where(self) -> str:
        """The place of the value itself."""
        return self.prefix.removesuffix("$").removesuffix(": ") or self.prefix


def of_file(stream: BinaryIO, options: Options, where: str) -> Iterator[Value]:
    """The items of a list, one by one; anything else is one value, read whole.

    :param where: the name of the input, for messages
    """
    try:
        source = as_utf8(stream, options, where)
        mark = source.read(len(_BOM))
        text = _Buffered(source, mark.removeprefix(_BOM), len(_BOM) if mark == _BOM else 0)
        first = text.skip_blank()
        if first == b"[":
            yield from _List(text, where).values()
            return
        start = text.place
        yield _value(text.rest(), f"{where}: $", where, start)
    except InvalidInput as error:  # from the decoder of another encoding
        yield Value(None, f"{where}: $", tuple(error.problems))


def of_lines(stream: BinaryIO, options: Options, where: str) -> Iterator[Value]:
    """NDJSON: one value a line; blank lines are left out."""
    source = as_utf8(stream, options, where)
    number = at = 0
    try:
        while line := source.readline(MAX_VALUE + 1):
            number += 1
            prefix = f"{where}: line {number}: $"
            if len(line) > MAX_VALUE:
                most, hint = f"at most {MAX_VALUE} bytes", "NDJSON holds one value a line"
                yield Value(None, prefix, (Problem(f"{where}: line {number}", "a line that is too long", most, hint),))
                return
            text = line.removeprefix(_BOM) if number == 1 else line
            if text.strip(_BLANK):
                start = _Start(number, 0, at + len(line) - len(text))
                yield _value(text.rstrip(b"\r\n"), prefix, where, start)
            at += len(line)
    except InvalidInput as error:
        yield Value(None, f"{where}: line {number + 1}: $", tuple(error.problems))


@dataclass(frozen=True)
class _Start:
    """Where a value stands in its input: line from 1, column and byte from 0."""

    line: int = 1
    column: int = 0
    byte: int = 0


def _value(data: bytes, prefix: str, where: str, start: _Start) -> Value:
    span = (start.byte, start.byte + len(data.rstrip(_BLANK)))
    try:
        return Value(exactjson.decode(data, where), prefix, span=span)
    except InvalidInput as error:
        root = prefix[prefix.rindex("$") :]
        return Value(None, prefix, tuple(_moved(p, where, root, start) for p in error.problems))


_PLACE = re.compile(r": line (?P<line>\d+)(?:, column (?P<column>\d+))?(?:, byte offset (?P<byte>\d+))?")


def _moved(problem: Problem, where: str, root: str, start: _Start) -> Problem:
    """A problem of a value by itself, placed in the whole input."""
    rest = problem.where.removeprefix(where)
    m = _PLACE.match(rest)
    if m is None:
        return problem
    line = int(m["line"])
    place = f"{where}: line {line + start.line - 1}"
    if m["column"]:
        place += f", column {int(m['column']) + (start.column if line == 1 else 0)}"
    if m["byte"]:
        place += f", byte offset {int(m['byte']) + start.byte}"
    path = rest[m.end() :]
    if path.startswith(", $"):
        path = f", {root}{path[3:]}"
    elif not path and len(root) > 1:
        path = f", {root}"
    return Problem(place + path, problem.what, problem.expected, problem.hint)


class _Buffered:
    """A stream, read as far as needed, and the place of what is in hand.

    :param data: what was read; what is in hand begins at ``at``, and ``place`` says where that stands
    """

    def __init__(self, stream: BinaryIO, data: bytes, byte: int) -> None:
        self.stream, self.data, self.at = stream, data, 0
        self.place, self.ended = _Start(byte=byte), False

    @property
    def left(self) -> int:
        """Bytes in hand."""
        return len(self.data) - self.at

    def more(self) -> bool:
        """Read on; twice as much each time, so that a long text is not looked through too often."""
        chunk = b"" if self.ended else self.stream.read(max(CHUNK, self.left))
        self.data, self.at = self.data[self.at :] + chunk, 0
        self.ended = not chunk
        return bool(chunk)

    def take(self, n: int) -> bytes:
        """The next ``n`` bytes."""
        taken = self.data[self.at : self.at + n]
        self.at += n
        lines, was = taken.count(b"\n"), self.place
        column = n - taken.rindex(b"\n") - 1 if lines else was.column + n
        self.place = _Start(was.line + lines, column, was.byte + n)
        return taken

    def skip_blank(self) -> bytes:
        """Go to the next byte that is not blank; it, or none at the end."""
        while True:
            self.take(_BLANKS.match(self.data, self.at).end() - self.at)  # type: ignore[union-attr]
            if self.left or not self.more():
                return self.data[self.at : self.at + 1]

    def rest(self) -> bytes:
        """All that is left."""
        return self.data[self.at :] + self.stream.read()


class _List:
    """The items of the list that begins here."""

    def __init__(self, text: _Buffered, where: str) -> None:
        self.text, self.where = text, where

    def values(self) -> Iterator[Value]:
        self.text.take(1)
        n = 0
        while True:
            first = self.text.skip_blank()
            if first == b"]" and n == 0:
                self.text.take(1)
                break
            prefix, start = f"{self.where}: $[{n}]", self.text.place
            end = self._end()
            if end < 0:
                long = self.text.left > MAX_VALUE
                most = f"at most {MAX_VALUE} bytes" if long else "a comma or ]"
                what = "an item that is too long" if long else "the input ends too early"
                yield Value(None, prefix, (self._problem(what, start, most),))
                return
            data = self.text.take(end)
            closed = self.text.take(1) == b"]"
            if data.strip(_BLANK):
                yield _value(data, prefix, self.where, start)
            else:
                mark = "]" if closed else ","
                yield Value(None, prefix, (self._problem(f"a value is missing before {mark}", start, "a value"),))
            n += 1
            if closed:
                break
        if self.text.skip_blank():
            hint = "several values, one a line, are NDJSON"
            problem = self._problem("something follows the JSON value", self.text.place, "the end of the input", hint)
            yield Value(None, f"{self.where}: $", (problem,))

    def _end(self) -> int:
        """The place of the comma or bracket behind the next item; -1 where there is none."""
        at, depth = 0, 0  # from what is in hand
        while True:
            base = self.text.at
            for m in _TOKEN.finditer(self.text.data, base + at):
                mark = m[0]
                if mark == b'"':
                    at = m.start() - base
                    break
                at = m.end() - base
                if mark in (b"[", b"{"):
                    depth += 1
                elif mark in (b"]", b"}") and depth:
                    depth -= 1
                elif mark in (b",", b"]") and not depth:
                    return m.start() - base
            if self.text.left > MAX_VALUE or not self.text.more():
                return -1

    def _problem(self, what: str, start: _Start, expected: str, hint: str = "") -> Problem:
        return Problem(f"{self.where}: line {start.line}, column {start.column + 1}", what, expected, hint)

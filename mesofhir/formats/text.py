"""Bytes in any encoding → UTF-8, or lines of text, one piece in memory at a time."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from mesofhir.errors import InvalidInput, Problem
from mesofhir.formats.options import Options

CHUNK: Final = 64 * 1024  #: bytes read at once
MAX_LINE: Final = 8 * 1024 * 1024  #: characters of one line of a text file
_END = re.compile(r"\r\n|\n|\r(?!\Z)")  # a \r at the end of a piece may be half of a \r\n
_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def pieces(stream: BinaryIO, options: Options, where: str) -> Iterator[str]:
    """The text of a stream, in pieces; a byte order mark is left out.

    :param where: the name of the input, for messages
    :raises InvalidInput: bytes that are not in the encoding, with line and byte
    """
    decoder = codecs.getincrementaldecoder(options.encoding)()
    read, line, first = 0, 1, True
    while True:
        chunk = stream.read(CHUNK)
        if first and options.is_utf8:
            _no_other_mark(chunk, where)
        try:
            text = decoder.decode(chunk, not chunk)
        except UnicodeDecodeError as error:
            data = bytes(error.object)
            good = data[: error.start].decode(options.encoding, "replace")
            place = f"{where}: line {line + good.count(chr(10))}, "
            place += f"byte offset {read + len(chunk) - len(data) + error.start}"
            raise InvalidInput(_not_readable(place, options)) from None
        except UnicodeError:  # UTF-16 and UTF-32 tell their byte order by it
            hint = f"name the encoding with its byte order: --encoding {options.encoding}-le"
            name = options.encoding.upper()
            problem = Problem(f"{where}: line 1", "no byte order mark", f"{name} with its byte order mark", hint)
            raise InvalidInput(problem) from None
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        read += len(chunk)
        line += text.count("\n")
        if text:
            yield text
        if not chunk:
            return


def _not_readable(place: str, options: Options) -> Problem:
    other = "cp1252" if options.is_utf8 else "utf-8"
    name = "UTF-8" if options.is_utf8 else options.encoding
    hint = f"name the encoding with --encoding, such as --encoding {other}"
    return Problem(place, f"a byte that is not {name}", name, hint)


def _no_other_mark(start: bytes, where: str) -> None:
    for mark, name in _MARKS:
        if start.startswith(mark):
            hint = f"name the encoding with --encoding {name}"
            raise InvalidInput(Problem(f"{where}: line 1", f"a {name.upper()} byte order mark", "UTF-8", hint))


def lines(stream: BinaryIO, options: Options, where: str) -> Iterator[str]:
    """The lines of a stream, each with its end (``\\n``, ``\\r\\n`` or ``\\r``) as it stands there.

    :raises InvalidInput: as :func:`pieces`, and for a line of more than :data:`MAX_LINE` characters
    """
    parts: list[str] = []  # of the line that is not ended yet
    held, number, size = "", 1, 0
    for piece in pieces(stream, options, where):
        text, at = held + piece, 0
        for m in _END.finditer(text):
            yield "".join(parts) + text[at : m.end()]
            parts.clear()
            at, size = m.end(), 0
            number += 1
        held = "\r" if text.endswith("\r") and at < len(text) else ""
        parts.append(text[at : len(text) - len(held)])
        size += len(parts[-1])
        if size > MAX_LINE:
            most = f"at most {MAX_LINE} characters"
            raise InvalidInput(Problem(f"{where}: line {number}", "a line that is too long", most))
    if rest := "".join(parts) + held:
        yield rest


def as_utf8(stream: BinaryIO, options: Options, where: str) -> BinaryIO:
    """The stream as UTF-8. One that is already UTF-8 is given back as it is: its reader judges it."""
    if options.is_utf8:
        return stream
    return io.BufferedReader(_Recoded(pieces(stream, options, where)))


class _Recoded(io.RawIOBase):
    """Pieces of text, to be read as UTF-8 bytes."""

    def __init__(self, texts: Iterator[str]) -> None:
        self.texts, self.left = texts, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.left:
            text = next(self.texts, None)
            if text is None:
                return 0
            self.left = text.encode()
        view = memoryview(buffer)
        n = min(len(view), len(self.left))
        view[:n], self.left = self.left[:n], self.left[n:]
        return n

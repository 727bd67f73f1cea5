"""How the texts of a source are to be read: their encoding, the manner of their numbers and dates, their zone."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from mesofhir.errors import UsageError

LOCALES: Final = ("it", "en")
_NO_TEXT: Final = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf-7"})
"""Codecs that Python counts among the text encodings, and that no export of a clinic's program is in."""


@dataclass(frozen=True)
class Options:
    """What readers share (``--encoding``, ``--locale``, ``--timezone``).

    :param encoding: Python's name of the encoding of texts; UTF-8 with or without its byte order mark
    :param locale: ``it`` or ``en``: how numbers, dates and yes or no are written in cells; "" for ISO and a point
    :param zone: the zone of times that come without one; None refuses them
    """

    encoding: str = "utf-8"
    locale: str = ""
    zone: ZoneInfo | None = None

    @classmethod
    def of(cls, encoding: str = "utf-8", locale: str = "", timezone: str = "") -> Options:
        """The options as a user names them.

        :param timezone: a name of the IANA database, such as ``Europe/Rome``
        :raises UsageError: a name that is not known
        """
        language = locale.replace("-", "_").split("_")[0].lower()
        if language and language not in LOCALES:
            raise UsageError(f"--locale: not known; one of {', '.join(LOCALES)}")
        return cls(_encoding(encoding), language, _zone(timezone) if timezone else None)

    @property
    def is_utf8(self) -> bool:
        return self.encoding == "utf-8"


def _encoding(name: str) -> str:
    try:
        codec = codecs.lookup(name)
        if not codec._is_text_encoding or codec.name in _NO_TEXT:
            raise LookupError
    except (LookupError, ValueError):
        raise UsageError(
            "--encoding: not the name of a text encoding; such as utf-8, cp1252, utf-16, mac-roman"
        ) from None
    return "utf-8" if codec.name == "utf-8-sig" else codec.name


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # not found, a path outside of the database, a folder of it
        raise UsageError("--timezone: not a zone of the IANA database on this machine; such as Europe/Rome") from None

"""Units of measure: whether UCUM has a code, as far as R4 lists its units.

UCUM (https://ucum.org) makes units of simple ones: ``mg/mL`` of ``mg`` and ``mL``. ``ucum.txt`` holds the simple units
of all 1,364 codes of R4's value set *Common UCUM units* (``profiles/r4.py``); any metric prefix may stand before one.
A unit outside of them is very rare, and is said to be unknown; one with two prefixes (``mcg``) is not seen.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

_ANNOTATION: Final = re.compile(r"\{[!-z|~ ]*\}")
_TERM: Final = re.compile(r"[./()]+")
_UNIT: Final = re.compile(r"(10[*^]|(?:[^\s\[\]0-9+\-]|\[[^\s\[\]]*\])+)[+\-]?[0-9]*")
_PREFIXES: Final = ("da", *"YZEPTGMkhdcmunpfazy")


def simple_units(code: str) -> list[str]:
    """The simple units of a code: ``mg`` and ``mL`` of ``mg/mL``; a part that is no unit at all stands as it is."""
    found = []
    for part in filter(None, _TERM.split(_ANNOTATION.sub("", code))):
        match = _UNIT.fullmatch(part)
        if match or not part.isdecimal():
            found.append(match[1] if match else part)
    return found


@cache
def _units() -> frozenset[str]:
    return frozenset(files(__package__).joinpath("ucum.txt").read_text(encoding="utf-8").split())


def known(code: str) -> bool:
    """Has UCUM such a unit?"""
    units = _units()
    return code != "" and all(
        unit in units or any(unit.startswith(p) and unit.removeprefix(p) in units for p in _PREFIXES)
        for unit in simple_units(code)
    )

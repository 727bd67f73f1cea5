"""Identifiers that Italy gives to people and organisations: under which systems they arrive, and how they look.

The systems are those of HL7 Italia (clinical model, §3.4): the older guides write URLs, the core of 2026 OIDs, of one
and the same identifier. What a record states, it states; which of its names goes out is the clinic's configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

_OID: Final = "urn:oid:2.16.840.1.113883.2.9"
_SID: Final = "http://hl7.it/sid"
Wrong = tuple[str, str]  # what, expected
_TEMPORARY: Final = re.compile(r"(STP|ENI)[0-9]{13}")
"""Prefix, region, ASL, progressive number (INMP, circolari of the Ministry)."""
_NUMBERS: Final = "0-9LMNPQRSTUV"
_FISCAL: Final = re.compile(
    rf"[A-Z]{{6}}[{_NUMBERS}]{{2}}[ABCDEHLMPRST][{_NUMBERS}]{{2}}[A-Z][{_NUMBERS}]{{3}}[A-Z]"
)
"""With omocodia: letters in place of digits, where two persons would have the same (hl7-it/core, pat-id-cf-1)."""
_PROVISIONAL: Final = re.compile(r"[0-9]{11}")


def _fiscal(value: str) -> Wrong | None:
    """A codice fiscale, or what stands in its place: a provisional one of 11 digits, a code STP or ENI."""
    code = value.upper()
    if _PROVISIONAL.fullmatch(code) or _TEMPORARY.fullmatch(code):
        return None
    if not _FISCAL.fullmatch(code):
        return "no codice fiscale", "16 letters and digits, as it is printed (or 11 digits, or a code STP or ENI)"
    from codicefiscale.codicefiscale import encode_cin

    if encode_cin(code) != code[-1]:
        return "its check character does not fit the rest", "the codice fiscale as it is printed"
    return None


def _temporary(prefix: str) -> Callable[[str], Wrong | None]:
    def check(value: str) -> Wrong | None:
        right = _TEMPORARY.fullmatch(value.upper()) and value.upper().startswith(prefix)
        return None if right else (f"no code {prefix}", f"{prefix} and 13 digits")

    return check


def _any(value: str) -> Wrong | None:
    return None


class Kind(NamedTuple):
    """One kind of identifier.

    :param systems: all names of its system
    :param check: what is wrong with a value, None if nothing is
    """

    systems: tuple[str, ...]
    check: Callable[[str], Wrong | None] = _any


KINDS: Final[Mapping[str, Kind]] = {
    "codice_fiscale": Kind((f"{_SID}/codiceFiscale", f"{_OID}.4.3.2"), _fiscal),
    "eni": Kind((f"{_OID}.4.3.18",), _temporary("ENI")),
    "stp": Kind((f"{_OID}.4.3.17",), _temporary("STP")),
    "ana": Kind((f"{_OID}.4.3.15",)),
    "anpr": Kind((f"{_OID}.4.3.16",)),
    "team": Kind((f"{_OID}.4.3.7",)),
    "partita_iva": Kind((f"{_SID}/partitaIva", f"{_OID}.6.3.2")),
    "asl": Kind((f"{_SID}/fls", f"{_OID}.4.1.1")),
    "facility": Kind((f"{_SID}/hsp", f"{_OID}.4.1.2")),
}
"""By the names that the configuration has for them."""
CHOICES: Final = {name: kind.systems for name, kind in KINDS.items() if len(kind.systems) > 1}
"""Those of which a clinic chooses the name that goes out."""
_OF: Final = {system: kind for kind in KINDS.values() for system in kind.systems}


def names(system: str) -> tuple[str, ...]:
    """All names of a system; of one that is not known here, itself."""
    return _OF[system].systems if system in _OF else (system,)


def same_system(a: str, b: str) -> bool:
    """Are these two names of one system?"""
    return b in names(a)


def wrong(system: str, value: str) -> Wrong | None:
    """What is wrong with an identifier, without the value; None if nothing is, or nothing is known of it."""
    return _OF[system].check(value) if system in _OF else None


def emitted(identifiers: Iterable[Mapping[str, str]], chosen: Iterable[str]) -> list[dict[str, str]]:
    """Identifiers under the names that a clinic has chosen; one that is stated under both keeps both.

    :param chosen: systems, at most one name of each
    """
    stated = [dict(i) for i in identifiers]
    said = {(i.get("system"), i.get("value")) for i in stated}
    for i in stated:
        for name in chosen:
            if "system" in i and same_system(i["system"], name) and (name, i.get("value")) not in said:
                i["system"] = name
    return stated

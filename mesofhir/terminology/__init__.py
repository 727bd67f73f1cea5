"""The codes: one CSV table per code set, read in both directions, with Italian and English labels.

A record says ``lumbar``, FHIR ``52612000 Lumbar region back structure``, a person reads *Regione lombare*.
Each line of a table is one standard coding of a token, and says how the two are related:

``equivalent``
    the same thing: written, and read back as the token
``broader``, ``related``
    written beside the equivalent one for systems that know no better, never read back: reading a broader
    code as ours would say more than its author did

The codes and displays come from lists of verified codes (``sources/``); the column *source* says where each
was read. The labels are our own. A display is the source's without SNOMED's semantic tag, and empty where
the source has a paragraph or a misprint. ``NOTICE.md`` holds the licences of the code systems.

A clinic adds words and codes of its own by an overlay (:mod:`~mesofhir.terminology.overlay`): :class:`Terminology` is
what holds at one clinic, :data:`OURS` what holds everywhere.

The tables are part of the program, so a mistake in one is our bug: it raises :class:`MesofhirError` with file
and line when the table is first read.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from mesofhir.terminology.systems import (
    ACT_CODE,
    ACT_REASON,
    ATC,
    BASE,
    CNP,
    ICD9,
    ICD10,
    LANGUAGES,
    LOCAL,
    LOINC,
    ROUTE,
    SCT,
    UCUM,
    canonical,
)
from mesofhir.terminology.tables import CodeSet, Coding, Concept, read_code_set, read_issue_codes

__all__ = [
    "ACT_CODE",
    "ACT_REASON",
    "ATC",
    "BASE",
    "CNP",
    "ICD9",
    "ICD10",
    "LANGUAGES",
    "LOCAL",
    "LOINC",
    "OURS",
    "ROUTE",
    "SCT",
    "UCUM",
    "CodeSet",
    "Coding",
    "Concept",
    "Terminology",
    "canonical",
    "code_set",
    "code_sets",
    "issue_codes",
    "verified_codings",
]
_ISSUES: Final = "issues"


@cache
def code_sets() -> tuple[str, ...]:
    """The names of all code sets, in alphabetical order."""
    names = [file.name for file in files(__name__).iterdir()]
    tables = {name.removesuffix(".csv") for name in names if name.endswith(".csv")}
    return tuple(sorted(tables - {_ISSUES}))


@cache
def code_set(name: str) -> CodeSet:
    """A code set by its name.

    :raises KeyError: if there is no such set
    :raises MesofhirError: if its table is broken: a bug of ours
    """
    if name not in code_sets():
        raise KeyError(name)
    return read_code_set(name, _text(name))


@cache
def issue_codes() -> Mapping[str, str]:
    """For each contraindication, the code in v3-ActCode (:data:`ACT_CODE`) that its DetectedIssue takes.

    Many contraindications share one, so it is never read back.

    :raises MesofhirError: if its table is broken: a bug of ours
    """
    return MappingProxyType(read_issue_codes(_text(_ISSUES), code_set("contraindications")))


@cache
def verified_codings() -> tuple[Coding, ...]:
    """All codings of the lists of verified codes (``sources/``), also those that no table has; without displays,
    since these lists hold them as the source prints them."""
    found = []
    for name in ("sources/codes", "sources/other"):
        for row in csv.DictReader(_text(name).splitlines()):
            found.append(Coding(row["system"], row["code"], ""))
    return tuple(found)


def _text(name: str) -> str:
    return files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")


class Terminology:
    """The code sets that hold at a clinic: ours, and what it adds to some of them.

    :param more: sets that take the place of ours of the same name
    """

    def __init__(self, more: Mapping[str, CodeSet] = MappingProxyType({})) -> None:
        self._more = dict(more)

    def __getitem__(self, name: str) -> CodeSet:
        """:raises KeyError: there is no such set"""
        return self._more.get(name) or code_set(name)


OURS: Final = Terminology()

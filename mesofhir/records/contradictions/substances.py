"""Is it the same substance? By the word of ours, by ATC, or by the clinic's own wording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mesofhir.records.contradictions.core import Record
from mesofhir.terminology import ATC, canonical, code_set

AIC: Final = frozenset(
    {"urn:oid:2.16.840.1.113883.2.9.6.1.5", "https://www.hl7.it/fhir/terminology/CodeSystem/aifa-aic"}
)
"""Under which names AIFA's package codes arrive (clinical model, §3.4)."""


_SUBSTANCE: Final = 7
"""The length of an ATC code of one substance; a shorter one is a class."""


def contains(mixture: Record, what: Record) -> Iterator[str]:
    """The fields of a mixture (``drugs[0].substance``) that name the substance of an allergy or a finding."""
    for n, drug in enumerate(mixture["drugs"] or ()):
        if same(drug, what):
            yield f"drugs[{n}].{'substance' if drug.get('substance') else 'substance_text'}"


def same(drug: Mapping[str, Any], what: Record) -> bool:
    """Does what stands against a substance or a class (``M01A``, *nsaids*) stand against this drug?"""
    one, other = drug.get("substance"), what["substance"]
    if one is not None and other is not None and (other in {one, *_broader(one)} or _in_class(one, other)):
        return True
    said, text = drug.get("substance_text"), what["substance_text"]
    return bool(said and text) and str(said).strip().casefold() == str(text).strip().casefold()


def _broader(token: str) -> set[str | None]:
    """The words of ours whose codes are written beside a word (a salt's substance, a drug's class)."""
    substances = code_set("substances")
    known = substances[token].codings if token in substances else ()
    return {substances.token_of(c.system, c.code) for c in known}


def _in_class(drug: str, what: str) -> bool:
    """Is an ATC code of the drug that of the other, or below it? A class counts only where the word means it."""
    substances = code_set("substances")
    own = [a for a in _atc(what) if len(a) == _SUBSTANCE or what not in substances or _means(what, a)]
    return any(a.startswith(b) for a in _atc(drug) for b in own)


def _means(token: str, atc: str) -> bool:
    return code_set("substances").token_of(ATC, atc) == token


def _atc(token: str) -> list[str]:
    """The ATC codes of a word of ours, or of ``system|code``."""
    substances = code_set("substances")
    if token in substances:
        return [c.code for c in substances[token].codings if c.system == ATC]
    system, _, code = token.partition("|")
    return [code] if canonical(system) == ATC and code else []


def identified(drug: Mapping[str, Any]) -> bool:
    """Has a drug an ATC code, even a broader one, or an AIC?"""
    token = drug.get("substance")
    return token is not None and (bool(_atc(token)) or token.partition("|")[0] in AIC)

"""Is it the same substance? By the word of ours, by ATC, or by the clinic's own wording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mesofhir.records.contradictions.core import Record, View
from mesofhir.terminology import ATC, CodeSet, canonical

AIC: Final = frozenset(
    {"urn:oid:2.16.840.1.113883.2.9.6.1.5", "https://www.hl7.it/fhir/terminology/CodeSystem/aifa-aic"}
)
"""Under which names AIFA's package codes arrive (clinical model, §3.4)."""


_SUBSTANCE: Final = 7
"""The length of an ATC code of one substance; a shorter one is a class."""


def contains(view: View, mixture: Record, what: Record) -> Iterator[str]:
    """The fields of a mixture (``drugs[0].substance``) that name the substance of an allergy or a finding."""
    for n, drug in enumerate(mixture["drugs"] or ()):
        if same(view.substances, drug, what):
            yield f"drugs[{n}].{'substance' if drug.get('substance') else 'substance_text'}"


def same(substances: CodeSet, drug: Mapping[str, Any], what: Record) -> bool:
    """Does what stands against a substance or a class (``M01A``, *nsaids*) stand against this drug?"""
    one, other = drug.get("substance"), what["substance"]
    if one is not None and other is not None and (
        other in {one, *_broader(substances, one)} or _in_class(substances, one, other)
    ):
        return True
    said, text = drug.get("substance_text"), what["substance_text"]
    return bool(said and text) and str(said).strip().casefold() == str(text).strip().casefold()


def _broader(substances: CodeSet, token: str) -> set[str | None]:
    """The words of ours whose codes are written beside a word (a salt's substance, a drug's class)."""
    known = substances[token].codings if token in substances else ()
    return {substances.token_of(c.system, c.code) for c in known}


def _in_class(substances: CodeSet, drug: str, what: str) -> bool:
    """Is an ATC code of the drug that of the other, or below it? A class counts only where the word means it."""
    whole = what not in substances  # `system|code`: it means just that
    own = [a for a in _atc(substances, what) if whole or len(a) == _SUBSTANCE or substances.token_of(ATC, a) == what]
    return any(a.startswith(b) for a in _atc(substances, drug) for b in own)


def _atc(substances: CodeSet, token: str) -> list[str]:
    """The ATC codes of a word of ours, or of ``system|code``."""
    if token in substances:
        return [c.code for c in substances[token].codings if c.system == ATC]
    system, _, code = token.partition("|")
    return [code] if canonical(system) == ATC and code else []


def identified(substances: CodeSet, drug: Mapping[str, Any]) -> bool:
    """Has a drug an ATC code, even a broader one, or an AIC?"""
    token = drug.get("substance")
    return token is not None and (bool(_atc(substances, token)) or token.partition("|")[0] in AIC)

"""What several pictures share: tables of words, coded fields, statuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from mesofhir.fhir.coded import Coded, Defined, OneSystem
from mesofhir.fhir.picture import Both, Codec, Echo, Row
from mesofhir.mapping.clinic import Clinic, ext
from mesofhir.terminology import LOINC, SCT, code_set

WITHDRAWN: Final = "entered-in-error"
HL7: Final = "http://terminology.hl7.org/CodeSystem/"


class State(NamedTuple):
    """A state of the patient that is an Observation.

    :param loinc: what is asked
    :param system: of the two answers
    """

    loinc: str
    system: str
    yes: str
    no: str


STATES: Final = {
    "pregnancy": State("82810-3", SCT, "77386006", "60001007"),
    "breastfeeding": State("63895-7", LOINC, "LA29252-6", "LA29253-4"),
}
"""Kinds of contraindications that are states, after IPS and ISiK (clinical model, fact 22)."""


def defined(token: str) -> Defined:
    """The code that says what a resource is (``mesotherapy-session``)."""
    return Defined(code_set("kinds"), token)


def coded(c: Clinic, name: str, codes: str, **options: Any) -> Coded:
    """A coded field with its wording ``<name>_text``, from a code set."""
    return Coded(name, c.codes[codes], f"{name}_text", open=True, **options)


def word(name: str, codes: str) -> Coded:
    """A coded field of a closed set, without a wording."""
    return Coded(name, code_set(codes))


def hl7(name: str, system: str, words: Mapping[str, str], **options: Any) -> Coded:
    """A CodeableConcept of one of HL7's own code systems."""
    return Coded(name, OneSystem(HL7 + system, words), **options)


def same(*codes: str) -> dict[str, str]:
    """FHIR's codes under their own names."""
    return {c: c for c in codes}


def site(c: Clinic) -> Both:
    """A body site with its side (clinical model, decision 15): the side is an extension and part of the text."""
    name, sites, sides = "site", c.codes["sites"], code_set("sides")

    def label(row: Row, language: str) -> str:
        token, side = row.get(name), row.get("side")
        if token not in sites:
            return ""
        text = sites.label(str(token), language)
        return f"{text}, {sides.label(str(side), language).lower()}" if side in sides else text

    def labels(token: str, language: str) -> list[str]:
        return [label({name: token, "side": side}, language) for side in (None, *sides)]

    return Both(
        {"extension": [ext("laterality", valueCodeableConcept=word("side", "sides"))]},
        Coded(name, sites, f"{name}_text", open=True, label=label, labels=labels, mark=f"mesofhir-{name}"),
    )


def status_copy(words: Mapping[str, str], alone: Mapping[str, str]) -> Echo:
    """A status that another resource of the row owns; ``alone``: what it says where that one is missing."""
    known = frozenset(words.values())
    codec = Codec(lambda v, _: words[v], fits=lambda x, _: x in known)
    return Echo("status", codec, alone=alone.__getitem__, decisive=True)


CERTAINTY: Final = "condition-ver-status"
SEVERITY: Final = same("mild", "moderate", "severe")

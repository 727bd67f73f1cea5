"""What an EHR's own resources say, and whether they contradict ours: read leniently, believed with caution."""

from typing import Any

import pytest

from mesofhir.mapping.common import STATES
from mesofhir.sync.theirs.foreign import at_odds, in_force, newest, plain, positive, real, state

SCT, ATC = "http://snomed.info/sct", "http://www.whocc.no/atc"
LOINC = "http://loinc.org"


def allergy(*codings: tuple[str, str], **more: Any) -> dict[str, Any]:
    code = {"coding": [{"system": s, "code": c} for s, c in codings]}
    return {"resourceType": "AllergyIntolerance", "id": "1", "code": code, **more}


def status(*codes: str) -> dict[str, Any]:
    return {"coding": [{"code": c} for c in codes]}


@pytest.mark.parametrize(
    ("x", "is_plain", "holds"),
    [
        (allergy(), True, True),
        (allergy(clinicalStatus=status("active"), verificationStatus=status("confirmed")), True, True),
        (allergy(clinicalStatus=status("attiva")), False, True),  # a word of its own: who knows?
        (allergy(clinicalStatus={"text": "inattiva"}), False, True),
        (allergy(clinicalStatus=status("I", "inactive")), True, False),  # translated beside
        (allergy(verificationStatus={"text": "smentita"}), False, True),
        (allergy(verificationStatus=status("refuted")), True, True),
        (allergy(modifierExtension=[{"url": "https://x/negated", "valueBoolean": True}]), False, True),
        ({"resourceType": "Condition", "abatementString": "anni fa"}, True, False),
    ],
)
def test_what_is_read_for_sure(x: dict[str, Any], is_plain: bool, holds: bool) -> None:
    assert (plain(x), in_force(x)) == (is_plain, holds)


@pytest.mark.parametrize(
    ("codings", "is_positive"),
    [
        ([(SCT, "716186003")], False),
        ([(SCT, "409137002"), (SCT, "716186003")], False),
        ([(SCT, "409137002"), (ATC, "M01AE03")], True),
        ([(ATC, "M01AE03")], True),
        ([], True),
    ],
)
def test_none_known_in_whatever_codings(codings: list[tuple[str, str]], is_positive: bool) -> None:
    assert positive(allergy(*codings)) is is_positive


def test_what_is_refuted_or_in_error_is_not_real() -> None:
    assert real(allergy())
    assert not real(allergy(verificationStatus=status("local", "refuted")))
    assert not real({"resourceType": "Observation", "status": "entered-in-error"})


def said(yes: bool, start: str = "", end: str = "", kind: str = "pregnancy", **more: Any) -> dict[str, Any]:
    """An Observation: at a moment, or from ``start`` to ``end`` (``…``: open)."""
    s = STATES[kind]
    times = {"effectivePeriod": {"start": start} | ({"end": end} if end != "…" else {})} if end else {}
    times |= {"effectiveDateTime": start} if start and not end else {}
    value = {"coding": [{"system": s.system, "code": s.yes if yes else s.no}]}
    code = {"coding": [{"system": "urn:local", "code": "GRAV"}, {"system": LOINC, "code": s.loinc}]}
    base = {"resourceType": "Observation", "id": "1", "status": "final", "code": code}
    return base | {"valueCodeableConcept": value} | times | more


@pytest.mark.parametrize(
    ("ours", "theirs", "odds"),
    [
        (said(False, "2026-02-01"), said(True, "2026-02-01"), True),
        (said(False, "2026-02-01"), said(True, "2026-03-01T10:00:00Z"), True),  # later, and what the clinic relies on
        (said(False, "2026-02-01"), said(True, "2025-12-20"), True),  # not known to be over
        (said(False, "2026-02-01"), said(True, "2025-06", "2026-01-10"), False),  # over when we asked
        (said(False, "2026-02-01"), said(True, "2024-11-01"), False),  # no pregnancy lasts so long
        (said(False, "2026-02-01"), said(False, "2026-02-01"), False),
        (said(True, "2026-01", "…"), said(False, "2026-03-01"), True),
        (said(True, "2026-01", "…"), said(False, "2025-12-31"), False),  # before it began
        (said(True, "2026-01", "2026-02"), said(False, "2026-06-01"), False),  # after it was over
        (said(True, "2026-01", "2026-02"), said(False, "2026-02-15"), True),
        (said(True), said(False, "2020"), True),  # of no time
        (said(False, "2026"), said(True, "2025-03"), True),  # as far as it can be told
        (said(False, "2026-02-01"), said(True, "2026-02-01", kind="breastfeeding"), False),
        (said(False, "2026-02-01", kind="breastfeeding"), said(True, "2026-01", kind="breastfeeding"), True),
        (said(False, "2026-02-01"), said(True, "2026-02-01", status="entered-in-error"), False),
        (said(False, "2026-02-01"), said(True, "2026-02-01", status="preliminary"), False),
        (said(False, "2026-02-01", status="entered-in-error"), said(True, "2026-02-01"), False),
        (said(False, "2026-02-01"), said(True, "2026-02-01", modifierExtension=[{"url": "x"}]), False),
        (said(False, "2026-02-01"), said(True, "2026-02-01", valueCodeableConcept={"text": "incinta"}), False),
    ],
)
def test_states_at_odds(ours: dict[str, Any], theirs: dict[str, Any], odds: bool) -> None:
    assert at_odds(ours, theirs) is odds


def test_what_says_both_says_nothing() -> None:
    s = STATES["pregnancy"]
    both = {"coding": [{"system": s.system, "code": c} for c in (s.yes, s.no)]}
    assert state(said(True, valueCodeableConcept=both)) is None
    assert state(allergy()) is None
    assert state(said(True, kind="breastfeeding")) == ("breastfeeding", True)


def test_the_newest_counts() -> None:
    old, new, none = said(True, "2026-01-01"), said(False, "2026-01", "…"), said(True)
    assert newest([none, old, new | {"id": "2"}]) == new | {"id": "2"}
    assert newest([]) is None

"""What an EHR's own resource says, read leniently: of which code it is, whether it holds, and of which time. Pure.

An EHR states a status in codes of its own, or as a text alone: such a one holds as far as caution goes (“none known” is
not sent over it), and stands for none of ours (:func:`plain`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mesofhir.fhir.references import own_name
from mesofhir.mapping.common import STATES
from mesofhir.terminology import LOINC, code_set

CODED: Final = {
    "AllergyIntolerance": "code",
    "Condition": "code",
    "MedicationStatement": "medicationCodeableConcept",
    "Observation": "code",
}
"""The types that are looked at, and which of their elements says what they are."""
_NOT_REAL: Final = frozenset({"refuted", "entered-in-error"})
_OVER: Final = frozenset({"inactive", "resolved", "remission", "completed", "stopped", "entered-in-error", "not-taken"})
_HELD: Final = frozenset({"active", "recurrence", "relapse"})
_VERIFIED: Final = frozenset({"confirmed", "unconfirmed", "provisional", "differential"})
_SAID: Final = frozenset({"final", "amended", "corrected"})
Resource = Mapping[str, Any]


def about(x: Resource) -> str:
    """The literal reference to its patient; "" if there is none."""
    subject = x.get("patient") or x.get("subject") or {}
    return str(subject.get("reference", "")) if isinstance(subject, dict) else ""


def pairs(x: Resource) -> list[tuple[str, str]]:
    """System and code of each coding that says what it is."""
    return list(_codings(x.get(CODED[str(x["resourceType"])])))


def real(x: Resource) -> bool:
    """Neither refuted nor entered in error."""
    return not _codes(x, "verificationStatus") & _NOT_REAL and x.get("status") != "entered-in-error"


def in_force(x: Resource) -> bool:
    """Nothing says that it is over."""
    over = (_codes(x, "clinicalStatus") | {str(x.get("status"))}) & _OVER
    return not over and not any(element.startswith("abatement") for element in x)


def plain(x: Resource) -> bool:
    """Is all that decides what it says read for sure? A status that is stated has a code that we know, and no modifier
    changes its meaning (http://hl7.org/fhir/R4/extensibility.html#modifierExtension)."""
    return not x.get("modifierExtension") and all(
        not x.get(element) or _codes(x, element) & known
        for element, known in (("clinicalStatus", _HELD | _OVER), ("verificationStatus", _VERIFIED | _NOT_REAL))
    )


def positive(x: Resource) -> bool:
    """Not a negated one (no known allergy)."""
    negated, substances = code_set("no_known"), code_set("substances")
    said = pairs(x)
    return not any(negated.token_of(*p) for p in said) or any(substances.token_of(*p) for p in said)


# --- pregnancy and breastfeeding ------------------------------------------------------------------------------


def state(x: Resource) -> tuple[str, bool] | None:
    """Of an Observation of such a state: its kind, and whether it says yes; None for anything else, or if it says
    neither."""
    kinds = {kind for kind, s in STATES.items() if (LOINC, s.loinc) in pairs(x)}
    if len(kinds) != 1 or x.get("status") not in _SAID or x.get("modifierExtension"):
        return None
    [kind] = kinds
    s, values = STATES[kind], set(_codings(x.get("valueCodeableConcept")))
    yes, no = (s.system, s.yes) in values, (s.system, s.no) in values
    return (kind, yes) if yes != no else None


def at_odds(ours: Resource, theirs: Resource) -> bool:
    """Do two Observations of a state say the opposite of the time of which ours speaks?

    A state lasts: what was said later than ours began is at odds with it, unless ours was over by then; what was said
    earlier only if it says yes, is not known to be over, and not more than a year older: no pregnancy lasts so long,
    and whoever was asked about breastfeeding a year ago is asked again.
    """
    a, b = state(ours), state(theirs)
    if a is None or b is None or a[0] != b[0] or a[1] == b[1]:
        return False
    (start, end), (began, ended) = _time(ours), _time(theirs)
    if not start or not began:
        return True  # of no time: nobody can tell them apart
    if began >= start:
        return not end or began <= end
    return b[1] and (not ended or ended >= start) and began >= _a_year_before(start)


def newest(observations: list[Resource]) -> Resource | None:
    """The one of the latest time; one without a time before all others."""
    return max(observations, key=lambda x: (_time(x)[0], own_name(x)), default=None)


def _time(x: Resource) -> tuple[str, str]:
    """First and last day, each ``YYYY-MM-DD``; "" where it does not say, or has not ended. A state that was asked about
    at a moment has no end."""
    period = x.get("effectivePeriod")
    if isinstance(period, dict):
        return _day(period.get("start"), "-01"), _day(period.get("end"), "-31")
    return _day(x.get("effectiveDateTime") or x.get("effectiveInstant"), "-01"), ""


def _day(date: Any, rest: str) -> str:
    """A date that may be partial, at its first or last day."""
    text = date[:10] if isinstance(date, str) else ""
    return text and f"{text}{rest if len(text) > 4 else ('-12' if rest == '-31' else '-01') + rest}"[:10]


def _a_year_before(day: str) -> str:
    return f"{int(day[:4]) - 1:04}{day[4:]}" if day[:4].isdigit() else ""


# --- codes --------------------------------------------------------------------------------------------------


def _codings(concept: Any) -> Iterator[tuple[str, str]]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for c in codings if isinstance(codings, list) else ():
        if isinstance(c, dict):
            yield str(c.get("system", "")), str(c.get("code", ""))


def _codes(x: Resource, element: str) -> set[str]:
    return {code for _, code in _codings(x.get(element))}

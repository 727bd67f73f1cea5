"""What a finding stands against, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mesofhir.records.checks import later
from mesofhir.records.contradictions.core import Record, View
from mesofhir.records.contradictions.substances import contains

TOOK_PLACE: Final = frozenset({"done", "running", "stopped"})


def day(moment: str | None) -> str | None:
    """A moment as a day: what happens on one day happens together."""
    return moment[:10] if moment else None


def surely_later(a: str | None, b: str | None) -> bool:
    """Is the day ``a`` surely after the day ``b``? Not where either is not stated."""
    a, b = day(a), day(b)
    return bool(a and b and later(a, b))


def begins(finding: Record) -> str | None:
    """From when it holds, as far as the record says."""
    begun: str | None = finding["since"] or finding["found"]
    return begun


def open_(finding: Record) -> bool:
    """Does it hold to this day, with nothing that eased it?"""
    return not finding["mitigation"] and not finding["until"]


def outside(finding: Record, session: Record) -> bool:
    """Was the session surely before the finding held, or surely after it held or was eased?"""
    start = session["start"]
    if surely_later(begins(finding), start) or surely_later(start, finding["until"]):
        return True
    if not finding["mitigation"]:
        return False
    return not finding["mitigated"] or not surely_later(finding["mitigated"], start)


def at_site(finding: Record, place: Record) -> bool:
    """Do both name the same site, and no two different sides?"""
    sides = {finding["side"], place["side"]} - {None, "both"}
    return finding["site"] is not None and finding["site"] == place["site"] and len(sides) < 2


def against_cycle(view: View, finding: Record, cycle: Record) -> bool:
    """Is the cycle as a whole what a finding stands against? Named, or by its scope; one against a substance is not."""
    scope = view.strengths.scope(finding, cycle["protocol"])
    if scope == "substance":
        return False
    return scope == "any" or finding["cycle"] == cycle.key or at_site(finding, cycle)


def against_session(view: View, finding: Record, session: Record) -> bool:
    """The same of a session; one without a site of its own is at its cycle's."""
    cycle = view.above(session)
    if view.strengths.scope(finding, cycle["protocol"]) == "substance":
        return any(view_mixtures(view, finding, session))
    place = session if session["site"] or session["site_text"] else cycle
    return finding["session"] == session.key or against_cycle(view, finding, cycle) or at_site(finding, place)


def view_mixtures(view: View, finding: Record, session: Record) -> Iterator[tuple[Record, str]]:
    """The mixtures of a session that contain the substance of a finding, and at which field."""
    for mixture in view.inside("mixtures", session):
        for field in contains(view, mixture, finding):
            yield mixture, field

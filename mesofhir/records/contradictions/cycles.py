"""Rules of cycles and their sessions: G4, G5, G9, G10."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Final

from mesofhir.records.contradictions.core import Clash, Record, View, rule
from mesofhir.records.contradictions.held import TOOK_PLACE, day, surely_later

_BEGUN: Final = frozenset({"running", "on-hold", "stopped", "done"})
_GAP: Final = (3, 21)  # days between two sessions of an attack cycle


def _delivered(view: View, cycle: Record) -> list[Record]:
    return [s for s in view.inside("sessions", cycle) if s["status"] == "done"]


@rule(
    "G4",
    "error; warning for period and count",
    "Two sessions of a cycle have the same number. A session took place outside the period of its cycle. The cycle "
    "counts another number of delivered sessions than it has done (stopped or running ones may count).",
    "sessions.number",
    "sessions.start",
    "cycles.start",
    "cycles.end",
    "cycles.sessions_done",
    "cycles.sessions",
)
def g4(view: View) -> Iterator[Clash]:
    for cycle in view.all("cycles"):
        sessions = view.inside("sessions", cycle)
        numbered: dict[int, Record] = {}
        for session in sessions:
            first = numbered.setdefault(session["number"], session) if session["number"] else session
            if first is not session:
                yield "error", "two sessions of a cycle with the same number", first.at("number"), session.at("number")
            if surely_later(cycle["start"], session["start"]):
                what = "a session before the start of its cycle"
                yield "warning", what, session.at("start"), cycle.at("start")
            if surely_later(session["start"], cycle["end"]):
                yield "warning", "a session after the end of its cycle", session.at("start"), cycle.at("end")
        done, maybe = (sum(s["status"] in words for s in sessions) for words in ({"done"}, TOOK_PLACE))
        if sessions and cycle["sessions_done"] is not None and not done <= cycle["sessions_done"] <= maybe:
            what = "another number of delivered sessions than the sessions that are done"
            yield "warning", what, cycle.at("sessions_done"), cycle.at("sessions")


@rule(
    "G5",
    "warning",
    "Two sessions of an attack cycle follow each other in less than 3 or more than 21 days. More sessions were "
    "delivered than were planned at most, or in a cycle that is done fewer than at least.",
    "sessions.start",
    "cycles.sessions_done",
    "cycles.sessions",
    "cycles.sessions_min",
    "cycles.sessions_max",
)
def g5(view: View) -> Iterator[Clash]:
    for cycle in view.all("cycles"):
        if cycle["phase"] == "attack":
            for before, after in pairwise(_by_day(view, cycle)):
                if not _GAP[0] <= (_date(after) - _date(before)).days <= _GAP[1]:
                    what = "two sessions of an attack cycle with less than 3 or more than 21 days between them"
                    yield "warning", what, before.at("start"), after.at("start")
        yield from _count(view, cycle)


def _by_day(view: View, cycle: Record) -> list[Record]:
    """The sessions that took place on a day that is known, in that order."""
    sessions = [s for s in view.inside("sessions", cycle) if s["status"] in TOOK_PLACE]
    return sorted((s for s in sessions if _date(s) != date.max), key=lambda s: (_date(s), s.key))


def _date(session: Record) -> date:
    """The day of a session; the last of all days where it is not known, or no day of the calendar."""
    try:
        return date.fromisoformat(day(session["start"]) or "")
    except ValueError:  # `2026-03` too
        return date.max


def _count(view: View, cycle: Record) -> Iterator[Clash]:
    counted = cycle["sessions_done"] is not None
    delivered = cycle["sessions_done"] if counted else len(_delivered(view, cycle))
    side = cycle.at("sessions_done" if counted else "sessions")
    most = "sessions_max" if cycle["sessions_max"] else "sessions_min"
    if cycle[most] and delivered > cycle[most]:
        yield "warning", "more sessions were delivered than were planned", side, cycle.at(most)
    known = counted or view.inside("sessions", cycle)
    if cycle["status"] == "done" and known and cycle["sessions_min"] and delivered < cycle["sessions_min"]:
        what = "a cycle that is done, and fewer sessions delivered than were planned"
        yield "warning", what, side, cycle.at("sessions_min")


@rule(
    "G9",
    "warning",
    "An antalgic cycle that has begun, and no pain score before it (`baseline`).",
    "cycles.purpose",
    "cycles.scores",
)
def g9(view: View) -> Iterator[Clash]:
    for cycle in view.all("cycles"):
        points = {score["point"] for score in view.inside("scores", cycle)}
        if cycle["purpose"] == "antalgic" and cycle["status"] in _BEGUN and "baseline" not in points:
            yield "warning", "an antalgic cycle, and no baseline pain score", cycle.at("purpose"), cycle.at("scores")


@rule(
    "G10",
    "warning",
    "Whoever performs a session is stated to be no physician (a profession that is not stated, or of another code "
    "system, says nothing).",
    "sessions.performer",
    "practitioners.profession",
)
def g10(view: View) -> Iterator[Clash]:
    for session in view.all("sessions"):
        performer = view.get("practitioners", session["performer"])
        profession = performer["profession"] if performer else None
        if performer and profession and profession != "physician" and "|" not in profession:
            what = "a session, and a performer who is no physician"
            yield "warning", what, session.at("performer"), performer.at("profession")

"""Rules of contraindication findings: G1, G2, G6, G12."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mesofhir.records.contradictions.core import Clash, Fact, Record, View, rule
from mesofhir.records.contradictions.held import (
    TOOK_PLACE,
    against_cycle,
    against_session,
    begins,
    open_,
    outside,
    surely_later,
    view_mixtures,
)

_IN_FORCE: Final = frozenset({"planned", "running"})  # an active cycle-request, plan or Procedure
_OF_WOMEN: Final = frozenset({"pregnancy", "breastfeeding"})


@rule(
    "G1",
    "error",
    "An absolute contraindication that is still open (no mitigation, no end) stands against a cycle that is planned or "
    "running, by name or by its scope. In a cycle that is over: against a session that took place, or a mixture that "
    "was given, while it held.",
    "findings.kind",
    "cycles.status",
    "sessions.status",
    "mixtures.substance",
)
def g1(view: View) -> Iterator[Clash]:
    for finding in view.all("findings"):
        for cycle in view.all("cycles"):
            if view.strengths.strength(finding, cycle["protocol"]) != "absolute":
                continue
            in_force = cycle["status"] in _IN_FORCE and not surely_later(begins(finding), cycle["end"])
            if in_force and open_(finding) and against_cycle(view, finding, cycle):
                what = "an open absolute contraindication, and a cycle that is planned or running"
                yield "error", what, finding.at("kind"), cycle.at("status")
            else:
                yield from _while_it_held(view, finding, cycle)


def _while_it_held(view: View, finding: Record, cycle: Record) -> Iterator[Clash]:
    substance = view.strengths.scope(finding, cycle["protocol"]) == "substance"
    for session in view.inside("sessions", cycle):
        if session["status"] not in TOOK_PLACE or outside(finding, session):
            continue
        if substance and finding["kind"] not in _OF_WOMEN and finding["allergy"] is None:  # these are G6's and G3's
            for mixture, field in view_mixtures(view, finding, session):
                what = "an absolute contraindication against a substance, and a mixture with it, given while it held"
                yield "error", what, finding.at("kind"), mixture.at(field)
        elif not substance and against_session(view, finding, session) and _known_when(finding, session):
            what = "an absolute contraindication, and a session that took place while it held"
            yield "error", what, finding.at("kind"), session.at("status")


def _known_when(finding: Record, session: Record) -> bool:
    """Do the dates say that the finding held at the session, or does the finding name it?"""
    return finding["session"] == session.key or bool(begins(finding) and session["start"])


@rule(
    "G2",
    "error",
    "A session or cycle was not done, held or stopped because of a contraindication, and no finding names it.",
    "sessions.reason",
    "cycles.reason",
    "patients.findings",
)
def g2(view: View) -> Iterator[Clash]:
    named = {finding["session"] for finding in view.all("findings")}
    cycles = {finding["cycle"] for finding in view.all("findings")}
    for session in view.all("sessions"):
        if session["reason"] == "contraindicated" and not {session.key} & named and session["of"] not in cycles:
            what = "a session that was contraindicated, and no finding that names it or its cycle"
            yield "error", what, session.at("reason"), view.patient.at("findings")
    for cycle in view.all("cycles"):
        within = {session.key for session in view.inside("sessions", cycle)}
        if cycle["reason"] == "contraindicated" and cycle.key not in cycles and not within & named:
            what = "a cycle that was contraindicated, and no finding that names it or a session of it"
            yield "error", what, cycle.at("reason"), view.patient.at("findings")


@rule(
    "G6",
    "warning",
    "Pregnancy or breastfeeding stands against one substance, and a mixture that was given while it held has it. (With "
    "the scope `any` it is G1.)",
    "findings.substance",
    "mixtures.substance",
)
def g6(view: View) -> Iterator[Clash]:
    for finding in view.all("findings"):
        for session in view.all("sessions") if finding["kind"] in _OF_WOMEN else ():
            scope = view.strengths.scope(finding, view.above(session)["protocol"])
            if scope == "substance" and not outside(finding, session):
                for mixture, field in view_mixtures(view, finding, session):
                    what = "a finding that stands against a substance, and a mixture with it, given while it held"
                    yield "warning", what, _substance(finding), mixture.at(field)


def _substance(finding: Record) -> Fact:
    return finding.at("substance" if finding["substance"] else "substance_text")


@rule(
    "G12",
    "warning",
    "A relative contraindication or a precaution that nothing eased, and the next session that was done after it.",
    "findings.kind",
    "sessions.status",
)
def g12(view: View) -> Iterator[Clash]:
    for finding in view.all("findings"):
        for session in _next_done(view, finding):
            what = "a relative contraindication or a precaution without mitigation, and the next session that was done"
            yield "warning", what, finding.at("kind"), session.at("status")


def _next_done(view: View, finding: Record) -> list[Record]:
    """The first session done after the finding, of those against which it stands, if nothing eased it before."""
    found = finding["found"] or finding["since"]
    sessions = [
        session
        for session in view.all("sessions")
        if session["status"] == "done"
        and view.strengths.strength(finding, view.above(session)["protocol"]) != "absolute"
        and (finding["session"] == session.key or (found and session["start"]))
        and not surely_later(found, session["start"])
        and against_session(view, finding, session)
    ]
    first = sorted(sessions, key=lambda session: (session["start"] or "", session.key))[:1]
    return [session for session in first if not outside(finding, session)]

"""What goes with a cycle: maintenance and repetition, combined therapies and alternatives, goals
(facts 3, 4, 18, 34 to 36)."""

from mesofhir.fhir.elements import TEXT, Status, note, period, quantity
from mesofhir.fhir.picture import Decoration, Field, Start
from mesofhir.mapping.clinic import Clinic, Shape, ext
from mesofhir.mapping.common import WITHDRAWN, coded, defined, hl7, same, word
from mesofhir.mapping.cycles import timing
from mesofhir.terminology import LOCAL, LOINC

_REQUEST = same("completed", "revoked", "on-hold", WITHDRAWN)


def _continuation(c: Clinic) -> Shape:
    """Maintenance sessions, or the cycle repeated: further requests (facts 3, 4)."""
    return c.shape(
        "continuations",
        "ServiceRequest",
        {
            "extension": [
                ext("cycle-phase", valueCodeableConcept=word("phase", "phases")),
                ext("planned-period", valuePeriod=period("start", "end")),
            ],
            "basedOn": [c.parent("cycles", "ServiceRequest")],
            "status": Status("status", _REQUEST, default="active"),
            "intent": Start("plan"),
            "code": defined("mesotherapy-cycle"),
            "occurrenceTiming": timing(),
            "note": note("note"),
        },
        profiled="mesotherapy-cycle-request",
    )


def _therapy(c: Clinic) -> Shape:
    """A combined therapy is planned, an alternative proposed (facts 18, 36)."""
    return c.shape(
        "therapies",
        "ServiceRequest",
        {
            "status": Status("status", _REQUEST, default="active"),
            "intent": Status("role", {"combined": "plan", "alternative": "proposal"}),
            "category": Decoration({"coding": [{"system": LOCAL, "code": "combined-therapy"}]}),
            "code": coded(c, "therapy", "therapies"),
            "occurrencePeriod": period("start", "end"),
            "supportingInfo": [c.parent("cycles", "ServiceRequest")],
            "note": note("note"),
        },
    )


def _goal(c: Clinic) -> Shape:
    """Pain is the measured outcome (facts 34, 35)."""
    lifecycle = same(
        "proposed",
        "planned",
        "accepted",
        "active",
        "on-hold",
        "completed",
        "cancelled",
        "rejected",
        WITHDRAWN,
    )
    achievement = same(
        "in-progress", "improving", "worsening", "no-change", "achieved", "sustaining", "not-achieved",
        "no-progress", "not-attainable",
    )  # fmt: skip
    return c.shape(
        "goals",
        "Goal",
        {
            "lifecycleStatus": Status("status", lifecycle),
            "achievementStatus": hl7("achievement", "goal-achievement", achievement),
            "description": {"text": Field("text", TEXT)},
            "startDate": Field("start", TEXT),
            "target": [
                {
                    "id": "mesofhir-target",
                    "measure": {"coding": [{"system": LOINC, "code": "72514-3"}]},
                    "detailQuantity": quantity("target", "{score}"),
                    "dueDate": Field("due", TEXT),
                }
            ],
            "addresses": [c.parent("cycles", "ServiceRequest")],
            "note": note("note"),
        },
        profiled="pain-goal",
    )


def shapes(c: Clinic) -> list[Shape]:
    """All that goes with a cycle."""
    return [_continuation(c), _therapy(c), _goal(c)]

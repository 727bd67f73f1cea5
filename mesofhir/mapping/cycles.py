"""A cycle: its plan (CarePlan), what was ordered (ServiceRequest), what became of it (Procedure)
(facts 1 to 11, 17; clinical model, decisions 1 to 3)."""

from typing import Any

from mesofhir.fhir.elements import DECIMAL, INTEGER, Status, note, period, table
from mesofhir.fhir.picture import Along, Codec, Field, Start
from mesofhir.mapping.clinic import Clinic, Shape, ext
from mesofhir.mapping.common import WITHDRAWN, coded, defined, same, site, status_copy, word
from mesofhir.terminology import BASE, code_set

_PROCEDURE = {
    "running": "in-progress",
    "on-hold": "on-hold",
    "stopped": "stopped",
    "done": "completed",
    "not-done": "not-done",
    WITHDRAWN: WITHDRAWN,
}
_PLAN = {
    "planned": "draft",
    "running": "active",
    "on-hold": "on-hold",
    "stopped": "revoked",
    "done": "completed",
    "not-done": "revoked",
    WITHDRAWN: WITHDRAWN,
}
_PLAN_ALONE = {
    "draft": "planned",
    "active": "running",
    "on-hold": "on-hold",
    "completed": "done",
    WITHDRAWN: WITHDRAWN,
}


def timing() -> dict[str, Any]:
    """How many sessions, how often, how long (Timing.repeat; clinical model, decision 3)."""
    return {
        "repeat": {
            "count": Field("sessions_min", INTEGER),
            "countMax": Field("sessions_max", INTEGER),
            "duration": Field("minutes_min", DECIMAL),
            "durationMax": Field("minutes_max", DECIMAL),
            "durationUnit": Along(("minutes_min", "minutes_max"), "min"),
            "frequency": Along(("interval", "interval_max", "interval_unit"), 1),
            "period": Field("interval", DECIMAL),
            "periodMax": Field("interval_max", DECIMAL),
            "periodUnit": Field("interval_unit", table(same("d", "wk", "mo"))),
        }
    }


def _protocol() -> Codec:
    """A protocol is an ActivityDefinition of ours, or any canonical URL."""
    root = f"{BASE}/ActivityDefinition/"
    ours = code_set("protocols")

    def back(x: Any, _: Any) -> str:
        name = str(x).removeprefix(root)
        return name if name in ours else str(x)

    return Codec(lambda v, _: root + v if v in ours else v, back, mark="protocol")


def shapes(c: Clinic) -> list[Shape]:
    """The Procedure owns what became of the cycle; a cycle that is only planned has none yet."""
    purpose = [
        ext("treatment-purpose", valueCodeableConcept=word("purpose", "purposes")),
        ext("treatment-approach", valueCodeableConcept=word("approach", "approaches")),
        ext("cycle-phase", valueCodeableConcept=word("phase", "phases")),
    ]
    procedure = {
        "extension": [*purpose, ext("sessions-delivered", valueUnsignedInt=Field("sessions_done", INTEGER))],
        "basedOn": [c.own("cycles", "ServiceRequest")],
        "status": Status("status", _PROCEDURE),
        "statusReason": coded(c, "reason", "status_reasons"),
        "code": defined("mesotherapy-cycle"),
        "performedPeriod": period("start", "end"),
        "reasonReference": [c.refs("indications", "conditions", "Condition")],
        "bodySite": [site(c)],
        "outcome": coded(c, "outcome", "outcomes"),
        "note": note("note"),
    }
    request = {
        "extension": purpose,
        "instantiatesCanonical": [Field("protocol", _protocol())],
        "status": status_copy({**_PLAN, "planned": "active"}, {**_PLAN_ALONE, "active": "planned"}),
        "intent": Start("plan"),
        "code": defined("mesotherapy-cycle"),
        "occurrenceTiming": timing(),
        "requester": c.ref("physician", "practitioners", "Practitioner"),
        "reasonReference": [c.refs("indications", "conditions", "Condition")],
        "bodySite": [site(c)],
    }
    plan = {
        "status": status_copy(_PLAN, _PLAN_ALONE),
        "intent": Start("plan"),
        "category": [defined("mesotherapy-plan")],
        "period": period("start", "end"),
        "author": c.ref("physician", "practitioners", "Practitioner"),
        "addresses": [c.refs("indications", "conditions", "Condition")],
        "supportingInfo": [
            c.refs("background", "conditions", "Condition"),
            c.refs("medicines", "medicines", "MedicationStatement"),
            c.refs("consents", "consents", "Consent"),
            c.links("allergies", "AllergyIntolerance"),
            c.links("exclusions", "AllergyIntolerance"),
            c.links("exclusions", "Observation"),
        ],
        "goal": [c.links("goals", "Goal")],
        "activity": [
            {
                "id": "mesofhir-cycle",
                "outcomeReference": [c.own("cycles", "Procedure")],
                "reference": c.own("cycles", "ServiceRequest"),
            },
            c.activities("continuations"),
            c.activities("therapies"),
        ],
        "note": note("note"),
    }
    return [
        c.shape(
            "cycles", "Procedure", procedure,
            profiled="mesotherapy-cycle", takes=lambda row: row["status"] != "planned",
        ),
        c.shape("cycles", "CarePlan", plan, profiled="mesotherapy-careplan"),
        c.shape("cycles", "ServiceRequest", request, profiled="mesotherapy-cycle-request"),
    ]  # fmt: skip

"""A session: booked (ServiceRequest), what became of it (Procedure), the visit (Encounter)
(facts 6 to 9, 17, 27, 37; clinical model, decisions 1 and 14)."""

from typing import Any

from mesofhir.fhir.elements import INTEGER, TEXT, TIME, Status, note, period, quantity
from mesofhir.fhir.picture import ABSENT_REASON, Absent, Along, Always, Computed, Each, Echo, Field, Row, Start
from mesofhir.mapping.clinic import Clinic, Shape, ext
from mesofhir.mapping.common import WITHDRAWN, coded, defined, site, status_copy
from mesofhir.terminology import ACT_CODE, ROUTE, SCT, code_set

_PROCEDURE = {"running": "in-progress", "done": "completed", "stopped": "stopped", WITHDRAWN: WITHDRAWN}
_REQUEST = {
    "planned": "active",
    "running": "active",
    "done": "completed",
    "stopped": "revoked",
    "not-done": "revoked",
    WITHDRAWN: WITHDRAWN,
}
_REQUEST_ALONE = {"active": "planned", "completed": "done", WITHDRAWN: WITHDRAWN}
_VISIT = {"running": "in-progress", "done": "finished", "stopped": "finished", WITHDRAWN: WITHDRAWN}
_METHOD = "http://hl7.org/fhir/StructureDefinition/procedure-method"
_NEEDLE = {"coding": [{"system": SCT, "code": "79068005", "display": Start("Needle, device")}]}
_BOOKED = ("planned_start", "planned_end", "moved_from")


def _booked(row: Row) -> bool:
    withdrawn_plan = row["status"] == WITHDRAWN and row.get("^status") == "planned"
    return row["status"] == "planned" or withdrawn_plan or any(name in row for name in _BOOKED)


def _took_place(row: Row) -> bool:
    return row["status"] in _PROCEDURE and row.get("^status") != "planned"


def shapes(c: Clinic) -> list[Shape]:
    """The Procedure owns what became of the session; one that is only planned has none yet."""
    number = ext("session-number", valuePositiveInt=Field("number", INTEGER))
    whose = {
        "partOf": [c.parent("cycles", "Procedure")],
        "basedOn": [c.own("sessions", "ServiceRequest")],
        "code": defined("mesotherapy-session"),
        "performer": [{"actor": c.ref("performer", "practitioners", "Practitioner")}],
        "location": {"display": Field("place", TEXT)},
        "bodySite": [site(c)],
        "statusReason": coded(c, "reason", "status_reasons"),
        "followUp": [{"id": "mesofhir-follow-up", "text": Field("follow_up", TEXT)}],
        "note": note("note"),
    }
    done = whose | {
        "extension": [
            number,
            {
                "url": _METHOD,
                "valueCodeableConcept": coded(
                    c, "technique", "techniques", beside=[{"system": ROUTE, "code": "IDINJ"}]
                ),
            },
            ext("injection-depth", valueQuantity=quantity("depth", "mm")),
            ext("injection-points", valuePositiveInt=Field("points", INTEGER)),
            ext("needle-length", valueQuantity=quantity("needle_length", "mm")),
            ext("needle-gauge", valuePositiveInt=Field("needle_gauge", INTEGER)),
        ],
        "status": Status("status", _PROCEDURE),
        "performedPeriod": period("start", "end"),
        "encounter": c.own("sessions", "Encounter"),
        "usedCode": Along(("needle_length", "needle_gauge"), [_NEEDLE]),
        "complication": Computed(_complications),
    }
    not_done = whose | {
        "extension": [number],
        "status": Status("status", {"not-done": "not-done"}),
        "performedPeriod": Always(
            {
                "extension": [{"url": ABSENT_REASON, "valueCode": "not-performed"}],
                "start": Absent(),
                "end": Absent(),
            }
        ),
    }
    booked = {
        "extension": [
            number,
            Each("moved_from", ext("earlier-date", valueDateTime=Field("", TIME))),
        ],
        "basedOn": [c.parent("cycles", "ServiceRequest")],
        "status": status_copy(_REQUEST, _REQUEST_ALONE),
        "intent": "plan",
        "code": defined("mesotherapy-session"),
        "occurrencePeriod": period("planned_start", "planned_end"),
        "performer": [c.ref("performer", "practitioners", "Practitioner")],
        "locationCode": [{"id": "mesofhir-place", "text": Field("place", TEXT)}],
        "bodySite": [site(c)],
        "note": note("note"),
    }
    visit = {
        "status": status_copy(_VISIT, {}),
        "class": {"system": ACT_CODE, "code": "AMB"},
        "period": period(Echo("start", TIME), Echo("end", TIME)),
        "participant": [{"individual": c.copy("performer", "practitioners", "Practitioner")}],
    }
    return [
        c.shape("sessions", "Procedure", done, profiled="mesotherapy-session", takes=_took_place),
        c.shape(
            "sessions", "Procedure", not_done,
            profiled="mesotherapy-session", takes=lambda row: row["status"] == "not-done",
        ),
        c.shape("sessions", "ServiceRequest", booked, profiled="mesotherapy-session-request", takes=_booked),
        c.shape("sessions", "Encounter", visit, takes=_took_place),
    ]  # fmt: skip


def _complications(row: Row, world: Any) -> Any:
    """The unexpected effects, so that the session says it where the effects' own resources are refused."""
    codes, found = code_set("reactions"), []
    for effect in row.get("@unexpected", ()):
        codings = [{"system": x.system, "code": x.code, "display": x.display} for x in codes[effect].codings]
        found.append({"coding": codings, "text": codes.label(effect, world.language)})
    return found or None

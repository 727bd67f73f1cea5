"""Aftercare and preparation: a CarePlan of its own, each instruction a ServiceRequest
(facts 26, 28, 32; clinical model, decision 6)."""

from typing import Any

from mesofhir.fhir.elements import BOOLEAN, TEXT, TIME, Status, measured_in, note, period, table
from mesofhir.fhir.picture import Along, Computed, Echo, Field, Row, Start
from mesofhir.mapping.clinic import Clinic, Shape, World, ext
from mesofhir.mapping.common import WITHDRAWN, coded, defined, same
from mesofhir.terminology import LOCAL, code_set

_STATUS = same("completed", "revoked", WITHDRAWN)
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"


def shapes(c: Clinic) -> list[Shape]:
    """The plan lists its instructions, the instructions do not list the plan (decision 16)."""
    plan = {
        "basedOn": [c.parent("cycles", "CarePlan")],
        "status": Status("status", _STATUS, default="active"),
        "intent": Start("plan"),
        "category": [defined("aftercare")],
        "period": period("start", "end"),
        "author": c.ref("author", "practitioners", "Practitioner"),
        "supportingInfo": [c.ref("session", "sessions", "Procedure", "ServiceRequest")],
        "activity": [c.activities("instructions")],
        "note": note("note"),
    }
    instruction = {
        "extension": [
            {
                "url": ext("session-window")["url"],
                "extension": [
                    {"url": "relation", "valueCode": Field("window", table(same("before", "after")))},
                    {"url": "duration", "valueQuantity": measured_in("lasts", "lasts_unit")},
                ],
            },
        ],
        "status": Status("status", _STATUS, default="active"),
        "intent": Start("plan"),
        "category": Computed(_category),
        "doNotPerform": Field("avoid", BOOLEAN),
        "code": coded(c, "instruction", "instructions"),
        "occurrencePeriod": period(Echo("^start", TIME), Echo("^end", TIME)),
        "asNeededCodeableConcept": coded(c, "red_flag", "red_flags"),
        "patientInstruction": Field("text", TEXT),
        "_patientInstruction": {
            "extension": [
                {"url": _TRANSLATION, "extension": [
                    {"url": "lang", "valueCode": Along(("translation",), _other_language)},
                    {"url": "content", "valueString": Field("translation", TEXT)},
                ]},
            ]
        },
    }  # fmt: skip
    return [
        c.shape("aftercares", "CarePlan", plan, profiled="aftercare-plan"),
        c.shape("instructions", "ServiceRequest", instruction, profiled="aftercare-instruction"),
    ]


def _other_language(row: Row, world: World) -> str:
    return "it" if world.language == "en" else "en"


def _category(row: Row, world: World) -> Any:
    kind = "preparation" if row.get("window") == "before" else "aftercare"
    kinds = code_set("kinds")
    return [
        {
            "coding": [{"system": LOCAL, "code": kind, "display": kinds.label(kind, "en")}],
            "text": kinds.label(kind, world.language),
        }
    ]

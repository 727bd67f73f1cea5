"""What a session caused: expected reactions are Observations, others Conditions (facts 29 to 31)."""

from collections.abc import Mapping
from typing import Final

from mesofhir.fhir.coded import Only
from mesofhir.fhir.elements import TIME, Status, measured_in, note
from mesofhir.fhir.picture import Field, Row
from mesofhir.mapping.clinic import Clinic, Shape, Takes, ext
from mesofhir.mapping.common import CERTAINTY, HL7, WITHDRAWN, coded, defined, hl7, same, word

UNEXPECTED: Final = frozenset(
    {
        "injection-site-infection",
        "mycobacterial-infection",
        "injection-site-necrosis",
        "injection-site-granuloma",
        "allergic-reaction",
        "urticaria",
        "anaphylaxis",
        "drug-anaphylaxis",
    }
)
"""Effects that are an illness of their own, and a complication of the session (fact 31)."""
_DUE_TO = "http://hl7.org/fhir/StructureDefinition/condition-dueTo"


def unexpected(row: Row) -> bool:
    return row.get("effect") in UNEXPECTED


def shapes(c: Clinic) -> list[Shape]:
    """The condition points to the session by condition-dueTo; the session does not point back (decision 16)."""
    reaction = {
        "status": Status("status", same(WITHDRAWN), default="final"),
        "code": defined("skin-reaction"),
        "partOf": [c.parent("sessions", "Procedure")],
        "effectiveDateTime": Field("onset", TIME),
        "valueCodeableConcept": coded(c, "effect", "reactions"),
        "component": [
            {"code": defined("reaction-duration"), "valueQuantity": measured_in("duration", "duration_unit")},
            {"code": defined("reaction-severity"), "valueCodeableConcept": word("severity", "severities")},
        ],
        "note": note("note"),
    }
    illness = {
        "extension": [
            {"url": _DUE_TO, "valueReference": c.parent("sessions", "Procedure")},
            ext("reaction-duration", valueQuantity=measured_in("duration", "duration_unit")),
        ],
        "code": coded(c, "effect", "reactions"),
        "severity": word("severity", "severities"),
        "onsetDateTime": Field("onset", TIME),
        "note": note("note"),
    }
    stands = {"verificationStatus": Only(HL7 + CERTAINTY, "confirmed")}
    withdrawn = {"verificationStatus": hl7("status", CERTAINTY, same(WITHDRAWN), decisive=True)}

    def condition(state: Mapping[str, object], takes: Takes) -> Shape:
        return c.shape("effects", "Condition", {**state, **illness}, takes=takes)

    return [
        c.shape(
            "effects", "Observation", reaction,
            profiled="skin-reaction", takes=lambda row: not unexpected(row),
        ),
        condition(stands, lambda row: unexpected(row) and row.get("status") is None),
        condition(withdrawn, lambda row: unexpected(row) and row.get("status") is not None),
    ]  # fmt: skip


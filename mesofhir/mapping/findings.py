"""Contraindication findings: the finding is a DetectedIssue, the fact that it rests on its evidence
(facts 19 to 24; clinical model, decisions 4 and 11)."""

from typing import Any

from mesofhir.fhir.coded import Coded, OneSystem, Only
from mesofhir.fhir.elements import BOOLEAN, TEXT, TIME, Status, period, table
from mesofhir.fhir.picture import Absent, Always, Codec, Computed, Echo, Field, Node, Row, Start
from mesofhir.mapping.clinic import Clinic, Essential, Shape, Takes, ext
from mesofhir.mapping.common import CERTAINTY, HL7, STATES, WITHDRAWN, coded, hl7, same, site, word
from mesofhir.terminology import ACT_CODE, LOCAL, LOINC, code_set, issue_codes

_SEVERITY = {"absolute": "high", "relative": "moderate", "precaution": "low"}
_ELSEWHERE = {*STATES, "anticoagulant", "drug-allergy"}
_RESOLVED = ("resolved", "remission", "inactive")


def _withdrawn(row: Row) -> bool:
    return row.get("status") == WITHDRAWN


def _issue_code(row: Row, world: Any) -> Any:
    return issue_codes().get(row.get("kind", ""))


def _is_issue_code(old: Any) -> bool:
    return old in issue_codes().values()


def shapes(c: Clinic) -> list[Shape]:
    """The issue, and its evidence by kind: Condition, Observation or MedicationStatement."""
    return [_issue(c), *_conditions(c), *_observations(c), *_medicines(c)]


def _issue(c: Clinic) -> Shape:
    kinds = Codec(fits=lambda x, _: x in code_set("contraindications"))
    parts = {
        "extension": [
            ext("contraindication-strength", valueCodeableConcept=word("strength", "strengths")),
            ext("contraindication-scope", valueCodeableConcept=word("scope", "scopes")),
            ext("contraindicated-substance", valueCodeableConcept=coded(c, "substance", "substances")),
            ext("contraindicated-site", valueCodeableConcept=site(c)),
            ext("condition-controlled", valueBoolean=Field("controlled", BOOLEAN)),
            ext("held-period", valuePeriod=period("since", "until")),
        ],
        "status": Status("status", same(WITHDRAWN), default="final"),
        "code": {
            "coding": [
                {"system": ACT_CODE, "code": Computed(_issue_code, _is_issue_code, alone=True, follows=True)},
                {"system": LOCAL, "code": Essential("kind", kinds)},
            ]
        },
        "severity": Echo("strength", table(_SEVERITY)),
        "patient": c.ref("patient", "patients", "Patient"),
        "identifiedDateTime": Field("found", TIME),
        "author": c.ref("author", "practitioners", "Practitioner"),
        "implicated": [
            c.ref("cycle", "cycles", "CarePlan"),
            c.ref("session", "sessions", "Procedure", "ServiceRequest"),
        ],
        "evidence": [
            {
                "id": "mesofhir-evidence",
                "detail": [
                    c.ref("allergy", "allergies", "AllergyIntolerance"),
                    c.own("findings", "Condition"),
                    c.own("findings", "Observation"),
                    c.own("findings", "MedicationStatement"),
                ],
            }
        ],
        "detail": Field("detail", TEXT),
        "mitigation": [
            {
                "id": "mesofhir-mitigation",
                "action": {"text": Field("mitigation", TEXT)},
                "date": Field("mitigated", TIME),
            }
        ],
    }
    return c.shape("findings", "DetectedIssue", parts, profiled="mesotherapy-contraindication", subject="patient")


def _conditions(c: Clinic) -> list[Shape]:
    """A lesion or disease. One that has ended is resolved (R4 Condition, con-4); one that is withdrawn is neither
    (con-5), and so has no end: the issue holds the period."""

    def clinical(row: Row, _: Any) -> Any:
        code = "resolved" if row.get("until") is not None else "active"
        return {"coding": [{"system": HL7 + "condition-clinical", "code": code}]}

    def outdated(old: Any) -> bool:
        codes = {x.get("code") for x in old.get("coding") or ()}
        return not codes & set(_RESOLVED)

    def shape(state: dict[str, Any], end: Node, takes: Takes) -> Shape:
        parts = state | {
            "code": Coded("kind", code_set("contraindications"), "finding_text"),
            "bodySite": [site(c)],
            "onsetDateTime": Field("since", TIME),
            "abatementDateTime": end,
        }
        return c.shape("findings", "Condition", parts, takes=takes)

    def lesion(row: Row) -> bool:
        return row["kind"] not in _ELSEWHERE

    stands = {
        "clinicalStatus": Computed(clinical, outdated),
        "verificationStatus": Only(HL7 + CERTAINTY, "confirmed"),
    }
    withdrawn = {
        "clinicalStatus": Absent(),
        "verificationStatus": hl7("status", CERTAINTY, same(WITHDRAWN), decisive=True, required=True),
    }
    return [
        shape(stands, Field("until", TIME), lambda row: lesion(row) and not _withdrawn(row)),
        shape(withdrawn, Absent(), lambda row: lesion(row) and _withdrawn(row)),
    ]


def _observations(c: Clinic) -> list[Shape]:
    """Pregnancy and breastfeeding (after IPS and ISiK)."""
    return [
        c.shape(
            "findings",
            "Observation",
            {
                "status": Status("status", same(WITHDRAWN), default="final"),
                "code": Coded("kind", OneSystem(LOINC, {kind: state.loinc}), decisive=True),
                "effectivePeriod": period("since", "until"),
                "valueCodeableConcept": Always(
                    {"coding": [{"system": state.system, "code": state.yes}], "text": Field("finding_text", TEXT)}
                ),
            },
            profiled=f"{kind}-status",
            takes=lambda row, kind=kind: row["kind"] == kind,  # type: ignore[misc]
        )
        for kind, state in STATES.items()
    ]


def _medicines(c: Clinic) -> list[Shape]:
    """An anticoagulant that is being taken; one whose time has ended is completed."""

    def ended(row: Row) -> bool:
        return isinstance(row.get("until"), str)

    return [
        c.shape(
            "findings",
            "MedicationStatement",
            {
                "status": Status("status", same(WITHDRAWN), default="completed" if over else "active"),
                "category": Start({"coding": [{"system": LOCAL, "code": "anticoagulant"}]}),
                "medicationCodeableConcept": coded(c, "medicine", "substances"),
                "effectivePeriod": period("since", "until"),
            },
            takes=lambda row, over=over: row["kind"] == "anticoagulant" and ended(row) is over,  # type: ignore[misc]
        )
        for over in (False, True)
    ]

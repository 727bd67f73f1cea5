"""Servers of the kinds that mesofhir has presets for: synthetic statements, and what such a vendor refuses.

No vendor's file is copied; the sources are in interop notes of the project and in ``docs/servers.md``.
"""

from typing import Any

from tests.simulated.declared import statement
from tests.simulated.engine import Kind

OURS = (
    "AllergyIntolerance", "CarePlan", "Condition", "Consent", "DetectedIssue", "DocumentReference", "Encounter", "Goal",
    "MedicationAdministration", "MedicationStatement", "Observation", "Patient", "Practitioner", "Procedure",
    "ServiceRequest",
)  # fmt: skip
ALL = ("create", "read", "update", "search-type", "history-instance")
READS = ("read", "search-type")
CREATES = ("create", *READS)
CHANGES = ("create", "update", *READS)


def codes(x: Any, element: str) -> set[str]:
    return {c.get("code") for c in x.get(element, {}).get("coding", ())}


def epic_refuses(x: dict[str, Any]) -> str:
    if x["resourceType"] == "Condition" and codes(x, "verificationStatus") != {"provisional"}:
        return "a Condition must be provisional"
    return ""


def oracle_refuses(x: dict[str, Any]) -> str:
    whole = x.get("status") == "completed" and x.get("code") and x.get("subject")
    if x["resourceType"] == "Procedure" and not whole:
        return "a Procedure must be completed, with code and subject"
    if x["resourceType"] == "AllergyIntolerance" and "biologic" in x.get("category", ()):
        return "the category is not supported"
    return ""


EPIC = Kind(
    "epic-like",
    statement(
        {kind: READS for kind in OURS if kind not in ("Consent", "DetectedIssue")}
        | {"Patient": CREATES, "AllergyIntolerance": CREATES, "Condition": CREATES, "DocumentReference": CHANGES},
        software="Epic-like",
    ),
    epic_refuses,
    echoes=False,
)
ORACLE = Kind(
    "oracle-like",
    statement(
        {kind: READS for kind in OURS if kind not in ("Consent", "DetectedIssue")}
        | {"Patient": CREATES, "Procedure": CREATES}
        | dict.fromkeys(("AllergyIntolerance", "Condition", "DocumentReference"), CHANGES),
        system=["batch"],
        versioning="versioned",
        software="Oracle-like",
    ),
    oracle_refuses,
    stale=409,
)
ATHENA = Kind(
    "athena-like",
    statement({kind: READS for kind in OURS if kind not in ("Consent", "DetectedIssue", "MedicationAdministration")}),
)
READ_ONLY = Kind("read-only", statement(dict.fromkeys(OURS, (*READS, "history-instance"))))
DANISH = Kind(
    "danish-like",
    statement(dict.fromkeys(OURS, ALL), system=["transaction"], conditionalCreate=False, versioning="versioned-update"),
    entries=100,
)
HAPI = Kind(
    "hapi",
    statement(dict.fromkeys(OURS, ALL), system=["transaction"], conditionalCreate=True, versioning="versioned-update"),
    besides=("batch",),
    stale=409,
)
VENDORS = {kind.name: kind for kind in (EPIC, ORACLE, ATHENA, READ_ONLY, DANISH, HAPI)}

WRITTEN = ("create", "read", "update", "delete", "search-type", "history-instance")
PUBLIC = {
    kind.name: kind
    for kind in (
        Kind(
            "medplum-like",  # versions are shown, and If-Match is not promised
            statement(
                dict.fromkeys(OURS, WRITTEN), system=["transaction", "batch"], conditionalCreate=True,
                versioning="versioned", readHistory=True, updateCreate=False,
            ),
        ),
        Kind(
            "azure-like",  # in the older of its services no transactions
            statement(
                dict.fromkeys(OURS, WRITTEN), system=["batch"], params=("_id", "_lastUpdated", "identifier", "patient"),
                conditionalCreate=True, versioning="versioned", updateCreate=True,
            ),
        ),
        Kind(
            "google-like",
            statement(
                dict.fromkeys(OURS, WRITTEN), system=["transaction", "batch", "search-system"], conditionalCreate=True,
                versioning="versioned-update", referencePolicy=["enforced"],
            ),
            page=10,
        ),
        Kind(
            "healthlake-like",  # nothing conditional: all is searched for first
            statement(
                dict.fromkeys(OURS, WRITTEN), system=["batch", "transaction"], conditionalCreate=False,
                versioning="versioned", updateCreate=True,
            ),
            entries=160,
            integrity=False,
        ),
        Kind(
            "fhir-works-like",  # it lists no search parameters
            statement(
                dict.fromkeys(OURS, WRITTEN), system=["transaction"], params=None, conditionalCreate=False,
                versioning="versioned",
            ),
        ),
        Kind(
            "ibm-like",  # of versions its statement said nothing for years
            statement(dict.fromkeys(OURS, WRITTEN), system=["batch", "transaction"], conditionalCreate=True),
        ),
        Kind(
            "kodjin-like",  # neither bundles nor conditions
            statement(dict.fromkeys(OURS, CHANGES), system=[], conditionalCreate=False, versioning="versioned-update"),
            echoes=False,
        ),
    )
}  # fmt: skip
"""Servers for everybody that take all: what differs between their public statements, as documented."""

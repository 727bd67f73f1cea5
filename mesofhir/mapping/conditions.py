"""Diagnoses: indications of a cycle, and what else matters to it (facts 13 to 16)."""

from mesofhir.fhir.elements import TIME, note
from mesofhir.fhir.picture import Absent, Field
from mesofhir.mapping.clinic import Clinic, Shape, ext
from mesofhir.mapping.common import CERTAINTY, WITHDRAWN, coded, hl7, same, site, word


def shapes(c: Clinic) -> list[Shape]:
    """A withdrawn condition has no clinical status (R4 Condition, con-5)."""
    parts = {
        "extension": [ext("clinical-phase", valueCodeableConcept=word("clinical_phase", "clinical_phases"))],
        "code": coded(c, "condition", "conditions"),
        "bodySite": [site(c)],
        "onsetDateTime": Field("onset", TIME),
        "abatementDateTime": Field("resolved", TIME),
        "note": note("note"),
    }
    stands = {
        "clinicalStatus": hl7(
            "status",
            "condition-clinical",
            same("active", "recurrence", "relapse", "inactive", "remission", "resolved"),
            decisive=True,
        ),
        "verificationStatus": hl7(
            "certainty",
            CERTAINTY,
            same("unconfirmed", "provisional", "differential", "confirmed", "refuted"),
            decisive=True,
        ),
    }
    withdrawn = {
        "clinicalStatus": Absent(),
        "verificationStatus": hl7("status", CERTAINTY, same(WITHDRAWN), decisive=True, required=True),
    }
    return [
        c.shape(
            "conditions",
            "Condition",
            state | parts,
            profiled="mesotherapy-indication",
            takes=lambda row, gone=gone: (row.get("status") == WITHDRAWN) is gone,  # type: ignore[misc]
        )
        for gone, state in ((False, stands), (True, withdrawn))
    ]

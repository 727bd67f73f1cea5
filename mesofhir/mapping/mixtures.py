"""What was given in a session: one MedicationAdministration a mixture, its Medication contained
(facts 8, 12, 27; clinical model, decision 5)."""

from collections.abc import Callable
from typing import Any, Final

from mesofhir.fhir.coded import Coded, coding
from mesofhir.fhir.elements import BOOLEAN, TEXT, TIME, UCUM, Status, measured_in, note, period, quantity
from mesofhir.fhir.picture import Along, Always, Computed, Each, Echo, Field, Row, Whole
from mesofhir.mapping.clinic import Clinic, Shape, World, ext
from mesofhir.mapping.common import WITHDRAWN, coded
from mesofhir.terminology import code_set

_ONE = {"value": 1, "system": UCUM, "code": "1"}  # amounts are those of one mixture
_ID = "mixture"


_SETS: Final = ("skin_sites", "sites")


def _skin(row: Row, world: World) -> object:
    """The skin over the treated region, where a code for it exists; else the region."""
    site = row.get("^site")
    codes = next((world.codes[s] for s in _SETS if site in world.codes[s]), None)
    if codes is None or not isinstance(site, str):
        return None
    return {"coding": [coding(x) for x in codes[site].codings], "text": codes.label(site, world.language)}


def _is_skin(c: Clinic) -> Callable[[Any], bool]:
    """Is it a site that we wrote? In other words, or under another code, it is what the EHR has made of it."""

    def is_skin(old: Any) -> bool:
        pairs = [(str(x.get("system")), str(x.get("code"))) for x in old.get("coding") or () if isinstance(x, dict)]
        found = [(c.codes[s], site) for s in _SETS if (site := c.codes[s].token_in(pairs)) is not None]
        return any(
            all((x.system, x.code) in pairs for x in codes[site].codings)
            and old.get("text") in [codes.label(site, language) for language in ("it", "en")]
            for codes, site in found
        )

    return is_skin


def shapes(c: Clinic) -> list[Shape]:
    """R4 MedicationAdministration. When it was given is when the session took place."""
    medication = Always(
        {
            "resourceType": "Medication",
            "id": _ID,
            "code": {"text": Field("name", TEXT)},
            "amount": Whole({"numerator": quantity("prepared", "mL"), "denominator": Along(("prepared",), _ONE)}),
            "ingredient": [
                Each(
                    "drugs",
                    {
                        "extension": [
                            ext("ingredient-volume", valueQuantity=quantity("volume", "mL")),
                            ext("ingredient-lot", valueString=Field("lot", TEXT)),
                        ],
                        "itemCodeableConcept": coded(c, "substance", "substances"),
                        "isActive": Field("active", BOOLEAN),
                        "strength": Whole(
                            {
                                "numerator": measured_in("amount", "amount_unit"),
                                "denominator": Along(("amount", "amount_unit"), _ONE),
                            }
                        ),
                    },
                    by="substance",
                )
            ],
            "batch": {"lotNumber": Field("lot", TEXT), "expirationDate": Field("expires", TIME)},
        }
    )
    given = {
        "contained": [medication],
        "status": Status("status", {"stopped": "stopped", WITHDRAWN: WITHDRAWN}, default="completed"),
        "medicationReference": {"reference": f"#{_ID}"},
        "partOf": [c.parent("sessions", "Procedure")],
        "effectivePeriod": Always(
            period(Echo("^start", TIME, needed=True), Echo("^end", TIME)),
        ),
        "performer": [{"actor": c.copy("^performer", "practitioners", "Practitioner")}],
        "dosage": {
            "site": Computed(_skin, _is_skin(c), follows=True),
            "route": Coded("route", code_set("routes"), decisive=True),
            "dose": quantity("volume", "mL"),
        },
        "note": note("note"),
    }
    return [
        c.shape(
            "mixtures",
            "MedicationAdministration",
            given,
            # an anaesthetic cream is no mesotherapy, and neither is what went under the skin (invariant ma-1)
            profiled="mesotherapy-administration" if intradermal else "",
            takes=lambda row, intradermal=intradermal: (row["route"] == "intradermal") is intradermal,  # type: ignore[misc]
        )
        for intradermal in (True, False)
    ]

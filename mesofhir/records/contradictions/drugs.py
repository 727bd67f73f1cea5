"""Rules of what was given: G3, G7, G8, G11."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from mesofhir.records.contradictions.core import Clash, Record, View, rule
from mesofhir.records.contradictions.held import surely_later
from mesofhir.records.contradictions.substances import contains, identified

_AESTHETIC: Final = frozenset({"cellulite-pefs", "oedema", "localised-fat-deposits"})
_NONE_KNOWN: Final = frozenset({"any-allergy", "drug-allergy"})
_PER_POINT: Final = (Decimal("0.1"), Decimal("0.2"))  # mL, clinical model §4.1
_ABOUT: Final = Decimal("0.2")  # a fifth more or less is still about as much


def _stands(allergy: Record) -> bool:
    return bool(allergy["status"] == "active" and allergy["certainty"] != "refuted")


@rule(
    "G3",
    "error; warning where the criticality is low",
    "A drug of a mixture is what the patient has an active allergy to (not refuted): the same substance, the same ATC "
    "code, or one of the class. From the day on which the allergy began, or was recorded.",
    "allergies.substance",
    "mixtures.substance",
)
def g3(view: View) -> Iterator[Clash]:
    for allergy in filter(_stands, view.all("allergies")):
        since = allergy["onset"] or allergy["recorded"]
        for mixture in view.all("mixtures"):
            if surely_later(since, view.above(mixture)["start"]):
                continue
            for field in contains(view, mixture, allergy):
                what = "an active allergy to a substance, and a mixture with it"
                side = allergy.at("substance" if allergy["substance"] else "substance_text")
                yield ("warning" if allergy["criticality"] == "low" else "error"), what, side, mixture.at(field)


@rule(
    "G7",
    "error",
    "“No known allergy”, or “no known drug allergy”, and an active drug allergy (not refuted).",
    "exclusions.kind",
    "allergies.status",
)
def g7(view: View) -> Iterator[Clash]:
    for exclusion in view.all("exclusions"):
        for allergy in filter(_stands, view.all("allergies")) if exclusion["kind"] in _NONE_KNOWN else ():
            what = "no known allergy, and an active one"
            yield "error", what, exclusion.at("kind"), allergy.at("status")


@rule(
    "G8",
    "warning",
    "An allopathic cycle, and a drug without an ATC or AIC code in it, each once (a homeopathic one needs none). An "
    "aesthetic cycle, and none of its indications is aesthetic.",
    "cycles.approach",
    "mixtures.substance",
    "cycles.purpose",
    "conditions.condition",
)
def g8(view: View) -> Iterator[Clash]:
    told: set[tuple[str, str]] = set()  # each drug of a cycle once
    for mixture in view.all("mixtures"):
        cycle = view.above(view.above(mixture))
        for n, drug in enumerate(mixture["drugs"] or ()) if cycle["approach"] == "allopathic" else ():
            name = "substance" if drug.get("substance") else "substance_text"
            if not identified(view.substances, drug) and (cycle.key, drug[name]) not in told:
                told.add((cycle.key, drug[name]))
                what = "an allopathic cycle, and a drug without an ATC or AIC code"
                yield "warning", what, cycle.at("approach"), mixture.at(f"drugs[{n}].{name}")
    for cycle in view.all("cycles"):
        stated = [c for key in sorted(cycle["indications"] or ()) if (c := view.get("conditions", key))]
        coded = [c for c in stated if c["condition"]]
        if cycle["purpose"] == "aesthetic" and coded and not {c["condition"] for c in coded} & _AESTHETIC:
            what = "an aesthetic cycle, and an indication that is not aesthetic"
            yield "warning", what, cycle.at("purpose"), coded[0].at("condition")


@rule(
    "G11",
    "warning",
    "More of a mixture was given than was prepared. The volume injected is not about 0.1 to 0.2 mL for each "
    "injection.",
    "mixtures.volume",
    "mixtures.prepared",
    "sessions.points",
)
def g11(view: View) -> Iterator[Clash]:
    for mixture in view.all("mixtures"):
        given, prepared = mixture["volume"], mixture["prepared"]
        if given is not None and prepared is not None and given > prepared:
            what = "more of a mixture was given than was prepared"
            yield "warning", what, mixture.at("volume"), mixture.at("prepared")
    for session in view.all("sessions"):
        injected = [m for m in view.inside("mixtures", session) if m["route"] != "topical"]
        volumes = [m["volume"] for m in injected]
        if session["points"] and volumes and None not in volumes:
            least, most = (per * session["points"] for per in _PER_POINT)
            if not least * (1 - _ABOUT) <= sum(volumes) <= most * (1 + _ABOUT):
                what = "a number of injections, and a volume that is not about 0.1 to 0.2 mL for each"
                yield "warning", what, session.at("points"), injected[0].at("volume")

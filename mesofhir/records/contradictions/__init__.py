"""Contradictions: facts of one history that stand against each other (clinical model, §2.5, rules G1 to G12).

A rule reads like its line in the table: :data:`RULES` has them all, ``docs/contradictions.md`` is made from them.
They state, with both places; they advise nothing, refuse nothing, and set no exit code. What is not stated, unknown
or withdrawn stands against nothing.
"""

from __future__ import annotations

from mesofhir.records.contradictions import cycles, drugs, findings
from mesofhir.records.contradictions.core import Contradiction, Fact, Rule, View
from mesofhir.records.contradictions.strengths import ANY_PROTOCOL, DEFAULTS, Strengths
from mesofhir.records.model import TreatmentHistory
from mesofhir.terminology import OURS, Terminology

__all__ = [
    "ANY_PROTOCOL",
    "DEFAULTS",
    "RULES",
    "Contradiction",
    "Fact",
    "Rule",
    "Strengths",
    "contradictions",
]

RULES: tuple[Rule, ...] = (
    findings.g1, findings.g2, drugs.g3, cycles.g4, cycles.g5, findings.g6,
    drugs.g7, drugs.g8, cycles.g9, cycles.g10, drugs.g11, findings.g12,
)  # fmt: skip
"""The rules in the order of their numbers."""


def contradictions(
    history: TreatmentHistory, strengths: Strengths | None = None, codes: Terminology = OURS
) -> list[Contradiction]:
    """All that stands against each other in a valid history; the order of its lists makes no difference but to the
    paths.

    :param strengths: how strong findings are that do not say it
    :param codes: the words that hold at the clinic
    """
    view = View(history, strengths or Strengths(), codes)
    found = [(rule, clash) for rule in RULES for clash in rule.find(view)]
    return [Contradiction(rule.key, *clash) for rule, clash in found]

"""How strongly a finding stands against treatment, and against what, where the record does not state it.

The defaults are those of the clinical model, §2.5; they want a clinician's consent, and a clinic sets its own for
each protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

ANY_PROTOCOL: Final = "default"
"""In a configuration: what holds for every protocol that says nothing else."""


class Default(NamedTuple):
    """What is assumed of a kind of finding.

    :param controlled: the strength once the condition or the therapy is stated to be under control
    """

    strength: str
    scope: str
    controlled: str = ""


DEFAULTS: Final[Mapping[str, Default]] = {
    "skin-not-intact": Default("absolute", "site"),
    "open-wound": Default("absolute", "site"),
    "skin-infection": Default("absolute", "site"),
    "dermatitis": Default("absolute", "site"),
    "contact-dermatitis": Default("absolute", "site"),
    "eczema": Default("absolute", "site"),
    "drug-allergy": Default("absolute", "substance"),
    "pregnancy": Default("absolute", "any"),
    "breastfeeding": Default("absolute", "any"),
    "coagulation-disorder": Default("absolute", "any", controlled="precaution"),
    "thrombocytopenia": Default("absolute", "any", controlled="precaution"),
    "anticoagulant": Default("absolute", "any", controlled="precaution"),
    "uncompensated-systemic-disease": Default("relative", "any"),
}
"""For each kind of finding. Only what is stated to be under control is taken to be."""
OF_PROTOCOL: Final[Mapping[str, Mapping[str, Default]]] = {
    "pain-micro-injection": {
        "pregnancy": Default("absolute", "substance"),
        "breastfeeding": Default("absolute", "substance"),
    },
}
"""Where a protocol says something else: "for some drugs" (fact 22)."""


class Strengths:
    """The strengths of a clinic.

    :param said: protocol → kind of finding → strength, over the defaults; the protocol :data:`ANY_PROTOCOL` stands
        for all others
    """

    def __init__(self, said: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.said = said or {}

    def strength(self, finding: Any, protocol: str | None) -> str:
        """What the record states, else what the clinic says, else the default."""
        if finding["strength"]:
            return str(finding["strength"])
        kind = finding["kind"]
        default = self.default(kind, protocol)
        if finding["controlled"] and default.controlled:
            return default.controlled
        for name in (protocol, ANY_PROTOCOL):
            if said := self.said.get(name or "", {}).get(kind):
                return said
        return default.strength

    def scope(self, finding: Any, protocol: str | None) -> str:
        """What the record states, else the default."""
        return str(finding["scope"] or self.default(finding["kind"], protocol).scope)

    @staticmethod
    def default(kind: str, protocol: str | None) -> Default:
        return OF_PROTOCOL.get(protocol or "", {}).get(kind) or DEFAULTS[kind]

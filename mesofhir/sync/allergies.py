"""Allergies that the EHR already has: reported, not doubled; "none known" is never sent over an active one
(architecture, rule 11)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.mapping import Clinic, Link, Made
from mesofhir.server import Server
from mesofhir.terminology import code_set

AT_ONCE: Final = 25  # patients in one search
_NOT_REAL: Final = frozenset({"refuted", "entered-in-error"})


@dataclass(frozen=True)
class Adopted:
    """Why an allergy is not sent.

    :param reference: what stands for it on the server; "" if nothing does
    """

    reference: str
    reason: str


@dataclass
class Allergies:
    """The allergies of the patients of a run, as the server holds them."""

    server: Server
    clinic: Clinic
    of: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self, subjects: Iterable[str]) -> None:
        """Ask for all of these patients (``Patient/id``) at once."""
        with self._lock:
            new = sorted(set(subjects) - set(self.of))
            for n in range(0, len(new), AT_ONCE):
                some = new[n : n + AT_ONCE]
                self.of |= {s: [] for s in some}
                for x in self.server.search("AllergyIntolerance", [("patient", ",".join(some))]):
                    literal = str((x.get("patient") or {}).get("reference", ""))
                    subject = next((s for s in some if literal == s or literal.endswith("/" + s)), None)
                    if subject:
                        self.of[subject].append(x)

    def not_to_send(self, subject: str, items: Iterable[Made]) -> dict[Link, Adopted]:
        """Which of our allergies the EHR has already, and which of our negations it contradicts."""
        theirs = [x for x in self.of.get(subject, ()) if not _codes(x, "verificationStatus") & _NOT_REAL]
        foreign = [x for x in theirs if self.clinic.link_of(x) is None]
        items = list(items)
        stated = {m.link for m in items}  # what the clinic itself states is its own contradiction, and sent
        active = [
            x
            for x in theirs
            if _positive(x)
            and _codes(x, "clinicalStatus") <= {"active"}
            and self.clinic.link_of(x) not in stated
        ]
        out: dict[Link, Adopted] = {}
        for m in items:
            if m.link.kind != "AllergyIntolerance":
                continue
            if m.link.table == "allergies":
                same = next((x for x in foreign if _positive(x) and _same(m.resource, x)), None)
                if same:
                    there = f"AllergyIntolerance/{same['id']}"
                    out[m.link] = Adopted(there, f"the EHR has it already ({there}): neither doubled nor changed")
            elif active and "status" not in m.row:
                ids = ", ".join(sorted(f"AllergyIntolerance/{x['id']}" for x in active))
                out[m.link] = Adopted(
                    "", f"“none known” is not sent: the server holds an active allergy ({ids})"
                )
        return out


def _codes(x: Mapping[str, Any], element: str) -> set[str]:
    return {str(c.get("code")) for c in (x.get(element) or {}).get("coding") or () if isinstance(c, dict)}


def _pairs(x: Mapping[str, Any]) -> list[tuple[str, str]]:
    codings = (x.get("code") or {}).get("coding") or ()
    return [(str(c.get("system", "")), str(c.get("code", ""))) for c in codings if isinstance(c, dict)]


def _positive(x: Mapping[str, Any]) -> bool:
    """Not a negated one (no known allergy)."""
    return code_set("no_known").token_in(_pairs(x)) is None


def _same(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Do both name the same substance?"""
    substances = code_set("substances")
    a, b = substances.token_in(_pairs(ours)), substances.token_in(_pairs(theirs))
    if a and b:
        return a == b
    return bool(set(_pairs(ours)) & set(_pairs(theirs)))

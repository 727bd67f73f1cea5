"""Allergies that the EHR already has: reported, not doubled; "none known" is never sent over an active one
(architecture, rule 11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.clinic import tail
from mesofhir.server import Server
from mesofhir.sync.finder import AT_ONCE, chunks
from mesofhir.sync.report import Outcome
from mesofhir.terminology import CodeSet, code_set

_NOT_REAL: Final = frozenset({"refuted", "entered-in-error"})
Resource = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Why an allergy is not sent.

    :param theirs: what stands for it on the server, if anything does
    """

    outcome: Outcome
    reason: str
    theirs: Resource | None = None


@dataclass
class Allergies:
    """The allergies of the patients of a run, as the server holds them."""

    server: Server
    clinic: Clinic
    of: dict[str, list[Resource]] = field(default_factory=dict)
    blind: bool = False  # the server cannot be asked

    def load(self, subjects: Iterable[str]) -> None:
        """Ask for all of these patients (``Patient/id``) at once, if the server can be asked."""
        if not self.server.abilities().of("AllergyIntolerance").by("patient"):
            self.blind = True
            return
        for some in chunks(sorted(set(subjects) - self.of.keys()), AT_ONCE):
            self.of |= {s: [] for s in some}
            for x in self.server.search("AllergyIntolerance", [("patient", ",".join(some))]):
                subject = tail(str((x.get("patient") or {}).get("reference", "")))
                if subject in some:
                    self.of[subject].append(x)

    def not_to_send(self, subject: str, items: Iterable[Made]) -> dict[Link, Verdict]:
        """Which of our allergies the EHR has already, and which of our negations it contradicts."""
        theirs = [x for x in self.of.get(subject, ()) if not _codes(x, "verificationStatus") & _NOT_REAL]
        ours = {link for x in theirs if (link := self.clinic.link_of(x))}
        foreign = [x for x in theirs if self.clinic.link_of(x) is None and _positive(x)]
        items = [m for m in items if m.link.kind == "AllergyIntolerance"]
        stated = {m.link for m in items}  # what the clinic itself states is its own contradiction, and sent
        active = sorted(
            f"AllergyIntolerance/{x['id']}"
            for x in theirs
            if _positive(x) and _active(x) and self.clinic.link_of(x) not in stated
        )
        out: dict[Link, Verdict] = {}
        for m in items:
            if m.link.table == "exclusions":
                if self.blind:
                    reason = "“none known” is not sent: the server cannot be asked whether it holds an active allergy"
                    out[m.link] = Verdict("skipped", reason)
                elif active and m.row.get("status") is None:
                    reason = f"“none known” is not sent: the server holds an active allergy ({', '.join(active)})"
                    out[m.link] = Verdict("skipped", reason)
            elif m.link not in ours and not _codes(m.resource, "verificationStatus") & _NOT_REAL:
                same = [
                    x
                    for x in foreign
                    if _same(self.clinic.codes["substances"], m.resource, x)
                    and (_active(x) or not _active(m.resource))
                ]
                if same:
                    x = min(same, key=lambda x: str(x["id"]))
                    reason = f"the EHR has it already (AllergyIntolerance/{x['id']}): neither doubled nor changed"
                    out[m.link] = Verdict("found", reason, x)
        return out


def _codes(x: Mapping[str, Any], element: str) -> set[str]:
    return {str(c.get("code")) for c in (x.get(element) or {}).get("coding") or () if isinstance(c, dict)}


def _active(x: Mapping[str, Any]) -> bool:
    return _codes(x, "clinicalStatus") <= {"active"}


def _pairs(x: Mapping[str, Any]) -> list[tuple[str, str]]:
    codings = (x.get("code") or {}).get("coding") or ()
    return [(str(c.get("system", "")), str(c.get("code", ""))) for c in codings if isinstance(c, dict)]


def _positive(x: Mapping[str, Any]) -> bool:
    """Not a negated one (no known allergy)."""
    return code_set("no_known").token_in(_pairs(x)) is None


def _same(substances: CodeSet, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Do both name the same substance?"""
    a, b = substances.token_in(_pairs(ours)), substances.token_in(_pairs(theirs))
    if a and b:
        return a == b
    return bool(set(_pairs(ours)) & set(_pairs(theirs)))

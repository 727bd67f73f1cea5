"""What the EHR has already and says itself: used where it says the same, told where it does not.

=====================================  ==============================================================================
 ours                                    the EHR's own, of the same patient
=====================================  ==============================================================================
 an allergy                              the same substance, not refuted, and in force if ours is: used, not doubled
 a diagnosis or a usual medicine that    the same code, and all else that ours states: used, not doubled; the same
 a resource of ours refers to            code only: told, and both stand
 “none known”                            an allergy in force: ours is not sent
 a fact in force                         the same code refuted, or no allergy known: told, and ours is sent
 a fact refuted                          the same code in force: told, and ours is sent
=====================================  ==============================================================================

Nothing of the EHR's is changed (architecture, rule 11). A server that cannot be searched by patient is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.fhir.picture import Mismatch, Reading
from mesofhir.fhir.references import references
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.clinic import World, tail
from mesofhir.server import Server
from mesofhir.sync.finder import AT_ONCE, NoSuchSearch, chunks, searched
from mesofhir.sync.plan import Plan
from mesofhir.sync.report import Outcome
from mesofhir.terminology import code_set

CODED: Final = {
    "AllergyIntolerance": "code",
    "Condition": "code",
    "MedicationStatement": "medicationCodeableConcept",
}
"""The types that an EHR keeps of its own, and which of their elements says what they are."""
_LINKED: Final = {"Condition": "conditions", "MedicationStatement": "medicines"}
"""Of which table a record may be the EHR's, if it says all that ours says."""
_NOT_REAL: Final = frozenset({"refuted", "entered-in-error"})
_OVER: Final = frozenset({"inactive", "resolved", "remission", "completed", "stopped", "entered-in-error", "not-taken"})
Resource = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What to do with a resource of ours, in view of the EHR's own.

    :param outcome: why it is not sent; None: it is sent, and the reason is told
    :param theirs: what stands for it on the server, if anything does
    """

    outcome: Outcome | None
    reason: str
    theirs: Resource | None = None


@dataclass
class Reconciliation:
    """What the server holds of the patients of a run, of the types of :data:`CODED`.

    :param of: (type, patient) → resources, ours among them
    """

    server: Server
    clinic: Clinic
    of: dict[tuple[str, str], list[Resource]] = field(default_factory=dict)

    def load(self, plan: Plan, wanted: Mapping[str, Iterable[str]]) -> None:
        """Ask for all of these at once.

        :param wanted: type → patients (``Patient/id``)
        :raises Refused: it was not answered: what the EHR holds is to be known before anything is sent beside it
        """
        for kind, subjects in wanted.items():
            new = sorted({s for s in subjects if (kind, s) not in self.of})
            for some in chunks(new, AT_ONCE):
                found: dict[tuple[str, str], list[Resource]] = {(kind, s): [] for s in some}
                for x in self._search(kind, some) if "patient" in plan.of(kind).ways else ():
                    about = x.get("patient") or x.get("subject") or {}
                    found.get((kind, tail(str(about.get("reference", "")))), []).append(x)
                self.of |= found

    def _search(self, kind: str, subjects: list[str]) -> Iterator[Resource]:
        try:
            yield from searched(self.server, kind, [("patient", ",".join(subjects))])
        except NoSuchSearch:  # what cannot be asked is not known, and ours goes as ever
            self.server.warn(f"the server cannot be asked for each {kind} of a patient: its own were not looked at")

    def verdicts(self, subject: str, items: Iterable[Made]) -> dict[Link, Verdict]:
        """On our resources of one patient."""
        items = list(items)
        stated = {m.link for m in items}  # what the clinic itself states is its own contradiction, and sent
        needed = self._needed(items) if any(self.of.get((kind, subject)) for kind in _LINKED) else set()
        out: dict[Link, Verdict] = {}
        for m in items:
            theirs = self.of.get((m.link.kind, subject), [])
            if m.link.table == "exclusions":
                verdict = self._of_none_known(m, [x for x in theirs if self.clinic.link_of(x) not in stated])
            elif any(self.clinic.link_of(x) == m.link for x in theirs):
                continue
            else:
                verdict = self._of_fact(m, [x for x in theirs if self.clinic.link_of(x) is None], subject, needed)
            if verdict:
                out[m.link] = verdict
        return out

    def _needed(self, items: list[Made]) -> set[Link]:
        """The records to which a resource of ours refers."""
        identifiers = [r.get("identifier") for m in items for r in references(m.resource)]
        return {link for i in identifiers for kind in _LINKED if (link := self.clinic.link(kind, i))}

    def _of_none_known(self, m: Made, theirs: list[Resource]) -> Verdict | None:
        active = sorted(_name(x) for x in theirs if _real(x) and _positive(x) and _in_force(x))
        if not active or m.row.get("status") is not None:
            return None
        reason = f"“none known” is not sent: the server holds an active allergy ({', '.join(active)})"
        return Verdict("skipped", reason)

    def _of_fact(self, m: Made, foreign: list[Resource], subject: str, needed: set[Link]) -> Verdict | None:
        ours = m.resource
        alike = sorted((x for x in foreign if self._same_code(ours, x)), key=lambda x: str(x["id"]))
        if _real(ours):
            for x in alike:
                if _real(x) and self._stands_for(m, x, subject, needed):
                    return Verdict("found", f"the EHR has it already ({_name(x)}): neither doubled nor changed", x)
        return next(self._told(ours, alike, foreign), None)

    def _stands_for(self, m: Made, x: Resource, subject: str, needed: set[Link]) -> bool:
        if m.link.kind == "AllergyIntolerance":
            return _in_force(x) or not _in_force(m.resource)
        return m.link.table == _LINKED[m.link.kind] and m.link in needed and self._says_all(m, x, subject)

    def _says_all(self, m: Made, x: Resource, subject: str) -> bool:
        """Does the EHR's own say all that our record states, and nothing that makes it another matter?"""
        patient = Link("Patient", "patients", str(m.row.get("patient")))
        r = Reading(World(self.clinic.namespace, targets={subject: patient}, codes=self.clinic.codes))
        try:
            m.shape.picture.get(x, r, "$")
        except (Mismatch, TypeError, ValueError, KeyError, AttributeError):
            return False
        stated = [n for n in m.shape.picture.fields if n in m.row and n[0] not in "@^/" and n not in ("key", "patient")]
        alike = all(n in r.row and m.shape.picture.same(n)(r.row[n], m.row[n]) for n in stated)
        return alike and not r.doubts and ("status" in stated or _in_force(x))

    def _told(self, ours: Resource, alike: list[Resource], foreign: list[Resource]) -> Iterator[Verdict]:
        """What is told, and ours sent all the same."""
        for x in alike:
            if _real(ours) != _real(x) and _in_force(ours if _real(ours) else x):
                yield Verdict(None, f"{_name(x)} of the EHR says the opposite: one is refuted, the other in force")
        none = [x for x in foreign if _real(x) and not _positive(x)]
        if ours["resourceType"] == "AllergyIntolerance" and none and _real(ours) and _in_force(ours):
            yield Verdict(None, f"{_name(none[0])} of the EHR says that no allergy is known")
        for x in alike:
            if _real(ours) and _real(x):
                yield Verdict(None, f"the EHR has {_name(x)} of the same code; it says something else, or less")

    def _same_code(self, ours: Resource, theirs: Resource) -> bool:
        """Do both name the same substance, medicine or diagnosis?"""
        codes = self.clinic.codes["conditions" if ours["resourceType"] == "Condition" else "substances"]
        a, b = codes.token_in(_pairs(ours)), codes.token_in(_pairs(theirs))
        if a and b:
            return a == b
        return bool(set(_pairs(ours)) & set(_pairs(theirs)))


def _name(x: Mapping[str, Any]) -> str:
    return f"{x['resourceType']}/{x['id']}"


def _codes(x: Mapping[str, Any], element: str) -> set[str]:
    return {str(c.get("code")) for c in (x.get(element) or {}).get("coding") or () if isinstance(c, dict)}


def _real(x: Mapping[str, Any]) -> bool:
    """Neither refuted nor entered in error."""
    return not _codes(x, "verificationStatus") & _NOT_REAL and x.get("status") != "entered-in-error"


def _in_force(x: Mapping[str, Any]) -> bool:
    """Nothing says that it is over."""
    return not (_codes(x, "clinicalStatus") | {str(x.get("status"))}) & _OVER


def _pairs(x: Mapping[str, Any]) -> list[tuple[str, str]]:
    codings = (x.get(CODED[str(x["resourceType"])]) or {}).get("coding") or ()
    return [(str(c.get("system", "")), str(c.get("code", ""))) for c in codings if isinstance(c, dict)]


def _positive(x: Mapping[str, Any]) -> bool:
    """Not a negated one (no known allergy)."""
    return code_set("no_known").token_in(_pairs(x)) is None

"""What the EHR has already and says itself: used where it says the same, told where it does not.

=====================================  ==============================================================================
 ours                                    the EHR's own, of the same patient
=====================================  ==============================================================================
 an allergy                              the same substance and no other, not refuted, and in force if ours is: used,
                                         not doubled
 a diagnosis or a usual medicine that    the same code, and all else that ours states: used, not doubled; the same
 a resource of ours refers to            code only: told, and both stand
 “none known”                            an allergy in force: ours is not sent
 a fact in force                         the same code refuted, or no allergy known: told, and ours is sent
 a fact refuted                          the same code in force: told, and ours is sent
 pregnancy or breastfeeding, or          the opposite, in its newest Observation, of the time of which ours speaks
 that there is none                      (:func:`mesofhir.sync.theirs.foreign.at_odds`): told, and ours is sent
 asked about, and none found             a Condition of that kind in force: told, and ours is sent
=====================================  ==============================================================================

Nothing of the EHR's is changed (architecture, rule 11). What cannot be read for sure (a status in words of its own, a
modifier) is told, and stands for nothing of ours; so is what stands with another record of the same person, which was
merged into the patient's. A server that cannot be searched by patient is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.fhir.picture import Mismatch, Reading
from mesofhir.fhir.references import own_name, references
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.clinic import World, tail
from mesofhir.mapping.common import STATES
from mesofhir.server import Server
from mesofhir.sync.planning.plan import Plan
from mesofhir.sync.report import Outcome
from mesofhir.sync.sending.finder import AT_ONCE, NoSuchSearch, chunks, searched
from mesofhir.sync.theirs.foreign import (
    CODED,
    about,
    at_odds,
    in_force,
    newest,
    pairs,
    plain,
    positive,
    real,
    state,
)
from mesofhir.terminology import LOINC, CodeSet

_LINKED: Final = {"Condition": "conditions", "MedicationStatement": "medicines"}
"""Of which table a record may be the EHR's, if it says all that ours says."""
_SAME_PERSON: Final = frozenset({"replaces", "seealso"})
"""Links of a Patient to others that are the same person (http://hl7.org/fhir/R4/valueset-link-type.html)."""
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


def _is_none_known(m: Made) -> bool:
    """Does it say that no allergy is known?"""
    return (m.link.kind, m.link.table) == ("AllergyIntolerance", "exclusions")


@dataclass
class Reconciliation:
    """What the server holds of the patients of a run, of the types of :data:`CODED`.

    :param of: (type, patient) → resources, ours among them, and those of other records of the same person
    """

    server: Server
    clinic: Clinic
    of: dict[tuple[str, str], list[Resource]] = field(default_factory=dict)

    def load(self, plan: Plan, wanted: Mapping[str, Iterable[Resource]]) -> None:
        """Ask for all of these at once.

        :param wanted: type → patients
        :raises Refused: it was not answered: what the EHR holds is to be known before anything is sent beside it
        """
        for kind, patients in wanted.items():
            new = {own_name(x): x for x in patients if (kind, own_name(x)) not in self.of}
            for some in chunks(sorted(new), AT_ONCE):
                whose: dict[str, list[str]] = {}
                for subject in some:
                    for record in (subject, *_same_person(new[subject])):
                        whose.setdefault(record, []).append(subject)
                found: dict[tuple[str, str], list[Resource]] = {(kind, s): [] for s in some}
                for x in self._search(plan, kind, list(whose)):
                    for subject in whose.get(tail(about(x)), ()):
                        found[kind, subject].append(x)
                self.of |= found

    def _search(self, plan: Plan, kind: str, subjects: list[str]) -> Iterator[Resource]:
        able, params = plan.of(kind).able, [("patient", ",".join(subjects))]
        if kind == "Observation":  # of the others an EHR has very many
            params.append(("code", ",".join(f"{LOINC}|{s.loinc}" for s in STATES.values())))
        if not all(able.by(parameter) for parameter, _ in params):
            return
        try:
            yield from searched(self.server, kind, params)
        except NoSuchSearch:  # what cannot be asked is not known, and ours goes as ever
            self.server.warn(f"the server cannot be asked for each {kind} of a patient: its own were not looked at")

    def verdicts(self, subject: str, items: Iterable[Made]) -> dict[Link, Verdict]:
        """On our resources of one patient, but “none known”: see :meth:`on_none_known`."""
        items = [m for m in items if not _is_none_known(m)]
        needed = self._needed(items) if any(self.of.get((kind, subject)) for kind in _LINKED) else set()
        out: dict[Link, Verdict] = {}
        for m in items:
            theirs = self.of.get((m.link.kind, subject), [])
            if m.link.kind == "Observation":
                verdict = self._of_observation(m, subject)
            elif any(self.clinic.link_of(x) == m.link for x in theirs):
                continue
            else:
                verdict = self._of_fact(m, [x for x in theirs if self.clinic.link_of(x) is None], subject, needed)
            if verdict:
                out[m.link] = verdict
        return out

    def on_none_known(
        self, subject: str, items: Iterable[Made], over: Callable[[Resource], Resource]
    ) -> dict[Link, Verdict]:
        """On “none known” of one patient: not sent where an allergy is in force that the clinic does not state. What it
        states itself is its own contradiction, and sent.

        :param over: a resource with the keys by which the clinic knows its records now
        """
        items = list(items)
        stated = {m.link for m in items}
        of = self.of.get(("AllergyIntolerance", subject), [])
        theirs = [x for x in of if self.clinic.link_of(over(x)) not in stated]
        active = sorted(own_name(x) for x in theirs if real(x) and positive(x) and in_force(x))
        reason = f"“none known” is not sent: the server holds an active allergy ({', '.join(active)})"
        stands = [m.link for m in items if _is_none_known(m) and m.row.get("status") is None]
        return dict.fromkeys(stands, Verdict("skipped", reason)) if active else {}

    def _needed(self, items: list[Made]) -> set[Link]:
        """The records to which a resource of ours refers."""
        identifiers = [r.get("identifier") for m in items for r in references(m.resource)]
        return {link for i in identifiers for kind in _LINKED if (link := self.clinic.link(kind, i))}

    def _of_observation(self, m: Made, subject: str) -> Verdict | None:
        """A state, or that something was asked about and not found: the opposite is told."""
        foreign = [x for x in self.of.get(("Observation", subject), ()) if self.clinic.link_of(x) is None]
        mine = state(m.resource)
        last = newest([x for x in foreign if (theirs := state(x)) and mine and theirs[0] == mine[0]])
        opposite = [last] if last is not None and at_odds(m.resource, last) else []
        if m.link.table == "exclusions" and m.row.get("status") is None:
            conditions = [x for x in self.of.get(("Condition", subject), ()) if self.clinic.link_of(x) is None]
            opposite += [x for x in conditions if real(x) and in_force(x) and self._is(x, str(m.row.get("kind")))]
        if not opposite:
            return None
        return Verdict(None, f"the EHR says the opposite ({', '.join(sorted(map(own_name, opposite)))}); ours is sent")

    def _is(self, condition: Resource, kind: str) -> bool:
        return self.clinic.codes["contraindications"].token_in(pairs(condition)) == kind

    def _of_fact(self, m: Made, foreign: list[Resource], subject: str, needed: set[Link]) -> Verdict | None:
        ours = m.resource
        alike = sorted((x for x in foreign if self._same_code(ours, x)), key=lambda x: str(x["id"]))
        if real(ours):
            for x in alike:
                if real(x) and plain(x) and self._stands_for(m, x, subject, needed):
                    return Verdict("found", f"the EHR has it already ({own_name(x)}): neither doubled nor changed", x)
        return next(self._told(ours, alike, foreign), None)

    def _stands_for(self, m: Made, x: Resource, subject: str, needed: set[Link]) -> bool:
        if tail(about(x)) != subject or not self._nothing_else(m.resource, x):
            return False
        if m.link.kind == "AllergyIntolerance":
            return in_force(x) or not in_force(m.resource)
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
        return alike and not r.doubts and ("status" in stated or in_force(x))

    def _nothing_else(self, ours: Resource, theirs: Resource) -> bool:
        """Is what theirs names what ours names, as a whole? One of two substances is not."""
        codes = self._codes(ours)
        if token := codes.token_in(pairs(ours)):
            return codes.token_in(pairs(theirs)) == token
        return not any(codes.token_of(*p) for p in pairs(theirs))

    def _told(self, ours: Resource, alike: list[Resource], foreign: list[Resource]) -> Iterator[Verdict]:
        """What is told, and ours sent all the same."""
        for x in alike:
            if real(ours) != real(x) and in_force(ours if real(ours) else x):
                yield Verdict(None, f"{own_name(x)} of the EHR says the opposite: one is refuted, the other in force")
        none = [x for x in foreign if real(x) and in_force(x) and not positive(x)]
        if ours["resourceType"] == "AllergyIntolerance" and none and real(ours) and in_force(ours):
            yield Verdict(None, f"{own_name(none[0])} of the EHR says that no allergy is known")
        for x in alike:
            if real(ours) and real(x):
                yield Verdict(None, f"the EHR has {own_name(x)} of the same code; it says something else, or less")

    def _same_code(self, ours: Resource, theirs: Resource) -> bool:
        """Do both name the same substance, medicine or diagnosis, among others perhaps?"""
        codes = self._codes(ours)
        a, b = codes.token_in(pairs(ours)), codes.token_in(pairs(theirs))
        if a and b:
            return a == b
        return bool(set(pairs(ours)) & set(pairs(theirs)))

    def _codes(self, ours: Resource) -> CodeSet:
        return self.clinic.codes["conditions" if ours["resourceType"] == "Condition" else "substances"]


def wanted(made: Iterable[Made]) -> set[str]:
    """The types of which the EHR's own matter to a history."""
    out = set()
    for m in made:
        if m.link.kind in CODED and (m.link.kind != "Observation" or state(m.resource)):
            out.add(m.link.kind)
        if m.link.kind == "Observation" and m.link.table == "exclusions":
            out.add("Condition")
    return out


def _same_person(patient: Resource) -> list[str]:
    """Other records of a person: those that were merged into this one, and those that stand beside it."""
    links = [ln for ln in patient.get("link") or () if isinstance(ln, dict) and ln.get("type") in _SAME_PERSON]
    others = {tail(str((ln.get("other") or {}).get("reference", ""))) for ln in links}
    return sorted(other for other in others if other.startswith("Patient/"))

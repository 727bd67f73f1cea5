"""People belong to the EHR: they are found there, not made (architecture, rule 5).

A person is found by the clinic's own identifier (who was created by us) or by an identifier that somebody
else gave (hospital record number, codice fiscale). None or several found stops the histories that name the
person, and only those.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.errors import MesofhirError, NotAllDone, Refused, UnknownOutcome, Unreachable
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.records.identifiers import names, same_system
from mesofhir.server import EntryResult, Server, TooLarge, TransactionFailed, identifier_query, search_value
from mesofhir.sync.planning.plan import PEOPLE, Plan, Step
from mesofhir.sync.report import Outcome
from mesofhir.sync.sending.carrier import Carried, carry
from mesofhir.sync.sending.finder import AT_ONCE, NoSuchSearch, chunks, named, searched
from mesofhir.sync.sending.writes import Witness, unwitnessed, version_of

TRIES: Final = 3
Identifier = tuple[str, str]
Resource = dict[str, Any]


class PersonNotSettled(NotAllDone):
    """Nobody or several were found; the message holds no name.

    :ivar links: what stands in the way, if that is not the person
    """

    links: Sequence[Link] = ()


@dataclass
class People:
    """The people of a run, each asked for once.

    :param plan: how they are made, if the server takes new ones
    :param systems: the identifier systems by which people are matched; empty: all that a record states
    :param create: make those whom the EHR does not have
    :param dry: tell who would be made, and make nobody
    :param witness: is given each of those whom we made
    :param before: the id of somebody whom we met here before; "": nobody whom we know
    :ivar wanted: those who would be
    """

    server: Server
    clinic: Clinic
    plan: Plan
    systems: Sequence[str] = ()
    create: bool = False
    dry: bool = False
    witness: Witness = unwitnessed
    before: Callable[[Link], str] = lambda link: ""
    wanted: set[Link] = field(default_factory=set)
    found: dict[Link, Resource] = field(default_factory=dict)
    failed: dict[Link, MesofhirError] = field(default_factory=dict)
    _made: dict[Link, Outcome] = field(default_factory=dict)
    _claims: dict[str, Link] = field(default_factory=dict)  # an identifier, or a person on the server → whose it is
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def settle(self, people: Iterable[Made]) -> None:
        """Find all of these people in as few searches as can be; afterwards each is found, made or failed."""
        new = {m.link: m for m in self._open(people)}
        for m in new.values():
            for identifier in self.identifiers(m):
                self._claim(m, f"{m.link.kind} {identifier}", "state the same identifier")
        for kind in PEOPLE:
            some = self._open(m for m in new.values() if m.link.kind == kind)
            if not self._looked_for(some, kind):
                continue
            for m in self._open(some) if self._makes(kind) else ():
                if logical := self.before(m.link):
                    self._meet_again(m, logical)
            if self.dry and self._makes(kind):
                self.wanted |= {m.link for m in self._open(some)}
            for _ in range(TRIES if self._makes(kind) else 0):
                self._make(self._open(some))
                self._search(self._open(some))  # whom somebody else was making meanwhile
            for m in self._open(some):
                if kind == "Patient" or not self.create or self._makes(kind):
                    self._fail(m.link, self._missing(m))
            for m in some:
                self._claim_found(m)

    def recognise(self, m: Made, x: Resource) -> None:
        """This person is that one: the ledger knows it under another key."""
        self._judge(m, [x])
        self._claim_found(m)

    def stop(self, link: Link, why: str, links: Sequence[Link]) -> None:
        """Nobody is looked for, or made, because of these."""
        self._fail(link, why, links)

    def of(self, link: Link, *, needed: bool = True) -> Resource | None:
        """The person on the server.

        :param needed: whoever was not settled is an error
        :raises PersonNotSettled: with the reason
        """
        if needed and link in self.failed:
            raise self.failed[link]
        return self.found.get(link)

    def became(self, link: Link) -> Outcome:
        """What became of somebody who is there. That this run made them is said once, so that counts add up."""
        with self._lock:
            return self._made.pop(link, "found")

    def identifiers(self, m: Made) -> list[Identifier]:
        """By which a record may be matched; its own key first. One of several names is looked for under each."""
        others = [
            (name, i["value"])
            for i in m.row.get("identifiers") or ()
            if not self.systems or any(same_system(i["system"], s) for s in self.systems)
            for name in names(i["system"])
        ]
        return [(self.clinic.system(m.link.table), m.link.key), *others]

    def sought(self, m: Made) -> str:
        """The person as whoever loads a file is to find them: a conditional reference, by an identifier of the EHR
        (http://hl7.org/fhir/R4/http.html#trules)."""
        return f"{m.link.kind}?{identifier_query(*self.identifiers(m)[:2][-1])}"

    # --- finding ------------------------------------------------------------------------------------------

    def _open(self, people: Iterable[Made]) -> list[Made]:
        settled = self.found.keys() | self.failed.keys() | self.wanted
        return [m for m in people if m.link not in settled]

    def _fail(self, link: Link, why: str, links: Sequence[Link] = ()) -> None:
        self.failed[link] = failed = PersonNotSettled(f"{link.table} {link.key}: {why}")
        failed.links = links

    def _claim(self, m: Made, what: str, how: str) -> None:
        """One person is one record: what two of them claim stops both."""
        other = self._claims.setdefault(what, m.link)
        if other != m.link:
            for link in (m.link, other):
                self._fail(link, f"{m.link.table} {other.key} and {m.link.key} {how}; keep one record of a person")

    def _claim_found(self, m: Made) -> None:
        if m.link in self.found:
            name = f"{m.link.kind}/{self.found[m.link]['id']}"
            self._claim(m, name, f"are both {name} on the server")

    def _makes(self, kind: str) -> bool:
        return self.create and self.plan.of(kind).step.itself

    def _looked_for(self, people: list[Made], kind: str) -> bool:
        """Whether the server could be asked for them. Without a Patient there is no history, but in a file; a
        Practitioner whom it cannot be asked for, or given, is referred to by identifier and name (clinical model,
        decision 10), unless it says that it can."""
        try:
            self._search(people)
        except NoSuchSearch as why:
            promised = "identifier" in (self.plan.of(kind).able.params or ())
            needed = kind == "Patient" and not (self.plan.files and self.plan.patientless)
            for m in people if needed or promised else ():
                hint = "; with --files DIR the history goes into a file" if self.plan.patientless else ""
                self._fail(m.link, f"the server cannot be asked for a {kind} by identifier{hint}: {why}")
            return False
        return True

    def _missing(self, m: Made) -> str:
        if self.create and not self._makes(m.link.kind):
            return f"the server has no such {m.link.kind}, and takes no new one ({self.plan.of(m.link.kind).why})"
        if self.create:
            return f"others were making this {m.link.kind} all the time; push again"
        stated = self.identifiers(m)[1:]
        if self.systems:  # only what the configuration says is shown: a record's own words are the patient's
            by = f"by {', '.join(sorted(self.systems))}" + ("" if stated else " (the record states none of these)")
        else:
            by = "by the identifiers of the record" if stated else "(the record states no identifier of the EHR)"
        what = f"the server has no such {m.link.kind} {by}"
        return f"{what}; correct the identifier, or create people with --create-people"

    def _search(self, people: list[Made]) -> None:
        """Look for people of one type."""
        theirs = self._with({i for m in people for i in self.identifiers(m)}, people[0].link.kind if people else "")
        for m in people:
            matches = {x["id"]: x for i in self.identifiers(m) for x in theirs.get(i, ())}
            self._judge(m, list(matches.values()))

    def _with(self, identifiers: Iterable[Identifier], kind: str) -> dict[Identifier, list[Resource]]:
        """Identifier → who has it. The server's answer is checked: only true matches count."""
        out: dict[Identifier, list[Resource]] = {}
        for some in chunks(sorted(identifiers), AT_ONCE):
            value = ",".join(f"{search_value(s)}|{search_value(v)}" for s, v in some)
            for x in searched(self.server, kind, [("identifier", value)]):
                if x.get("resourceType") == kind:
                    for i in _identifiers(x) & set(some):
                        out.setdefault(i, []).append(x)
        return out

    def _judge(self, m: Made, matches: list[Resource]) -> None:
        kind = m.link.kind
        if len(matches) > 1:
            names = ", ".join(sorted(f"{kind}/{x['id']}" for x in matches))
            self.found.pop(m.link, None)
            self._fail(
                m.link,
                f"{len(matches)} resources of type {kind} match ({names}); merge them on the server, or state an "
                "identifier that tells them apart",
            )
        elif any(ln.get("type") == "replaced-by" for x in matches for ln in x.get("link") or ()):
            self._fail(
                m.link,
                f"{kind}/{matches[0]['id']} was replaced by another {kind} on the server (merged); state the "
                "identifier of the one that remains",
            )
        elif matches:
            self.found[m.link] = matches[0]

    def _meet_again(self, m: Made, logical: str) -> None:
        """Whoever was here before, and no search finds, is not made anew: the EHR has deleted them, or taken the
        identifiers away. (Or its index is behind.)"""
        there = named(self.server, m.link.kind, [logical], alone=self.plan.of(m.link.kind).able.offers("read"))
        x = next((x for x in there if x.get("id") == logical), None)
        if x is not None and _identifiers(x) & set(self.identifiers(m)):
            self._judge(m, [x])
            return
        name = f"{m.link.kind}/{logical}"
        helps = "`mesofhir ledger resolve --gone` forgets who is to be made anew"
        why = f"{name} was deleted on the server since; nobody is made in its place. {helps}"
        if x is not None:
            why = f"{name} carries none of the identifiers any more; give it one of them, or state one that it has"
        self._fail(m.link, why, (m.link,))

    # --- making -------------------------------------------------------------------------------------------

    def _make(self, people: list[Made]) -> None:
        """Creates, many in one request where the server takes that; nobody's failure stops another's."""
        if people:
            step = self._step(people[0].link.kind)
            size = self.plan.limits.entries if step in (Step.BATCH, Step.TRANSACTION) else 1
            for some in chunks(people, size):
                self._send(some, step)

    def _step(self, kind: str) -> Step:
        """A batch where there is one: what is wrong with one person is not the others' concern."""
        planned = self.plan.of(kind).step
        return Step.BATCH if planned is Step.TRANSACTION and self.plan.abilities.batch else planned

    def _send(self, people: list[Made], step: Step) -> None:
        try:
            results = carry(self.server, step, [self._entry(m) for m in people])
        except TooLarge:
            for m in people:
                self._send([m], Step.SINGLE)
        except UnknownOutcome as why:
            self._look_for(people, str(why))
        except TransactionFailed as why:
            for m in people:
                if step is Step.TRANSACTION:  # the fault of one of them: each for himself
                    self._send([m], Step.SINGLE)
                else:
                    self._fail(m.link, str(why))
        else:
            for m, r in zip(people, results, strict=True):
                self._judge_made(m, r)
            lost = [m for m, r in zip(people, results, strict=True) if isinstance(r, UnknownOutcome)]
            self._look_for(lost, "the server failed")
            if self.plan.of(people[0].link.kind).blind:
                self._search([m for m in people if m.link in self.found])  # another may have made them meanwhile too

    def _look_for(self, people: list[Made], why: str) -> None:
        """After answers that say neither yes nor no: who is there? Nobody is sent again."""
        where = "is not there (yet)"
        try:
            self._search(people)
        except (Refused, Unreachable) as error:
            where = f"could not be looked for ({error})"
        self._made |= {m.link: "arrived" for m in people if m.link in self.found}
        for m in self._open(people):
            what = f"{m.link.table} {m.link.key}: the {m.link.kind} was sent and {where}"
            self.failed[m.link] = UnknownOutcome(f"{what}; look at it before pushing again: {why}")

    def _entry(self, m: Made) -> Resource:
        request = {"method": "POST", "url": m.link.kind}
        if not self.plan.of(m.link.kind).blind:
            request["ifNoneExist"] = identifier_query(self.clinic.system(m.link.table), m.link.key)
        return {"fullUrl": f"urn:uuid:{m.handle}", "resource": m.resource, "request": request}

    def _shown(self, m: Made, r: EntryResult) -> Resource | None:
        """Whom a server does not give with its answer: read, or searched for, or, of one whom it has just made and does
        not show yet, as sent."""
        kind, _, logical = (r.location or "").partition("/")
        with suppress(Refused, Unreachable):
            if logical and (answer := self.server.read(kind, logical)).ok:
                return answer.body
        with suppress(Refused, Unreachable):
            self._search([m])
        sent = {**m.resource, "id": logical} if logical and r.status == 201 else None
        return self.found.get(m.link, sent)

    def _judge_made(self, m: Made, r: Carried) -> None:
        if isinstance(r, EntryResult):
            resource = r.resource if (r.resource or {}).get("id") else self._shown(m, r)
            if m.link in self.failed:
                return
            if resource is None:
                what = f"{m.link.table} {m.link.key}: the {m.link.kind} was made, and the server does not show it"
                self.failed[m.link] = UnknownOutcome(f"{what}; look at it before pushing again")
                return
            self.found[m.link] = resource
            if r.status == 201 or self.plan.of(m.link.kind).blind:  # without a condition nobody is found
                self._made[m.link] = "created"
                name = f"{m.link.kind}/{resource['id']}"
                self.witness(name, m.resource, r.version or version_of(resource))
        elif isinstance(r, TransactionFailed) and r.status not in (409, 412):  # somebody else made it, or several
            self._fail(m.link, f"the server refused the create of the {m.link.kind}: {r}")


def _identifiers(x: Mapping[str, Any]) -> set[Identifier]:
    listed = x.get("identifier") or ()
    return {(str(i.get("system")), str(i.get("value"))) for i in listed if isinstance(i, dict)}

"""One history to one server: create what it lacks, compare what it has, change only what differs.

A transaction of conditional creates says "create this, or give me what you have" for a whole history. A second
one, only if something differs, changes those resources by id and only if nobody else did meanwhile (HAPI: a
conditional update ignores If-Match). What the server answers is read entry by entry, and an answer that was lost is
never followed by sending again, but by looking.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from mesofhir.errors import NotAllDone, Refused, UnknownOutcome
from mesofhir.fhir.picture import changes
from mesofhir.fhir.references import references, renamed, without
from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.clinic import tail
from mesofhir.server import EntryResult, Server, TooLarge, TransactionFailed, identifier_query
from mesofhir.sync.allergies import Allergies
from mesofhir.sync.change import Change, former, is_taken_back, said_again
from mesofhir.sync.finder import Finder
from mesofhir.sync.former import said, still, suspects
from mesofhir.sync.parts import Limits, in_order, name
from mesofhir.sync.people import PEOPLE, People
from mesofhir.sync.report import Outcome, Remark, Result

TRIES: Final = 8
Resource = dict[str, Any]


class Contended(NotAllDone):
    """Others kept changing the same resources."""


@dataclass
class Exchange:
    """The push of one history.

    :param made: its resources
    :param people: the people of the run, settled
    :param pause: waits for some seconds
    """

    server: Server
    clinic: Clinic
    made: list[Made]
    people: People
    allergies: Allergies
    finder: Finder
    result: Result
    limits: Limits = field(default_factory=Limits)
    pause: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        self.handles = {m.link: name(m) for m in self.made}
        self.ours = frozenset(self.handles.values())
        self.names: dict[str, str] = {}  # our handle → the server's name
        self.targets: dict[str, Link] = {}  # the server's name → what it is of ours
        self.patient = next(m.link for m in self.made if m.link.kind == "Patient")
        self.subject = ""  # what the server calls the patient
        for m in self.made:
            m.world.targets = self.targets

    # --- the steps ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """:raises NotAllDone: (and what the server room raises) the history was stopped"""
        self.name_people()
        items = self._without_adopted(in_order([m for m in self.made if m.link.kind not in PEOPLE]))
        for attempt in range(TRIES):
            self.wait(attempt)
            held = self._offer(items)
            if self.apply(self._changes(held)):
                return
        raise Contended("others changed the same resources all the time; push again")

    def name_people(self, *, needed: bool = True) -> None:
        """:raises PersonNotSettled: somebody who is needed was not found"""
        for m in self.made:
            if m.link.kind not in PEOPLE:
                continue
            theirs = self.people.of(m.link, needed=needed)
            if theirs is None:
                self.note(m.link, "absent")
                continue
            self.call(m.link, theirs)
            self.note(m.link, "created" if self.people.newly_made(m.link) else "found")
            if needed:
                self._compare_theirs(m, theirs)
        self.subject = self.names.get(self.handles[self.patient], "")

    def _without_adopted(self, items: list[Made]) -> list[Made]:
        """What the EHR already has under another identity is referred to, not doubled."""
        adopted = self.allergies.not_to_send(self.subject, items)
        for m in items:
            if m.link in adopted:
                verdict = adopted[m.link]
                self.note(m.link, verdict.outcome)
                self.remark(m.link, verdict.outcome, verdict.reason)
                if verdict.theirs is not None:
                    self.call(m.link, verdict.theirs)
                    self._compare_theirs(m, verdict.theirs)
        return [m for m in items if m.link not in adopted]

    def _compare_theirs(self, m: Made, theirs: Resource) -> None:
        """What belongs to the EHR is not written; where it says something else, that is told."""
        for path in sorted({_element(p) for p in changes(theirs, m.over(theirs)[0])} - {"$.text"}):
            self.remark(m.link, "differs", "differs from the clinic's; it belongs to the EHR and was left", path)

    # --- create or fetch ----------------------------------------------------------------------------------

    def _offer(self, items: list[Made]) -> list[tuple[Made, Resource]]:
        """Create what the server lacks.

        :returns: what it had already
        """
        parts = self.limits.parts([(m, m.resource) for m in items])
        held = [pair for part in parts for pair in self._offer_part(part)]
        for m, x in held:
            self.check_subject(m.link, x)
        return held

    def _offer_part(self, part: list[Made]) -> list[tuple[Made, Resource]]:
        links = [m.link for m in part]
        for attempt in range(TRIES):
            self.wait(attempt)
            blind = self.finder.blind(link.kind for link in links)
            try:
                return self._create(part, blind)
            except TooLarge as why:
                if len(part) == 1:
                    raise self._explained(why, links) from None
                return [pair for half in _halves(part) for pair in self._offer_part(half)]
            except TransactionFailed as why:
                if why.status == 409:  # another made one of these first: ask again
                    continue
                self.finder.learn_from(why, (link.kind for link in links))
                if self.finder.blind(link.kind for link in links) == blind:
                    raise self._explained(why, links) from None
        raise Contended("others made the same resources all the time; push again")

    def _create(self, part: list[Made], blind: Set[str]) -> list[tuple[Made, Resource]]:
        """One transaction.

        :param blind: the types that have to be looked for beforehand
        :returns: what the server had already
        """
        there = self.find([m.link for m in part if m.link.kind in blind])
        for link, x in there.items():
            self.call(link, x)
        new = [m for m in part if m.link not in there]
        urns = {name(m): f"urn:uuid:{m.handle}" for m in new}
        try:
            results = self.server.bundle([self._entry(m, self.names | urns, m.link.kind in blind) for m in new])
        except UnknownOutcome:
            results = self._look_for(new)
        held = [(m, there[m.link]) for m in part if m.link in there]
        for m, r in zip(new, results, strict=True):
            x = r.resource or self._read(m.link, r.location or "")
            self.call(m.link, x)
            self._tell_issues(m.link, r)
            if r.status == 201:
                self.note(m.link, "created")
            else:
                held.append((m, x))
        return held

    def _entry(self, m: Made, names: Mapping[str, str], blind: bool) -> Resource:
        request = {"method": "POST", "url": m.link.kind}
        if not blind:
            request["ifNoneExist"] = identifier_query(self.clinic.system(m.link.table), m.link.key)
        resource = self._referring(m.resource, names)
        return {"fullUrl": f"urn:uuid:{m.handle}", "resource": resource, "request": request}

    def _look_for(self, part: list[Made]) -> list[EntryResult]:
        """After a lost answer: nothing is sent again.

        :raises UnknownOutcome: not everything is there
        """
        found = self.find([m.link for m in part])
        lost = [m.link for m in part if m.link not in found]
        if lost:
            raise self._lost(lost, f"{len(lost)} of {len(part)} resources are not on the server (yet)")
        return [EntryResult(200, resource=found[m.link]) for m in part]

    def _read(self, link: Link, location: str) -> Resource:
        kind, _, logical = location.partition("/")
        answer = self.server.read(kind, logical) if logical else None
        if answer is None or answer.body is None:
            raise Refused(f"{_told(link)}: the server does not show what it says it has")
        return answer.body

    # --- compare ------------------------------------------------------------------------------------------

    def check_subject(self, link: Link, x: Resource) -> None:
        """:raises NotAllDone: the resource belongs to another patient"""
        subject = x.get("subject") or x.get("patient") or {}
        literal, named = subject.get("reference"), self.clinic.link("Patient", subject.get("identifier"))
        if self.subject and isinstance(literal, str):
            strange = tail(literal) != self.subject
        else:
            strange = named not in (None, self.patient)
        if strange:
            self.note(link, "blocked")
            raise NotAllDone(
                f"{_told(link)}: {link.kind}/{x.get('id')} on the server carries this key and belongs to another "
                f"patient than {self.subject or self.patient.key}; it was left alone. A key is one in all the namespace"
            )

    def _changes(self, held: list[tuple[Made, Resource]]) -> list[Change]:
        """All that is to be changed in what the server holds."""
        wanted = {m.link: c for m, x in held if (c := self._difference(m, x))}
        formers = list(self._formers(wanted.keys()))
        gone = frozenset(c.name for c in formers if c.outcome == "withdrawn")
        for m, x in held if gone else ():  # what we have written does not refer to it any more
            if any(self._leads_to(gone, r) for r in references(x)) and (c := self._difference(m, x, gone)):
                wanted[m.link] = c
        return [*wanted.values(), *formers]

    def _leads_to(self, gone: Set[str], reference: Resource) -> bool:
        """Is it a reference of ours to one of these?"""
        ours = self.clinic.link("", reference.get("identifier")) is not None
        return ours and tail(reference["reference"]) in gone

    def _difference(self, m: Made, x: Resource, gone: Set[str] = frozenset()) -> Change | None:
        """What is to be changed in one resource, if anything.

        :param gone: what is not referred to any more (``Type/id``)
        """
        try:
            return self._compared(m, x, gone)
        except (TypeError, ValueError, KeyError, AttributeError):  # a text where an object belongs, say
            self._blocked(m.link, "is not shaped as FHIR asks")
            return None

    def _compared(self, m: Made, x: Resource, gone: Set[str]) -> Change | None:
        if self._literally(m, x):
            self.note(m.link, "unchanged")
            return None

        def base(theirs: Resource) -> Resource:
            then = said_again(theirs, self.clinic) if is_taken_back(theirs) else theirs
            return without(then, partial(self._leads_to, gone)) if gone else then

        then = base(x)
        if self.clinic.link_of(then) != m.link or (not m.reads(then) and m.strange(then)):
            self._blocked(m.link, "stands on the server in a form that is not ours")
            return None
        if is_withdrawn(then) and "status" not in m.row:
            why = "is marked entered-in-error on the server, and the record does not state its status"
            self._blocked(m.link, f"{why} (null would put it in force again)")
            return None
        drawn, doubts = m.over(then)
        self._tell_more(m, drawn)
        new = self._referring(drawn, self.names)
        replaced = set(changes(x, new))
        left = [(path, why) for path, why in doubts if path not in replaced]
        for path, why in left:
            self.remark(m.link, "left", why, path)
        if new == x:
            self.note(m.link, "blocked" if left else "unchanged")
            return None
        return Change(m.link, x, new, lambda theirs: self._referring(m.over(base(theirs))[0], self.names))

    def _formers(self, changed: Set[Link]) -> Iterator[Change]:
        """Changes to what records of this history were before, and are no longer."""
        created = {link for link, outcome in self.result.outcomes.items() if outcome == "created"}
        records = {(m.link.table, m.link.key): m for m in self.made}
        for link, x in self.find(suspects(self.made, created, changed, self.clinic)).items():
            m = records[link.table, link.key]
            self.check_subject(link, x)
            self.call(link, x)
            then = said(x, m, link)
            if then is None:
                self._blocked(link, "stands on the server in a form that is not ours")
            elif now := still(then, m, link):
                if change := self._difference(now, x):
                    yield change
            else:
                yield former(link, x, self.clinic)

    def _tell_more(self, m: Made, x: Resource) -> None:
        """Values of a list that are not of our making stay on the server; that there are more than ours is told."""
        then = said(x, m, m.link) or {}
        for column, ours in m.row.items():
            theirs = then.get(column)
            if column[0] in "@^/" or not isinstance(ours, list) or not isinstance(theirs, list):
                continue
            if 0 < len(ours) < len(theirs):
                more = f"`{column}` has {len(theirs)} values on the server and {len(ours)} here; the others stay there"
                self.remark(m.link, "more", more)

    def _literally(self, m: Made, x: Resource) -> bool:
        """Is it, to the letter, what we would create? Most are, and this is quick."""
        ours = self._referring(m.resource, self.names)
        meta = {**x.get("meta", {}), "source": str(x.get("meta", {}).get("source")).split("#")[0]}
        same = {k: meta.get(k) for k in ours["meta"]} == ours["meta"]
        return same and {**x, "id": "", "meta": ""} == {**ours, "id": "", "meta": ""}

    def _blocked(self, link: Link, why: str) -> None:
        self.note(link, "blocked")
        self.remark(link, "blocked", f"{why}; left alone")

    # --- change -------------------------------------------------------------------------------------------

    def apply(self, wanted: list[Change]) -> bool:
        """Put the new in the place of the old, by id and only where nobody changed it meanwhile.

        :returns: False if somebody did: nothing of that part was changed
        """
        for c in wanted:
            if not c.version:
                self._blocked(c.link, "the server tells no version of it, so it cannot be changed safely")
        safe = [(c, c.new) for c in wanted if c.version]
        return all(map(self._replace, self.limits.parts(safe)))

    def _replace(self, part: list[Change]) -> bool:
        try:
            results = self.server.bundle([self._update(c) for c in part])
        except TooLarge as why:
            if len(part) == 1:
                raise self._explained(why, [c.link for c in part]) from None
            return all(map(self._replace, _halves(part)))
        except TransactionFailed as why:
            if why.status in (409, 412):
                return False
            raise self._explained(why, [c.link for c in part]) from None
        except UnknownOutcome:
            if not self._arrived(part):
                raise self._lost([c.link for c in part], "the server does not say it (yet)") from None
            results = []
        for c in part:
            self._tell(c)
        for c, r in zip(part, results, strict=False):
            self._tell_issues(c.link, r)
            if r.version == c.version:
                self.remark(c.link, "server", "the server made no new version of what was changed")
        return True

    def _update(self, c: Change) -> Resource:
        return {
            "fullUrl": f"{self.server.url}/{c.name}",
            "resource": c.new,
            "request": {"method": "PUT", "url": c.name, "ifMatch": f'W/"{c.version}"'},
        }

    def _arrived(self, part: list[Change]) -> bool:
        """After a lost answer to an update: does the server now say all of it?"""
        now = [(c, self._read(c.link, c.name)) for c in part]
        return all(c.make(x) == x for c, x in now)

    def _tell(self, c: Change) -> None:
        self.note(c.link, c.outcome)
        if c.why:
            self.remark(c.link, c.outcome, c.why)
        for path in changes(c.old, c.new) if c.outcome == "changed" else ():
            if not path.startswith("$.text"):
                self.remark(c.link, "replaced", "the clinic's statement took the place of the server's", path)

    # --- names, refusals, notes ---------------------------------------------------------------------------

    def find(self, links: Iterable[Link]) -> dict[Link, Resource]:
        """What the server holds of these.

        :raises NotAllDone: it holds one of them twice
        """
        links = list(links)
        found = self.finder.of(links, self.subject)
        self._doubled(found)
        return {link: xs[0] for link, xs in found.items()}

    def _doubled(self, found: Mapping[Link, list[Resource]]) -> None:
        twice = {link: sorted(f"{link.kind}/{x['id']}" for x in xs) for link, xs in found.items() if len(xs) > 1}
        if twice:
            for link in twice:
                self.note(link, "blocked")
            told = "; ".join(f"{_told(link)} is {', '.join(names)}" for link, names in twice.items())
            raise NotAllDone(f"several resources on the server carry one key of ours: {told}")

    def call(self, link: Link, x: Resource) -> None:
        """Learn what the server calls a resource of ours."""
        if not isinstance(x.get("id"), str):
            raise Refused(f"{_told(link)}: the server gave a resource without an id")
        theirs = f"{link.kind}/{x['id']}"
        self.targets[theirs] = link
        self.result.references[link] = theirs
        if link in self.handles:
            self.names[self.handles[link]] = theirs

    def _referring(self, resource: Resource, names: Mapping[str, str]) -> Resource:
        """With references as the server knows them; to what was not sent, by identifier only (decision 10)."""
        out: Resource = renamed(resource, lambda x: names.get(x, None if x in self.ours else x))
        return out

    def _explained(self, why: TransactionFailed, links: list[Link]) -> Exception:
        """The refusal of a whole part: which resource it concerns, as far as the server says."""
        for link in links:
            self.note(link, "refused")
        if why.status == 412:
            self._doubled(self.finder.of(links, self.subject))
        about = _concerned(why.issues, links)
        if not about:
            return why
        shown = ", ".join(_told(link) for link in about[:3]) + (f" or {len(about) - 3} more" if len(about) > 3 else "")
        return Refused(f"{'one of ' if len(about) > 1 else ''}{shown}: {why}", why.status)

    def _lost(self, links: Iterable[Link], why: str) -> UnknownOutcome:
        for link in links:
            self.note(link, "unknown")
        return UnknownOutcome(f"the answer to a write was lost, and {why}; look at it before pushing again")

    def _tell_issues(self, link: Link, r: EntryResult) -> None:
        for issue in r.issues:
            if issue.severity != "information":
                self.remark(link, "server", str(issue))

    def note(self, link: Link, outcome: Outcome) -> None:
        """Record what became of a resource; what was created stays created when it is compared again."""
        if not (self.result.outcomes.get(link) == "created" and outcome in ("unchanged", "changed")):
            self.result.outcomes[link] = outcome

    def remark(self, link: Link, kind: str, text: str, path: str = "") -> None:
        remark = Remark(link, kind, text, path)
        if remark not in self.result.remarks:
            self.result.remarks.append(remark)

    def wait(self, attempt: int) -> None:
        """Those who met must part."""
        if attempt:
            self.pause(random.uniform(0, 0.05 * 2 ** min(attempt, 6)))  # noqa: S311 - only a pause


def _told(link: Link) -> str:
    return f"{link.table} {link.key} ({link.kind})"


def _element(path: str) -> str:
    """The element that a path is in: ``$.name[0].family`` → ``$.name``."""
    return "$." + path[2:].split(".")[0].split("[")[0]


def _halves(part: list[Any]) -> tuple[list[Any], list[Any]]:
    return part[: len(part) // 2], part[len(part) // 2 :]


def _concerned(issues: Iterable[str], links: list[Link]) -> list[Link]:
    """Which resources a refusal is about: by the number of an entry (``Bundle.entry[3]``), else by their type."""
    if len(links) == 1:
        return links
    text = " ".join(issues)
    numbers = {int(n) for n in re.findall(r"entry\[(\d+)\]", text)}
    if numbers:
        return [link for n, link in enumerate(links) if n in numbers]
    return [link for link in links if re.search(rf"\b{link.kind}\b", text)]

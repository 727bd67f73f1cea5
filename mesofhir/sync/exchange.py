"""One history to one server: create what it lacks, compare what it has, change only what differs.

A transaction of conditional creates says "create this, or give me what you have" for a whole history. A second
one, only if something differs, changes those resources by id and only if nobody else did meanwhile (HAPI: a
conditional update ignores If-Match). What the server answers is read entry by entry.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.errors import NotAllDone, Refused, UnknownOutcome
from mesofhir.fhir.exactjson import encode
from mesofhir.fhir.picture import Writing, changes
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.server import EntryResult, Server, TooLarge, TransactionFailed, identifier_query, search_value
from mesofhir.sync.allergies import Adopted, Allergies
from mesofhir.sync.people import People
from mesofhir.sync.references import literals, renamed
from mesofhir.sync.report import Outcome, Remark, Result

TRIES: Final = 8
Resource = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """How much goes in one bundle (interop.md, *Splitting*).

    :param entries: resources
    :param size: bytes
    """

    entries: int = 100
    size: int = 4_000_000


class Contended(NotAllDone):
    """Others kept changing the same resources."""


@dataclass
class Exchange:
    """The push of one history.

    :param made: its resources
    :param people: the people of the run, settled
    """

    server: Server
    clinic: Clinic
    made: list[Made]
    people: People
    allergies: Allergies
    result: Result
    limits: Limits = field(default_factory=Limits)
    pause: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.names: dict[str, str] = {}  # our handle → the server's name
        self.by_name: dict[str, Link] = {}  # the server's name → what it is of ours
        self.subject = ""

    # --- the steps ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """:raises NotAllDone: (and what the server room raises) the history was stopped"""
        for m in self.made:
            if m.link.kind in ("Patient", "Practitioner"):
                self._person(m)
        items = _in_order([m for m in self.made if m.link.kind not in ("Patient", "Practitioner")])
        adopted = self.allergies.not_to_send(self.subject, items)
        items = [m for m in items if not self._adopt(m, adopted)]
        for part in self._parts(items):
            self._settle(part)

    def _person(self, m: Made) -> None:
        reference = self.people.reference(m.link)
        if m.link.kind == "Patient":
            self.subject = reference
        self._name(m, reference)
        self.note(m, "created" if m.link in self.people.made else "found")
        theirs = self.people.found[m.link]
        if m.link not in self.people.made:
            new, _ = m.over(theirs)
            for path in sorted({_top(p) for p in changes(theirs, new)}):
                self._remark(m, "left", "differs from the clinic's; people belong to the EHR", path)

    def _adopt(self, m: Made, adopted: Mapping[Link, Adopted]) -> bool:
        """What the EHR already has under another identity is referred to, not doubled."""
        if m.link not in adopted:
            return False
        if adopted[m.link].reference:
            self._name(m, adopted[m.link].reference)
        self.note(m, "skipped")
        self._remark(m, "skipped", adopted[m.link].reason)
        return True

    def _settle(self, part: list[Made]) -> None:
        for attempt in range(TRIES):
            if attempt:  # those who met must part
                self.pause(random.uniform(0, 0.05 * 2 ** min(attempt, 6)))  # noqa: S311 - only a pause
            try:
                results = self.server.bundle([self._create(m) for m in part])
            except TooLarge:
                if len(part) == 1:
                    raise
                for half in (part[: len(part) // 2], part[len(part) // 2 :]):
                    self._settle(half)
                return
            except UnknownOutcome:
                results = self._look(part)
            except TransactionFailed as why:
                if why.status == 409:
                    continue  # another made one of these first: ask again
                raise self._explained(why, part) from None
            if self._compare(part, results):
                return
        raise Contended(f"{len(part)} resources were changed by others all the time; push again")

    def _look(self, part: list[Made]) -> list[EntryResult]:
        """After a lost answer: nothing is sent again, but looked for.

        :raises UnknownOutcome: not everything is there
        """
        found = self.find(part)
        lost = [m for m in part if m.link not in found]
        for m in lost:
            self.note(m, "unknown")
        if lost:
            raise UnknownOutcome(
                f"the answer to a write was lost, and {len(lost)} of {len(part)} resources are not on the server "
                "(yet); look at it before pushing again"
            )
        return [EntryResult(200, f"{m.link.kind}/{found[m.link]['id']}", None, found[m.link]) for m in part]

    def find(self, part: list[Made]) -> dict[Link, Resource]:
        """What the server holds of these, found by identifier."""
        out: dict[Link, Resource] = {}
        groups: dict[tuple[str, str], list[Made]] = {}
        for m in part:
            groups.setdefault((m.link.kind, m.link.table), []).append(m)
        for (kind, table), items in groups.items():
            system = search_value(self.clinic.system(table))
            for n in range(0, len(items), 20):
                value = ",".join(f"{system}|{search_value(m.link.key)}" for m in items[n : n + 20])
                for x in self.server.search(kind, [("identifier", value)]):
                    link = self.clinic.link_of(x)
                    if link:
                        out[link] = x
        return out

    def _compare(self, part: list[Made], results: list[EntryResult]) -> bool:
        """What existed is compared and changed where it differs; False: somebody was faster, look again."""
        theirs: dict[Link, Resource] = {}
        for m, r in zip(part, results, strict=True):
            x = r.resource
            if x is None:
                kind, _, id = (r.location or "").partition("/")
                answer = self.server.read(kind, id)
                if answer.body is None or answer.status != 200:
                    raise Refused(
                        f"the server does not show the {m.link.kind} that it says it has", answer.status
                    )
                x = answer.body
            theirs[m.link] = x
            self._name(m, f"{m.link.kind}/{x['id']}")
            if r.status == 201:
                self.note(m, "created")
        old = [(m, theirs[m.link]) for m, r in zip(part, results, strict=True) if r.status != 201]
        self._check_subjects(old)
        return self._change(old)

    def _check_subjects(self, old: Iterable[tuple[Made, Resource]]) -> None:
        for m, x in old:
            subject = (x.get("subject") or x.get("patient") or {}).get("reference")
            if isinstance(subject, str) and not subject.endswith(self.subject):
                self.note(m, "blocked")
                raise NotAllDone(
                    f"{m.link.table} {m.link.key}: {self.names[self._here(m)]} on the server carries this key and "
                    f"belongs to another patient than {self.subject}; nothing of it was changed"
                )

    def _change(self, old: list[tuple[Made, Resource]]) -> bool:
        puts: list[tuple[Made, Resource, Resource]] = []
        for m, x in old:
            if m.strange(x):
                self.note(m, "blocked")
                self._remark(m, "blocked", "stands on the server in a form that is not ours; left alone")
                continue
            new, doubts = m.over(x)
            for path, why in doubts:
                self._remark(m, "left", why, path)
            new = renamed(new, self.names)
            if new == x:
                self.note(m, "blocked" if doubts and not _says(m, x) else "unchanged")
            else:
                puts.append((m, x, new))
        return all(self._put(chunk) for chunk in _chunks(puts, self.limits.entries))

    def replace(self, puts: list[tuple[Made, Resource, Resource]]) -> list[EntryResult]:
        """Put the new in the place of the old, by id, if nobody changed it meanwhile (If-Match)."""
        entries = [
            {
                "fullUrl": f"{self.server.url}/{m.link.kind}/{x['id']}",
                "resource": new,
                "request": {
                    "method": "PUT",
                    "url": f"{m.link.kind}/{x['id']}",
                    "ifMatch": f'W/"{x.get("meta", {}).get("versionId", "")}"',
                },
            }
            for m, x, new in puts
        ]
        return self.server.bundle(entries)

    def _put(self, puts: list[tuple[Made, Resource, Resource]]) -> bool:
        try:
            results = self.replace(puts)
        except TransactionFailed as why:
            if why.status in (409, 412):
                return False
            raise self._explained(why, [m for m, _, _ in puts]) from None
        except UnknownOutcome:
            if not self._arrived(puts):
                for m, _, _ in puts:
                    self.note(m, "unknown")
                raise
            results = []
        for m, x, new in puts:
            self.note(m, "changed")
            for path in changes(x, new):
                if not path.startswith("$.text"):
                    self._remark(m, "replaced", "the clinic's value took the place of the server's", path)
        for (m, x, _), r in zip(puts, results, strict=False):
            version = x.get("meta", {}).get("versionId")
            if r.version is not None and r.version == version:
                self._remark(m, "left", "the server made no new version of what was changed")
        return True

    def _arrived(self, puts: list[tuple[Made, Resource, Resource]]) -> bool:
        """After a lost answer to an update: does the server now say all of it?"""
        for m, _, _ in puts:
            answer = self.server.read(*self.names[self._here(m)].split("/"))
            if answer.body is None or m.over(answer.body)[0] != answer.body:
                return False
        return True

    # --- helpers ------------------------------------------------------------------------------------------

    def _here(self, m: Made) -> str:
        return f"{m.link.kind}/{m.handle}"

    def _name(self, m: Made, reference: str) -> None:
        self.names[self._here(m)] = reference
        self.by_name[reference] = m.link
        m.world.targets = self.by_name
        self.result.references[m.link] = reference

    def _create(self, m: Made) -> dict[str, Any]:
        urns = {self._here(o): f"urn:uuid:{o.handle}" for o in self.made} | self.names
        return {
            "fullUrl": f"urn:uuid:{m.handle}",
            "resource": renamed(m.resource, urns),
            "request": {
                "method": "POST",
                "url": m.link.kind,
                "ifNoneExist": identifier_query(self.clinic.system(m.link.table), m.link.key),
            },
        }

    def _parts(self, items: list[Made]) -> Iterator[list[Made]]:
        """Parts within the limits, each after what it refers to."""
        part: list[Made] = []
        size = 0
        for m in items:
            n = len(encode(m.resource)) + 400
            if part and (len(part) >= self.limits.entries or size + n > self.limits.size):
                yield part
                part, size = [], 0
            part.append(m)
            size += n
        if part:
            yield part

    def _explained(self, why: TransactionFailed, part: list[Made]) -> Exception:
        """The refusal of a whole transaction: which resource it concerns, as far as the server says."""
        for m in part:
            self.note(m, "refused")
        if why.status == 412:
            twice = self._doubled(part)
            if twice:
                return NotAllDone(
                    f"several resources on the server carry one key of ours: {'; '.join(twice)}"
                )
        at = _entry_of(why.issues, len(part))
        if at is not None:
            m = part[at]
            return Refused(f"{m.link.table} {m.link.key} ({m.link.kind}): {why}", why.status)
        return why

    def _doubled(self, part: list[Made]) -> list[str]:
        out = []
        for m in part:
            value = f"{search_value(self.clinic.system(m.link.table))}|{search_value(m.link.key)}"
            ids = [x["id"] for x in self.server.search(m.link.kind, [("identifier", value)])]
            if len(ids) > 1:
                out.append(
                    f"{m.link.table} {m.link.key} is {', '.join(f'{m.link.kind}/{i}' for i in sorted(ids))}"
                )
        return out

    def note(self, m: Made, outcome: Outcome) -> None:
        """Record what became of a resource; what was created stays created when it is compared again."""
        before = self.result.outcomes.get(m.link)
        if not (before == "created" and outcome in ("unchanged", "changed")):
            self.result.outcomes[m.link] = outcome

    def _remark(self, m: Made, kind: str, text: str, path: str = "") -> None:
        remark = Remark(m.link, kind, text, path)
        if remark not in self.result.remarks:
            self.result.remarks.append(remark)


def _says(m: Made, theirs: Resource) -> bool:
    """Does the server's resource say all that the record states, in spite of doubtful places?"""
    return m.shape.picture.says(theirs, Writing(m.row, m.world), "$")


def _top(path: str) -> str:
    """The element that a path is in: ``$.name[0].family`` → ``$.name``."""
    return "$." + path[2:].split(".")[0].split("[")[0]


def _in_order(items: list[Made]) -> list[Made]:
    """Each resource after those that it refers to (there are no cycles: clinical model, decision 16)."""
    by_name = {f"{m.link.kind}/{m.handle}": m for m in items}
    out: dict[Link, Made] = {}

    def place(m: Made) -> None:
        if m.link not in out:
            for name in literals(m.resource):
                if name in by_name and by_name[name] is not m:
                    place(by_name[name])
            out[m.link] = m

    for m in items:
        place(m)
    return list(out.values())


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for n in range(0, len(items), size):
        yield items[n : n + size]


def _entry_of(issues: Iterable[str], size: int) -> int | None:
    """The number of the entry that an issue names (``Bundle.entry[3]``)."""
    for issue in issues:
        m = re.search(r"entry\[(\d+)\]", issue)
        if m and int(m[1]) < size:
            return int(m[1])
    return None

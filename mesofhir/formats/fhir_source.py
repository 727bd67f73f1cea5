"""FHIR resources → histories: Bundles and NDJSON, patient by patient."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from mesofhir.errors import Problem
from mesofhir.fhir.definitions import name_of
from mesofhir.fhir.validation import validate
from mesofhir.formats.gathering import Gathered, Gathering
from mesofhir.formats.item import Counts, Foreign, Item
from mesofhir.formats.json_values import Value
from mesofhir.formats.spool import Spool
from mesofhir.mapping import Clinic, Kept, Understood, understand
from mesofhir.records import Fault

_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")
_OF_CONTAINER: Final = frozenset({"resourceType", "type", "entry", "total", "link", "id", "meta"})
_UNREADABLE: Final = (TypeError, AttributeError, KeyError, ValueError, IndexError, RecursionError)
"""What reading raises where an element has another shape than FHIR gives it."""


def is_fhir(data: Any) -> bool:
    """Is a JSON value a FHIR resource?"""
    return isinstance(data, dict) and isinstance(data.get("resourceType"), str)


class FhirSource:
    """The reader.

    :param values: reads the JSON values of the source; called once
    :param where: the name of the source
    """

    def __init__(
        self, values: Callable[[], Iterator[Value]], where: str, clinic: Clinic, spool: Spool, counts: Counts
    ) -> None:
        self.values, self.where, self.clinic, self.spool = values, where, clinic, spool
        self.counts, self.loaded = counts, Counts()
        self.gathering = Gathering(spool, clinic)
        self.done = False
        spool.make("CREATE TABLE troubles (fault INTEGER, place TEXT, what TEXT, expected TEXT, hint TEXT)")

    def items(self) -> Iterator[Item]:
        """Each patient, in the order of their keys; before them what is wrong with the source as a whole, and
        after them what is nobody's."""
        if not self.done:
            self._load()
            self.done = True
        self.counts.read += self.loaded.read
        self.counts.refused += self.loaded.refused
        self.counts.repeated += self.loaded.repeated
        yield from self._troubles()
        self.gathering.begin()
        for here in self.gathering.patients():
            yield self._item(here)
        for here in self.gathering.others():
            yield self._item(here)
        used = self.gathering.used_at_last()
        self.counts.refused += used.get(1, 0)
        self.counts.mapped += used.get(2, 0)

    # --- filling the spool ----------------------------------------------------------------------------------

    def _load(self) -> None:
        for value in self.values():
            for problem in value.faults:
                self._trouble(problem)
            if value.faults:
                self._refused()
            elif isinstance(value.data, dict) and value.data.get("resourceType") == "Bundle":
                self._bundle(value)
            else:
                self._resource(value.data, value.where, "")
        self.gathering.settle()

    def _bundle(self, value: Value) -> None:
        bundle, where = value.data, value.prefix
        entries = bundle.get("entry", [])
        if not isinstance(entries, list):
            self._trouble(Problem(f"{where}.entry", "not a list", "a list of entries"))
            self._refused()
            return
        for i, entry in enumerate(entries):
            here = f"{where}.entry[{i}]"
            url = entry.get("fullUrl") if isinstance(entry, dict) else None
            if not isinstance(entry, dict) or not isinstance(url, str | None):
                self._trouble(Problem(here, "not an entry of a Bundle", "an object"))
                self._refused()
            elif "resource" not in entry:
                hint = "deletions and answers are no facts"
                self._trouble(Problem(here, "an entry without a resource", hint=hint), fault=False)
            else:
                self._resource(entry["resource"], f"{here}.resource", url or "")
                mode = entry["search"].get("mode") if isinstance(entry.get("search"), dict) else ""
                if mode == "outcome":
                    what = "the server says that something was wrong with the search: this may not be all"
                    self._trouble(Problem(here, what), fault=False)
        links = bundle.get("link", [])
        if any(isinstance(x, dict) and x.get("relation") == "next" for x in links if isinstance(links, list)):
            self._trouble(Problem(where, "one page of several: this is not all"), fault=False)
        if lost := sorted(k for k in set(bundle) - _OF_CONTAINER if k.isalpha() and k.isascii()):
            names = ", ".join(f"`{name[:40]}`" for name in lost[:10])
            self._trouble(Problem(where, f"{names} of the Bundle itself: not kept"), fault=False)

    def _resource(self, data: Any, where: str, url: str) -> None:
        if not is_fhir(data) or not _TYPE.fullmatch(data["resourceType"]):
            self._trouble(Problem(where, "not a FHIR resource", "an object with its resourceType"))
            self._refused()
            return
        self.loaded.read += 1
        if not self.gathering.add(data, url):
            self.loaded.repeated += 1

    def _refused(self) -> None:
        self.loaded.read += 1
        self.loaded.refused += 1

    def _trouble(self, problem: Problem, *, fault: bool = True) -> None:
        values = problem.where, problem.what, problem.expected, problem.hint
        self.spool.do("INSERT INTO troubles VALUES (?, ?, ?, ?, ?)", fault, *values)

    def _troubles(self) -> Iterator[Item]:
        last, wanted = (
            0,
            "SELECT rowid, fault, place, what, expected, hint FROM troubles WHERE rowid > ? LIMIT 1000",
        )
        while rows := self.spool.db.execute(wanted, (last,)).fetchall():
            last = rows[-1][0]
            item = Item(self.where)
            for _, fault, *problem in rows:
                (item.faults if fault else item.warnings).append(Problem(*problem))
            yield item

    # --- telling it -----------------------------------------------------------------------------------------

    def _item(self, here: Gathered) -> Item:
        found = _understood(here, self.clinic)
        item = Item(f"{self.where}: patient {here.patient}" if here.patient else self.where, patient=here.patient)
        rows = {id(x): row for row, x in here.resources.items()}
        fresh = {row for row in here.practitioners if not self.gathering.used(row)}
        for kept in found.kept:
            row = rows[id(kept.resource)]
            if row in here.practitioners:
                self.gathering.refuse(row, kept.reason)
            else:
                item.kept.append(Foreign(kept.resource, kept.reason, here.urls.get(row, "")))
        told = {id(here.resources[row]) for row in here.practitioners - fresh}
        item.notes = [note for note in found.notes if id(note.resource) not in told]
        item.sources = found.sources
        item.urls = {ln: here.urls[rows[id(x)]] for ln, x in found.sources.items() if rows[id(x)] in here.urls}
        item.locate = lambda fault: self._locate(fault, item)
        item.history = next((h for h in found.histories if h.key == here.patient), None)
        if len(found.histories) > (item.history is not None):
            what = "its resources say that they are of more than one patient"
            item.faults.append(Problem(item.where, what, "one patient"))
        item.judge(self.clinic)
        self._count(item, here, rows)
        return item

    def _count(self, item: Item, here: Gathered, rows: dict[int, int]) -> None:
        """Where the resources went; of a practitioner only at the end, whom several histories may name."""
        good = not item.faults
        for x in item.sources.values():
            if rows[id(x)] in here.practitioners:
                self.gathering.use(rows[id(x)], good)
            else:
                self.counts.mapped += good
                self.counts.refused += not good
        self.counts.kept += len(item.kept)

    def _locate(self, fault: Fault, item: Item) -> str:
        """The resource that states the field, by its id where it has one; else, or if that is none, by its key."""
        for link, x in item.sources.items():
            if (link.table, link.key) == (fault.table, fault.key):
                named = name_of(x)
                name = named if "/" in named else f"{link.kind}/{link.key}"
                return f"{self.where}: {name}, {fault.field or 'the record'} of `{link.table}`"
        return f"{self.where}: {fault.table} {fault.key}" + (f", {fault.field}" if fault.field else "")


def _understood(here: Gathered, clinic: Clinic) -> Understood:
    """What the resources of one patient say. What cannot be read at all is kept, with the first reason why."""
    rows = [row for row in here.resources if row not in here.claimed]
    bad = dict(here.claimed)
    try:
        found = _understand(here, rows, clinic)
    except _UNREADABLE:
        for row in rows:
            if problems := validate(here.resources[row]):
                bad[row] = f"not FHIR: {problems[0].where}: {problems[0].what}"
        if len(bad) == len(here.claimed):
            raise
        found = _understand(here, [row for row in rows if row not in bad], clinic)
    found.kept += [Kept(here.resources[row], reason) for row, reason in bad.items()]
    if not here.patient:
        found.kept += [Kept(x, "no patient of ours") for x in found.sources.values()]
        found.histories, found.sources, found.notes = [], {}, []
    return found


def _understand(here: Gathered, rows: list[int], clinic: Clinic) -> Understood:
    resources = [here.resources[row] for row in rows]
    return understand(resources, clinic, urls=[here.urls.get(row, "") for row in rows], known=here.known)

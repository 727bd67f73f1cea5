"""Histories → FHIR: a Bundle for each, or one resource a line; over what the resources said when they were read.

Every entry has one address: in a Bundle its ``fullUrl`` (``urn:uuid:`` and the handle, unless it came with one),
in NDJSON its ``Type/id`` (the handle, unless it came with an id). Literal references follow the addresses.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from mesofhir.errors import InvalidInput, Problem, UsageError
from mesofhir.fhir.exactjson import decode, encode, encode_pretty
from mesofhir.fhir.references import literals, own_name, renamed
from mesofhir.formats.item import Item, differing, url_of
from mesofhir.formats.kept import IDENTITY
from mesofhir.formats.output import Output, create
from mesofhir.formats.spool import Spool
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.records.model import Practitioner
from mesofhir.records.tables import SHARED

URN: Final = "urn:uuid:"
_REST = re.compile(r"(?P<base>https?://.+/)(?P<name>[A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64})")
Resource = dict[str, Any]


class Report(Protocol):
    """What a writer tells."""

    resources: int
    warnings: list[Problem]


@dataclass
class Entry:
    """One resource to be written.

    :param handle: the UUID by which it is known, if it has no other name
    :param url: the ``fullUrl`` that it came with
    :param link: its record, if it is of one
    """

    resource: Resource
    handle: str
    url: str = ""
    link: Link | None = None

    @property
    def kind(self) -> str:
        return str(self.resource.get("resourceType"))

    @property
    def name(self) -> str:
        """``Type/id``, as it is in NDJSON."""
        own = own_name(self.resource)
        if own:
            return own
        return f"{self.kind}/{self.url.removeprefix(URN) if self.url.startswith(URN) else self.handle}"

    @property
    def address(self) -> str:
        """``fullUrl``, as it is in a Bundle."""
        return self.url or URN + self.handle

    @property
    def names(self) -> set[str]:
        """All by which a reference may mean it."""
        return {f"{self.kind}/{self.handle}", URN + self.handle, self.name, self.address}


def entries(item: Item, clinic: Clinic, warnings: list[Problem]) -> list[Entry]:
    """What an item becomes: its rows over the resources as they were read, then what was kept.

    :param warnings: is given what was left alone
    :raises InvalidInput: FHIR cannot carry the history
    """
    graph = item.graph(clinic)
    faults = [f for f in graph.faults if not f.warning]
    if faults:
        raise InvalidInput([item.problem(f) for f in faults])
    known = {n: ln for ln, x in item.sources.items() for n in (own_name(x), item.urls.get(ln, "")) if n}
    out, made = [], set()
    for m in graph.made:
        m.world.targets = known  # what the references mean that stand in the resources as they were read
        made.add(m.link)
        old = item.sources.get(m.link)
        if old is None or IDENTITY.issuperset(old):
            resource = {**(old or {}), **m.resource}
        else:
            resource, doubts = _over(m, old)
            where = f"{item.where}: {m.link.kind} of `{m.link.table}` {m.link.key}"
            warnings += [Problem(f"{where}, {path}", why) for path, why in doubts]
        out.append(Entry(resource, m.handle, item.urls.get(m.link, ""), m.link))
    for link, resource in item.sources.items():
        if link not in made and not IDENTITY.issuperset(resource):
            where = f"{item.where}: {link.kind} of `{link.table}` {link.key}"
            warnings.append(Problem(where, "its record no longer makes such a resource: written as it was read"))
            out.append(Entry(resource, clinic.handle(link), item.urls.get(link, ""), link))
    used: Counter[str] = Counter()
    for kept in item.kept:
        name = own_name(kept.resource) or encode(kept.resource).decode()
        used[name] += 1
        handle = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{clinic.namespace}/{name}#{used[name]}"))
        out.append(Entry(kept.resource, handle, url_of(kept)))
    return out


def _over(made: Made, old: Resource) -> tuple[Resource, list[tuple[str, str]]]:
    """The row put over the resource as it was read, and the places that were left alone, with the reason.

    The EHR's own resource, which only our references know as ours, stays as it is (architecture, rules 5 and 11);
    so does a practitioner of whom nothing is new but the language of the history.
    """
    new, doubts = made.over(old)
    theirs = made.clinic.link_of(old) is None
    of_ours = {"language", "text", "meta"} | ({"identifier"} if theirs else set())
    same = {k: v for k, v in old.items() if k not in of_ours} == {k: v for k, v in new.items() if k not in of_ours}
    if theirs:
        return old, [] if same else [("$", "the EHR's own: left as it was read, though the record says otherwise")]
    return (old, []) if same and made.link.table == SHARED else (new, doubts)


def _addresses(all_: list[Entry], address: Callable[[Entry], str]) -> dict[str, str]:
    """What a reference may say → what it is to say. The first entry of a name has it."""
    out: dict[str, str] = {}
    for entry in all_:
        for name in entry.names:
            out.setdefault(name, address(entry))
    return out


def lines(all_: list[Entry]) -> list[Resource]:
    """Resources that stand alone: each with its id, and references by ids."""
    addresses = _addresses(all_, lambda entry: entry.name)
    out = []
    for entry in all_:
        resource = entry.resource
        if "id" not in resource:
            resource = {"resourceType": entry.kind, "id": entry.name.partition("/")[2], **resource}
        out.append(renamed(resource, lambda literal: addresses.get(literal, literal)))
    return out


def bundle(all_: list[Entry]) -> Resource:
    """A Bundle, type ``collection``; references by ``fullUrl``, unless a relative one leads there (R4, 2.36.4.1)."""
    addresses = _addresses(all_, lambda entry: entry.address)
    found = []
    for entry in all_:
        rest = _REST.fullmatch(entry.address)
        base = rest["base"] if rest else ""

        def name(literal: str, base: str = base) -> str:
            address = addresses.get(literal, literal)
            return literal if base and base + literal == address else address

        found.append({"fullUrl": entry.address, "resource": renamed(entry.resource, name)})
    whole: Resource = {"resourceType": "Bundle", "type": "collection"}
    return whole | ({"entry": found} if found else {})


# --- writers ------------------------------------------------------------------------------------------------


class Staff:
    """The practitioners that were written: the same in every history, also where its language is another."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[Practitioner, Resource]] = {}

    def unite(self, item: Item, all_: list[Entry]) -> set[str]:
        """Replace each practitioner by the one that was written first; the keys of those.

        :raises InvalidInput: the history says something else than an earlier one
        """
        records = {p.key: p for p in item.history.practitioners} if item.history else {}
        again = set()
        for entry in all_:
            if entry.link is None or entry.link.table != SHARED or entry.link.key not in records:
                continue
            key, record = entry.link.key, records[entry.link.key]
            first, resource = self.known.setdefault(key, (record, entry.resource))
            if first is record:
                continue
            if first != record:
                raise InvalidInput(differing(item.where, key))
            again.add(key)
            entry.resource = resource
        return again


class FhirLines:
    """One resource a line; a practitioner once.

    What refers by URN to a resource of another item waits in the spool until all names are known.
    """

    def __init__(self, out: BinaryIO, clinic: Clinic, report: Report, spool: Spool) -> None:
        self.out, self.clinic, self.report, self.spool = out, clinic, report, spool
        self.staff = Staff()
        spool.make(
            "CREATE TABLE urns (urn TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID; CREATE TABLE waiting (body BLOB)"
        )

    def add(self, item: Item) -> None:
        all_ = entries(item, self.clinic, self.report.warnings)
        again = self.staff.unite(item, all_)
        for entry, resource in zip(all_, lines(all_), strict=True):
            if entry.url.startswith(URN):
                self.spool.do("INSERT OR IGNORE INTO urns VALUES (?, ?)", entry.url, entry.name)
            if entry.link is not None and entry.link.table == SHARED and entry.link.key in again:
                continue
            self.report.resources += 1
            if any(literal.startswith(URN) for literal in literals(resource)):
                self.spool.do("INSERT INTO waiting VALUES (?)", encode(resource))
            else:
                self.out.write(encode(resource) + b"\n")

    def finish(self) -> None:
        """Write what waited."""
        for (body,) in self.spool.rows("SELECT body FROM waiting ORDER BY rowid"):
            self.out.write(encode(renamed(decode(body), self._name)) + b"\n")

    def _name(self, literal: str) -> str:
        found = self.spool.one("SELECT name FROM urns WHERE urn = ?", literal)
        return str(found[0]) if found else literal


class OneBundle:
    """A file with the Bundle of one history, and what belongs to no history."""

    def __init__(self, out: BinaryIO, where: str, clinic: Clinic, report: Report) -> None:
        self.out, self.where, self.clinic, self.report = out, where, clinic, report
        self.entries: list[Entry] = []
        self.full = False

    def add(self, item: Item) -> None:
        if item.history is not None and self.full:
            raise UsageError(
                f"{self.where}: a Bundle holds one history, and here are several; name a folder that ends in"
                " .bundles (a Bundle each), or a file that ends in .fhir.ndjson"
            )
        self.full = self.full or item.history is not None
        self.entries += entries(item, self.clinic, self.report.warnings)

    def finish(self) -> None:
        self.report.resources = len(self.entries)
        self.out.write(encode_pretty(bundle(self.entries)))


class ManyBundles:
    """A folder with a Bundle for each history, and others for what belongs to none."""

    def __init__(self, folder: Path, output: Output, clinic: Clinic, report: Report) -> None:
        self.folder, self.output, self.clinic, self.report = folder, output, clinic, report
        self.others = 0
        self.staff = Staff()

    def add(self, item: Item) -> None:
        all_ = entries(item, self.clinic, self.report.warnings)
        self.staff.unite(item, all_)
        if item.history is not None:
            name = self.clinic.handle(Link("Patient", "patients", item.history.key))
        elif all_:
            self.others += 1
            name = f"others-{self.others:06}"
        else:
            return
        self.report.resources += len(all_)
        with create(self.folder / f"{name}.bundle.json") as out:
            out.write(encode_pretty(bundle(all_)))

    def finish(self) -> None:
        """Nothing is left to write."""


def is_bundle_name(name: str) -> bool:
    """Could a file of this name be one of a folder of Bundles?"""
    return name.endswith(".json")

"""What FHIR said and no record holds, beside the records: ``DST.kept.ndjson`` (architecture, rule 3).

One line for each resource that is in no record, or not wholly::

    {"patient": "P1", "resource": {…}, "reason": "not ours: …"}
    {"patient": "P1", "record": {"table": "sessions", "key": "S1"}, "resource": {…}, "reason": "…",
     "paths": [{"path": "$.extension[3].valueString", "reason": "no field of a record holds it"}]}

``patient`` is null where none is known. ``url`` is the ``fullUrl`` that the resource had. A resource of a record
that holds all of it has a line where one of the others refers to it, so that the reference still finds it: with
its type and id only. Reading the records picks the file up again, and writing FHIR joins both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from mesofhir.errors import Problem, UsageError
from mesofhir.fhir.exactjson import decode, encode
from mesofhir.fhir.references import literals, own_name
from mesofhir.formats.item import Foreign, Item, url_of
from mesofhir.formats.json_values import Value, of_lines
from mesofhir.formats.options import Options
from mesofhir.formats.spool import Spool
from mesofhir.mapping import Link, Note
from mesofhir.mapping.clinic import tail
from mesofhir.records import TABLES
from mesofhir.records.tables import SHARED

ENDING: Final = ".kept.ndjson"
AT_ONCE: Final = 500  #: resources of no history that are told together
IDENTITY: Final = frozenset({"resourceType", "id"})
REFERRED: Final = "referred to by a resource that is kept"
NOTED: Final = "its record does not hold all of it"
GONE: Final = "its record is no longer there"
Resource = dict[str, Any]


def beside(place: Path) -> Path:
    """The file for what is kept beside the records at ``place`` (a file, or a folder)."""
    return place.with_name(place.name + ENDING)


# --- reading ------------------------------------------------------------------------------------------------


class KeptFile:
    """The resources that an earlier write kept, by patient.

    :param path: the file
    """

    def __init__(self, path: Path, spool: Spool) -> None:
        self.path, self.spool = path, spool
        spool.make(
            "CREATE TABLE kept (id INTEGER PRIMARY KEY, patient TEXT, tbl TEXT, key TEXT, used INTEGER, body BLOB);"
            "CREATE INDEX kept_by ON kept (patient); CREATE INDEX kept_people ON kept (tbl, key)"
        )
        self.faults: list[Problem] = []
        self._load()

    def _load(self) -> None:
        try:
            with self.path.open("rb") as stream:
                for value in of_lines(stream, Options(), str(self.path)):
                    wrong = list(value.faults) or _wrong(value)
                    self.faults += wrong
                    if not wrong:
                        self._add(value.data)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read: {error.strerror}") from None

    def _add(self, line: dict[str, Any]) -> None:
        record = line.get("record") or {}
        self.spool.do(
            "INSERT INTO kept (patient, tbl, key, used, body) VALUES (?, ?, ?, 0, ?)",
            line.get("patient"), record.get("table"), record.get("key"), encode(line),
        )  # fmt: skip

    def begin(self) -> None:
        """Nothing was taken yet."""
        self.spool.do("UPDATE kept SET used = 0")

    def join(self, item: Item) -> None:
        """Give a history what was kept of it."""
        if item.history is None:
            return
        self._take(item, "patient = ?", item.history.key)
        for person in item.history.practitioners:
            self._take(item, "patient IS NULL AND tbl = ? AND key = ?", SHARED, person.key)

    def _take(self, item: Item, which: str, *values: str) -> None:
        sources, urls = dict(item.sources), dict(item.urls)
        for row, body in self.spool.db.execute(f"SELECT id, body FROM kept WHERE {which}", values).fetchall():  # noqa: S608
            self.spool.do("UPDATE kept SET used = 1 WHERE id = ?", row)
            line = decode(body)
            link, resource, url = _link(line), line["resource"], line.get("url") or ""
            if link is None:
                item.kept.append(Foreign(resource, line["reason"], url))
                continue
            sources[link] = resource
            if url:
                urls[link] = url
            item.notes += [Note(resource, p["path"], p["reason"]) for p in line.get("paths") or ()]
        item.sources, item.urls = sources, urls

    def rest(self) -> Iterator[Item]:
        """What belongs to no history that was read."""
        item = Item(str(self.path))
        wanted = "SELECT ifnull(patient, ''), body FROM kept WHERE used = 0 ORDER BY patient, id"
        for patient, body in self.spool.rows(wanted):
            line = decode(body)
            link, resource = _link(line), line["resource"]
            if link is not None and IDENTITY.issuperset(resource):
                continue  # only a name, and what it named is gone
            if item.kept and (item.patient != patient or len(item.kept) == AT_ONCE):
                yield item
                item = Item(str(self.path))
            item.patient = patient
            item.kept.append(Foreign(resource, GONE if link else line["reason"], line.get("url") or ""))
        if item.kept:
            yield item


def _wrong(value: Value) -> list[Problem]:
    line = value.data if isinstance(value.data, dict) else {}
    resource, record = line.get("resource"), line.get("record")
    good = (
        isinstance(resource, dict)
        and isinstance(resource.get("resourceType"), str)
        and isinstance(line.get("patient"), str | None)
        and isinstance(line.get("reason"), str)
        and isinstance(line.get("url"), str | None)
        and (record is None or (isinstance(record, dict) and record.get("table") in [*TABLES]))
        and (record is None or isinstance(record.get("key"), str))
        and _are_paths(line.get("paths"))
    )
    hint = "the file is written by mesofhir; move it away to read the records without it"
    return [] if good else [Problem(value.where, "not a line of kept resources", "as mesofhir wrote it", hint)]


def _are_paths(x: Any) -> bool:
    return x is None or (
        isinstance(x, list)
        and all(isinstance(p, dict) and isinstance(p.get("path"), str) and isinstance(p.get("reason"), str) for p in x)
    )


def _link(line: dict[str, Any]) -> Link | None:
    record = line.get("record")
    return Link(line["resource"]["resourceType"], record["table"], record["key"]) if record else None


# --- writing ------------------------------------------------------------------------------------------------


class KeptWriter:
    """Lines for what the records do not hold.

    :param begin: opens the file; called with the first line
    """

    def __init__(self, begin: Callable[[], BinaryIO], spool: Spool) -> None:
        self.begin, self.spool = begin, spool
        self.out: BinaryIO | None = None
        self.lines = 0
        self.people: set[Link] = set()  # practitioners that have their line
        spool.make(
            "CREATE TABLE passed (name TEXT PRIMARY KEY, line BLOB) WITHOUT ROWID;"
            "CREATE TABLE referred (name TEXT PRIMARY KEY) WITHOUT ROWID"
        )

    def add(self, item: Item) -> None:
        """Write what an item keeps, and what is noted of its records."""
        patient = item.history.key if item.history else item.patient or None
        noted: dict[int, list[dict[str, str]]] = {}
        for note in item.notes:
            noted.setdefault(id(note.resource), []).append({"path": note.path, "reason": note.reason})
        for kept in item.kept:
            self._write(_line(patient, None, kept.resource, kept.reason, url_of(kept)))
            self._refers(kept.resource)
        for link, resource in item.sources.items():
            if link not in self.people:
                self._source(item, link, resource, noted.get(id(resource), []))

    def _source(self, item: Item, link: Link, resource: Resource, paths: list[dict[str, str]]) -> None:
        """The resource of a record: whole where something is noted, else what a reference finds it by."""
        person = link.table == SHARED
        patient = None if person or item.history is None else item.history.key
        url = item.urls.get(link, "")
        if paths:
            self._write(_line(patient, link, resource, NOTED, url, paths))
            self._refers(resource)
            if person:
                self.people.add(link)
            return
        light = {k: v for k, v in resource.items() if k in IDENTITY}
        line = encode(_line(patient, link, light, REFERRED, url))
        for name in {own_name(resource), url} - {""}:
            self.spool.do("INSERT OR IGNORE INTO passed VALUES (?, ?)", name, line)

    def _refers(self, resource: Resource) -> None:
        for literal in literals(resource):
            for name in {literal, tail(literal)}:
                self.spool.do("INSERT OR IGNORE INTO referred VALUES (?)", name)

    def finish(self) -> None:
        """Write what the resources that were written refer to, whichever came first."""
        found = self.spool.rows("SELECT line FROM passed WHERE name IN (SELECT name FROM referred) GROUP BY line")
        for (line,) in found:
            self._write(decode(line))

    def _write(self, line: dict[str, Any]) -> None:
        if self.out is None:
            self.out = self.begin()
        self.lines += 1
        self.out.write(encode(line) + b"\n")


def _line(
    patient: str | None,
    link: Link | None,
    resource: Resource,
    reason: str,
    url: str,
    paths: Sequence[dict[str, str]] = (),
) -> dict[str, Any]:
    line: dict[str, Any] = {"patient": patient}
    if link is not None:
        line["record"] = {"table": link.table, "key": link.key}
    if url:
        line["url"] = url
    return {**line, "resource": resource, "reason": reason, "paths": list(paths)}

"""What has changed on a server since a watermark: which patients are touched, and what has gone.

For each type the first of these ways that the server can be believed in:

1. a search by ``_lastUpdated``, from an overlap before the watermark, since a transaction shows up later than its time
   (HAPI stamps what it writes when the transaction begins). Believed if it finds the newest resource that we know of
   the type, which the search is made to include, and if the server then counts as many of ours as we know: a count that
   differs means deletions, and the type is read (3);
2. ``_history`` of the type, believed by the same resource; it tells deletions, too;
3. a full read of ours, compared by version and by a hash of what each says.

What comes is told from what is known by version and hash, so that neither an overlap, nor equal times, nor a server
that ignores ``_lastUpdated`` costs anything but time. The EHR's own people and allergies that stand for records of
ours are few; they are always read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from mesofhir.errors import Refused
from mesofhir.mapping import Clinic
from mesofhir.mapping.reading import ADOPTED
from mesofhir.mapping.shapes import shapes_of
from mesofhir.server import Server
from mesofhir.sync.finder import Finder, chunks
from mesofhir.sync.remembered import Remembered, instant

AT_ONCE: Final = 200  #: ids in one search; they go in the body of a POST
Resource = dict[str, Any]


class Gone(NamedTuple):
    """A resource that is there no more, or no more ours.

    :param name: ``Type/id``
    :param why: in words
    """

    name: str
    why: str


class Changed:
    """Looks for what has changed.

    :param take: gets each changed resource of ours as it is now
    :ivar touched: the owners whose histories are to be read again
    :ivar names: resources that have changed, and are still to be fetched
    :ivar gone: what has gone
    :ivar ways: type → how it was looked at: ``search``, ``history`` or ``full``
    """

    def __init__(
        self,
        server: Server,
        clinic: Clinic,
        finder: Finder,
        seen: Remembered,
        take: Callable[[Resource], None],
        subject: Callable[[Resource], str],
    ) -> None:
        self.server, self.clinic, self.finder, self.seen = server, clinic, finder, seen
        self.take, self.subject = take, subject
        self.touched: set[str] = set()
        self.names: set[str] = set()
        self.gone: dict[str, Gone] = {}
        self.ways: dict[str, str] = {}
        self._believes_versions = True

    def look(self, since: int | None) -> None:
        """Find all that has changed.

        :param since: microseconds since 1970; None: compare everything
        :raises Refused: a type can be looked at in no way
        """
        tables: dict[str, set[str]] = {}
        for kind, table in shapes_of(self.clinic):
            tables.setdefault(kind, set()).add(table)
        for kind in sorted(tables.keys() - {"Practitioner"}):
            self.ways[kind] = self._look_at(kind, tables[kind], since)
        for kind in ADOPTED:
            for names in chunks(sorted(self.seen.names(kind, ours=False)), AT_ONCE):
                self._look_at_theirs(kind, names)

    def _look_at(self, kind: str, tables: set[str], since: int | None) -> str:
        if since is not None:
            newest = self.seen.newest(kind)
            known = newest.updated if newest and newest.updated is not None else since
            start = instant(min(since, known))
            control = newest.name if newest else ""
            if self._by_search(kind, tables, start, control):
                return "search"
            if control and self._by_history(kind, start, control):
                return "history"
        self._by_reading(kind, tables)
        return "full"

    # --- the ways -----------------------------------------------------------------------------------------

    def _by_search(self, kind: str, tables: set[str], start: str, control: str) -> bool:
        found: set[str] = set()
        try:
            for x in self.finder.since(kind, tables, start):
                if self._judge(x):
                    found.add(_name(x))
        except Refused:
            return False
        if control and control not in found and self._is_ours(control):
            return False  # it must have been found
        new = sum(not self.seen.of(name) for name in found)
        counted = self.finder.count(kind, tables)
        known = sum(1 for _ in self.seen.names(kind, ours=True))
        return counted is not None and counted == known + new + self.seen.surplus(kind)

    def _by_history(self, kind: str, start: str, control: str) -> bool:
        """What has a version that is not known is read as it is now: of equal times a history tells no order."""
        found: set[str] = set()
        wanted: set[str] = set()
        try:
            for v in self.server.changes(kind, start):
                found.add(v.name)
                known = self.seen.of(v.name)
                ours = bool(known) or (v.resource is not None and self.clinic.link_of(v.resource) is not None)
                if ours and not any(k.version and k.version == v.version for k in known):
                    wanted.add(v.name)
        except Refused:
            return False
        if control not in found and self._is_ours(control):
            return False
        for x in self._read(kind, wanted):
            wanted.discard(_name(x))
            self._judge(x)
        for name in wanted:
            if self.seen.of(name):
                self._lose(name)
        return True

    def _by_reading(self, kind: str, tables: set[str]) -> None:
        """:raises Refused: the type can be searched in no way"""
        found = set()
        self._believes_versions = False  # all of it is here: what it says can be compared
        for x in self.finder.ours(kind, tables):
            found.add(_name(x))
            self._judge(x)
        self._believes_versions = True
        for name in self.seen.names(kind, ours=True):
            if name not in found:
                self._lose(name)
        counted = self.finder.count(kind, tables)
        self.seen.set_surplus(kind, counted - len(found) if counted is not None else 0)

    def _look_at_theirs(self, kind: str, names: Sequence[str]) -> None:
        found = set()
        for x in self._read(kind, names):
            found.add(_name(x))
            if not self._same(x):
                self._touch(_name(x))
        for name in set(names) - found:
            self._lose(name)

    # --- judging ------------------------------------------------------------------------------------------

    def _judge(self, x: Resource) -> bool:
        """Is it ours? If it says something new, its owner is touched."""
        if "id" not in x or self.clinic.link_of(x) is None:
            if "id" in x and any(k.ours for k in self.seen.of(_name(x))):
                self._lose(_name(x))
            return False
        if not self._same(x):
            self._touch(_name(x))
            self.touched.add(self.seen.owner(self.subject(x)))
            self.take(x)
        return True

    def _same(self, x: Resource) -> bool:
        known = self.seen.of(_name(x))
        version = str(x.get("meta", {}).get("versionId", ""))
        if self._believes_versions and known and version and all(k.version == version for k in known):
            return True
        return bool(known) and all(k.digest == self.seen.digest(x) for k in known)

    def _touch(self, name: str) -> None:
        self.touched |= {k.owner for k in self.seen.of(name)}

    def _lose(self, name: str) -> None:
        """A resource that is not found any more: look what became of it."""
        answer = self.server.read(*name.split("/"))
        theirs = any(not k.ours for k in self.seen.of(name))
        if answer.ok and (theirs or (answer.body and self.clinic.link_of(answer.body))):
            self.names.add(name)  # it is there: the search was not the whole truth
        else:
            words = {410: "deleted on the server", 404: "not on the server any more"}
            why = words.get(answer.status, "carries no identifier of ours any more")
            self.gone[name] = Gone(name, why)
        self._touch(name)

    def _is_ours(self, name: str) -> bool:
        """Is it there, and ours?"""
        answer = self.server.read(*name.split("/"))
        return answer.ok and answer.body is not None and self.clinic.link_of(answer.body) is not None

    def _read(self, kind: str, names: Iterable[str]) -> Iterable[Resource]:
        """Resources as they are now: by a search for their ids, or one by one."""
        wanted = sorted(n for n in names if n.startswith(f"{kind}/"))
        return (x for x in self.finder.named(kind, [name.split("/")[1] for name in wanted]) if "id" in x)


def _name(x: Resource) -> str:
    return f"{x['resourceType']}/{x['id']}"

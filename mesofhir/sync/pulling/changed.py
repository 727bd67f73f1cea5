"""What has changed on a server since a watermark: which patients are touched, and what has gone.

For each type the first of these ways that the server can be believed in:

1. a search by ``_lastUpdated``, from an overlap before the watermark, since a transaction shows up later than its time
   (HAPI stamps what it writes when the transaction begins). It is made to reach back to the newest resource that we
   know of the type, and believed if it finds all that we know to be of that time, none of it gone back to an earlier
   state, and if the server then counts as many of ours as we know: a count that differs means deletions, or what the
   search has not found;
2. ``_history`` of the type, which tells deletions, too: believed if it lists the versions that we know to be of that
   time, and if the count, where there is one, is right by then. (After a restored backup neither holds.)
3. a full read of ours, compared with what is known. Where its pages shifted while they were turned, the count tells,
   and it is read again.

What comes is told from what is known by a hash of what it says, not by its version (a restored backup counts its
versions again), so that neither an overlap, nor equal times, nor a server that ignores ``_lastUpdated`` costs anything
but time. The EHR's own people and allergies that stand for records of ours are few; they are always read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from mesofhir.errors import Refused, Unreachable
from mesofhir.fhir.references import own_name
from mesofhir.mapping import Clinic
from mesofhir.mapping.reading import ADOPTED
from mesofhir.mapping.shapes import shapes_of
from mesofhir.server import Server, Version
from mesofhir.sync.pulling.remembered import Remembered, Seen, instant, moment
from mesofhir.sync.sending.finder import Finder

READINGS: Final = 3  #: of a type whose pages shift
Resource = dict[str, Any]
_CANNOT: Final = (Refused, Unreachable)  # one that cannot do this alone (500, 403) is asked in another way


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
            self._look_at_theirs(kind, list(self.seen.names(kind, ours=False)))

    def _look_at(self, kind: str, tables: set[str], since: int | None) -> str:
        if since is not None:
            newest = self.seen.newest(kind)
            start = since if newest is None else min(since, newest)
            proof = self.seen.since(kind, start)
            if self._by_search(kind, tables, start, proof):
                return "search"
            if proof and self._by_history(kind, tables, start, proof):
                return "history"
        self._by_reading(kind, tables)
        return "full"

    # --- the ways -----------------------------------------------------------------------------------------

    def _by_search(self, kind: str, tables: set[str], start: int, proof: Sequence[Seen]) -> bool:
        """:param proof: what it must find, if it is to be believed: what is known to be of that time"""
        found: set[str] = set()
        proven: set[str] = set()
        try:
            for x in self.finder.since(kind, tables, instant(start)):
                if self._judge(x):
                    found.add(own_name(x))
                    if not self._went_back(x):
                        proven.add(own_name(x))
        except _CANNOT:
            return False
        known = set(self.seen.names(kind, ours=True))
        if (known and not proof) or any(k.name not in proven for k in proof):
            return False
        return self.finder.count(kind, tables) == len(known | found) + self.seen.surplus(kind)

    def _by_history(self, kind: str, tables: set[str], start: int, proof: Sequence[Seen]) -> bool:
        """What has a version that is not known is read as it is now: of equal times a history tells no order.

        :param proof: versions that must be listed
        """
        listed: dict[tuple[str, str], int | None] = {}
        wanted: set[str] = set()
        try:
            for v in self.server.changes(kind, instant(start)):
                listed[v.name, v.version or ""] = _updated(v.resource or {})
                if self._is_news(v):
                    wanted.add(v.name)
        except _CANNOT:
            return False
        if any(listed.get((k.name, k.version), -1) not in (k.updated, None) for k in proof):
            return False
        there = set(self.seen.names(kind, ours=True))
        for x in self._read(kind, wanted):
            wanted.discard(own_name(x))
            if self._judge(x):
                there.add(own_name(x))
        for name in wanted:
            if self.seen.of(name):
                self._lose(name)
        counted = self.finder.count(kind, tables)
        return counted is None or counted == len(there - self.gone.keys()) + self.seen.surplus(kind)

    def _is_news(self, v: Version) -> bool:
        """Is it a version of one of ours that is not known to say what it says?"""
        known = self.seen.of(v.name)
        if v.resource is None:
            return bool(known) and all(k.version != v.version for k in known)
        return (bool(known) or self.clinic.link_of(v.resource) is not None) and not self._same(v.resource)

    def _by_reading(self, kind: str, tables: set[str]) -> None:
        """:raises Refused: the type can be searched in no way"""
        found: set[str] = set()
        for _ in range(READINGS):
            before = len(found)
            for x in self.finder.ours(kind, tables):
                found.add(own_name(x))
                self._judge(x)
            counted = self.finder.count(kind, tables)
            if counted is None or counted == len(found) + self.seen.surplus(kind) or len(found) == before:
                break
        for name in self.seen.names(kind, ours=True):
            if name not in found:
                self._lose(name)
        self.seen.set_surplus(kind, counted - len(found) if counted is not None else 0)

    def _look_at_theirs(self, kind: str, names: Sequence[str]) -> None:
        found = set()
        for x in self._read(kind, names):
            found.add(own_name(x))
            if not self._same(x):
                self._touch(own_name(x))
        for name in set(names) - found:
            self._lose(name)

    # --- judging ------------------------------------------------------------------------------------------

    def _judge(self, x: Resource) -> bool:
        """Is it ours? If it says something new, its owner is touched."""
        if "id" not in x or self.clinic.link_of(x) is None:
            if "id" in x and any(k.ours for k in self.seen.of(own_name(x))):
                self._lose(own_name(x))
            return False
        if not self._same(x):
            self._touch(own_name(x))
            self.touched.add(self.seen.owner(self.subject(x)))
            self.take(x)
        return True

    def _same(self, x: Resource) -> bool:
        known, digest, now = self.seen.of(own_name(x)), self.seen.digest(x), _updated(x)
        return bool(known) and all(k.digest == digest and not _is_older(now, k.updated) for k in known)

    def _went_back(self, x: Resource) -> bool:
        """Is it older than we know it, or its version another one of the same number? A backup was restored."""
        now, version = _updated(x), str(x.get("meta", {}).get("versionId", ""))
        again = (k.version == version and k.digest != self.seen.digest(x) for k in self.seen.of(own_name(x)) if version)
        return any(again) or any(_is_older(now, k.updated) for k in self.seen.of(own_name(x)))

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

    def _read(self, kind: str, names: Iterable[str]) -> Iterable[Resource]:
        """Resources as they are now: by a search for their ids, or one by one."""
        wanted = sorted(n for n in names if n.startswith(f"{kind}/"))
        return (x for x in self.finder.named(kind, [name.split("/")[1] for name in wanted]) if "id" in x)


def _is_older(now: int | None, known: int | None) -> bool:
    return now is not None and known is not None and now < known


def _updated(x: Resource) -> int | None:
    return moment(x.get("meta", {}).get("lastUpdated"))

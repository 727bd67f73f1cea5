"""Our resources on a server, found by whatever search it offers for their type.

As a rule by identifier. Where a server refuses that (the embedded one for DetectedIssue and Goal) by patient, and
where it refuses that too, all of the type. Whatever comes is filtered again by our own identifiers.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from mesofhir.errors import NotAllDone, Refused, Unreachable
from mesofhir.mapping import Clinic, Link
from mesofhir.server import Server, search_value

AT_ONCE: Final = 40  # identifiers, or patients, in one search
NO_SUCH_SEARCH: Final = frozenset({200, 400, 404, 405, 422, 501})  # 200: it ignored a parameter
T = TypeVar("T")


class Doubled(NotAllDone):
    """The server holds several resources under one key of ours.

    :param links: whose keys these are
    """

    def __init__(self, twice: Mapping[Link, Sequence[Resource]]) -> None:
        self.links = list(twice)
        names = {ln: ", ".join(sorted(f"{ln.kind}/{x['id']}" for x in xs)) for ln, xs in twice.items()}
        each = (f"{ln.table} {ln.key} ({ln.kind}) is {found}" for ln, found in names.items())
        super().__init__(f"several resources on the server carry one key of ours: {'; '.join(each)}")


Resource = dict[str, Any]
Params = list[tuple[str, str]]


class NoSuchSearch(Refused):
    """The server cannot be searched so."""


def searched(server: Server, kind: str, params: Params) -> Generator[Resource, None, bool]:
    """A search, and the same once more if the server says that it knows no such search: what follows from that holds
    for all the run, and one bad answer of something on the way (a gateway's 404, say) looks just like it.

    :returns: at the end, whether that is all, as far as the server says
    :raises NoSuchSearch: it said so both times
    :raises Refused: it was refused otherwise, or in the midst of its pages
    """
    again = True
    while True:
        given = False
        try:
            for x in (search := server.search(kind, params)):
                given = True
                yield x
            return search.complete
        except Refused as why:
            if given or why.status not in NO_SUCH_SEARCH:
                raise
            if not again:
                raise NoSuchSearch(str(why), why.status) from None
            again = False


def named(server: Server, kind: str, ids: Sequence[str], *, alone: bool = True) -> Iterator[Resource]:
    """Resources of a type by their ids, as far as they are there: by a search, or one by one.

    :param alone: may they be read one by one?
    :raises Refused: they cannot be read either
    """
    for some in chunks(list(ids), AT_ONCE):
        try:
            yield from list(searched(server, kind, [("_id", ",".join(some))]))
        except NoSuchSearch:
            answers = (server.read(kind, one) for one in some if alone)
            yield from (a.body for a in answers if a.ok and a.body)


class Finder:
    """Knows from what a server has refused how its types are to be searched; one for a run."""

    def __init__(self, server: Server, clinic: Clinic) -> None:
        self.server, self.clinic = server, clinic
        self.refused: dict[tuple[str, str], Refused] = {}  # (type, way) → how
        self.tried: set[str] = set()  # types that were searched by identifier
        self.unread: set[str] = set()  # types that it offers no search of
        self.unheeding: set[str] = set()  # types of which it was seen to heed no If-Match
        self.incomplete: set[str] = set()  # types of which a search gave less than the server counts
        self._learning = threading.Lock()  # whoever meets the same refusal waits for what the first learns of it

    def blind(self, kinds: Iterable[str]) -> set[str]:
        """Which of these types are known not to be searchable, or conditionally creatable, by identifier."""
        return {kind for kind in kinds if (kind, "identifier") in self.refused}

    def learn_from(self, why: Refused, kinds: Iterable[str]) -> None:
        """After a refusal of conditional creates: try the types that it names, or else all, each once by a harmless
        search."""
        kinds = set(kinds)
        named = {kind for kind in kinds if re.search(rf"\b{kind}\b", str(why))}
        with self._learning:
            for kind in sorted((named or kinds) - self.tried) if why.status in NO_SUCH_SEARCH else ():
                nobody = [("identifier", self._value([Link(kind, "none", "0")]))]
                next(self._search(kind, "identifier", nobody), None)

    def of(self, links: Iterable[Link], subject: str) -> dict[Link, list[Resource]]:
        """All that the server holds under these keys, for a patient of ours (``Patient/id``).

        :raises Refused: the server can be searched in no way
        """
        out: dict[Link, list[Resource]] = {}
        kinds: dict[str, list[Link]] = {}
        for link in links:
            kinds.setdefault(link.kind, []).append(link)
        for kind, wanted in kinds.items():
            if not self._offered(kind):
                continue
            for some in chunks(wanted, len(wanted) if self.blind([kind]) else AT_ONCE):
                by_key = [("identifier", self._value(some))]
                ways: list[tuple[str, Params]] = [("identifier", by_key), ("all", [])]
                if subject:
                    ways.insert(1, ("patient", [("patient", subject)]))
                for x in self._found(kind, ways):
                    ours = self.clinic.link_of(x)
                    if ours and ours in some and x not in out.setdefault(ours, []):
                        out[ours].append(x)
        return out

    def only(self, links: Iterable[Link], subject: str) -> dict[Link, Resource]:
        """The one that the server holds under each of these keys.

        :raises Doubled: it holds several
        :raises Refused: the server can be searched in no way
        """
        found = self.of(links, subject)
        if twice := {link: xs for link, xs in found.items() if len(xs) > 1}:
            raise Doubled(twice)
        return {link: xs[0] for link, xs in found.items()}

    def ours(self, kind: str, tables: Iterable[str], subjects: Sequence[str] = ()) -> Iterator[Resource]:
        """All of this clinic that the server holds of a type. Of a type that it offers no search of, nothing: that is
        told, once.

        :param subjects: only of these patients (``Patient/id``)
        :raises Refused: the server can be searched in no way
        """
        if not self._offered(kind):
            return
        systems = self._systems(tables)
        for some in chunks(list(subjects), AT_ONCE) if subjects else [[]]:
            patient = [("patient", ",".join(some))] if some else []
            ways = [("identifier", [("identifier", systems), *patient]), ("patient", patient), ("all", [])]
            for x in self._found(kind, ways if some else ways[::2]):
                if self.clinic.link_of(x):
                    yield x

    def named(self, kind: str, ids: Sequence[str]) -> Iterator[Resource]:
        """Resources of a type by their ids, as far as they are there and can be read."""
        yield from named(self.server, kind, ids, alone=self.server.abilities().of(kind).offers("read"))

    def searches(self, kind: str) -> bool:
        """Does the server offer a search of a type?"""
        return self.server.abilities().of(kind).offers("search-type")

    def shows(self, kind: str) -> bool:
        """Does the server offer any way to see what it holds of a type?"""
        return self.searches(kind) or self.server.abilities().of(kind).offers("read")

    def current(self, link: Link, logical: str, subject: str) -> Resource | None:
        """What stands on the server under an id, read or searched for; None if there is nothing.

        :raises Refused: the server shows nothing of the type (:meth:`shows`)
        """
        if self.server.abilities().of(link.kind).offers("read") or not self.searches(link.kind):
            answer = self.server.read(link.kind, logical)
            return answer.body if answer.ok else None
        found = [*self.named(link.kind, [logical]), *self.of([link], subject).get(link, ())]
        return next((x for x in found if x.get("id") == logical), None)

    def _offered(self, kind: str) -> bool:
        if self.searches(kind):
            return True
        if kind not in self.unread:
            self.unread.add(kind)
            self.server.warn(f"the server offers no search of {kind}: what it may hold of ours there was not read")
        return False

    def since(self, kind: str, tables: Iterable[str], instant: str) -> Iterator[Resource]:
        """What the server changed of a type from an instant on: ours, and where it cannot be asked so, all.

        :raises Refused: it can be searched in no such way, ignores the instant, or gives less than it counts
        """
        self.incomplete.discard(kind)
        changed = ("_lastUpdated", f"ge{instant}")
        by_identifier = [("identifier", self._systems(tables)), changed]
        yield from self._found(kind, [("identifier and time", by_identifier), ("time", [changed])])
        if kind in self.incomplete:
            raise Refused(f"search of {kind} by time: the result is incomplete")

    def count(self, kind: str, tables: Iterable[str]) -> int | None:
        """How many of a type carry an identifier of ours; None where the server cannot say it."""
        if (kind, "identifier") in self.refused:
            return None
        try:
            search = self.server.search(kind, [("identifier", self._systems(tables)), ("_summary", "count")])
            next(search, None)
        except (Refused, Unreachable):
            return None
        return search.total

    def _systems(self, tables: Iterable[str]) -> str:
        """Any identifier of ours, in these tables."""
        return ",".join(f"{search_value(self.clinic.system(t))}|" for t in sorted(tables))

    def _value(self, links: Iterable[Link]) -> str:
        return ",".join(f"{search_value(self.clinic.system(ln.table))}|{search_value(ln.key)}" for ln in links)

    def _found(self, kind: str, ways: list[tuple[str, Params]]) -> Iterator[Resource]:
        """By the first way that the server does not refuse."""
        for way, params in ways:
            if (kind, way) not in self.refused:
                yield from self._search(kind, way, params)
            if (kind, way) not in self.refused:
                return
        raise self.refused[kind, ways[0][0]]

    def _search(self, kind: str, way: str, params: Params) -> Iterator[Resource]:
        if way == "identifier":
            self.tried.add(kind)
        try:
            if not (yield from searched(self.server, kind, params)):
                self.incomplete.add(kind)
        except NoSuchSearch as why:
            self.refused[kind, way] = why


def chunks(items: list[T], size: int) -> Iterator[list[T]]:
    """A list in pieces of a size."""
    for n in range(0, len(items), size):
        yield items[n : n + size]

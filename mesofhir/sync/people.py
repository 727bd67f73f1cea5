"""People belong to the EHR: they are found there, not made (architecture, rule 5).

A person is found by the clinic's own identifier (who was created by us) or by an identifier that somebody
else gave (hospital record number, codice fiscale). None or several found stops the histories that name the
person, and only those.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesofhir.errors import NotAllDone
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.server import Server, TransactionFailed, identifier_query, search_value

Identifier = tuple[str, str]
AT_ONCE = 25  # identifiers in one search


class PersonNotSettled(NotAllDone):
    """Nobody or several were found; the message holds no name."""


@dataclass
class People:
    """The people of a run, each asked for once.

    :param systems: the identifier systems by which people are matched; empty: all that a record states
    :param create: make those whom the EHR does not have
    """

    server: Server
    clinic: Clinic
    systems: Sequence[str] = ()
    create: bool = False
    found: dict[Link, dict[str, Any]] = field(default_factory=dict)
    made: set[Link] = field(default_factory=set)
    failed: dict[Link, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def settle(self, people: Iterable[Made]) -> None:
        """Find all of these people in as few searches as can be; afterwards each is found, made or failed."""
        with self._lock:
            new = [m for m in people if m.link not in self.found and m.link not in self.failed]
            for kind in ("Patient", "Practitioner"):
                some = list({m.link: m for m in new if m.link.kind == kind}.values())
                if some:
                    self._settle(kind, some)

    def reference(self, link: Link) -> str:
        """``Type/id`` on the server.

        :raises PersonNotSettled: with the reason
        """
        if link in self.failed:
            raise PersonNotSettled(self.failed[link])
        return f"{link.kind}/{self.found[link]['id']}"

    def identifiers(self, m: Made) -> list[Identifier]:
        """By which a record may be matched; its own key first."""
        others = [
            (i["system"], i["value"])
            for i in m.row.get("identifiers") or ()
            if not self.systems or i["system"] in self.systems
        ]
        return [(self.clinic.system(m.link.table), m.link.key), *others]

    def _settle(self, kind: str, people: list[Made]) -> None:
        wanted = {m.link: self.identifiers(m) for m in people}
        theirs = self._search(kind, sorted({i for ids in wanted.values() for i in ids}))
        for m in people:
            matches = {x["id"]: x for i in wanted[m.link] for x in theirs.get(i, ())}
            self._judge(m, list(matches.values()))
        if self.create:
            self._create([m for m in people if m.link not in self.found and m.link not in self.failed])
        for m in people:
            if m.link not in self.found and m.link not in self.failed:
                systems = sorted({s for s, _ in wanted[m.link][1:]})
                by = f"by {', '.join(systems)}" if systems else "(the record states no identifier of the EHR)"
                self.failed[m.link] = (
                    f"{m.link.table} {m.link.key}: the server has no such {kind} {by}; "
                    "correct the identifier, or create people with --create-people"
                )

    def _judge(self, m: Made, matches: list[dict[str, Any]]) -> None:
        link, kind = m.link, m.link.kind
        replaced = [x for x in matches if any(ln.get("type") == "replaced-by" for ln in x.get("link") or ())]
        if len(matches) > 1:
            self.failed[link] = (
                f"{link.table} {link.key}: {len(matches)} resources of type {kind} match "
                f"({', '.join(sorted(kind + '/' + x['id'] for x in matches))}); merge them on the server, or "
                "state an identifier that tells them apart"
            )
        elif replaced:
            self.failed[link] = (
                f"{link.table} {link.key}: {kind}/{matches[0]['id']} was replaced by another {kind} on the "
                "server (merged); state the identifier of the one that remains"
            )
        elif matches:
            self.found[link] = matches[0]

    def _search(self, kind: str, identifiers: list[Identifier]) -> dict[Identifier, list[dict[str, Any]]]:
        """Identifier → who has it. The server's answer is checked: only true matches count."""
        out: dict[Identifier, list[dict[str, Any]]] = {}
        for n in range(0, len(identifiers), AT_ONCE):
            some = identifiers[n : n + AT_ONCE]
            value = ",".join(f"{search_value(s)}|{search_value(v)}" for s, v in some)
            for x in self.server.search(kind, [("identifier", value)]):
                if x.get("resourceType") != kind:
                    continue
                for i in _identifiers(x) & set(some):
                    out.setdefault(i, []).append(x)
        return out

    def _create(self, people: list[Made]) -> None:
        """Conditional creates, one each: nobody's failure stops another's."""
        for m in people:
            query = identifier_query(self.clinic.system(m.link.table), m.link.key)
            try:
                result = self.server.create(m.resource, if_none_exist=query)
            except TransactionFailed as why:
                self.failed[m.link] = (
                    f"{m.link.table} {m.link.key}: the server does not create the {m.link.kind}: {why}"
                )
                continue
            resource = result.resource
            if resource is None and result.location:
                resource = self.server.read(*result.location.split("/")).body
            if resource is None:
                self.failed[m.link] = f"{m.link.table} {m.link.key}: the server does not say what it created"
                continue
            self.found[m.link] = resource
            if result.status == 201:
                self.made.add(m.link)


def _identifiers(x: Mapping[str, Any]) -> set[Identifier]:
    listed = x.get("identifier") or ()
    return {(str(i.get("system")), str(i.get("value"))) for i in listed if isinstance(i, dict)}

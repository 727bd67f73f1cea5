"""What the contract tests of push and pull do on a server: push, pull, edit as an EHR does, and look at
what became of it. An EHR here is plain ``requests``: what our own client does is never checked by itself.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import requests

from mesofhir.errors import MesofhirError
from mesofhir.fhir.exactjson import decode, encode
from mesofhir.formats import Item
from mesofhir.mapping import Clinic, Link
from mesofhir.mapping.shapes import shapes_of
from mesofhir.records import TreatmentHistory, plain, sorted_by_key
from mesofhir.server import Server, find_preset
from mesofhir.sync import Ledger, Options, Result, iter_pull, iter_push
from tests.contract.histories import Tree, history
from tests.servers import FhirServer

Resource = dict[str, Any]
Bundle = Callable[..., Any]
JSON = {"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"}


class Ehr:
    """Somebody else at the same server."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, requests.Session()

    def send(self, method: str, path: str, body: Resource | None = None, **headers: str) -> Resource:
        data = None if body is None else encode(body)
        response = self.session.request(method, f"{self.url}/{path}", data=data, headers=JSON | headers, timeout=300)
        assert response.status_code < 300, (method, path, response.status_code, response.text)
        return decode(response.content) if response.content else {}

    def read(self, name: str) -> Resource:
        return self.send("GET", name)

    def create(self, resource: Resource) -> str:
        """Its name, ``Type/id``."""
        kind = resource["resourceType"]
        return f"{kind}/{self.send('POST', kind, resource)['id']}"

    def edit(self, name: str, change: Callable[[Resource], Any]) -> Resource:
        """Read, change, PUT, as an EHR that knows nothing of us."""
        resource = self.read(name)
        before = deepcopy(resource)
        change(resource)
        assert resource != before, "an edit has to change something"
        return self.send("PUT", name, resource)

    def versions(self, name: str) -> list[Resource]:
        """All that it ever was, oldest first. To be asked once: for a minute HAPI remembers how many there were."""
        entries = self.send("GET", f"{name}/_history?_count=200").get("entry", [])
        return [e["resource"] for e in entries if "resource" in e][::-1]

    def search(self, kind: str, **parameters: str) -> list[Resource]:
        found, url, form = [], f"{self.url}/{kind}/_search", parameters | {"_count": "200"}
        response = self.session.post(url, data=form, headers={"Accept": JSON["Accept"]}, timeout=300)
        while True:
            assert response.status_code == 200, response.text
            bundle = decode(response.content)
            found += [e["resource"] for e in bundle.get("entry", ())]
            following = [x["url"] for x in bundle.get("link", ()) if x["relation"] == "next"]
            if not following:
                return found
            response = self.session.get(following[0], headers={"Accept": JSON["Accept"]}, timeout=300)


def client(fhir: FhirServer, **options: Any) -> Server:
    """A client that knows the kind of server: HAPI does batches, and does not say so."""
    return Server(fhir.url, **{"preset": find_preset("hapi") if fhir.is_hapi else None, **options})


@dataclass
class Place:
    """A server, and a clinic that nobody else there is."""

    fhir: FhirServer
    clinic: Clinic
    server: Server
    ehr: Ehr
    requests: list[str] = field(default_factory=list)  # of the last push or pull
    ledger: Ledger = field(init=False)  # what the clinic's computer knows, push after push

    def __post_init__(self) -> None:
        self.lose_ledger()

    def lose_ledger(self) -> None:
        """As on another computer."""
        self.ledger = Ledger(None, self.fhir.url, self.clinic.namespace)

    @property
    def is_hapi(self) -> bool:
        return self.fhir.is_hapi

    # --- we -----------------------------------------------------------------------------------------------

    def results(self, *trees: Tree | TreatmentHistory, **options: Any) -> list[Result]:
        """Push; people are made unless the options say otherwise."""
        known = {"create_people": not options.get("withdraw"), "ledger": self.ledger, **options}
        server = known.pop("server", self.server)
        histories = [history(t) if isinstance(t, dict) else t for t in trees]
        with logged() as self.requests:
            return list(iter_push(histories, server, self.clinic, Options(**known)))

    def push(self, tree: Tree | TreatmentHistory, **options: Any) -> Result:
        """Push one."""
        [result] = self.results(tree, **options)
        return result

    def pushed(self, tree: Tree | TreatmentHistory, **options: Any) -> Result:
        """Push one, and see that it went well."""
        result = self.push(tree, **options)
        assert (result.stopped, result.code) == ("", 0), (result.stopped, said(result))
        return result

    def pull(self, patients: Sequence[str] = (), **options: Any) -> list[Item]:
        with logged() as self.requests:
            return list(iter_pull(options.pop("server", self.server), self.clinic, patients=patients, **options))

    # --- what is there ------------------------------------------------------------------------------------

    def resources(self) -> dict[str, Resource]:
        """All of this clinic that the server holds, by name."""
        systems: dict[str, list[str]] = {}
        for kind, table in sorted(shapes_of(self.clinic)):
            systems.setdefault(kind, []).append(f"{self.clinic.system(table)}|")
        found = [x for kind in systems for x in self.ehr.search(kind, identifier=",".join(systems[kind]))]
        return {f"{x['resourceType']}/{x['id']}": x for x in found if self.clinic.link_of(x)}

    def links(self) -> Counter[Link]:
        """Which records stand how often on the server."""
        return Counter(link for x in self.resources().values() if (link := self.clinic.link_of(x)))

    def name(self, kind: str, key: str) -> str:
        """What the server calls the one resource of a type that a record has."""
        links = {n: self.clinic.link_of(x) for n, x in self.resources().items()}
        [name] = [n for n, link in links.items() if link and (link.kind, link.key) == (kind, key)]
        return name

    def versions(self) -> dict[str, int]:
        """The version of each resource of this clinic; both servers count from 1."""
        return {name: int(x["meta"]["versionId"]) for name, x in self.resources().items()}

    def close(self) -> None:
        self.server.close()
        self.ehr.session.close()


@contextmanager
def logged() -> Iterator[list[str]]:
    """The requests that our client makes, one line each."""
    lines: list[str] = []
    log = logging.getLogger("mesofhir.server")

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno == logging.INFO and "/metadata" not in record.getMessage():  # asked once by each client
                lines.append(record.getMessage())

    handler, level = Lines(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@contextmanager
def bundles(server: Server, wrap: Callable[[Bundle, Any, str], Any]) -> Iterator[None]:
    """``wrap(send, entries, type)`` stands between us and the bundles that we send."""
    send = server.bundle

    def bundle(entries: Any, type: str = "transaction") -> Any:
        return wrap(send, entries, type)

    server.bundle = bundle  # type: ignore[method-assign]
    try:
        yield
    finally:
        del server.bundle


def is_update(entries: Sequence[Any]) -> bool:
    """Is it the second transaction, the one that changes?"""
    return any(e["request"]["method"] == "PUT" for e in entries)


def outcomes(result: Result) -> dict[str, int]:
    return dict(Counter(result.outcomes.values()))


def named(result: Result, outcome: str) -> list[tuple[str, str]]:
    """(type, key) of the resources with this outcome."""
    return sorted((link.kind, link.key) for link, o in result.outcomes.items() if o == outcome)


def said(result: Result, kind: str = "") -> list[str]:
    """The remarks of a kind."""
    return [str(r) for r in result.remarks if not kind or r.kind == kind]


def equal(ours: TreatmentHistory, theirs: TreatmentHistory, *, exact: bool = True) -> None:
    """Value by value; not exact: numbers by what they are worth (sekmet loses trailing zeros)."""
    a, b = plain(sorted_by_key(ours)), plain(sorted_by_key(theirs))
    assert b == a
    if exact:
        assert repr(b) == repr(a)  # Decimal("0.50") == Decimal("0.5")


def failure(act: Callable[[], Any]) -> MesofhirError:
    """What an act raises."""
    try:
        act()
    except MesofhirError as why:
        return why
    raise AssertionError("nothing was raised")

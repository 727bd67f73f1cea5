"""A FHIR server of any kind, simulated over real HTTP: it holds resources, and takes what it declares.

It is driven by a CapabilityStatement and by what its vendor refuses. Whatever is asked of it that the statement does
not declare is an offence: answered with 400, and the test fails at the end of the ``with`` block.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from mesofhir.fhir.exactjson import decode, encode
from tests.faults.fault_server import Exchange, FaultServer
from tests.simulated.declared import Declared
from tests.simulated.store import Resource, Store


@dataclass(frozen=True)
class Kind:
    """A kind of server.

    :param besides: what it does at the base and does not declare; a client may know that from a preset
    :param refuses: why it does not take a resource; "" if it does
    :param refusal: the status and the issue code of that
    :param stale: the status of a change to a version that is not the newest
    :param entries: in a bundle, at most
    :param heeds: it heeds If-Match
    :param echoes: it answers writes with the resource
    :param locates: and says where it is
    :param made: the status of what it has created
    :param integrity: it refuses references to what it does not hold
    :param page: matches on one page
    """

    name: str
    statement: Resource
    refuses: Callable[[Resource], str] = lambda x: ""
    besides: tuple[str, ...] = ()
    refusal: tuple[int, str] = (422, "business-rule")
    stale: int = 412
    entries: int | None = None
    heeds: bool = True
    echoes: bool = True
    locates: bool = True
    made: int = 201
    integrity: bool = True
    page: int = 50


class Refusal(Exception):
    """A status and its words."""

    def __init__(self, status: int, words: str, code: str = "processing") -> None:
        super().__init__(words)
        self.status, self.words, self.code = status, words, code

    @property
    def outcome(self) -> Resource:
        issue = {"severity": "error", "code": self.code, "diagnostics": self.words}
        return {"resourceType": "OperationOutcome", "issue": [issue]}


@dataclass(frozen=True)
class Done:
    """An answer."""

    status: int
    body: Resource
    location: str = ""
    version: str = ""


class Simulated(FaultServer):
    """A running server of a kind.

    :param told: the client knows what it does besides what it declares
    """

    def __init__(self, kind: Kind, *, told: bool = False) -> None:
        super().__init__(self._behave)
        self.kind, self.declared = kind, Declared(kind.statement, kind.besides if told else ())
        self.store = Store()
        self.offences: list[str] = []
        self.writes: list[str] = []  # one word each: POST CarePlan, PUT Goal
        self._lock = threading.Lock()
        self._pages: dict[str, list[Resource]] = {}

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if error[0] is None:
            assert self.offences == [], f"{self.kind.name} did not declare: {self.offences}"

    def add(self, resource: Resource) -> str:
        """What the EHR has by itself; its name."""
        kind, id = resource["resourceType"], self.store.new_id()
        self.store.put(kind, id, resource)
        return f"{kind}/{id}"

    def all(self, kind: str) -> list[Resource]:
        return list(self.store.of(kind))

    def versions(self) -> dict[str, int]:
        return {"/".join(name): len(versions) for name, versions in self.store.held.items()}

    # --- requests -----------------------------------------------------------------------------------------

    def _behave(self, x: Exchange) -> None:
        url = x.path.removeprefix("/fhir")
        form = "urlencoded" in x.headers.get("Content-Type", "")
        body = decode(x.request_body) if x.request_body and not form else x.request_body
        with self._lock:
            try:
                done = self._answer(x.command, url, dict(x.headers.items()), body, form)
            except Refusal as why:
                done = Done(why.status, why.outcome)
        named = {"Location": f"{self.url}/{done.location}/_history/{done.version}"} if done.location else {}
        named |= {"ETag": f'W/"{done.version}"'} if done.version else {}
        written = done.status in (200, 201) and x.command != "GET" and done.location
        silent = written and not self.kind.echoes
        if written and not self.kind.locates:
            del named["Location"]
        x.answer(done.status, b"" if silent else encode(done.body), Content_Type="application/fhir+json", **named)

    def _answer(self, method: str, url: str, headers: Mapping[str, str], body: Any, form: bool) -> Done:
        query = dict(parse_qsl(urlsplit(url).query))
        if "_getpages" in query:  # its own link
            return self._page(self._pages.pop(query["_getpages"]), "")
        if offence := self.declared.offence(method, url, headers, body, form):
            self.offences.append(offence)
            raise Refusal(400, "not supported", "not-supported")
        parts = [p for p in urlsplit(url).path.split("/") if p]
        if parts == ["metadata"]:
            return Done(200, self.kind.statement)
        if not parts:
            return self._bundle(body)
        if form or (method == "GET" and len(parts) == 1):
            asked = parse_qsl((body.decode() if form else "") or urlsplit(url).query)
            return self._search(parts[0], asked)
        if method == "GET":
            return self._read(parts)
        return self._write(self.store, method, "/".join(parts), headers, body)

    def _read(self, parts: list[str]) -> Done:
        found = self.store.now(*parts[:2])
        if parts[2:] == ["$everything"]:
            about = [("patient", "/".join(parts[:2]))]
            kinds = {k for k, _ in self.store.held}
            return self._page([x for x in [found] if x] + [x for k in kinds for x in self.store.search(k, about)], "")
        if found is None:
            raise Refusal(404, "not found", "not-found")
        if parts[2:] == ["_history"]:
            versions = self.store.held[parts[0], parts[1]][::-1]
            entries = [{"resource": x, "request": {"method": "PUT", "url": "/".join(parts[:2])}} for x in versions]
            return Done(200, {"resourceType": "Bundle", "type": "history", "entry": entries})
        return Done(200, found, version=found["meta"]["versionId"])

    def _search(self, kind: str, asked: list[tuple[str, str]]) -> Done:
        found = self.store.search(kind, asked)
        if ("_summary", "count") in asked:
            return Done(200, {"resourceType": "Bundle", "type": "searchset", "total": len(found)})
        return self._page(found, f"{self.url}/{kind}?{urlencode(asked)}")

    def _page(self, found: list[Resource], self_link: str) -> Done:
        links = [{"relation": "self", "url": self_link}] if self_link else []
        if rest := found[self.kind.page :]:
            token = f"p{len(self._pages)}x{len(self.requests)}"
            self._pages[token] = rest
            links.append({"relation": "next", "url": f"{self.url}?_getpages={token}"})
        entries = [{"resource": x, "search": {"mode": "match"}} for x in found[: self.kind.page]]
        return Done(200, {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries})

    # --- writes -------------------------------------------------------------------------------------------

    def _write(self, store: Store, method: str, url: str, headers: Mapping[str, str], body: Resource) -> Done:
        conditions = {name.lower(): value for name, value in headers.items()}
        kind, _, id = url.split("?")[0].partition("/")
        if body.get("resourceType") != kind:
            raise Refusal(400, "another type than the URL")
        if method == "POST":
            if "if-none-exist" in conditions:
                matches = store.search(kind, parse_qsl(conditions["if-none-exist"]))
                if len(matches) > 1:
                    raise Refusal(412, "multiple matches", "multiple-matches")
                if matches:
                    return self._done(200, matches[0])
            self._taken(store, body)
            self.writes.append(f"POST {kind}")
            return self._done(self.kind.made, store.put(kind, store.new_id(), body))
        now = store.now(kind, id)
        if now is None or body.get("id") != id:
            raise Refusal(404, "not found", "not-found")
        is_ = f'W/"{now["meta"]["versionId"]}"'
        if self.kind.heeds and conditions.get("if-match", is_) != is_:
            raise Refusal(self.kind.stale, "version conflict", "conflict")
        self._taken(store, body)
        self.writes.append(f"PUT {kind}")
        return self._done(200, store.put(kind, id, body))

    def _done(self, status: int, x: Resource) -> Done:
        return Done(status, x, f"{x['resourceType']}/{x['id']}", x["meta"]["versionId"])

    def _taken(self, store: Store, body: Resource) -> None:
        """:raises Refusal: the vendor does not take it"""
        if why := self.kind.refuses(body):
            status, code = self.kind.refusal
            raise Refusal(status, why, code)
        for literal in literals(body) if self.kind.integrity else ():
            if "/" in literal and "://" not in literal and store.now(*literal.split("/")[:2]) is None:
                raise Refusal(400, f"the reference {literal} leads nowhere", "processing")

    def _bundle(self, body: Resource) -> Done:
        entries = body.get("entry", [])
        if self.kind.entries is not None and len(entries) > self.kind.entries:
            raise Refusal(413, "too many entries", "too-costly")
        done = self._transaction(entries) if body["type"] == "transaction" else [self._alone(e) for e in entries]
        answered = [self._told(d) for d in done]
        return Done(200, {"resourceType": "Bundle", "type": f"{body['type']}-response", "entry": answered})

    def _told(self, d: Done) -> Resource:
        """What the answer to a bundle says of an entry."""
        if not d.location:
            return {"response": {"status": str(d.status), "outcome": d.body}}
        response: Resource = {
            "status": str(d.status),
            "location": f"{d.location}/_history/{d.version}",
            "etag": f'W/"{d.version}"',
        }
        if not self.kind.locates:
            del response["location"]
        return {"response": response} | ({"resource": d.body} if self.kind.echoes else {})

    def _alone(self, entry: Resource) -> Done:
        try:
            return self._entry(self.store, entry, entry["resource"])
        except Refusal as why:
            return Done(why.status, why.outcome)

    def _transaction(self, entries: list[Resource]) -> list[Done]:
        """All or nothing; each entry's ``urn:uuid`` becomes the name of what it made or found."""
        tried, written, names, done = self.store.copy(), list(self.writes), {}, []
        try:
            for n, entry in enumerate(entries):
                try:
                    d = self._entry(tried, entry, renamed(entry["resource"], names))
                except Refusal as why:
                    raise Refusal(why.status, f"Bundle.entry[{n}]: {why.words}", why.code) from None
                names[entry.get("fullUrl", "")] = d.location
                done.append(d)
        except Refusal:
            self.writes = written
            raise
        self.store = tried
        return done

    def _entry(self, store: Store, entry: Resource, resource: Resource) -> Done:
        request = entry["request"]
        named = {"If-None-Exist": request.get("ifNoneExist"), "If-Match": request.get("ifMatch")}
        headers = {name: value for name, value in named.items() if value is not None}
        return self._write(store, request["method"], request["url"], headers, resource)


def literals(x: Any) -> list[str]:
    """The literal references in a resource."""
    if isinstance(x, list):
        return [y for each in x for y in literals(each)]
    if not isinstance(x, dict):
        return []
    own = [x["reference"]] if isinstance(x.get("reference"), str) and not x["reference"].startswith("#") else []
    return own + [y for each in x.values() for y in literals(each)]


def renamed(x: Any, names: Mapping[str, str]) -> Any:
    if isinstance(x, list):
        return [renamed(each, names) for each in x]
    if not isinstance(x, dict):
        return x
    literal = x.get("reference")
    return {k: renamed(v, names) for k, v in x.items()} | (
        {"reference": names.get(literal, literal)} if isinstance(literal, str) else {}
    )

"""A FHIR server in memory that can be told what it cannot do, and when what is written shows up.

It answers over real HTTP what an incremental pull asks: reads, searches by identifier, patient, ``_id`` and
``_lastUpdated``, counts, and histories of a type. Its clock goes only when it is told to.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mesofhir.fhir.exactjson import encode
from mesofhir.fhir.references import renamed
from mesofhir.mapping import Clinic, graph
from mesofhir.mapping.shapes import shapes_of
from mesofhir.records import TreatmentHistory
from tests.faults.fault_server import Exchange

Resource = dict[str, Any]
PAGE = 50
STATEMENT = {
    "resourceType": "CapabilityStatement",
    "fhirVersion": "4.0.1",
    "rest": [
        {
            "mode": "server",
            "resource": [
                {
                    "type": kind,
                    "versioning": "versioned",
                    "interaction": [{"code": code} for code in ("read", "search-type", "history-type")],
                    "searchParam": [{"name": n} for n in ("identifier", "patient", "_id", "_lastUpdated")],
                }
                for kind in sorted({kind for kind, _ in shapes_of(Clinic("https://any.example"))})
            ],
        }
    ],
}


@dataclass
class Version:
    """One version of a resource.

    :param body: None: deleted
    :param shows: when others see it: later than it is stamped, where its transaction took long
    """

    number: int
    stamp: datetime
    shows: datetime
    body: Resource | None


@dataclass
class Store:
    """The server.

    :param cannot: what it does not do: ``_lastUpdated refused``, ``_lastUpdated ignored`` (as the self link says),
        ``_lastUpdated broken`` (it finds nothing, and says that it looked), ``_lastUpdated fails`` (500),
        ``_lastUpdated truncated`` (one page, and no more), ``history``, ``history forbidden`` (403), ``history
        truncated``, ``count``, ``versions``, ``times`` (it stamps nothing)
    :param proxy: how far the clock of the proxy before it is ahead
    :param between: what others do while somebody turns the pages of a search
    """

    clinic: Clinic
    cannot: frozenset[str] = frozenset()
    now: datetime = datetime(2027, 1, 15, 8, tzinfo=UTC)
    proxy: timedelta = timedelta()
    versions: dict[str, list[Version]] = field(default_factory=dict)
    searches: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    between: Callable[[], object] = lambda: None

    def wait(self, time: timedelta) -> None:
        self.now += time

    def set_clock(self, now: datetime) -> None:
        """Back, say: what stands there already is seen all the same."""
        for v in (v for all_ in self.versions.values() for v in all_):
            v.shows = min(v.shows, now)
        self.now = now

    # --- what others do -----------------------------------------------------------------------------------

    def load(self, history: TreatmentHistory) -> dict[str, str]:
        """All resources of a history as a push would leave them; what each record's resources are called."""
        made = graph(history, self.clinic).made
        names = {f"{m.link.kind}/{m.handle}": f"{m.link.kind}/{m.handle[:13]}" for m in made}
        for m in made:
            body = renamed(m.resource, lambda x: names.get(x, x))
            name = names[f"{m.link.kind}/{m.handle}"]
            if name not in self.versions:
                self.write(name, body)
        return {m.link.key: names[f"{m.link.kind}/{m.handle}"] for m in made}

    def write(self, name: str, body: Resource | None, *, late: timedelta = timedelta()) -> None:
        """A new version; it shows up later by ``late`` than it is stamped."""
        all_ = self.versions.setdefault(name, [])
        kind, logical = name.split("/")
        number = len(all_) + 1
        if body is not None:
            stamp = self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            meta = {**body.get("meta", {}), "versionId": str(number), "lastUpdated": stamp}
            for what, name in (("versions", "versionId"), ("times", "lastUpdated")):
                if what in self.cannot:
                    del meta[name]
            body = {**deepcopy(body), "resourceType": kind, "id": logical, "meta": meta}
        all_.append(Version(number, self.now, self.now + late, body))

    def restore(self, at: datetime) -> None:
        """Put a backup of that time back: whatever was written since never was."""
        kept = {name: [v for v in all_ if v.shows <= at] for name, all_ in self.versions.items()}
        self.versions = {name: all_ for name, all_ in kept.items() if all_}

    def current(self, name: str) -> Resource | None:
        """As others see it now."""
        seen = [v for v in self.versions.get(name, ()) if v.shows <= self.now]
        return seen[-1].body if seen else None

    def names(self, kind: str = "") -> list[str]:
        return [n for n in self.versions if n.startswith(f"{kind}/" if kind else "") and self.current(n)]

    # --- answering ----------------------------------------------------------------------------------------

    def behave(self, exchange: Exchange) -> None:
        exchange.date_time_string = lambda *_: format_datetime(self.now + self.proxy, usegmt=True)  # type: ignore[method-assign]
        url = urlsplit(exchange.path)
        parts = url.path.removeprefix("/fhir/").split("/")
        asked = dict(parse_qsl(url.query))
        if parts[-1] == "_search":
            asked |= dict(parse_qsl(exchange.request_body.decode()))
            self._search(exchange, parts[0], asked)
        elif parts == ["metadata"]:
            self._answer(exchange, STATEMENT)
        elif parts[-1] == "_history":
            self._history(exchange, parts[0], asked)
        elif "page" in asked:
            self._search(exchange, parts[0], asked)
        else:
            self._read(exchange, "/".join(parts))

    def _answer(self, exchange: Exchange, body: Resource | None, status: int = 200) -> None:
        exchange.answer(status, encode(body) if body else None)

    def _refuse(self, exchange: Exchange, what: str, status: int = 400) -> None:
        issue = {"severity": "error", "code": "not-supported", "diagnostics": what}
        self._answer(exchange, {"resourceType": "OperationOutcome", "issue": [issue]}, status)

    def _read(self, exchange: Exchange, name: str) -> None:
        body = self.current(name)
        self._answer(exchange, body, 200 if body else 410 if name in self.versions else 404)

    def _search(self, exchange: Exchange, kind: str, asked: dict[str, str]) -> None:
        self.searches.append((kind, asked))
        timed = asked.get("_lastUpdated", "")
        for flag, status in (("refused", 400), ("fails", 500)):
            if timed and f"_lastUpdated {flag}" in self.cannot:
                self._refuse(exchange, "unknown parameter _lastUpdated", status)
                return
        if timed and "_lastUpdated ignored" in self.cannot:
            del asked["_lastUpdated"]
        found = [x for n in self.names(kind) if (x := self.current(n)) and self._matches(x, asked)]
        if timed and "_lastUpdated broken" in self.cannot:
            found = []
        base = f"http://{exchange.headers['Host']}/fhir/{kind}"
        meta = {"lastUpdated": self.now.isoformat()}
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(found), "meta": meta}
        if asked.get("_summary") == "count":
            if "count" in self.cannot:
                self._refuse(exchange, "no counts")
                return
            self._answer(exchange, bundle)
            return
        at = int(asked.pop("page", "0"))
        query = "&".join(f"{k}={v.replace('|', '%7C')}" for k, v in asked.items())
        bundle["link"] = [{"relation": "self", "url": f"{base}?{query}"}]
        if at + PAGE < len(found) and not (timed and "_lastUpdated truncated" in self.cannot):
            bundle["link"].append({"relation": "next", "url": f"{base}/_search?page={at + PAGE}&{query}"})
        bundle["entry"] = [{"resource": x, "search": {"mode": "match"}} for x in found[at : at + PAGE]]
        self._answer(exchange, bundle)
        if at + PAGE < len(found):
            self.between()

    def _matches(self, x: Resource, asked: dict[str, str]) -> bool:
        own = {f"{i['system']}|" for i in x.get("identifier", ())}
        whole = {f"{i['system']}|{i['value']}" for i in x.get("identifier", ())}
        about = (x.get("subject") or x.get("patient") or {}).get("reference")
        tests = {
            "identifier": lambda v: bool((own | whole) & set(v.split(","))),
            "patient": lambda v: about in v.split(","),
            "_id": lambda v: x["id"] in v.split(","),
            "_lastUpdated": lambda v: self._stamp(x) >= datetime.fromisoformat(v.removeprefix("ge")),
        }
        return all(test(asked[name]) for name, test in tests.items() if name in asked)

    def _history(self, exchange: Exchange, kind: str, asked: dict[str, str]) -> None:
        for flag, status in (("history", 400), ("history forbidden", 403)):
            if flag in self.cannot:
                self._refuse(exchange, "no history of a type", status)
                return
        since = datetime.fromisoformat(asked["_since"])
        entries = []
        for name in self.versions:
            for v in self.versions[name] if name.startswith(f"{kind}/") else ():
                if v.shows <= self.now and v.stamp >= since:
                    request = {"method": "PUT" if v.body else "DELETE", "url": name}
                    entry: Resource = {"request": request, "response": {"status": "200", "etag": f'W/"{v.number}"'}}
                    entries.append((v.stamp, entry | ({"resource": v.body} if v.body else {})))
        entries.sort(key=lambda pair: pair[0], reverse=True)
        entries = entries[: 2 if "history truncated" in self.cannot else None]
        bundle = {"resourceType": "Bundle", "type": "history", "entry": [e for _, e in entries]}
        self._answer(exchange, bundle)

    def _stamp(self, x: Resource) -> datetime:
        """As its index knows it."""
        name = f"{x['resourceType']}/{x['id']}"
        return [v.stamp for v in self.versions[name] if v.shows <= self.now][-1]

"""What a CapabilityStatement declares, read by its letter: the judge of every request to a simulated server.

Written apart from mesofhir's own reading of statements, which is what it judges. Where a statement is silent (a type
without interactions, no types at all), reads and searches are harmless and let through; writes never are.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

READS = {"read", "search-type"}
RESULTS = {"_count", "_summary", "_sort", "_elements", "_total", "_format", "_pretty"}
Resource = Mapping[str, Any]


class Declared:
    """A statement, and what it does not allow."""

    def __init__(self, statement: Resource, besides: Sequence[str] = ()) -> None:
        """
        :param besides: interactions at the base that the server does and does not declare
        """
        rests = [rest for rest in statement.get("rest", ()) if rest["mode"] == "server"]
        self.rest: Resource = next(iter(rests), {"mode": "client"} if statement.get("rest") else {})
        self.system = {i["code"] for i in self.rest.get("interaction", ())} | set(besides)
        self.types: dict[str, Resource] = {t["type"]: t for t in self.rest.get("resource", ())}
        self.lists = "resource" in self.rest or self.rest.get("mode") == "client"
        self.everywhere = {p["name"] for p in self.rest.get("searchParam", ())}
        self.release, self.formats = statement.get("fhirVersion", "4.0.1"), statement.get("format", ["json"])

    def offence(self, method: str, url: str, headers: Mapping[str, str], body: Any, form: bool) -> str:
        """What a request asks for and nobody declared; "" if it is all right."""
        split = urlsplit(url)
        parts = [p for p in split.path.split("/") if p]
        params = [n for n, _ in parse_qsl(split.query, keep_blank_values=True)]
        params += [n for n, _ in parse_qsl(body.decode())] if form else []
        if parts == ["metadata"]:
            return ""
        if why := self._strange():
            return why
        if not parts:
            return self._bundle(body) if method == "POST" else f"{method} at the base"
        if parts[0] == "_history" or parts[0].startswith("$"):
            return f"{method} {parts[0]}"
        return self._of_type(method, parts, params, {h.lower() for h in headers})

    def _strange(self) -> str:
        """Why nothing of ours is understood."""
        if self.release[:3] not in ("4.0", "4.3"):
            return f"R4, to a server of {self.release}"
        return "" if any("json" in f for f in self.formats) else "JSON"

    def _bundle(self, body: Resource) -> str:
        kind = body.get("type", "")
        if kind not in self.system:
            return f"a bundle of type {kind}"
        offences = []
        for entry in body.get("entry", ()):
            request = entry["request"]
            headers = {h: "" for k, h in (("ifNoneExist", "If-None-Exist"), ("ifMatch", "If-Match")) if k in request}
            offences.append(self.offence(request["method"], request["url"], headers, entry.get("resource"), False))
        return next(filter(None, offences), "")

    def _of_type(self, method: str, parts: Sequence[str], params: Sequence[str], headers: set[str]) -> str:
        kind, rest = parts[0], list(parts[1:])
        if rest and rest[-1].startswith("$"):
            operations = [o["name"] for o in self.types.get(kind, {}).get("operation", ())]
            return "" if rest[-1][1:] in operations else f"{kind} {rest[-1]}"
        code = _code(method, rest)
        if not self._does(kind, code):
            return f"{code} of {kind}"
        said = self.types.get(kind, {})
        if code == "search-type" and "searchParam" in said:
            known = {p["name"] for p in said["searchParam"]} | self.everywhere | RESULTS
            if unknown := [p for p in params if p.split(":")[0].split(".")[0] not in known]:
                return f"search of {kind} by {unknown[0]}"
        if "if-none-exist" in headers and said.get("conditionalCreate") is not True:
            return f"conditional create of {kind}"
        if "if-match" in headers and said.get("versioning") == "no-version":
            return f"If-Match on {kind}"
        return ""

    def _does(self, kind: str, code: str) -> bool:
        if self.lists and kind not in self.types:
            return False
        interactions = self.types.get(kind, {}).get("interaction")
        return code in READS if interactions is None else code in {i["code"] for i in interactions}


def _code(method: str, rest: Sequence[str]) -> str:
    if not rest:
        return "create" if method == "POST" else "search-type"
    if rest[0] == "_search":
        return "search-type"
    if rest[-1] == "_history":
        return "history-instance"
    return {"GET": "read", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}[method]


def statement(
    types: Mapping[str, Sequence[str] | None],
    *,
    system: Sequence[str] | None = None,
    params: Sequence[str] | None = ("identifier", "patient", "_id"),
    software: str = "Simulated",
    **flags: Any,
) -> dict[str, Any]:
    """A synthetic CapabilityStatement.

    :param types: resource type → interactions; None: nothing is said of them
    :param system: interactions at the base; None: nothing is said
    :param params: search parameters of every type that is searched; None: nothing is said
    :param flags: of every type, as FHIR calls them: ``conditionalCreate=True``
    """
    resources = []
    for name, interactions in types.items():
        said: dict[str, Any] = {"type": name} | flags
        if interactions is not None:
            said["interaction"] = [{"code": c} for c in interactions]
        if params is not None and (interactions is None or "search-type" in interactions):
            said["searchParam"] = [{"name": p, "type": "token"} for p in params]
        resources.append(said)
    rest: dict[str, Any] = {"mode": "server"} | ({"resource": resources} if resources else {})
    if system is not None:
        rest["interaction"] = [{"code": c} for c in system]
    return {
        "resourceType": "CapabilityStatement", "status": "active", "kind": "instance", "date": "2026-01-01",
        "fhirVersion": "4.0.1", "format": ["json"], "software": {"name": software}, "rest": [rest],
    }  # fmt: skip

"""Bundles that are sent: every entry is accounted for, or nobody says that it was done.

Source: http://hl7.org/fhir/R4/http.html#transaction: the entries of the answer stand in the order of the
request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesofhir.errors import Refused, UnknownOutcome
from mesofhir.server.answers import Answer, version_from_etag, version_of
from mesofhir.server.outcomes import Issue, issues
from mesofhir.server.retry import is_failure

_LOCATION = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([^/?#]+)(?:/_history/([^/?#]+))?/?$")
_TOO_MANY = re.compile(
    r"\btoo (many|large|long|big)\b(?!.*\bmatch)"
    r"|\b(maximum|limit|exceed\w*|at most)\b.*\b(entr|size|byte|bundle)",
    re.IGNORECASE | re.DOTALL,
)
Entry = Mapping[str, Any]


class TransactionFailed(Refused):
    """The server took nothing of a bundle; :attr:`status` says why (409, 412: somebody was faster)."""


class TooLarge(TransactionFailed):
    """The bundle has too many entries or bytes for the server, and nothing was done: send it in parts."""


@dataclass(frozen=True, slots=True)
class EntryResult:
    """What became of one entry.

    :param status: as for a request of its own; 201 created, 200 found or updated
    :param location: ``Type/id``, without base and version
    :param version: for If-Match
    :param resource: what the server holds now, if it told
    """

    status: int
    location: str | None = None
    version: str | None = None
    resource: dict[str, Any] | None = field(default=None, repr=False)
    issues: tuple[Issue, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    @property
    def unknown(self) -> bool:
        """Whether it may have been done or not, as after the same status to a request of its own."""
        return is_failure(self.status)


def failure(answer: Answer, what: str) -> TransactionFailed:
    """The error of a bundle, or of a single write, that was refused as a whole."""
    said = issues(answer.body)
    words = " ".join(issue.said for issue in said)
    codes = {issue.code for issue in said}
    large = answer.status == 413 or (
        answer.status in (400, 422) and ("too-costly" in codes or _TOO_MANY.search(words) is not None)
    )
    kind = TooLarge if large else TransactionFailed
    return kind(f"{what} was refused: {answer.status}", answer.status, [str(issue) for issue in said], codes)


def read_results(answer: Answer, entries: Sequence[Entry], kind: str) -> list[EntryResult]:
    """The results of a bundle, one for each entry.

    :param kind: ``transaction`` or ``batch``
    :raises UnknownOutcome: the answer does not account for every entry: wrong kind, more or fewer entries,
        an entry without a status, or one that speaks of another resource
    """
    body = answer.body or {}
    if body.get("resourceType") != "Bundle" or body.get("type") != f"{kind}-response":
        raise _unknown(kind, "the server did not answer with the results of it")
    got = body.get("entry", [])
    if not isinstance(got, list) or len(got) != len(entries):
        number = len(got) if isinstance(got, list) else 0
        raise _unknown(kind, f"{len(entries)} entries were sent and {number} were answered")
    results = [_result(each, n, kind) for n, each in enumerate(got)]
    places: dict[str, int] = {}
    for n, (entry, result) in enumerate(zip(entries, results, strict=True)):
        if kind == "transaction" and not (result.ok or result.status == 304):
            raise _unknown(kind, f"it succeeded, and its entry {n} has the status {result.status}")
        if result.ok and not _same(entry, result):
            raise _unknown(kind, f"the answer to entry {n} speaks of another resource")
        if result.location and places.setdefault(result.location, n) != n:
            raise _unknown(kind, f"the answers to entries {places[result.location]} and {n} speak of one resource")
    return results


def put_off(results: Sequence[EntryResult]) -> list[int]:
    """The entries of a batch that the server did not look at (429 inside an answer with 200): with these alone the
    same may be asked again. The whole of a transaction is done or is not, so it has none."""
    return [n for n, result in enumerate(results) if result.status == 429]


def single_result(answer: Answer, entry: Entry, what: str) -> EntryResult:
    """The result of a single create or update that was done.

    :param entry: what was sent, as in a bundle
    :raises UnknownOutcome: the answer says only that it came in (202), or speaks of another resource
    """
    place = _LOCATION.search(answer.headers.get("Location") or answer.headers.get("Content-Location") or "")
    found = _resource(answer.body)
    where = f"{place[1]}/{place[2]}" if place else _reference(found)
    version = answer.version or (place[3] if place else None)
    result = EntryResult(answer.status, where, version, found, issues(answer.body))
    if answer.status == 202:
        raise _unknown(what, "the server has taken it, and does not say that it was done")
    if not _same(entry, result):
        raise _unknown(what, "the answer speaks of another resource")
    return result


def _result(raw: Any, n: int, kind: str) -> EntryResult:
    response = raw.get("response") if isinstance(raw, dict) else None
    response = response if isinstance(response, dict) else {}
    match = re.match(r"\s*([1-5]\d\d)\b", str(response.get("status", "")))
    if match is None:
        raise _unknown(kind, f"the answer to entry {n} has no status")
    place = _LOCATION.search(str(response.get("location") or ""))
    found = _resource(raw.get("resource"))
    said = issues(response.get("outcome")) + issues(raw.get("resource"))
    return EntryResult(
        int(match[1]),
        f"{place[1]}/{place[2]}" if place else _reference(found),
        version_from_etag(response.get("etag")) or version_of(found) or (place[3] if place else None),
        found,
        said,
    )


def _resource(value: Any) -> dict[str, Any] | None:
    """A resource that is one; sekmet puts the OperationOutcome of an entry where the resource goes."""
    return value if isinstance(value, dict) and value.get("resourceType") != "OperationOutcome" else None


def _reference(resource: dict[str, Any] | None) -> str | None:
    if resource and isinstance(resource.get("resourceType"), str) and isinstance(resource.get("id"), str):
        return f"{resource['resourceType']}/{resource['id']}"
    return None


def _same(entry: Entry, result: EntryResult) -> bool:
    """Whether a result speaks of what was sent: of its type, for an update of its id, and under one of its identifiers
    if it shows any."""
    request = entry.get("request") or {}
    wanted = str(request.get("url", "")).split("?", 1)[0].strip("/").split("/")
    kind = (result.resource or {}).get("resourceType")  # also of what has no id: a Bundle, say
    for told in (result.location, _reference(result.resource), kind):
        if told is None or request.get("method") not in ("POST", "PUT", "PATCH") or "$" in wanted[-1]:
            continue
        have = told.split("/")
        if have[0] != wanted[0] or (len(wanted) == len(have) == 2 and have[1] != wanted[1]):
            return False
    sent, shown = _identifiers(entry.get("resource")), _identifiers(result.resource)
    return not sent or not shown or bool(sent & shown)


def _identifiers(resource: Any) -> set[tuple[str, str]]:
    listed = resource.get("identifier") if isinstance(resource, Mapping) else None
    listed = listed if isinstance(listed, list) else [listed]
    pairs = [(each.get("system"), each.get("value")) for each in listed if isinstance(each, Mapping)]
    return {(a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str)}


def _unknown(kind: str, why: str) -> UnknownOutcome:
    return UnknownOutcome(f"what became of a {kind} is not known: {why}")

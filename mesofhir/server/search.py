"""Searching: by POST, page after page, and only as far as the server's answer can be believed.

A search goes to ``[type]/_search`` with its parameters in the body
(http://hl7.org/fhir/R4/http.html#search), because URLs end up in the logs of every machine on the way.
``next`` links are the server's: they are followed below its base URL and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from mesofhir.errors import Refused
from mesofhir.server.address import link, told_parameter
from mesofhir.server.answers import Answer, version_from_etag, version_of
from mesofhir.server.http import Door
from mesofhir.server.outcomes import issues, lines
from mesofhir.server.query import Params, carries, ignored, is_personal

#: `no-cache`: HAPI answers a search like one of the last minute with what that one found
_STRICT = {"Prefer": "handling=strict", "Cache-Control": "no-cache"}
_NO_POST = (404, 405, 415, 501)
_MOST_STALE = 20
_NAME = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[^/?]+)$")
Bundle = dict[str, Any]
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One page to ask for: a GET of ``path``, or a POST of a form to it."""

    path: str
    form: tuple[tuple[str, str], ...] | None = None

    def ask(self, door: Door) -> Answer:
        if self.form is None:
            return door.request("GET", self.path, headers=_STRICT)
        return door.request("POST", self.path, form=self.form, headers=_STRICT)


class Search(Iterator[dict[str, Any]]):
    """The resources that a search finds, each once (by type and id), page by page as they are asked for.

    :ivar warnings: what the server remarked, safe to show
    :ivar complete: False when the server says, or its own count shows, that something is missing; final when
        the iteration is over
    :ivar total: how many matches the server counts, once the first page is there
    :ivar stamp: what time it was for the server when it put the first page together, where it says so

    :raises Refused: (while iterating) the server refuses the search, ignores a parameter of it, reports an
        error within the result, or leads to another address or in a circle
    """

    def __init__(
        self, door: Door, first: Callable[[], Answer], what: str, asked: Params, warn: Warn
    ) -> None:
        self.warnings: list[str] = []
        self.complete = True
        self.total: int | None = None
        self.stamp: str | None = None
        self._door, self._first, self._what, self._asked, self._warn = door, first, what, asked, warn
        self._resources = self._run()

    def __iter__(self) -> Search:
        return self

    def __next__(self) -> dict[str, Any]:
        return next(self._resources)

    def _run(self) -> Iterator[dict[str, Any]]:
        seen: set[tuple[str, str]] = set()
        count, stale = 0, 0
        for bundle in _pages(self._door, self._first, self._what, self._asked):
            if self.total is None and isinstance(bundle.get("total"), int):
                self.total = bundle["total"]
            self.stamp = self.stamp or _object(bundle.get("meta")).get("lastUpdated")
            stale += 1
            for resource in self._found(bundle):
                key = (resource["resourceType"], resource.get("id", ""))
                if key[1] and key in seen:
                    continue
                seen.add(key)
                stale, count = 0, count + 1
                yield resource
            _not_stale(stale, self._what)
        if self.total is not None and count < self.total and ("_summary", "count") not in self._asked:
            self._remark(f"{self._what}: the server counts {self.total} and gave {count}", missing=True)

    def _found(self, bundle: Bundle) -> list[dict[str, Any]]:
        """The resources of one page; what the server remarks is shown, what it could not do is an error."""
        found = []
        for entry in _entries(bundle):
            resource = entry.get("resource")
            if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
                raise Refused(f"{self._what}: the server gave an entry without a resource")
            if resource["resourceType"] == "OperationOutcome":
                self._outcome(resource)
            else:
                found.append(resource)
        return found

    def _outcome(self, outcome: dict[str, Any]) -> None:
        said = issues(outcome)
        if any(issue.failed for issue in said):
            raise Refused(f"{self._what}: the result is incomplete", 200, [str(issue) for issue in said])
        for issue in said:
            self._remark(f"{self._what}: {issue}", missing=issue.severity == "warning")

    def _remark(self, text: str, *, missing: bool) -> None:
        self.complete = self.complete and not missing
        self.warnings.append(text)
        self._warn(text)


def by_params(door: Door, resource_type: str, params: Params, count: int, warn: Warn) -> Search:
    """A search of one type; see :meth:`mesofhir.server.Server.search`."""
    sized = any(name == "_count" for name, _ in params)
    asked = tuple(params) if sized else (*params, ("_count", str(count)))
    shown = ", ".join(dict.fromkeys(told_parameter(name) for name, _ in params))
    what = f"search of {resource_type} by {shown}" if shown else f"search of {resource_type}"

    def first() -> Answer:
        answer = Step(f"{resource_type}/_search", asked).ask(door)
        if answer.unasked:
            raise Refused(f"{what} was not sent: {answer.unasked}", answer.status)
        posted = answer.status not in _NO_POST
        if not posted:
            if any(is_personal(name, value) for name, value in asked):
                why = "the server takes no searches by POST, and by GET the values would stand in a URL"
                raise Refused(f"{what}: {why}", answer.status, answer.issues)
            answer = Step(f"{resource_type}?{urlencode(asked)}").ask(door)
        if answer.ok and (missing := ignored(asked, _link(answer.body or {}, "self"), posted=posted)):
            names = ", ".join(map(told_parameter, missing))
            why = f"the server ignored {names}, so its answer is not believed"
            raise Refused(f"{what}: {why}", answer.status)
        return answer

    return Search(door, first, what, asked, warn)


def by_path(door: Door, path: str, what: str, warn: Warn) -> Search:
    """The resources behind a GET that answers with a searchset, such as ``$everything``."""
    return Search(door, lambda: Step(path).ask(door), what, (), warn)


@dataclass(frozen=True, slots=True)
class Version:
    """One version in the history of a resource.

    :param name: ``Type/id``; "" where the server does not say it
    :param deleted: this version says that there is nothing any more
    :param resource: what it was; None when deleted, or when the server does not tell
    """

    version: str | None
    deleted: bool
    resource: dict[str, Any] | None
    modified: str | None
    name: str = ""


def versions(door: Door, path: str, what: str) -> Iterator[Version]:
    """The history of a resource or of a type, newest first as the server gives it, each version once."""
    seen: set[tuple[str, str]] = set()
    stale = 0
    for bundle in _pages(door, lambda: Step(path).ask(door), what, ()):
        stale += 1
        for entry in _entries(bundle):
            version = _version(entry)
            if version.version is None or (version.name, version.version) not in seen:
                seen.add((version.name, version.version or ""))
                stale = 0
                yield version
        _not_stale(stale, what)


def _version(entry: dict[str, Any]) -> Version:
    request, response, resource = (_object(entry.get(key)) for key in ("request", "response", "resource"))
    asked, there, number = str(request.get("url", "")).partition("/_history/")
    modified = response.get("lastModified") or _object(resource.get("meta")).get("lastUpdated")
    return Version(
        version_of(resource) or version_from_etag(response.get("etag")) or (number if there else None),
        request.get("method") == "DELETE",
        resource or None,
        modified if isinstance(modified, str) else None,
        _named(resource, asked, str(entry.get("fullUrl", "")).partition("/_history/")[0]),
    )


def _named(resource: dict[str, Any], *urls: str) -> str:
    """``Type/id`` of what an entry is about; of a deletion only the URLs say it."""
    if resource:
        return f"{resource.get('resourceType')}/{resource.get('id')}"
    return next((m[1] for url in urls if (m := _NAME.search(url))), "")


def _pages(door: Door, first: Callable[[], Answer], what: str, asked: Params) -> Iterator[Bundle]:
    """The pages of a result, by their ``next`` links."""
    secrets = [(name, value) for name, value in asked if is_personal(name, value)]
    answer = first()
    visited = {Step(answer.url)}
    while True:
        if not answer.ok:
            lost = " (the server no longer has the pages: search again)" if answer.status == 410 else ""
            raise Refused(f"{what}: {answer.status}{lost}", answer.status, answer.issues)
        bundle = answer.body or {}
        if bundle.get("resourceType") != "Bundle":
            raise Refused(f"{what}: the server answered with no Bundle", answer.status, lines(bundle))
        yield bundle
        step = _next(door, bundle, answer.url, what, secrets)
        if step is None:
            return
        if step in visited:
            raise Refused(f"{what}: the next links of the server lead in a circle")
        visited.add(step)
        answer = step.ask(door)


def _next(door: Door, bundle: Bundle, current: str, what: str, secrets: Params) -> Step | None:
    target = _link(bundle, "next")
    if target is None:
        return None
    url = door.address.follow(current, target)
    if url is None:
        found = link(target)
        where = f"at {found.origin}" if found and found.origin != door.address.origin else "elsewhere"
        raise Refused(
            f"{what}: the next page is said to be {where}, not below {door.address.url}; it is not asked for "
            "(behind a proxy, a server must be told its own base URL)"
        )
    if not carries(url, secrets):
        return Step(url)
    below = door.address.below(url)
    if len(below) == 1 or below[1:] == ["_search"]:
        return Step(f"{below[0]}/_search", tuple(parse_qsl(urlsplit(url).query, keep_blank_values=True)))
    raise Refused(f"{what}: the next page has the values of the search in its URL; it is not asked for")


def _not_stale(stale: int, what: str) -> None:
    if stale >= _MOST_STALE:
        raise Refused(f"{what}: {stale} pages in a row brought nothing new")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _entries(bundle: Bundle) -> list[dict[str, Any]]:
    entries = bundle.get("entry")
    return [each if isinstance(each, dict) else {} for each in entries] if isinstance(entries, list) else []


def _link(bundle: Bundle, relation: str) -> str | None:
    links = bundle.get("link")
    for each in links if isinstance(links, list) else ():
        if isinstance(each, dict) and each.get("relation") == relation and isinstance(each.get("url"), str):
            url: str = each["url"]
            return url
    return None

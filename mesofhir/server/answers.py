"""What a server said: a status, headers, and a FHIR resource or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mesofhir.errors import InvalidInput
from mesofhir.fhir.exactjson import decode
from mesofhir.server import faults, outcomes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said.

    :param status: the HTTP status
    :param headers: by name, in any case
    :param body: a FHIR resource with exact decimals, or None when there is none
    :param url: where it came from, after redirects; not for logs
    :param unasked: why the server was not asked; "" if it was
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: dict[str, Any] | None = field(repr=False)
    url: str = field(repr=False)
    unasked: str = ""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def version(self) -> str | None:
        """The version of the resource: ``meta.versionId``, else the ETag."""
        return version_of(self.body) or version_from_etag(self.headers.get("ETag"))

    @property
    def issues(self) -> list[str]:
        """The lines of an OperationOutcome, safe to show."""
        return outcomes.lines(self.body)


def not_offered(why: str, url: str) -> Answer:
    """What a server would say to what it does not offer: it is spared the question."""
    issue = {"severity": "error", "code": "not-supported", "diagnostics": why}
    return Answer(405, {}, {"resourceType": "OperationOutcome", "issue": [issue]}, url, why)


def version_of(resource: Any) -> str | None:
    """``meta.versionId`` of a resource, if it has one."""
    meta = resource.get("meta") if isinstance(resource, dict) else None
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return version if isinstance(version, str) and version else None


def version_from_etag(etag: Any) -> str | None:
    """The version in an ETag: ``W/"3"``, ``"3"``, or ``3`` as HAPI writes it in a bundle."""
    return (etag.strip().removeprefix("W/").strip('"') or None) if isinstance(etag, str) else None


def read_answer(status: int, headers: Mapping[str, str], data: bytes, url: str) -> Answer | faults.Fault:
    """A body read as FHIR JSON. A failure may come without one (from a proxy, say); a success may not."""
    content = headers.get("Content-Type", "").split(";", 1)[0].strip().lower()
    good = 200 <= status < 300
    if not data.strip() or status == 304:
        return Answer(status, headers, None, url)
    body = None
    try:
        if "json" in content or (not content and data.lstrip()[:1] == b"{"):
            body = decode(data, "the answer")
    except (InvalidInput, msgspec.MsgspecError, RecursionError) as error:
        if good:
            return faults.broken(error)
    if isinstance(body, dict) and isinstance(body.get("resourceType"), str):
        return Answer(status, headers, body, url)
    return faults.not_fhir(content, url) if good else Answer(status, headers, None, url)

"""The HL7 validator (``org.hl7.fhir.validation`` 6.7.9, in HAPI), as the tests of the profiles ask it.

What was learnt about it, all of it tried on HAPI 8.8.0:

- ``POST Bundle/$validate`` judges each entry by its ``meta.profile``, four to six times as fast as a request for each
  resource (warm: 4 ms a resource against 24 ms, base R4), and stores nothing. References of the form ``urn:uuid:…``
  are resolved within the Bundle, so that their targets are judged by the profiles that the reference asks for; no
  target has to be stored. A literal ``Type/id`` must be stored on the server, or it is an error. Of a reference with
  identifier and type only, nothing is judged, not even the type.
- Each issue has the id of its message (``Validation_VAL_Profile_Minimum``), or for an invariant its canonical URL
  with ``#key``: these are stable, the words are not.
- What the JSON parser itself refuses (a code outside a required binding of R4, an impossible date, an extension with
  both a value and extensions) is answered with 400 for the whole Bundle, and without a path: such a resource has to
  be asked for alone.
- A required binding to codes of a system that the server does not hold (LOINC) refuses every code; one on a
  CodeableConcept with several codings wants all of them in the value set.
- A primitive without a value (data-absent-reason) makes a comparison in an invariant fail with an exception.
- Codes of SNOMED CT, ATC, ICD pass with a warning whatever they are: Python checks those against the tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import requests

from mesofhir.fhir.exactjson import decode, encode

Resource = dict[str, Any]
JSON = {"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"}
_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]\.resource(?:/\*[^*]*\*/)?(.*)", re.DOTALL)
_NAMED = re.compile(r"/\*[^*]*\*/")
_MESSAGE_ID = "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id"


@dataclass(frozen=True, order=True)
class Issue:
    """One thing that the validator says of a resource.

    :param severity: fatal, error, warning, information
    :param id: of the message; ``""`` for what the parser refuses
    :param element: such as ``Procedure.extension[0].value.ofType(Quantity)``; ``""`` where it does not say
    """

    severity: str
    id: str
    element: str
    text: str

    @property
    def failed(self) -> bool:
        return self.severity in ("error", "fatal")

    @property
    def place(self) -> str:
        """The element without the positions in lists."""
        return re.sub(r"\[\d+\]", "", self.element)

    def __str__(self) -> str:
        return f"{self.severity} {self.id} at {self.element}: {self.text}"


class Validator:
    """A HAPI that knows our profiles."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, requests.Session()

    def bundle(self, resources: Sequence[Resource], urls: Sequence[str]) -> list[list[Issue]]:
        """What it says of each of these resources, which refer to each other by these full URLs."""
        entries = [{"fullUrl": u, "resource": r} for u, r in zip(urls, resources, strict=True)]
        outcome = self._ask("Bundle", {"resourceType": "Bundle", "type": "collection", "entry": entries})
        found: list[list[Issue]] = [[] for _ in resources]
        for raw in outcome:
            issue = _issue(raw)
            entry = _ENTRY.fullmatch(issue.element)
            if entry is None and issue.failed:
                raise AssertionError(f"said of no resource: {issue}")
            if entry is not None:
                n = int(entry[1])
                element = str(resources[n]["resourceType"]) + _NAMED.sub("", entry[2])
                found[n].append(Issue(issue.severity, issue.id, element, issue.text))
        return found

    def one(self, resource: Resource) -> list[Issue]:
        """What it says of a resource alone."""
        issues = [_issue(raw) for raw in self._ask(str(resource["resourceType"]), resource)]
        return [Issue(i.severity, i.id, _NAMED.sub("", i.element), i.text) for i in issues]

    def _ask(self, kind: str, resource: Resource) -> list[Mapping[str, Any]]:
        url = f"{self.url}/{kind}/$validate"
        answer = self.session.post(url, data=encode(resource), headers=JSON, timeout=600)
        outcome = decode(answer.content)
        assert outcome["resourceType"] == "OperationOutcome", answer.text[:500]
        issues: list[Mapping[str, Any]] = outcome["issue"]
        assert answer.status_code in (200, 400, 412, 422), (answer.status_code, issues)
        if answer.status_code != 200:
            assert any(_issue(raw).failed for raw in issues), issues
        return issues


def _issue(raw: Mapping[str, Any]) -> Issue:
    ids = [e["valueString"] for e in raw.get("extension", ()) if e["url"] == _MESSAGE_ID]
    places = raw.get("expression") or raw.get("location") or [""]
    element = "" if places[0].startswith("Line[") else places[0]
    return Issue(raw["severity"], ids[0] if ids else "", element, raw.get("diagnostics", ""))


def handle(name: str) -> str:
    """A full URL for a name."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, name)}"


def told(issues: Sequence[Issue]) -> list[str]:
    """The issues, for a failing test."""
    return [str(i) for i in issues]

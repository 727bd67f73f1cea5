"""``$validate``: what a server's own validator says of resources. It stores nothing.

Source: http://hl7.org/fhir/R4/resource-operation-validate.html. A verdict is an OperationOutcome, with 200 or, where
the server could not even read a resource, with 400 or 422. Where an issue belongs is said by the HL7 validator as
``Bundle.entry[3].resource/*Procedure/null*/.extension[0].value.ofType(Quantity).code``: made a place here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from mesofhir.errors import Refused
from mesofhir.server.answers import Answer
from mesofhir.server.outcomes import Issue, issues

_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\]\.resource(?:/\*[^*]*\*/|\.ofType\(\w+\))?")
_STEP: Final = re.compile(r"\.ofType\((?P<type>\w+)\)|\.(?P<name>[a-z]\w*(?:\[\d+\])?)(?![\w(])|/\*[^*]*\*/")
_COUNTED: Final = re.compile(r"(?:\w+_\w+ )?[A-Z]\w+((?:\.[a-z]\w*(?:\[x\])?(?::\w+)?)+): (?:minimum|max) ")
_INVARIANT: Final = re.compile(r"https?://[^\s#|]+/StructureDefinition/([\w-]+)#([\w-]+)")
_MESSAGE: Final = "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id"
_NONE: Final = (404, 405, 501)
_UNSUPPORTED: Final = frozenset({"not-supported", "not-found"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the server's validator says.

    :param entry: which entry of the Bundle that was sent; None where it does not say, or where one resource was sent
    :param path: JSON path in the resource, such as ``$.partOf``; ``$`` where it does not say more
    :param invariant: ``mesotherapy-session#ses-3``, where it is one that is broken; else empty
    """

    entry: int | None
    path: str
    invariant: str
    issue: Issue


def read_findings(answer: Answer) -> list[Finding]:
    """The verdict.

    :raises Refused: there is none: the server has no ``$validate``, say
    """
    said = issues(answer.body)
    unsupported = any(i.failed and i.code in _UNSUPPORTED for i in said)
    if answer.status in _NONE or not said or (unsupported and not answer.ok):
        raise Refused(f"$validate: {answer.status}", answer.status, [str(i) for i in said])
    if not answer.ok and not any(i.failed for i in said):
        raise Refused(f"$validate: {answer.status}, and nothing about what is wrong", answer.status)
    raw = [x for x in (answer.body or {})["issue"] if isinstance(x, dict)]
    return [_finding(one, issue) for one, issue in zip(raw, said, strict=True)]


def _finding(raw: dict[str, Any], issue: Issue) -> Finding:
    said = raw.get("expression") or raw.get("location")
    place = said[0] if isinstance(said, list) and said and isinstance(said[0], str) else ""
    entry = _ENTRY.match(place)
    path = _path(place[entry.end() :] if entry else place[len(place.split(".", 1)[0]) :])
    if counted := _COUNTED.match(issue.said):  # of what is missing, or too much, the element around it is named
        whole = "$" + re.sub(r":\w+", "", counted[1])
        path = whole if "[" not in path and whole.startswith(path) else f"{path}.{whole.rpartition('.')[2]}"
    ids = [_text(e.get("valueString")) for e in raw.get("extension") or () if e.get("url") == _MESSAGE]
    invariant = _INVARIANT.fullmatch(ids[0] if ids else "")
    return Finding(
        int(entry[1]) if entry else None, path, f"{invariant[1]}#{invariant[2]}" if invariant else "", issue
    )


def _path(place: str) -> str:
    return "".join(["$", *_steps(place)])


def _steps(place: str) -> Iterator[str]:
    """The steps as far as they are understood."""
    at = 0
    while step := _STEP.match(place, at):
        at = step.end()
        if step["type"]:
            yield step["type"][:1].upper() + step["type"][1:]
        elif step["name"]:
            yield f".{step['name']}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

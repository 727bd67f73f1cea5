"""OperationOutcome: what a server says is wrong, in lines that are safe to show and to keep.

Source: http://hl7.org/fhir/R4/operationoutcome.html. A line holds the severity, the code, where, and the
server's own words without anything that could be a patient's (``words.py`` says which words pass). The full
text stays in
:attr:`Issue.said`, for a caller that knows who is looking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mesofhir.server.words import CAPITAL, COUNTING, ELEMENTS, FUNCTIONS, PLAIN, TYPES, words

SEVERITIES = ("fatal", "error", "warning", "information")
_CODES = words("""
    invalid structure required value invariant security login unknown expired forbidden suppressed processing
    not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly
    business-rule conflict transient lock-error no-store exception timeout incomplete throttled informational
    """)  # http://hl7.org/fhir/R4/valueset-issue-type.html
_LONGEST = 600
_TOKEN = re.compile(
    r"(?P<product>HAPI-\d{4})"
    r"|(?P<path>[A-Z][A-Za-z]+(?:\.[a-z][A-Za-z]{1,40}(?:\[(?:x|\d{1,5})\])?)+)"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<number>(?<![\w.,:/-])\d{1,6}(?![\w/-]|[.,:]\d))"
    r"|(?P<space>\s+)"
    r"|(?P<mark>[][.,:;()<>{}'\"`/|_=*&?!-])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_SEGMENT = re.compile(r"([a-z][A-Za-z0-9]{1,40})(?:\[(?:x|\d{1,6})\])?")


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing a server says.

    :param severity: fatal, error, warning or information; anything else counts as an error
    :param code: the kind (``issue.code``)
    :param where: element paths
    :param text: the server's words, made safe
    :param said: the server's words as they came; may quote patient data, so it is in no ``repr`` or ``str``
    """

    severity: str
    code: str
    where: tuple[str, ...]
    text: str
    said: str = field(repr=False)

    @property
    def failed(self) -> bool:
        """Whether something was not done, or not done wholly."""
        return self.severity in ("fatal", "error")

    def __str__(self) -> str:
        at = f" at {', '.join(self.where)}" if self.where else ""
        return f"{self.severity} {self.code}{at}" + (f": {self.text}" if self.text else "")


def issues(outcome: Any) -> tuple[Issue, ...]:
    """The issues of an OperationOutcome; none for anything else, however broken it is."""
    if not isinstance(outcome, dict) or outcome.get("resourceType") != "OperationOutcome":
        return ()
    return tuple(_issue(each) for each in _list(outcome.get("issue")) if isinstance(each, dict))


def lines(outcome: Any) -> list[str]:
    """The same as text, one line each."""
    return [str(issue) for issue in issues(outcome)]


def _issue(raw: dict[str, Any]) -> Issue:
    severity, code = raw.get("severity"), raw.get("code")
    places = _list(raw.get("expression") or raw.get("location"))
    said = " ".join(dict.fromkeys(_texts(raw)))
    return Issue(
        severity if severity in SEVERITIES else "error",
        code if isinstance(code, str) and code in _CODES else "unknown",
        tuple(safe_path(place) for place in places if isinstance(place, str)),
        safe_text(said),
        said,
    )


def _texts(raw: dict[str, Any]) -> Iterator[str]:
    """Everything that says something: details (text, codes), then diagnostics."""
    details = raw.get("details")
    if isinstance(details, dict):
        if isinstance(details.get("text"), str):
            yield details["text"]
        for coding in _list(details.get("coding")):
            if isinstance(coding, dict):
                yield from (coding[key] for key in ("code", "display") if isinstance(coding.get(key), str))
    if isinstance(raw.get("diagnostics"), str):
        yield raw["diagnostics"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def safe_path(path: str) -> str:
    """An element path without what an expression may quote, and without what is no element: whoever writes
    ``Patient.name.where(…).family`` may also write ``Patient.rossi``."""
    flat = re.sub(r"\(.*\)", "", path.removeprefix("/").replace("/", ".").replace("f:", ""))
    kept = [
        each if _is_element(each) or (n == 0 and each in TYPES) else "…"
        for n, each in enumerate(flat.split(".")[:20])
    ]
    return re.sub(r"(?:…\.?)+", "…", ".".join(kept))


def safe_text(text: str) -> str:
    """A server's words with everything unknown replaced by ``…``.

    Kept: known words, resource types and element paths, HAPI's message numbers, and numbers that count
    (``matched 2 resources``). Dates, ids, names, values and quotations are not.
    """
    out: list[str] = []
    last = ""
    for match in _TOKEN.finditer(text[: _LONGEST * 4]):
        kind, token = match.lastgroup, match.group()
        if kind == "word":
            out.append(token if _known(token) else "…")
            last = last if token in ("of", "is", "at") else token.casefold()
        elif kind == "path":
            out.append(_safe_part(token))
            last = ""
        elif kind == "number":
            out.append(token if last in COUNTING else "…")
        elif kind == "space":
            out.append(" ")
        else:
            out.append("…" if kind == "other" else token)
    short = re.sub(r"…(?:[\s.,:;'\"`/|_=&?!-]*…)+", "…", "".join(out)).strip()
    return short if len(short) <= _LONGEST else short[:_LONGEST] + "…"


def _safe_part(path: str) -> str:
    """A path in a sentence: as a whole, or not at all."""
    first, *more = path.split(".")
    return path if first in TYPES and all(map(_is_element, more)) else "…"


def _is_element(segment: str) -> bool:
    found = _SEGMENT.fullmatch(segment)
    return found is not None and (found[1] in ELEMENTS or found[1] in FUNCTIONS)


def _known(word: str) -> bool:
    if word in TYPES or word in PLAIN:
        return True
    return word.casefold() in CAPITAL and (word.isupper() or word.istitle())

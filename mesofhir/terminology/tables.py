"""A code table, and how it is read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from mesofhir.errors import MesofhirError
from mesofhir.terminology.systems import LANGUAGES, LOCAL, SYSTEMS, canonical

COLUMNS: Final = ["code", "it", "en", "system", "value", "display", "relation", "source"]
RELATIONS: Final = ("equivalent", "broader", "related")
TOKEN: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ISSUE_CODES: Final = ("ALGY", "PREG", "LACT", "COND", "DACT")


class Coding(NamedTuple):
    """A code of a standard, as FHIR's ``Coding`` writes it.

    :param system: the absolute URI of the code system
    :param code: the code
    :param display: its display in the source; empty where the source has none fit to be shown
    """

    system: str
    code: str
    display: str


@dataclass(frozen=True)
class Concept:
    """One token of a code set.

    :param code: the token, such as ``low-back-pain``
    :param labels: our words for it, one for each of :data:`LANGUAGES`
    :param codings: what is written for it, in this order; the first is always an equivalent one
    """

    code: str
    labels: Mapping[str, str]
    codings: tuple[Coding, ...]


class CodeSet:
    """A table, read both ways: from a token to what is written, from a code to the token that it means.

    :param name: the name of its table, such as ``sites``
    """

    def __init__(
        self, name: str, concepts: Mapping[str, Concept], tokens: Mapping[tuple[str, str], str]
    ) -> None:
        self.name = name
        self._concepts = concepts
        self._tokens = tokens

    def __contains__(self, token: object) -> bool:
        return token in self._concepts

    def __iter__(self) -> Iterator[str]:
        return iter(self._concepts)

    def __len__(self) -> int:
        return len(self._concepts)

    def __getitem__(self, token: str) -> Concept:
        """What a token stands for.

        :raises KeyError: if the set has no such token
        """
        return self._concepts[token]

    def __repr__(self) -> str:
        return f"<CodeSet {self.name}: {len(self)} tokens>"

    def token_of(self, system: str, code: str) -> str | None:
        """The token that one coding means; None unless a token has it as an equivalent one.

        :param system: the URI of the system; the other URIs of ATC are understood
        """
        return self._tokens.get((canonical(system), code))

    def token_in(self, codings: Iterable[tuple[str, str]]) -> str | None:
        """The token that a whole concept means; None if its codings mean none, or several different ones.

        A concept may hold a code beside ours that is another token's own: an Achilles tendon is written as
        itself and as an ankle. Such a code is explained by the token that writes it, in whichever order an
        EHR returns them.

        :param codings: system and code of each of its codings
        """
        found = {token for coding in codings if (token := self.token_of(*coding)) is not None}
        explained = {other for token in found for other in self._beside(token)}
        left = found - explained
        return left.pop() if len(left) == 1 else None

    def with_more(self, concepts: Mapping[str, Concept], tokens: Mapping[tuple[str, str], str]) -> CodeSet:
        """The set with what a clinic adds to it; its own order first.

        :param concepts: new ones, and ours with further codings
        :param tokens: what the further codings mean
        """
        return CodeSet(self.name, {**self._concepts, **concepts}, {**self._tokens, **tokens})

    def label(self, token: str, language: str) -> str:
        """Our word for a token.

        :param language: one of :data:`LANGUAGES`
        :raises KeyError: if the set has no such token, or there is no such language
        """
        return self._concepts[token].labels[language]

    def _beside(self, token: str) -> set[str]:
        """The other tokens whose own codes are written beside this one's."""
        tokens = {self.token_of(coding.system, coding.code) for coding in self._concepts[token].codings}
        return {other for other in tokens if other is not None and other != token}


def read_code_set(name: str, text: str) -> CodeSet:
    """Read a table.

    :param name: its name, for the messages
    :param text: its CSV, with a heading
    :raises MesofhirError: with file and line
    """
    concepts: dict[str, Concept] = {}
    tokens: dict[tuple[str, str], str] = {}
    current = None
    for where, row in _rows(f"{name}.csv", text, COLUMNS):
        token = row["code"]
        if current is None or token != current.code:
            _require(token not in concepts, where, f"the lines of {token!r} are not together")
            current = _opened(where, row)
        else:
            _require(not (row["it"] or row["en"]), where, f"labels of {token!r} belong on its first line")
        coding = _coding(where, row, current)
        if row["relation"] == "equivalent":
            owner = tokens.setdefault((coding.system, coding.code), token)
            _require(owner == token, where, f"{coding.code} is already equivalent to {owner!r}")
        current = Concept(token, current.labels, (*current.codings, coding))
        concepts[token] = current
    _require(bool(concepts), f"{name}.csv", "the table is empty")
    return CodeSet(name, concepts, tokens)


def _opened(where: str, row: Mapping[str, str]) -> Concept:
    """The concept that a first line opens, still without codings."""
    token = row["code"]
    labels = {language: row[language] for language in LANGUAGES}
    _require(TOKEN.fullmatch(token) is not None, where, f"the token {token!r} is not in kebab-case")
    _require(all(labels.values()), where, f"{token!r} lacks a label")
    _require(row["relation"] == "equivalent", where, f"the first coding of {token!r} must be equivalent")
    return Concept(token, MappingProxyType(labels), ())


def _coding(where: str, row: Mapping[str, str], concept: Concept) -> Coding:
    """The coding of a line, which its concept must not have yet."""
    _require(row["system"] in SYSTEMS, where, f"unknown system {row['system']!r}")
    _require(row["relation"] in RELATIONS, where, f"unknown relation {row['relation']!r}")
    _require(bool(row["value"]), where, "no value")
    _require(bool(row["source"]), where, "no source")
    coding = Coding(SYSTEMS[row["system"]], row["value"], row["display"])
    known = {(other.system, other.code) for other in concept.codings}
    _require((coding.system, coding.code) not in known, where, f"{coding.code} stands here twice")
    if coding.system == LOCAL:
        ours = (Coding(LOCAL, concept.code, concept.labels["en"]), "equivalent")
        _require((coding, row["relation"]) == ours, where, "a local coding is the token, its English label")
    return coding


def read_issue_codes(text: str, contraindications: CodeSet) -> dict[str, str]:
    """Read the table of issue codes; it must name every contraindication once.

    :raises MesofhirError: with file and, where there is one, line
    """
    issues: dict[str, str] = {}
    for where, row in _rows("issues.csv", text, ["code", "value"]):
        token, value = row["code"], row["value"]
        _require(token in contraindications, where, f"unknown contraindication {token!r}")
        _require(token not in issues, where, f"{token!r} occurs twice")
        _require(value in _ISSUE_CODES, where, f"unknown issue code {value!r}")
        issues[token] = value
    missing = [token for token in contraindications if token not in issues]
    _require(not missing, "issues.csv", f"no issue code for {', '.join(missing)}")
    return issues


def _rows(file: str, text: str, columns: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line of a table and where it stands; no cell is missing, surplus or padded.

    :raises MesofhirError: with file and line
    """
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{file}, line {number}"
        try:
            cells = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise MesofhirError(f"{where}: {error}") from error
        if number == 1:
            _require(cells == columns, where, f"the heading must be {','.join(columns)}")
            continue
        _require(len(cells) == len(columns), where, f"{len(cells)} cells, expected {len(columns)}")
        _require(all(cell == cell.strip() for cell in cells), where, "blanks around a cell")
        yield where, dict(zip(columns, cells, strict=True))


def _require(condition: bool, where: str, what: str) -> None:
    if not condition:
        raise MesofhirError(f"{where}: {what}")

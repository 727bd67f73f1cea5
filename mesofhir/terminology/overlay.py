"""A clinic's own words and codes, beside ours: a CSV file that ``mesofhir.toml`` names.

::

    set,code,it,en,system,value,display,relation
    sites,plantar-fascia,Fascia plantare,Plantar fascia,https://clinic.example/codes/sites,PF,,equivalent
    sites,plantar-fascia,,,sct,56459004,Foot structure,broader
    conditions,low-back-pain,,,https://clinic.example/codes/diagnoses,LBP-1,,equivalent

The columns are those of our tables, and the set. A line of a word that the set does not have yet opens it: with both
labels, and a code that means just that. A line of a word that is there adds a code to it: written beside the others,
and read back as the word where it is ``equivalent``. Nothing of ours can be redefined: no label, no code that means
something already. ``system`` is a URI, or one of our short words for a standard.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mesofhir.errors import UsageError
from mesofhir.terminology import BASE, LANGUAGES, CodeSet, Coding, Concept, Terminology, code_set, code_sets
from mesofhir.terminology.systems import SYSTEMS, canonical
from mesofhir.terminology.tables import RELATIONS, TOKEN

COLUMNS: Final = ("set", "code", "it", "en", "system", "value", "display", "relation")
EXTENSIBLE: Final = (
    "conditions", "instructions", "outcomes", "professions", "reactions", "red_flags", "sites", "status_reasons",
    "substances", "techniques", "therapies",
)  # fmt: skip
"""The sets whose fields also take a code of anybody's; the others are closed, since profiles and rules rest on them."""
_STANDARDS: Final = {word: uri for word, uri in SYSTEMS.items() if word != "local"}
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s|]+")
_CODE: Final = re.compile(r"[^\s|]+( [^\s|]+)*")


def read_overlay(path: Path) -> Terminology:
    """Our terminology with what a file adds.

    :raises UsageError: the file cannot be read, or says what it may not; with file and line
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: the terminology cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the terminology is not UTF-8") from None
    sets: dict[str, _Set] = {}
    for where, row in _rows(path, text):
        if row["set"] in code_sets() and row["set"] not in EXTENSIBLE:
            raise _wrong(where, f"the set {row['set']!r} is closed", f"one of {', '.join(EXTENSIBLE)}")
        if row["set"] not in EXTENSIBLE:
            raise _wrong(where, f"no set {row['set']!r}", _hint(row["set"], EXTENSIBLE))
        sets.setdefault(row["set"], _Set(code_set(row["set"]))).add(where, row)
    return Terminology({name: one.whole() for name, one in sets.items()})


class _Set:
    """A set of ours, and what the file adds to it."""

    def __init__(self, ours: CodeSet) -> None:
        self.ours = ours
        self.concepts: dict[str, Concept] = {}
        self.tokens: dict[tuple[str, str], str] = {}
        self.labels = {(lang, ours.label(t, lang).casefold()): t for t in ours for lang in LANGUAGES}

    def whole(self) -> CodeSet:
        return self.ours.with_more(self.concepts, self.tokens)

    def add(self, where: str, row: Mapping[str, str]) -> None:
        """One line.

        :raises UsageError: with the reason
        """
        token, relation = row["code"], row["relation"]
        coding = Coding(_system(where, row["system"]), row["value"], row["display"])
        if not _CODE.fullmatch(coding.code):
            raise _wrong(where, "no code in `value`", "a code without `|` and without blanks but single ones inside")
        if relation not in RELATIONS:
            raise _wrong(where, f"unknown relation {relation!r}", _hint(relation, RELATIONS))
        concept = self._known(token)
        if concept is None:
            concept = self._opened(where, row)
        elif row["it"] or row["en"]:
            owner = "of ours" if token in self.ours else "of an earlier line"
            raise _wrong(where, f"{token!r} is a word {owner} and has its labels", "`it` and `en` left empty")
        if any((c.system, c.code) == coding[:2] for c in concept.codings):
            raise _wrong(where, f"{token!r} has this code already", "each code of a word once")
        if relation == "equivalent":
            owner_ = self.ours.token_of(*coding[:2]) or self.tokens.setdefault(coding[:2], token)
            if owner_ != token:
                raise _wrong(where, f"the code means {owner_!r} already", "a code of your own, or another relation")
        self.concepts[token] = Concept(token, concept.labels, (*concept.codings, coding))

    def _known(self, token: str) -> Concept | None:
        if token in self.ours and token not in self.concepts:
            return self.ours[token]
        return self.concepts.get(token)

    def _opened(self, where: str, row: Mapping[str, str]) -> Concept:
        """A word that is not there yet."""
        token = row["code"]
        if not TOKEN.fullmatch(token):
            raise _wrong(where, "no word in `code`", "small letters and digits, joined by hyphens (plantar-fascia)")
        if not (row["it"] and row["en"]):
            near = get_close_matches(token, self.ours, 1, 0.7)
            hint = f" (or did you mean {near[0]!r} of ours?)" if near else ""
            raise _wrong(where, f"{token!r} is new and lacks a label", "`it` and `en`" + hint)
        for lang in LANGUAGES:
            other = self.labels.setdefault((lang, row[lang].casefold()), token)
            if other != token:
                raise _wrong(where, f"{other!r} has the same label in `{lang}`", "a label of its own")
        if row["relation"] != "equivalent":
            raise _wrong(where, f"the first code of {token!r} only stands near it", "an equivalent one first")
        return Concept(token, MappingProxyType({lang: row[lang] for lang in LANGUAGES}), ())


def _system(where: str, said: str) -> str:
    if said in _STANDARDS:
        return _STANDARDS[said]
    if said == "local" or said.startswith(BASE):
        raise _wrong(where, "mesofhir's own code system", "a system of your own, or a standard one")
    if not _URI.fullmatch(said):
        raise _wrong(where, "no system", f"an absolute URI, or one of {', '.join(_STANDARDS)}")
    return canonical(said)


def _rows(path: Path, text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line and where it stands; separated by commas or semicolons, as the heading is."""
    lines = text.splitlines()
    delimiter = ";" if lines and ";" in lines[0] else ","
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    heading: list[str] | None = None
    try:
        for cells in reader:
            where, stripped = f"{path}, line {reader.line_num}", [cell.strip() for cell in cells]
            if heading is None:
                heading = stripped
                if sorted(heading) != sorted(COLUMNS):
                    raise _wrong(where, "not the heading of a terminology", delimiter.join(COLUMNS))
            elif not any(stripped):
                continue
            elif len(cells) != len(heading):
                raise _wrong(where, f"{len(cells)} cells", f"{len(heading)}")
            else:
                yield where, dict(zip(heading, stripped, strict=True))
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: not CSV: {error}") from None
    if heading is None:
        raise UsageError(f"{path}: the terminology is empty; expected a heading {','.join(COLUMNS)}")


def _hint(said: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(said, known, 1, 0.5)
    return f"{near[0]}?" if near else f"one of {', '.join(known)}"


def _wrong(where: str, what: str, expected: str) -> UsageError:
    return UsageError(f"{where}: {what}; expected {expected}")

"""FSH made of the code tables (`mesofhir/terminology/*.csv`): aliases, the code system, a value set for each table.

Nothing of this is written by hand or committed as FSH: the tables are the truth (a code, its display, our Italian
and English label), and the compiled package shows what came of them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from mesofhir import terminology as t

ALIASES: Final = {
    "$local": t.LOCAL,
    "$sct": t.SCT,
    "$icd10": t.ICD10,
    "$icd9": t.ICD9,
    "$atc": t.ATC,
    "$cnp": t.CNP,
    "$loinc": t.LOINC,
    "$ucum": t.UCUM,
    "$route": t.ROUTE,
    "$actcode": t.ACT_CODE,
    "$actreason": t.ACT_REASON,
}
"""The systems that the sources name."""

TITLES: Final = Path(__file__).with_name("titles.csv")
"""What people call each value set, in English and Italian, and what is in it. `kinds` are constants: no value set."""

Lines = Iterator[str]


def fsh() -> dict[str, str]:
    """File name → FSH, of all that the tables give."""
    out = {"AL_Systems.fsh": "\n".join(_aliases()), "CS_Mesotherapy.fsh": "\n".join(_code_system())}
    for name in t.code_sets():
        if name != "kinds":
            out[f"VS_{_name(name)}.fsh"] = "\n".join(_value_set(name))
    out["VS_IssueCodes.fsh"] = "\n".join(_issue_codes())
    out["VS_ContraindicationKinds.fsh"] = "\n".join(_kinds_of_contraindication())
    return {name: text + "\n" for name, text in out.items()}


def local_codes() -> Mapping[str, t.Concept]:
    """The codes of our own system: what no standard has, and the names of the contraindications.

    :raises ValueError: two tables label one code differently
    """
    found: dict[str, t.Concept] = {}
    for name in t.code_sets():
        codes = t.code_set(name)
        for token in codes:
            concept = codes[token]
            ours = any(c.system == t.LOCAL for c in concept.codings)
            if (ours or name == "contraindications") and found.setdefault(token, concept).labels != concept.labels:
                raise ValueError(f"{name}.csv: {token!r} has other labels in another table")
    return dict(sorted(found.items()))


def _aliases() -> Lines:
    yield "// The code systems, as mesofhir/terminology names them."
    for alias, url in ALIASES.items():
        yield f"Alias: {alias} = {url}"


def _code_system() -> Lines:
    yield from (
        "CodeSystem: Mesotherapy",
        "Id: mesotherapy",
        'Title: "Codes of mesotherapy"',
        'Description: "What no standard code system names: the kinds of plans and procedures of mesotherapy, its'
        " phases, purposes and techniques, and sites, drugs, reactions and instructions for which no freely usable"
        ' code was found. A code is never given another meaning; one that is no longer used is retired."',
        "* insert Italian([[Codici della mesoterapia]])",
        "* ^caseSensitive = true",
        "* ^content = #complete",
        '* ^copyright = "mesofhir, Apache-2.0"',
    )
    for code, concept in local_codes().items():
        yield f"* #{code} {_quoted(concept.labels['en'])}"
        yield from _italian(f"#{code}", concept)


def _value_set(name: str) -> Lines:
    """All codings that stand for the words of a table, the broader ones that are written beside them too: HAPI
    wants every coding of a concept to be in the value set that it is bound to."""
    codes = t.code_set(name)
    written = {(c.system, c.code): c for token in codes for c in codes[token].codings}
    yield from _heading(name, {system for system, _ in written})
    for pair, coding in written.items():
        code = f"{_alias(coding.system)}#{coding.code}"
        yield f"* {code}" + (f" {_quoted(coding.display)}" if coding.display else "")
        if token := codes.token_of(*pair):  # a broader code has no label of ours
            yield from _italian(code, codes[token])


def _issue_codes() -> Lines:
    yield "ValueSet: IssueCodes"
    yield "Id: issue-codes"
    yield 'Title: "Kinds of detected issues"'
    yield 'Description: "The codes of HL7 under which a contraindication to mesotherapy is a DetectedIssue."'
    yield "* insert Italian([[Tipi di problemi rilevati]])"
    for code in sorted(set(t.issue_codes().values())):
        yield f"* $actcode#{code}"


def _kinds_of_contraindication() -> Lines:
    yield "ValueSet: ContraindicationKinds"
    yield "Id: contraindication-kinds"
    yield 'Title: "Kinds of contraindications"'
    yield 'Description: "What was found, by mesofhir\'s own names; the evidence carries the standard codes."'
    yield "* insert Italian([[Tipi di controindicazioni]])"
    codes = t.code_set("contraindications")
    for token in codes:
        yield f"* $local#{token} {_quoted(codes.label(token, 'en'))}"
        yield from _italian(f"$local#{token}", codes[token])


def _heading(name: str, systems: set[str]) -> Lines:
    title = _titles()[name]
    yield f"ValueSet: {_name(name)}"
    yield f"Id: {value_set_id(name)}"
    yield f"Title: {_quoted(title['en'])}"
    yield f"Description: {_quoted(title['description'] + ' Labels in Italian are of mesofhir.')}"
    yield f"* insert Italian([[{title['it']}]])"
    if notices := list(_notices(systems)):
        yield f"* ^copyright = {_quoted(' '.join(notices))}"


@cache
def _titles() -> Mapping[str, Mapping[str, str]]:
    with TITLES.open(encoding="utf-8", newline="") as lines:
        return {line["table"]: line for line in csv.DictReader(lines)}


def value_set_id(name: str) -> str:
    """The id of the value set of a table."""
    return name.replace("_", "-")


def _name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _alias(system: str) -> str:
    return next(alias for alias, url in ALIASES.items() if url == system)


def _italian(code: str, concept: t.Concept) -> Lines:
    yield f"* {code} ^designation[0].language = #it"
    yield f"* {code} ^designation[0].value = {_quoted(concept.labels['it'])}"


def _notices(systems: Iterable[str]) -> Iterator[str]:
    """The notices that the owners of the systems ask for, from NOTICE.md: the first paragraph of each section."""
    sections = re.split(r"^## ", files(t).joinpath("NOTICE.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    heads = {
        t.SCT: "SNOMED CT",
        t.ATC: "ATC",
        t.LOINC: "LOINC",
        t.ICD10: "ICD-10 and ICD-9-CM",
        t.ICD9: "ICD-10 and ICD-9-CM",
        t.CNP: "Catalogo nazionale delle prestazioni",
        t.ROUTE: "HL7",
        t.ACT_REASON: "HL7",
    }
    for head in sorted({heads[s] for s in systems if s in heads}):
        section = next(s for s in sections if s.startswith(head))
        paragraphs = section.split("\n\n")[1:]
        yield " ".join(paragraphs[0].split())
        if head == "SNOMED CT":
            yield " ".join(paragraphs[1].split())


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

"""What a person reads of a record: the narrative of its resources, and the title by which others name it.

The narrative repeats what the row states and adds nothing (clinical model, decision 18: no fact lives only
here). FHIR R4, 2.4: one ``div`` of XHTML, never empty, with the basic formatting and no active content. Here
that is ``p``, ``b``, ``ul`` and ``li``, without attributes; all else is escaped.

Which columns make a line, and in which words, is settled once for each table and language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from mesofhir.fhir.picture import UNKNOWN
from mesofhir.mapping.wording import TAG, escaped, one_line, written_date, written_number
from mesofhir.mapping.words import word
from mesofhir.records import model
from mesofhir.records.tables import TABLES, Column, Table
from mesofhir.terminology import ATC, ICD9, ICD10, LOINC, OURS, SCT, Terminology

Row = Mapping[str, Any]
Resolve = Callable[[str, str], str]  # table, key → what to call that record
Show = Callable[[Row, Resolve], str | None]  # what a row says, as plain text; None: nothing
Line = Callable[[Row, Resolve], str]  # the same as XHTML; "": nothing

ID: Final = "mesofhir"
SIGNATURE: Final = re.compile(rf"{ID}-([0-9a-f]{{24}})((?:\.[=^/\w-]+)*)")
"""The element id of a narrative that is signed: see :mod:`mesofhir.mapping.saying`."""
TITLE_LENGTH: Final = 200


def narrative(table: str, row: Row, language: str, resolve: Resolve, codes: Terminology = OURS) -> dict[str, str]:
    """The FHIR Narrative of a row.

    :param table: its table
    :param language: ``it`` or ``en``
    :param resolve: what to call the record of a table under a key, see :func:`title`
    :param codes: whose labels are shown
    :raises KeyError: if there is no such table or language
    """
    return {"id": ID, "status": "generated", "div": _book(table, Tongue(language, codes)).div(row, resolve)}


def is_generated(name: Any) -> bool:
    """Is it the element id of a narrative that we made of a record, signed or not?"""
    return name == ID or (isinstance(name, str) and SIGNATURE.fullmatch(name) is not None)


def title(table: str, row: Row, language: str, codes: Terminology = OURS) -> str:
    """What to call a record where another one refers to it: *Seduta 2, 04/03/2026*, *Lombalgia*.

    One line without markup, never empty, at most :data:`TITLE_LENGTH` characters.

    :raises KeyError: if there is no such table or language
    """
    text = TAG.sub("‹", one_line(_book(table, Tongue(language, codes)).title(row)))
    return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1].rstrip() + "…"


# --- what a title is made of

_DATES: Final = {
    "conditions": ("onset",),
    "allergies": ("recorded", "onset"),
    "exclusions": ("asked",),
    "findings": ("found", "since"),
    "medicines": ("since",),
    "consents": ("signed",),
    "cycles": ("start",),
    "sessions": ("start", "planned_start"),
    "effects": ("onset",),
    "scores": ("taken",),
    "aftercares": ("start",),
    "continuations": ("start",),
    "therapies": ("start",),
    "goals": ("start",),
}
"""Which date a table is known by: the first that is stated."""

_NAMES: Final = {
    "conditions": ("", "condition"),
    "medicines": ("", "medicine"),
    "effects": ("", "effect"),
    "instructions": ("", "instruction", "text"),
    "continuations": ("", "phase"),
    "therapies": ("", "therapy"),
    "allergies": (": ", "substance"),
    "exclusions": (": ", "kind"),
    "findings": (": ", "kind"),
    "mixtures": (": ", "name", "drugs"),
    "goals": (": ", "text"),
    "cycles": (", ", "site"),
}
"""What joins the word of the table and a record's name ("": the name alone), and where the name stands."""

_PEOPLE: Final = ("patients", "practitioners")


class Tongue(NamedTuple):
    """In which words something reads.

    :param language: ``it`` or ``en``
    :param codes: whose labels codes have
    """

    language: str
    codes: Terminology


class _Book:
    """How the rows of a table read in a language."""

    def __init__(self, table: Table, tongue: Tongue) -> None:
        self.table = table
        self.language = tongue.language
        self.word = word("table", table.name, self.language)
        self.columns = _stated(table)
        self.lines = [_line_of(table, c, tongue) for c in self.columns.values()]
        self.names = {n: _name_of(table, table.columns[n], tongue) for n in _NAMES.get(table.name, ())[1:]}

    def div(self, row: Row, resolve: Resolve) -> str:
        row = _with_unknown(row)
        items = "".join([line(row, resolve) for line in self.lines])
        items = f"<ul>{items}</ul>" if items else ""
        heading = escaped(self.heading(row, clock=True))
        named = f'xmlns="http://www.w3.org/1999/xhtml" lang="{self.language}" xml:lang="{self.language}"'
        return f"<div {named}><p><b>{heading}</b></p>{items}</div>"

    def heading(self, row: Row, *, clock: bool) -> str:
        """The word of the table, with what counts or dates the record.

        :param clock: with the time of day
        """
        text = self.word
        if isinstance(number := row.get("number"), int) and "number" in self.table.columns:
            text += f" {number}"
        if self.table.name == "scores" and isinstance(score := row.get("value"), Decimal | int):
            scale = row.get("scale")
            text += f" {scale.upper()}" if isinstance(scale, str) else ""
            text += f" {written_number(score, self.language)}"
        for name in _DATES.get(self.table.name, ()):
            if isinstance(date := row.get(name), str):
                return f"{text}, {written_date(date, self.language, clock=clock)}"
        return text

    def title(self, row: Row) -> str:
        if self.table.name in _PEOPLE:
            given = row.get("given")
            names = [row.get("family"), *(given if isinstance(given, list) else [])]
            return one_line(" ".join(n for n in names if isinstance(n, str))) or self.word
        joint = _NAMES.get(self.table.name, ("",))[0]
        for show in self.names.values():
            if name := one_line(show(row, _no_name) or ""):
                return self.word + joint + name if joint else name
        return self.heading(row, clock=False)


@lru_cache(512)
def _book(table: str, tongue: Tongue) -> _Book:
    return _Book(TABLES[table], tongue)


def _stated(table: Table) -> dict[str, Column]:
    """The columns that a person is shown."""
    return {n: c for n, c in table.columns.items() if n not in ("key", "unknown")}


def _with_unknown(row: Row) -> Row:
    """The row with ``UNKNOWN`` in each field that it names as unknown and does not state."""
    names = row.get("unknown")
    if not isinstance(names, list):
        return row
    return {**row, **{n: UNKNOWN for n in names if row.get(n) is None}}


def _no_name(table: str, key: str) -> str:
    return ""


def _name_of(table: Table, column: Column, tongue: Tongue) -> Show:
    """How a column reads in a title: a code by its label alone, drugs by their names; an unknown one not at
    all."""
    name = column.name
    show = _show_of(table, column, tongue, brief=True)
    if column.values:
        part = next(iter(column.values.columns.values()))
        lead = _show_of(column.values, part, tongue, brief=True)

        def show(row: Row, resolve: Resolve) -> str | None:
            values = row.get(name)
            names = [lead(v, resolve) for v in values] if isinstance(values, list) else []
            return ", ".join(n for n in names if n)

    return show


# --- a line for each field


def _line_of(table: Table, column: Column, tongue: Tongue) -> Line:
    label = escaped(word("field", f"{table.name}.{column.name}", tongue.language))
    if column.values:
        return _lines_of_values(label, column.name, column.values, tongue)
    show = _show_of(table, column, tongue)

    def line(row: Row, resolve: Resolve) -> str:
        text = show(row, resolve)
        return f"<li>{label}: {escaped(text)}</li>" if text else ""

    return line


def _lines_of_values(label: str, name: str, values: Table, tongue: Tongue) -> Line:
    """A list in the list: one line for each value, led by what it is of."""
    not_known = word("phrase", "not-known", tongue.language)
    parts = []
    for i, c in enumerate(values.columns.values()):
        mark = "" if i == 0 and c.codes else word("field", f"{values.name}.{c.name}", tongue.language) + ": "
        parts.append((mark, mark[:1].lower() + mark[1:], _show_of(values, c, tongue)))

    def value_line(value: Row, resolve: Resolve) -> str:
        said: list[str] = []
        for first, later, show in parts:
            if text := show(value, resolve):
                said.append((later if said else first) + text)
        return f"<li>{escaped('; '.join(said))}</li>" if said else ""

    def line(row: Row, resolve: Resolve) -> str:
        value = row.get(name)
        if value is UNKNOWN:
            return f"<li>{label}: {not_known}</li>"
        inside = "".join([value_line(v, resolve) for v in value]) if isinstance(value, list) else ""
        return f"<li>{label}:<ul>{inside}</ul></li>" if inside else ""

    return line


def _show_of(table: Table, column: Column, tongue: Tongue, *, brief: bool = False) -> Show:
    """How a column reads; None where a neighbour says it too (a text beside its code, the unit of a number).

    :param brief: a code by its label or its text, not both; nothing for what is not known
    """
    name, columns, language = column.name, table.columns, tongue.language
    not_known = None if brief else word("phrase", "not-known", language)
    if column.codes:
        return _coded(column, f"{name}_text" if f"{name}_text" in columns else "", tongue, brief, not_known)
    if column.kind in ("number", "integer"):
        return _measured(table, column, language, not_known)
    if name.endswith("_unit"):
        told_by = name.removesuffix("_unit")
    elif name.endswith("_text") and (code := columns.get(name.removesuffix("_text"))) and code.codes:
        told_by = ""
    else:
        told_by = None
    plain = _plain(table, column, language)

    def show(row: Row, resolve: Resolve) -> str | None:
        value = row.get(name)
        if value is None or value == []:
            return None
        if value is UNKNOWN:
            return not_known
        if told_by is not None and (not told_by or _is(row.get(told_by))):
            return None
        return plain(value, resolve)

    return show


def _is(value: Any) -> bool:
    """Is it stated?"""
    return value is not None and value is not UNKNOWN


def _plain(table: Table, column: Column, language: str) -> Callable[[Any, Resolve], str]:
    """How a value that stands for itself reads."""
    name, to = column.name, column.to
    if column.kind == "boolean":
        yes, no = word("phrase", "yes", language), word("phrase", "no", language)
        return lambda value, resolve: yes if value is True else no if value is False else str(value)
    if column.kind == "choice":
        words = {c: word("choice", f"{table.name}.{name}.{c}", language) for c in column.choices}
        return lambda value, resolve: words.get(value) or str(value)
    if to:
        other = word("table", to, language)
        if column.kind == "words":
            return lambda value, resolve: "; ".join([resolve(to, key) or other for key in value])
        return lambda value, resolve: resolve(to, value) or other
    if name == "moved_from":  # the model's one list of dates
        return lambda value, resolve: "; ".join([written_date(v, language) for v in value])
    if column.kind == "words":
        return lambda value, resolve: " ".join(value)  # given names
    if column.pattern in (model.DATE_PATTERN, model.TIME_PATTERN):
        return lambda value, resolve: written_date(value, language)
    return lambda value, resolve: str(value)


def _coded(column: Column, text_name: str, tongue: Tongue, brief: bool, not_known: str | None) -> Show:
    """A code by its label, with the clinic's own words in brackets, or these alone; a code that is not in our
    tables by itself, beside those words."""
    name, codes = column.name, tongue.codes[column.codes]
    labels = {token: codes.label(token, tongue.language) for token in codes}

    def show(row: Row, resolve: Resolve) -> str | None:
        code, text = row.get(name), row.get(text_name)
        words = text if isinstance(text, str) and text.strip() else ""
        if code is None:
            return words or None
        if code is UNKNOWN:
            return f"{not_known} ({words})" if not_known and words else not_known or words or None
        label = labels.get(code)
        if brief:
            return label or words or _code(code)
        if label is None:
            return f"{words} ({_code(code)})" if words else _code(code)
        return f"{label} ({words})" if words and words != label else label

    return show


_SHORT: Final = {SCT: "SNOMED CT", ICD10: "ICD-10", ICD9: "ICD-9-CM", ATC: "ATC", LOINC: "LOINC"}


def _code(value: Any) -> str:
    """``system|code`` as people write it, where they have a name for the system."""
    system, bar, code = str(value).rpartition("|")
    return f"{_SHORT[system]} {code}" if bar and system in _SHORT else str(value)


def _measured(table: Table, column: Column, language: str, not_known: str | None) -> Show:
    """A number with its unit; the least and the most of a range as one (*4–6*)."""
    name, columns = column.name, table.columns
    base = name.removesuffix("_max").removesuffix("_min")
    least = next((n for n in (base, f"{base}_min") if n in columns), name)
    most = f"{base}_max" if f"{base}_max" in columns else ""
    unit_name = f"{base}_unit" if f"{base}_unit" in columns else ""
    fixed = "" if column.unit.startswith("{") else column.unit  # UCUM: what stands in braces is no unit
    units = columns[unit_name].choices if unit_name else (fixed,) if fixed else ()
    of = f"{table.name}.{unit_name or name}"
    many = {u: word("choice", f"{of}.{u}", language) for u in units}
    one = {u: word("one", f"{of}.{u}", language) for u in units}

    def show(row: Row, resolve: Resolve) -> str | None:
        value = last = row.get(name)
        if value is None:
            return None
        if value is UNKNOWN:
            return not_known
        text = written_number(value, language)
        if most:
            low, high = row.get(least), row.get(most)
            if _is(low) and _is(high):
                if name == most:
                    return None
                last = high
                text = text if high == low else f"{text}–{written_number(high, language)}"
        unit = row.get(unit_name) if unit_name else fixed
        if not unit or unit is UNKNOWN:
            return text
        return f"{text} {(one if last == 1 else many).get(unit) or unit}"

    return show

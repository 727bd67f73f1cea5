"""The JSON Schema of a treatment history, for those who write one (JSON Schema 2020-12).

Made from the model: msgspec gives the structure, the columns give codes, units and references. What a JSON
Schema cannot say, and :mod:`~mesofhir.records.checks` or the mapping demand all the same, stands in the
descriptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mesofhir.records import checks, model
from mesofhir.records.tables import PATIENTS, TABLES, Column, Table
from mesofhir.terminology import BASE, OURS, Terminology

Schema = dict[str, Any]

_WHOLE: Final = """\
What a clinic hands to mesofhir: one patient's mesotherapy treatment history.

A property that is absent is not stated: what a server has stays. `null`, or `[]` for a list, is
cleared: a push removes it. A name in `unknown`, whose field is then absent, says that its value is
not known.

Keyed lists are sets: their order says nothing, and a record that is left out is not deleted;
`entered-in-error` withdraws one. A key is unique in its table, across the cycles of a history (the
`sessions` of all of them) and across the histories of a clinic. A reference (`x-references`) is a
key of that table in the same history.

Dates are as precise as the clinic knows, and are days of the calendar; no period ends before it
starts, no range before its least. Numbers keep their digits (`0.50`), at most 18 of them. Units are
UCUM: `x-ucum`, or the field of that name with `_unit`. `<field>_text` is the clinic's own wording
of a code, beside it or instead."""
_RULES: Final = {
    "practitioners": "Only those that the history names; others are left out, with a warning.",
    "conditions": "Withdrawn, it has no `certainty`. An end (`resolved`) goes with a status that fits it.",
    "allergies": "Withdrawn, it has no `certainty`.",
    "findings": """`finding_text` has no place for `drug-allergy` and `anticoagulant`; `medicine` and
`medicine_text` only for `anticoagulant`; `allergy` only for `drug-allergy`.""",
    "cycles": """One that is only planned has no `reason`, `outcome`, wordings of them or `sessions_done`,
and no session that is more than planned.""",
    "sessions": """`planned`: only `number`, `planned_start`, `planned_end`, `moved_from`, site and side,
`performer`, `place` and `note`. `not-done`: these, `reason`, `reason_text` and `follow_up`. Mixtures and
effects only in one that took place.""",
    "scores": "`session` names one that is not just planned.",
}
"""What the mapping and the checks demand of a record, beyond what its schema says."""


def json_schema(codes: Terminology = OURS) -> Schema:
    """The schema of one history; its keywords ``x-…`` are for tools and people.

    :param codes: the words that hold at the clinic
    """
    made = msgspec.json.schema(model.TreatmentHistory)
    tables = dict(_structs())
    definitions = {name: _struct(tables[name], made["$defs"][name], codes) for name in tables}
    root = TABLES[PATIENTS].struct.__name__
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{BASE}/schema/treatment-history.json",
        "title": "Mesotherapy treatment history",
        "description": _WHOLE,
        "$ref": f"#/$defs/{root}",
        "$defs": definitions,
    }


def _structs() -> Iterator[tuple[str, Table]]:
    """The records, and the values in their lists, by the name of their struct."""
    for table in TABLES.values():
        yield table.struct.__name__, table
        for column in table.columns.values():
            if column.values:
                yield column.values.struct.__name__, column.values


def _struct(table: Table, made: Schema, codes: Terminology) -> Schema:
    about = f"{table.description} {_RULES.get(table.name, '')}"
    schema = made | {"description": " ".join(about.split())}
    schema["properties"] = {
        name: _children(name, property_) if name in table.children else _property(table, name, property_, codes)
        for name, property_ in sorted(made["properties"].items(), key=lambda p: p[0] != "key")
    }
    columns = table.columns.values()
    needing = [c for c in columns if c.needs]
    if "key" not in table.columns:
        rules: Schema = {
            "minProperties": 1,
            "dependentRequired": {c.name: [c.needs] for c in needing},
            "allOf": [{"anyOf": [_states(c.name), _states(f"{c.name}_text")]} for c in columns if c.must],
        }
    else:
        rules = {
            "dependentSchemas": {c.name: _needs(c) for c in needing},
            "allOf": [
                *[_must(table, c) for c in columns if c.must],
                *[_unknown_needs(c) for c in needing if not c.needs.endswith("_unit")],
                *_STATUS.get(table.name, ()),
            ],
        }
    return schema | {keyword: rule for keyword, rule in rules.items() if rule}


def _children(name: str, made: Schema) -> Schema:
    return {k: v for k, v in made.items() if k != "default"} | {"x-table": name}


def _property(table: Table, name: str, made: Schema, codes: Terminology) -> Schema:
    column = table.columns[name]
    schema = {"description": made["description"]}
    forms = [_form(column, f) for f in made.get("anyOf", [made])]
    if column.codes:
        null = [f for f in forms if f == _NULL]
        schema |= {"anyOf": [*_codes(column, codes), *null], "x-code-set": column.codes}
    elif len(forms) > 1:
        schema["anyOf"] = forms
    else:
        schema |= forms[0]
    if name == "unknown":
        schema["items"] = {"enum": [c.name for c in table.columns.values() if c.may_be_unknown]}
        schema["uniqueItems"] = True
    if column.to:
        schema["x-references"] = column.to
        if column.kind == "words":
            schema["uniqueItems"] = True
    if column.unit:
        schema["x-ucum"] = column.unit
    return schema


_NULL: Final = {"type": "null"}


def _form(column: Column, made: Schema) -> Schema:
    """One of the forms of a value: numbers as numbers, patterns as ECMA-262 writes them."""
    form = {k: v for k, v in made.items() if k != "description"}
    if column.kind == "number" and form != _NULL:
        form["type"] = "number"
        form.pop("format", None)
        if column.most:
            form["maximum"] = column.most
    if "pattern" in form:
        form["pattern"] = _ecma(form["pattern"])
    if "items" in form:
        form["items"] = _form(column, form["items"])
    return form


def _ecma(pattern: str) -> str:
    """Python's ``\\Z`` is JavaScript's ``$``."""
    return pattern.replace(r"\Z", "$")


def _codes(column: Column, codes: Terminology) -> Iterator[Schema]:
    yield {"enum": list(codes[column.codes])}
    if column.open:
        yield {
            "description": "`system|code`, for a code that has no word of ours.",
            "type": "string",
            "pattern": f"^{checks.OPEN.pattern}$",
        }
    if column.codes == "protocols":
        yield {
            "description": "The canonical URL of a protocol that is not ours.",
            "type": "string",
            "pattern": f"^{checks.CANONICAL.pattern}$",
        }


# --- what fields demand of each other -----------------------------------------------------------------------


def _states(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"not": _NULL}}}


def _not_known(name: str) -> Schema:
    return {"required": ["unknown"], "properties": {"unknown": {"contains": {"const": name}}}}


def _said(name: str) -> list[Schema]:
    return [_states(name), _not_known(name)]


def _needs(column: Column) -> Schema:
    """A stated field needs another one, stated or unknown."""
    cleared = {"properties": {column.name: _NULL}}
    return {"anyOf": [cleared, *_said(column.needs)]}


def _unknown_needs(column: Column) -> Schema:
    """So does an unknown one."""
    return {"if": _not_known(column.name), "then": {"anyOf": _said(column.needs)}}


def _must(table: Table, column: Column) -> Schema:
    """Stated, in the clinic's own words at least, or unknown."""
    names = [name for name in (column.name, f"{column.name}_text") if name in table.columns]
    return {"anyOf": [*map(_states, names), _not_known(column.name)]}


def _if_status(words: list[str], then: Schema) -> Schema:
    return {"if": {"required": ["status"], "properties": {"status": {"enum": words}}}, "then": then}


_STATUS: Final = {
    "conditions": [
        {
            "if": {"anyOf": [_states("resolved"), _not_known("resolved")]},
            "then": {"required": ["status"], "properties": {"status": {"enum": sorted(checks.ENDED)}}},
        }
    ],
    "cycles": [
        _if_status(
            ["planned"],
            {
                "properties": {
                    "sessions": {"items": {"properties": {"status": {"enum": ["planned", "entered-in-error"]}}}}
                }
            },
        )
    ],
    "findings": [
        {
            "if": {"properties": {"kind": {"const": "anticoagulant"}}},
            "then": {"anyOf": [_states("medicine"), _states("medicine_text"), _not_known("medicine")]},
        }
    ],
    "sessions": [
        _if_status(
            ["planned", "not-done"],
            {"properties": {name: {"maxItems": 0} for name in TABLES["sessions"].children}},
        )
    ],
}

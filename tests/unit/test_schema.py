"""The JSON Schema says what the model, the code sets and the checks say, to whoever has nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mesofhir.records import TABLES, decode, faults
from mesofhir.records.schema import json_schema
from mesofhir.records.tables import Column
from mesofhir.terminology import code_set

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def properties() -> Iterator[tuple[str, Column, dict[str, Any]]]:
    """Every property of the schema that is a column, with the name of its definition."""
    for table in TABLES.values():
        for t in (table, *(c.values for c in table.columns.values() if c.values)):
            definition = SCHEMA["$defs"][t.struct.__name__]
            assert set(definition["properties"]) == {*t.columns, *t.children}
            for column in t.columns.values():
                yield t.name, column, definition["properties"][column.name]


def inside(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object of a schema."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from inside(part)


def history(**fields: Any) -> dict[str, Any]:
    return {"key": "P", **fields}


def cycle(**fields: Any) -> dict[str, Any]:
    return history(cycles=[{"key": "C", "status": "running", **fields}])


def mixture(**fields: Any) -> dict[str, Any]:
    given = {"key": "M", "route": "intradermal", **fields}
    return cycle(sessions=[{"key": "S", "status": "done", "mixtures": [given]}])


# --- what it says of itself


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert SCHEMA["$id"] == "https://w3id.org/mesofhir/schema/treatment-history.json"
    assert json_schema() == SCHEMA


def test_everything_is_described() -> None:
    for definition in SCHEMA["$defs"].values():
        assert definition["title"]
        assert definition["description"].endswith(".")
        assert definition["additionalProperties"] is False
        for name, schema in definition["properties"].items():
            assert len(schema["description"]) > 5, name
    for word in ("`null`", "`unknown`", "entered-in-error", "unique", "x-references", "calendar", "18"):
        assert word in SCHEMA["description"]


def test_what_only_the_checks_and_the_mapping_can_refuse_is_written_where_it_applies() -> None:
    about = {name: SCHEMA["$defs"][name]["description"] for name in SCHEMA["$defs"]}
    assert "no `certainty`" in about["Condition"]
    assert "no `certainty`" in about["Allergy"]
    assert "`not-done`: these, `reason`" in about["Session"]
    assert "not just planned" in about["Score"]
    assert "`sessions_done`" in about["Cycle"]
    assert "`medicine_text` only for `anticoagulant`" in about["Finding"]


def test_every_reference_leads_to_a_definition() -> None:
    targets = {part["$ref"] for part in inside(SCHEMA) if "$ref" in part}
    assert targets == {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


def test_its_patterns_are_those_of_every_dialect() -> None:
    patterns = {part["pattern"] for part in inside(SCHEMA) if isinstance(part.get("pattern"), str)}
    assert len(patterns) == 7
    for pattern in patterns:
        re.compile(pattern)
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert not re.search(r"\\[AZzGbBpP]|\(\?[^=!:]|[*+?}]\+|\[\[|&&", pattern), pattern


# --- fields


def test_coded_fields_have_the_words_of_their_code_set() -> None:
    coded = 0
    for name, column, schema in properties():
        assert ("x-code-set" in schema) == bool(column.codes), (name, column.name)
        if column.codes:
            coded += 1
            words, *others = schema["anyOf"]
            assert words == {"enum": list(code_set(column.codes))}
            patterns = [form["pattern"] for form in others if "pattern" in form]
            assert len(patterns) == (column.open or column.codes == "protocols")
            assert ({"type": "null"} in others) == column.nullable
            assert schema["x-code-set"] == column.codes
    assert coded > 30


def test_choices_are_those_of_the_model() -> None:
    for name, column, schema in properties():
        if column.choices:
            forms = schema.get("anyOf", [schema])
            assert forms[0]["enum"] == list(column.choices), (name, column.name)
            assert ({"type": "null"} in forms) == column.nullable


def test_numbers_are_numbers() -> None:
    for _, column, schema in properties():
        if column.kind == "number":
            form = schema.get("anyOf", [schema])[0]
            assert (form["type"], form["minimum"], form.get("maximum", 0)) == ("number", 0, column.most)
            assert "format" not in form
    assert "decimal" not in str(SCHEMA)


def test_units_and_references_are_those_of_the_model() -> None:
    for _, column, schema in properties():
        assert schema.get("x-ucum", "") == column.unit
        assert schema.get("x-references", "") == column.to
        if column.to and column.kind == "words":
            assert schema["uniqueItems"] is True


def test_unknown_names_what_may_be_unknown() -> None:
    for table in TABLES.values():
        names = SCHEMA["$defs"][table.struct.__name__]["properties"]["unknown"]["items"]["enum"]
        assert names == [c.name for c in table.columns.values() if c.may_be_unknown]
        assert names


def test_synthetic_is_true_or_nothing() -> None:
    assert SCHEMA["$defs"]["TreatmentHistory"]["properties"]["synthetic"]["const"] is True


# --- histories


@pytest.mark.parametrize(
    "raw",
    [
        history(),
        history(synthetic=True, language="it", family="Rossi", given=["Anna", "M."], birth_date="1958-07"),
        history(medicines=[{"key": "M", "status": "active", "medicine": "warfarin"}]),
        history(medicines=[{"key": "M", "status": "active", "medicine_text": "Cardioaspirina"}]),
        history(medicines=[{"key": "M", "status": "active", "unknown": ["medicine", "since"]}]),
        history(conditions=[{"key": "K", "status": "resolved", "resolved": "2026-03"}]),
        history(conditions=[{"key": "K", "resolved": None, "onset": None}]),
        cycle(site="urn:oid:1.2|a b", side="left", protocol="https://clinic.example/p"),
        cycle(side=None, interval=None, interval_unit=None),
        cycle(side="left", unknown=["site"]),
        history(conditions=[{"key": "K", "status": "active", "unknown": ["onset", "site"]}]),
        mixture(volume=Decimal("0.50"), drugs=[{"substance": "lidocaine", "amount": 5, "amount_unit": "mg"}]),
        mixture(unknown=["volume"]),
    ],
)  # fmt: skip
def test_it_takes_what_we_take(raw: dict[str, Any]) -> None:
    assert faults(decode(raw)) == []
    VALIDATOR.validate(raw)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        history(famly="x"),
        history(key="a,b"),
        history(key=" a"),
        history(key="x" * 101),
        history(family=" "),
        history(family="a\0b"),
        history(birth_date="1958-7"),
        history(synthetic=False),
        history(language="de"),
        history(unknown=["language"]),
        history(unknown=["family", "family"]),
        history(medicines=[{"key": "M", "status": "active"}]),
        history(medicines=[{"key": "M", "status": "active", "medicine": None}]),
        history(conditions=[{"key": "K", "resolved": "2026"}]),
        history(conditions=[{"key": "K", "unknown": ["resolved"]}]),
        history(cycles=[{"key": "C"}]),
        history(cycles=[{"key": "C", "status": "planned", "sessions": [{"key": "S", "status": "done"}]}]),
        cycle(status="Running"),
        cycle(start="2026-03-04T10:30:00"),
        cycle(start="4.3.2026"),
        cycle(site="kneee"),
        cycle(site="urn:x|a  b"),
        cycle(purpose="urn:x|a"),
        cycle(protocol="mine"),
        cycle(side="left"),
        cycle(side="left", site=None),
        cycle(unknown=["side"]),
        cycle(unknown=["physician"]),
        cycle(interval_unit="wk"),
        cycle(interval=1),
        cycle(interval=True, interval_unit="wk"),
        cycle(interval="1", interval_unit="wk"),
        cycle(indications=["a", "a"]),
        cycle(sessions_min=0),
        cycle(sessions_min=2.5),
        cycle(sessions=None),
        cycle(sessions=[{"key": "S", "status": "planned", "effects": [{"key": "E"}]}]),
        mixture(),
        mixture(volume=None),
        mixture(volume=-1),
        mixture(volume="0.50"),
        mixture(volume=1, drugs=[{}]),
        mixture(volume=1, drugs=[{"amount": 1}]),
        mixture(volume=1, drugs=[{"substance": None}]),
    ],
)
def test_it_refuses_what_we_refuse(raw: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(raw)

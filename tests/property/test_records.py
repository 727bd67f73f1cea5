"""Histories of every kind: valid, and the same whether as a tree, as JSON or as rows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mesofhir.errors import InvalidInput
from mesofhir.fhir import exactjson
from mesofhir.records import TABLES, TreatmentHistory, decode, faults, flatten, nest, plain, sorted_by_key
from mesofhir.records.schema import json_schema
from mesofhir.records.tables import PATIENTS, SHARED, Column, Table
from tests.property.strategies import LABELS, OPEN_CODES, PROTOCOLS, clinics, codes, histories

ANY = st.one_of(histories(), histories(cleared=True))
CANARY = "Zanzara7"  # stands for a patient's data: it must never show up in a message
SCHEMA = Draft202012Validator(json_schema())


def records(tree: dict[str, Any], name: str = PATIENTS) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Every record of a plain history."""
    yield TABLES[name], tree
    for child in TABLES[name].children:
        for item in tree.get(child, ()):
            yield from records(item, child)


# --- the strategies


@given(ANY)
def test_they_are_valid(history: TreatmentHistory) -> None:
    assert faults(history) == []
    keys = defaultdict(set)
    for table, record in records(plain(history)):
        assert record["key"] not in keys[table.name]
        keys[table.name].add(record["key"])


@given(clinics())
def test_those_of_a_clinic_share_their_tables_and_practitioners(clinic: list[TreatmentHistory]) -> None:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for history in clinic:
        assert faults(history) == []
        for table, row in flatten(history):
            assert (table, row["key"]) not in rows or (table == SHARED and rows[table, row["key"]] == row)
            rows[table, row["key"]] = row


@given(histories("en"))
def test_the_language_can_be_chosen(history: TreatmentHistory) -> None:
    assert history.language == "en"


def test_every_field_every_word_and_every_state_is_drawn() -> None:
    """A field that no property test has ever seen stated is a hole in all of them."""
    seen = _Seen()

    @settings(max_examples=300, database=None, derandomize=True, phases=[Phase.generate], deadline=None)
    @given(histories(), histories(cleared=True))
    def look(history: TreatmentHistory, other: TreatmentHistory) -> None:
        for table, record in [*records(plain(history)), *records(plain(other))]:
            seen.record(table, record)

    look()
    for name, table, column in declared():
        field = (name, column.name)
        assert field in seen.stated
        assert seen.words[field] >= set(column.choices)
        if column.codes:
            assert len(seen.words[field]) >= min(10, len(codes(column)) - 1)
        if "key" in table.columns:
            assert field in seen.unknown or not column.may_be_unknown
            hardly_ever = column.must or field == ("findings", "medicine")  # only beside its wording
            assert field in seen.cleared or not column.nullable or hardly_ever
    assert set().union(*seen.words.values()) >= {*OPEN_CODES, *PROTOCOLS}
    assert all(seen.most[name] >= 2 for name in TABLES if name != PATIENTS)


class _Seen:
    """What a set of histories says at least once."""

    def __init__(self) -> None:
        self.stated: set[tuple[str, str]] = set()
        self.unknown: set[tuple[str, str]] = set()
        self.cleared: set[tuple[str, str]] = set()
        self.words: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.most: dict[str, int] = defaultdict(int)

    def record(self, table: Table, record: dict[str, Any]) -> None:
        self.unknown |= {(table.name, name) for name in record.get("unknown", ())}
        self.fields(table, table.name, {k: v for k, v in record.items() if k not in table.children})
        for child in table.children:
            self.most[child] = max(self.most[child], len(record.get(child, ())))

    def fields(self, table: Table, name: str, fields: dict[str, Any]) -> None:
        for column in (table.columns[n] for n in fields):
            value = fields[column.name]
            if value is None or value == []:
                self.cleared.add((name, column.name))
                continue
            self.stated.add((name, column.name))
            if column.codes or column.choices:
                self.words[name, column.name].add(value)
            if column.values:
                for item in value:
                    self.fields(column.values, f"{name}.{column.name}", item)


def declared() -> Iterator[tuple[str, Table, Column]]:
    """Each column of the model, with the path of its table or list of values."""
    for table in TABLES.values():
        for column in table.columns.values():
            yield table.name, table, column
            if column.values:
                for inner in column.values.columns.values():
                    yield f"{table.name}.{column.name}", column.values, inner


@given(histories())
def test_no_text_is_a_label_of_ours(history: TreatmentHistory) -> None:
    for table, record in records(plain(history)):
        texts = {v for k, v in record.items() if k.endswith("_text") and k in table.columns}
        assert not texts & LABELS


# --- the same history


@given(ANY)
def test_json_keeps_everything(history: TreatmentHistory) -> None:
    data = exactjson.encode(plain(history, by_key=False))
    assert decode(exactjson.decode(data)) == history
    assert exactjson.encode(plain(decode(exactjson.decode(data)), by_key=False)) == data


@given(st.one_of(clinics(), clinics(cleared=True)), st.randoms(use_true_random=False))
def test_rows_keep_everything(clinic: list[TreatmentHistory], chance: random.Random) -> None:
    """In whatever order rows come, and whosever they are."""
    rows = [row for history in clinic for row in flatten(history)]
    chance.shuffle(rows)
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for table, row in rows:
        tables.setdefault(table, {})[row["key"]] = row
    histories, orphans = nest(tables)
    assert histories == sorted(map(sorted_by_key, clinic), key=lambda history: history.key)
    assert orphans == []


@given(histories())
def test_rows_hold_what_is_stated_and_where_it_stands(history: TreatmentHistory) -> None:
    seen = set()
    for name, row in flatten(history):
        table = TABLES[name]
        assert set(row) <= {*table.columns, "patient", "of"}
        assert ("patient" in row) == (name not in (PATIENTS, SHARED))
        assert ("of" in row) == (table.parent not in ("", PATIENTS))
        if table.parent:
            assert (table.parent, row.get("of", row["patient"])) in seen  # parents come first
        seen.add((name, row["key"]))
    assert len(seen) == sum(1 for _ in records(plain(history)))


@given(histories(), st.randoms(use_true_random=False))
def test_keyed_lists_are_sets(history: TreatmentHistory, chance: random.Random) -> None:
    tree = plain(history, by_key=False)
    for table, record in records(tree):
        for child in table.children:
            chance.shuffle(record.get(child, []))
    shuffled = decode(tree)
    assert sorted_by_key(shuffled) == sorted_by_key(history)
    assert plain(shuffled) == plain(history)
    assert faults(shuffled) == []


# --- the schema, and what is refused


@given(ANY)
def test_the_schema_takes_what_is_valid(history: TreatmentHistory) -> None:
    SCHEMA.validate(plain(history))


BAD = (CANARY, "", " ", f"\n{CANARY}", f"{CANARY}|", 0, -1, True, None, 7.5, [], {}, [CANARY], {CANARY: 1})


@settings(max_examples=300)
@given(histories(), st.sampled_from(BAD), st.data())
def test_one_wrong_value_is_refused_by_the_schema_as_by_us(
    history: TreatmentHistory, bad: Any, data: st.DataObject
) -> None:
    """What decode refuses, the schema refuses; it refuses nothing that we take. No message quotes the value."""
    tree = plain(history)
    table, record = data.draw(st.sampled_from(list(records(tree))), "record")
    record[data.draw(st.sampled_from([*table.columns, *table.children, "famly", CANARY]), "field")] = bad
    malformed, wrong = refused(tree)
    assert CANARY not in f"{malformed}{wrong}"
    assert malformed == "" or not SCHEMA.is_valid(tree)
    assert malformed or wrong or SCHEMA.is_valid(tree)


@given(histories(), st.data())
def test_a_field_that_is_missing_is_refused_by_the_schema_as_by_us(
    history: TreatmentHistory, data: st.DataObject
) -> None:
    """Whether it was required, or needed by another, or only worth saying."""
    tree = plain(history)
    table, record = data.draw(st.sampled_from(list(records(tree))), "record")
    del record[data.draw(st.sampled_from([name for name in record if name in table.columns]), "field")]
    assert any(refused(tree)) == (not SCHEMA.is_valid(tree))


def refused(tree: dict[str, Any]) -> tuple[str, str]:
    """What decode and, if it has nothing to say, the checks have against a history."""
    try:
        found = [fault for fault in faults(decode(tree)) if not fault.warning]
    except InvalidInput as error:
        return str(error), ""
    return "", "\n".join(f"{f.field} {f.path} {f.what} {f.expected} {f.hint}" for f in found)

"""What is refused, where, and in which words; and what rows do that have no place."""

from __future__ import annotations

import re
import time
from decimal import Decimal
from typing import Any

import pytest
from msgspec import UNSET

from mesofhir.errors import InvalidInput
from mesofhir.records import TABLES, Fault, TreatmentHistory, decode, faults, flatten, model, nest, plain
from mesofhir.records.checks import later

CANARY = "Zanzara7"  # stands for a patient's data: it must never show up in a message


def history(**fields: Any) -> dict[str, Any]:
    return {"key": "P", **fields}


def cycle(**fields: Any) -> dict[str, Any]:
    return history(cycles=[{"key": "C", "status": "running", **fields}])


def session(status: str = "done", **fields: Any) -> dict[str, Any]:
    return cycle(sessions=[{"key": "S", "status": status, **fields}])


def mixture(**fields: Any) -> dict[str, Any]:
    return session(mixtures=[{"key": "M", "route": "intradermal", "volume": 1, **fields}])


def refusal(raw: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode(raw, "clinic.json")
    assert caught.value.exit_code == 3
    return str(caught.value)


# --- decode


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "$: a list is not allowed here; expected an object"),
        (None, "$: null is not allowed here; expected an object"),
        (CANARY, "$: text is not allowed here; expected an object"),
        ({}, "$: the required field `key` is missing"),
        ({"key": 7}, "$.key: a whole number is not allowed here; expected text"),
        (cycle(sessions=[{"key": "S"}]), "$.cycles[0].sessions[0]: the required field `status` is missing"),
        (history(famly=CANARY), "$: unknown field `famly` (did you mean `family`?)"),
        (history(cycle=[]), "$: unknown field `cycle` (did you mean `cycles`?)"),
        (history(zzz=1), "$: unknown field `zzz`"),
        (history(**{f"{CANARY} - at `$.x`": 1}), "$: unknown field (its name is not shown)"),
        ({"key": "P", 7: CANARY}, "$: unknown field (its name is not shown)"),
        (mixture(drugs=[{"lott": "1"}]), "mixtures[0].drugs[0]: unknown field `lott` (did you mean `lot`?)"),
        (cycle(status=CANARY), "$.cycles[0].status: not one of the allowed words; expected done or"),
        (history(language="de"), "$.language: not one of the allowed words; expected en or it"),
        (cycle(note=7), "$.cycles[0].note: a whole number is not allowed here; expected text or null"),
        (cycle(note=[CANARY]), "$.cycles[0].note: a list is not allowed here; expected text or null"),
        (cycle(sessions={CANARY: 1}), "$.cycles[0].sessions: an object is not allowed here; expected a list"),
        (cycle(sessions=[7]), "sessions[0]: a whole number is not allowed here; expected an object"),
        (cycle(sessions=None), "$.cycles[0].sessions: null is not allowed here; expected a list"),
        (history(given=[None]), "$.given[0]: null is not allowed here; expected text"),
        (history(synthetic="yes"), "$.synthetic: text is not allowed here; expected true or false"),
        (mixture(volume="0.50"), "volume: text is not allowed here; expected a number (remove the quotes)"),
        (mixture(volume=True), "volume: true or false is not allowed here; expected a number or null"),
        (mixture(drugs=[{"amount": "1"}]), "drugs[0].amount: text is not allowed here; expected a number"),
        (mixture(drugs=[{"substance": None}]), "drugs[0].substance: null is not allowed here; expected text"),
        (cycle(sessions_min=Decimal("3.0")), "a number is not allowed here; expected a whole number or null"),
        (cycle(sessions_min="3"), "text is not allowed here; expected a whole number or null"),
        (cycle(sessions_min=True), "true or false is not allowed here; expected a whole number or null"),
        (cycle(sessions_min=0), "$.cycles[0].sessions_min: out of range; expected at least 1"),
        (cycle(sessions_min=2**31), "$.cycles[0].sessions_min: out of range; expected at most 2147483647"),
        (history(family=" \n"), "$.family: not in the expected form; expected text that is not blank"),
        (history(family=f"{CANARY}\0"), "$.family: not in the expected form; expected text that is not"),
        (history(birth_date=f"{CANARY}"), "not in the expected form; expected a FHIR date (2026, 2026-03 or"),
        (cycle(start="2026-03-04T10:30:00"), "expected a FHIR date (2026, 2026-03, 2026-03-04) or a time"),
        (session(moved_from=["2026", "1.4.26"]), "sessions[0].moved_from[1]: not in the expected form"),
        (cycle(protocol=" x"), "protocol: not in the expected form; expected a word of a code set"),
        (history(identifiers=[{"system": "a b", "value": "x"}]), "identifiers[0].system: not in the"),
        (cycle(indications=[f"{CANARY}|1"]), "$.cycles[0].indications[0]: not in the expected form"),
    ],
)  # fmt: skip
def test_what_decode_refuses(raw: Any, said: str) -> None:
    words = refusal(raw)
    assert said in words
    assert words.startswith("clinic.json: $")
    assert CANARY not in words


def test_unknown_fields_and_numbers_in_quotes_are_all_named_at_once() -> None:
    words = refusal(mixture(volume="1", prepared="2", nme="x"))
    assert len(words.splitlines()) == 3


@pytest.mark.parametrize("key", ["", " a", "a ", "a,b", "a|b", "a$b", "a\\b", "a\tb", "a\n", "\n", "a\x7f", "x" * 101])
def test_keys_that_break_urls_are_refused(key: str) -> None:
    assert "a key of at most 100 characters" in refusal({"key": key})


@pytest.mark.parametrize("key", ["a", "a b", "à&+%?/'#", "x" * 100, "鍵", "."])
def test_other_keys_are_taken(key: str) -> None:
    assert decode({"key": key}).key == key


@pytest.mark.parametrize("value", ["2026\n", "2026-3", "2026-13", "26", "2026-03-04T10:30", "2026-03-04Z"])
def test_dates_are_those_of_fhir(value: str) -> None:
    assert "birth_date" in refusal(history(birth_date=value))
    assert "start" in refusal(cycle(start=value))


@pytest.mark.parametrize("value", ["2026-03-04T10:30:00Z", "2026-03-04T23:59:59.123456789-11:30"])
def test_times_have_a_zone(value: str) -> None:
    assert decode(cycle(start=value)).cycles[0].start == value
    assert "start" in refusal(cycle(start=value[:19]))
    assert "birth_date" in refusal(history(birth_date=value))


def test_numbers_keep_their_digits() -> None:
    [given] = decode(mixture(volume=Decimal("0.50"), prepared=2)).cycles[0].sessions[0].mixtures
    assert (str(given.volume), str(given.prepared)) == ("0.50", "2")
    assert isinstance(given.prepared, Decimal)


def test_the_four_states() -> None:
    read = decode(cycle(site="knee", start=None, indications=[], unknown=["end"]))
    [only] = read.cycles
    assert (only.site, only.start, only.indications) == ("knee", None, [])
    assert only.note is UNSET
    assert plain(read)["cycles"][0] == {
        "key": "C", "status": "running", "site": "knee", "start": None, "indications": [], "unknown": ["end"],
    }  # fmt: skip


def test_a_long_text_with_a_control_character_is_refused_at_once() -> None:
    """A pattern that goes back and forth would need minutes."""
    before = time.process_time()
    assert "family" in refusal(history(family="a" * 1_000_000 + "\0"))
    assert "family" in refusal(history(family=" " * 1_000_000))
    assert decode(history(family=" " * 1_000_000 + "a\n")).key == "P"
    assert time.process_time() - before < 5


# --- faults


def first(raw: dict[str, Any]) -> Fault:
    found = faults(decode(raw))
    assert len(found) == 1, found
    return found[0]


KNEE = [{"key": "K", "condition": "knee-osteoarthritis"}]


@pytest.mark.parametrize(
    ("raw", "path", "what"),
    [
        (history(conditions=[*KNEE, *KNEE]), None, "the same key twice in one table"),
        (cycle(indications=["X"]), "$.cycles[0].indications[0]", "names a record that is not in"),
        (cycle(physician="X"), "$.cycles[0].physician", "names a record that is not in `practitioners`"),
        (cycle(indications=["K", "K"]) | {"conditions": KNEE}, "$.cycles[0].indications", "a key twice"),
        (cycle(site="kneee"), "$.cycles[0].site", "not a word that we know"),
        (cycle(site=f"{CANARY}|"), "$.cycles[0].site", "not a word that we know"),
        (cycle(site="urn:x|a  b"), "$.cycles[0].site", "not a word that we know"),
        (cycle(purpose="urn:x|a"), "$.cycles[0].purpose", "not a word that we know"),
        (cycle(protocol="my protocol://x y"), "$.cycles[0].protocol", "not a word that we know"),
        (cycle(site="http://snomed.info/sct|72696002"), "$.cycles[0].site", "a code that has a word of ours"),
        (mixture(drugs=[{"substance": "x"}]), None, "not a word that we know"),
        (cycle(start="2026-02-30"), "$.cycles[0].start", "no such day in the calendar"),
        (session(moved_from=["2026", "2026-02-30"]), None, "no such day in the calendar"),
        (history(birth_date="0000"), "$.birth_date", "no such day in the calendar"),
        (history(synthetic=False), "$.synthetic", "false"),
        (cycle(interval_unit="wk"), "$.cycles[0].interval_unit", "says nothing without `interval`"),
        (cycle(interval=1, interval_unit=None), None, "says nothing without `interval_unit`"),
        (cycle(side="left"), "$.cycles[0].side", "says nothing without `site`"),
        (mixture(drugs=[{"substance_text": "x", "amount": 1}]), None, "says nothing without `amount_unit`"),
        (mixture(drugs=[{"substance": "lidocaine"}, {}]), None, "an empty value"),
        (mixture(drugs=[{"lot": "1"}]), "$.cycles[0].sessions[0].mixtures[0].drugs[0].substance", "missing"),
        (history(findings=[{"key": "F", "kind": "anticoagulant"}]), "$.findings[0].medicine", "missing"),
        (mixture(volume=None), None, "missing"),
        (history(medicines=[{"key": "M", "status": "active"}]), "$.medicines[0].medicine", "missing"),
        (mixture(volume=-1), None, "a negative number"),
        (cycle(scores=[{"key": "S", "scale": "nrs", "value": 11}]), None, "more than the scale holds"),
        (mixture(volume=Decimal("NaN")), None, "not a number"),
        (mixture(volume=Decimal("Infinity")), None, "not a number"),
        (mixture(volume=Decimal("1.000000000000000000")), None, "too many digits"),
        (mixture(volume=Decimal("1E-19")), None, "too many digits"),
        (cycle(minutes_min=Decimal("NaN"), minutes_max=1), "$.cycles[0].minutes_min", "not a number"),
        (cycle(sessions_min=3, sessions_max=2), "$.cycles[0].sessions_max", "less than `sessions_min`"),
        (cycle(start="2026-03", end="2026-02-28"), "$.cycles[0].end", "before `start`"),
        (cycle(start="2026", end="2026-03-02"), "$.cycles[0].end", "it cannot be told whether"),
        (cycle(start="2026-03-02", end="2026-03-02T10:00:00Z"), "$.cycles[0].end", "it cannot be told whether"),
        (cycle(start="2026-03-05", end="2026-03-06T00:30:00+14:00"), "$.cycles[0].end", "it cannot be told whether"),
        (history(unknown=["nothing"]), "$.unknown", "it names a field that cannot be unknown"),
        (history(unknown=["language"]), "$.unknown", "it names a field that cannot be unknown"),
        (cycle(unknown=["physician"]), "$.cycles[0].unknown", "it names a field that cannot be unknown"),
        (cycle(unknown=["site_text"]), "$.cycles[0].unknown", "it names a field that cannot be unknown"),
        (history(unknown=["family", "family"]), "$.unknown", "a name twice"),
        (history(family="x", unknown=["family"]), "$.unknown", "`family` is stated and called unknown"),
        (history(family=None, unknown=["family"]), "$.unknown", "`family` is stated and called unknown"),
        (cycle(unknown=["side"]), "$.cycles[0].unknown", "`side` says nothing without `site`"),
        (session("planned", effects=[{"key": "E"}]), "$.cycles[0].sessions[0].effects[0]", "in a session"),
        (session("not-done", effects=[{"key": "E"}]), "$.cycles[0].sessions[0].effects[0]", "in a session"),
        (history(conditions=[{"key": "K", "resolved": "2026"}]), "$.conditions[0].status", "an end is"),
        (history(conditions=[{"key": "K", "unknown": ["resolved"]}]), None, "an end is stated"),
        (
            history(conditions=[{"key": "K", "status": "entered-in-error", "resolved": "2026"}]),
            "$.conditions[0].status",
            "an end is stated",
        ),
    ],
)  # fmt: skip
def test_what_is_a_fault(raw: dict[str, Any], path: str | None, what: str) -> None:
    found = faults(decode(raw))
    assert {f.what[: len(what)] for f in found} == {what}
    assert path is None or found[0].path == path
    assert not any(f.warning for f in found)
    assert CANARY not in str(found)


@pytest.mark.parametrize(
    "raw",
    [
        cycle(site="http://snomed.info/sct|1", protocol="https://x.example/p"),
        history(conditions=[{"key": "K", "status": "active", "unknown": ["onset", "site"]}]),
        cycle(side=None, interval=None, interval_unit=None),
        cycle(start="2026-03", end="2027"),
        cycle(start="2026-03", end="2026-03"),
        cycle(start="2026-03-04", end="2026-03-04T23:30:00-05:00"),
        cycle(start="2026-03-04T10:30:00+01:00", end="2026-03-04T09:30:00Z"),
        mixture(volume=Decimal("0.00")),
        mixture() | {"synthetic": True},
        history(medicines=[{"key": "M", "status": "active", "medicine_text": "Cardioaspirina"}]),
        history(medicines=[{"key": "M", "status": "active", "unknown": ["medicine"]}]),
        history(conditions=[{"key": "K", "status": "remission", "resolved": "2026"}]),
        history(conditions=[{"key": "K", "resolved": None}]),
        session("entered-in-error", effects=[{"key": "E"}]),
    ],
)
def test_what_is_none(raw: dict[str, Any]) -> None:
    assert faults(decode(raw)) == []


def test_a_running_session_in_a_planned_cycle() -> None:
    fault = first(history(cycles=[{"key": "C", "status": "planned", "sessions": [{"key": "S", "status": "done"}]}]))
    assert fault.path == "$.cycles[0].sessions[0].status"
    assert fault.expected == "`running` as the cycle's status"


def test_a_wrong_word_gets_a_hint_from_the_table() -> None:
    fault = first(cycle(site="kne"))
    assert fault.expected == "a word of `sites`, or `system|code`"
    assert fault.hint == "did you mean `knee`?"
    assert first(cycle(protocol=CANARY)).hint == "see `mesofhir schema`"


def test_the_place_is_that_of_the_input_not_of_the_sorted_history() -> None:
    fault = first(history(conditions=[{"key": "B", "site": "x"}, {"key": "A"}]))
    assert (fault.table, fault.key, fault.field) == ("conditions", "B", "site")
    assert fault.path == "$.conditions[0].site"


def test_sessions_of_two_cycles_have_different_keys() -> None:
    cycles = [{"key": k, "status": "done", "sessions": [{"key": "S", "status": "done"}]} for k in "AB"]
    assert [f.path for f in faults(decode(history(cycles=cycles)))] == [
        f"$.cycles[{i}].sessions[0].key" for i in (0, 1)
    ]


def test_a_practitioner_whom_nothing_names_is_a_warning() -> None:
    fault = first(history(practitioners=[{"key": "D"}]))
    assert fault.warning
    assert fault.path == "$.practitioners[0]"


@pytest.mark.parametrize(
    ("a", "b", "is_later"),
    [
        ("2026", "2026-03", False),
        ("2026-03", "2026", False),
        ("2027", "2026-03-04", True),
        ("2026-03-05", "2026-03-04T23:00:00Z", True),
        ("2026-03-04T10:30:00.2Z", "2026-03-04T10:30:00.1Z", True),
        ("2026-03-04T10:30:00+01:00", "2026-03-04T10:00:00Z", False),
        ("2026-02-30", "2026-01-01", False),
    ],
)
def test_later_as_far_as_both_are_precise(a: str, b: str, is_later: bool) -> None:
    assert later(a, b) is is_later


# --- rows


def grouped(*histories: TreatmentHistory) -> dict[str, dict[str, dict[str, Any]]]:
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for h in histories:
        for name, row in flatten(h):
            tables.setdefault(name, {})[row["key"]] = row
    return tables


WHOLE = mixture(drugs=[{"substance": "lidocaine", "volume": Decimal("0.50")}], status="stopped")


def test_rows_name_their_patient_and_what_they_stand_in() -> None:
    mixed = plain(decode(WHOLE))["cycles"][0]["sessions"][0]["mixtures"][0]
    assert mixed["drugs"] == [{"substance": "lidocaine", "volume": Decimal("0.50")}]
    assert list(flatten(decode(WHOLE | {"language": "it"}))) == [
        ("patients", {"key": "P", "language": "it"}),
        ("cycles", {"key": "C", "status": "running", "patient": "P"}),
        ("sessions", {"key": "S", "status": "done", "patient": "P", "of": "C"}),
        ("mixtures", mixed | {"patient": "P", "of": "S"}),
    ]


def test_rows_without_an_owner_are_orphans_with_all_that_stands_in_them() -> None:
    rows = grouped(decode(WHOLE))
    del rows["cycles"]["C"]
    histories, orphans = nest(rows)
    assert [h.key for h in histories] == ["P"]
    assert histories[0].cycles == []
    assert [(name, row["key"]) for name, row in orphans] == [("sessions", "S"), ("mixtures", "M")]


def test_rows_of_another_patient_are_not_taken() -> None:
    rows = grouped(decode(WHOLE))
    rows["sessions"]["S"]["patient"] = "Q"
    histories, orphans = nest(rows)
    assert histories[0].cycles[0].sessions == []
    assert [row["key"] for _, row in orphans] == ["S", "M"]


@pytest.mark.parametrize("owner", [None, "None"])
def test_a_row_that_names_nobody_belongs_to_nobody(owner: str | None) -> None:
    rows = {"patients": {"None": {"key": "None"}}, "consents": {"X": {"key": "X", "status": "active"}}}
    if owner:
        rows["consents"]["X"]["patient"] = owner
    [history], orphans = nest(rows)
    assert (len(history.consents), len(orphans)) == ((1, 0) if owner else (0, 1))


def test_practitioners_go_to_every_history_that_names_them() -> None:
    def of(key: str) -> TreatmentHistory:
        consent = {"key": f"X{key}", "status": "active", "recorder": "D"}
        return decode({"key": key, "practitioners": [{"key": "D", "family": "Rossi"}], "consents": [consent]})

    rows = grouped(of("A"), of("B"))
    rows["practitioners"]["E"] = {"key": "E"}
    histories, orphans = nest(rows)
    assert histories == [of("A"), of("B")]
    assert orphans == [("practitioners", {"key": "E"})]


@pytest.mark.parametrize(
    ("table", "field", "value", "said"),
    [
        ("mixtures", "volume", "0.50", "mixtures M: volume: text is not allowed here; expected a number"),
        ("mixtures", "drugs", [{"active": 1}], "mixtures M: drugs[0].active: a whole number is not allowed"),
        ("sessions", "colour", CANARY, "sessions S: unknown field `colour`"),
        ("cycles", "medicines", [7], "cycles C: medicines[0]: a whole number is not allowed here"),
        ("patients", "birth_date", CANARY, "patients P: birth_date: not in the expected form"),
    ],
)
def test_a_wrong_row_is_named_by_table_and_key(table: str, field: str, value: Any, said: str) -> None:
    rows = grouped(decode(WHOLE))
    rows[table]["PCSM"[("patients", "cycles", "sessions", "mixtures").index(table)]][field] = value
    with pytest.raises(InvalidInput, match=re.escape(said)) as caught:
        nest(rows)
    assert CANARY not in str(caught.value)


# --- the tables


def test_columns_say_what_the_model_says() -> None:
    columns = TABLES["mixtures"].columns
    assert next(iter(columns)) == "key"
    assert list(columns)[-1] == "unknown"
    assert (columns["volume"].kind, columns["volume"].unit, columns["volume"].must) == ("number", "mL", True)
    assert (columns["route"].kind, columns["route"].required) == ("choice", True)
    assert columns["drugs"].values is not None
    assert columns["drugs"].values.columns["substance"].codes == "substances"
    assert TABLES["sessions"].columns["moved_from"].pattern == model.TIME_PATTERN
    assert (TABLES["sessions"].parent, TABLES["practitioners"].parent) == ("cycles", "")
    assert TABLES["cycles"].columns["indications"].to == "conditions"


def test_every_table_and_column_is_described() -> None:
    for table in TABLES.values():
        assert table.description
        for column in table.columns.values():
            assert column.description, (table.name, column.name)
            for inner in column.values.columns.values() if column.values else ():
                assert inner.description


def test_what_a_column_names_exists() -> None:
    for table in TABLES.values():
        for column in table.columns.values():
            assert not column.to or column.to in TABLES
            assert not column.needs or column.needs in table.columns
            assert not (column.must and column.required)


def test_values_in_lists_have_nothing_to_clear() -> None:
    for table in TABLES.values():
        for column in table.columns.values():
            assert not any(c.nullable for c in (column.values.columns.values() if column.values else ()))

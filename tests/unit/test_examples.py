"""The examples: valid, all invented, unlike each other where they must be, and the FHIR beside them current."""

import random
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from examples.refresh import CLINIC, HERE, histories, refresh
from mesofhir import formats
from mesofhir.fhir.exactjson import decode, encode_pretty
from mesofhir.fhir.validation import validate
from mesofhir.mapping import graph, understand
from mesofhir.records import TABLES, faults, flatten, plain, sorted_by_key
from mesofhir.records.tables import PATIENTS, SHARED
from mesofhir.terminology import code_set
from tests.property.wire import offline, stored

PATHS = dict(histories())
ALL = list(PATHS.values())
EACH = pytest.mark.parametrize("history", ALL, ids=lambda h: h.key)
RICH = {
    "antalgic-outpatient": "it",
    "district-intradermal": "it",
    "aesthetic-and-antalgic": "it",
    "analgesic-outpatient": "en",
    "pain-micro-injection": "it",
}
"""The protocols, each with an example of its name, in the language of the page that it comes from."""

NOT_USED: dict[tuple[str, str], str] = {}
"""(table, column) → why no example has it."""


def rows(table: str) -> Iterator[dict]:
    for history in ALL:
        for name, row in flatten(history):
            if name == table:
                yield row


# --- the files


def test_the_fhir_beside_them_is_current(tmp_path):
    refresh(tmp_path)
    there, wanted = contents(HERE), contents(tmp_path)
    assert sorted(there) == sorted(wanted), "run: python examples/refresh.py"
    changed = [str(path) for path, data in wanted.items() if there[path] != data]
    assert changed == [], "run: python examples/refresh.py"


def contents(folder: Path) -> dict[Path, bytes]:
    files = [path for path in (folder / "fhir").rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.read_bytes() for path in files}


@pytest.mark.parametrize("path", sorted(HERE.glob("*.json")), ids=lambda p: p.stem)
def test_the_records_are_written_for_people(path):
    data = path.read_bytes()
    assert data == encode_pretty(decode(data))
    assert b"\\u" not in data


def test_every_protocol_has_its_example_in_its_language():
    assert sorted(RICH) == sorted(code_set("protocols"))
    for protocol, language in RICH.items():
        history = decode((HERE / f"{protocol}.json").read_bytes())
        assert history["language"] == language
        assert history["cycles"][0]["protocol"] == protocol


# --- each history


@EACH
def test_nothing_is_wrong_with_it(history):
    assert faults(history) == []
    assert graph(history, CLINIC).faults == []


@EACH
def test_its_resources_are_valid(history):
    assert [(x["identifier"], str(p)) for x in offline(history, CLINIC) for p in validate(x)] == []


@EACH
def test_it_comes_back_from_a_server(history):
    same_again(history, stored(offline(history, CLINIC), random.Random(4)))


def same_again(history, resources):
    back = understand(resources, CLINIC)
    assert [(k.resource["resourceType"], k.reason) for k in back.kept] == []
    assert [(n.resource["resourceType"], n.path, n.reason) for n in back.notes] == []
    [found] = back.histories
    assert digits(found) == digits(history)


def digits(history) -> str:
    """What it says, to the last digit: ``Decimal("0.50") == Decimal("0.5")``, but we promise the digits too."""
    return repr(plain(sorted_by_key(history)))


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_it_comes_back_from_its_file(path):
    with formats.read(HERE / path, clinic=CLINIC) as items:
        [item] = items
    assert (item.faults, item.warnings, item.kept, item.notes) == ([], [], [], [])
    assert digits(item.history) == digits(PATHS[path])


@EACH
def test_it_is_invented_and_says_so(history):
    assert history.synthetic is True
    people = [history, *history.practitioners]
    names = {person.family for person in people if isinstance(person.family, str)}
    assert names <= {"Prova", "Esempio", "Example"}
    numbers = [i for person in people for i in (person.identifiers or [])]
    assert all(".example/" in i.system or i.value == "PRVPNT61A01X999T" for i in numbers)


@EACH
def test_its_times_have_the_zone_of_the_day_in_italy(history):
    for text in re.findall(rb"\d{4}-\d\d-\d\dT[^\"]+", encode_pretty(plain(history))):
        moment = datetime.fromisoformat(text.decode())
        assert moment.utcoffset() == moment.astimezone(ZoneInfo("Europe/Rome")).utcoffset(), text


# --- all together, as they are pushed


def test_no_key_stands_twice_and_a_practitioner_is_one_person():
    seen: dict[tuple[str, str], dict] = {}
    for table in TABLES:
        for row in rows(table):
            before = seen.setdefault((table, row["key"]), row)
            assert before is row or (table == SHARED and before == row), (table, row["key"])


def test_they_use_every_column():
    used = set()
    for table in TABLES.values():
        for row in rows(table.name):
            used |= {(table.name, name) for name, value in row.items() if value not in (None, [])}
            for name, column in table.columns.items():
                for item in row.get(name, ()) if column.values else ():
                    used |= {(f"{table.name}.{name}", part) for part in item}
    wanted = {(table.name, name) for table in TABLES.values() for name in table.columns}
    wanted |= {
        (f"{table.name}.{column.name}", part)
        for table in TABLES.values()
        for column in table.columns.values()
        if column.values
        for part in column.values.columns
    }
    assert wanted - used == set(NOT_USED)


def test_the_traps_of_the_pages_are_kept_out():
    assert {row["route"] for row in rows("mixtures")} == {"intradermal", "topical"}
    written = b"".join(contents(HERE).values()).lower()
    assert b"cellulite-pefs" in written
    assert b"cellulitis" not in written
    assert b"arthroscop" not in written


HARD = {
    "pregnancy stands against one drug": lambda h: any(
        f.kind == "pregnancy" and f.scope == "substance" and f.status != "entered-in-error" for f in h.findings
    ),
    "an allergy recorded between two sessions": lambda h: any(
        min(starts) < a.recorded < max(starts)
        for a in h.allergies
        if isinstance(a.recorded, str)
        for starts in [[s.start for c in h.cycles for s in c.sessions if isinstance(s.start, str)]]
        if starts
    ),
    "a contraindication that was eased, then a session done": lambda h: any(
        isinstance(f.mitigated, str) and isinstance(s.start, str) and s.status == "done" and s.start >= f.mitigated
        for f in h.findings
        for c in h.cycles
        for s in c.sessions
    ),
    "eight sessions of eight to fifteen, and one of maintenance": lambda h: (
        {(c.phase, c.sessions_done) for c in h.cycles} == {("attack", 8), ("maintenance", 1)}
    ),
    "not done, without any date": lambda h: any(
        s.status == "not-done" and not isinstance(s.planned_start, str) for c in h.cycles for s in c.sessions
    ),
    "two cycles at once on two sites": lambda h: len({c.site for c in h.cycles if c.status == "running"}) == 2,
    "the codice fiscale under both systems": lambda h: (
        len({i.system for i in h.identifiers or [] if i.value == "PRVPNT61A01X999T"}) == 2
    ),
    "an infection weeks after the session": lambda h: any(
        e.effect == "injection-site-infection" and str(e.onset) > str(s.start)
        for c in h.cycles
        for s in c.sessions
        for e in s.effects
    ),
}
"""The hard cases, by what they are told by."""


@pytest.mark.parametrize("name", HARD)
def test_the_hard_cases_are_there(name):
    assert any(HARD[name](history) for path, history in PATHS.items() if "hard-cases.bundles" in path.parts)


def test_every_table_that_can_be_withdrawn_is():
    """So that ``entered-in-error`` is seen in every resource that can say it."""
    for table in TABLES.values():
        if "status" in table.columns:
            assert any(row.get("status") == "entered-in-error" for row in rows(table.name)), table.name
    assert "status" not in TABLES[PATIENTS].columns

"""CSV folders: what is read as what, what is refused and why, and what no spreadsheet may take for a formula."""

import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofhir import formats
from mesofhir.errors import Problem, UsageError
from mesofhir.formats import Item, cells
from mesofhir.formats.options import Options
from mesofhir.formats.sheets import SHEETS
from mesofhir.records import TABLES, decode, plain

CYCLES = "patient,key,status\nP1,Y1,running\n"
SESSIONS = "cycle,key,status,start,depth,points\n"


def read(folder: Path, files: dict[str, str | bytes], **options: Any) -> list[Item]:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with formats.read(folder, format="csv", **options) as source:
        return list(source)


def faults(items: list[Item], folder: Path) -> list[Problem]:
    found = [p for i in items for p in i.faults]
    assert all(p.where.startswith(str(folder)) for p in found)
    return found


def session(tmp_path: Path, row: str, **options: Any) -> tuple[dict[str, Any], list[Problem]]:
    """A session of one CSV row, and what is wrong with it."""
    files: dict[str, str | bytes] = {"patients.csv": "key\nP1\n", "cycles.csv": CYCLES}
    items = read(tmp_path / "c", {**files, "sessions.csv": SESSIONS + row + "\n"}, **options)
    [item] = items
    tree = plain(item.history)["cycles"][0].get("sessions", [{}])[0] if item.history else {}
    return tree, faults(items, tmp_path)


# --- what a folder is ---------------------------------------------------------------------------------------


def test_there_is_a_sheet_for_each_table_and_each_list_of_values() -> None:
    assert set(TABLES) < set(SHEETS)
    others = {"patient_identifiers", "practitioner_identifiers", "allergy_reactions", "mixture_drugs"}
    assert set(SHEETS) - set(TABLES) == others
    for name, heading in formats.headings().items():
        assert len(set(heading)) == len(heading), name
    assert formats.headings()["sessions.csv"][:4] == ["patient", "cycle", "key", "status"]
    assert formats.headings()["mixture_drugs.csv"][:3] == ["mixture", "position", "substance"]


def test_what_is_written(tmp_path: Path) -> None:
    history = decode(
        {
            "key": "P1",
            "family": "O'Neill, =1",
            "given": ["a|b", "c\\d"],
            "birth_date": None,
            "identifiers": [],
            "cycles": [{"key": "Y1", "status": "running", "interval": Decimal("0.50"), "interval_unit": "wk"}],
        }
    )
    written = formats.write(tmp_path / "c", [history], format="csv")
    assert [p.name for p in written.files] == ["c"]
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == [
        "cycles.csv",
        "patient_identifiers.csv",
        "patients.csv",
    ]
    lines = (tmp_path / "c" / "patients.csv").read_text("utf-8").splitlines()
    assert lines == [
        "key,language,synthetic,family,given,birth_date,gender,unknown",
        r"""P1,,,"O'Neill, =1",a\|b|c\\d,\N,,""",
    ]
    assert (tmp_path / "c" / "patient_identifiers.csv").read_text("utf-8").splitlines()[1] == r"P1,\N,,"
    assert ",0.50," in (tmp_path / "c" / "cycles.csv").read_text("utf-8")
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "c").iterdir()} == {0o600}


def test_a_folder_of_another_kind_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "thesis.doc").write_text("years of work")
    with pytest.raises(UsageError, match="holds files that this format does not write"):
        formats.write(tmp_path / "c", [], format="csv")
    (tmp_path / "c" / "thesis.doc").rename(tmp_path / "c" / "goals.csv")
    formats.write(tmp_path / "c", [decode({"key": "P1"})], format="csv")
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["patients.csv"]
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\r\n\r\n", b"sep=;\r\n"])
def test_delimiters_marks_and_line_ends(delimiter: str, start: bytes, tmp_path: Path) -> None:
    text = 'key,family,given\r\nP1,"a\r\nb",x\r\n,,\r\n\r\n"P2","c""d",\r\n'.replace(",", delimiter)
    items = read(tmp_path / "c", {"Patients.CSV": start + text.encode()})
    assert [i.history and (i.history.key, i.history.family) for i in items] == [("P1", "a\r\nb"), ("P2", 'c"d')]
    row = 2 + start.count(b"\n")
    assert [i.where for i in items] == [f"{tmp_path}/c/Patients.CSV: row {n}" for n in (row, row + 4)]


def test_rows_of_the_deeper_tables_need_not_name_the_patient(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "patients.csv": "key\nP1\n",
        "mixtures.csv": "key,route,session\nM1,topical,S1\n",
        "sessions.csv": "key,cycle,status,patient\nS1,Y1,done,\n",
        "cycles.csv": CYCLES,
    }
    [item] = read(tmp_path / "c", files)
    assert item.history is not None
    assert item.history.cycles[0].sessions[0].mixtures[0].key == "M1"


# --- what is wrong with a file ------------------------------------------------------------------------------

PATIENTS = "patients.csv"
WRONG_FILES = {
    "an unknown column": ("key,famly\nP1,x", "row 1", "unknown column 2, `famly`", "did you mean `family`?"),
    "no heading": ("Zanzara,Anna\nP1,x", "row 1", "unknown column 1 (its name is not shown)", ""),
    "a column twice": ("key,family,family\nP1,x,y", "row 1", "the column `family` twice", ""),
    "no key": ("family\nx", "row 1", "the column `key` is missing", ""),
    "UTF-16": ("key\nP1".encode("utf-16"), "line 1", "a UTF-16 byte order mark", "--encoding utf-16"),
    "cp1252": (
        "key,family\nP1,x\nP2,è".encode("cp1252"),
        "line 3, byte offset 19",
        "a byte that is not UTF-8",
        "cp1252",
    ),
    "an open quote": ('key,family\nP1,x\nP2,"a\nP3,x', "row 3", "a quoted cell that is not closed", ""),
    "text behind a quote": ('key\n"P1"x\n', "row 2", "text behind the closing quote of a cell", ""),
    "a long cell": ("key,family\nP1," + "a" * 2_000_000, "row 2", "a cell that is too long", ""),
    "a very long cell": ("key,family\nP1," + "a" * 10_000_000, "line 2", "a line that is too long", ""),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_file_that_cannot_be_read_stops_all(case: str, tmp_path: Path) -> None:
    content, place, what, hint = WRONG_FILES[case]
    items = read(tmp_path / "c", {PATIENTS: content, "cycles.csv": CYCLES})
    assert not any(i.history for i in items)
    for found in faults(items, tmp_path):
        assert found.where == f"{tmp_path}/c/{PATIENTS}: {place}"
        assert "Zanzara" not in str(found)
        assert hint in found.hint
    assert faults(items, tmp_path)[0].what == what


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    items = read(tmp_path / "c", {"session.csv": "key\n", "Rossi Anna.csv": "key\n", "a.txt": "", ".x.csv": ""})
    assert sorted(p.where.rsplit("/")[-1] for p in faults(items, tmp_path)) == [
        "(a file whose name is not shown)",
        "session.csv",
    ]
    assert "did you mean sessions.csv?" in [p.hint for p in faults(items, tmp_path)]
    assert [p.where for i in items for p in i.warnings] == [f"{tmp_path}/c/a.txt"]


# --- what is wrong with a row -------------------------------------------------------------------------------

WRONG_ROWS = {
    "a key twice": ({PATIENTS: "key\nP1\nP1\n"}, "patients.csv: row 3, column key", "the same key twice"),
    "no key": ({PATIENTS: "key,family\nP1,\n,x\n"}, "patients.csv: row 3, column key", "missing"),
    "cleared key": ({PATIENTS: "key,family\n\\N,x\n"}, "patients.csv: row 2, column key", "not a key"),
    "many cells": ({PATIENTS: "key,family\nP1,x,y\n"}, "patients.csv: row 2", "too many cells (3)"),
    "few cells": ({PATIENTS: "key,family\nP1,x\nP2\n"}, "patients.csv: row 3", "too few cells (1)"),
    "a bad key": (
        {PATIENTS: 'key\n"a,b"\n'}, "patients.csv: row 2, column key", "not in the expected form",
    ),
    "an orphan": (
        {"cycles.csv": CYCLES}, "cycles.csv: row 2, column patient", "names a record that is not in `patients`",
    ),
    "an orphan below": (
        {PATIENTS: "key\nP1\n", "sessions.csv": SESSIONS + "Y7,S1,done,,,\n"},
        "sessions.csv: row 2, column cycle", "names a record that is not in `cycles`",
    ),
    "another patient": (
        {PATIENTS: "key\nP1\nP2\n", "cycles.csv": CYCLES, "sessions.csv": "patient,cycle,key,status\nP2,Y1,S1,done\n"},
        "sessions.csv: row 2, column patient", "not the patient of the cycle in which the row stands",
    ),
    "a position twice": (
        {PATIENTS: "key\nP1\n", "patient_identifiers.csv": "patient,position,system,value\nP1,1,a:b,c\nP1,1,a:b,d\n"},
        "patient_identifiers.csv: row 3, column position", "the same position twice",
    ),
    "no position": (
        {PATIENTS: "key\nP1\n", "patient_identifiers.csv": "patient,position,system,value\nP1,first,a:b,c\n"},
        "patient_identifiers.csv: row 2, column position", "not a position",
    ),
    "a cleared list with values": (
        {PATIENTS: "key\nP1\n", "patient_identifiers.csv": "patient,position,system,value\nP1,\\N,a:b,c\n"},
        "patient_identifiers.csv: row 2, column position", "values of a list that is cleared",
    ),
    "a value in a list": (
        {PATIENTS: "key\nP1\n", "patient_identifiers.csv": "position,patient,value,system\n2,P1,x,a b\n1,P1,x,a:b\n"},
        "patient_identifiers.csv: row 2, column system", "not in the expected form",
    ),
    "a code": (
        {PATIENTS: "key\nP1\n", "exclusions.csv": "patient,key,kind\nP1,X1,pregnant\n"},
        "exclusions.csv: row 2, column kind", "not one of the allowed words",
    ),
    "a dangling reference": (
        {PATIENTS: "key\nP1\n", "exclusions.csv": "patient,key,kind,recorder\nP1,X1,pregnancy,D1\n"},
        "exclusions.csv: row 2, column recorder", "names a record that is not in `practitioners` of this history",
    ),
    "a NUL": ({PATIENTS: "key,family\nP1,a\0b\n"}, "patients.csv: row 2, column family", "a NUL character"),
    "a NUL in a key": ({PATIENTS: "key,family\nP\x001,ab\n"}, "patients.csv: row 2, column key", "not a key"),
    "an escape": (
        {PATIENTS: "key,given\nP1,a\\b\n"}, "patients.csv: row 2, column given", "a backslash that escapes nothing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_what_is_wrong_with_a_row_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    files, place, what = WRONG_ROWS[case]
    [found] = faults(read(tmp_path / "c", dict(files)), tmp_path)
    assert (found.where, found.what) == (f"{tmp_path}/c/{place}", what)


def test_a_fault_of_one_patient_leaves_the_others_alone(tmp_path: Path) -> None:
    sessions = "cycle,key,status\nY7,S1,done\nY1,S2,done\n"
    files: dict[str, str | bytes] = {
        PATIENTS: "key\nP1\nP2\n", "cycles.csv": CYCLES, "sessions.csv": "patient," + sessions.replace("\nY", "\nP1,Y"),
    }  # fmt: skip
    one, two = read(tmp_path / "c", files)
    assert one.patient == "P1"
    assert len(one.faults) == 1
    assert not two.faults


def test_a_practitioner_whom_nobody_names_is_told(tmp_path: Path) -> None:
    *_, last = read(tmp_path / "c", {PATIENTS: "key\nP1\n", "practitioners.csv": "key\nD1\n"})
    assert [str(w.where) for w in last.warnings] == [f"{tmp_path}/c/practitioners.csv: row 2"]


# --- cells --------------------------------------------------------------------------------------------------

ROME = {"timezone": "Europe/Rome"}
START = {
    "2026": ({}, "2026"),
    "2026-03-04": ({}, "2026-03-04"),
    " 2026-03-04 ": ({}, "2026-03-04"),
    "2026-03-04T10:30:00+01:00": ({}, "2026-03-04T10:30:00+01:00"),
    "2026-03-04T10:30": (ROME, "2026-03-04T10:30:00+01:00"),
    "2026-07-04 10:30:05.250": (ROME, "2026-07-04T10:30:05.250+02:00"),
    "2026-03-29T02:30:00": (ROME, "a local time that did not exist: the clocks were put forward"),
    "2026-10-25T02:30:00": (ROME, "a local time that stands twice: the clocks were put back"),
    "2026-03-29T03:00:00": (ROME, "2026-03-29T03:00:00+02:00"),
    "1850-03-04T10:30": (ROME, "a local time before zones were in whole minutes"),
    "0001-01-01T00:30": ({"timezone": "Asia/Tokyo"}, None),
    "2026-02-30T10:30": (ROME, "no such day or time in the calendar"),
    "2026-03-04T10:31": ({}, "a time without its zone"),
    "04/03/2026": ({}, "a date whose day and month could be either way round"),
    "4/03/2026": ({"locale": "en"}, "a date whose day and month could be either way round"),
    "4/3/2026": ({"locale": "it"}, "2026-03-04"),
    "04.03.2026": ({"locale": "it-IT"}, "2026-03-04"),
    "4/3/2026 10:30": ({"locale": "it", **ROME}, "2026-03-04T10:30:00+01:00"),
    "31/2/2026": ({"locale": "it"}, "no such day in the calendar"),
    "4/3/26": ({"locale": "it"}, "not a date"),
}


@pytest.mark.parametrize("cell", START)
def test_times(cell: str, tmp_path: Path) -> None:
    options, expected = START[cell]
    tree, found = session(tmp_path, f"Y1,S1,done,{cell},,", **options)
    assert tree.get("start") == expected or [p.what for p in found] == [expected] or (expected is None and found)
    assert all(p.where.endswith("sessions.csv: row 2, column start") for p in found)


DEPTH = {
    "0.50": ("", "0.50"),
    "1.000": ("", "1.000"),
    "007": ("", "7"),
    "1E+2": ("", "1E+2"),
    "0,50": ("it", "0.50"),
    "1,000": ("it", "1.000"),
    "1.5": ("it", "1.5"),
    "'-5": ("", "a negative number"),
    "0,5": ("", "a comma in a number"),
    "1,5": ("en", "a comma in a number"),
    "1.001": ("it", "a point that could stand for thousands or for a comma"),
    "1.000,5": ("it", "not a number"),
    "4 mm": ("", "not a number"),
    "٤": ("", "not a number"),
    "NaN": ("", "not a number"),
    "1e999": ("", "a number with too many digits"),
    "9" * 5000: ("", "a number with too many digits"),
}


@pytest.mark.parametrize("cell", DEPTH)
def test_numbers(cell: str, tmp_path: Path) -> None:
    locale, expected = DEPTH[cell]
    tree, found = session(tmp_path, f'Y1,S1,done,2026-03-04,"{cell}",', locale=locale)
    assert [p.what for p in found] == [expected] or str(tree["depth"]) == expected
    assert all(p.where.endswith("sessions.csv: row 2, column depth") for p in found)


@pytest.mark.parametrize(("locale", "such"), [("", "0.50"), ("en", "0.50"), ("it", "0,50")])
def test_a_number_is_asked_for_as_it_is_written_there(locale: str, such: str, tmp_path: Path) -> None:
    _, found = session(tmp_path, 'Y1,S1,done,2026-03-04,"4 mm",', locale=locale)
    assert [p.expected for p in found] == [f"digits such as {such}, without a unit or separators of thousands"]


@pytest.mark.parametrize("cell", ["12", "1.0", "1,0", "x", "9" * 30])
def test_whole_numbers(cell: str, tmp_path: Path) -> None:
    tree, found = session(tmp_path, f'Y1,S1,done,2026-03-04,,"{cell}"')
    assert tree.get("points") == 12 if cell == "12" else [p.what for p in found] == ["not a whole number"]


@pytest.mark.parametrize(
    ("cell", "locale", "value"),
    [("true", "", True), ("FALSE", "", False), ("yes", "en", True), ("sì", "it", True), ("SI", "it", True),
     ("no", "it", False), ("VERO", "it", True), ("yes", "", None), ("sì", "en", None), ("1", "", None)],
)  # fmt: skip
def test_yes_and_no(cell: str, locale: str, value: bool | None, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        PATIENTS: "key\nP1\n",
        "findings.csv": f"patient,key,kind,controlled\nP1,F1,open-wound,{cell}\n",
    }
    [item] = read(tmp_path / "c", files, locale=locale)
    if value is None:
        assert [p.what for p in item.faults] == ["not yes or no"]
    else:
        assert item.history is not None
        assert item.history.findings[0].controlled is value


@pytest.mark.parametrize(
    ("text", "cell"),
    [("=1+1", "'=1+1"), ("+39", "'+39"), ("-5", "'-5"), ("@a", "'@a"), ("\ta", "'\ta"), ("\ra", "'\ra"), ("'a", "''a"),
     (r"\N", r"\\N"), (r"\\N", r"\\\N"), (r"\n", r"\n"), ("a=b", "a=b"), ("2026-03-04", "2026-03-04")],
)  # fmt: skip
def test_texts_that_look_like_something_else(text: str, cell: str) -> None:
    assert cells.show(text) == cell
    assert cells.read(cell, TABLES["patients"].columns["family"], Options()) == text


@given(st.one_of(st.text(), st.text("=+-@\t\r'\\N|\"", min_size=1)))
def test_every_text_is_read_as_it_was_written(text: str) -> None:
    column = TABLES["patients"].columns["family"]
    cell = cells.show(text)
    assert not cell.startswith(cells.FORMULA)
    if text and "\x00" not in text:
        assert cells.read(cell, column, Options()) == text


@given(st.lists(st.one_of(st.text(min_size=1), st.text("|\\N'=", min_size=1)), min_size=1))
def test_every_list_of_words_is_read_as_it_was_written(words: list[str]) -> None:
    column = TABLES["patients"].columns["given"]
    if not any("\x00" in w for w in words):
        assert cells.read(cells.show(words), column, Options()) == words


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=0).filter(
        lambda d: abs(d.adjusted()) < 90
    )
)
def test_every_number_keeps_its_digits(number: Decimal) -> None:
    column = TABLES["sessions"].columns["depth"]
    back = cells.read(cells.show(number), column, Options())
    assert (back, back.as_tuple().exponent) == (number, number.as_tuple().exponent)


@pytest.mark.parametrize(
    "options", [{"encoding": "hex"}, {"encoding": "klingon"}, {"locale": "fr"}, {"timezone": "Roma"}]
)
def test_unknown_options(options: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with pytest.raises(UsageError, match=next(iter(options))):
        formats.read(tmp_path / "c", format="csv", **options)

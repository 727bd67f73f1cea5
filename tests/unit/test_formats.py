"""Reading and writing as such: names, places, streams, spools, and files that are there whole or not at all."""

import gc
import io
import json
import os
import stat
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofhir import formats
from mesofhir.errors import InvalidInput, Problem, UsageError
from mesofhir.fhir import exactjson
from mesofhir.formats import Item, json_values
from mesofhir.formats.json_values import of_file
from mesofhir.formats.options import Options
from mesofhir.mapping import Clinic
from mesofhir.records import TreatmentHistory, decode, plain

CLINIC = Clinic("https://clinic.example/mesotherapy")
P1, P2 = decode({"key": "P1"}), decode({"key": "P2", "family": "Rossi"})


def items(path: Path, **options: Any) -> list[Item]:
    with formats.read(path, **options) as source:
        return list(source)


def faults(path: Path, **options: Any) -> list[Problem]:
    return [p for i in items(path, **options) for p in i.faults]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where spools are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.json", "json"), ("A.JSON", "json"), ("a.ndjson", "ndjson"), ("a.bundle.json", "bundle"),
     ("a.bundles", "bundle"), ("a.bundles/", "bundle"), ("a.fhir.ndjson", "fhir"), ("a/", "csv"), ("a.json/", "csv")],
)  # fmt: skip
def test_a_destination_tells_its_format(name: str, format: str) -> None:
    assert formats.registry.of_destination(name, Path("/nowhere") / name).name == format


@pytest.mark.parametrize("name", ["-", "a", "a.xml", "a.csv", "a.json.kept.ndjson"])
def test_a_name_that_tells_none_names_them_all(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        formats.write(name if name == "-" else tmp_path / name, [], stdout=io.BytesIO())
    if not name.endswith(".kept.ndjson"):
        assert "--to" in str(caught.value)
        assert all(known in str(caught.value) for known in formats.formats())
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "both").mkdir()
    for name in ("a.csv", "both/patients.csv", "both/x.ndjson"):
        (tmp_path / name).touch()
    for name, format, words in [
        ("a.json", "", "no such file"), ("a.csv", "", "CSV is a folder"), ("a.csv", "csv", "name the folder"),
        ("empty", "", "--from"), ("both", "", "several formats"), ("empty", "json", "a folder"),
        ("a.csv", "x", "no such format"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=words):
            formats.read(tmp_path / name, format=format)


def test_fhir_needs_a_clinic(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"entry": [], "resourceType": "Bundle"}')
    for run in (
        lambda: items(tmp_path / "a.json"),
        lambda: formats.write(tmp_path / "b.fhir.ndjson", [P1]),
        lambda: formats.write(tmp_path / "b.bundle.json", [P1]),
    ):
        with pytest.raises(UsageError, match="--namespace"):
            run()
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


# --- JSON ---------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text('"\\[]{},:\n é', max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text('"\\[],é', max_size=3), inner, max_size=3)
    ),
)


@given(st.lists(JSON), st.integers(1, 9), st.sampled_from([None, 0, 3]), st.booleans())
def test_a_list_is_read_item_by_item(given: list[Any], chunk: int, indent: int | None, ascii: bool) -> None:
    text = json.dumps(given, indent=indent, ensure_ascii=ascii).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "CHUNK", chunk)
        found = list(of_file(io.BytesIO(text), Options(), "x"))
    assert [v.faults for v in found] == [()] * len(given)
    assert [v.data for v in found] == [exactjson.decode(exactjson.encode(x)) for x in given]


BROKEN_LISTS = {
    '[{"key": "P1"},\n {"key": "P2",}]': ("line 2, column 15, $[1]", "a comma stands before }"),
    '[{"key": "P1"},\n\n {"key" "P2"}]': ("line 3, column 9, $[1].key", "found text"),
    '[{"key": "P1"},, {"key": "P2"}]': ("line 1, column 16", "a value is missing before ,"),
    '[{"key": "P1"},]': ("line 1, column 16", "a value is missing before ]"),
    '[{"key": "P1"}': ("line 1, column 2", "the input ends too early"),
    '[{"key": "P1}]': ("line 1, column 2", "the input ends too early"),
    '[{"key": "P1"}] x': ("line 1, column 17", "something follows the JSON value"),
    '[{"key": "P1", "key": "P2"}]': ("line 1, column 16, $[0]", 'the key "key" stands twice in one object'),
    '\n {"key": "P1"': ("line 2, column 14, $.key", "the input ends too early"),
    "": ("line 1, column 1", "the input is empty"),
}


@pytest.mark.parametrize("text", BROKEN_LISTS)
def test_broken_json_is_told_with_its_place(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    place, what = BROKEN_LISTS[text]
    [found] = faults(tmp_path / "a.json")
    assert (found.where, found.what) == (f"{tmp_path}/a.json: {place}", what)


def test_places_in_json(tmp_path: Path) -> None:
    cycle = {"key": "Y1", "status": "running", "start": "2026-03-04T10:30", "site": "knees"}
    (tmp_path / "a.json").write_text(json.dumps([{"key": "P1"}, {"key": "P2", "cycles": [cycle]}]))
    (tmp_path / "a.ndjson").write_text(
        '{"key": "P1"}\n\n{"key": 2}\n[\n' + json.dumps({"key": "P3", "cycles": [cycle]})
    )
    assert [p.where for p in faults(tmp_path / "a.json")] == [f"{tmp_path}/a.json: $[1].cycles[0].start"]
    found = faults(tmp_path / "a.json", timezone="Europe/Rome")
    assert [p.where for p in found] == [f"{tmp_path}/a.json: $[1].cycles[0].site"]
    found = faults(tmp_path / "a.ndjson", timezone="Europe/Rome")
    assert [p.where.removeprefix(f"{tmp_path}/a.ndjson: ") for p in found] == [
        "line 3: $.key", "line 4, column 2, $[0]", "line 5: $.cycles[0].site",
    ]  # fmt: skip


def test_what_fhir_cannot_carry_is_told_for_a_clinic(tmp_path: Path) -> None:
    cycle = {"key": "Y1", "status": "planned", "outcome": "improved"}
    (tmp_path / "a.json").write_text(json.dumps({"key": "P1", "cycles": [cycle]}))
    assert not faults(tmp_path / "a.json")
    assert [p.where for p in faults(tmp_path / "a.json", clinic=CLINIC)] == [f"{tmp_path}/a.json: $.cycles[0].outcome"]


def test_local_times_get_the_zone_that_was_named(tmp_path: Path) -> None:
    session = {"key": "S1", "status": "planned", "moved_from": ["2026-07-01T09:00", "2026-07-02"]}
    tree = {"key": "P1", "cycles": [{"key": "Y1", "status": "planned", "sessions": [session]}]}
    (tmp_path / "a.json").write_text(json.dumps(tree))
    [item] = items(tmp_path / "a.json", timezone="Europe/Rome")
    assert item.history is not None
    assert item.history.cycles[0].sessions[0].moved_from == ["2026-07-01T09:00:00+02:00", "2026-07-02"]
    [found] = faults(tmp_path / "a.json")
    assert found.where.endswith("$.cycles[0].sessions[0].moved_from[0]")
    assert "--timezone" in found.hint


def test_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes('[{"key": "P1", "family": "Niccolò"}]'.encode("utf-16"))
    (tmp_path / "a.ndjson").write_bytes('{"key": "P1", "family": "Niccolò"}'.encode("cp1252"))
    for name, encoding in (("a.json", "utf-16"), ("a.ndjson", "cp1252")):
        [item] = items(tmp_path / name, encoding=encoding)
        assert item.history is not None
        assert item.history.family == "Niccolò"
        [found] = faults(tmp_path / name)
        assert f"--encoding {encoding}" in found.hint
    [found] = faults(tmp_path / "a.json", encoding="ascii")
    assert found.where == f"{tmp_path}/a.json: line 1, byte offset 0"


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "folder"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_an_encoding_whose_byte_order_nobody_tells(tmp_path: Path, name: str, encoding: str) -> None:
    text, place = '{"key": "P1"}\n', tmp_path / name
    if name == "folder":
        text, place = "key\nP1\n", tmp_path / "folder" / "patients.csv"
        place.parent.mkdir()
    place.write_bytes(text.encode(f"{encoding}-le"))
    [found] = faults(tmp_path / name, encoding=encoding)
    assert found.what == "no byte order mark"
    assert f"--encoding {encoding}-le" in found.hint
    assert len(items(tmp_path / name, encoding=f"{encoding}-le")) == 1


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    cycle = {"key": "Y1", "status": "planned", "interval": Decimal("0.50"), "interval_unit": "wk"}
    formats.write(tmp_path / "a.json", [decode({"key": "P1", "cycles": [cycle]})])
    assert b'"interval": 0.50' in (tmp_path / "a.json").read_bytes()


# --- keys of the whole source -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_a_key_in_two_histories_is_refused(name: str, tmp_path: Path) -> None:
    one = {"key": "P1", "conditions": [{"key": "C1"}]}
    text = json.dumps([one, {**one, "key": "P2"}]) if name == "a.json" else f"{json.dumps(one)}\n{json.dumps(one)}"
    (tmp_path / name).write_text(text)
    with formats.read(tmp_path / name) as source:
        for _ in range(2):  # also when it is read again
            first, second = source
            assert not first.faults
            assert second.faults[-1].where.endswith(
                "$[1].conditions[0].key" if name == "a.json" else "line 2: $.conditions[0].key"
            )
            assert (
                second.faults[-1].what == "the same key twice in one table"[:12]
                or "the same key" in second.faults[-1].what
            )


@pytest.mark.parametrize(("family", "good"), [("Rossi", True), ("Bianchi", False)])
def test_practitioners_are_shared_if_they_are_the_same(family: str, good: bool, tmp_path: Path) -> None:
    histories = [
        {"key": key, "practitioners": [{"key": "D1", "family": name}],
         "exclusions": [{"key": f"X{key}", "kind": "pregnancy", "recorder": "D1"}]}
        for key, name in (("P1", "Rossi"), ("P2", family))
    ]  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(histories))
    found = faults(tmp_path / "a.json")
    assert [p.where for p in found] == ([] if good else [f"{tmp_path}/a.json: $[1].practitioners[0].key"])
    for name in ("c/", "a.fhir.ndjson"):
        with nullcontext() if good else pytest.raises(InvalidInput, match="D1"):
            formats.write(f"{tmp_path}/{name}", map(decode, histories), clinic=CLINIC)


# --- streams ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["json", "ndjson", "bundle", "fhir"])
def test_standard_input_and_output(format: str) -> None:
    out = io.BytesIO()
    formats.write("-", [P2], format=format, clinic=CLINIC, stdout=out)
    with formats.read("-", format=format, clinic=CLINIC, stdin=io.BytesIO(out.getvalue())) as source:
        for _ in range(2):
            assert [i.history for i in source] == [P2]
    with pytest.raises(UsageError, match="folder"):
        formats.write("-", [P2], format="csv", stdout=out)


def test_a_pipe_is_read_twice_and_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.json")
    writer = threading.Thread(target=formats.write, args=(tmp_path / "p.json", [P1, P2]))
    writer.start()
    with formats.read(tmp_path / "p.json") as source:
        writer.join()
        assert [i.history for i in source] == [i.history for i in source] == [P1, P2]
    assert stat.S_ISFIFO((tmp_path / "p.json").stat().st_mode)


def many(n: int) -> Iterator[TreatmentHistory]:
    return (decode({"key": f"P{i:06}", "conditions": [{"key": f"C{i}", "note": "x" * 500}]}) for i in range(n))


@pytest.mark.parametrize(("name", "n"), [("a.json", 2000), ("a.ndjson", 2000), ("c/", 1500), ("a.fhir.ndjson", 400)])
def test_one_history_in_memory_at_a_time(name: str, n: int, tmp_path: Path) -> None:
    fhir = "fhir" in name

    def peak(n: int) -> int:
        tracemalloc.start()
        formats.write(f"{tmp_path}/{name}", many(n), clinic=CLINIC)
        with formats.read(
            tmp_path / name, format="csv" if name == "c/" else "", clinic=CLINIC if fhir else None
        ) as source:
            assert sum(i.history is not None for i in source) == n
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(20)  # what is made once, such as the pictures
    few, lots = peak(n // 10), peak(n)
    assert lots < few + 800_000  # the handles are cached, some hundred bytes each


# --- what is there whole or not at all ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "c/", "a.fhir.ndjson", "a.bundle.json", "a.bundles"])
def test_a_write_that_fails_leaves_what_was_there(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    formats.write(f"{tmp_path}/{name}", [P1], clinic=CLINIC)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def failing() -> Iterator[Item]:
        yield Item.of(P2)
        yield Item("x", faults=[Problem("x: row 3", "broken")])

    with pytest.raises(InvalidInput, match="row 3"):
        formats.write(f"{tmp_path}/{name}", failing(), clinic=CLINIC)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert stat.S_IMODE(place.stat().st_mode) == (0o700 if place.is_dir() else 0o600)


def test_several_histories_are_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.bundles"):
        formats.write(tmp_path / "a.bundle.json", [P1, P2], clinic=CLINIC)
    assert not list(tmp_path.iterdir())
    written = formats.write(tmp_path / "a.bundles", [P1, P2], clinic=CLINIC)
    assert (written.histories, written.resources, len(list((tmp_path / "a.bundles").iterdir()))) == (2, 2, 2)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "d.json").mkdir()
    (tmp_path / "f").touch()
    for place, format in ((tmp_path / "no" / "a.json", ""), (tmp_path / "d.json", "json"), (tmp_path / "f", "csv")):
        with pytest.raises(UsageError, match=str(place)):
            formats.write(place, [P1], format=format)


def test_a_source_may_be_its_own_destination(tmp_path: Path) -> None:
    for name, format in (("a.json", "json"), ("c", "csv")):
        formats.write(tmp_path / name, [P1, P2], format=format)
        with formats.read(tmp_path / name, format=format) as source:
            formats.write(tmp_path / name, (i for i in source if i.history != P1), format=format)
        assert [plain(i.history) for i in items(tmp_path / name, format=format) if i.history] == [plain(P2)]


# --- the spool ----------------------------------------------------------------------------------------------


def test_the_spool_is_private_and_removed(temporary: Path, tmp_path: Path) -> None:
    formats.write(tmp_path / "c", [P1, P2], format="csv")
    assert not list(temporary.iterdir())
    source = formats.read(tmp_path / "c", format="csv")
    next(iter(source))
    [folder] = temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    source.close()
    source.close()
    assert not list(temporary.iterdir())


def test_the_spool_is_removed_without_being_closed(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"entry": [], "resourceType": "Bundle"}')
    with pytest.raises(UsageError):
        list(formats.read(tmp_path / "a.json"))
    for _ in formats.read("-", format="ndjson", stdin=io.BytesIO(b'{"key": "P1"}')):
        assert list(temporary.iterdir())
    gc.collect()
    assert not list(temporary.iterdir())

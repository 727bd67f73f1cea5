"""Obvious mistakes: words and an exit code, never a traceback, and nothing on the network."""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main

NAMESPACE = "https://clinic.example/m"
SERVER = "https://fhir.example.org/r4"
HISTORY: dict[str, Any] = {
    "key": "P1",
    "synthetic": True,
    "family": "Zqxcanary",
    "conditions": [{"key": "D1", "condition": "chronic-low-back-pain", "onset": "2023-11"}],
}


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A folder of its own, and a network whose every use is a failure."""
    tried: list[Any] = []

    def refuse(*args: Any, **kwargs: Any) -> None:
        tried.append(args)
        raise AssertionError("the network was used")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for name in [n for n in os.environ if n.startswith("MESOFHIR_")]:
        monkeypatch.delenv(name)
    yield tried
    assert not tried


def run(*args: str, code: int, namespace: str = NAMESPACE, input: bytes | None = None) -> Result:
    env = {"MESOFHIR_NAMESPACE": namespace} if namespace else {}
    result = CliRunner().invoke(main, args, env=env, input=input)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert "Zqxcanary" not in result.stderr
    return result


def source(*histories: dict[str, Any], name: str = "clinic.json") -> str:
    Path(name).write_text(json.dumps(list(histories) or [HISTORY]), encoding="utf-8")
    return name


# --- usage --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["check", "x.json"], ["push", "x.json", SERVER], ["pull", SERVER, "y.json"]])
def test_a_namespace_is_needed_and_how_to_give_it(args: Sequence[str]) -> None:
    result = run(*args, code=2, namespace="")
    for words in ("error: the clinic's namespace", "--namespace URI", "MESOFHIR_NAMESPACE", "mesofhir.toml"):
        assert words in result.stderr


def test_fhir_needs_a_namespace() -> None:
    assert "--namespace" in run("convert", source(), "x.fhir.ndjson", code=2, namespace="").stderr
    assert not Path("x.fhir.ndjson").exists()


@pytest.mark.parametrize("namespace", ["clinic", "https://clinic.example/", "https://a b", "https://a.b/x?y"])
def test_a_namespace_that_is_none(namespace: str) -> None:
    assert "absolute URI" in run("push", source(), SERVER, code=2, namespace=namespace).stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["push"], "Missing argument 'SRC'"),
        (["push", "clinic.json"], "Missing argument 'SERVER'"),
        (["push", "gone.json", SERVER], "gone.json: no such file"),
        (["push", "clinic.json", "hospital"], "no server is called 'hospital'"),
        (["push", SERVER, "clinic.json"], "`push SRC SERVER`"),
        (["pull", "clinic.json", SERVER], "`pull SERVER DST`"),
        (["support-bundle", "https://fhir.example.org/r4"], "support-bundle support.json SERVER"),
        (["push", "clinic.json", "ftp://x.example"], "ftp"),
        (["push", "clinic.json", "https://user:Zqxcanary@x.example"], "credentials"),
        (["push", "clinic.json", "http://fhir.example.org"], "--allow-http"),
        (["pull", "http://fhir.example.org", "x.json"], "--allow-http"),
        (["server", "check", "http://fhir.example.org"], "--allow-http"),
        (["server", "check", "nobody"], "no server is called"),
        (["push", "clinic.json", SERVER, "--auth", "password"], "'--auth'"),
        (["push", "clinic.json", SERVER, "--jobs", "0"], "--jobs"),
        (["push", "clinic.json", SERVER, "--pasword", "Zqx"], "--pasword"),
        (["push", "clinic.json", SERVER, "--config", "gone.toml"], "gone.toml"),
        (["push", "clinic.json", SERVER, "--report", "gone/r.ndjson"], "gone/r.ndjson"),
        (["push", "clinic.json", SERVER, "--report", "-"], "--report"),
        (["push", "clinic.json", SERVER, "--report", "./clinic.json"], "name another file"),
        (["pull", SERVER, "x.json", "--report", "x.json"], "name another file"),
        (["push", "clinic.json", SERVER, "--from", "xlsx"], "no such format"),
        (["push", "clinic.json", SERVER, "--encoding", "utf-9"], "--encoding"),
        (["push", "clinic.json", SERVER, "--timezone", "Rome"], "--timezone"),
        (["push", "clinic.json", SERVER, "--locale", "xx"], "--locale"),
        (["convert", "clinic.json", "x.pdf"], "--to"),
        (["convert", "clinic.json", "-"], "--to"),
        (["convert", "clinic.json", "gone/x.json"], "gone/"),
        (["pull", SERVER, "x.pdf"], "--to"),
        (["pull", SERVER, "x.json", "--patients", "gone.txt"], "gone.txt"),
        (["pull", SERVER, "x.json", "--patients", "empty.txt"], "names no patient"),
        (["schema", "x"], "unexpected extra argument"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_usage_that_cannot_be_carried_out(args: list[str], words: str) -> None:
    source()
    Path("empty.txt").write_text("\n \n")
    result = run(*args, code=2)
    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_a_secret_that_others_can_read() -> None:
    Path("token").write_text("Zqxcanary")
    Path("token").chmod(0o640)
    result = run("push", source(), SERVER, "--auth", "bearer", "--secret-file", "token", code=2)
    assert "chmod 600 token" in result.stderr


def test_a_real_history_and_a_public_sandbox() -> None:
    real = {k: v for k, v in HISTORY.items() if k != "synthetic"} | {"key": "P2", "conditions": []}
    result = run("push", source(HISTORY, real), "https://hapi.fhir.org/baseR4", code=2)
    assert "P2 is not marked `synthetic`" in result.stderr


# --- input --------------------------------------------------------------------------------------------------

GOOD = json.dumps(HISTORY)
BROKEN = {
    "empty": b"",
    "cut": GOOD[:-9].encode(),
    "twice a key": GOOD.replace('"family"', '"key"').encode(),
    "NaN": GOOD.replace('"Zqxcanary"', "NaN").encode(),
    "deep": b"[" * 1000 + b"]" * 1000,
    "latin-1": GOOD.replace("Zqx", "\u00e0").encode("latin-1"),
    "utf-16": GOOD.encode("utf-16"),
    "a text": b'"Zqxcanary"',
    "a number": b"1",
    "nothing": b"null",
    "an unknown field": GOOD.replace('"family"', '"familly"').encode(),
    "a text for a number": GOOD.replace('"2023-11"', "202311").encode(),
    "no such day": GOOD.replace('"2023-11"', '"2023-02-30"').encode(),
    "an unknown word": GOOD.replace("chronic-low-back-pain", "Zqxcanary").encode(),
    "a doubled key": json.dumps([HISTORY, HISTORY]).encode(),
    "no key": b'{"synthetic": true}',
    "a null byte": b"\0",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("verb", ["push", "check", "convert"])
@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_malformed_json_is_placed_and_nothing_is_done(verb: str, data: bytes) -> None:
    Path("bad.json").write_bytes(data)
    more = {"push": [SERVER, "--create-people"], "check": [], "convert": ["out.ndjson"]}[verb]
    result = run(verb, "bad.json", *more, code=3)
    assert "error: bad.json" in result.stderr
    assert result.stdout == "" or verb == "check"
    assert not Path("out.ndjson").exists()


@pytest.mark.parametrize(
    "text",
    [
        "key,familly\nP1,Zqxcanary\n",
        "key,family\nP1,Zqxcanary,more\n",
        "key,family\nP1,Zqxcanary\nP1,Zqxcanary\n",
        "key,gender\nP1,Zqxcanary\n",
        "key,key\nP1,P1\n",
        'key,family\nP1,"Zqxcanary\n',
        "family\nZqxcanary\n",
        "key,birth_date\nP1,03/04/2026\n",
    ],
)
def test_malformed_csv_is_placed_and_nothing_is_sent(text: str) -> None:
    Path("csv").mkdir()
    Path("csv/patients.csv").write_text(text)
    result = run("push", "csv", SERVER, code=3)
    assert "error: csv/patients.csv" in result.stderr


def test_standard_input_is_checked_as_well() -> None:
    result = run("push", "-", SERVER, "--from", "json", code=3, input=b'{"key": 1}')
    assert "error: standard input" in result.stderr


def test_one_invalid_history_stops_all() -> None:
    bad = HISTORY | {"key": "P2", "gender": "Zqxcanary", "conditions": []}
    result = run("push", source(HISTORY, bad), SERVER, "--report", "r.ndjson", code=3)
    assert "clinic.json: $[1].gender" in result.stderr
    assert "nothing was sent" in result.stderr
    [line] = map(json.loads, Path("r.ndjson").read_text().splitlines())
    assert line["where"] == "clinic.json: $[1].gender"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["push", "clinic.json", SERVER], "interrupted: nothing was sent"),
        (["convert", "clinic.json", "x.ndjson"], "interrupted: nothing was written"),
        (["check", "clinic.json"], "interrupted: nothing was changed; not all was checked"),
    ],
)
def test_ctrl_c_before_anything_was_done(args: list[str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mesofhir.formats import Item

    def interrupted(self: Any, clinic: Any) -> None:
        raise KeyboardInterrupt

    source()
    monkeypatch.setattr(Item, "judge", interrupted)
    assert f"error: {words}\n" in run(*args, code=130).stderr
    assert not Path("x.ndjson").exists()


def test_nothing_of_this_clinic() -> None:
    Path("empty.json").write_text("[]")
    for verb in (["check", "empty.json"], ["push", "empty.json", SERVER], ["convert", "empty.json", "x.ndjson"]):
        result = run(*verb, code=0)
        assert "0 histories; 0 read" in result.stderr
        assert "namespace?" not in result.stderr


@pytest.mark.parametrize("verb", [["check"], ["push", SERVER], ["convert", "x.json"]], ids=lambda v: v[0])
@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("night.ndjson", b"", "one history a line"),
        ("night.ndjson", b"\xef\xbb\xbf \n\r\n\t\n", "one history a line"),
        ("night.fhir.ndjson", b"", "one resource a line"),
        ("night/patients.csv", b"", "a row in patients.csv"),
        ("night/patients.csv", b"key,family\r\n\r\n", "a row in patients.csv"),
    ],
)
def test_an_empty_source_is_a_failed_export(verb: Sequence[str], name: str, content: bytes, expected: str) -> None:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    result = run(verb[0], name.removesuffix("patients.csv"), *verb[1:], code=3)
    assert "error: night" in result.stderr
    assert f": empty: no history in it; expected {expected}" in result.stderr
    assert not Path("x.json").exists()


def test_a_csv_folder_wants_its_slash() -> None:
    assert "end its name with / or use --to csv" in run("convert", source(), "newfolder", code=2).stderr


def _born(text: str, code: int) -> str:
    Path("clinic").mkdir(exist_ok=True)
    Path("clinic/patients.csv").write_text(f"key,birth_date\nP1,{text}\n")
    return run("convert", "clinic/", "-", "--to", "ndjson", "--locale", "it", code=code).output


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("05/1980", "1980-05"),
        ("5.1980", "1980-05"),
        ("1980", "1980"),
        ("4/3/1980", "1980-03-04"),
        ("1980-05", "1980-05"),
    ],
)
def test_italian_dates(text: str, date: str) -> None:
    assert f'"birth_date":"{date}"' in _born(text, 0)


@pytest.mark.parametrize("text", ["13/1980", "5/80", "4/3/80", "31/02/1980", "maggio 1980"])
def test_wrong_italian_dates_name_the_italian_form(text: str) -> None:
    said = _born(text, 3)
    assert "dd/mm/yyyy" in said
    assert text not in said


def test_fhir_without_anything_of_ours() -> None:
    Path("theirs.fhir.ndjson").write_text('{"resourceType":"Patient","id":"1"}\n')
    assert "is that the right namespace?" in run("push", "theirs.fhir.ndjson", SERVER, code=0).stderr


def test_very_many_errors_are_counted_and_all_in_the_report() -> None:
    bad = [HISTORY | {"key": f"P{n}", "gender": "x", "conditions": []} for n in range(80)]
    result = run("check", source(*bad), "--report", "r.ndjson", code=3)
    assert "error: … and 30 more (all in r.ndjson)" in result.stderr
    assert len(Path("r.ndjson").read_text().splitlines()) == 80


# --- what works without a network ---------------------------------------------------------------------------


def test_check_counts_and_validates() -> None:
    result = run("check", source(), code=0)
    assert result.stdout.split() == ["1", "Condition", "1", "Patient"]
    assert "1 read = 1 mapped + 0 kept + 0 refused" in result.stderr


def test_check_names_the_field_of_the_record_and_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    from mesofhir.errors import Problem
    from mesofhir.formats import judging

    def wrong(resource: Any, where: str = "$") -> list[Problem]:
        return [Problem("$.code", "missing")] if resource["resourceType"] == "Condition" else []

    monkeypatch.setattr(judging, "validate", wrong)
    result = run("check", source(), code=3)
    assert "error: clinic.json: $[0].conditions[0].condition: missing (FHIR: Condition $.code)" in result.stderr


@pytest.mark.parametrize("form", ["x.ndjson", "x.fhir.ndjson", "x.bundle.json", "x.bundles", "folder/"])
def test_convert_there_and_back(form: str) -> None:
    before = source(HISTORY | {"key": "P'1"}, name="before.json")
    verb = "export" if form == "x.ndjson" else "convert"
    assert "wrote " in run(verb, before, form, code=0).stderr
    run("convert", form, "after.json", code=0)
    run("convert", before, "same.json", code=0)
    assert Path("after.json").read_bytes() == Path("same.json").read_bytes()


def test_convert_to_standard_output_and_nothing_else_there() -> None:
    result = run("convert", source(), "-", "--to", "ndjson", code=0)
    assert json.loads(result.stdout) == HISTORY
    assert "mapped" in result.stderr


def test_quiet_is_quiet() -> None:
    result = run("convert", source(), "x.ndjson", "-q", code=0)
    assert result.output == ""


def test_what_no_record_holds_is_counted_kept_and_reported() -> None:
    run("convert", source(), "x.fhir.ndjson", code=0)
    lines = [json.loads(line) for line in Path("x.fhir.ndjson").read_text().splitlines()]
    for line in lines:
        if line["resourceType"] == "Condition":
            line["stage"] = [{"summary": {"text": "Zqxcanary"}}]
    lines.append({"resourceType": "Basic", "id": "b1", "code": {"text": "Zqxcanary"}})
    Path("x.fhir.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = run("convert", "x.fhir.ndjson", "y.json", "--report", "r.ndjson", code=0)
    assert "3 read = 2 mapped + 1 kept + 0 refused" in result.stderr
    assert "in no record: Condition.stage.summary.text (1 time)" in result.stderr
    assert "y.json.kept.ndjson" in result.stderr
    report = Path("r.ndjson").read_text()
    assert "Zqxcanary" not in report
    said = [json.loads(line) for line in report.splitlines()]
    assert {line.get("path") for line in said if "noted" in line} == {"$.stage[0].summary.text"}
    assert [line["kept"] for line in said if "kept" in line] == ["Basic/b1"]
    if os.name == "posix":
        assert Path("r.ndjson").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize(
    "wrong", [{"resourceType": "Zqxcanary"}, {"id": "Zqxcanary Anna"}, {"id": {"a": "Zqxcanary"}}], ids=str
)
def test_what_stands_in_the_place_of_a_type_or_an_id_is_not_shown(wrong: dict[str, Any], ours: bool) -> None:
    x = {"resourceType": "Procedure", "id": "1", "status": "completed", **wrong}
    if ours:
        x["identifier"] = [{"system": f"{NAMESPACE}/sessions", "value": "S1"}]
    Path("x.fhir.ndjson").write_text(json.dumps(x), encoding="utf-8")
    for verb, *target in (["check"], ["convert", "out.json"]):
        report = Path(f"{verb}.ndjson")
        args = [verb, "x.fhir.ndjson", *target, "-v", "--namespace", NAMESPACE, "--report", str(report)]
        result = CliRunner().invoke(main, args)
        assert "1 kept" in result.output
        assert "Zqxcanary" not in result.output
        assert "Zqxcanary" not in report.read_text(encoding="utf-8")

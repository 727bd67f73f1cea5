"""The command line against real servers: what a user types, and what is then on the server and in the files."""

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main
from mesofhir.fhir.exactjson import decode, encode_pretty
from mesofhir.server import Server
from tests.servers import FhirServer

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, namespace: str, fhir_server: FhirServer) -> None:
    """A folder, a configuration and a namespace of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for name in [n for n in os.environ if n.startswith("MESOFHIR_")]:
        monkeypatch.delenv(name)
    Path("mesofhir.toml").write_text(f'namespace = "{namespace}"\n[servers.here]\nurl = "{fhir_server.url}"\n')


@pytest.fixture
def fhir(fhir_server: FhirServer) -> Iterator[Server]:
    with Server(fhir_server.url) as server:
        yield server


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result


def example(name: str = "antalgic-outpatient") -> dict[str, Any]:
    """An example whose people and namespace no other test has."""
    history = decode((EXAMPLES / f"{name}.json").read_bytes())
    unique = Path.cwd().name
    for person in (history, *history["practitioners"]):
        for identifier in person["identifiers"]:
            identifier["value"] += f"-{unique}-{os.getpid()}-{id(history)}"
    return history


def written(*histories: dict[str, Any], name: str = "clinic.json") -> str:
    Path(name).write_bytes(encode_pretty(histories if len(histories) > 1 else histories[0]))
    return name


def total(history: Any) -> int:
    """How many records a history has, without those who stand in it twice."""
    children = [x for v in history.values() if isinstance(v, list) for x in v if isinstance(x, dict) and "key" in x]
    return 1 + sum(map(total, children))


def test_there_and_back(fhir_server: FhirServer, fhir: Server) -> None:
    history = example()
    source = written(history)
    first = run("push", source, "here", "--create-people", "--report", "r.ndjson")
    report = [json.loads(line) for line in Path("r.ndjson").read_text().splitlines()]
    assert f"{len(report)} resources: {len(report)} created" in first.stderr
    references = {line["reference"] for line in report}
    assert len(references) == len(report) > total(history)

    again = run("push", source, "here")
    assert "created" not in again.stderr
    assert "changed" not in again.stderr.replace("unchanged", "")
    for reference in references:
        kind, _, number = reference.partition("/")
        assert [v.version for v in fhir.history(kind, number)] in (["1"], [fhir.read(kind, number).version])

    pulled = run("pull", "here", "back.json")
    assert f"1 history from {len(report)} resources; 0 kept in no record" in pulled.stderr
    run("convert", source, "sent.json")
    sent, back = (decode(Path(name).read_bytes()) for name in ("sent.json", "back.json"))
    if fhir_server.is_hapi:
        assert Path("back.json").read_bytes() == Path("sent.json").read_bytes()  # to the last decimal
    assert back == sent
    for form in ("csv/", "back.fhir.ndjson", "back.bundle.json"):
        run("pull", "here", form)
        run("convert", form, "again.json")
        assert decode(Path("again.json").read_bytes()) == sent


def test_what_the_clinic_changes_and_what_the_ehr_adds(fhir_server: FhirServer, fhir: Server) -> None:
    history = example()
    run("push", written(history), "here", "--create-people", "--report", "r.ndjson")
    session = history["cycles"][0]["sessions"][0]
    lines = map(json.loads, Path("r.ndjson").read_text().splitlines())
    [name] = [x["reference"] for x in lines if (x["type"], x["key"]) == ("Procedure", session["key"])]
    body = fhir.read(*name.split("/")).body
    assert body
    note = {"authorString": "EHR", "text": "From the ward"}
    edited = body | {"note": [*body.get("note", ()), note], "location": {"display": "Ward 3"}}
    fhir.update(edited, version=body["meta"]["versionId"])
    session["follow_up"] = "Controllo telefonico"

    result = run("push", written(history), "here")
    assert "1 changed" in result.stderr
    assert f"note: sessions {session['key']} (Procedure) $.location.display: " in result.stderr
    pulled = run("pull", "here", "back.json", "--report", "held.ndjson")
    assert "in no record: Procedure.note.text (1 time)" in pulled.stderr
    assert "back.json.kept.ndjson: " in pulled.stderr
    assert "From the ward" in Path("back.json.kept.ndjson").read_text()
    assert "From the ward" not in Path("held.ndjson").read_text()
    back = decode(Path("back.json").read_bytes())["cycles"][0]["sessions"]
    assert [s["follow_up"] for s in back if s["key"] == session["key"]] == ["Controllo telefonico"]


def test_people_are_found_and_not_made(fhir_server: FhirServer, fhir: Server) -> None:
    history = example()
    result = run("push", written(history), "here", code=4)
    assert "error: history P1001 was stopped: patients P1001: the server has no such Patient" in result.stderr
    assert "1 history: 0 done, 1 stopped" in result.stderr
    people = [("Patient", history), *(("Practitioner", p) for p in history["practitioners"])]
    for kind, person in people:
        fhir.create({"resourceType": kind, "identifier": person["identifiers"]})
    found = run("push", written(history), "here")
    assert f"{len(people)} found" in found.stderr
    assert [h["key"] for h in [decode(Path(written_by_pull()).read_bytes())]] == ["P1001"]


def written_by_pull() -> str:
    run("pull", "here", "back.json", "--patient", "P1001")
    return "back.json"


def test_patients_that_are_asked_for(fhir_server: FhirServer) -> None:
    histories = [{"key": f"P{n}", "synthetic": True, "family": "Prova"} for n in range(5)]
    run("push", written(*histories), "here", "--create-people", "--jobs", "4")
    Path("cohort.txt").write_text("P1\nP3\n")
    run("pull", "here", "some.ndjson", "--patients", "cohort.txt")
    assert [json.loads(x)["key"] for x in Path("some.ndjson").read_text().splitlines()] == ["P1", "P3"]
    missing = run("pull", "here", "-", "--to", "ndjson", "--patient", "P2", "--patient", "P9", code=4)
    assert json.loads(missing.stdout)["key"] == "P2"
    assert "P9" in missing.stderr


def test_withdraw(fhir_server: FhirServer) -> None:
    source = written(example())
    run("push", source, "here", "--create-people", "--report", "r.ndjson")
    made = len(Path("r.ndjson").read_text().splitlines())
    for outcome in ("withdrawn", "unchanged"):
        result = run("push", source, "here", "--withdraw")
        assert f"{made} resources: {made - 3} {outcome}, 3 found" in result.stderr


def test_server_check(fhir_server: FhirServer, fhir: Server) -> None:
    said = fhir.capabilities()
    result = run("server", "check", "here")
    assert f"{fhir_server.url}: {said.software}" in result.stdout
    assert "FHIR 4.0.1" in result.stdout
    row, step = (line for line in result.stdout.splitlines() if line.startswith("CarePlan "))
    assert row.split() == ["CarePlan", *["yes"] * 7]
    assert step.split() == ["CarePlan", "transaction"]
    assert ("not listed, which is not a no: DetectedIssue, Goal" in result.stdout) == ("Goal" not in said.types)


def test_numbers_to_the_last_digit(fhir_server: FhirServer) -> None:
    history = example()
    mixture = history["cycles"][0]["sessions"][0]["mixtures"][0]
    mixture["volume"] = Decimal("2.500")
    run("push", written(history), "here", "--create-people")
    run("pull", "here", "back.json")
    back = decode(Path("back.json").read_bytes())["cycles"][0]["sessions"]
    [volume] = [m["volume"] for s in back for m in s.get("mixtures", ()) if m["key"] == mixture["key"]]
    assert volume == Decimal("2.5")
    assert str(volume) == ("2.500" if fhir_server.is_hapi else "2.5")


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_url_that_is_not_the_base(fhir_server: FhirServer, verb: str) -> None:
    wrong = f"{fhir_server.url}/nothere"
    args = [written(example()), wrong] if verb == "push" else [wrong, "back.json"]
    result = run(verb, *args, code=5)
    assert "is the URL the base of a FHIR server?" in result.stderr
    assert "POST" not in result.stderr
    assert not Path("back.json").exists()

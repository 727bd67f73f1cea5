"""Pull through the command line, with a library that says what we tell it to say."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import mesofhir.sync
from mesofhir.cli import main
from mesofhir.errors import Unreachable
from mesofhir.formats import Item
from mesofhir.mapping import Kept, Link
from mesofhir.records import decode
from mesofhir.server import Abilities, Capabilities, Server
from mesofhir.sync import PatientNotFound

SERVER = "https://fhir.example.org/r4"
NAMESPACE = "https://clinic.example/m"
Pulls = Callable[..., dict[str, Any]]
SILENT = Abilities(Capabilities())


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESOFHIR_NAMESPACE", NAMESPACE)
    monkeypatch.setattr(Server, "abilities", lambda self: SILENT)


@pytest.fixture
def pulls(monkeypatch: pytest.MonkeyPatch) -> Pulls:
    """Say what is on the server; what is asked of it stands in the dict that is given back."""

    def prepare(*items: Item | Exception) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def iter_pull(server: Any, clinic: Any, **options: Any) -> Iterator[Item]:
            asked.update(options)
            for item in items:
                if isinstance(item, Exception):
                    raise item
                yield item

        monkeypatch.setattr(mesofhir.sync, "iter_pull", iter_pull)
        return asked

    return prepare


def run(*args: str, code: int) -> Result:
    result = CliRunner().invoke(main, ["pull", SERVER, *args])
    assert result.exit_code == code, result.output
    return result


def item(key: str, **more: Any) -> Item:
    return Item.of(decode({"key": key, **more}))


def keys(path: str) -> Sequence[str]:
    return [json.loads(line)["key"] for line in Path(path).read_text().splitlines()]


def test_one_unreadable_history_stops_no_other(pulls: Pulls) -> None:
    ours = {"system": f"{NAMESPACE}/sessions", "value": "S"}
    theirs = {"resourceType": "Procedure", "id": "7", "identifier": [ours]}
    foreign = {"resourceType": "Procedure", "id": "8"}
    unread = Item("https://x/Patient/2", patient="P2", kept=[Kept(theirs, "no status"), Kept(foreign, "not ours")])
    asked = pulls(item("P1"), unread, item("P3"))
    result = run("back.ndjson", "--foreign", code=4)
    assert "error: https://x/Patient/2: Procedure/7: no status" in result.stderr
    assert "Procedure/8" not in result.stderr
    assert keys("back.ndjson") == ["P1", "P3"]
    assert len(Path("back.ndjson.kept.ndjson").read_text().splitlines()) == 2
    assert asked["foreign"] is True


@pytest.mark.parametrize("form", ["back.json", "back.fhir.ndjson"])
def test_a_history_that_no_push_would_take_is_kept_as_resources(pulls: Pulls, form: str) -> None:
    bad = item("P1", consents=[{"key": "C", "status": "active", "recorder": "nobody"}])
    bad.sources = {Link("Patient", "patients", "P1"): {"resourceType": "Patient", "id": "1"}}
    pulls(bad, item("P2"))
    result = run(form, code=4)
    assert "error: patient P1: consents C: recorder" in result.stderr
    assert "1 history from" in result.stderr
    kept = Path(form + ".kept.ndjson") if form == "back.json" else Path(form)
    assert '"id":"1"' in kept.read_text()


def test_patients_that_are_not_there(pulls: Pulls) -> None:
    asked = pulls(item("P1"), PatientNotFound("no history of this clinic on the server for: P9"))
    Path("cohort.txt").write_text("﻿P1\n\n  P9\n", encoding="utf-8")
    result = run("back.ndjson", "--patients", "cohort.txt", "--patient", "Patient/3", code=4)
    assert asked["patients"] == ["Patient/3", "P1", "P9"]
    assert "error: no history of this clinic on the server for: P9" in result.stderr
    assert keys("back.ndjson") == ["P1"]


def test_an_unreachable_server_leaves_what_was_there(pulls: Pulls) -> None:
    pulls(item("P1"), Unreachable("gone"))
    Path("back.json").write_text("before")
    assert "error: gone" in run("back.json", code=5).stderr
    assert Path("back.json").read_text() == "before"
    assert [p.name for p in Path().iterdir()] == ["back.json"]


def test_a_staff_of_several_histories_is_counted_once(pulls: Pulls) -> None:
    def of(key: str) -> Item:
        links = [Link("Patient", "patients", key), Link("Practitioner", "practitioners", "D1")]
        made = item(key)
        made.sources = {link: {"resourceType": link.kind, "id": link.key} for link in links}
        return made

    pulls(of("P1"), of("P2"))
    assert "2 histories from 3 resources" in run("back.ndjson", code=0).stderr


def test_only_data_on_standard_output(pulls: Pulls) -> None:
    pulls(item("P1"))
    result = run("-", "--to", "ndjson", code=0)
    assert json.loads(result.stdout) == {"key": "P1"}
    assert "1 history" in result.stderr


@pytest.mark.parametrize(("form", "asked"), [("back.json", ["--patient", "P9"]), ("back/", []), ("back.ndjson", [])])
def test_where_nothing_was_found_nothing_is_written(pulls: Pulls, form: str, asked: Sequence[str]) -> None:
    pulls(item("P1"))
    run(form, code=0)
    before = {p: p.read_bytes() for p in Path().rglob("*") if p.is_file()}
    pulls(*([PatientNotFound("no history of this clinic on the server for: P9")] if asked else []))
    result = run(form, *asked, code=4)
    assert "nothing was written" in result.stderr
    assert ("is that the right namespace?" in result.stderr) != bool(asked)
    assert ("no history of this clinic on the server for: P9" in result.stderr) == bool(asked)
    assert {p: p.read_bytes() for p in Path().rglob("*") if p.is_file()} == before


def test_nothing_on_standard_output_where_nothing_was_found(pulls: Pulls) -> None:
    pulls()
    assert run("-", "--to", "json", code=4).stdout == ""


def test_says_that_it_replaces(pulls: Pulls) -> None:
    note = Kept({"resourceType": "Procedure", "id": "8"}, "not ours")
    pulls(Item("x", item("P1", conditions=[{"key": "C"}]).history, kept=[note]))
    assert "in place of" not in run("back/", "--foreign", code=0).stderr
    pulls(item("P1"))
    result = run("back/", code=0)
    assert "back, in place of what was there (2 old files removed)\n" in result.stderr
    assert "removed " in result.stderr
    assert "back.kept.ndjson" in result.stderr
    run("back.json", code=0)
    assert "back.json, in place of what was there\n" in run("back.json", code=0).stderr
    assert "replaced as a whole" in " ".join(CliRunner().invoke(main, ["pull", "--help"]).stdout.split())

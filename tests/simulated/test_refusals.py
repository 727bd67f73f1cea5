"""Servers that declare what they then refuse: nothing else suffers by it, and what to do is told."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mesofhir.cli import main
from mesofhir.fhir.exactjson import encode_pretty
from tests.contract.histories import record, rich
from tests.simulated.engine import Kind
from tests.simulated.harness import CLINIC, became, of_kind, pushed, running
from tests.simulated.vendors import EPIC, HAPI, ORACLE


def without_bundles() -> dict[str, Any]:
    [rest] = HAPI.statement["rest"]
    return HAPI.statement | {"rest": [{k: v for k, v in rest.items() if k != "interaction"}]}


def no_procedures(x: dict[str, Any]) -> str:
    return "not supported" if x["resourceType"] == "Procedure" else ""


REFUSALS = [(405, "not-supported"), (422, "not-supported"), (403, "forbidden"), (501, "exception")]
SINGLE = Kind("one by one", without_bundles(), no_procedures)
BATCH = replace(ORACLE, refuses=no_procedures)
WHOLE = replace(HAPI, refuses=no_procedures, besides=())


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("kind", [SINGLE, BATCH], ids=lambda k: k.name)
def test_a_type_that_is_refused_stops_nothing_else(kind: Kind, refusal: tuple[int, str]) -> None:
    with running(replace(kind, refusal=refusal)) as (sim, server):
        result = pushed(server, rich())
        assert (result.code, result.stopped) == (4, "")
        assert of_kind(result, "Procedure") == {"refused"}
        assert "refused" not in {o for link, o in result.outcomes.items() if link.kind != "Procedure"}
        assert sim.all("Condition")
        assert not sim.all("Procedure")
        about = {line["refusal"] for line in result.lines() if line["outcome"] == "refused"}
        assert about == {"permission" if refusal[0] == 403 else "type"}


def test_a_transaction_says_whom_it_concerns() -> None:
    with running(replace(WHOLE, refusal=(422, "not-supported"))) as (sim, server):
        result = pushed(server, rich())
        assert (result.code, set(became(result))) == (4, {"created", "refused"})  # people are made before
        assert not sim.all("Condition")
        assert {(link.kind, r.why) for link, r in result.refusals.items()} == {("Procedure", "type")}


@pytest.mark.parametrize("kind", [SINGLE, BATCH, WHOLE], ids=lambda k: k.name)
def test_what_was_refused_is_filed_where_files_are_wanted(kind: Kind, tmp_path: Path) -> None:
    """And what is there already is not: neither what was taken, nor a change that was refused."""
    with running(replace(kind, refusal=(422, "not-supported"))) as (sim, server):
        tree = rich()
        result = pushed(server, tree, files=tmp_path)
        assert result.code == 4
        refused = {link for link, outcome in result.outcomes.items() if outcome == "refused"}
        assert {r.link for r in result.remarks if r.kind == "filed"} == refused
        assert filed(tmp_path) >= refused
        there = {link for x in sim.all("Condition") if (link := CLINIC.link_of(x))}
        assert not filed(tmp_path) & there


def filed(folder: Path) -> set[Any]:
    [file] = folder.iterdir()
    return {CLINIC.link_of(e["resource"]) for e in json.loads(file.read_text())["entry"]}


def test_a_change_that_is_refused_is_told_and_not_filed(tmp_path: Path) -> None:
    taken = HAPI.statement
    with running(Kind("no changes after all", taken)) as (sim, server):
        tree = rich()
        pushed(server, tree)
        sim.kind = replace(sim.kind, refuses=lambda x: "no" if x["resourceType"] == "Condition" else "")
        record(tree, "conditions")["note"] = "Da febbraio."
        result = pushed(server, tree, files=tmp_path)
        assert result.code == 4
        assert {(r.kind, r.method, r.why) for r in result.refusals.values()} == {("Condition", "update", "content")}
        assert list(tmp_path.iterdir()) == []


def test_a_summary_that_is_refused_is_filed_with_what_it_was_to_stand_for(tmp_path: Path) -> None:
    no_documents = replace(EPIC, refuses=lambda x: "no" if x["resourceType"] == "DocumentReference" else "")
    with running(no_documents) as (_, server):
        result = pushed(server, rich(), files=tmp_path)
        lost = {link for link, outcome in result.outcomes.items() if outcome in ("untaken", "refused")}
        assert {link.kind for link in lost} >= {"CarePlan", "Procedure", "DocumentReference"}
        assert filed(tmp_path) == lost


def test_the_command_says_what_to_do_and_doing_it_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    with running(replace(SINGLE, refusal=(405, "not-supported"))) as (sim, _):
        here = f'namespace = "{CLINIC.namespace}"\n[servers.here]\nurl = "{sim.url}"\n'
        Path("mesofhir.toml").write_text(here)
        Path("clinic.json").write_bytes(encode_pretty(rich()))
        run = CliRunner().invoke
        first = run(main, ["push", "clinic.json", "here", "--create-people"])
        assert first.exit_code == 4, first.output
        [start] = [n for n, line in enumerate(first.stderr.splitlines()) if "does not support all" in line]
        advice = first.stderr.splitlines()[start : start + 3]
        assert "of Procedure refused" in advice[0]
        Path("ours.toml").write_text("\n".join(advice[1:]))
        Path("mesofhir.toml").write_text(here + 'preset = "ours.toml"\n')
        assert "Procedure" in run(main, ["server", "check", "here"]).stdout
        second = run(main, ["push", "clinic.json", "here", "--create-people"])
        assert second.exit_code == 0, second.output
        assert "document" in second.stderr
        assert len(sim.all("DocumentReference")) == 1
        assert not sim.all("Procedure")

"""The steps of the plan on real servers: a preset makes them less than they are, and nothing is lost or doubled."""

import os
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main
from mesofhir.fhir.exactjson import encode_pretty
from mesofhir.server import find_preset
from tests.contract.harness import Place, client, outcomes, said
from tests.contract.histories import record, rich
from tests.servers import FhirServer

BATCHES = "transaction = false\nbatch = true\n"
SINGLES = "transaction = false\nbatch = false\n"
SEARCHED = SINGLES + "[others]\nconditional_create = false\n"


@pytest.fixture(params=[BATCHES, SINGLES, SEARCHED], ids=["batch", "single", "search"])
def preset(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / "less.toml"
    path.write_text(request.param)
    return str(path)


def test_every_step_brings_all_of_it_and_once(place: Place, preset: str) -> None:
    with client(place.fhir, preset=find_preset(preset)) as server:
        tree = rich()
        if not place.is_hapi:  # sekmet does not list them, and this preset does not say that it takes them
            tree |= {"findings": []}
            record(tree, "cycles").pop("goals")
        [first] = place.results(tree, server=server)
        assert (first.code, first.stopped) == (0, ""), said(first)
        assert set(outcomes(first)) == {"created"}
        assert set(place.links().values()) == {1}
        before = place.versions()
        [again] = place.results(tree, server=server)
        assert set(outcomes(again)) == {"unchanged", "found"}
        assert place.versions() == before
        record(tree, "allergies")["note"] = "Riferita dalla madre."
        [changed] = place.results(tree, server=server)
        assert outcomes(changed)["changed"] == 1
        assert Counter(place.versions().values()) == Counter(before.values()) - Counter([1]) + Counter([2])
    [item] = place.pull()
    assert not item.kept


@pytest.mark.parametrize("name", ["epic-like", "oracle-like", "danish-like"])
def test_the_commands(name: str, fhir_server: FhirServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for variable in [n for n in os.environ if n.startswith("MESOFHIR_")]:
        monkeypatch.delenv(variable)
    tree = rich()
    tree["identifiers"] = [{"system": "https://ehr.example/mrn", "value": str(uuid4())}]
    Path("clinic.json").write_bytes(encode_pretty(tree))

    def run(*words: str, code: int) -> Result:
        options = ("--preset", name, "--namespace", f"https://clinic.example/{tmp_path.name}-{os.getpid()}")
        done = CliRunner().invoke(main, [*words, *(options if words[0] != "server" else options[:2])])
        assert done.exit_code == code, done.output
        return done

    whole = name == "danish-like"
    run("server", "check", fhir_server.url, code=0 if whole and fhir_server.is_hapi else 4)
    first = run("push", "clinic.json", fhir_server.url, "--create-people", code=0)
    assert ("document" in first.stderr) == (not whole or not fhir_server.is_hapi)  # sekmet lists no Goal
    second = run("push", "clinic.json", fhir_server.url, "--create-people", code=0)
    assert "created" not in second.stderr
    assert "changed" not in second.stderr.replace("unchanged", "")

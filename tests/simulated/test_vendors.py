"""Each kind of server that has a preset: what goes there and how, what does not, and what a second push does."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mesofhir.cli import main
from mesofhir.fhir.exactjson import encode_pretty
from mesofhir.sync import Ledger
from tests.contract.histories import record, rich, small
from tests.simulated.engine import Kind
from tests.simulated.harness import (
    CLINIC,
    again,
    became,
    known,
    nothing_is_lost,
    of_kind,
    pull,
    push,
    pushed,
    running,
)
from tests.simulated.vendors import ATHENA, DANISH, EPIC, HAPI, ORACLE, PUBLIC, READ_ONLY, VENDORS


def provisional() -> dict[str, Any]:
    """A history of which Epic takes something: its condition is provisional."""
    tree = rich()
    record(tree, "conditions")["certainty"] = "provisional"
    return tree


@pytest.mark.parametrize("preset", ["", "its own"])
@pytest.mark.parametrize("name", VENDORS)
def test_nothing_undeclared_nothing_lost_nothing_twice(name: str, preset: str) -> None:
    with running(VENDORS[name], preset=name if preset else "") as (sim, server):
        tree = known(sim, provisional())
        foretold = pushed(server, tree, dry_run=True)
        assert sim.writes == []
        result = pushed(server, tree)
        if preset:
            assert foretold.outcomes == result.outcomes
        nothing_is_lost(sim, tree, result)
        again(sim, server, tree, result)
        pull(server)


@pytest.mark.parametrize("name", ["danish-like", "hapi"])
def test_a_server_that_takes_all(name: str) -> None:
    with running(VENDORS[name], preset=name) as (_, server):
        result = pushed(server, rich())
        assert (result.code, result.stopped) == (0, "")
        assert set(became(result)) == {"created"}
        [item] = pull(server)
        assert not item.kept
        assert item.sources.keys() == result.outcomes.keys()


@pytest.mark.parametrize("name", PUBLIC)
def test_servers_for_everybody_without_a_preset(name: str) -> None:
    """All of it goes, once; a change goes, once; it comes back as it went, and is withdrawn."""
    with running(PUBLIC[name]) as (sim, server):
        tree = rich()
        result = pushed(server, tree)
        assert (result.code, set(became(result))) == (0, {"created"})
        again(sim, server, tree, result)
        record(tree, "goals")["text"] = "NRS sotto 2"
        for dry in (True, False):
            changed = pushed(server, tree, dry_run=dry)
            assert (changed.code, of_kind(changed, "Goal"), changed.stopped) == (0, {"changed"}, "")
            assert became(changed)["changed"] == 1
        again(sim, server, tree, changed)
        [item] = pull(server)
        assert not item.kept
        assert item.sources.keys() == result.outcomes.keys()
        withdrawn = pushed(server, tree, withdraw=True)
        assert (withdrawn.code, became(withdrawn)["withdrawn"]) == (0, 30)


def test_epic_like() -> None:
    with running(EPIC, preset="epic-like") as (sim, server):
        result = pushed(server, provisional())
        assert (result.code, result.stopped) == (0, "")
        assert of_kind(result, "AllergyIntolerance") == {"created"}
        assert of_kind(result, "Condition") == {"created", "document"}  # what is not provisional is told, not sent
        assert of_kind(result, "CarePlan") == of_kind(result, "Procedure") == {"document"}
        assert of_kind(result, "Practitioner") == {"named"}
        assert of_kind(result, "DocumentReference") == {"created"}
        assert {w.split()[1] for w in sim.writes} == {"Patient", "AllergyIntolerance", "Condition", "DocumentReference"}
        [condition] = sim.all("Condition")
        assert condition["subject"]["reference"].startswith("Patient/s")
        why = {r.text for r in result.remarks if r.link.kind == "Condition"}
        assert why == {"the server takes a Condition only with verificationStatus provisional (preset epic-like)"}


def test_a_vendor_rule_that_no_preset_tells_concerns_one_resource_only() -> None:
    with running(EPIC) as (sim, server):
        result = pushed(server, rich())
        assert (result.code, result.stopped) == (4, "")
        assert of_kind(result, "Condition") == {"refused"}
        assert of_kind(result, "AllergyIntolerance") == of_kind(result, "DocumentReference") == {"created"}
        again(sim, server, rich(), result)


def test_oracle_like() -> None:
    with running(ORACLE, preset="oracle-like") as (sim, server):
        result = pushed(server, rich())
        assert (result.code, result.stopped) == (0, "")
        assert of_kind(result, "Condition") == of_kind(result, "AllergyIntolerance") == {"created"}
        assert of_kind(result, "Procedure") == {"created", "document"}  # only what is completed
        [done] = sim.all("Procedure")
        assert done["status"] == "completed"
        [part] = done["partOf"]
        assert "reference" not in part  # the cycle is not there: its identifier and name are (decision 10)
        assert part["identifier"]["value"] == "P1-Y1"
        assert part["display"]
        assert {r.path for r in sim.requests if r.method == "POST" and "_search" not in r.path} == {"/fhir"}  # batches


def test_a_stale_version_is_409_there() -> None:
    """An EHR adds something between our reading and our writing: it is read again, and what was added stays."""
    with running(ORACLE, preset="oracle-like") as (sim, server):
        tree = rich()
        pushed(server, tree)
        [condition] = sim.all("Condition")[:1]
        answer, raced = sim._bundle, []

        def bundle(body: dict[str, Any]) -> Any:
            if not raced and any(e["request"]["method"] == "PUT" for e in body["entry"]):
                raced.append(condition["id"])
                sim.store.put("Condition", condition["id"], condition | {"recordedDate": "2026-01-15"})
            return answer(body)

        sim._bundle = bundle  # type: ignore[method-assign]
        record(tree, "conditions")["note"] = "Da febbraio."
        result = pushed(server, tree)
        assert raced
        assert result.code == 0
        now = sim.store.now("Condition", condition["id"])
        assert now is not None
        assert (now["recordedDate"], now["note"][0]["text"]) == ("2026-01-15", "Da febbraio.")
        assert now["meta"]["versionId"] == "3"


@pytest.mark.parametrize("kind", [ATHENA, READ_ONLY], ids=lambda k: k.name)
def test_what_is_only_read_gets_nothing(kind: Kind) -> None:
    with running(kind, preset=kind.name) as (sim, server):
        stranger = pushed(server, rich())
        assert stranger.code == 4
        assert "takes no new one" in stranger.stopped
        result = pushed(server, known(sim, rich()))
        assert (result.code, result.stopped) == (4, "")
        assert set(became(result)) == {"found", "named", "untaken"}
        assert sim.writes == []
        assert all(r.text for r in result.remarks if r.kind == "untaken")


def test_files_for_an_interface_engine(tmp_path: Path) -> None:
    with running(ATHENA) as (sim, server):
        tree = known(sim, rich())
        result = pushed(server, tree, files=tmp_path / "out")
        assert (result.code, set(became(result))) == (0, {"found", "named", "filed"})
        [file] = (tmp_path / "out").iterdir()
        bundle = json.loads(file.read_text())
        assert bundle["type"] == "transaction"
        filed = [link for link, outcome in result.outcomes.items() if outcome == "filed"]
        assert sorted(e["resource"]["resourceType"] for e in bundle["entry"]) == sorted(link.kind for link in filed)
        assert all(e["request"]["ifNoneExist"].startswith("identifier=") for e in bundle["entry"])
        urls = {e["fullUrl"] for e in bundle["entry"]}
        resources = [e["resource"] for e in bundle["entry"]]
        subjects = {(x.get("subject") or x.get("patient"))["reference"] for x in resources}
        assert subjects == {f"Patient/{sim.all('Patient')[0]['id']}"}
        [aftercare] = [x for x in resources if x["resourceType"] == "CarePlan" and "basedOn" in x]
        assert aftercare["basedOn"][0]["reference"] in urls
        assert file.stat().st_mode & 0o077 == 0
        before = file.stat().st_mtime_ns
        again(sim, server, tree, result, files=tmp_path / "out")
        assert file.stat().st_mtime_ns == before


def test_the_summary_of_a_cycle() -> None:
    with running(EPIC, preset="epic-like") as (sim, server):
        tree = rich()
        pushed(server, tree)
        [document] = sim.all("DocumentReference")
        assert CLINIC.link_of(document) == ("DocumentReference", "cycles", "P1-Y1")
        assert document["type"]["coding"][0]["code"] == "18776-5"
        [content] = document["content"]
        text = base64.b64decode(content["attachment"]["data"]).decode()
        for words in ('lang="it"', "Seduta 1, 02/03/2026", "Lidocaina; quantità: 20,0 mg", "Ben tollerata."):
            assert words in text
        assert text.count("<b>Seduta") == 3
        record(tree, "sessions", "S1")["note"] = "Riferisce sollievo."
        result = pushed(server, tree)
        assert of_kind(result, "DocumentReference") == {"changed"}  # not a second one
        [document] = sim.all("DocumentReference")
        assert "Riferisce sollievo." in base64.b64decode(document["content"][0]["attachment"]["data"]).decode()
        assert document["meta"]["versionId"] == "2"


def test_the_summary_goes_by_the_new_key_of_its_cycle(tmp_path: Path) -> None:
    with running(EPIC, preset="epic-like") as (sim, server):
        tree, ledger = rich(), Ledger(tmp_path / "ledger", server.url, CLINIC.namespace)
        pushed(server, tree, ledger=ledger)
        before = {x["id"] for x in sim.all("DocumentReference")}
        tree["cycles"][0]["key"] = "Y-2"
        tree["findings"][0]["cycle"] = "Y-2"
        assert push(server, tree, ledger=ledger)[0].code == 4
        pushed(server, tree, ledger=ledger, rekeyed=True)
        [document] = sim.all("DocumentReference")
        assert CLINIC.link_of(document) == ("DocumentReference", "cycles", "Y-2")
        assert {document["id"]} == before


def test_the_summary_is_withdrawn_with_its_history() -> None:
    with running(EPIC, preset="epic-like") as (sim, server):
        pushed(server, rich())
        result = pushed(server, rich(), withdraw=True)
        [document] = sim.all("DocumentReference")
        assert document["status"] == "entered-in-error"
        assert of_kind(result, "DocumentReference") == {"withdrawn"}
        assert of_kind(result, "AllergyIntolerance") == {"blocked"}  # the server takes no changes of it
        assert result.code == 4


def test_at_most_100_entries() -> None:
    tree = small()
    tree["conditions"] += [{"key": f"P1-C{n}", "condition": "low-back-pain", "status": "active"} for n in range(250)]
    with running(DANISH, preset="danish-like") as (sim, server):
        assert pushed(server, tree).code == 0
        sizes = [len(json.loads(r.body)["entry"]) for r in sim.requests if r.path == "/fhir" and r.method == "POST"]
        assert sum(sizes) == 257
        assert max(sizes) == 100


def test_many_histories_at_once() -> None:
    with running(HAPI) as (sim, server):
        results = push(server, *(small(f"P{n}") for n in range(20)), jobs=4)
        assert [r.code for r in results] == [0] * 20
        assert all(n == 1 for n in sim.versions().values())


@pytest.mark.parametrize("name", VENDORS)
def test_the_commands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    with running(VENDORS[name], preset=name) as (sim, _):
        Path("mesofhir.toml").write_text(
            f'namespace = "{CLINIC.namespace}"\n[servers.here]\nurl = "{sim.url}"\npreset = "{name}"\n'
        )
        Path("clinic.json").write_bytes(encode_pretty(known(sim, provisional())))
        run = CliRunner().invoke
        checked = run(main, ["server", "check", "here"])
        whole = name in ("danish-like", "hapi")
        assert checked.exit_code == (0 if whole else 4), checked.output
        assert f"preset {name}" in checked.stdout
        first = run(main, ["push", "clinic.json", "here", "--create-people"])
        assert first.exit_code == (4 if name in ("athena-like", "read-only") else 0), first.output
        before = sim.versions()
        assert run(main, ["push", "clinic.json", "here", "--create-people"]).exit_code == first.exit_code
        assert sim.versions() == before
        pulled = run(main, ["pull", "here", "back.json"])
        assert pulled.exit_code in (0, 4), pulled.output

"""What is sent to a help desk, and progress on a real terminal."""

import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main, places, support_bundle
from mesofhir.cli.config import Config, ServerConfig
from mesofhir.cli.options import General
from mesofhir.mapping import Link
from mesofhir.sync.ledger.files import default_path
from mesofhir.sync.ledger.ledger import Entry, Ledger
from mesofhir.sync.observing.observed import Observed
from mesofhir.sync.observing.readback import Finding
from tests.faults.fault_server import Exchange, FaultServer, refusing
from tests.terminal import on_a_terminal

STATEMENT = {
    "resourceType": "CapabilityStatement",
    "fhirVersion": "4.0.1",
    "software": {"name": "Loro", "version": "7"},
    "contact": [{"name": "CANARY"}],
    "rest": [
        {"mode": "server", "resource": [{"type": "Procedure", "interaction": [{"code": "read"}, {"code": "create"}]}]}
    ],
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESOFHIR_NAMESPACE", "https://clinic.example/CANARY")


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["support-bundle", *args])
    assert result.exit_code == code, result.output
    return result


def said(path: str) -> Any:
    return json.loads(Path(path).read_text())


def test_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((machine[0], "CANARYHOST", *machine[2:])))
    monkeypatch.setattr(socket, "gethostname", lambda: "CANARYHOST")
    monkeypatch.setattr(platform, "_uname_cache", None)
    assert platform.node() == "CANARYHOST"
    run("s.json")
    found = said("s.json")
    assert found["mesofhir"]["msgspec"]
    assert "Procedure.performedPeriod.start" in found["writes"]["Procedure"]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in found["tables"].values())
    assert {"terminology/sites.csv", "profiles/mesofhir.profiles.tgz"} <= found["tables"].keys()
    assert Path("s.json").stat().st_mode & 0o077 == 0
    assert "CANARY" not in Path("s.json").read_text()


def test_of_a_server() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.answer(200, STATEMENT)

    with FaultServer(behave) as server:
        Observed(places.observed()).add(server.url, "Procedure", [Finding("Procedure.note.text", "dropped")])
        Path("token").write_text("CANARYSECRET")
        Path("token").chmod(0o600)
        run("s.json", server.url, "--auth", "bearer", "--secret-file", "token")
        assert [r.method for r in server.requests] == ["GET"]
    found = said("s.json")["server"]
    assert (found["software"], found["fhir"]) == ("Loro", "4.0.1")
    assert found["types"]["Procedure"]["interactions"] == ["create", "read"]
    assert found["plan"]["CarePlan"]["step"]
    assert found["did_to_our_data"] == [
        {"kind": "Procedure", "path": "Procedure.note.text", "what": "dropped", "n": 1, "of": 1}
    ]
    assert "CANARY" not in Path("s.json").read_text()


def test_what_the_ledger_knows() -> None:
    server = "https://fhir.example.org/r4"
    link = Link("Condition", "conditions", "CANARYKEY")
    namespace = os.environ["MESOFHIR_NAMESPACE"]
    with Ledger(default_path(server, namespace), server, namespace) as ledger:
        ledger.write({link: Entry("unknown", method="create", step="transaction")})
    with refusing() as url:  # whether it answers does not matter here
        run("s.json", url, code=5)
        assert said("s.json")["server"]["ledger"] is None
    found = support_bundle.remembered(places.Place(ServerConfig(server), False), General(None, namespace), Config())
    assert found["ledger"]["counts"]["unknown"] == 1
    [row] = found["ledger"]["open"]
    assert (row["type"], row["state"], row["step"]) == ("Condition", "unknown", "transaction")
    assert "CANARY" not in repr(found)


def test_a_server_that_does_not_answer_is_part_of_the_story() -> None:
    with refusing() as url:
        result = run("s.json", url, code=5)
    assert said("s.json")["server"]["failed"]
    assert "wrote s.json" in result.stderr


@pytest.mark.parametrize("file", ["-", "no/such/folder/s.json"])
def test_where_it_cannot_be_written(file: str) -> None:
    assert "error: " in run(file, code=2).stderr


# --- on a terminal ------------------------------------------------------------------------------------------

COUNTING = """
import time
from mesofhir.cli.words import Voice
voice = Voice()
with voice.counting("pushed", 40) as counter:
    for n in range(40):
        time.sleep(0.02)
        counter.add()
        if n == 20:
            voice.line("note: in between")
voice.line("the end")
"""


def test_the_records_are_not_written_over() -> None:
    """The other verbs take them first."""
    Path("clinic.json").write_text('[{"key": "P1"}]')
    assert "no support bundle" in run("clinic.json", code=2).stderr
    assert Path("clinic.json").read_text() == '[{"key": "P1"}]'
    run("s.json")
    run("s.json")


def test_progress_with_rate_and_time_left() -> None:
    code, seen = on_a_terminal(sys.executable, "-c", COUNTING)
    assert code == 0
    assert re.search(r"pushed: +\d+%\|.*\| \d+/40 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+/s\]", seen)
    last = seen.replace("\r\n", "\n").split("\n")
    assert any(line.endswith("note: in between") for line in last)
    assert last[-2].endswith("the end")
    assert "pushed" not in last[-2].rsplit("\r", 1)[-1]  # the moving line was taken away


@pytest.mark.parametrize("args", [[], ["--since", "auto"]])
def test_ctrl_c_in_the_middle_of_a_pull(args: list[str]) -> None:
    """A real signal to a real process that waits for a server."""

    def behave(exchange: Exchange) -> None:
        if "metadata" in exchange.path:
            exchange.answer(200, {**STATEMENT, "rest": []})
        else:
            time.sleep(30)

    Path("x.ndjson").write_text('{"key": "P0"}\n')
    with FaultServer(behave) as server:
        command = [sys.executable, "-m", "mesofhir.cli", "pull", server.url, "x.ndjson", *args]
        path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background ignores it
        )  # fmt: skip
        while len(server.requests) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "error: interrupted: nothing was written; pull again to go on"
    assert out == ""
    assert Path("x.ndjson").read_text() == '{"key": "P0"}\n'
    assert [p.name for p in Path().iterdir() if p.name not in ("home", "x.ndjson")] == []


def test_plain_lines_elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from mesofhir.cli import progress
    from mesofhir.cli.words import Voice

    now = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    with Voice().counting("pushed", 12) as counter:
        for _ in range(12):
            counter.add()
    told = capsys.readouterr().err.splitlines()
    assert 2 <= len(told) <= 6
    assert re.fullmatch(r"pushed: \d+ of 12, 0\.\d a second, (\d+ min )?\d+ s left", told[0])
    with Voice(quiet=True).counting("pushed", 12) as counter:
        for _ in range(12):
            counter.add()
    assert capsys.readouterr().err == ""

"""Ctrl-C in the middle of a push, on a real terminal: what was begun comes to its end, and --resume does the rest."""

import os
import sys
from pathlib import Path

import pytest

from mesofhir.fhir.exactjson import encode
from tests.contract.harness import Place
from tests.contract.histories import small
from tests.terminal import on_a_terminal

MANY = 60


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("MESOFHIR_NAMESPACE", place.clinic.namespace)
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)


def test_ctrl_c_and_on(place: Place) -> None:
    Path("many.ndjson").write_bytes(b"".join(encode(small(f"P{n:02}")) + b"\n" for n in range(MANY)))
    push = [sys.executable, "-m", "mesofhir.cli", "push", "many.ndjson", place.fhir.url, "--create-people"]
    code, seen = on_a_terminal(*push, press=rf"pushed: .*\| [1-9]\d*/{MANY} \[")
    lines = seen.replace("\r\n", "\n").replace("\r", "\n").splitlines()
    assert code == 130, seen
    assert any(f"of {MANY} histories were handled; `push --resume` goes on" in line for line in lines)
    assert lines[-1].endswith("(exit code 130: interrupted)")
    assert f"{MANY} histories: " in lines[-1]
    assert "not tried" in lines[-1]
    links = place.links()
    done = len({link.key for link in links if link.table == "sessions"})
    assert 0 < done < MANY
    code, seen = on_a_terminal(*push, "--resume")
    last = seen.replace("\r\n", "\n").splitlines()[-1]
    assert code == 0, seen
    assert "done before" in last
    links = place.links()
    assert set(links.values()) == {1}
    assert len({link.key for link in links if link.table == "sessions"}) == MANY

"""The demo: on this machine, from nothing, in seconds, and true."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

from mesofhir.fhir.exactjson import decode

ROOT = Path(__file__).parents[2]


def computed() -> float:
    """Seconds that processes of ours, now ended, have computed: on a busy machine they wait for longer."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_demo_keeps_its_promises(tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {n: v for n, v in os.environ.items() if not n.startswith("MESOFHIR_")}
    begun = computed()
    done = subprocess.run(
        [sys.executable, "-m", "mesofhir.cli", "demo"],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": path, "TMPDIR": str(tmp_path)},
    )
    took = computed() - begun
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout
    assert "0 new versions" in said
    assert "that was reported" in said
    assert "the EHR's note and outcome are still there" in said
    assert "0 different" in said
    assert "came back as" in said  # what this server does to trailing zeros
    assert took < 30, "ten seconds on a machine that does nothing else"

    folder = Path(re.search(r"^What was sent and what came back: (.+)$", said, re.MULTILINE)[1])  # type: ignore[index]
    assert {p.name for p in folder.iterdir()} == {
        "server", "ledger.sqlite", "ledger.sqlite.key", "ledger.sqlite.lock",
        "pushed.json", "pulled.json", "pulled.json.kept.ndjson", "pulled.fhir.ndjson",
    }  # fmt: skip
    pushed, pulled = (decode((folder / name).read_bytes()) for name in ("pushed.json", "pulled.json"))
    assert sorted(h["key"] for h in pushed) == sorted(h["key"] for h in pulled)
    assert "Day hospital" in (folder / "pulled.json.kept.ndjson").read_text(encoding="utf-8")
    assert "Day hospital" in (folder / "pulled.fhir.ndjson").read_text(encoding="utf-8")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import importlib.util as u; u.find_spec = lambda name: None\n"
    code += "from mesofhir.cli import main; main(['demo'])"
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": path, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "pip install 'mesofhir[demo]'" in done.stderr
    assert list(tmp_path.iterdir()) == []

"""The README does what it says: its blocks are run, against a server of this machine instead of the sandbox."""

import csv
import os
import re
import shlex
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from mesofhir.fhir import exactjson
from mesofhir.records import TABLES, decode, faults
from mesofhir.server import Server
from tests.servers import FhirServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SANDBOX = "https://hapi.fhir.org/baseR4"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def run(command: str, folder: Path, namespace: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mesofhir.cli", *shlex.split(command)[1:]]
    env = {**os.environ, "MESOFHIR_NAMESPACE": namespace, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mine = f"MRN-{uuid.uuid4()}"  # the tests share one server, and people are found by their numbers
    (tmp_path / "clinic.json").write_text(blocks("json")[0].replace("MRN-1", mine), encoding="utf-8")
    return tmp_path


def test_the_example_is_valid():
    assert faults(decode(exactjson.decode(blocks("json")[0].encode()))) == []


def test_the_commands_work(folder: Path, fhir_server: FhirServer, namespace: str):
    [script] = [b for b in blocks("sh") if "mesofhir push" in b]
    lines = [line for line in script.splitlines() if line.startswith("mesofhir ")]
    assert len(lines) == 7
    for line in lines:
        done = run(line.replace(SANDBOX, fhir_server.url), folder, namespace)
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr
    sent, back = (exactjson.decode((folder / name).read_bytes()) for name in ("clinic.json", "back.json"))
    assert back == (sent if isinstance(back, dict) else [sent])


def test_the_second_push_made_no_version(folder: Path, fhir_server: FhirServer, namespace: str):
    for _ in range(2):
        done = run(f"mesofhir push clinic.json {fhir_server.url} --create-people", folder, namespace)
        assert done.returncode == 0, done.stderr
    with Server(fhir_server.url) as server:
        found = list(server.search("Procedure", [("identifier", f"{namespace}/sessions|S-1")]))
        assert [x["meta"]["versionId"] for x in found] == ["1"]


def test_the_profiles(folder: Path, hapi: FhirServer, namespace: str):
    [script] = [b for b in blocks("sh") if "mesofhir profiles" in b]
    for line in script.splitlines():
        done = run(line.replace("http://localhost:8080/fhir", hapi.url), folder, namespace)
        assert done.returncode == 0, (line, done.stderr)
    assert (folder / "mesofhir.profiles.tgz").exists()


def test_the_csv_folder(folder: Path, namespace: str):
    assert run("mesofhir convert clinic.json clinic/", folder, namespace).returncode == 0
    heading, row = list(csv.reader(blocks("csv")[0].splitlines()))
    written = list(csv.DictReader((folder / "clinic" / "sessions.csv").open(encoding="utf-8")))
    assert set(heading) <= set(written[0])
    assert dict(zip(heading, row, strict=True)).items() <= written[0].items()
    for name in re.findall(r"`clinic/(\w+)\.csv`", README):
        assert name in TABLES
    assert run("mesofhir convert clinic/ again.json", folder, namespace).returncode == 0
    again, first = (exactjson.decode((folder / n).read_bytes()) for n in ("again.json", "clinic.json"))
    assert again == (first if isinstance(again, dict) else [first])


def test_the_python_block(folder: Path, fhir_server: FhirServer, namespace: str):
    [code] = blocks("python")
    code = code.replace(SANDBOX, fhir_server.url).replace("https://clinic.example/mesotherapy", namespace)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (folder / "back.json").exists()


def test_the_configuration(folder: Path):
    (folder / "mesofhir.toml").write_text(blocks("toml")[0], encoding="utf-8")
    done = run("mesofhir check clinic.json", folder, "https://clinic.example/mesotherapy")
    assert done.returncode == 0, done.stderr

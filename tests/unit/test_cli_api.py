"""The public names, as a user types them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mesofhir as mf

NAMESPACE = "https://clinic.example/m"
HISTORY: dict[str, Any] = {
    "key": "P1",
    "conditions": [{"key": "D1", "condition": "chronic-low-back-pain", "onset": "2023-11"}],
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "clinic.json"
    path.write_text(json.dumps([HISTORY, {"key": "P2"}]))
    return path


def test_all_names_are_there_and_none_is_loaded_before_its_time() -> None:
    code = "import sys, mesofhir; print([m for m in ('requests', 'msgspec', 'pydantic', 'click') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    for name in mf.__all__:
        assert getattr(mf, name) is not None
        assert name in dir(mf)
    with pytest.raises(AttributeError, match="nonsense"):
        mf.nonsense  # noqa: B018


def test_records_to_fhir_and_back(source: Path) -> None:
    for history in mf.read(source):
        bundle = mf.to_fhir(history, namespace=NAMESPACE)
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
        assert mf.from_fhir(bundle, namespace=NAMESPACE).histories == [history]


def test_resources_of_any_origin(source: Path, tmp_path: Path) -> None:
    lines, foreign = tmp_path / "x.fhir.ndjson", {"resourceType": "Basic", "id": "1"}
    mf.write(lines, mf.read(source), clinic=mf.Clinic(NAMESPACE))
    resources = [json.loads(line) for line in lines.read_text().splitlines()]
    understood = mf.from_fhir([foreign, *resources], namespace=NAMESPACE)
    assert understood.histories == list(mf.read(source))
    assert [kept.resource for kept in understood.kept] == [foreign]


def test_nothing_and_less() -> None:
    assert mf.from_fhir({"resourceType": "Bundle"}, namespace=NAMESPACE).histories == []
    assert mf.from_fhir({"entry": [{"fullUrl": "urn:x"}]}, namespace=NAMESPACE).histories == []


def test_resources_that_are_no_fhir() -> None:
    found = mf.from_fhir([{"resourceType": "Condition", "identifier": 1}], namespace=NAMESPACE)
    assert (found.histories, len(found.kept)) == ([], 1)


def test_written_and_read_again(source: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.fhir.ndjson"
    mf.write(there, mf.read(source), clinic=mf.Clinic(NAMESPACE))
    assert list(mf.read(there, namespace=NAMESPACE)) == list(mf.read(source))


def test_an_invalid_history(source: Path) -> None:
    source.write_text('[{"key": "P1"}, {"key": 2}]')
    histories = mf.read(source)
    assert next(histories).key == "P1"
    with pytest.raises(mf.errors.InvalidInput, match=r"clinic\.json: \$\[1\]\.key"):
        next(histories)


def test_what_fhir_cannot_carry(source: Path) -> None:
    history = next(mf.read(source))
    history.conditions[0].onset = "2023-02-30"
    with pytest.raises(mf.errors.InvalidInput, match="no such day"):
        mf.to_fhir(history, namespace=NAMESPACE)

"""``pull --since`` on the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main
from tests.contract.harness import Place
from tests.contract.histories import small


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESOFHIR_NAMESPACE", place.clinic.namespace)


def pull(place: Place, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["pull", place.fhir.url, *args])
    assert result.exit_code == code, result.output
    return result


def keys(path: str) -> list[str]:
    return [json.loads(line)["key"] for line in Path(path).read_text().splitlines()]


def test_every_night(place: Place) -> None:
    place.pushed(small("P1"))
    place.pushed(small("P2"))
    result = pull(place, "x.ndjson", "--since", "auto")
    assert "2 touched (everything was compared)" in result.stderr
    assert keys("x.ndjson") == ["P1", "P2"]
    result = pull(place, "x.ndjson", "--since", "auto")
    assert "2 histories known; 0 touched (since auto)" in result.stderr
    assert "nothing to change there; nothing was written" in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("0 histories read again from 0 resources; 0 gone on the server, 0 records of them kept")
    name = place.name("Condition", "P2-C")
    place.ehr.send("DELETE", name)
    place.pushed(small("P3"))
    result = pull(place, "x.ndjson", "--since", "auto", "--report", "r.ndjson")
    assert f"warning: {name}: deleted on the server" in result.stderr
    assert "warning: conditions P2-C of patient P2: the server does not say it any more; it stays in" in result.stderr
    assert "1 gone on the server, 1 record of them kept" in result.stderr.splitlines()[-1]
    assert keys("x.ndjson") == ["P1", "P2", "P3"]
    report = [json.loads(line) for line in Path("r.ndjson").read_text().splitlines()]
    assert {"gone": name, "reason": "deleted on the server"} in report
    assert {"stays": {"table": "conditions", "key": "P2-C"}, "patient": "P2"} in report
    pull(place, "y.ndjson", "--since", "auto")  # another place remembers for itself
    assert keys("y.ndjson") == ["P1", "P2", "P3"]


def test_since_a_time(place: Place) -> None:
    place.pushed(small("P1"))
    pull(place, "x.ndjson")
    place.pushed(small("P2"))
    stamp = max(x["meta"]["lastUpdated"] for x in place.resources().values() if "P2" in str(x["identifier"]))
    before = Path("x.ndjson").read_bytes()
    pull(place, "x.ndjson", "--since", stamp)
    assert keys("x.ndjson") == ["P1", "P2"]
    assert Path("x.ndjson").read_bytes().startswith(before)
    result = pull(place, "x.ndjson", "--since", "2100-01-01")
    assert "nothing was written" in result.stderr
    pull(place, "z/", "--since", "2026")
    assert Path("z/patients.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["x.ndjson", "--since", "yesterday"], "--since: not a time; expected auto, a date"),
        (["x.ndjson", "--since", "2026-03-04T10:00:00"], "--since: a time without its zone"),
        (["x.ndjson", "--since", "auto", "--patient", "P1"], "leave --patient out"),
        (["x.ndjson", "--since", "auto", "--foreign"], "leave --foreign out"),
        (["x.fhir.ndjson", "--since", "auto"], "nothing can be merged into the format fhir"),
        (["-", "--to", "ndjson", "--since", "auto"], "- is a stream"),
    ],
)
def test_what_cannot_be(args: list[str], words: str, place: Place) -> None:
    assert words in pull(place, *args, code=2).stderr
    assert not list(Path().glob("*.ndjson"))


def test_nothing_of_ours(place: Place) -> None:
    result = pull(place, "x.ndjson", "--since", "auto", code=4)
    assert "is that the right namespace?" in result.stderr
    assert not Path("x.ndjson").exists()


def test_what_stands_there_is_something_else(place: Place) -> None:
    place.pushed(small("P1"))
    Path("x.ndjson").write_text("not ours\n")
    assert "cannot be merged into" in pull(place, "x.ndjson", "--since", "auto", code=3).stderr
    assert Path("x.ndjson").read_text() == "not ours\n"

"""What was sent is read back: each server does to it what is known of it, and that is remembered and shown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main, places
from mesofhir.fhir.exactjson import encode
from mesofhir.server import Server
from mesofhir.sync.observing.observed import Observed
from mesofhir.sync.observing.verify import Verify
from tests.contract.harness import Place
from tests.contract.histories import record, rich, small

PRECISION = {
    ("MedicationAdministration.dosage.dose.value", "precision"): 1,
    ("Observation.valueQuantity.value", "precision"): 1,
    ("Procedure.extension(injection-depth).valueQuantity.value", "precision"): 1,
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("MESOFHIR_NAMESPACE", place.clinic.namespace)


@pytest.fixture
def verify(place: Place, tmp_path: Path) -> Iterator[Verify]:
    with Server(place.fhir.url) as server:
        yield Verify(server, Observed(tmp_path / "observed.sqlite"))


def without_narrative(v: Verify) -> dict[tuple[str, str], int]:
    return {k: n for k, n in v.harmless.items() if k[1] != "narrative"}


def test_what_each_server_does(place: Place, verify: Verify) -> None:
    """HAPI writes nothing but narratives anew; sekmet takes trailing zeros away. An update is seen like a create."""
    tree = rich()
    result = place.push(tree, witness=verify.note)
    assert result.code == 0
    verify.look()
    assert verify.compared == 0  # not enough yet
    verify.look(end=True)
    assert (verify.compared, verify.missed, verify.lost) == (len(result.outcomes), 0, {})
    assert without_narrative(verify) == ({} if place.is_hapi else PRECISION)
    record(tree, "sessions", "S1")["note"] = "Un'altra nota."
    place.push(tree, witness=verify.note)
    before = verify.compared
    verify.look(end=True)
    assert verify.compared > before
    assert verify.lost == {}


def test_what_is_taken_away_is_seen(place: Place, verify: Verify) -> None:
    """An EHR that changes what it has taken, and says so to nobody."""

    def sly(name: str, sent: dict[str, Any], version: str) -> None:
        verify.note(name, sent, "")  # a version would tell that somebody else changed it

    place.push(small("P1"), witness=sly)
    [name] = [n for n in place.resources() if n.startswith("Condition/")]
    place.ehr.edit(name, lambda x: x["code"].pop("coding", None) or x.pop("clinicalStatus"))
    verify.look(end=True)
    assert {what for _, what in verify.lost} == {"dropped"}
    assert all(path.startswith("Condition.c") for path, _ in verify.lost)


def test_what_somebody_else_changed_tells_nothing(place: Place, verify: Verify) -> None:
    place.push(small("P1"), witness=verify.note)
    [name] = [n for n in place.resources() if n.startswith("Condition/")]
    place.ehr.edit(name, lambda x: x.pop("text", None) or x.update(recordedDate="2026-01-01"))
    verify.look(end=True)
    assert (verify.missed, verify.lost) == (1, {})


# --- the command --------------------------------------------------------------------------------------------


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, args)
    assert result.exit_code == code, result.output
    return result


def push(place: Place, key: str, *args: str, code: int = 0) -> str:
    Path("clinic.json").write_bytes(encode(rich(key)))
    return run("push", "clinic.json", place.fhir.url, "--create-people", *args, code=code).stderr


def test_on_a_server_not_seen_before(place: Place) -> None:
    assert "not seen yet" in run("server", "check", place.fhir.url, code=0).stdout
    assert "read back 32 resources; elements: 0 changed or dropped" in push(place, "P1")
    shown = run("server", "check", place.fhir.url).stdout
    assert "what it was seen to do to our data" in shown
    assert ("precision (harmless)" in shown) != place.is_hapi
    assert "read back" not in push(place, "P2")  # known by now
    assert "read back 32 resources" in push(place, "P3", "--verify")
    assert "read back" not in push(place, "P4", "--no-verify")


class Found(list[dict[str, Any]]):
    """The result of a search, all of it."""

    complete = True


def test_what_the_server_drops_is_told_and_not_well(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Server.search

    def forgetful(self: Server, kind: str, params: Any, **more: Any) -> Any:
        found = search(self, kind, params, **more)
        if kind != "Condition" or params[0][0] != "_id":
            return found
        return Found({k: v for k, v in x.items() if k != "bodySite"} for x in found)

    monkeypatch.setattr(Server, "search", forgetful)
    told = push(place, "P1", code=4)
    assert "warning: the server dropped Condition.bodySite" in told
    assert told.splitlines()[-1].endswith("(exit code 4: some not done)")
    seen = Observed(places.observed()).of(place.fhir.url)
    assert seen[0].what == "dropped"


def test_the_people_whom_we_make_are_read_back_once(place: Place, verify: Verify) -> None:
    """Whom the EHR had, or whom an earlier push has made, is not written."""
    tree = rich()
    result = place.push(tree, witness=verify.note)
    people = [name for link, name in result.references.items() if link.kind in ("Patient", "Practitioner")]
    [patient] = [name for name in people if name.startswith("Patient/")]
    place.ehr.edit(patient, lambda x: x.pop("birthDate"))
    verify.look(end=True)
    assert len(people) == 2
    assert (verify.compared, verify.missed) == (len(result.outcomes) - 1, 1)  # the EHR has changed the patient since
    before = verify.compared
    place.push(tree, witness=verify.note)
    verify.look(end=True)
    assert verify.compared == before


def test_what_a_server_drops_of_a_person_is_seen(place: Place, verify: Verify) -> None:
    def sly(name: str, sent: dict[str, Any], version: str) -> None:
        verify.note(name, sent, "")

    result = place.push(rich(), witness=sly)
    [patient] = [name for link, name in result.references.items() if link.kind == "Patient"]
    place.ehr.edit(patient, lambda x: x.pop("birthDate") and x["name"][0]["given"].reverse())
    verify.look(end=True)
    assert verify.lost == {("Patient.birthDate", "dropped"): 1, ("Patient.name.given", "changed"): 1}

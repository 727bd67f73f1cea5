"""Incremental pull from the real servers: each touched history once, whole, and nothing else."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from mesofhir.server import Server
from mesofhir.sync.pulling.increment import Told
from tests.contract.harness import Place, equal, logged
from tests.contract.histories import history, record, rich, small
from tests.faults import changes


@pytest.fixture
def there(place: Place, tmp_path: Path) -> Iterator["There"]:
    with Server(place.fhir.url) as server:
        yield There(place, changes.Place(tmp_path, "ndjson"), server)


class There:
    """A server, a destination, and the pulls from one into the other."""

    def __init__(self, place: Place, into: changes.Place, server: Server) -> None:
        self.place, self.into, self.server = place, into, server
        self.requests: list[str] = []

    def pull(self) -> Told:
        with logged() as self.requests:
            return self.into.pull(self.server, self.place.clinic)


def test_edits_of_an_ehr_new_histories_and_deletions(there: There) -> None:
    place = there.place
    trees = {k: small(k) for k in ("P1", "P2", "P3")} | {"R1": rich("R1")}
    for tree in trees.values():
        place.pushed(tree)
    told = there.pull()
    assert (told.whole, told.touched) == (True, 4)
    before = there.into.bytes()
    told = there.pull()
    assert (told.whole, told.touched, told.known) == (False, 0, 4)
    assert there.into.bytes() == before
    few = len(there.requests)
    assert few < 40

    place.ehr.edit(there.place.name("Condition", "P2-C"), lambda x: x.update(recordedDate="2026-04-01"))
    place.pushed(small("P4"))
    record(trees["R1"], "sessions", "S3")["planned_start"] = "2026-03-17"
    place.pushed(trees["R1"])
    told = there.pull()
    assert (told.touched, told.gone) == (3, [])
    now = there.into.histories()
    equal(history(trees["R1"]), now["R1"], exact=place.is_hapi)
    equal(history(small("P4")), now["P4"])
    assert list(now) == ["P1", "P2", "P3", "R1", "P4"]
    assert there.pull().touched == 0

    goal = there.place.name("Goal", "R1-G1")
    place.ehr.send("DELETE", there.place.name("Condition", "P3-C"))
    place.ehr.edit(goal, lambda x: x["description"].update(text="NRS sotto 2"))
    told = there.pull()
    assert told.touched == 2
    assert [g.why for g in told.gone] == ["deleted on the server"]
    assert told.stays == [("P3", "conditions", "P3-C")]
    now = there.into.histories()
    equal(history(small("P3")), now["P3"])
    assert now["R1"].cycles[0].goals[0].text == "NRS sotto 2"
    assert there.pull().touched == 0
    assert len(there.requests) <= few + 1


def test_what_the_ehr_says_of_its_own_patient(there: There) -> None:
    """The Patient is the EHR's and carries no identifier of ours; what it says of the name stands in our history."""
    place, number = there.place, str(uuid4())
    theirs = {"resourceType": "Patient", "identifier": [{"system": "urn:oid:2.999.1", "value": number}]}
    name = place.ehr.create(theirs | {"name": [{"family": "Prova"}]})
    place.pushed(small("P1", identifiers=[{"system": "urn:oid:2.999.1", "value": number}]), create_people=False)
    place.pushed(small("P2"))
    there.pull()
    place.ehr.edit(name, lambda x: x.update(name=[{"family": "Nuova"}]))
    assert there.pull().touched == 1
    assert there.into.histories()["P1"].family == "Nuova"
    assert there.pull().touched == 0


def test_the_clock_of_the_server(there: There) -> None:
    there.pull()
    assert there.server.clock is not None
    assert abs(there.server.clock.timestamp() - time.time()) < 60


def test_deletions_in_the_history_of_a_type(there: There) -> None:
    place = there.place
    place.pushed(small("P1"))
    name = there.place.name("Condition", "P1-C")
    stamp = place.ehr.read(name)["meta"]["lastUpdated"]
    place.ehr.send("DELETE", name)
    found = {(v.name, v.deleted) for v in there.server.changes("Condition", stamp)}
    assert {(name, True), (name, False)} <= found

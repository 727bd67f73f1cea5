"""The short form of the campaigns: `python -m tests.faults.campaign` and `python -m tests.faults.kills` are the long
ones."""

from pathlib import Path

import pytest

from tests.faults.campaign import Campaign
from tests.faults.kills import Hapi, Killing
from tests.servers import FhirServer, Unavailable


@pytest.mark.parametrize("seed", [1])
def test_random_faults_and_several_pushers(hapi: FhirServer, tmp_path: Path, seed: int) -> None:
    campaign = Campaign(hapi, tmp_path, resources=100, pushers=3, seed=seed, rate=0.3, attempts=4)
    found = campaign.run()
    assert [str(c) for c in found if not c.good] == []
    assert campaign.tally.dishonest == []
    assert campaign.tally.unfinished == []
    assert campaign.tally.claims == 0
    assert campaign.tally.faults  # something did go wrong


def test_the_client_is_killed_anywhere(hapi: FhirServer, tmp_path: Path) -> None:
    killing = Killing(hapi, tmp_path, seed=1, resources=15)
    killing.run("client", 10)
    assert killing.tally.wrong == []
    assert killing.tally.kills["client"] >= 10


def test_the_server_is_killed_and_then_both(tmp_path: Path) -> None:
    try:
        hapi = Hapi(tmp_path)
    except Unavailable as reason:
        pytest.skip(str(reason))
    try:
        killing = Killing(hapi.fhir, tmp_path, seed=1, hapi=hapi, resources=15)
        killing.run("server", 1)
        killing.run("both", 1)
        assert killing.tally.wrong == []
    finally:
        hapi.process.stop()

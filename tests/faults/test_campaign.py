"""The short form of the campaigns: `python -m tests.faults.campaign` and `python -m tests.faults.kills` are the long
ones."""

from pathlib import Path

import pytest

from tests.faults.campaign import Campaign
from tests.servers import FhirServer


@pytest.mark.parametrize("seed", [1])
def test_random_faults_and_several_pushers(hapi: FhirServer, tmp_path: Path, seed: int) -> None:
    campaign = Campaign(hapi, tmp_path, resources=100, pushers=3, seed=seed, rate=0.3, attempts=4)
    found = campaign.run()
    assert [str(c) for c in found if not c.good] == []
    assert campaign.tally.dishonest == []
    assert campaign.tally.unfinished == []
    assert campaign.tally.faults  # something did go wrong

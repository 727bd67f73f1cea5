"""A disk that is full, at any point of a push, or cannot be written: nothing is sent that the ledger does not know of,
what was done is told, what was not is not called done, and with room again the push is resumed."""

from pathlib import Path

import pytest

from tests.faults.pushing import Pusher, compared, histories, source
from tests.servers import FhirServer


@pytest.mark.parametrize("largest", [1, 3_000, 30_000, 60_000, 90_000, 120_000])
def test_a_full_disk(sekmet: FhirServer, namespace: str, tmp_path: Path, largest: int) -> None:
    of = histories(60, 3)
    path = source(tmp_path / "histories.ndjson", of)
    pusher = Pusher(tmp_path / "pusher", namespace, largest=largest)
    full = pusher.push(path, sekmet.url)
    assert [x for x in full.dishonest() if x != "exit 2"] == []
    assert full.code in (2, 4, 6), full.said
    assert "File too large" in full.said or "disk" in full.said, full.said
    if full.code == 2:  # known before anything was sent
        assert not full.outcomes()
    pusher.largest = 0
    again = pusher.push(path, sekmet.url)
    assert (again.code, again.dishonest()) == (0, []), again.said
    found = compared(sekmet, namespace, [of])
    assert found.good, found


def test_a_ledger_that_cannot_be_made(sekmet: FhirServer, namespace: str, tmp_path: Path) -> None:
    path = source(tmp_path / "histories.ndjson", histories(20, 3))
    pushed = Pusher(tmp_path / "pusher", namespace).push(path, sekmet.url, "--ledger", "/proc/ledger.sqlite")
    assert pushed.code == 2
    assert "the ledger /proc/ledger.sqlite" in pushed.said
    assert "Traceback" not in pushed.said
    assert not pushed.outcomes()

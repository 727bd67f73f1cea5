"""Corrected keys in any history: nothing is made, and what is pulled is what was pushed."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mesofhir.records import TreatmentHistory, decode, plain, sorted_by_key
from mesofhir.sync import Ledger, Options, Result, iter_push
from tests.property.strategies import histories
from tests.simulated.harness import CLINIC, names, pull, rekeyed, running
from tests.simulated.vendors import HAPI

ANY = settings(max_examples=15, phases=[Phase.explicit, Phase.reuse, Phase.generate])


def push(server: Any, history: TreatmentHistory, **options: Any) -> Result:
    [result] = iter_push([history], server, CLINIC, Options(create_people=True, **options))
    return result


@ANY
@given(histories(), st.data())
def test_nothing_is_made_and_nothing_is_left(history: TreatmentHistory, data: st.DataObject) -> None:
    history = msgspec.structs.replace(history, synthetic=True)
    tree = plain(history)
    known = [*names(tree), ("patients", history.key)]  # of a patient alone nobody knows who that was
    chosen = data.draw(st.sets(st.sampled_from(known), max_size=5)) if len(known) > 1 else set()
    if 3 * len(chosen) > len(known):  # a patient is known by most of the records
        chosen -= {("patients", history.key)}
    after = decode(rekeyed(tree, {name: f"new {n}" for n, name in enumerate(sorted(chosen))}))
    with (
        TemporaryDirectory() as folder,
        running(HAPI, preset="hapi") as (sim, server),
        Ledger(Path(folder) / "ledger", server.url, CLINIC.namespace) as ledger,
    ):
        assert push(server, history, ledger=ledger).code == 0
        there = sim.versions().keys()
        asked = push(server, after, ledger=ledger)
        assert (asked.code, "--rekeyed" in asked.stopped) == ((4, True) if chosen else (0, False))
        result = push(server, after, ledger=ledger, rekeyed=True)
        assert (result.stopped, result.code) == ("", 0)
        assert "created" not in result.outcomes.values()
        assert sim.versions().keys() == there
        [item] = pull(server)
        assert item.history is not None
        assert plain(sorted_by_key(item.history)) == plain(sorted_by_key(after))
        versions = sim.versions()
        assert push(server, after, ledger=ledger).code == 0
        assert sim.versions() == versions

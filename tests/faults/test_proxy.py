"""Every fault at every request of a push, between our client and a real server: what is told is true, and pushed
again, all is there, once, and as it was stated."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from mesofhir.errors import MesofhirError
from mesofhir.mapping import Clinic, graph
from mesofhir.server import Retry, Server, Timeouts
from mesofhir.sync import Options, Result, iter_push
from tests.contract.harness import Ehr, Place, client, equal
from tests.contract.histories import Tree, history, record, small
from tests.faults.proxy import FAULTS, Proxy, Script, first, random_faults
from tests.servers import FhirServer

MIB = 1024 * 1024


@pytest.fixture
def place(fhir_server: FhirServer, namespace: str) -> Iterator[Place]:
    place = Place(fhir_server, Clinic(namespace), client(fhir_server), Ehr(fhir_server.url))
    yield place
    place.close()


@contextmanager
def through(place: Place, script: Script, seed: object, patience: float) -> Iterator[tuple[Proxy, Server]]:
    """A client that has a proxy before it."""
    timeouts = Timeouts.within(patience)
    with Proxy(place.fhir.url, script, seed=seed) as proxy:
        behind = FhirServer(place.fhir.name, proxy.url)
        with client(behind, timeouts=timeouts, max_bytes=8 * MIB, retry=Retry(base=0.05)) as server:
            yield proxy, server


def push(
    place: Place, tree: Tree, script: Script, seed: object = 0, patience: float = 30
) -> tuple[list[Result], list[str]]:
    """The results, none if the push as a whole gave up; and what happened to its requests.

    :param patience: seconds for a request; many, since a busy machine is no fault
    """
    results: list[Result] = []
    with through(place, script, seed, patience) as (proxy, server):
        with suppress(MesofhirError):
            results += iter_push([history(tree)], server, place.clinic, Options(create_people=True))
        proxy.settle()
        return results, proxy.happened


def is_honest(place: Place, key: str, results: list[Result]) -> None:
    """What it says was done is done; zero is said of all or nothing."""
    there = {link: n for link, n in place.links().items() if link.key.startswith(key)}
    for result in results:
        for link, outcome in result.outcomes.items():
            if outcome in ("created", "changed", "unchanged", "found"):
                assert there.get(link) == 1, (link, outcome)
        if result.code == 0:
            assert not result.stopped
            assert there.keys() == result.outcomes.keys()


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_at_every_kind_of_request(place: Place, name: str) -> None:
    kinds = ("create", "change") if place.is_hapi else ("ask", "read", "batch", "create", "change")
    trees = {kind: small(f"P{kind}-") for kind in kinds}
    place.pushed(trees["change"])
    record(trees["change"], "conditions")["note"] = "Da gennaio."
    for kind, tree in trees.items():
        patience = 30 if name != "drip" else 10 if place.is_hapi else 3
        results, happened = push(place, tree, first(kind, name), patience=patience)
        assert name in happened, kind
        is_honest(place, tree["key"], results)
    for tree in trees.values():
        assert place.push(tree).code == 0
    assert set(place.links().values()) == {1}  # none doubled
    assert place.links().keys() == {m.link for tree in trees.values() for m in graph(history(tree), place.clinic).made}
    for link_name, x in place.resources().items():  # none changed but the one that was to be
        changed = x["resourceType"] == "Condition" and "Pchange" in str(x["identifier"])
        assert x["meta"]["versionId"] == ("2" if changed else "1"), link_name
    for item in place.pull():
        equal(next(history(t) for t in trees.values() if t["key"] == item.patient), item.history, exact=place.is_hapi)


@pytest.mark.parametrize("name", ["cut after", "5xx after", "entry failed", "entry missing", "login page after"])
def test_a_person_whose_making_was_not_answered_is_looked_for(place: Place, name: str) -> None:
    [result], happened = push(place, small(), first("batch", name))
    assert name in happened
    assert (result.stopped, result.code) == ("", 0)
    assert set(place.links().values()) == {1}


@pytest.mark.parametrize("name", ["cut before", "5xx before", "login page"])
def test_a_person_who_never_arrived_is_not_sent_again(place: Place, name: str) -> None:
    [result], happened = push(place, small(), first("batch", name))
    assert (happened.count(name), result.code) == (1, 6)
    assert "not there (yet); look at it" in result.stopped
    assert not place.links()


@pytest.mark.parametrize("seed", range(6))
def test_random_faults_until_it_is_done(place: Place, seed: int) -> None:
    tree = small(f"P{seed}-")
    for attempt in range(40):
        results, _ = push(place, tree, random_faults(f"{seed}/{attempt}", 0.4), seed, patience=10)
        is_honest(place, tree["key"], results)
        if results and results[0].code == 0:
            break
    assert results
    assert results[0].code == 0
    assert set(place.links().values()) == {1}
    assert set(place.versions().values()) == {1}
    equal(history(tree), place.pull()[0].history, exact=place.is_hapi)


def test_the_same_seed_is_the_same_faults(place: Place) -> None:
    runs = [push(place, small(f"P{n}-"), random_faults(7, 0.3), 7)[1] for n in range(2)]
    assert runs[0] == runs[1]
    assert any(runs[0])
    assert push(place, small("P9-"), random_faults(8, 0.3), 8)[1] != runs[0]

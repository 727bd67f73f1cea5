"""Many pushers at once: nothing is doubled where the server keeps its word, and what is doubled is told."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mesofhir.mapping import Link
from mesofhir.sync import Result
from tests.contract.harness import Place, client, outcomes, said
from tests.contract.histories import Tree, record, small

PUSHERS, HISTORIES = 8, 10


def trees() -> list[Tree]:
    """Histories of one practitioner."""
    found = [small(f"P{n}", practitioners=[{"key": "D", "family": "Medico"}]) for n in range(HISTORIES)]
    for tree in found:
        record(tree, "sessions")["performer"] = "D"
    return found


def at_once(place: Place) -> list[list[Result]]:
    """The same histories pushed by all pushers, each with a server of its own."""

    def one(_: int) -> list[Result]:
        with client(place.fhir) as server:
            return place.results(*trees(), server=server, ledger=None)

    with ThreadPoolExecutor(PUSHERS) as pool:
        return list(pool.map(one, range(PUSHERS)))


def test_eight_pushers_of_the_same_histories(place: Place) -> None:
    results = [r for pushed in at_once(place) for r in pushed]
    doubled = {link: n for link, n in place.links().items() if n > 1}
    if place.is_hapi:
        assert doubled == {}
    if not doubled:
        assert [(r.stopped, r.code) for r in results] == [("", 0)] * PUSHERS * HISTORIES
        assert sum(r.outcomes.get(link) == "created" for r in results for link in r.outcomes) == len(place.links())
        assert set(place.versions().values()) == {1}
    again = place.results(*trees())
    told = "".join(r.stopped for r in again)
    for link, n in doubled.items():  # sekmet's conditional create races: the next push finds each, and tells
        people = f"{link.table} {link.key}: {n} resources of type {link.kind} match"
        assert people in told or f"{link.table} {link.key} ({link.kind}) is " in told or owner(link) in stopped(again)
    if not doubled:
        assert {outcome for r in again for outcome in outcomes(r)} == {"found", "unchanged"}


def owner(link: Link) -> str:
    """The history that a record stands in."""
    return link.key.partition("-")[0]


def stopped(results: list[Result]) -> set[str]:
    """The histories of which a person stands twice on the server: nothing else of them was looked at."""
    return {r.key for r in results if "match" in r.stopped}


@pytest.mark.parametrize("jobs", [4])
def test_jobs_of_one_push(place: Place, jobs: int) -> None:
    results = place.results(*trees(), jobs=jobs)
    assert [r.key for r in results] == [t["key"] for t in trees()]
    assert sum(r.outcomes[link] == "created" for r in results for link in r.outcomes) == 7 * HISTORIES + 1
    assert set(place.links().values()) == {1}


def test_pushers_who_change_another_field_each(place: Place) -> None:
    """Each states one field of one session: all of them are there in the end."""
    place.pushed(small())
    fields = {"note": "nota", "place": "Sala 9", "depth": 3, "points": 20, "needle_gauge": 27, "number": 2}

    def one(field: tuple[str, object]) -> Result:
        tree = small()
        [session] = tree["cycles"][0]["sessions"]
        del session["place"]
        session[field[0]] = field[1]
        with client(place.fhir) as server:
            return place.results(tree, server=server, ledger=None)[0]

    with ThreadPoolExecutor(len(fields)) as pool:
        results = list(pool.map(one, fields.items()))
    assert [(r.stopped, r.code) for r in results] == [("", 0)] * len(fields), [said(r) for r in results]
    [session] = place.pull()[0].history.cycles[0].sessions
    assert {name: getattr(session, name) for name in fields} == fields

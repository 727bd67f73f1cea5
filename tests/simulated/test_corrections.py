"""Corrections that meet each other, what is gone, and what the server does not let us change."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.formats import Item
from mesofhir.mapping import Link
from mesofhir.server import Server
from mesofhir.sync import Ledger, Result
from mesofhir.sync.pushing.resolve import resolve
from tests.contract.histories import Tree, history, record, rich, small
from tests.simulated.declared import statement
from tests.simulated.engine import Kind, Simulated
from tests.simulated.harness import CLINIC, of_kind, push, running
from tests.simulated.test_cut_off import moving, session
from tests.simulated.vendors import HAPI, OURS, PUBLIC

NO_CHANGES = Kind(
    "no changes",
    statement(
        dict.fromkeys(OURS, ("create", "read", "search-type")), system=["transaction"], conditionalCreate=True,
        versioning="versioned-update",
    ),
)  # fmt: skip


@contextmanager
def remembering(kind: Kind = HAPI) -> Iterator[tuple[Simulated, Server, Ledger]]:
    known = {"preset": "hapi"} if kind is HAPI else {}
    with running(kind, **known) as (sim, server), Ledger(None, server.url, CLINIC.namespace) as ledger:
        yield sim, server, ledger


def twice(server: Server, *trees: Tree, **options: Any) -> list[Result]:
    """A dry run, and the push that it speaks of."""
    dry, real = push(server, *trees, dry_run=True, **options), push(server, *trees, **options)
    for d, r in zip(dry, real, strict=True):
        assert (d.outcomes, d.fields, d.code, d.stopped) == (r.outcomes, r.fields, r.code, r.stopped)
        assert sorted(map(str, d.remarks)) == sorted(map(str, r.remarks))
    return real


# --- moved --------------------------------------------------------------------------------------------------


def test_a_booking_of_one_patient_is_done_by_another() -> None:
    """It is another resource by then; the booking does not stay with the wrong patient."""
    first, second = moving(session(start="2026-03-02"), small("P2"))
    with remembering() as (sim, server, ledger):
        push(server, session(status="planned"), small("P2"), ledger=ledger)
        [_, result] = twice(server, first, second, moved=True, ledger=ledger)
        assert (result.stopped, result.code) == ("", 0)
        assert of_kind(result, "ServiceRequest") == {"unchanged", "withdrawn"}
        of_it = [x for kind in OURS for x in sim.all(kind) if "P1-X" in str(x.get("identifier"))]
        subjects = {x["subject"]["identifier"]["value"] for x in of_it if not is_withdrawn(x)}
        assert subjects == {"P2"}
        assert {r.code for r in twice(server, first, second, ledger=ledger)} == {0}


def test_what_was_taken_back_moves_and_is_in_force_again() -> None:
    done, planned = session(start="2026-03-02"), session(status="planned")
    with remembering() as (_, server, ledger):
        push(server, done, small("P2"), ledger=ledger)
        push(server, planned, ledger=ledger)
        [_, result] = twice(server, *moving(done, small("P2")), moved=True, ledger=ledger)
        assert (result.stopped, result.code) == ("", 0)
        assert {result.outcomes[Link(kind, "sessions", "P1-X")] for kind in ("Procedure", "Encounter")} == {"created"}


def test_what_cannot_be_taken_back_is_not_made_anew() -> None:
    with remembering(NO_CHANGES) as (sim, server, ledger):
        push(server, small("P1"), small("P2"), ledger=ledger)
        versions = sim.versions()
        [_, result] = twice(server, *moving(small("P1"), small("P2")), moved=True, ledger=ledger)
        assert result.code == 4
        assert "could not be taken back" in result.stopped
        assert sim.versions() == versions


# --- withdrawn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_ledger_that_is_lost_about_a_withdrawal(when: str) -> None:
    """What we wrote before it is proven by the history of the server: what only the clinic changed since goes."""
    tree = rich()
    with remembering() as (_, server, ledger):
        push(server, tree, ledger=ledger)
        other = Ledger(None, server.url, CLINIC.namespace)
        push(server, tree, withdraw=True, create_people=False, ledger=other if when == "before" else ledger)
        record(tree, "conditions")["note"] = "Da febbraio."
        record(tree, "sessions", "S1")["place"] = "Sala 3"
        [result] = twice(server, tree, ledger=other)
        assert result.code == 0
        assert not [r for r in result.remarks if r.kind == "conflict"]


# --- resumed ------------------------------------------------------------------------------------------------


def test_what_was_pushed_is_not_what_was_withdrawn() -> None:
    """A push that was interrupted, and a withdrawal that goes on from there."""
    trees = [small(f"P{n}") for n in range(4)]
    with remembering() as (sim, server, ledger):
        asked = count()
        push(server, *trees, ledger=ledger, stop=lambda: next(asked) >= 2)
        results = push(server, *trees, ledger=ledger, withdraw=True, create_people=False, resume=True)
        assert [r.resumed for r in results] == [False] * 4
        assert all(is_withdrawn(x) for x in sim.all("Condition"))


def test_what_was_stopped_is_tried_again() -> None:
    """Or the exit code would say that all is done."""
    trees = [small(f"P{n}") for n in range(4)]
    with remembering() as (_, server, ledger):
        push(server, trees[0], ledger=ledger)
        asked = count()
        first = push(server, *trees, ledger=ledger, create_people=False, stop=lambda: next(asked) >= 2)
        assert [r.code for r in first] == [0, 4]
        rest = push(server, *trees, ledger=ledger, create_people=False, resume=True)
        assert [(r.resumed, r.code) for r in rest] == [(True, 0), (False, 4), (False, 4), (False, 4)]


# --- gone ---------------------------------------------------------------------------------------------------


def patient_of(result: Result) -> tuple[str, str]:
    [name] = [n for link, n in result.references.items() if link.kind == "Patient"]
    kind, _, logical = name.partition("/")
    return kind, logical


def test_a_patient_who_was_deleted_is_not_made_anew() -> None:
    """Until a person says so."""
    tree = small()
    with remembering() as (sim, server, ledger):
        [first] = push(server, tree, ledger=ledger)
        sim.store.held.clear()
        [result] = twice(server, tree, ledger=ledger)
        assert (result.code, sim.store.held) == (4, {})
        assert "was deleted on the server" in result.stopped
        settled = list(resolve([Item.of(history(tree))], server, CLINIC, ledger, lambda q: "forget", gone=True))
        assert {s.how for s in settled} == {"forgotten"}
        [result] = push(server, tree, ledger=ledger)
        assert (result.stopped, result.code) == ("", 0)
        assert of_kind(result, "Patient") == {"created"}
        assert patient_of(result) != patient_of(first)


def test_a_patient_whose_identifiers_were_taken_away_is_not_made_twice() -> None:
    tree = small()
    with remembering() as (sim, server, ledger):
        [first] = push(server, tree, ledger=ledger)
        [x] = sim.all("Patient")
        bare = {k: v for k, v in deepcopy(x).items() if k != "identifier"}
        sim.store.put(*patient_of(first), bare)
        [result] = twice(server, tree, ledger=ledger)
        assert result.code == 4
        assert "none of the identifiers" in result.stopped
        assert len(sim.all("Patient")) == 1


# --- foretold -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True], ids=["known", "ledger lost"])
def test_what_refers_to_what_would_be_made(lost: bool) -> None:
    """It was refused, and referred to by identifier alone; a dry run sees that the others will change."""
    refusing = replace(PUBLIC["azure-like"], refuses=no_conditions, refusal=(403, "forbidden"))
    with remembering(refusing) as (sim, server, ledger):
        [first] = push(server, rich(), ledger=ledger)
        assert of_kind(first, "Condition") == {"refused"}
        sim.kind = PUBLIC["azure-like"]
        [result] = twice(server, rich(), ledger=Ledger(None, server.url, CLINIC.namespace) if lost else ledger)
        assert (of_kind(result, "Condition"), of_kind(result, "CarePlan")) == ({"created"}, {"changed", "unchanged"})


def no_conditions(x: dict[str, Any]) -> str:
    return "not allowed" if x["resourceType"] == "Condition" else ""

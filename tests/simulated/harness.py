"""Pushes and pulls against a simulated server, and what must hold of every one of them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mesofhir.mapping import Clinic, graph
from mesofhir.records import TABLES
from mesofhir.server import Server, find_preset
from mesofhir.sync import Options, Result, iter_pull, iter_push
from mesofhir.sync.planning.plan import PEOPLE
from tests.contract.histories import Tree, history
from tests.simulated.engine import Kind, Simulated

CLINIC = Clinic("https://clinic.example/mesotherapy")
MRN = "https://ehr.example/mrn"


@contextmanager
def running(kind: Kind, *, preset: str = "") -> Iterator[tuple[Simulated, Server]]:
    """A server of that kind and a client of it; an offence fails the test.

    :param preset: what the client knows of it
    """
    known = find_preset(preset) if preset else None
    with Simulated(kind, told=bool(preset)) as sim, Server(sim.url, preset=known, warn=lambda text: None) as server:
        yield sim, server


def push(server: Server, *trees: Tree, **options: Any) -> list[Result]:
    options = {"create_people": True, **options}
    return list(iter_push([history(t) for t in trees], server, CLINIC, Options(**options)))


def pushed(server: Server, tree: Tree, **options: Any) -> Result:
    [result] = push(server, tree, **options)
    return result


def pull(server: Server) -> list[Any]:
    return list(iter_pull(server, CLINIC))


def became(result: Result) -> dict[str, int]:
    return dict(Counter(result.outcomes.values()))


def of_kind(result: Result, kind: str) -> set[str]:
    """What became of the resources of a type."""
    return {outcome for link, outcome in result.outcomes.items() if link.kind == kind}


def known(sim: Simulated, tree: Tree) -> Tree:
    """The patient, whom the EHR has; the record states the EHR's number."""
    number = {"system": MRN, "value": tree["key"]}
    sim.add({"resourceType": "Patient", "identifier": [number]})
    return tree | {"identifiers": [number]}


def nothing_is_lost(sim: Simulated, tree: Tree, result: Result) -> None:
    """Each resource is there as itself, or reported with what it fell to, or with the reason that stopped it; and
    nothing is there twice."""
    links = {m.link for m in graph(history(tree), CLINIC).made}
    assert links <= result.outcomes.keys()
    held = [x for kind in {k for k, _ in sim.store.held} for x in sim.all(kind)]
    there = Counter(link for x in held if (link := CLINIC.link_of(x)))
    assert all(n == 1 for n in there.values()), there
    told = {remark.link for remark in result.remarks}
    for link in links:
        outcome = result.outcomes[link]
        if outcome in ("created", "unchanged", "changed") and link.kind not in PEOPLE:
            assert link in there, (link, outcome)
        elif outcome in ("document", "filed", "untaken", "skipped"):
            assert link in told, (link, outcome)
            assert link not in there
        elif outcome in ("refused", "blocked"):
            assert result.stopped or link in told, (link, outcome)
            assert result.code != 0


def again(sim: Simulated, server: Server, tree: Tree, first: Result, **options: Any) -> None:
    """A second push writes nothing, and says the same."""
    before, writes = sim.versions(), list(sim.writes)
    second = pushed(server, tree, **options)
    assert sim.writes == writes
    assert sim.versions() == before
    unseen = {r.link for r in second.remarks if "nobody can tell what it says" in r.text}  # no read, search, answer
    for link, outcome in first.outcomes.items():
        if link in unseen:
            assert second.outcomes[link] == "blocked"
        elif link.kind not in PEOPLE:
            same = {"created": "unchanged", "changed": "unchanged"}
            if any(other.kind == "DocumentReference" for other in unseen):
                same["document"] = "untaken"  # nobody knows what the summary says
            assert second.outcomes[link] == same.get(outcome, outcome), (link, second.stopped)


def rekeyed(tree: Any, new: dict[tuple[str, str], str], table: str = "patients") -> Any:
    """The record with other keys, in what stands in it and in what names it too."""
    out = dict(tree)
    if (table, tree["key"]) in new:
        out["key"] = new[table, tree["key"]]
    for name, c in TABLES[table].columns.items():
        if c.to and isinstance(out.get(name), list):
            out[name] = [new.get((c.to, key), key) for key in out[name]]
        elif c.to and out.get(name) is not None:
            out[name] = new.get((c.to, out[name]), out[name])
    for child in TABLES[table].children:
        if child in out:
            out[child] = [rekeyed(x, new, child) for x in out[child]]
    return out


def names(tree: Any, table: str = "patients") -> list[tuple[str, str]]:
    """The tables and keys of the records of a history, without people."""
    inside = [n for child in TABLES[table].children for x in tree.get(child) or () for n in names(x, child)]
    return inside if table in ("patients", "practitioners") else [(table, tree["key"]), *inside]

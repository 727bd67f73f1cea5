"""Corrections that are cut off: the process dies, or an answer is lost, at each point of a push; pushed again, the
server holds what it would hold without that, and a push that says 0 has done it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mesofhir.errors import UnknownOutcome
from mesofhir.server import Server
from mesofhir.sync import Ledger, Result
from tests.contract.histories import Tree, record, small
from tests.simulated.engine import Kind, Simulated
from tests.simulated.harness import CLINIC, push, running
from tests.simulated.test_rekeyed import rekeyed
from tests.simulated.vendors import HAPI, PUBLIC


class Cut(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Correction:
    """Histories, what they are corrected to, and the words that this needs."""

    before: list[Tree]
    after: list[Tree]
    options: dict[str, Any]


def session(**fields: Any) -> Tree:
    tree = small()
    tree["cycles"][0]["sessions"] = [{"key": "P1-X", "status": "done", "number": 1} | fields]
    return tree


def moving(first: Tree, second: Tree) -> list[Tree]:
    """The session of the first is the second's."""
    first, second = deepcopy(first), deepcopy(second)
    second["cycles"][0]["sessions"].append(first["cycles"][0]["sessions"].pop())
    return [first, second]


NEW = {("conditions", "P1-C"): "C", ("cycles", "P1-Y"): "Y"}
CORRECTIONS = {
    "another patient's": Correction([small("P1"), small("P2")], moving(small("P1"), small("P2")), {"moved": True}),
    "a new patient's": Correction([small("P1")], moving(small("P1"), small("P2")), {"moved": True}),
    "only planned": Correction([session(start="2026-03-02")], [session(status="planned")], {}),
    "keys": Correction([small()], [rekeyed(small(), NEW)], {"rekeyed": True}),
    "the patient's key": Correction([small()], [rekeyed(small(), {("patients", "P1"): "P9"})], {"rekeyed": True}),
    "a key, and the patient's": Correction(
        [small()], [rekeyed(small(), {("conditions", "P1-C"): "C", ("patients", "P1"): "P9"})], {"rekeyed": True}
    ),
    "keys, and another patient's": Correction(
        [small("P1"), small("P2")], moving(rekeyed(small("P1"), NEW), small("P2")), {"rekeyed": True, "moved": True}
    ),
    "withdrawn": Correction([small()], [small()], {"withdraw": True, "create_people": False}),
}


class Cutter:
    """Counts the points at which a push can be cut off, and cuts at one of them.

    :param lost: the process goes on, and only an answer is lost
    """

    def __init__(self, server: Server, ledger: Ledger, at: int, *, lost: bool) -> None:
        self.left, self.lost = at, lost
        request, write = server._door.request, ledger.write

        def sent(method: str, path: str, **more: Any) -> Any:
            writes = method != "GET" and not path.endswith("_search")
            self._tick(writes and not lost)
            answer = request(method, path, **more)
            self._tick(writes)
            return answer

        def written(entries: Any) -> None:
            write(entries)
            self._tick(not lost)

        server._door.request, ledger.write = sent, written  # type: ignore[method-assign]

    def _tick(self, counts: bool) -> None:
        self.left -= counts
        if counts and self.left == 0:
            raise UnknownOutcome("the answer was lost") if self.lost else Cut


@contextmanager
def corrected(kind: Kind, what: Correction, at: int, *, lost: bool) -> Iterator[tuple[Simulated, list[Result], bool]]:
    """The server after a correction that was cut off and pushed again; how that ended, and whether it was cut."""
    known = {"preset": "hapi"} if kind is HAPI else {}
    with running(kind, **known) as (sim, server), TemporaryDirectory() as folder:
        with Ledger(Path(folder) / "ledger", server.url, CLINIC.namespace) as ledger:
            assert all(r.code == 0 for r in push(server, *what.before, ledger=ledger))
            cutter, killed = Cutter(server, ledger, at, lost=lost), False
            try:
                push(server, *what.after, ledger=ledger, **what.options)
            except Cut:
                killed = True
            del server._door.request
        with Ledger(Path(folder) / "ledger", server.url, CLINIC.namespace) as ledger:
            results = push(server, *what.after, ledger=ledger, resume=killed and at % 2 == 0, **what.options)
            yield sim, results, cutter.left <= 0


def said(sim: Simulated) -> list[str]:
    """All that the server holds, whatever it calls it."""
    now = {"/".join(name): deepcopy(versions[-1]) for name, versions in sim.store.held.items()}
    names = {name: json.dumps([x["resourceType"], x["identifier"]], sort_keys=True) for name, x in now.items()}
    out = []
    for x in now.values():
        x["id"] = x["meta"] = ""
        text = json.dumps(x, sort_keys=True, default=str)
        for name in names:
            text = text.replace(f'"{name}"', names[name])
        out.append(text)
    return sorted(out)


@pytest.mark.parametrize("lost", [False, True], ids=["killed", "answer lost"])
@pytest.mark.parametrize("name", CORRECTIONS)
def test_at_every_point_of_a_correction(name: str, lost: bool) -> None:
    all_points(HAPI, CORRECTIONS[name], lost=lost)


def test_where_each_goes_for_itself() -> None:
    """In a batch: what a record was before is taken back in another request than the new one is made."""
    all_points(PUBLIC["azure-like"], CORRECTIONS["only planned"], lost=False)


def all_points(kind: Kind, what: Correction, *, lost: bool) -> None:
    with corrected(kind, what, 0, lost=lost) as (sim, results, _):
        assert [r.code for r in results] == [0] * len(results)
        expected = said(sim)
    at, cut = 1, True
    while cut:
        with corrected(kind, what, at, lost=lost) as (sim, results, cut):
            assert [(r.stopped, r.code) for r in results] == [("", 0)] * len(results), at
            assert said(sim) == expected, at
        at += 1
    assert at > 2, "it was never cut off"


def test_a_change_that_was_never_sent_is_not_taken_for_sent() -> None:
    """Of a key that is corrected no value changes: the comparison of values alone would call it done."""
    before, after = CORRECTIONS["keys"].before[0], CORRECTIONS["keys"].after[0]
    with running(HAPI, preset="hapi") as (sim, server):
        ledger = Ledger(None, server.url, CLINIC.namespace)
        push(server, before, ledger=ledger)
        request = server._door.request

        def gone(method: str, path: str, **more: Any) -> Any:
            if method == "POST" and not path:
                raise UnknownOutcome("it never arrived")
            return request(method, path, **more)

        server._door.request = gone  # type: ignore[method-assign]
        [result] = push(server, after, ledger=ledger, rekeyed=True)
        assert result.code == 6
        assert all(x["identifier"][0]["value"] != record(after, "conditions")["key"] for x in sim.all("Condition"))
        del server._door.request
        assert push(server, after, ledger=ledger, rekeyed=True)[0].code == 0
        assert [x["identifier"][0]["value"] for x in sim.all("Condition")] == ["C"]

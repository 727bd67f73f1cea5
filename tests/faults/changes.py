"""A campaign of changes on a server, each round followed by an incremental pull: none may be missed.

``python -m tests.faults.changes 10000`` makes ten thousand changes and tells what was missed; the tests run a short
one. Among the changes are commits that show up late, equal times, deletions and new patients.
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from mesofhir.fhir.references import renamed
from mesofhir.formats import Item, Spool, read, standing
from mesofhir.mapping import Clinic, graph
from mesofhir.records import TreatmentHistory, flatten
from mesofhir.server import Server
from mesofhir.sync import Increment, Remembered, iter_pull
from mesofhir.sync.pulling.increment import Told
from tests.contract.histories import Tree, history, small
from tests.faults.fault_server import FaultServer, client
from tests.faults.fhir_store import Store

Row = tuple[str, str, str]


@dataclass
class Place:
    """A destination, and what remembers it."""

    folder: Path
    format: str

    @property
    def path(self) -> Path:
        return self.folder / {"json": "x.json", "ndjson": "x.ndjson", "csv": "x"}[self.format]

    def pull(self, server: Server, clinic: Clinic) -> Told:
        """One incremental pull."""
        with Spool() as spool, Remembered(self.folder / "seen.sqlite") as seen:
            server.clock = None
            server._capabilities = None  # what time it is there is asked anew
            server.capabilities()
            old = standing(self.path, str(self.path), self.format, spool)
            increment = Increment(server, clinic, old, spool, seen=seen)
            increment.write(increment.items())
            return increment.told

    def histories(self) -> dict[str, TreatmentHistory]:
        with read(self.path) as source:
            items = list(source)
        assert [p for i in items for p in i.faults] == []
        return {i.history.key: i.history for i in items if i.history}

    def bytes(self) -> dict[str, bytes]:
        """All files, but what remembers."""
        files = (p for p in self.folder.rglob("*") if p.is_file() and p.name != "seen.sqlite")
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in files}


@contextmanager
def running(store: Store) -> Iterator[Server]:
    with FaultServer(store.behave) as fault_server, client(fault_server.url) as server:
        yield server


def rows(histories: dict[str, TreatmentHistory]) -> dict[Row, dict[str, Any]]:
    """(patient, table, key) → row."""
    return {(h.key, table, row["key"]): row for h in histories.values() for table, row in flatten(h)}


def missed(store: Store, server: Server, place: Place) -> list[Row]:
    """What a full pull says of a record and the destination does not."""
    items: list[Item] = list(iter_pull(server, store.clinic))
    now = rows({i.history.key: i.history for i in items if i.history})
    there = rows(place.histories()) if place.path.exists() else {}
    return [row for row in now if there.get(row) != now[row]]


@dataclass
class Campaign:
    """The changes.

    :param late: what shows up late, and when: it is left alone until then
    """

    store: Store
    chance: random.Random
    trees: dict[str, Tree] = field(default_factory=dict)
    names: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)
    busy: dict[str, Any] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    pulled: set[str] = field(default_factory=set)  # what a pull can have seen
    made: int = 0

    def wanted(self) -> dict[Row, dict[str, Any]]:
        """What must stand at the destination: all that was ever there to be pulled, also what is deleted since."""
        never = {link[1] for key in self.names for link, n in self.names[key].items() if n in self.dead - self.pulled}
        all_ = rows({k: history(deepcopy(t)) for k, t in self.trees.items()})
        return {row: said for row, said in all_.items() if row[2] not in never}

    def change(self) -> None:
        """One change."""
        act = self.chance.choices([self.edit, self.session, self.patient, self.delete, self.person], [60, 15, 5, 5, 15])
        act[0]()
        self.made += 1

    def patient(self) -> None:
        """Somebody new."""
        key = f"P{len(self.trees):05}"
        self.trees[key] = small(key)
        self._write(key)

    def edit(self) -> None:
        """Something else is said of a record."""
        key = self._any()
        session = self.chance.choice(self.trees[key]["cycles"][0]["sessions"])
        session["note"] = f"nota {self.made}"
        self._write(key)

    def session(self) -> None:
        """A record more."""
        key = self._any()
        sessions = self.trees[key]["cycles"][0]["sessions"]
        sessions.append({"key": f"{key}-S{self.made}", "status": "done", "start": "2026-03-09"})
        self._write(key)

    def delete(self) -> None:
        """A resource that nothing refers to is deleted."""
        key = self._any()
        name = self.names[key].get(("Condition", f"{key}-C"))
        if name and name not in self.dead and name not in self.busy:
            self.dead.add(name)
            self.store.write(name, None)

    def person(self) -> None:
        """The patient has another name."""
        key = self._any()
        self.trees[key]["family"] = f"Prova {self.made}"
        self._write(key)

    def settle(self, time: timedelta) -> None:
        """Time goes by."""
        self.store.wait(time)
        self.busy = {n: shows for n, shows in self.busy.items() if shows > self.store.now}

    def _any(self) -> str:
        if not self.trees:
            self.patient()
        return self.chance.choice(list(self.trees))

    def _write(self, key: str) -> None:
        """What differs from what the server has: one commit, which shows up all at once, now or late."""
        late = timedelta(minutes=self.chance.choice([0, 0, 0, 1, 20, 55]))
        made = graph(history(deepcopy(self.trees[key])), self.store.clinic).made
        names = {f"{m.link.kind}/{m.handle}": f"{m.link.kind}/{m.handle[:13]}" for m in made}
        bodies = {}
        for m in made:
            name = names[f"{m.link.kind}/{m.handle}"]
            self.names.setdefault(key, {})[m.link.kind, m.link.key] = name
            body = renamed(m.resource, lambda x: names.get(x, x))
            old = self.store.versions.get(name)
            said = {k: v for k, v in ((old[-1].body or {}) if old else {}).items() if k not in ("meta", "id")}
            if name not in self.dead and said != {k: v for k, v in body.items() if k != "meta"}:
                bodies[name] = body
        for name in bodies:
            if name in self.busy:  # its last version has not shown up yet: no other goes before it
                late = max(late, self.busy[name] - self.store.now)
        for name, body in bodies.items():
            self.store.write(name, body, late=late)
            self.busy[name] = self.store.now + late


def run(
    changes: int, folder: Path, *, seed: int = 1, form: str = "ndjson", cannot: frozenset[str] = frozenset()
) -> tuple[int, int, list[Row], int]:
    """A campaign; (changes made, pulls, what was missed at its end, requests)."""
    chance = random.Random(seed)
    store = Store(Clinic("https://clinic.example/m"), cannot)
    campaign, place, lost, pulls = Campaign(store, chance), Place(folder, form), list[Row](), 0
    with running(store) as server:
        while campaign.made < changes:
            for _ in range(chance.randint(1, 40)):
                campaign.change()
            campaign.pulled |= set(store.names())
            place.pull(server, store.clinic)
            pulls += 1
            campaign.settle(timedelta(minutes=chance.choice([0, 0, 1, 7, 45, 600])))
            if chance.random() < 0.1:
                place.pull(server, store.clinic)
                lost += missed(store, server, place)
                pulls += 1
        campaign.settle(timedelta(hours=1))
        place.pull(server, store.clinic)
        lost += missed(store, server, place)
        wanted = campaign.wanted()
        there = rows(place.histories())
        lost += [row for row in wanted if row not in there or there[row] != wanted[row]]
        asked = len(store.searches)
    return campaign.made, pulls + 1, lost, asked


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name:
        made, pulls, lost, asked = run(many, Path(name), seed=int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(f"{made} changes, {pulls} pulls, {asked} searches: {len(lost)} missed")
    sys.exit(bool(lost))

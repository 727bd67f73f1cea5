"""``mesofhir ledger resolve`` as a person meets it: answers really lost, on a real server, at a real terminal.

A write is cut off before it reaches the server, so that nobody can tell; what the person answers decides, what they
cannot answer stays, and nothing is ever sent by resolving.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mesofhir.formats import write
from mesofhir.mapping import Clinic
from tests.contract.harness import Ehr, Place, client
from tests.contract.histories import Tree, history, record, small
from tests.faults.proxy import Proxy, first
from tests.faults.pushing import Pusher
from tests.servers import FhirServer
from tests.terminal import END, on_a_terminal

OPEN = 6
"""The resources of a small history, without the patient."""


@dataclass
class Desk:
    """A person at a machine, and a server behind a bad line."""

    pusher: Pusher
    proxy: Proxy
    place: Place

    def push(self, tree: Tree, fault: str = "", kind: str = "create", *options: str) -> int:
        path = self.source(tree)
        self.proxy.begin(first(kind, fault) if fault else None)
        return self.pusher.push(path, self.proxy.url, "--preset", str(self.preset), *options).code

    def source(self, tree: Tree) -> Path:
        self.pusher.folder.mkdir(exist_ok=True)
        path = self.pusher.folder / "clinic.ndjson"
        write(path, [history(tree)], format="ndjson")
        return path

    def command(self, tree: Tree, *options: str) -> list[str]:
        where = ["here", "--config", str(self.pusher.config), "--preset", str(self.preset)]
        return [sys.executable, "-m", "mesofhir.cli", "ledger", "resolve", str(self.source(tree)), *where, *options]

    @property
    def preset(self) -> Path:
        """A server that would do a create twice, as most vendors' do: only there a person has to be asked."""
        path = self.pusher.folder / "twice.toml"
        path.write_text(
            'about = "A server without conditional creates."\ntransaction = true\nbatch = true\n'
            '[others]\ncan = ["create", "read", "update", "search-type"]\nconditional_create = false\nif_match = true\n'
        )
        return path

    def resolve(self, tree: Tree, *options: str, said: str = "") -> tuple[int, str]:
        """Where nobody sits at a terminal.

        :param said: standard input
        """
        self.proxy.begin()
        done = subprocess.run(
            self.command(tree, *options), input=said, capture_output=True, text=True, env=self.pusher.environment()
        )
        return done.returncode, done.stdout + done.stderr

    def answer(self, tree: Tree, *typed: str, options: Sequence[str] = ()) -> tuple[int, str]:
        """Where somebody does, and types."""
        self.proxy.begin()
        return on_a_terminal(*self.command(tree, *options), types=typed, env=self.pusher.environment())

    def sent(self) -> list[str]:
        """The writes of the last run."""
        return [f"{r.method} {r.path}" for r in self.proxy.requests[-len(self.proxy.happened) :] if r.method != "GET"]


@pytest.fixture
def desk(fhir_server: FhirServer, namespace: str, tmp_path: Path) -> Iterator[Desk]:
    place = Place(fhir_server, Clinic(namespace), client(fhir_server), Ehr(fhir_server.url))
    with Proxy(fhir_server.url) as proxy:
        yield Desk(Pusher(tmp_path / "home", namespace, timeout=30), proxy, place)
    place.close()


def patient_of(desk: Desk) -> Tree:
    """A small history, whose patient is there already."""
    tree = small()
    assert desk.push({k: v for k, v in tree.items() if k not in ("conditions", "cycles")}) == 0
    return tree


def test_answers_one_by_one(desk: Desk) -> None:
    """No, nonsense and yes: what is forgotten is sent by the next push, what is not is never sent blindly."""
    tree = patient_of(desk)
    assert desk.push(tree, "cut before") == 6
    before = desk.place.links()
    typed = ["n\n", "perhaps\n", "\n", *["y\n"] * (OPEN - 2)]
    code, seen = desk.answer(tree, *typed)
    assert code == 6, seen
    assert seen.count("forget that it was sent? [y/N]") == OPEN + 1  # once more after the nonsense
    assert "invalid input" in seen
    assert f"{OPEN - 2} forgotten, 2 kept" in seen
    assert "2 still pending or unknown" in seen
    assert all("_search" in line for line in desk.sent())
    assert desk.place.links() == before
    assert desk.push(tree) == 6  # two of which nobody said anything
    assert desk.place.links() == before
    code, seen = desk.answer(tree, "y\n", "y\n")
    assert (code, "still pending" in seen) == (0, False), seen
    assert desk.push(tree) == 0
    assert set(desk.place.links().values()) == {1}
    assert len(desk.place.links()) == OPEN + 1


def test_the_end_of_what_is_typed_settles_nothing_more(desk: Desk) -> None:
    tree = patient_of(desk)
    assert desk.push(tree, "cut before") == 6
    code, seen = desk.answer(tree, "y\n", END)
    assert code == 6, seen
    assert f"{OPEN - 1} still pending or unknown" in seen
    assert "Traceback" not in seen
    code, seen = desk.answer(tree, *["y\n"] * (OPEN - 1))
    assert code == 0, seen
    assert desk.push(tree) == 0
    assert set(desk.place.links().values()) == {1}


def test_ctrl_c_at_a_question(desk: Desk) -> None:
    tree = patient_of(desk)
    assert desk.push(tree, "cut before") == 6
    desk.proxy.begin()
    command = desk.command(tree)
    code, seen = on_a_terminal(*command, types=["y\n"], press=r"(?s)N\]: y.*N\]: $", env=desk.pusher.environment())
    assert code == 130, seen
    assert "what was answered holds" in seen
    code, seen = desk.answer(tree, *["y\n"] * (OPEN - 1))
    assert (code, f"{OPEN - 1} forgotten" in seen) == (0, True), seen


def test_without_a_terminal_nothing_is_forgotten(desk: Desk) -> None:
    """Neither a nightly job nor a pipe full of yes decides what only a person knows."""
    tree = patient_of(desk)
    assert desk.push(tree, "cut before") == 6
    for said in ("", "y\n" * 20):
        code, text = desk.resolve(tree, said=said)
        assert code == 6, text
        assert text.count("stays as it is") == OPEN
        assert f"{OPEN} still pending or unknown" in text
    code, text = desk.resolve(tree, "--assume", "forget")
    assert code == 0, text
    assert text.count("is forgotten: the next push sends it") == OPEN
    assert desk.push(tree) == 0
    assert set(desk.place.links().values()) == {1}


def test_what_arrived_all_the_same_is_settled_without_a_question(desk: Desk) -> None:
    """The line broke, and the server was only slow: by the time somebody looks, all of it is there."""
    tree = patient_of(desk)
    assert desk.push(tree, "late") == 6
    desk.proxy.settle()
    code, seen = desk.answer(tree)
    assert code == 0, seen
    assert "[y/N]" not in seen
    assert f"{OPEN} there" in seen
    assert desk.push(tree) == 0
    assert set(desk.place.versions().values()) == {1}


@pytest.mark.parametrize("typed", ["y\n", "n\n"])
def test_an_update_that_never_arrived(desk: Desk, typed: str) -> None:
    """By its id and version it cannot be done twice, so nobody needs to be asked."""
    tree = small()
    assert desk.push(tree) == 0
    record(tree, "conditions")["note"] = "Da gennaio."
    assert desk.push(tree, "cut before", "change") == 6
    code, seen = desk.answer(tree, typed)
    assert code == 0, seen
    assert "[y/N]" not in seen
    assert desk.push(tree) == 0
    [note] = [x["note"] for x in desk.place.resources().values() if x["resourceType"] == "Condition"]
    assert note[0]["text"] == "Da gennaio."


def test_another_source_names_nothing(desk: Desk) -> None:
    """The ledger knows records by hashes only: the rest is told, with a number."""
    tree = patient_of(desk)
    assert desk.push(tree, "cut before") == 6
    code, text = desk.resolve(small("P2"))
    assert code == 6, text
    assert "nothing to settle in this source" in text
    assert f"{OPEN} still pending or unknown" in text


def test_what_was_deleted_there(desk: Desk) -> None:
    tree = small()
    tree["cycles"] = []
    assert desk.push(tree) == 0
    [name] = [n for n in desk.place.resources() if n.startswith("Condition/")]
    desk.place.ehr.send("DELETE", name)
    code, seen = desk.answer(tree, "n\n", options=["--gone"])
    assert (code, "1 kept" in seen) == (0, True), seen
    record(tree, "conditions")["note"] = "Da gennaio."
    assert desk.push(tree) == 4
    code, seen = desk.answer(tree, "y\n", options=["--gone"])
    assert (code, "1 forgotten" in seen) == (0, True), seen
    assert desk.push(tree) == 0
    assert desk.place.links().total() == 2

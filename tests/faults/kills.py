"""SIGKILL of the client, of the server and of both, at every boundary of a push and anywhere between; each time the
push is resumed, and in the end the server's contents are compared with the input, one by one.

    python -m tests.faults.kills --client 200 --server 20 --both 10 --seed 1

The client is a `mesofhir push` in a process of its own. The boundaries are the arrival of a request, its commit and
its answer, as a proxy sees them. HAPI has its database on disk and a port of its own, and is started again.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from urllib3.exceptions import HTTPError

from tests.faults.fault_server import Exchange
from tests.faults.proxy import Proxy
from tests.faults.pushing import Pushed, Pusher, compared, edited, histories, source
from tests.servers import FhirServer, ServerProcess, start_hapi

BOUNDARIES: Final = ("arrived", "committed", "answered")
DEEPEST: Final = 12
"""Kills of one push before it is let through."""


@dataclass(frozen=True)
class Point:
    """When to kill: at a boundary of the n-th request of a push, or after some seconds.

    :param boundary: one of :data:`BOUNDARIES`; "" for a time
    """

    request: int = 0
    boundary: str = ""
    seconds: float = 0.0


class Gallows(Proxy):
    """A proxy that kills when a request has come to a point."""

    point: Point | None = None
    kill: Callable[[], object]
    killed = False

    def await_at(self, point: Point | None, kill: Callable[[], object] = lambda: None) -> None:
        self.begin()
        self.point, self.kill, self.killed = point, kill, False

    def strike(self) -> None:
        if not self.killed:
            self.killed = True
            self.kill()

    def _passed(self, exchange: Exchange) -> None:
        with self._lock:
            number = len(self.happened)
            self.happened.append("")
        boundary = self.point.boundary if self.point and number == self.point.request else ""
        if boundary == "arrived":
            self.strike()
        try:
            reply = self.forward(exchange, exchange.request_body)
        except HTTPError:  # nobody there any more
            return exchange.drop()
        if boundary == "committed":
            self.strike()
        with suppress(OSError):
            exchange.answer(reply.status, reply.body, **{k.replace("-", "_"): v for k, v in reply.headers.items()})
        if boundary == "answered":
            self.strike()
        return None


class Hapi:
    """A HAPI that comes back with all that it had committed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.process: ServerProcess
        self.start()

    def start(self) -> None:
        jdbc = f"jdbc:h2:file:{self.folder / 'fhir'};WRITE_DELAY=0"
        self.process = start_hapi(self.folder, jdbc=jdbc, port=self.port)
        self.fhir = self.process.ready()
        self.port = int(self.fhir.url.split(":")[2].split("/")[0])

    def kill(self) -> None:
        self.process.kill()


@dataclass
class Tally:
    """What the killing has come to."""

    kills: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    sets: int = 0
    resources: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{n} {what}" for what, n in sorted(self.kills.items()))
        return (
            f"kills: {kills}; {self.sets} sets, {self.resources} resources compared; "
            f"exit codes {dict(sorted(self.codes.items()))}; {len(self.wrong)} wrong"
        ) + "".join(f"\n  {x}" for x in self.wrong[:10])


@dataclass
class Killing:
    """Small sets of histories, each pushed in spite of being killed until it is done; then changed, and pushed again
    likewise.

    :param hapi: needed to kill the server
    :param resources: of one set
    """

    fhir: FhirServer
    folder: Path
    seed: int
    hapi: Hapi | None = None
    resources: int = 30
    tally: Tally = field(default_factory=Tally)

    def run(self, victims: str, kills: int) -> None:
        """:param victims: ``client``, ``server`` or ``both``"""
        enough = self.tally.kills[victims] + kills
        while self.tally.kills[victims] < enough:
            self._set(victims, enough)

    def _set(self, victims: str, enough: int) -> None:
        with Gallows(self.fhir.url) as gallows:
            self._rounds(gallows, victims, enough)
        self.tally.sets += 1
        print(f"{victims}: {self.tally}", flush=True)

    def _rounds(self, gallows: Gallows, victims: str, enough: int) -> None:
        number, namespace = self.tally.sets, f"https://clinic.example/{uuid4()}"
        home = self.folder / f"set {number}"
        home.mkdir()
        pusher = Pusher(home / "pusher", namespace, jobs=1 + number % 2)
        first = histories(self.resources, self.seed + number)
        states = [first, [edited(h, "due") for h in first]]
        took = 3.0
        for n, state in enumerate(states, 1):
            path = source(home / f"{n}.ndjson", state)
            for depth in range(DEEPEST):
                if self.tally.kills[victims] >= enough or not self._killed(
                    pusher, gallows, path, victims, self._point(number, n, depth, took)
                ):
                    break
            begun = time.monotonic()
            gallows.await_at(None)
            self._done(pusher, gallows.url, path, f"set {number}, round {n}", resume=number // 2 % 2 == 1)
            took = time.monotonic() - begun
            found = compared(self.fhir, namespace, states[:n])
            self.tally.resources += found.resources
            if not found.good:
                self.tally.wrong.append(f"set {number}, round {n}: {found}")

    def _point(self, number: int, round: int, depth: int, took: float) -> Point:
        """Half of the sets die at each request in turn, the others whenever chance says."""
        if number % 2 == 0:
            return Point(depth, BOUNDARIES[number // 2 % 3])
        return Point(seconds=random.Random(f"{self.seed}/{number}/{round}/{depth}").uniform(0.05, 1.2 * took))

    def _killed(self, pusher: Pusher, gallows: Gallows, path: Path, victims: str, point: Point) -> bool:
        """One push, killed; False if it was over before."""
        gallows.await_at(point, lambda: self._kill(victims, process))
        process = pusher.start(path, gallows.url)
        timer = threading.Timer(point.seconds, gallows.strike)
        if not point.boundary:
            timer.start()
        pushed = pusher.ended(process)
        timer.cancel()
        if gallows.killed and victims != "client" and self.hapi:
            self.hapi.start()
        killed = gallows.killed and pushed.code != 0
        if killed:
            self.tally.kills[victims] += 1
            self.tally.kills[f"at {point.boundary or 'any time'}"] += 1
        self._look(pushed, victims if killed else "nobody")
        return killed

    def _kill(self, victims: str, process: "subprocess.Popen[str]") -> None:
        if victims != "server":
            process.kill()
        if victims != "client" and self.hapi:
            self.hapi.kill()

    def _look(self, pushed: Pushed, victims: str) -> None:
        self.tally.codes[pushed.code] += 1
        if victims in ("server", "nobody"):
            self.tally.wrong += [f"{victims} killed: {x}" for x in pushed.dishonest()]

    def _done(self, pusher: Pusher, url: str, path: Path, what: str, *, resume: bool) -> None:
        """The push, gone on with until it is done: what is unknown at first is settled by looking."""
        for attempt in range(3):
            pushed = pusher.push(path, url, *(["--resume"] if resume and not attempt else []))
            if pushed.code == 2 and "no interrupted push" in pushed.said:
                continue  # it was killed before it began, or not at all
            self._look(pushed, "nobody")
            if pushed.code == 0:
                return
        self.tally.wrong.append(f"{what}: exit {pushed.code}: {pushed.said[-1500:]}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--client", type=int, default=200, help="kills of the client")
    parser.add_argument("--server", type=int, default=20, help="kills of the server")
    parser.add_argument("--both", type=int, default=10, help="kills of both")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        hapi = Hapi(Path(name))
        killing = Killing(hapi.fhir, Path(name), asked.seed, hapi)
        try:
            for victims in ("client", "server", "both"):
                killing.run(victims, getattr(asked, victims))
        finally:
            hapi.process.stop()
    return 1 if killing.tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

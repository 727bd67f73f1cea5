"""Random faults over many resources, several pushers at once, each resumed until it is done; then the server's
contents are compared with the input, one by one.

    python -m tests.faults.campaign --resources 10000 --pushers 8 --seed 1

Each pusher is a `mesofhir push` at a machine of its own, with a fault proxy of its own between it and HAPI, and
pushes all the histories; then all of them once more with other notes. What is told must be true: no exit code 0 with
something undone, and nothing created by two. The same seed befalls the same requests with the same faults.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from mesofhir.records import TreatmentHistory
from tests.faults.proxy import Proxy, random_faults, told
from tests.faults.pushing import Comparison, Pusher, compared, edited, histories, made, source
from tests.servers import FhirServer, start_hapi


@dataclass
class Tally:
    """What a campaign has seen."""

    pushes: int = 0
    requests: int = 0
    faults: list[str] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    dishonest: list[str] = field(default_factory=list)
    created: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    claims: int = 0  # of one resource by several pushers
    unfinished: list[str] = field(default_factory=list)


@dataclass
class Campaign:
    """Pushers, and what befalls them.

    :param rate: the share of requests that meet a fault
    :param attempts: pushes of a pusher with faults; then it must get done without
    """

    fhir: FhirServer
    folder: Path
    resources: int
    pushers: int
    seed: int
    rate: float = 0.02
    attempts: int = 12
    jobs: int = 2
    namespace: str = field(default_factory=lambda: f"https://clinic.example/{uuid4()}")
    tally: Tally = field(default_factory=Tally)
    proxies: list[Proxy] = field(default_factory=list)

    def run(self) -> list[Comparison]:
        """One comparison for each round: what is new, then what has changed."""
        first = histories(self.resources, self.seed)
        states = [first, [edited(h, "due") for h in first]]
        print(f"{len(first)} histories, {len(made(first))} resources, {self.pushers} pushers, seed {self.seed}")
        with ExitStack() as opened:
            self.proxies = [opened.enter_context(Proxy(self.fhir.url)) for _ in range(self.pushers)]
            return [self._round(states[:n]) for n in (1, 2)]

    def _round(self, states: Sequence[Sequence[TreatmentHistory]]) -> Comparison:
        begun, name = time.monotonic(), f"round {len(states)}"
        path = source(self.folder / f"{name}.ndjson", states[-1])
        self.tally.created.clear()
        with ThreadPoolExecutor(self.pushers) as pool:
            list(pool.map(lambda n: self._pushed(n, self.proxies[n], path, name), range(self.pushers)))
        self.tally.claims += sum(n - 1 for n in self.tally.created.values())
        found = compared(self.fhir, self.namespace, states)
        print(f"{name}: {found} ({time.monotonic() - begun:.0f} s)", flush=True)
        return found

    def _pushed(self, number: int, proxy: Proxy, path: Path, name: str) -> None:
        """One pusher, resumed until it is done."""
        pusher = Pusher(self.folder / f"pusher {number}", self.namespace, jobs=self.jobs)
        for attempt in range(self.attempts + 3):
            seed = f"{self.seed}/{name}/{number}/{attempt}"
            script = random_faults(seed, self.rate) if attempt < self.attempts else None
            proxy.begin(script, seed=seed)
            pushed = pusher.push(path, proxy.url)
            proxy.settle()
            tally = self.tally
            tally.pushes += 1
            tally.requests += len(proxy.happened)
            tally.faults += filter(None, proxy.happened)
            tally.codes[pushed.code] += 1
            tally.dishonest += [f"{seed}: {x}" for x in pushed.dishonest()]
            tally.created.update(
                (x["table"], x["key"], x["type"]) for x in pushed.report if x.get("outcome") == "created"
            )
            if pushed.code == 0:
                return
            if pushed.code in (1, 2, 3):  # no fault of ours is answered so: there is nothing to go on with
                break
        tally.unfinished.append(f"{name}: pusher {number} returned {pushed.code}: {pushed.said[-2000:]}")


@contextmanager
def server(url: str | None, folder: Path) -> Iterator[FhirServer]:
    """The HAPI of a URL, or one of our own."""
    if url:
        yield FhirServer("hapi", url)
    else:
        with start_hapi(folder) as hapi:
            yield hapi


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=10_000)
    parser.add_argument("--pushers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.02, help="share of requests that meet a fault")
    parser.add_argument("--attempts", type=int, default=12, help="pushes with faults, for each pusher and round")
    parser.add_argument("--server", help="a HAPI that runs already [default: one of its own]")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, server(asked.server, Path(name)) as fhir:
        campaign = Campaign(
            fhir, Path(name), asked.resources, asked.pushers, asked.seed, asked.rate, asked.attempts
        )
        found = campaign.run()
    tally = campaign.tally
    print(f"{tally.pushes} pushes, {tally.requests} requests, {len(tally.faults)} faults: {told(tally.faults)}")
    print(f"{tally.claims} told as created by more than one pusher")
    print(f"exit codes {dict(sorted(tally.codes.items()))}")
    for kind in ("dishonest", "unfinished"):
        wrong: list[str] = getattr(tally, kind)
        print(f"{len(wrong)} {kind}" + "".join(f"\n  {x}" for x in wrong[:10]))
    return 0 if all(c.good for c in found) and not (tally.dishonest or tally.unfinished or tally.claims) else 1


if __name__ == "__main__":
    sys.exit(main())

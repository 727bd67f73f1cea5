"""What the campaigns of faults and of kills share: histories, `mesofhir push` as a process of its own, and the look
at the server afterwards, resource by resource."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit
from typing import Any

import msgspec

from mesofhir.formats import write
from mesofhir.mapping import Clinic, Link, graph
from mesofhir.records import TreatmentHistory, plain, sorted_by_key
from tests.contract.harness import Ehr, Place, client
from tests.property.strategies import clinic as drawn
from tests.servers import FhirServer

Resource = dict[str, Any]
FULL = bytes([1]) * 20_000  # every optional field may be there


def histories(resources: int, seed: int) -> list[TreatmentHistory]:
    """At least so many resources, of one clinic; synthetic, of course."""
    found: list[TreatmentHistory] = []
    count = 0
    for history in drawn(seed, FULL, resources // 4 + 1):
        found.append(msgspec.structs.replace(history, synthetic=True))
        count += len(made([found[-1]]))
        if count >= resources:
            break
    return found


def made(of: Iterable[TreatmentHistory], namespace: str = "https://clinic.example/any") -> set[Link]:
    """Each resource that the histories are."""
    where = Clinic(namespace)
    return {m.link for history in of for m in graph(history, where).made}


def edited(history: TreatmentHistory, word: str) -> TreatmentHistory:
    """The history with another note on each session and on each condition."""

    def noted(x: Any) -> Any:
        unknown = [name for name in x.unknown or () if name != "note"] or msgspec.UNSET
        return msgspec.structs.replace(x, note=f"Nota {word}", unknown=unknown)

    cycles = [msgspec.structs.replace(c, sessions=[noted(s) for s in c.sessions or ()]) for c in history.cycles or ()]
    return msgspec.structs.replace(
        history, cycles=cycles or history.cycles, conditions=[noted(c) for c in history.conditions or ()]
    )


@dataclass(frozen=True)
class Pushed:
    """One run of the command: what it returned, said and reported."""

    code: int
    said: str
    report: list[dict[str, Any]]

    def outcomes(self) -> Counter[str]:
        return Counter(line["outcome"] for line in self.report if "outcome" in line)

    def dishonest(self) -> list[str]:
        """Where the exit code does not fit what was reported."""
        outcomes = self.outcomes()
        bad = {"refused", "blocked", "skipped", "unknown"} & outcomes.keys()
        wrong = [f"exit 0 with {outcomes[x]} {x}" for x in bad if self.code == 0]
        wrong += [f"exit {self.code} with an unknown outcome" for _ in range(outcomes["unknown"] and self.code != 6)]
        wrong += ["a traceback"] if "Traceback (most recent call last)" in self.said else []
        wrong += [f"exit {self.code}"] if self.code in (1, 2, 3) else []
        last = [line for line in self.said.splitlines() if "resource" in line]
        return wrong + ([] if last or self.code else ["exit 0 without a summary"])


@dataclass
class Pusher:
    """Somebody at a machine of their own: a home folder, a configuration, a ledger.

    :param folder: the home
    :param namespace: the clinic's
    :param largest: bytes that a file may have: beyond them the disk is full
    """

    folder: Path
    namespace: str
    jobs: int = 1
    timeout: int = 30
    largest: int = 0

    @property
    def config(self) -> Path:
        return self.folder / "mesofhir.toml"

    def environment(self) -> Mapping[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MESOFHIR", "XDG_"))}
        return kept | {"HOME": str(self.folder), "MESOFHIR_NAMESPACE": self.namespace}

    def command(self, source: Path, url: str, *options: str) -> list[str]:
        self.folder.mkdir(exist_ok=True)
        self.config.write_text(
            f'[servers.here]\nurl = "{url}"\ntimeout = {self.timeout}\nidentifier_systems = ["{self.namespace}"]\n'
            f"concurrency = {self.jobs}\ncreate_people = true\n"
        )
        report = self.folder / "report.ndjson"
        report.unlink(missing_ok=True)
        mesofhir = [sys.executable, "-m", "mesofhir.cli", "push", str(source), "here"]
        return [*mesofhir, "--config", str(self.config), "--report", str(report), *options]

    def start(self, source: Path, url: str, *options: str) -> "subprocess.Popen[str]":
        command, more = self.command(source, url, *options), dict[str, Any]()
        if self.largest:
            more["preexec_fn"] = lambda: setrlimit(RLIMIT_FSIZE, (self.largest, self.largest))
        environment = self.environment()
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True, **more
        )

    def push(self, source: Path, url: str, *options: str) -> Pushed:
        self.folder.mkdir(exist_ok=True)
        return self.ended(self.start(source, url, *options))

    def run(self, verb: str, *arguments: str) -> str:
        """What another verb says."""
        command = [sys.executable, "-m", "mesofhir.cli", verb, *arguments, "--config", str(self.config)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment(), text=True
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def ended(self, process: "subprocess.Popen[str]") -> Pushed:
        said, _ = process.communicate()
        report = self.folder / "report.ndjson"
        lines = report.read_text().split("\n") if report.exists() else [""]
        whole = lines[:-1]  # of one that was killed the last line may be half
        return Pushed(process.returncode, said, [json.loads(line) for line in whole])


def source(path: Path, of: Iterable[TreatmentHistory]) -> Path:
    """A file with the histories."""
    write(path, of, format="ndjson" if path.suffix == ".ndjson" else "")
    return path


@dataclass
class Comparison:
    """The server's contents beside the input."""

    resources: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)  # of our namespace, and in no history
    different: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)  # versions without a change
    versions: Counter[int] = field(default_factory=Counter)

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.strange or self.different or self.idle)

    def __str__(self) -> str:
        kinds = ("lost", "doubled", "strange", "different", "idle")
        counts = ", ".join(f"{len(getattr(self, kind))} {kind}" for kind in kinds)
        first = [f"\n  {kind}: {x}" for kind in kinds for x in getattr(self, kind)[:5]]
        return f"{self.resources} resources: {counts}; versions {dict(sorted(self.versions.items()))}" + "".join(first)


def compared(fhir: FhirServer, namespace: str, states: Sequence[Sequence[TreatmentHistory]]) -> Comparison:
    """Every resource of the clinic on the server against the histories.

    :param states: what was pushed, one after the other; the last is to be there
    """
    clinic, out = Clinic(namespace), Comparison()
    with client(fhir) as server:
        place = Place(fhir, clinic, server, Ehr(fhir.url))
        there = place.resources()
        links = Counter(link for x in there.values() if (link := clinic.link_of(x)))
        wanted = made(states[-1], namespace)
        out.resources = len(there)
        out.lost = sorted(map(str, wanted - links.keys()))
        out.strange = sorted(map(str, links.keys() - wanted))
        out.doubled = sorted(f"{n} x {link}" for link, n in links.items() if n > 1)
        for name, x in there.items():
            count = int(x["meta"]["versionId"])
            out.versions[count] += 1
            if count > 1:
                out.idle += _idle(name, place.ehr.versions(name), len(states))
        ours = {h.key: plain(sorted_by_key(h)) for h in states[-1]}
        for item in place.pull():
            if item.history is None or plain(sorted_by_key(item.history)) != ours.pop(item.patient, None):
                out.different.append(f"history {item.patient}")
        out.different += [f"history {key} is not there" for key in ours]
        place.ehr.session.close()
    return out


def _idle(name: str, versions: list[Resource], most: int) -> list[str]:
    """Versions that say what the one before said, or more of them than there were things to say."""
    said = [{k: v for k, v in x.items() if k != "meta"} for x in versions]
    same = [f"{name} version {n + 2}" for n, (a, b) in enumerate(pairwise(said)) if a == b]
    return same + ([f"{name} has {len(said)} versions"] if len(said) > most else [])

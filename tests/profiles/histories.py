"""Generated histories before the HL7 validator and before Python: 1,000 of them, the same ones each time.

The tests ask a part of them; `python -m tests.profiles.histories [FIRST LAST]` asks all 1,000 on a HAPI of its own (or
on the one of MESOFHIR_TESTS_HAPI), and prints how many resources that were, how long it took, every error, every
warning that is not explained, and every explanation that explains nothing any more.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesofhir.mapping import Clinic, graph
from tests.profiles.explained import explained, unexplained
from tests.profiles.material import OURS, judged, name_of, references
from tests.profiles.validator import Issue, Validator
from tests.property.strategies import clinic
from tests.servers import RUNNING_HAPI, profiles_package, start_hapi

ALL = 1000
CLINIC = Clinic("https://clinic.example/mesotherapy")
Resource = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What both say of a resource.

    :param base: what Python says of R4 itself
    :param rules: (severity, rule) of what Python says of our profiles
    """

    name: str
    issues: list[Issue]
    base: list[str]
    rules: frozenset[tuple[str, str]]

    @property
    def differences(self) -> list[str]:
        """Where the two do not agree: on errors at all, and on each of our invariants, warnings too."""
        failed = any(i.failed for i in self.issues)
        refused = bool(self.base) or any(severity == "error" for severity, _ in self.rules)
        theirs = {i.id.removeprefix(OURS) for i in self.issues if i.id.startswith(OURS)}
        ours = {rule for _, rule in self.rules if "#" in rule and ":" not in rule.split("#")[1]}
        single = [f"{self.name}: {rule}: only one of them says so" for rule in sorted(theirs ^ ours)]
        verdicts = f"{self.name}: Python refuses it: {refused}, the validator: {failed}"
        return [verdicts, *single] if refused != failed else single


def bundle(seed: int) -> tuple[list[Resource], list[str]]:
    """The resources of the history of a seed, and their full URLs."""
    [history] = clinic(seed)
    made = graph(history, CLINIC).made
    urls = {f"{m.link.kind}/{m.handle}": f"urn:uuid:{m.handle}" for m in made}
    resources = [m.resource for m in made]
    for resource in resources:
        for reference in references(resource):
            reference["reference"] = urls.get(reference["reference"], reference["reference"])
    return resources, list(urls.values())


def verdicts(validator: Validator, name: str, resources: list[Resource], urls: list[str]) -> Iterator[Verdict]:
    """What both say of resources that refer to each other."""
    known = dict(zip(urls, resources, strict=True))
    for resource, issues in zip(resources, validator.bundle(resources, urls), strict=True):
        base, broken = judged(resource, known)
        rules = frozenset((v.severity, v.rule) for v in broken)
        yield Verdict(f"{name}: {name_of(resource)}", issues, base, rules)


def faults(found: Iterable[Verdict]) -> list[str]:
    """Errors, warnings that are new, and disagreements."""
    out = []
    for v in found:
        out += [f"{v.name}: {i}" for i in v.issues if i.failed]
        out += [f"{v.name}: not explained: {i}" for i in unexplained(v.issues)]
        out += [f"{v.name}: Python: {what}" for what in v.base]
        out += [f"{v.name}: Python: {rule}" for severity, rule in sorted(v.rules) if severity == "error"]
        out += v.differences
    return out


def _main(url: str, first: int, last: int) -> int:
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    unused = set(explained())
    start = time.monotonic()

    def one(seed: int) -> list[Verdict]:
        return list(verdicts(Validator(url), f"seed {seed}", *bundle(seed)))

    with ThreadPoolExecutor(2) as pool:
        for seed, found in enumerate(pool.map(one, range(first, last)), first):
            counts["resources"] += len(found)
            counts["warnings"] += sum(i.severity == "warning" for v in found for i in v.issues)
            unused -= {e for e in unused if any(e.covers(i) for v in found for i in v.issues)}
            new = faults(found)
            wrong += new
            for line in new:
                print(line, flush=True)
            if (seed + 1 - first) % 50 == 0:
                print(f"{seed + 1 - first} histories, {dict(counts)}, {time.monotonic() - start:.0f} s", flush=True)
    print(f"{last - first} histories, {dict(counts)}, {len(wrong)} faults, {time.monotonic() - start:.0f} s")
    for e in sorted(unused, key=str):
        print(f"explains none of them: {e.id} {e.text} at {e.place}")
    return 1 if wrong else 0


if __name__ == "__main__":
    part = [int(n) for n in sys.argv[1:]] or [0, ALL]
    if running := os.environ.get(RUNNING_HAPI["hapi"]):
        raise SystemExit(_main(running, *part))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with start_hapi(folder, packages=[profiles_package(folder)]) as own:
            raise SystemExit(_main(own.url, *part))

"""Malformed inputs of every format: each is told as a fault with its place, none as an exception of ours."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mesofhir import formats
from mesofhir.errors import UsageError
from mesofhir.mapping import Clinic
from mesofhir.records import TreatmentHistory, decode

CLINIC = Clinic("https://clinic.example/mesotherapy")
CANARY = "Zanzara"  # stands for what patients say: no message may quote it
HISTORY = {
    "key": "P1",
    "family": CANARY,
    "given": [CANARY, "Anna"],
    "birth_date": "1958-07",
    "identifiers": [{"system": "https://ehr.example/mrn", "value": CANARY}],
    "practitioners": [{"key": "D1", "family": CANARY, "profession": "physician"}],
    "conditions": [{"key": "C1", "condition": "hip-osteoarthritis", "site": "hip", "side": "left", "onset": "2024"}],
    "allergies": [
        {
            "key": "A1",
            "substance": "ketoprofen",
            "status": "active",
            "recorder": "D1",
            "reactions": [{"manifestation": "urticaria", "onset": "2019"}, {"manifestation_text": CANARY}],
        }
    ],
    "exclusions": [{"key": "X1", "kind": "pregnancy", "asked": "2026-03-01"}],
    "cycles": [
        {
            "key": "Y1",
            "status": "running",
            "indications": ["C1"],
            "start": "2026-03-04",
            "physician": "D1",
            "sessions": [
                {
                    "key": "S1",
                    "status": "done",
                    "number": 1,
                    "start": "2026-03-04T10:30:00+01:00",
                    "needle_length": 4.0,
                    "performer": "D1",
                    "note": f"{CANARY}\nwith a second line",
                    "mixtures": [
                        {
                            "key": "M1",
                            "route": "intradermal",
                            "volume": 2.5,
                            "drugs": [
                                {"substance": "ketoprofen", "amount": 100, "amount_unit": "mg"},
                                {"substance_text": CANARY},
                            ],
                        }
                    ],
                    "effects": [{"key": "E1", "effect": "urticaria", "onset": "2026-03-05"}],
                }
            ],
            "scores": [{"key": "R1", "scale": "nrs", "value": 7, "taken": "2026-03-04", "session": "S1"}],
        }
    ],
}
JSON = json.dumps(HISTORY, indent=1).encode()
SPLICES = [
    b"", b"\x00", b"\xff", b"\xc3", b"\xef\xbb\xbf", b'"', b"'", b"{", b"}", b"[", b"]", b",", b":", b";", b"\t", b"\n",
    b"\r", b"\\", b"\\u0000", b"\\ud800", b"|", b"NaN", b"-", b"+1", b"1e999", b"0x1", b"null", b"true", b"//",
    b"\xe2\x80\xa8", b"9" * 200, b"[" * 300, b'"key": "P1", ', b"<!--", b"\x1a", b"=1+1", b"\\N", b"a" * 5000,
]  # fmt: skip
VALUES: list[Any] = [
    None, True, -1, 0, 1.5, 10**30, "", " ", "x", "\\N", "a\x00b", [], [None], ["x", 1], {}, {"key": 1}, [[]], [{}],
    "2026-02-30", "2026-03-04T10:30", "1,5", "P1", {"resourceType": "Patient"},
]  # fmt: skip


def spliced(data: bytes, chance: random.Random) -> bytes:
    """The bytes with something put in, cut out, or doubled at a place or two."""
    for _ in range(chance.randint(1, 2)):
        at, length = chance.randrange(len(data) + 1), chance.choice([0, 0, 1, 1, 7, 60])
        what = chance.choice([*SPLICES, data[at : at + 40]])
        data = data[:at] + what + data[at + length :]
    return data[: chance.randrange(len(data))] if chance.random() < 0.1 else data


def places(x: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a tree."""
    out: list[tuple[Any, Any]] = []
    for k, v in x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, list) else ():
        out += [(x, k), *places(v)]
    return out


def twisted(tree: Any, chance: random.Random) -> Any:
    """A tree with another value, or none, at a place or two."""
    tree = json.loads(json.dumps(tree))
    for _ in range(chance.randint(1, 2)):
        holder, key = chance.choice(places(tree))
        if isinstance(holder, dict) and chance.random() < 0.3:
            holder["".join(chance.sample(str(key) + "xyz", 4))] = holder.pop(key, None)
        elif isinstance(holder, dict) or key < len(holder):
            holder[key] = chance.choice(VALUES)
    return tree


def survives(path: Path, **options: Any) -> int:
    """Read it to its end: whatever is wrong is told by items. How many faults there were."""
    options = {"clinic": CLINIC, **options}
    faults = 0
    with suppress(UsageError), formats.read(path, **options) as source:  # a folder that is none any more
        for item in source:
            faults += len(item.faults)
            assert item.faults or item.history or item.kept or item.warnings
            for problem in (*item.faults, *item.warnings):
                assert CANARY not in str(problem)
                assert problem.where.startswith(str(path)), problem.where
        counts = source.counts
        assert counts.read == counts.mapped + counts.kept + counts.refused + counts.repeated
    return faults


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("name", ["a.json", "l.json", "a.ndjson"])
def test_json(name: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(f"{name}{seed}")
    other = {**HISTORY, "key": "P2"}
    compact = json.dumps(HISTORY).encode()
    data = {
        "a.json": JSON,
        "l.json": b"[" + JSON + b",\n" + compact + b"]",
        "a.ndjson": compact + b"\n" + compact + b"\n",
    }
    for mutate in (
        lambda: spliced(data[name], chance),
        lambda: json.dumps(
            [twisted(HISTORY, chance), other] if name == "l.json" else twisted(HISTORY, chance)
        ).encode(),
    ):
        (tmp_path / name).write_bytes(mutate())
        survives(tmp_path / name)


def csv_folder(folder: Path) -> None:
    formats.write(folder, [decode(HISTORY), decode({"key": "P2", "family": CANARY})], format="csv")


@pytest.mark.parametrize("seed", range(60))
def test_csv(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    csv_folder(tmp_path / "c")
    files = sorted((tmp_path / "c").iterdir())
    for path in chance.sample(files, chance.randint(1, 2)):
        what = chance.random()
        if what < 0.15:
            path.unlink()
        elif what < 0.25:
            path.rename(path.with_name(chance.choice(["session.csv", "Cycles .csv", f"{CANARY}.csv", "x.txt"])))
        else:
            path.write_bytes(spliced(path.read_bytes(), chance))
    survives(tmp_path / "c", format="csv", locale=chance.choice(["", "it", "en"]))


def resources(history: TreatmentHistory, folder: Path) -> list[Any]:
    formats.write(folder / "w.bundle.json", [history], clinic=CLINIC)
    return [e["resource"] for e in json.loads((folder / "w.bundle.json").read_bytes())["entry"]]


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("name", ["a.fhir.ndjson", "a.bundle.json"])
def test_fhir(name: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(f"{name}{seed}")
    made = resources(decode(HISTORY), tmp_path)
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": x} for x in made]}
    write: Callable[[Any], bytes]
    if name == "a.bundle.json":
        whole, write = bundle, lambda x: json.dumps(x).encode()
    else:
        whole, write = made, lambda x: b"".join(json.dumps(y).encode() + b"\n" for y in x)
    for data in (spliced(write(whole), chance), write(twisted(whole, chance))):
        (tmp_path / name).write_bytes(data)
        survives(tmp_path / name)


@pytest.mark.parametrize("seed", range(30))
def test_what_was_kept(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    line = {
        "patient": "P1",
        "record": {"table": "sessions", "key": "S1"},
        "resource": {"resourceType": "Procedure", "id": "7", "note": [{"text": CANARY}]},
        "reason": "its record does not hold all of it",
        "paths": [{"path": "$.note[0].text", "reason": "no field of a record holds it"}],
    }
    (tmp_path / "a.json").write_bytes(JSON)
    bad = twisted(line, chance) if seed % 2 else line
    data = json.dumps(bad).encode() + b"\n" + json.dumps({**line, "patient": None, "record": None}).encode()
    (tmp_path / "a.json.kept.ndjson").write_bytes(data if seed % 2 else spliced(data, chance))
    survives(tmp_path / "a.json")


def test_nothing_is_wrong_with_the_original(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(JSON)
    assert survives(tmp_path / "a.json") == 0
    csv_folder(tmp_path / "c")
    assert survives(tmp_path / "c", format="csv") == 0

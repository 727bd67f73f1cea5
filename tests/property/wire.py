"""What a server and an EHR do to resources, for the tests of the mapping."""

import copy
import random
from collections.abc import Iterator
from typing import Any

from mesofhir.fhir import exactjson
from mesofhir.fhir.references import renamed
from mesofhir.mapping import Clinic, graph
from mesofhir.records import TreatmentHistory

CLINIC = Clinic("https://clinic.example/mesotherapy")


def offline(history: TreatmentHistory, clinic: Clinic = CLINIC) -> list[dict[str, Any]]:
    """The resources of a history, each with its handle as id, over the wire and back."""
    drawn = graph(history, clinic)
    assert not drawn.faults, [(f.table, f.field, f.what) for f in drawn.faults[:3]]
    return [exactjson.decode(exactjson.encode({**m.resource, "id": m.handle})) for m in drawn.made]


def stored(resources: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    """The same as a server gives them: in any order, under ids of its own, with versions."""
    kinds = [(x["resourceType"], x["id"]) for x in resources]
    names = {f"{kind}/{id}": f"{kind}/{n}-{chance.randint(0, 99)}" for n, (kind, id) in enumerate(kinds)}
    out = []
    for x in resources:
        new = renamed(copy.deepcopy(x), lambda name: names.get(name, name))
        new["id"] = names[f"{x['resourceType']}/{x['id']}"].split("/")[1]
        new["meta"] |= {
            "versionId": "1",
            "lastUpdated": "2026-01-01T00:00:00Z",
            "source": new["meta"]["source"] + "#req",
        }
        out.append(new)
    chance.shuffle(out)
    return out


def places(x: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every leaf: its path as keys and indexes, and its value."""
    if isinstance(x, dict):
        for k, v in x.items():
            yield from places(v, (*path, k))
    elif isinstance(x, list):
        for i, v in enumerate(x):
            yield from places(v, (*path, i))
    else:
        yield path, x


def at(x: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        x = x[step]
    return x

"""A canary in every text and every open code of whole histories, pushed by the command: it reaches the server, and
stands in no URL, on no screen, in no report or support bundle, in no ledger, and in no other file that stays."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mesofhir.records import TABLES, TreatmentHistory, plain
from tests.contract.histories import history
from tests.faults.proxy import FAULTS, Proxy, random_faults
from tests.faults.pushing import Pusher, edited, histories, source
from tests.servers import FhirServer

CANARY, BORN = "Zqxcanary", "1907-11-03"
_FREE = TABLES["patients"].columns["family"].pattern
TEXTS = {c.name for t in TABLES.values() for c in t.columns.values() if c.pattern == _FREE and c.name != "key"}
TEXTS |= {"given", "value", "text"}  # of people, of their identifiers, of an allergy's reactions
CODES = {c.name for t in TABLES.values() for c in t.columns.values() if c.open and c.kind == "text"}


def marked(x: Any, name: str = "") -> Any:
    """A history with a canary wherever it has words of its own."""
    if isinstance(x, dict):
        return {k: marked(v, k) for k, v in x.items()}
    if isinstance(x, list):
        return [marked(y, name) for y in x]
    if name == "birth_date":
        return BORN
    if isinstance(x, str) and name in CODES and "|" in x:
        return f"urn:oid:1.2.3|{CANARY}"
    return f"{CANARY} {x}" if isinstance(x, str) and name in TEXTS else x


def canaries(seed: int) -> list[TreatmentHistory]:
    found = [history(marked(plain(h))) for h in histories(60, seed)]
    assert str(found).count(CANARY) > 50
    assert f"1.2.3|{CANARY}" in str(found)
    return found


def files(folder: Path) -> Iterator[tuple[str, str]]:
    """All that is written in a folder, with what SQLite holds as text too."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes().decode("latin-1")
            if path.read_bytes()[:15] == b"SQLite format 3":
                with closing(sqlite3.connect(path)) as opened:
                    yield f"{path} (dump)", "\n".join(opened.iterdump())


def leaks(told: dict[str, str]) -> list[str]:
    return [place for place, text in told.items() if CANARY.casefold() in text.casefold() or BORN in text]


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_no_word_of_a_patient_stays_anywhere(
    fhir_server: FhirServer, namespace: str, tmp_path: Path, rate: float
) -> None:
    found, told = canaries(5), dict[str, str]()
    pusher = Pusher(tmp_path / "home", namespace)
    paths = [
        source(tmp_path / "first.ndjson", found),
        source(tmp_path / "second.ndjson", [edited(h, f"{CANARY} due") for h in found]),
    ]
    with Proxy(fhir_server.url) as proxy:
        for n, path in enumerate([*paths, paths[0]]):
            proxy.begin(random_faults(n, rate) if rate else None, seed=n)  # at one address: one ledger
            pushed = pusher.push(path, proxy.url, "--verbose")
            told[f"said {n}"], told[f"report {n}"] = pushed.said, json.dumps(pushed.report)
        proxy.begin()
        told["support bundle, said"] = pusher.run("support-bundle", str(pusher.folder / "support.json"), "here")
    told |= {f"URL {n}: {r.method}": r.path for n, r in enumerate(proxy.requests)}
    assert (pusher.folder / "support.json").exists()
    told |= dict(files(pusher.folder))
    assert any(CANARY.encode() in r.body for r in proxy.requests)  # it was sent
    assert leaks(told) == []


def test_no_word_of_a_patient_in_what_a_refusal_says(
    fhir_server: FhirServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that quotes all that it was sent."""

    def quoting(p: Any) -> None:
        text = p.exchange.request_body.decode()
        issue = {"severity": "error", "code": "invalid", "diagnostics": text, "expression": [f"Patient.{CANARY}"]}
        p.exchange.answer(422, {"resourceType": "OperationOutcome", "issue": [issue]})

    monkeypatch.setitem(FAULTS, "quoting", quoting)
    pusher = Pusher(tmp_path / "home", namespace)
    path = source(tmp_path / "first.ndjson", canaries(6)[:1])
    told = {}
    for number in range(5):
        with Proxy(fhir_server.url, lambda n, exchange, at=number: "quoting" if n == at else "") as proxy:
            pushed = pusher.push(path, proxy.url, "--verbose")
        told[f"said {number}"], told[f"report {number}"] = pushed.said, json.dumps(pushed.report)
    assert any("422" in text for text in told.values())
    assert leaks(told | dict(files(pusher.folder))) == []

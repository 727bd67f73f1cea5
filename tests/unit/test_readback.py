"""What became of each value that was sent: nothing that is gone is told as kept."""

import random
from collections import Counter
from copy import deepcopy
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofhir.errors import UsageError
from mesofhir.fhir.picture import leaves
from mesofhir.mapping import Clinic, graph
from mesofhir.sync.observing.observed import Observed, lines
from mesofhir.sync.observing.readback import HARMLESS, compare, worst
from tests.contract.histories import history, rich

CLINIC = Clinic("https://clinic.example/m")
MADE = [m.resource for m in graph(history(rich()), CLINIC).made]
INJECTION = {
    "resourceType": "Procedure",
    "identifier": [{"system": "https://clinic.example/m/sessions", "value": "P1  S1"}],
    "meta": {"source": "https://clinic.example/m", "versionId": "1"},
    "text": {"status": "generated", "div": "<div><p>a</p></div>"},
    "subject": {"reference": "Patient/1"},
    "performedPeriod": {"start": "2026-03-02T10:00:00+01:00"},
    "note": [{"text": "una  nota"}, {"text": "altra"}],
    "extension": [
        {"url": "https://x/injection-depth", "valueQuantity": {"value": D("2.50"), "unit": "mm"}},
        {"url": "https://x/session-number", "valuePositiveInt": 1},
    ],
}
PATHS = {
    "number": "Procedure.extension(injection-depth).valueQuantity.value",
    "start": "Procedure.performedPeriod.start",
    "div": "Procedure.text.div",
}


def edited(change: Any) -> dict[str, str]:
    stored = deepcopy(INJECTION)
    change(stored)
    return {path: what for path, what in worst(compare(INJECTION, stored)).items() if what != "kept"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: None, {}),
        (lambda x: x.update(id="7", meta={**x["meta"], "versionId": "3", "lastUpdated": "2026-01-01T00:00:00Z"}), {}),
        (lambda x: x["meta"].update(source="https://clinic.example/m#abc"), {}),
        (lambda x: x["extension"][0]["valueQuantity"].update(value=D("2.5")), {PATHS["number"]: "precision"}),
        (lambda x: x["extension"][0]["valueQuantity"].update(value=D("2.6")), {PATHS["number"]: "changed"}),
        (lambda x: x["extension"][0]["valueQuantity"].pop("value"), {PATHS["number"]: "dropped"}),
        (lambda x: x["extension"][1].update(valuePositiveInt=D("1")), {}),
        (lambda x: x["performedPeriod"].update(start="2026-03-02T09:00:00Z"), {PATHS["start"]: "instant"}),
        (lambda x: x["performedPeriod"].update(start="2026-03-02"), {PATHS["start"]: "changed"}),
        (lambda x: x["text"].update(div="<div>a</div>"), {PATHS["div"]: "narrative"}),
        (lambda x: x.pop("text"), {PATHS["div"]: "dropped", "Procedure.text.status": "dropped"}),
        (lambda x: x["note"].reverse(), {"Procedure.note": "order"}),
        (lambda x: x["note"][0].update(text="una nota"), {"Procedure.note.text": "whitespace"}),
        (lambda x: x["note"][0].update(text="unanota"), {"Procedure.note.text": "changed"}),
        (lambda x: x["note"].pop(0), {"Procedure.note.text": "dropped"}),
        (lambda x: x["extension"].reverse(), {"Procedure.extension": "order"}),
        (lambda x: x["extension"].pop(), dict.fromkeys(
            ["Procedure.extension(session-number).url", "Procedure.extension(session-number).valuePositiveInt"],
            "dropped")),
        (lambda x: x["extension"][1].update(valuePositiveInt="1"),
            {"Procedure.extension(session-number).valuePositiveInt": "changed"}),
        (lambda x: x["subject"].update(reference="https://s/fhir/Patient/1"),
            {"Procedure.subject.reference": "reference"}),
        (lambda x: x["subject"].update(reference="Patient/2"), {"Procedure.subject.reference": "changed"}),
        (lambda x: x.update(status="completed"), {}),  # what is more is no loss
        (lambda x: x["identifier"][0].update(value="P1 S1"), {"Procedure.identifier.value": "changed"}),
    ],
)  # fmt: skip
def test_what_became_of_it(change: Any, told: dict[str, str]) -> None:
    assert edited(change) == told


def test_what_we_really_send_is_kept_when_it_is_kept() -> None:
    for resource in MADE:
        found = compare(resource, deepcopy(resource))
        assert {what for _, what in found} == {"kept"}
        assert len(found) == len(list(leaves(resource)))


@given(st.sampled_from(MADE), st.randoms(use_true_random=False))
def test_whatever_is_taken_away_is_told(resource: dict[str, Any], chance: random.Random) -> None:
    stored = deepcopy(resource)
    taken = _take_one(stored, chance)
    found = Counter(what for _, what in compare(resource, stored))
    assert found["dropped"] + found["changed"] >= 1, taken
    assert sum(found[w] for w in found if w != "order") == len(list(leaves(resource)))


def test_the_order_of_given_names_says_something() -> None:
    [patient] = [x for x in MADE if x["resourceType"] == "Patient"]
    stored = deepcopy(patient)
    stored["name"][0]["given"].reverse()
    stored["identifier"].reverse()
    assert {f for f in compare(patient, stored) if f.what != "kept"} == {("Patient.name.given", "changed")}


@given(st.sampled_from(MADE), st.randoms(use_true_random=False))
def test_no_order_of_other_lists_is_a_loss(resource: dict[str, Any], chance: random.Random) -> None:
    stored = deepcopy(resource)
    _shuffle(stored, chance)
    assert {what for _, what in compare(resource, stored)} <= {"kept", "order"}


def _take_one(x: Any, chance: random.Random) -> str:
    """Take one leaf away."""
    while True:
        name = chance.choice(list(x) if isinstance(x, dict) else range(len(x)))
        if not isinstance(x[name], dict | list):
            del x[name]
            return str(name)
        x = x[name]


def _shuffle(x: Any, chance: random.Random) -> None:
    if isinstance(x, list) and not all(isinstance(y, str) for y in x):  # of given names it says something
        chance.shuffle(x)
    for y in x.values() if isinstance(x, dict) else x if isinstance(x, list) else ():
        _shuffle(y, chance)


# --- what is remembered of it -------------------------------------------------------------------------------


def test_counts_add_up(tmp_path: Path) -> None:
    seen, url = Observed(tmp_path / "a" / "seen.sqlite"), "https://x/fhir"
    assert not seen.knows(url)
    assert lines(seen, url) == ["what it does to our data: not seen yet (push --verify reads back what was sent)"]
    stored = deepcopy(INJECTION)
    stored["extension"][0]["valueQuantity"]["value"] = D("2.5")
    seen.add(url, "Procedure", compare(INJECTION, stored))
    del stored["note"]
    seen.add(url, "Procedure", compare(INJECTION, stored))
    seen.add("https://y/fhir", "Procedure", compare(INJECTION, INJECTION))
    assert seen.knows(url)
    assert lines(seen, url) == [
        "what it was seen to do to our data (2 Procedure read back):",
        "  dropped                  Procedure.note.text: 1 of 2",
        "  precision (harmless)     Procedure.extension(injection-depth).valueQuantity.value: 2 of 2",
    ]
    assert lines(seen, "https://y/fhir")[1:] == ["  nothing: all was kept to the letter"]
    data = seen.path.read_bytes()
    assert b"nota" not in data
    assert b"2026-03-02" not in data
    assert seen.path.stat().st_mode & 0o077 == 0
    assert {"precision", "order"} <= HARMLESS


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be kept there"):
        Observed(tmp_path / "file" / "seen.sqlite").add("https://x/fhir", "Procedure", [])

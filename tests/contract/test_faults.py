"""What a server refuses, cannot take at once, or does without saying so: each resource is accounted for."""

import logging
from importlib import import_module
from typing import Any

import pytest

from mesofhir.errors import UnknownOutcome
from mesofhir.fhir.references import literals
from mesofhir.mapping import Graph, graph
from mesofhir.server import EntryResult, TooLarge, TransactionFailed
from mesofhir.sync.planning.parts import Limits
from tests.contract.harness import Place, bundles, equal, is_update, named, outcomes
from tests.contract.histories import Tree, history, record, rich, small

# --- parts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [Limits(entries=5), Limits(entries=1), Limits(size=9_000)], ids=str)
def test_in_parts_each_after_what_it_refers_to(place: Place, limits: Limits) -> None:
    sent: list[list[dict[str, Any]]] = []

    def look(send: Any, entries: Any, type: str) -> Any:
        sent.append([*entries])
        return send(entries, type)

    tree = rich()
    with bundles(place.server, look):
        result = place.pushed(tree, limits=limits)
    assert outcomes(result) == {"created": 32}
    parts = [part for part in sent if any("urn:uuid" in e["fullUrl"] for e in part)]
    assert len(parts) > 5
    assert all(len(part) <= limits.entries for part in parts[2:])
    for part in parts:
        here = {e["fullUrl"] for e in part}
        assert all(x in here for e in part for x in literals(e["resource"]) if x.startswith("urn:uuid"))
    assert outcomes(place.pushed(tree)) == {"found": 2, "unchanged": 30}
    record(tree, "conditions")["note"] = record(tree, "cycles")["note"] = record(tree, "medicines")["dose"] = "altro"
    assert outcomes(place.pushed(tree, limits=limits)) == {"found": 2, "unchanged": 26, "changed": 4}
    equal(history(tree), place.pull()[0].history, exact=place.is_hapi)


def test_too_large_is_halved(place: Place) -> None:
    sizes: list[int] = []

    def narrow(send: Any, entries: Any, type: str) -> Any:
        sizes.append(len(entries))
        if len(entries) > 8:
            raise TooLarge("the transaction was refused: 413", 413)
        return send(entries, type)

    tree = rich()
    with bundles(place.server, narrow):
        assert outcomes(place.pushed(tree)) == {"created": 32}
        assert max(sizes) == 30
        assert outcomes(place.pushed(tree)) == {"found": 2, "unchanged": 30}
        assert outcomes(place.pushed(tree, withdraw=True)) == {"found": 2, "withdrawn": 30}


def test_one_that_is_too_large_alone_is_refused(place: Place) -> None:
    def narrow(send: Any, entries: Any, type: str) -> Any:
        if any(e["resource"]["resourceType"] == "Condition" for e in entries):
            raise TooLarge("the transaction was refused: 413", 413)
        return send(entries, type)

    with bundles(place.server, narrow):
        refused, pushed = place.results(small("P1"), {"key": "P2", "family": "Prova"})
    assert (refused.code, pushed.code) == (4, 0)
    assert "413" in refused.stopped
    assert "P1-C" in refused.stopped


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.fixture
def broken(place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    """The session of P1 is something that the server does not take."""

    def spoiled(h: Any, clinic: Any) -> Graph:
        drawn = graph(h, clinic)
        for m in drawn.made:
            if (m.link.kind, m.link.key) == ("Procedure", "P1-S"):
                if place.is_hapi:  # referential integrity
                    m.resource["partOf"] = [{"reference": "Procedure/nobody"}]
                else:
                    del m.resource["status"]
        return drawn

    monkeypatch.setattr(import_module("mesofhir.formats.item"), "graph", spoiled)
    return "P1-S"


def test_a_refusal_takes_back_its_whole_part_and_stops_no_other_history(place: Place, broken: str) -> None:
    refused, pushed = place.results(small("P1"), small("P2"))
    assert (refused.code, pushed.code) == (4, 0)
    assert outcomes(refused) == {"created": 1, "refused": 6}
    assert {link.key.split("-")[0] for link in place.links() if link.kind != "Patient"} == {"P2"}
    assert "400" in refused.stopped
    assert "error " in refused.stopped  # an issue of the OperationOutcome
    assert "P1-S (Procedure)" in refused.stopped
    assert refused.lines()[-1] == {"history": "P1", "stopped": refused.stopped}


def test_what_came_before_the_refusal_stays(place: Place, broken: str) -> None:
    [refused] = place.results(small("P1"), limits=Limits(entries=2))
    assert refused.code == 4
    assert ("Procedure", broken) in named(refused, "refused")
    assert {(link.kind, link.key) for link in place.links()} == set(named(refused, "created"))
    assert len(named(refused, "created")) > 2


def test_two_under_one_key_are_told_with_their_names(place: Place) -> None:
    tree = small()
    result = place.pushed(tree)
    [name] = [n for link, n in result.references.items() if link.kind == "Condition"]
    twin = place.ehr.create({k: v for k, v in place.ehr.read(name).items() if k not in ("id", "meta")})
    record(tree, "sessions")["place"] = "Sala 2"
    place.lose_ledger()  # what it knows to be equal is not looked for
    first, second = place.results(tree, small("P2"))
    assert (first.code, second.code) == (4, 0)
    assert name in first.stopped
    assert twin in first.stopped
    assert "P1-C" in first.stopped
    assert named(first, "blocked") == [("Condition", "P1-C")]


# --- answers that are lost ----------------------------------------------------------------------------------


def test_a_create_whose_answer_is_lost_is_found(place: Place) -> None:
    sent: list[str] = []

    def lose(send: Any, entries: Any, type: str) -> Any:
        answer = send(entries, type)
        if type == "transaction":
            sent.append(type)
            raise UnknownOutcome("no answer")
        return answer

    with bundles(place.server, lose):
        result = place.pushed(rich())
    assert sent == ["transaction"]
    assert result.code == 0
    assert set(place.links().values()) == {1}
    assert len(place.links()) == 32
    assert outcomes(place.pushed(rich())) == {"found": 2, "unchanged": 30}


def test_a_create_that_never_arrived_is_unknown_and_not_sent_again(place: Place) -> None:
    sent: list[str] = []

    def lose(send: Any, entries: Any, type: str) -> Any:
        if type == "transaction" and any("P1" in str(e["resource"]["identifier"]) for e in entries):
            sent.append(type)
            raise UnknownOutcome("no answer")
        return send(entries, type)

    with bundles(place.server, lose):
        lost, pushed = place.results(small("P1"), small("P2"))
    assert sent == ["transaction"]
    assert (lost.code, pushed.code) == (6, 0)
    assert outcomes(lost) == {"created": 1, "unknown": 6}
    assert "look at it" in lost.stopped
    assert place.push(small("P1")).code == 0  # a person looked, and pushes again


def test_an_update_whose_answer_is_lost_is_seen(place: Place) -> None:
    tree = small()
    name = {link.kind: n for link, n in place.pushed(tree).references.items()}["Condition"]
    record(tree, "conditions")["note"] = "Da gennaio."

    def lose(send: Any, entries: Any, type: str) -> Any:
        answer = send(entries, type)
        if is_update(entries):
            raise UnknownOutcome("no answer")
        return answer

    with bundles(place.server, lose):
        result = place.pushed(tree)
    assert named(result, "changed") == [("Condition", "P1-C")]
    assert place.ehr.read(name)["meta"]["versionId"] == "2"


def test_an_update_that_never_arrived_is_unknown_and_not_sent_again(place: Place) -> None:
    tree = small()
    place.pushed(tree)
    record(tree, "conditions")["note"] = "Da gennaio."
    sent = []

    def lose(send: Any, entries: Any, type: str) -> Any:
        if is_update(entries):
            sent.append(type)
            raise UnknownOutcome("no answer")
        return send(entries, type)

    with bundles(place.server, lose):
        result = place.push(tree)
        withdrawal = place.push(tree, withdraw=True)
    assert len(sent) == 2
    assert result.code == withdrawal.code == 6
    assert named(result, "unknown") == [("Condition", "P1-C")]
    assert len(named(withdrawal, "unknown")) == 6
    assert set(place.versions().values()) == {1}


def test_a_server_that_does_not_show_what_it_has(place: Place) -> None:
    """``Prefer: return=representation`` is a wish: without it, each is read."""

    def minimal(send: Any, entries: Any, type: str) -> Any:
        return [EntryResult(r.status, r.location, r.version) for r in send(entries, type)]

    tree = small()
    with bundles(place.server, minimal):
        assert outcomes(place.pushed(tree)) == {"created": 7}
        record(tree, "conditions")["note"] = "Da gennaio."
        assert outcomes(place.pushed(tree)) == {"found": 1, "changed": 1, "unchanged": 5}


def test_a_server_without_versions_is_not_written_over(place: Place) -> None:
    tree = small()
    place.pushed(tree)
    record(tree, "conditions")["note"] = "Da gennaio."

    def unversioned(send: Any, entries: Any, type: str) -> Any:
        answer = send(entries, type)
        for r in answer:
            (r.resource or {"meta": {}})["meta"].pop("versionId", None)
        return answer

    place.lose_ledger()
    with bundles(place.server, unversioned):
        result = place.push(tree)
    assert result.code == 4
    assert named(result, "blocked") == [("Condition", "P1-C")]
    assert set(place.versions().values()) == {1}


def test_a_refusal_of_an_update_is_told(place: Place) -> None:
    tree = small()
    place.pushed(tree)
    record(tree, "conditions")["note"] = "Da gennaio."

    def refuse(send: Any, entries: Any, type: str) -> Any:
        if is_update(entries):
            raise TransactionFailed("the transaction was refused: 422", 422, ["error business-rule at Condition.note"])
        return send(entries, type)

    with bundles(place.server, refuse):
        result = place.push(tree)
    assert result.code == 4
    assert "P1-C (Condition)" in result.stopped
    assert "business-rule" in result.stopped
    assert named(result, "refused") == [("Condition", "P1-C")]


# --- no patient data leaks ----------------------------------------------------------------------------------

CANARY = "Zyxwvuts"


def marked(tree: Tree) -> Tree:
    """Every text of a history has a word in it that stands nowhere else."""

    def walk(x: Any, name: str = "") -> Any:
        if isinstance(x, dict):
            return {k: walk(v, k) for k, v in x.items()}
        if isinstance(x, list):
            return [walk(y, name) for y in x]
        texts = ["note", "text", "family", "given", "place", "lot", "dose", "detail", "mitigation", "translation"]
        return f"{CANARY} {x}" if isinstance(x, str) and (name in texts or name.endswith("_text")) else x

    return walk(tree)


def test_no_patient_data_in_anything_that_we_say(
    place: Place, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    tree = marked(rich("P2"))
    tree["identifiers"] = [{"system": "urn:oid:2.999.1", "value": f"{CANARY}{place.clinic.namespace[-12:]}"}]
    for create in (False, True, True):  # nobody found; all created; all unchanged
        told += [repr(r.lines()) + r.stopped + str(r.remarks) for r in place.results(tree, create_people=create)]
    for name, x in place.resources().items():
        if x["resourceType"] not in ("Patient", "Practitioner", "Consent", "Encounter", "DetectedIssue"):
            place.ehr.edit(name, lambda x: x.update(note=[{"text": f"{CANARY} theirs"}, *x.get("note", ())]))
        if x.get("location"):
            place.ehr.edit(name, lambda x: x["location"].update(display=f"{CANARY} room"))
        if "onsetDateTime" in x:
            place.ehr.edit(name, lambda x: x.update(onsetDateTime="2026-02"))
    record(tree, "sessions", "S1")["place"] = f"{CANARY} mine"
    record(tree, "sessions", "S1")["status"] = "stopped"
    record(tree, "conditions")["side"] = "left"
    for change in (tree, marked(small("P1")), small("P1") | {"family": f"{CANARY} 2"}):
        told += [repr(r.lines()) + r.stopped + str(r.remarks) for r in place.results(change)]
    told += [repr(i.notes and [(n.path, n.reason) for n in i.notes]) for i in place.pull()]
    told += [repr([k.reason for k in i.kept]) for i in place.pull()]
    assert any("kept" in x for x in told)
    assert any("conflict" in x for x in told)
    assert any("400" in x for x in told)
    assert CANARY not in "".join(told)
    assert CANARY.lower() not in caplog.text.lower()
    assert len(caplog.records) > 20



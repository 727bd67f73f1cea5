"""What an EHR did to single places of ours, and what a push then decides: no server, real resources."""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from mesofhir.fhir.exactjson import decode, encode
from mesofhir.mapping import Clinic, Made, graph, understand
from mesofhir.sync.deciding.decision import Decision, Judge
from mesofhir.sync.deciding.merge import Verdict
from mesofhir.sync.ledger.ledger import Ledger
from tests.contract.histories import Tree, history, record, rich

CLINIC = Clinic("https://clinic.example/mesotherapy")
LEDGER = Ledger(None, "https://fhir.example.org", CLINIC.namespace)
Edit = Callable[[Any], Any]


def made(tree: Tree, kind: str, table: str, end: str = "") -> Made:
    [found] = [
        m
        for m in graph(history(tree), CLINIC).made
        if m.link.kind == kind and m.link.table == table and m.link.key.endswith(end)
    ]
    return found


def stands(m: Made) -> Any:
    """As the server gives it back."""
    return decode(encode({**m.resource, "id": "1", "meta": {**m.resource["meta"], "versionId": "1"}}))


def decided(before: Made, after: Made, edit: Edit, side: Verdict | None = None) -> tuple[Decision, Any, Any]:
    """The decision, what the EHR made of the resource, and what is to stand there."""
    edited = stands(before)
    edit(edited)
    judge = Judge(CLINIC, LEDGER.tokens, side)
    d = judge.decide(after, deepcopy(edited), judge.known(before))
    return d, edited, d.write.resource if d.write else edited


def timed() -> Tree:
    tree = rich()
    record(tree, "cycles").update(minutes_max=20)
    return tree


def repeat(**values: Any) -> Edit:
    return lambda x: x["occurrenceTiming"]["repeat"].update(values)


@pytest.mark.parametrize("theirs", [{"frequency": 2}, {"durationUnit": "h"}], ids=["twice a week", "hours"])
def test_what_changes_the_meaning_of_a_number_stays_with_it(theirs: dict[str, Any]) -> None:
    """Once a week is our interval; an EHR that makes it twice a week has changed the interval, and not a constant."""
    before, after = timed(), timed()
    record(after, "cycles")["site"] = "knee"
    kind = ("ServiceRequest", "cycles")
    d, edited, now = decided(made(before, *kind), made(after, *kind), repeat(**theirs))
    assert d.fields == ("site",)
    assert now["occurrenceTiming"] == edited["occurrenceTiming"]
    assert {r.kind for r in d.remarks} == {"kept"}
    names = ("interval", "minutes_min")["durationUnit" in theirs]
    assert any(f"`{names}`" in r.text for r in d.remarks)


@pytest.mark.parametrize("side", [None, Verdict.THEIRS, Verdict.OURS])
def test_an_interval_that_both_changed(side: Verdict | None) -> None:
    before, after = timed(), timed()
    record(after, "cycles")["interval"] = 2
    kind = ("ServiceRequest", "cycles")
    d, edited, now = decided(made(before, *kind), made(after, *kind), repeat(frequency=2), side)
    standing = now["occurrenceTiming"]["repeat"]
    if side is Verdict.OURS:
        assert (standing["frequency"], standing["period"]) == (1, 2)
        assert "replaced" in {r.kind for r in d.remarks}
    else:
        assert standing == edited["occurrenceTiming"]["repeat"]
        assert ("conflict" in {r.kind for r in d.remarks}) == (side is None)


def test_twice_a_week_is_not_read_as_an_interval_of_one_week() -> None:
    whole = [stands(m) | {"id": m.handle} for m in graph(history(timed()), CLINIC).made]
    for x in whole:
        if "occurrenceTiming" in x:
            repeat(frequency=2)(x)
    back = understand(whole, CLINIC)
    [cycle] = back.histories[0].cycles or ()
    assert not cycle.interval
    assert {n.path.rpartition(".")[2] for n in back.notes} >= {"frequency", "period", "periodUnit"}


def test_a_display_that_a_server_says_otherwise_doubles_nothing() -> None:
    before, after = rich(), rich()
    record(after, "sessions", "S1")["place"] = "Sala 3"
    kind = ("Procedure", "sessions", "S1")
    d, edited, now = decided(
        made(before, *kind), made(after, *kind), lambda x: x["usedCode"][0]["coding"][0].update(display="Needle")
    )
    assert d.fields == ("place",)
    assert now["usedCode"] == edited["usedCode"]


SKINS: dict[str, Edit] = {
    "its text": lambda x: x["dosage"]["site"].update(text="fianco"),
    "its display": lambda x: x["dosage"]["site"]["coding"][0].update(display="Skin"),
    "its code": lambda x: x["dosage"]["site"].update(
        coding=[{"system": "http://snomed.info/sct", "code": "43081002"}], text="fianco"
    ),
}


@pytest.mark.parametrize("edit", SKINS.values(), ids=SKINS)
def test_what_the_ehr_says_of_the_skin_stays(edit: Edit) -> None:
    """It follows from the site of the session, as long as it is what we wrote."""
    before, after = rich(), rich()
    record(after, "mixtures")["volume"] = Decimal("0.75")
    kind = ("MedicationAdministration", "mixtures")
    d, edited, now = decided(made(before, *kind), made(after, *kind), edit)
    assert d.fields == ("volume",)
    assert now["dosage"]["site"] == edited["dosage"]["site"]


def test_the_skin_follows_the_site_all_the_same() -> None:
    before, after = rich(), rich()
    record(after, "sessions", "S1").update(site="neck")
    kind = ("MedicationAdministration", "mixtures")
    theirs = {"system": "urn:ehr", "code": "X"}
    _, _, now = decided(
        made(before, *kind), made(after, *kind), lambda x: x["dosage"]["site"]["coding"].append(theirs)
    )
    assert now["dosage"]["site"]["coding"][0]["code"] == "43081002"


@pytest.mark.parametrize(("kind", "table"), [("AllergyIntolerance", "allergies"), ("Condition", "conditions")])
def test_what_the_ehr_has_withdrawn_is_not_rewritten_for_nothing(kind: str, table: str) -> None:
    """A clinicalStatus has no place beside entered-in-error (con-5, ait-2); the clinic has changed nothing."""
    tree = rich()
    record(tree, table).update(status="active", certainty="confirmed")
    m = made(tree, kind, table)
    assert "clinicalStatus" in m.resource
    d, _, _ = decided(m, m, lambda x: x["verificationStatus"]["coding"][0].update(code="entered-in-error"))
    assert (d.outcome, d.write) == ("unchanged", None)
    assert {r.kind for r in d.remarks} == {"kept"}


@pytest.mark.parametrize(("kind", "table"), [("AllergyIntolerance", "allergies"), ("Condition", "conditions")])
def test_a_clinical_status_that_we_do_not_know_is_left_and_told(kind: str, table: str) -> None:
    """Not even where nothing says how certain it is: it was taken for a withdrawn one, and its status went."""
    before, after = rich(), rich()
    for tree in (before, after):
        record(tree, table).pop("certainty", None)
    record(after, table)["note"] = "Da ieri."
    d, edited, now = decided(
        made(before, kind, table), made(after, kind, table),
        lambda x: x["clinicalStatus"]["coding"][0].update(code="dormant"),
    )  # fmt: skip
    assert (d.outcome, now) == ("blocked", edited)
    whole = [stands(m) | {"id": m.handle} for m in graph(history(before), CLINIC).made]
    for x in whole:
        if x["resourceType"] == kind and CLINIC.link_of(x).table == table:  # type: ignore[union-attr]
            x["clinicalStatus"]["coding"][0]["code"] = "dormant"
    back = understand(whole, CLINIC)
    assert any(k.resource["resourceType"] == kind for k in back.kept)


def test_the_wording_of_what_is_not_known_can_be_cleared() -> None:
    before, after = rich(), rich()
    record(before, "conditions").pop("condition")
    record(before, "conditions").update(unknown=["condition"], condition_text="mal di schiena")
    record(after, "conditions").pop("condition")
    record(after, "conditions").update(unknown=["condition"], condition_text=None)
    kind = ("Condition", "conditions")
    d, _, now = decided(made(before, *kind), made(after, *kind), lambda x: x.update(recorder={"display": "Ward"}))
    assert d.fields == ("condition_text",)
    assert "text" not in now["code"]


def test_a_mark_on_what_is_not_known_changes_nothing() -> None:
    before, after = rich(), rich()
    for tree in (before, after):
        record(tree, "conditions").pop("condition")
        record(tree, "conditions").update(unknown=["condition"])
    record(after, "conditions")["note"] = "Da ieri."
    kind = ("Condition", "conditions")
    d, edited, now = decided(
        made(before, *kind), made(after, *kind), lambda x: x["code"]["extension"][0].update(id="ehr-1")
    )
    assert (d.fields, d.remarks) == (("note",), ())
    assert now["code"] == edited["code"]


def test_what_stood_beside_a_value_and_goes_with_it_is_told() -> None:
    """Their code of the site that was treated is no code of the site that the clinic has put in its place."""
    before, after = rich(), rich()
    record(after, "sessions", "S1")["site"] = "knee"
    kind = ("Procedure", "sessions", "S1")
    d, _, now = decided(
        made(before, *kind), made(after, *kind),
        lambda x: x["bodySite"][0]["coding"].append({"system": "urn:ehr", "code": "LX"}),
    )  # fmt: skip
    assert "LX" not in str(now)
    assert {(r.kind, r.path.split(".coding")[0]) for r in d.remarks} == {("replaced", "$.bodySite[0]")}
    assert "LX" not in str(d.remarks)


def test_a_copy_of_what_is_stated_no_more_stays() -> None:
    """FHIR asks an administration for its start: unknown is written where nothing stands, and over nothing else."""
    before, after = rich(), rich()
    del record(after, "sessions", "S1")["start"]
    record(after, "sessions", "S1")["note"] = "Riferisce sollievo."
    record(after, "mixtures")["volume"] = Decimal("0.60")
    kind = ("MedicationAdministration", "mixtures")
    fresh = made(after, *kind)
    assert "_start" in fresh.resource["effectivePeriod"]
    d, edited, now = decided(made(before, *kind), fresh, lambda x: None)
    assert (d.outcome, d.fields, d.remarks) == ("changed", ("volume",), ())
    assert now["effectivePeriod"] == edited["effectivePeriod"]

"""What an EHR does to our resources between two pushes, by real PUTs: it survives, or it is reported."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from mesofhir.fhir.picture import changes
from mesofhir.sync import Result
from tests.contract.harness import Place, Resource, bundles, equal, is_update, named, outcomes, said
from tests.contract.histories import Tree, history, record, rich, small

SESSION = ("Procedure", "P1-S")
THEIRS = {"system": "urn:ehr:codes", "code": "X1", "display": "Something of the EHR"}
OURS = ("$.meta.versionId", "$.meta.lastUpdated", "$.meta.source", "$.text")
Edit = Callable[[Resource], Any]


def name_of(result: Result, kind: str, key: str) -> str:
    """What the server calls a resource."""
    [name] = [n for link, n in result.references.items() if (link.kind, link.key) == (kind, key)]
    return name


def first(*path: str | int, item: Any) -> Edit:
    """Put an item at the head of a list."""

    def edit(x: Any) -> None:
        for step in path[:-1]:
            x = x[step]
        x[path[-1]] = [item, *x.get(path[-1], ())]

    return edit


def turned(*path: str | int) -> Edit:
    """Turn a list around."""

    def edit(x: Any) -> None:
        for step in path:
            x = x[step]
        x.reverse()

    return edit


EDITS: dict[str, Edit] = {
    "a note": first("note", item={"authorString": "EHR", "text": "Seen at the ward round."}),
    "an identifier": first("identifier", item={"system": "urn:ehr", "value": "77"}),
    "an extension": first("extension", item={"url": "urn:ehr:extension", "valueString": "theirs"}),
    "a coding before ours": first("code", "coding", item=THEIRS),
    "a coding of a site": lambda x: x["bodySite"][0]["coding"].append(THEIRS),
    "another site": lambda x: x["bodySite"].append({"text": "also the neck"}),
    "another performer": lambda x: x.update(performer=[{"actor": {"display": "Somebody"}}]),
    "identifiers turned round": lambda x: (first("identifier", item={"value": "7"})(x), turned("identifier")(x)),
    "extensions turned round": turned("extension"),
    "an outcome": lambda x: x.update(outcome={"text": "as expected"}),
    "a category": lambda x: x.update(category={"coding": [THEIRS]}),
    "who recorded it": lambda x: x.update(recorder={"display": "Ward 3"}),
    "a follow-up": lambda x: x.update(followUp=[{"text": "in a week"}]),
    "a tag": lambda x: x["meta"].update(tag=[{"system": "urn:ehr", "code": "seen"}]),
    "another profile": lambda x: x["meta"]["profile"].append("http://ehr.example/StructureDefinition/procedure"),
    "a narrative of its own": lambda x: x.update(
        text={"status": "additional", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Theirs</div>'}
    ),
    "a contained resource": lambda x: x.update(
        contained=[{"resourceType": "Organization", "id": "o", "name": "Ward"}],
        recorder={"reference": "#o"},
    ),
    "a plain reference": lambda x: x["partOf"][0].pop("identifier"),
    "the display of a reference": lambda x: x["subject"].update(display="Signora Prova"),
    "the same instant in another zone": lambda x: x["performedPeriod"].update(start="2026-03-02T09:00:00Z"),
    "the status reason": lambda x: x.update(statusReason={"text": "on time"}),
    "an extension of an element": lambda x: x.update(_status={"extension": [{"url": "urn:e", "valueString": "e"}]}),
    "all at once": lambda x: [edit(x) for name, edit in EDITS.items() if not name.startswith(("all", "a plain"))],
}


def with_site() -> Tree:
    tree = small()
    record(tree, "sessions").update(
        start="2026-03-02T10:00:00+01:00", site="lumbar", side="both", depth=3, points=20, number=1
    )
    return tree


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_it_survives_a_push_that_changes_something_else(place: Place, edit: Edit) -> None:
    tree = with_site()
    name = name_of(place.pushed(tree), *SESSION)
    edited = place.ehr.edit(name, edit)
    assert outcomes(place.pushed(tree)) == {"found": 1, "unchanged": 6}
    assert place.ehr.read(name)["meta"]["versionId"] == "2"
    record(tree, "sessions")["place"] = "Sala 2"
    result = place.pushed(tree)
    assert named(result, "changed") == [SESSION]
    now = place.ehr.read(name)
    assert now["location"]["display"] == "Sala 2"
    edited["meta"]["profile"].sort()  # a set, in any order on HAPI
    now["meta"]["profile"].sort()
    assert [p for p in changes(edited, now) if not p.startswith(OURS)] == ["$.location.display"]
    assert list(result.fields.values()) == [("place",)]
    assert {r.kind for r in result.remarks} <= {"more"}
    assert [v for n, v in place.versions().items() if n != name] == [1] * 6


STATED: dict[str, tuple[Edit, str, list[str]]] = {
    # what an EHR does, where it stands, the fields of ours that it concerns
    "the room": (lambda x: x["location"].update(display="Stanza 12"), "$.location.display", ["place"]),
    "the room, taken away": (lambda x: x.pop("location"), "", ["place"]),
    "the status": (lambda x: x.update(status="stopped"), "$.status", ["status"]),
    "when it was": (
        lambda x: x["performedPeriod"].update(start="2026-03-03"), "$.performedPeriod.start", ["start"],
    ),
    "when it was, at a point in time": (
        lambda x: (x.pop("performedPeriod"), x.update(performedDateTime="2026-03-03")), "", ["start"],
    ),
    "the site": (
        lambda x: x["bodySite"][0].update(coding=[{"system": "http://snomed.info/sct", "code": "45048000"}]),
        "$.bodySite[0]", ["site"],
    ),
    "a number in an extension": (
        lambda x: next(e for e in x["extension"] if "points" in e["url"]).update(valuePositiveInt=21), "$.extension",
        ["points"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("lost", [False, True], ids=["known", "ledger lost"])
@pytest.mark.parametrize("name", STATED)
def test_what_only_the_ehr_changed_stays_and_is_told(place: Place, name: str, lost: bool) -> None:
    """Also where nobody remembers what was pushed: the history of the resource proves it."""
    edit, path, fields = STATED[name]
    tree = with_site()
    where = name_of(place.pushed(tree), *SESSION)
    edited = place.ehr.edit(where, lambda x: (edit(x), EDITS["a note"](x)))
    if lost:
        place.lose_ledger()
    result = place.pushed(tree)
    assert set(outcomes(result)) == {"found", "unchanged"}
    assert lost or [line.split()[1] for line in place.requests] == ["/Patient/_search"]
    record(tree, "sessions")["needle_gauge"] = 27
    result = place.pushed(tree)
    assert (named(result, "changed"), list(result.fields.values())) == ([SESSION], [("needle_gauge",)])
    kept = [r for r in result.remarks if r.kind == "kept"]
    assert len(kept) == len(fields)
    assert all(any(f"`{f}`" in r.text for r in kept) for f in fields), said(result)
    assert not path or any(r.path.startswith(path) for r in kept), said(result)
    now = place.ehr.read(where)
    for element in ("status", "location", "bodySite", "performedPeriod", "performedDateTime", "note"):
        assert now.get(element) == edited.get(element), element
    place.lose_ledger()  # what we let stand, our own signature does not claim
    assert set(outcomes(place.pushed(tree))) == {"found", "unchanged"}
    assert place.ehr.read(where)["meta"]["versionId"] == now["meta"]["versionId"]


CLINICS: dict[str, Edit] = {
    "the room": lambda r: r.update(place="Sala 7"),
    "when it was": lambda r: r.update(start="2026-03-04"),
    "the site": lambda r: r.update(site="knee"),
    "a number in an extension": lambda r: r.update(points=22),
}


@pytest.mark.parametrize("side", ["", "theirs", "ours"])
@pytest.mark.parametrize("lost", [False, True], ids=["known", "ledger lost"])
@pytest.mark.parametrize("name", CLINICS)
def test_what_both_changed_is_a_conflict_until_a_person_decides(
    place: Place, name: str, lost: bool, side: str
) -> None:
    edit, path, _ = STATED[name]
    tree = with_site()
    where = name_of(place.pushed(tree), *SESSION)
    edited = place.ehr.edit(where, edit)
    CLINICS[name](record(tree, "sessions"))
    record(tree, "sessions")["needle_gauge"] = 27
    if lost:
        place.lose_ledger()
    result = place.push(tree, side=side)
    conflicts = [r for r in result.remarks if r.kind == "conflict" and r.link[::2] == SESSION]
    assert result.code == (0 if side else 4), said(result)
    assert bool(conflicts) == (not side)
    assert all(r.path.startswith(path) for r in conflicts)
    assert SESSION in named(result, "changed")  # the needle, in any case
    now = place.ehr.read(where)
    element = path.split(".")[1].split("[")[0]
    assert (now[element] == edited[element]) == (side != "ours" and element != "extension")
    again = place.push(tree)
    assert place.ehr.read(where)["meta"]["versionId"] == now["meta"]["versionId"]
    assert again.code == (0 if side else 4)
    assert SESSION in named(again, "unchanged" if side else "conflict")


def test_what_the_clinic_does_not_state_is_theirs_and_comes_back(place: Place) -> None:
    """A field of ours that only the EHR states stays, and is pulled as what the record says."""
    tree = small()
    name = name_of(place.pushed(tree), *SESSION)
    place.ehr.edit(
        name,
        lambda x: x.update(followUp=[{"id": "mesofhir-follow-up", "text": "in a week"}], bodySite=[{"text": "collo"}]),
    )
    assert outcomes(place.pushed(tree)) == {"found": 1, "unchanged": 6}
    record(tree, "sessions").update(follow_up="in a week", site_text="collo")
    equal(history(tree), place.pull()[0].history)


def test_a_status_that_we_do_not_know_blocks_its_resource_and_no_other(place: Place) -> None:
    tree = with_site()
    name = name_of(place.pushed(tree), *SESSION)
    place.ehr.edit(name, lambda x: x.update(status="on-hold"))
    record(tree, "sessions")["place"] = "Sala 2"
    record(tree, "conditions")["note"] = "Da gennaio."
    result = place.push(tree)
    assert result.code == 4
    assert not result.stopped
    assert named(result, "blocked") == [SESSION]
    assert named(result, "changed") == [("Condition", "P1-C")]
    [told] = said(result, "blocked")
    assert "not ours" in told
    now = place.ehr.read(name)
    assert (now["status"], now["meta"]["versionId"]) == ("on-hold", "2")


@pytest.mark.parametrize("also", [False, True], ids=["alone", "with a change"])
def test_another_unit_is_left_alone_and_reported(place: Place, also: bool) -> None:
    tree = with_site()
    name = name_of(place.pushed(tree), *SESSION)
    theirs = {"value": 3000, "unit": "um", "system": "http://unitsofmeasure.org", "code": "um"}
    place.ehr.edit(
        name, lambda x: next(e for e in x["extension"] if "depth" in e["url"]).update(valueQuantity=theirs)
    )
    record(tree, "sessions")["depth"] = 4
    if also:
        record(tree, "sessions")["place"] = "Sala 2"
    result = place.push(tree)
    assert result.code == 4
    assert named(result, "changed" if also else "conflict") == [SESSION]
    assert len(said(result, "conflict")) == 1
    now = place.ehr.read(name)
    assert [e["valueQuantity"] for e in now["extension"] if "depth" in e["url"]] == [theirs]
    assert now["location"]["display"] == ("Sala 2" if also else "Sala 1")


def test_marked_entered_in_error_by_the_ehr(place: Place) -> None:
    """A record that states no status does not put it in force again in silence."""
    tree = small()
    record(tree, "cycles")["scores"] = [{"key": "P1-N", "scale": "nrs", "value": 5}]
    name = name_of(place.pushed(tree), "Observation", "P1-N")
    place.ehr.edit(name, lambda x: x.update(status="entered-in-error"))
    assert place.push(tree).code == 0  # nothing new is stated
    record(tree, "scores")["value"] = 6
    result = place.push(tree)
    assert named(result, "blocked") == [("Observation", "P1-N")]
    assert result.code == 4
    record(tree, "scores")["status"] = None
    result = place.push(tree)
    assert (result.code, len(said(result, "conflict"))) == (4, 1)
    assert place.ehr.read(name)["status"] == "entered-in-error"
    result = place.pushed(tree, side="ours")
    assert named(result, "changed") == [("Observation", "P1-N")]
    assert place.ehr.read(name)["status"] == "final"


def test_a_drug_that_the_clinic_no_longer_states_goes_and_theirs_stays(place: Place) -> None:
    """A drug that was never given must not stay on record; one that the EHR added is not ours to take away."""
    tree = rich()
    name = name_of(place.pushed(tree), "MedicationAdministration", record(tree, "mixtures")["key"])
    theirs = {"itemCodeableConcept": {"text": "added by the EHR"}}

    def add(x: Any) -> None:
        x["contained"][0]["ingredient"].insert(0, theirs)

    place.ehr.edit(name, add)
    dropped = record(tree, "mixtures")["drugs"].pop()
    result = place.push(tree)
    assert list(result.fields.values()) == [("drugs",)]
    assert any("drugs" in x and "stay" in x for x in said(result)), said(result)
    now = place.ehr.read(name)["contained"][0]["ingredient"]
    assert theirs in now
    assert len(now) == len(record(tree, "mixtures")["drugs"]) + 1
    assert dropped


# --- somebody writes between our reading and our writing ----------------------------------------------------


def test_a_stale_push_loses_nothing_of_theirs(place: Place) -> None:
    tree = with_site()
    name = name_of(place.pushed(tree), *SESSION)
    record(tree, "sessions")["place"] = "Sala 2"
    updates = []

    def edit_first(send: Any, entries: Any, type: str) -> Any:
        if is_update(entries):
            updates.append(len(entries))
            if len(updates) < 3:
                theirs = f"urn:ehr:{len(updates)}"
                place.ehr.edit(name, first("extension", item={"url": theirs, "valueBoolean": True}))
        return send(entries, type)

    with bundles(place.server, edit_first):
        result = place.pushed(tree)
    assert updates == [1, 1, 1]
    now = place.ehr.read(name)
    assert [e["url"] for e in now["extension"]][:2] == ["urn:ehr:2", "urn:ehr:1"]
    assert now["location"]["display"] == "Sala 2"
    assert now["meta"]["versionId"] == "4"
    assert named(result, "changed") == [SESSION]


def test_somebody_who_never_stops_is_reported(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda *_: 0)  # no pauses
    tree = with_site()
    name = name_of(place.pushed(tree), *SESSION)
    record(tree, "sessions")["place"] = "Sala 2"

    def edit_first(send: Any, entries: Any, type: str) -> Any:
        if is_update(entries):
            place.ehr.edit(name, first("note", item={"text": f"again, {len(place.ehr.read(name).get('note', ()))}"}))
        return send(entries, type)

    with bundles(place.server, edit_first):
        result = place.push(tree)
    assert result.code == 4
    assert "push again" in result.stopped
    now = place.ehr.read(name)
    assert len(now["note"]) == 8
    assert now["location"]["display"] == "Sala 1"


def test_what_was_deleted_meanwhile_is_not_brought_back(place: Place) -> None:
    """A PUT to a deleted id would resurrect it."""
    tree = with_site()
    name = name_of(place.pushed(tree), "Condition", "P1-C")
    record(tree, "conditions")["note"] = "Da gennaio."

    def delete_first(send: Any, entries: Any, type: str) -> Any:
        if is_update(entries) and len(deleted) == 0:
            deleted.append(place.ehr.send("DELETE", name))
        return send(entries, type)

    deleted: list[Any] = []
    with bundles(place.server, delete_first):
        result = place.push(tree)
    assert deleted
    gone = place.ehr.session.get(f"{place.ehr.url}/{name}", headers={"Accept": "application/fhir+json"})
    assert gone.status_code == 410
    assert result.code in (0, 4)  # made anew under our key, or refused

"""The write plan as tables: what a server says, what a preset says, and the step that follows."""

from typing import Any

import pytest

from mesofhir.server.abilities import Abilities, settle
from mesofhir.server.capability import read_capabilities
from mesofhir.server.preset import NOTHING, Preset, find_preset, read_preset
from mesofhir.server.probed import Probed
from mesofhir.sync.planning.plan import Plan, Step

ALL = ["create", "read", "update", "search-type"]
READS = ["read", "search-type"]


def type_(name: str, *interactions: str, **more: Any) -> dict[str, Any]:
    params = more.pop("params", ["identifier", "patient"])
    said = {"type": name} | more
    said |= {"interaction": [{"code": c} for c in interactions]} if interactions else {}
    return said | ({"searchParam": [{"name": n} for n in params]} if params is not None else {})


def abilities(
    *types: dict[str, Any], system: tuple[str, ...] = (), preset: Preset = NOTHING, **probed: bool
) -> Abilities:
    rest: dict[str, Any] = {"mode": "server", "resource": list(types)}
    rest |= {"interaction": [{"code": c} for c in system]} if system else {}
    return Abilities(read_capabilities({"rest": [rest]}), preset, Probed(probed))


def plan(*types: dict[str, Any], files: bool = False, **more: Any) -> Plan:
    return Plan(abilities(*types, **more), files)


@pytest.mark.parametrize(
    ("declared", "said", "probed", "can", "by"),
    [
        (False, None, None, False, "declared"),
        (False, True, True, False, "declared"),
        (True, False, True, False, "preset any"),
        (None, False, True, False, "preset any"),
        (True, None, None, True, "declared"),
        (True, True, False, True, "declared"),
        (None, True, False, True, "preset any"),
        (None, None, True, True, "probed"),
        (None, None, False, False, "probed"),
        (None, None, None, None, "not said"),
    ],
)
def test_how_a_question_is_settled(
    declared: bool | None, said: bool | None, probed: bool | None, can: bool | None, by: str
) -> None:
    settled = settle(declared, said, probed, "any", "not said")
    assert (settled.can, settled.by) == (can, by)


@pytest.mark.parametrize(
    ("system", "more", "step", "blind"),
    [
        (["transaction"], {"conditionalCreate": True}, Step.TRANSACTION, False),
        (["transaction", "batch"], {"conditionalCreate": True}, Step.TRANSACTION, False),
        (["transaction"], {"conditionalCreate": False}, Step.TRANSACTION, True),
        (["transaction"], {}, Step.TRANSACTION, True),
        (["batch"], {"conditionalCreate": True}, Step.BATCH, False),
        (["batch"], {}, Step.BATCH, True),
        ([], {"conditionalCreate": True}, Step.SINGLE, False),
        (["history-system"], {"conditionalCreate": True}, Step.SINGLE, False),
        ([], {"conditionalCreate": False}, Step.SEARCH, True),
        ([], {}, Step.SEARCH, True),
    ],
)
def test_the_steps_in_their_order(system: list[str], more: dict[str, Any], step: Step, blind: bool) -> None:
    made = plan(type_("CarePlan", *ALL, **more), system=tuple(system)).of("CarePlan")
    assert (made.step, made.blind) == (step, blind)


@pytest.mark.parametrize(
    ("interactions", "more", "step"),
    [
        (["create"], {"conditionalCreate": True}, Step.SINGLE),
        (["create"], {"conditionalCreate": True, "params": ["patient"]}, Step.NONE),  # nothing to put in the condition
        (["create", "search-type"], {"conditionalCreate": True, "params": ["patient"]}, Step.SEARCH),
        (["create"], {"conditionalCreate": False}, Step.NONE),  # never a POST without the search
        (["create", "search-type"], {"params": None}, Step.SEARCH),  # not said which: the search itself tells
        (["create", "search-type"], {"params": ["subject"]}, Step.SEARCH),
        (READS, {"conditionalCreate": True}, Step.NONE),
        ([], {"conditionalCreate": True}, Step.NONE),  # listed, and nothing said of creates
    ],
)
def test_what_a_create_takes(interactions: list[str], more: dict[str, Any], step: Step) -> None:
    assert plan(type_("CarePlan", *interactions, **more)).of("CarePlan").step == step


def test_what_is_not_taken_as_itself() -> None:
    care, document = type_("CarePlan", *READS), type_("DocumentReference", *ALL)
    people, without = type_("Patient", *READS), Preset(documents=False)
    assert plan(care, document).of("CarePlan").step == Step.DOCUMENT
    assert plan(care, document, people, files=True).of("CarePlan").step == Step.DOCUMENT
    assert plan(care, document, preset=without).of("CarePlan").step == Step.NONE
    assert plan(care, document, people, files=True, preset=without).of("CarePlan").step == Step.FILES
    assert plan(care, people, files=True).of("CarePlan").step == Step.FILES
    assert plan(care).of("CarePlan").step == Step.NONE
    assert plan(care).of("Goal").step == Step.NONE


@pytest.mark.parametrize(
    ("patients", "why"),
    [
        ([type_("Patient", "read")], "search of Patient: no (declared)"),
        ([type_("Patient", *READS, params=["birthdate"])], "search of Patient: not by identifier"),
        ([], "search of Patient: unknown (not listed)"),
        ([type_("Patient", *READS)], ""),
    ],
)
def test_without_patients_all_goes_into_files(patients: list[dict[str, Any]], why: str) -> None:
    types = [type_("CarePlan", *ALL, conditionalCreate=True), type_("DocumentReference", *ALL), *patients]
    made = plan(*types, files=True)
    assert made.patientless == why
    assert made.of("CarePlan").step == (Step.FILES if why else Step.SINGLE)
    assert why in made.of("CarePlan").why
    assert plan(*types).of("CarePlan").step == Step.SINGLE  # nobody asked for files: the history is stopped


def test_a_type_that_is_described_twice() -> None:
    """It has what either description gives it, and not what either denies."""
    more = type_("Goal", "create", "update", conditionalCreate=True, versioning="versioned-update", params=["_id"])
    twice = abilities(type_("Goal", *READS, conditionalCreate=False, versioning="versioned"), more).of("Goal")
    assert all(twice[each] for each in ALL)
    assert twice.conditional_create.can is False
    assert twice.if_match.can is None
    assert twice.params == {"identifier", "patient", "_id"}


def test_a_server_that_says_nothing_is_not_written() -> None:
    made = Plan(Abilities(read_capabilities({})))
    assert made.of("CarePlan").step == Step.NONE
    assert "create: unknown (not said)" in made.of("CarePlan").why
    assert Plan(Abilities(read_capabilities({}), find_preset("hapi"))).of("CarePlan").step == Step.TRANSACTION


def test_what_a_statement_denies_no_preset_allows() -> None:
    made = plan(type_("CarePlan", *READS), type_("Goal", *ALL, conditionalCreate=False), preset=find_preset("hapi"))
    assert made.of("CarePlan").step == Step.NONE
    assert made.of("Goal").blind
    assert made.of("Condition").step == Step.NONE  # not listed: `others` are those that are


@pytest.mark.parametrize(
    ("versioning", "interactions", "can"),
    [
        ("versioned-update", ALL, True),
        ("versioned", ALL, True),
        (None, ALL, True),
        ("no-version", ALL, False),
        ("versioned-update", ["create", "search-type"], False),
    ],
)
def test_changes_go_by_version(versioning: str | None, interactions: list[str], can: bool) -> None:
    more = {"versioning": versioning} if versioning else {}
    assert plan(type_("CarePlan", *interactions, **more)).of("CarePlan").update.can is can


def test_the_ways_to_find_ours() -> None:
    def ways(*interactions: str, params: list[str] | None) -> tuple[str, ...]:
        return plan(type_("CarePlan", *interactions, params=params)).of("CarePlan").ways

    assert ways(*ALL, params=["identifier", "patient"]) == ("identifier", "patient", "all")
    assert ways(*ALL, params=["subject"]) == ("subject", "all")
    assert ways(*ALL, params=None) == ("identifier", "patient", "subject", "all")
    assert ways("create", params=["identifier"]) == ()


TAKEN = {
    "epic-like": {
        "AllergyIntolerance": Step.SEARCH, "Condition": Step.SEARCH, "DocumentReference": Step.SEARCH,
        "Procedure": Step.DOCUMENT, "CarePlan": Step.DOCUMENT, "MedicationAdministration": Step.DOCUMENT,
    },
    "oracle-like": {
        "AllergyIntolerance": Step.BATCH, "Condition": Step.BATCH, "DocumentReference": Step.BATCH,
        "Procedure": Step.BATCH, "CarePlan": Step.DOCUMENT, "MedicationAdministration": Step.DOCUMENT,
    },
    "athena-like": dict.fromkeys(("AllergyIntolerance", "Condition", "Procedure", "CarePlan"), Step.NONE),
    "read-only": dict.fromkeys(("AllergyIntolerance", "Condition", "Procedure", "CarePlan"), Step.NONE),
    "danish-like": dict.fromkeys(("AllergyIntolerance", "Procedure", "CarePlan", "Goal"), Step.TRANSACTION),
    "hapi": dict.fromkeys(("AllergyIntolerance", "Procedure", "CarePlan", "Goal"), Step.TRANSACTION),
    "sekmet": dict.fromkeys(("AllergyIntolerance", "Procedure", "CarePlan"), Step.TRANSACTION),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_a_vendor_that_declares_more_than_it_takes(name: str) -> None:
    """A preset takes back: the statement declares all, and the plan is the vendor's."""
    kinds = [*TAKEN[name], "DocumentReference"]
    types = [type_(kind, *ALL, conditionalCreate=True) for kind in dict.fromkeys(kinds)]
    made = plan(*types, system=("transaction", "batch"), preset=find_preset(name))
    assert {kind: made.of(kind).step for kind in TAKEN[name]} == TAKEN[name]


def concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "https://any.example", "code": code}]}


@pytest.mark.parametrize(
    ("name", "resource", "why"),
    [
        ("epic-like", {"resourceType": "Condition", "verificationStatus": concept("provisional")}, ""),
        ("epic-like", {"resourceType": "Condition"}, "only with verificationStatus provisional"),
        ("epic-like", {"resourceType": "Condition", "verificationStatus": concept("confirmed")}, "only with"),
        ("oracle-like", {"resourceType": "Procedure", "status": "completed", "code": {}, "subject": {}}, ""),
        ("oracle-like", {"resourceType": "Procedure", "status": "not-done", "code": {}, "subject": {}}, "only with"),
        ("oracle-like", {"resourceType": "Procedure", "status": "completed", "subject": {}}, "not without code"),
        ("oracle-like", {"resourceType": "AllergyIntolerance", "category": ["medication"]}, ""),
        ("oracle-like", {"resourceType": "AllergyIntolerance", "category": ["medication", "biologic"]}, "biologic"),
    ],
)
def test_what_a_vendor_refuses_goes_another_way(name: str, resource: dict[str, Any], why: str) -> None:
    kinds = ("Condition", "Procedure", "AllergyIntolerance", "DocumentReference")
    made = plan(*(type_(k, *ALL) for k in kinds), system=("batch",), preset=find_preset(name))
    step, reason = made.step(resource)
    assert step == (Step.DOCUMENT if why else made.of(resource["resourceType"]).step)
    assert why in reason


def test_limits() -> None:
    assert plan().limits.entries == 100
    small = read_preset(b"entries = 7\nsize = 1000", "x.toml", "x")
    assert (plan(preset=small).limits.entries, plan(preset=small).limits.size) == (7, 1000)


SOME = (
    type_("CarePlan", *ALL, conditionalCreate=True, versioning="versioned-update"),
    type_("Goal", *ALL, versioning="no-version"),
    type_("Consent"),
    type_("Patient", *READS, operation=[{"name": "everything"}]),
)


@pytest.mark.parametrize(
    ("method", "path", "more", "sent"),
    [
        ("GET", "metadata", {}, True),
        ("POST", "CarePlan", {}, True),
        ("POST", "CarePlan", {"headers": {"If-None-Exist": "identifier=a"}}, True),
        ("POST", "CarePlan", {"headers": {"If-None-Exist": "url=a"}}, False),  # that it cannot look for
        ("POST", "Goal", {"headers": {"If-None-Exist": "identifier=a"}}, False),
        ("PUT", "CarePlan/1", {"headers": {"If-Match": 'W/"1"'}}, True),
        ("PUT", "Goal/1", {"headers": {"If-Match": 'W/"1"'}}, False),
        ("DELETE", "CarePlan/1", {}, False),
        ("POST", "Patient", {}, False),
        ("POST", "Consent", {}, False),  # listed, and nothing said: reads only
        ("GET", "Consent/1", {}, True),
        ("POST", "Consent/_search", {"form": [("patient", "1")]}, True),
        ("GET", "Procedure/1", {}, False),  # not listed
        ("POST", "Procedure/_search", {"form": [("patient", "1")]}, False),
        ("POST", "CarePlan/_search", {"form": [("identifier", "a|b"), ("_count", "9")]}, True),
        ("POST", "CarePlan/_search", {"form": [("patient.identifier", "a|b")]}, True),
        ("POST", "CarePlan/_search", {"form": [("_lastUpdated", "gt2020")]}, False),
        ("GET", "CarePlan?_summary=count", {}, True),
        ("GET", "CarePlan?category=x", {}, False),
        ("GET", "CarePlan/1/_history?_count=9", {}, False),
        ("GET", "Consent/1/_history", {}, True),
        ("GET", "Patient/1/$everything?_count=9", {}, True),
        ("GET", "CarePlan/1/$everything", {}, False),
        ("GET", "$export", {}, False),
        ("GET", "https://any.example/fhir?_getpages=1", {}, True),  # its own link
    ],
)  # fmt: skip
def test_what_is_sent_at_all(method: str, path: str, more: dict[str, Any], sent: bool) -> None:
    assert (abilities(*SOME).refusal(method, path, **more) == "") is sent


@pytest.mark.parametrize(
    ("kind", "system", "entry", "sent"),
    [
        ("transaction", "transaction", {"method": "POST", "url": "CarePlan", "ifNoneExist": "identifier=a"}, True),
        ("transaction", "batch", {"method": "POST", "url": "CarePlan"}, False),
        ("batch", "batch", {"method": "POST", "url": "CarePlan"}, True),
        ("batch", "batch", {"method": "POST", "url": "Goal", "ifNoneExist": "identifier=a"}, False),
        ("batch", "batch", {"method": "PUT", "url": "Goal/1", "ifMatch": 'W/"1"'}, False),
        ("batch", "batch", {"method": "POST", "url": "Patient"}, False),
    ],
)
def test_what_is_sent_in_a_bundle(kind: str, system: str, entry: dict[str, str], sent: bool) -> None:
    body = {"resourceType": "Bundle", "type": kind, "entry": [{"request": entry}]}
    assert (abilities(*SOME, system=(system,)).refusal("POST", "", body=body) == "") is sent


def test_no_more_entries_than_the_server_takes() -> None:
    few = abilities(*SOME, system=("batch",), preset=Preset(entries=1))
    entries = [{"request": {"method": "POST", "url": "CarePlan"}}] * 2
    assert few.refusal("POST", "", body={"type": "batch", "entry": entries[:1]}) == ""
    assert "at most 1" in few.refusal("POST", "", body={"type": "batch", "entry": entries})

"""``mesofhir check`` judges by the profiles, and says what is wrong in the terms of the record."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mesofhir.cli import main
from mesofhir.fhir.exactjson import decode, encode
from mesofhir.fhir.profiles import ours, rules_of, violations
from mesofhir.fhir.validation import validate
from mesofhir.mapping import Clinic, Link
from mesofhir.mapping.fields import Where, field_at

ROOT = Path(__file__).parents[2]
NAMESPACE = "https://clinic.example/mesotherapy"
CANARY = "Zanzara7"
Json = dict[str, Any]

FILES = sorted((ROOT / "examples" / "fhir").rglob("*.bundle.json"))
BUNDLES = {path.name.split(".")[0]: decode(path.read_bytes()) for path in FILES}


def resources(name: str) -> list[Json]:
    return [entry["resource"] for entry in copy.deepcopy(BUNDLES[name])["entry"]]


def one(kind: str, profile: str, name: str = "antalgic-outpatient", **stated: Any) -> Json:
    """A resource of an example, by its type, the end of its profile and what it states."""
    return next(
        x
        for x in resources(name)
        if x["resourceType"] == kind
        and any(p.endswith(f"/{profile}") for p in x["meta"].get("profile", ()))
        and stated.items() <= x.items()
    )


def check(path: str, *args: str, code: int, namespace: str = NAMESPACE) -> str:
    result = CliRunner().invoke(main, ["check", path, "--namespace", namespace, *args])
    assert result.exit_code == code, result.output
    assert CANARY not in result.output
    return str(result.stderr)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def stored(data: Any, name: str) -> str:
    Path(name).write_bytes(data if isinstance(data, bytes) else encode(data))
    return name


# --- what stands in a source of FHIR ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUNDLES)
def test_the_examples_are_good(name: str) -> None:
    assert "error: " not in check(stored(BUNDLES[name], "x.json"), code=0)


def spoilt() -> Json:
    session = one("Procedure", "mesotherapy-session", status="completed")
    del session["partOf"]
    return session | {"id": "s1"}


MISSING = "`partOf` is missing; expected at least 1"
RULE = "rule mesotherapy-session#Procedure.partOf:min"


@pytest.mark.parametrize("namespace", [NAMESPACE, "https://another.example/clinic"])
@pytest.mark.parametrize("form", ["one", "bundle", "ndjson"])
def test_a_resource_that_claims_a_profile_is_judged_whose_ever_it_is(form: str, namespace: str) -> None:
    bad = spoilt()
    forms = {
        "one": (encode(bad), "x.json"),
        "bundle": (encode({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": bad}]}), "x.json"),
        "ndjson": (encode({"resourceType": "Patient", "id": "1"}) + b"\n" + encode(bad) + b"\n", "x.fhir.ndjson"),
    }
    said = check(stored(*forms[form]), code=3, namespace=namespace)
    if namespace == NAMESPACE:  # of ours, but without its cycle no record can be made of it
        assert f"sessions P1001-S1, of: {MISSING} (FHIR: Procedure $.partOf; {RULE})" in said
    else:
        assert f"Procedure/s1 $.partOf: {MISSING} ({RULE})" in said


def test_from_fhir_may_be_said() -> None:
    assert MISSING in check(stored(spoilt(), "x.data"), "--from", "fhir", code=3)


def test_what_is_no_fhir_and_claims_a_profile_is_refused_too() -> None:
    bad = one("Procedure", "mesotherapy-session", status="completed") | {"id": "s1", "status": CANARY}
    said = check(stored(bad, "x.json"), code=3, namespace="https://another.example/clinic")
    assert "Procedure/s1 $.status: a code outside the required value set" in said


def test_what_claims_nothing_is_kept_unjudged() -> None:
    stranger = {"resourceType": "Procedure", "id": "x", "status": CANARY}
    assert "1 kept" in check(stored(stranger, "x.json"), code=0)


def test_a_resource_of_ours_is_told_in_the_terms_of_its_record() -> None:
    bundle = copy.deepcopy(BUNDLES["antalgic-outpatient"])
    score = next(e["resource"] for e in bundle["entry"] if "/pain-score" in str(e["resource"]["meta"].get("profile")))
    score["valueQuantity"]["code"] = "mm"
    said = check(stored(bundle, "x.json"), code=3)
    key = score["identifier"][0]["value"]
    assert f"scores {key}, value: lacks what stands here always; expected {{score}}" in said
    assert "FHIR: Observation $.valueQuantity.code; rule pain-score#Observation.value[x].code:pattern" in said


def test_references_within_a_source_are_followed() -> None:
    bundle = copy.deepcopy(BUNDLES["antalgic-outpatient"])
    cycle = next(e["resource"] for e in bundle["entry"] if "/mesotherapy-cycle\"" in encode(e["resource"]).decode())
    del cycle["meta"]["profile"], cycle["code"]
    said = check(stored(bundle, "x.json"), code=3)
    assert "rule mesotherapy-session#Procedure.partOf:target" in said


def test_a_foreign_code_is_a_warning() -> None:
    bundle = copy.deepcopy(BUNDLES["antalgic-outpatient"])
    session = next(e["resource"] for e in bundle["entry"] if "/mesotherapy-session\"" in encode(e["resource"]).decode())
    session["reasonCode"] = [{"coding": [{"system": "http://snomed.info/sct", "code": "138875005"}]}]
    said = check(stored(bundle, "x.json"), code=0)
    assert "warning: x.json: Procedure/" in said
    assert "SNOMED CT:code" in said


# --- in the terms of the record ---------------------------------------------------------------------------------------

HISTORY = {
    "key": "P1",
    "cycles": [
        {
            "key": "C1",
            "status": "running",
            "sessions": [{"key": "S1", "status": "done", "start": "2026-01-02", "points": 3, "technique": "deep"}],
        }
    ],
}


def test_a_record_is_told_by_its_place_in_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that mesofhir maps break no rule, so one is broken here."""
    from mesofhir.formats import judging

    def judge(resource: Json, **more: Any) -> list[Any]:
        extensions = [x for x in resource.get("extension", ()) if "injection-points" in x["url"]]
        bad = [x.pop("valuePositiveInt") for x in extensions]
        found = violations(resource, **more)
        for x, value in zip(extensions, bad, strict=True):
            x["valuePositiveInt"] = value
        return found

    monkeypatch.setattr(judging, "violations", judge)
    history = copy.deepcopy(HISTORY)
    del history["cycles"][0]["sessions"][0]["technique"]  # type: ignore[index]
    said = check(stored([history], "clinic.json"), code=3)
    assert "error: clinic.json: $[0].cycles[0].sessions[0].points: breaks the invariant ext-known" in said
    assert "(FHIR: Procedure $.extension[" in said


# --- which field stands at a place ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "path", "where"),
    [
        ("mesotherapy-session", "$.status", "status"),
        ("mesotherapy-session", "$.partOf", "of"),
        ("mesotherapy-session", "$.subject", "patient"),
        ("mesotherapy-session", "$.performedPeriod.start", "start"),
        ("mesotherapy-session", "$.performed[x]", "start"),
        ("mesotherapy-session", "$.bodySite[0].coding[0].code", "site"),
        ("mesotherapy-session", "$.bodySite[0].text", "site_text"),
        ("mesotherapy-session", "$.extension[session-number]", "number"),
        ("mesotherapy-session", "$.identifier[0].value", "key"),
        ("mesotherapy-session", "$.extension[2].valueQuantity.code", "depth"),
        ("mesotherapy-session", "$.meta.tag[0]", ""),
        ("mesotherapy-session", "$", ""),
    ],
)
def test_the_field_at_a_place(profile: str, path: str, where: str) -> None:
    session = one("Procedure", profile, status="completed")
    key = session["identifier"][0]["value"]
    link = Link("Procedure", "sessions", key)
    assert field_at(Clinic(NAMESPACE), link, session, path, {"of": "C9"}) == Where("sessions", key, where)


def test_items_of_a_list_are_told_apart_by_what_is_constant_in_them() -> None:
    session = one("Procedure", "mesotherapy-session", status="completed")
    link = Link("Procedure", "sessions", session["identifier"][0]["value"])
    fields = {}
    for n, extension in enumerate(session["extension"]):
        found = field_at(Clinic(NAMESPACE), link, session, f"$.extension[{n}]", {})
        fields[extension["url"].rpartition("/")[2]] = found.field
    assert fields["session-number"] == "number"
    assert fields["injection-depth"] == "depth"
    assert len(set(fields.values())) == len(fields)


def test_a_copy_is_told_of_the_record_that_owns_it() -> None:
    given = one("MedicationAdministration", "mesotherapy-administration")
    link = Link("MedicationAdministration", "mixtures", given["identifier"][0]["value"])
    found = field_at(Clinic(NAMESPACE), link, given, "$.effectivePeriod.start", {"of": "S9"})
    assert found == Where("sessions", "S9", "start")


def test_a_field_of_a_value_in_a_list() -> None:
    given = one("MedicationAdministration", "mesotherapy-administration")
    link = Link("MedicationAdministration", "mixtures", given["identifier"][0]["value"])
    path = "$.contained[0].ingredient[1].strength.numerator.code"
    assert field_at(Clinic(NAMESPACE), link, given, path, {}).field == "drugs.amount_unit"


# --- the package that travels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ours().ids)
def test_the_interpreter_knows_every_construct_of_the_package(name: str) -> None:
    names = [rule.name for rule in rules_of(name)]
    assert names
    assert len(names) == len(set(names))
    assert all(rule.name.startswith(f"{rule.profile}#") and rule.expected for rule in rules_of(name))


def test_rules_of_nothing() -> None:
    with pytest.raises(KeyError):
        rules_of("banana")


GOOD = [x for name in BUNDLES for x in resources(name) if x["meta"].get("profile")]


def mutants(resource: Json) -> list[tuple[str, Json]]:
    """Copies that differ in one point each, which every profile of its type must see."""
    found = []
    for name, change in (
        ("subject", {"reference": "Group/1", "type": "Group"}),
        ("patient", {"reference": "Group/1", "type": "Group"}),
        ("identifier", None),
        ("modifierExtension", [{"url": ours().profile("session-number").url, "valuePositiveInt": 1}]),  # type: ignore[union-attr]
    ):
        mutant = copy.deepcopy(resource)
        if change is None:
            del mutant[name]
        elif name in resource or name == "modifierExtension":
            mutant[name] = change
        else:
            continue
        found.append((name, mutant))
    return found


def test_single_point_mutants_of_every_good_resource_are_seen() -> None:
    seen = set()
    for resource in GOOD:
        for name, mutant in mutants(resource):
            places = [p.where for p in validate(mutant)] or [
                v.path for v in violations(mutant) if v.severity == "error"
            ]
            assert places, (resource["meta"]["profile"], name)
            assert all(place.startswith(f"$.{name}") for place in places), places
            seen.add(resource["meta"]["profile"][0])
    assert len(seen) >= 15


@pytest.mark.parametrize("code", [["x"], {"x": 1}, 7, True])
def test_a_code_that_is_no_text_is_told_by_its_type_alone(code: Any) -> None:
    """A list cannot even be looked up in a code system."""
    [procedure] = [x for x in resources("antalgic-outpatient") if x["resourceType"] == "Procedure"][:1]
    procedure["code"]["coding"][0]["code"] = code
    assert any("$.code.coding[0].code" in p.where for p in validate(procedure))
    violations(procedure)


def test_no_message_quotes_the_resource() -> None:
    for resource in GOOD[::7]:
        text = json.loads(encode(resource), parse_float=str)

        def spoil(x: Any, key: str = "") -> Any:
            if isinstance(x, dict):
                return {k: spoil(v, k) for k, v in x.items()}
            if isinstance(x, list):
                return [spoil(v, key) for v in x]
            return CANARY if isinstance(x, str) and key not in ("resourceType", "profile", "url") else x

        assert CANARY not in str(violations(spoil(text)))

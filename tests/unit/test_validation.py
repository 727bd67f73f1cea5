"""Base validation: one good resource of each type is accepted, and each single fault in it is named."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesofhir.errors import Problem
from mesofhir.fhir import constraints, definitions, exactjson, fhirpath
from mesofhir.fhir.validation import validate

CANARY = "Zanzara7"  # stands for a patient's data: it must never show up in a message
SCT = "http://snomed.info/sct"
HL7 = "http://terminology.hl7.org/CodeSystem/"
PATIENT = {"reference": "Patient/p1"}
SESSION = {"coding": [{"system": SCT, "code": "28485004", "display": "Mesotherapy"}], "text": "Seduta"}
MILLILITRES = {"value": Decimal("0.50"), "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}
UNKNOWN = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    ]
}

GOOD: dict[str, dict[str, Any]] = {
    "Patient": {
        "id": "p1",
        "meta": {"profile": ["https://example.org/Patient"], "lastUpdated": "2026-01-12T10:00:00.123+01:00"},
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Paziente</div>'},
        "identifier": [{"use": "official", "system": "https://clinic.example/patient", "value": "P-1"}],
        "active": True,
        "name": [
            {
                "family": "Rossi",
                "given": ["Anna", None],
                "_given": [None, {"extension": [{"url": "https://example.org/x", "valueString": "M."}]}],
            }
        ],
        "gender": "female",
        "birthDate": "1980-06",
        "_birthDate": {"extension": [{"url": "https://example.org/t", "valueDateTime": "1980-06-01"}]},
        "multipleBirthInteger": 2,
    },
    "Practitioner": {"active": False, "qualification": [{"id": "q", "code": {"text": "medico"}}]},
    "Encounter": {
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": PATIENT,
        "period": {"start": "2026-01-12T10:00:00+01:00", "end": "2026-01-12T10:20:00+01:00"},
    },
    "Condition": {"subject": PATIENT, "code": SESSION, "onsetDateTime": "2012-06", "recordedDate": "2026"},
    "ServiceRequest": {
        "status": "active",
        "intent": "order",
        "subject": PATIENT,
        "code": SESSION,
        "occurrenceTiming": {"repeat": {"frequency": 1, "period": Decimal("1.0"), "periodUnit": "wk"}},
    },
    "CarePlan": {
        "status": "active",
        "intent": "plan",
        "subject": PATIENT,
        "activity": [{"detail": {"status": "scheduled", "kind": "ServiceRequest", "doNotPerform": False}}],
    },
    "Procedure": {
        "status": "completed",
        "code": SESSION,
        "subject": {**PATIENT, "identifier": {"system": "https://clinic.example/patient", "value": "P-1"}},
        "performedPeriod": {"start": "2026-01-12T10:00:00Z"},
        "extension": [
            {"url": "https://example.org/number", "valuePositiveInt": 3},
            {"url": "https://example.org/dose", "valueQuantity": MILLILITRES},
            {"url": "https://example.org/wait", "extension": [{"url": "n", "valueDecimal": Decimal("4.0")}]},
        ],
        "note": [{"text": "Nessun effetto", "time": "2026-01-12"}],
    },
    "MedicationAdministration": {
        "contained": [{"resourceType": "Medication", "id": "mix", "code": {"text": "miscela"}}],
        "status": "completed",
        "medicationReference": {"reference": "#mix"},
        "subject": PATIENT,
        "effectiveDateTime": "2026-01-12T10:00:00.5+01:00",
        "dosage": {"dose": MILLILITRES, "route": {"text": "intradermica"}},
    },
    "Medication": {
        "status": "active",
        "ingredient": [
            {"itemCodeableConcept": {"text": "lidocaina"}, "isActive": True,
             "strength": {"numerator": MILLILITRES, "denominator": {"value": 1, "comparator": "<"}}}
        ],
    },
    "MedicationStatement": {
        "status": "active",
        "medicationCodeableConcept": {"text": "warfarin"},
        "subject": PATIENT,
        "effectivePeriod": {"start": "2012-06"},
    },
    "DetectedIssue": {"status": "final", "severity": "high", "patient": PATIENT, "code": SESSION},
    "Observation": {
        "status": "final",
        "code": SESSION,
        "subject": PATIENT,
        "effectiveDateTime": "2026-01-12",
        "valueInteger": 7,
        "component": [{"code": {"text": "x"}, "valueQuantity": {"value": Decimal("-0.0"), "unit": "1"}}],
    },
    "Goal": {
        "lifecycleStatus": "active",
        "description": {"text": "meno dolore"},
        "subject": PATIENT,
        "startDate": "2026-01-12",
        "target": [{"measure": SESSION, "detailQuantity": MILLILITRES, "dueDate": "2026-06-30"}],
    },
    "Consent": {
        "status": "active",
        "scope": {"text": "trattamento"},
        "category": [{"text": "mesoterapia"}],
        "patient": PATIENT,
        "dateTime": "2026-01-12T09:55:00+01:00",
        "policyRule": {"text": "consenso informato"},
        "provision": {"type": "permit", "period": {"start": "2026-01-12"}},
    },
    "AllergyIntolerance": {
        "clinicalStatus": {
            "coding": [{"system": HL7 + "allergyintolerance-clinical", "code": "active"}],
        },
        "type": "allergy",
        "category": ["medication"],
        "criticality": "high",
        "code": SESSION,
        "patient": PATIENT,
        "recordedDate": "2026-01-12",
        "reaction": [{"manifestation": [{"text": "orticaria"}], "severity": "severe"}],
    },
    "Bundle": {
        "type": "transaction",
        "timestamp": "2026-01-12T10:00:00Z",
        "total": 0,
        "entry": [
            {
                "fullUrl": "urn:uuid:0b5c1cb6-47a0-5d4c-9d5e-0a7d6e5f4c3b",
                "resource": {
                    "resourceType": "Observation",
                    "contained": [{"resourceType": "Patient", "id": "c"}],
                    "status": "final",
                    "code": SESSION,
                    "subject": {"reference": "#c"},
                    "performer": [{"reference": "urn:uuid:0b5c1cb6-47a0-5d4c-9d5e-0a7d6e5f4c3c"}],
                },
                "request": {"method": "POST", "url": "Observation", "ifNoneExist": "identifier=a|b"},
            }
        ],
    },
}  # fmt: skip

REQUIRED = {
    "Encounter": ["status", "class"],
    "Condition": ["subject"],
    "ServiceRequest": ["status", "intent", "subject"],
    "CarePlan": ["status", "intent", "subject", "activity[0].detail.status"],
    "Procedure": ["status", "subject", "extension[1].url", "note[0].text"],
    "MedicationAdministration": ["status", "subject", "medication[x]", "effective[x]",
                                 "contained[0].resourceType"],
    "Medication": ["ingredient[0].item[x]"],
    "MedicationStatement": ["status", "medication[x]", "subject"],
    "DetectedIssue": ["status"],
    "Observation": ["status", "code", "component[0].code"],
    "Goal": ["lifecycleStatus", "description", "subject"],
    "Consent": ["status", "scope", "category"],
    "AllergyIntolerance": ["patient", "reaction[0].manifestation"],
    "Bundle": ["type", "entry[0].request.method", "entry[0].request.url", "entry[0].resource.status",
               "entry[0].resource.code", "entry[0].resource.resourceType"],
    "Patient": ["text.status", "text.div"],
    "Practitioner": ["qualification[0].code"],
}  # fmt: skip

CODED = {
    "Patient": ["gender", "identifier[0].use", "text.status"],
    "Practitioner": [],
    "Encounter": ["status"],
    "Condition": [],
    "ServiceRequest": ["status", "intent", "occurrenceTiming.repeat.periodUnit"],
    "CarePlan": ["status", "intent", "activity[0].detail.status", "activity[0].detail.kind"],
    "Procedure": ["status"],
    "MedicationAdministration": ["status"],
    "Medication": ["status", "ingredient[0].strength.denominator.comparator"],
    "MedicationStatement": ["status"],
    "DetectedIssue": ["status", "severity"],
    "Observation": ["status"],
    "Goal": ["lifecycleStatus"],
    "Consent": ["status", "provision.type"],
    "AllergyIntolerance": ["type", "category[0]", "criticality", "reaction[0].severity"],
    "Bundle": ["type", "entry[0].request.method", "entry[0].resource.status"],
}

BAD_DATES = [
    "2026-02-30", "2026-13", "2026-1-2", "26", "12/01/2026", "2026-01-12T10:00:00", "2026-01-12T10:00Z",
    "2026-01-12T24:00:00Z", "2026-01-12 10:00:00Z", "2026-02-30T10:00:00Z", f"2026-01-12{CANARY}", " 2026",
]  # fmt: skip

types = pytest.mark.parametrize("name", GOOD)


def good(name: str) -> dict[str, Any]:
    return {"resourceType": name, **copy.deepcopy(GOOD[name])}


def steps(path: str) -> list[str | int]:
    return [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]


def at(resource: Any, path: str) -> Any:
    for step in steps(path):
        resource = resource[step]
    return resource


def put(resource: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    resource = copy.deepcopy(resource)
    *before, last = steps(path)
    inside: Any = resource
    for step in before:
        inside = inside[step]
    inside[last] = value
    return resource


def without(resource: dict[str, Any], path: str) -> dict[str, Any]:
    """The resource without an element, or without any choice of an ``x[y]``."""
    resource = copy.deepcopy(resource)
    parent, _, last = path.rpartition(".")
    inside = at(resource, parent)
    for key in [key for key in inside if key == last or (last.endswith("[x]") and key.startswith(last[:-3]))]:
        del inside[key]
    return resource


def places(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every element of a resource, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            here = f"{path}.{key}" if path else key
            yield here, item
            yield from places(item, here)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
            yield from places(item, f"{path}[{index}]")


def wrong_kinds(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [value[0] if value[0] is not None else CANARY, {"0": value[0]}, CANARY]
    if isinstance(value, dict):
        return [[value], CANARY, "{}", 7, True]
    if isinstance(value, bool):
        return [str(value).lower(), 1, [value]]
    if isinstance(value, int | Decimal):
        return [str(value), CANARY, True, [value], {"value": value}]
    return [7, Decimal("7.5"), True, [value], {"value": value}]


def told(found: list[Problem], path: str) -> bool:
    """Whether a problem points at the place, or, for a resource without its type, at its parent."""
    at_parent = {path.removesuffix(".resourceType")} if path.endswith(".resourceType") else set()
    return any(problem.where in {path, *at_parent} for problem in found)


def check(mutant: dict[str, Any], path: str) -> None:
    found = validate(mutant)
    assert told(found, f"$.{path}"), (path, [str(problem) for problem in found])
    assert CANARY not in "".join(map(str, found))


# --- what is good


@types
def test_a_good_resource_is_accepted_unchanged(name: str) -> None:
    resource = good(name)
    before = exactjson.encode(resource)
    assert validate(resource) == []
    assert exactjson.encode(resource) == before
    assert validate(exactjson.decode(before)) == []


@pytest.mark.parametrize("date", ["2012", "2012-06", "2012-06-30", "2024-02-29", "0001-01-01"])
def test_partial_dates_are_accepted(date: str) -> None:
    assert validate(put(good("Patient"), "birthDate", date)) == []
    assert validate(put(good("Condition"), "onsetDateTime", date)) == []


@pytest.mark.parametrize(
    "time",
    ["2026-01-12T10:00:00Z", "2026-01-12T10:00:00+01:00", "2026-01-12T10:00:00.123456789-14:00",
     "2016-12-31T23:59:60Z"],
)  # fmt: skip
def test_times_with_a_zone_are_accepted(time: str) -> None:
    assert validate(put(good("Condition"), "onsetDateTime", time)) == []
    assert validate(put(good("Bundle"), "timestamp", time)) == []


@pytest.mark.parametrize("text", ["0.50", "-0.0", "0", "1E+2", "1E-10", "123456789012345678901234567890.10"])
def test_exact_decimals_and_whole_numbers_are_accepted(text: str) -> None:
    assert validate(put(good("Procedure"), "extension[1].valueQuantity.value", Decimal(text))) == []


@pytest.mark.parametrize(
    "reference",
    ["Patient/p1", "Patient/p1/_history/2", "https://fhir.example/r4/Patient/1", "urn:uuid:0b5c",
     "urn:oid:1.2", "#mix", "#", "Patient?identifier=https://clinic.example/patient|P-1", "Group/g"],
)  # fmt: skip
def test_all_forms_of_references_are_accepted(reference: str) -> None:
    assert validate(put(good("MedicationAdministration"), "subject.reference", reference)) == []


@pytest.mark.parametrize(
    ("name", "element"),
    [("MedicationAdministration", "effectiveDateTime"), ("Procedure", "status"), ("Consent", "dateTime")],
)
def test_an_unknown_value_is_accepted_with_its_reason(name: str, element: str) -> None:
    """A required element may have a data-absent-reason instead; the models alone refuse it for an x[y]."""
    assert validate({**without(good(name), element), f"_{element}": UNKNOWN}) == []


def test_what_r4_has_and_r4b_has_not_is_accepted_and_the_other_way_round_refused() -> None:
    procedure = good("Procedure")
    assert validate(put(procedure, "extension[0]", {"url": "urn:u", "valueMeta": {"source": "urn:x"}})) == []
    for name in ("valueCodeableReference", "valueRatioRange"):
        check(put(procedure, "extension[0]", {"url": "urn:u", name: {"id": CANARY}}), f"extension[0].{name}")


def test_uuids_of_any_version_are_accepted() -> None:
    extension = {"url": "urn:u", "valueUuid": "urn:uuid:0b5c1cb6-47a0-5d4c-9d5e-0a7d6e5f4c3b"}
    assert validate(put(good("Procedure"), "extension[0]", extension)) == []
    check(
        put(good("Procedure"), "extension[0]", {**extension, "valueUuid": CANARY}), "extension[0].valueUuid"
    )


# --- one fault each


@types
def test_an_unknown_element_is_refused(name: str) -> None:
    for path, value in [("", good(name)), *places(good(name))]:
        if isinstance(value, dict) and not path.endswith("resourceType"):
            for key in ("zzz", "class_fhir", "status__ext", "fhir_comments", "resource_type", "_zzz"):
                place = f"{path}.{key}" if path else key
                check(put(good(name), place, CANARY), place)


@types
def test_null_is_refused(name: str) -> None:
    for path, value in places(good(name)):
        if value is not None and not path.startswith("resourceType"):
            check(put(good(name), path, None), path)


@types
def test_empty_texts_lists_and_objects_are_refused(name: str) -> None:
    for path, value in places(good(name)):
        if isinstance(value, str | list | dict):
            check(put(good(name), path, type(value)()), path)


@types
def test_another_kind_of_value_is_refused(name: str) -> None:
    for path, value in places(good(name)):
        for wrong in wrong_kinds(value) if value is not None else ():
            check(put(good(name), path, wrong), path)


@types
def test_a_missing_required_element_is_refused(name: str) -> None:
    for path in REQUIRED[name]:
        check(without(good(name), path), path)


@types
def test_a_code_outside_a_required_value_set_is_refused(name: str) -> None:
    for path in CODED[name]:
        for wrong in (CANARY, str(at(good(name), path)).upper() + "x", "+"):
            check(put(good(name), path, wrong), path)
        check(put(good(name), path, f" {at(good(name), path)}"), path)


@types
def test_a_bad_date_is_refused(name: str) -> None:
    dates = [
        path
        for path, value in places(good(name))
        if isinstance(value, str) and re.match(r"\d{4}(-\d\d|$)", value)
    ]
    for path in dates:
        for wrong in BAD_DATES:
            check(put(good(name), path, wrong), path)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("Patient", "birthDate", "2026-01-12T10:00:00Z"),
        ("Bundle", "timestamp", "2026-01-12"),
        ("Patient", "id", "a" * 65),
        ("Patient", "id", f"{CANARY} x"),
        ("Patient", "identifier[0].system", f"{CANARY} x"),
        ("Patient", "multipleBirthInteger", 2**31),
        ("Patient", "multipleBirthInteger", Decimal("2.0")),
        ("Patient", "name[0].family", "x" * (1024 * 1024 + 1)),
        ("Patient", "name[0]._given", [None, None]),
        ("Patient", "photo", [{"data": f"{CANARY}!"}]),
        ("Procedure", "extension[0].valuePositiveInt", 0),
        ("Procedure", "extension[1].valueQuantity.value", Decimal("NaN")),
        ("Bundle", "total", -1),
        ("Procedure", "subject.reference", CANARY),
        ("Procedure", "subject.reference", f"Patient/{CANARY}/x/y"),
        ("Procedure", "subject.reference", f"Practitioner/{CANARY}"),
        ("Procedure", "subject.reference", f"#{CANARY}"),
        ("Bundle", "entry[0].resource.subject.reference", "#other"),
        ("Procedure", "extension[0]", {"url": CANARY}),
        ("Procedure", "extension[2].valueString", CANARY),
        ("Procedure", "performedDateTime", "2026"),
        ("Procedure", "_performedString", {"id": CANARY}),
        ("Bundle", "entry[0].resource.resourceType", CANARY),
        ("Bundle", "entry[0].resource.resourceType", "Coding"),
        ("MedicationAdministration", "contained[0].resourceType", "Resource"),
    ],
)  # fmt: skip
def test_other_faults_are_refused(name: str, path: str, value: Any) -> None:
    place = "name[0]._given[1]" if path.endswith("_given") else path
    place = f"{place}[0].data" if path == "photo" else place
    place = "extension[2]" if path == "extension[2].valueString" else place
    check(put(good(name), path, value), place)


def test_a_null_stands_only_beside_an_extension() -> None:
    patient = good("Patient")
    check(without(patient, "name[0]._given"), "name[0].given[1]")
    check(put(patient, "name[0]._given[1]", None), "name[0].given[1]")
    check(put(patient, "_birthDate", None), "_birthDate")


def test_a_required_value_needs_a_reason_and_not_only_an_id() -> None:
    check({**without(good("Procedure"), "status"), "_status": {"id": CANARY}}, "status")
    administration = without(good("MedicationAdministration"), "effectiveDateTime")
    check({**administration, "_effectiveDateTime": {"id": CANARY}}, "effective[x]")


def test_extensions_may_nest_some_way() -> None:
    extension: dict[str, Any] = {"url": "urn:u", "valueString": "x"}
    for _ in range(40):
        extension = {"url": "urn:u", "extension": [extension]}
    assert validate({"resourceType": "Patient", "extension": [extension]}) == []


# --- what is no resource at all


@pytest.mark.parametrize("thing", [None, CANARY, 7, [CANARY], True])
def test_what_is_no_object_is_refused(thing: Any) -> None:
    (problem,) = validate(thing, "input")
    assert problem.where == "input"
    assert CANARY not in str(problem)


@pytest.mark.parametrize(
    "kind",
    [
        CANARY,
        "Coding",
        "Resource",
        "DomainResource",
        "PatientLink",
        "Date",
        "",
        "__class__",
        None,
        7,
        ["Patient"],
        {},
    ],
)
def test_an_unknown_resource_type_is_refused(kind: Any) -> None:
    (problem,) = validate({"resourceType": kind, "id": CANARY})
    assert problem.where == "$.resourceType"
    assert CANARY not in str(problem)


def test_a_missing_resource_type_is_refused() -> None:
    for thing in ({}, {"id": CANARY}):
        (problem,) = validate(thing)
        assert problem.where == "$"
        assert "resourceType" in problem.what


def test_names_that_are_not_names_are_not_shown() -> None:
    for key in (f"{CANARY} Rossi", 7, None, "x" * 65):
        (problem,) = validate({**good("Patient"), key: CANARY})  # type: ignore[dict-item]
        assert problem.where == "$"
        assert CANARY not in str(problem)


def test_paths_start_where_the_caller_says_and_several_faults_are_all_named() -> None:
    patient = {**good("Patient"), "gender": CANARY, "birthDate": "2026-02-30", "genger": "male"}
    found = validate(patient, "clinic.json: $.entry[3].resource")
    assert {problem.where for problem in found} == {
        f"clinic.json: $.entry[3].resource.{name}" for name in ("gender", "birthDate", "genger")
    }
    assert "did you mean gender?" in {problem.hint for problem in found}


def test_deep_nesting_is_a_problem_and_not_a_crash() -> None:
    extension: dict[str, Any] = {"url": "urn:u", "valueString": CANARY}
    for _ in range(5000):
        extension = {"url": "urn:u", "extension": [extension]}
    (problem,) = validate({"resourceType": "Patient", "extension": [extension]})
    assert "nested too deeply" in problem.what


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.sampled_from(["", "Patient", "x", "{}", "2026"])
)
names = st.sampled_from(
    ["resourceType", "id", "contained", "extension", "url", "valueString", "_valueString", "valueReference",
     "reference", "name", "given", "_given", "birthDate", "_birthDate", "link", "other", "type", "_type",
     "text", "div", "status"]
)  # fmt: skip
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner), max_leaves=20
)


@settings(max_examples=300)
@given(st.dictionaries(names, anything), st.sampled_from(["Patient", "Bundle", "Observation"]))
def test_whatever_comes_there_are_problems_and_no_crash(content: dict[str, Any], name: str) -> None:
    before = copy.deepcopy(content)
    for thing in (content, {**content, "resourceType": name}):
        for problem in validate(thing):
            assert problem.where.startswith("$")
    assert repr(content) == repr(before)


# --- the classes of fhir.resources themselves


def test_fhir_resources_is_imported_by_the_first_call_only() -> None:
    code = (
        "import sys, mesofhir.fhir.validation as v\n"
        "assert not {'fhir', 'fhir.resources', 'pydantic'} & set(sys.modules)\n"
        "assert v.validate({'resourceType': 'Patient'}) == []\n"
        "assert 'fhir.resources.R4B.patient' in sys.modules\n"
        "assert 'fhir.resources.R4B.claim' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_element_of_every_class_is_understood() -> None:
    from fhir.resources.R4B import fhirtypes, get_fhir_model_class

    for name in fhirtypes.__all__:
        kind = getattr(fhirtypes, name)
        if hasattr(kind, "get_model_klass"):
            shape = definitions.elements_of(get_fhir_model_class(name.removesuffix("Type")))
            for element in shape.elements.values():
                assert element.model is not None or element.type in definitions.EXPECTED, (name, element)
                assert not {"+", "etc."} & set(element.codes), (name, element)


def test_the_codes_that_the_metadata_cuts_short_are_whole() -> None:
    """Value sets encounter-status, observation-status and quantity-comparator of R4 4.0.1."""
    encounter = "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown"
    observation = "registered preliminary final amended corrected cancelled entered-in-error unknown"
    issue = "registered preliminary final amended corrected cancelled entered-in-error unknown"
    for name, codes in (("Encounter", encounter), ("Observation", observation), ("DetectedIssue", issue)):
        for code in codes.split():
            assert validate(put(good(name), "status", code)) == [], (name, code)
    for code in ("<", "<=", ">=", ">"):
        assert validate(put(good("Medication"), "ingredient[0].strength.denominator.comparator", code)) == []


# --- beyond the shape: invariants, required codes, absolute URIs ------------------------------------------------------


def without_period(start: str, end: str) -> dict[str, Any]:
    return put(good("Encounter"), "period", {"start": start, "end": end})


ALLERGY_STATUS = {"coding": [{"system": HL7 + "allergyintolerance-verification", "code": "entered-in-error"}]}


@pytest.mark.parametrize(
    ("resource", "where", "what"),
    [
        (without_period("2026-02-01", "2026-01-01"), "$.period", "ends before it starts"),
        (without_period("2026", "2026-01-01"), "$.period", "of which that cannot be told"),  # HL7 refuses it, too
        (put(good("AllergyIntolerance"), "verificationStatus", ALLERGY_STATUS), "$", "ait-2"),
        (without(good("AllergyIntolerance"), "clinicalStatus"), "$", "ait-1"),
        (put(good("AllergyIntolerance"), "clinicalStatus", {"text": CANARY}), "$.clinicalStatus", "required value set"),
        (without(good("Consent"), "policyRule"), "$", "ppc-1"),
        (without(good("Goal"), "target[0].measure"), "$.target[0]", "gol-1"),
        (without(good("MedicationAdministration"), "dosage.dose"), "$.dosage", "mad-1"),
        (
            without(good("MedicationAdministration"), "dosage.dose.system"),
            "$.dosage.dose",
            "qty-3",
        ),
        (put(good("Patient"), "identifier[0].system", CANARY), "$.identifier[0].system", "not absolute"),
        (put(good("Patient"), "meta.profile[0]", CANARY), "$.meta.profile[0]", "not absolute"),
        (put(good("Procedure"), "extension[0].url", CANARY), "$.extension[0].url", "not absolute"),
        (put(good("Patient"), "name[0].id", "a") | {"_active": {"id": "a"}}, "id", "stands twice"),
        (
            put(good("MedicationAdministration"), "medicationReference", {"display": "x"}),
            "$.contained[0]",
            "nothing refers to",
        ),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_r4_asks_for_beyond_the_shape(resource: dict[str, Any], where: str, what: str) -> None:
    [problem] = validate(resource)
    assert where in problem.where
    assert what in problem.what
    assert CANARY not in str(problem)


@pytest.mark.parametrize(
    ("div", "what"),
    [
        ("<p>x</p><br/>&nbsp;&amp;<!-- c --><table border='1'><tbody><tr><td>x</td></tr></tbody></table>", ""),
        ("<img src='#x'/>", ""),
        ("<script>x</script>", "may not have"),
        ("<p onclick='x'>x</p>", "may not have"),
        ("<del>x</del>", "may not have"),
        (" <br/> ", "without content"),
        ("<p>", "not well-formed"),
        ("&banana;", "not well-formed"),
    ],
)
def test_narratives(div: str, what: str) -> None:
    text = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{div}</div>'}
    assert [what in p.what for p in validate(put(good("Patient"), "text", text))] == ([True] if what else [])


@pytest.mark.parametrize(
    "div",
    [
        CANARY,
        "<div>x</div>",
        "<p xmlns='http://www.w3.org/1999/xhtml'>x</p>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><div xmlns='http://www.w3.org/1999/xhtml'>&a;</div>",
    ],
)
def test_narratives_that_are_none(div: str) -> None:
    check(put(good("Patient"), "text", {"status": "generated", "div": div}), "text.div")


@pytest.mark.parametrize(
    ("reference", "good_one"),
    [
        ({"reference": "Patient/1", "type": "Patient"}, True),
        ({"type": "Group", "display": "x"}, True),
        ({"type": CANARY, "display": "x"}, False),
        ({"type": "Observation", "display": "x"}, False),
        ({"reference": "Patient/1", "type": "Group"}, False),
    ],
)
def test_the_type_that_a_reference_says(reference: dict[str, str], good_one: bool) -> None:
    resource = put(good("Encounter"), "subject", reference)
    if good_one:
        assert validate(resource) == []
    else:
        check(resource, "subject.type")


@pytest.mark.parametrize("code", ["mL", "mg/mL", "[iU]", "{score}", "%", "1", "10*3/uL", "ug/kg/h", "cm2", "s-1"])
def test_units_of_ucum(code: str) -> None:
    assert validate(put(good("MedicationAdministration"), "dosage.dose.code", code)) == []


@pytest.mark.parametrize("code", [CANARY, "milligrammi", "mg/zz", "acute", "mL mg", "[zz]"])
def test_units_that_ucum_does_not_have(code: str) -> None:
    check(put(good("MedicationAdministration"), "dosage.dose.code", code), "dosage.dose.code")


def test_each_invariant_can_be_evaluated() -> None:
    for several in constraints.invariants().values():
        for one in several:
            fhirpath.check(one.expression)


@pytest.mark.parametrize(
    ("start", "end", "good"),
    [
        ("2026-03", "2026-03-04", False),
        ("2025", "2026-03-04", True),
        ("2026-03-04", "2026-03-04T10:00:00Z", False),
        ("2026-03-04T10:30:00+01:00", "2026-03-04T09:30:00Z", True),
        ("1931-01-01T10:30:05+14:00", "1931-01-01", True),  # the day before, in UTC
        ("2026-03-04", "2026-03-05T00:30:00+14:00", False),  # the same day, in UTC
    ],
)
def test_the_ends_of_a_period_as_the_hl7_validator_compares_them(start: str, end: str, good: bool) -> None:
    """R4 Period, per-1; each of these was tried on the validator 6.7.9."""
    resource = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    found = validate(resource | {"period": {"start": start, "end": end}})
    assert (found == []) is good, found


@pytest.mark.parametrize(
    ("system", "good"),
    [
        ("urn:oid:2.16.840.1.113883.2.9.4.3.2", True),
        ("urn:oid:1.2.3.4", True),
        ("urn:oid:1.2.3", False),
        ("urn:oid:x", False),
        ("urn:uuid:6f53f9aa-0bda-5855-8583-0caa3a84e0a8", True),
        ("urn:uuid:6F53F9AA-0BDA-5855-8583-0CAA3A84E0A8", False),
    ],
)
def test_oids_and_uuids_as_the_hl7_validator_takes_them(system: str, good: bool) -> None:
    """Each of these was tried on the validator 6.7.9."""
    patient = {"resourceType": "Patient", "identifier": [{"system": system, "value": "1"}]}
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"system": system, "code": "1"}}
    assert [validate(x) == [] for x in (patient, encounter)] == [good, good]

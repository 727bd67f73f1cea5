"""The interpreter of the profiles, on small definitions of each construct: what it judges, and what it refuses."""

from __future__ import annotations

import copy
import io
import json
import re
import tarfile
from decimal import Decimal
from typing import Any

import pytest

from mesofhir.errors import MesofhirError
from mesofhir.fhir.profiles import Package, Profiles, read

BASE = "https://profiles.example"
CORE = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM = f"{BASE}/CodeSystem/words"
UCUM = "http://unitsofmeasure.org"

Json = dict[str, Any]


def whole(stated: Json) -> Json:
    """An element of a snapshot, as far as the interpreter looks at it: what is stated, and R4's cardinality."""
    base = {"path": stated["path"], "min": 0, "max": "1" if stated["path"].endswith("[x]") else "*"}
    return {"min": 0, "max": base["max"], "base": base} | copy.deepcopy(stated)


def definition(name: str, kind: str, *elements: Json, **more: Any) -> Json:
    """A StructureDefinition as SUSHI makes one: what is stated, and a snapshot that has all above it too."""
    stated = [{"path": re.sub(r":[^.]+", "", e["id"])} | e for e in elements]
    snapshot: dict[str, Json] = {}
    for element in [{"id": kind, "path": kind}, *stated]:
        steps = element["id"].split(".")
        for n in range(1, len(steps)):
            for above in (re.sub(r":[^.]+$", "", ".".join(steps[:n])), ".".join(steps[:n])):
                snapshot.setdefault(above, whole({"id": above, "path": re.sub(r":[^.]+", "", above)}))
        snapshot[element["id"]] = whole(element)
    return {
        "resourceType": "StructureDefinition", "id": name, "url": f"{BASE}/StructureDefinition/{name}", "type": kind,
        "derivation": "constraint", "baseDefinition": CORE + kind,
        "snapshot": {"element": list(snapshot.values())}, "differential": {"element": stated}, **more,
    }  # fmt: skip


def extension(name: str, *elements: Json, context: str = "Procedure", **more: Any) -> Json:
    """An extension with a context."""
    url = {"id": "Extension.url", "fixedUri": f"{BASE}/StructureDefinition/{name}"}
    contexts = [{"type": "element", "expression": context}]
    return definition(name, "Extension", *elements, url, **{"context": contexts} | more)


def value_set(name: str, *include: Json, **more: Any) -> Json:
    compose = {"include": list(include)} | more
    return {"resourceType": "ValueSet", "id": name, "url": f"{BASE}/ValueSet/{name}", "compose": compose}


WORDS: Json = {
    "resourceType": "CodeSystem", "id": "words", "url": SYSTEM, "content": "complete",
    "concept": [{"code": "a", "concept": [{"code": "inner"}]}, {"code": "b"}],
}  # fmt: skip


def profiles(*elements: Json, kind: str = "Procedure", others: tuple[Json, ...] = ()) -> Profiles:
    """A package with one profile `p`."""
    return Profiles(Package([definition("p", kind, *elements) | {"version": "1.0"}, WORDS, *others]))


def broken(rules: Profiles, resource: Json, **more: Any) -> list[tuple[str, str]]:
    """Rule and path of what a resource breaks that is said to be of the profile `p`."""
    given = copy.deepcopy(resource)
    found = rules.violations(given, against=["p"], **more)
    assert given == resource, "the resource was changed"
    return [(v.rule, v.path) for v in found]


def procedure(**parts: Any) -> Json:
    return {"resourceType": "Procedure", "status": "completed"} | parts


def concept(*codes: str, system: str = SYSTEM) -> Json:
    return {"coding": [{"system": system, "code": code} for code in codes]}


REQUIRED = {"strength": "required", "valueSet": f"{BASE}/ValueSet/vs"}
ALL_WORDS = value_set("vs", {"system": SYSTEM})


# --- cardinality ------------------------------------------------------------------------------------------------


def test_too_few_and_too_many() -> None:
    rules = profiles({"id": "Procedure.partOf", "min": 1, "max": "2"}, {"id": "Procedure.code.text", "max": "0"})
    one = {"reference": "Procedure/1"}
    assert broken(rules, procedure(partOf=[one])) == []
    assert broken(rules, procedure()) == [("p#Procedure.partOf:min", "$.partOf")]
    assert broken(rules, procedure(partOf=[one] * 3)) == [("p#Procedure.partOf:max", "$.partOf")]
    assert broken(rules, procedure(partOf=[one], code={"text": "x"})) == [("p#Procedure.code.text:max", "$.code.text")]


def test_what_is_asked_inside_an_element_is_asked_where_it_stands() -> None:
    rules = profiles({"id": "Procedure.performer.actor.display", "min": 1})
    assert broken(rules, procedure()) == []
    two = [{"actor": {"display": "x"}}, {"actor": {"reference": "Practitioner/1"}}]
    wanted = [("p#Procedure.performer.actor.display:min", "$.performer[1].actor.display")]
    assert broken(rules, procedure(performer=two)) == wanted


def test_a_primitive_that_has_only_an_extension_stands_there() -> None:
    reason = {"extension": [{"url": CORE + "data-absent-reason", "valueCode": "unknown"}]}
    rules = profiles({"id": "Procedure.recorded", "min": 1}, {"id": "Procedure.instantiatesUri", "min": 2})
    resource = procedure(_recorded=reason, instantiatesUri=[None, "urn:x"], _instantiatesUri=[reason, None])
    assert broken(rules, resource) == []


def test_a_choice_is_one_element() -> None:
    rules = profiles({"id": "Procedure.performed[x]", "min": 1, "type": [{"code": "Period"}]})
    assert broken(rules, procedure(performedPeriod={"start": "2026"})) == []
    assert broken(rules, procedure()) == [("p#Procedure.performed[x]:min", "$.performed[x]")]
    found = broken(rules, procedure(performedDateTime="2026"))
    assert found == [("p#Procedure.performed[x]:type", "$.performedDateTime")]


# --- constants, limits --------------------------------------------------------------------------------------------


def test_fixed_is_all_and_pattern_a_part() -> None:
    fixed = profiles({"id": "Procedure.code", "fixedCodeableConcept": concept("a")})
    pattern = profiles({"id": "Procedure.code", "patternCodeableConcept": concept("a")})
    more = concept("b", "a") | {"text": "x"}
    assert broken(fixed, procedure(code=concept("a"))) == broken(pattern, procedure(code=more)) == []
    assert broken(fixed, procedure(code=more)) == [("p#Procedure.code:fixed", "$.code")]
    assert broken(pattern, procedure(code=concept("b"))) == [("p#Procedure.code:pattern", "$.code")]


def test_true_is_not_one() -> None:
    rules = profiles({"id": "ServiceRequest.doNotPerform", "fixedBoolean": True}, kind="ServiceRequest")
    assert broken(rules, {"resourceType": "ServiceRequest", "doNotPerform": 1}) != []


@pytest.mark.parametrize(("value", "rule"), [("-0.1", "minValue"), ("10.1", "maxValue"), ("0", ""), ("10.0", "")])
def test_limits(value: str, rule: str) -> None:
    limits = {"minValueDecimal": Decimal(0), "maxValueDecimal": Decimal(10)}
    rules = profiles({"id": "Observation.value[x].value", **limits}, kind="Observation")
    found = broken(rules, {"resourceType": "Observation", "valueQuantity": {"value": Decimal(value)}})
    wanted = [(f"p#Observation.value[x].value:{rule}", "$.valueQuantity.value")] if rule else []
    assert found == wanted


def test_a_text_that_is_too_long() -> None:
    rules = profiles({"id": "Procedure.note.text", "maxLength": 3})
    assert broken(rules, procedure(note=[{"text": "abc"}])) == []
    assert broken(rules, procedure(note=[{"text": "abcd"}])) == [("p#Procedure.note.text:maxLength", "$.note[0].text")]


# --- bindings -----------------------------------------------------------------------------------------------------


def test_a_required_code() -> None:
    rules = profiles({"id": "Procedure.code", "binding": REQUIRED}, others=(ALL_WORDS,))
    wanted = [("p#Procedure.code:binding", "$.code")]
    assert broken(rules, procedure(code=concept("inner"))) == []
    assert broken(rules, procedure(code=concept("zzz", system="urn:other") | {"text": "a"})) == wanted
    assert broken(rules, procedure(code={"text": "a"})) == wanted
    unknown = {"extension": [{"url": CORE + "data-absent-reason", "valueCode": "unknown"}]}
    assert broken(rules, procedure(code=unknown)) == wanted, "the HL7 validator wants a code all the same"


def test_a_required_word_and_a_required_unit() -> None:
    words = value_set("vs", {"system": "urn:s", "concept": [{"code": "completed"}, {"code": "mL"}]})
    rules = profiles({"id": "Procedure.status", "binding": REQUIRED}, others=(words,))
    assert broken(rules, procedure()) == []
    assert broken(rules, procedure(status="stopped")) == [("p#Procedure.status:binding", "$.status")]
    units = profiles({"id": "Observation.value[x]", "binding": REQUIRED}, kind="Observation", others=(words,))
    good = {"resourceType": "Observation", "valueQuantity": {"system": "urn:s", "code": "mL"}}
    assert broken(units, good) == []
    assert broken(units, good | {"valueQuantity": {"system": "urn:s", "code": "mm"}}) != []


def test_bindings_that_are_not_required_ask_for_nothing() -> None:
    rules = profiles({"id": "Procedure.code", "binding": REQUIRED | {"strength": "extensible"}}, others=(ALL_WORDS,))
    assert rules.rules_of("p") == ()


def test_value_sets_of_value_sets_and_what_they_leave_out() -> None:
    inner = value_set("inner", {"system": SYSTEM}) | {"url": f"{BASE}/ValueSet/inner"}
    outer = value_set(
        "vs",
        {"valueSet": [f"{BASE}/ValueSet/inner"]},
        {"system": "urn:all"},
        exclude=[{"system": SYSTEM, "concept": [{"code": "b"}]}],
    )
    rules = profiles({"id": "Procedure.code", "binding": REQUIRED}, others=(inner, outer))
    assert broken(rules, procedure(code=concept("a"))) == []
    assert broken(rules, procedure(code=concept("whatever", system="urn:all"))) == []
    assert broken(rules, procedure(code=concept("b"))) == [("p#Procedure.code:binding", "$.code")]


# --- references ---------------------------------------------------------------------------------------------------

TO_PATIENTS = {"type": [{"code": "Reference", "targetProfile": [CORE + "Patient"]}]}
TO_SUBJECT = ("p#Procedure.subject:target", "$.subject")


@pytest.mark.parametrize(
    ("reference", "good"),
    [
        ({"reference": "Patient/1"}, True),
        ({"reference": "https://ehr.example/fhir/Patient/1/_history/2"}, True),
        ({"reference": "urn:uuid:00000000-0000-4000-8000-000000000000"}, True),
        ({"reference": "urn:uuid:00000000-0000-4000-8000-000000000000", "type": "Group"}, False),
        ({"type": "Patient", "identifier": {"value": "1"}}, True),
        ({"identifier": {"value": "1"}}, True),
        ({"reference": "Group/1"}, False),
        ({"reference": "#g"}, False),
        ({"reference": "#p"}, True),
        ({"reference": "#nobody"}, True),  # base validation says that
    ],
)
def test_targets(reference: Json, good: bool) -> None:
    rules = profiles({"id": "Procedure.subject", **TO_PATIENTS})
    inside = [{"resourceType": "Group", "id": "g"}, {"resourceType": "Patient", "id": "p"}]
    assert broken(rules, procedure(subject=reference, contained=inside)) == ([] if good else [TO_SUBJECT])


def test_a_target_that_must_satisfy_a_profile() -> None:
    target = {"type": [{"code": "Reference", "targetProfile": [f"{BASE}/StructureDefinition/p"]}]}
    rules = profiles({"id": "Procedure.partOf", **target}, {"id": "Procedure.code", "min": 1})
    wanted = [("p#Procedure.partOf:target", "$.partOf[0]")]
    resource = procedure(partOf=[{"reference": "Procedure/1"}], code={"text": "x"})
    assert broken(rules, resource) == [], "what is not at hand is not judged"
    assert broken(rules, resource, resolve=lambda _: procedure(code={"text": "y"})) == []
    assert broken(rules, resource, resolve=lambda _: procedure()) == wanted
    assert broken(rules, resource, resolve=lambda _: {"resourceType": "Observation"}) == wanted
    claims = {"meta": {"profile": [f"{BASE}/StructureDefinition/p"]}}
    assert broken(rules, resource, resolve=lambda _: procedure(**claims)) == [], "it is judged where it stands"


def test_references_in_a_circle_come_to_an_end() -> None:
    target = {"type": [{"code": "Reference", "targetProfile": [f"{BASE}/StructureDefinition/p"]}]}
    rules = profiles({"id": "Procedure.partOf", **target})
    resource = procedure(partOf=[{"reference": "Procedure/1"}])
    assert broken(rules, resource, resolve=lambda _: resource) == []


def test_contained_or_not() -> None:
    kind = {"code": "Reference", "targetProfile": [CORE + "Medication"]}
    rules = profiles(
        {"id": "MedicationAdministration.medication[x]", "type": [kind | {"aggregation": ["contained"]}]},
        kind="MedicationAdministration",
    )
    inside = {"resourceType": "MedicationAdministration", "contained": [{"resourceType": "Medication", "id": "m"}]}
    assert broken(rules, inside | {"medicationReference": {"reference": "#m"}}) == []
    found = broken(rules, inside | {"medicationReference": {"reference": "Medication/1"}})
    assert found == [("p#MedicationAdministration.medication[x]:aggregation", "$.medicationReference")]


def test_canonical_targets() -> None:
    kind = {"code": "canonical", "targetProfile": [CORE + "ActivityDefinition"]}
    rules = profiles({"id": "Procedure.instantiatesCanonical", "type": [kind]}, others=(ALL_WORDS,))
    assert broken(rules, procedure(instantiatesCanonical=["https://elsewhere.example/x"])) == []
    found = broken(rules, procedure(instantiatesCanonical=[ALL_WORDS["url"]]))
    assert found == [("p#Procedure.instantiatesCanonical:target", "$.instantiatesCanonical[0]")]


# --- slices -------------------------------------------------------------------------------------------------------


def slicing(kind: str, path: str, rules: str = "open") -> Json:
    return {"slicing": {"discriminator": [{"type": kind, "path": path}], "rules": rules}}


def test_slices_by_a_pattern() -> None:
    rules = profiles(
        {"id": "Observation.component", **slicing("pattern", "code", "closed")},
        {"id": "Observation.component:one", "sliceName": "one", "min": 1, "max": "1"},
        {"id": "Observation.component:one.code", "patternCodeableConcept": concept("a")},
        {"id": "Observation.component:one.value[x]", "min": 1},
        kind="Observation",
    )
    observation = {"resourceType": "Observation"}
    one, value = {"code": concept("a")}, {"valueBoolean": True}
    assert broken(rules, observation | {"component": [one | value]}) == []
    assert broken(rules, observation) == [("p#Observation.component:one:min", "$.component")]
    found = broken(rules, observation | {"component": [one | value, one]})
    assert found == [
        ("p#Observation.component:one:max", "$.component"),
        ("p#Observation.component:one.value[x]:min", "$.component[1].value[x]"),
    ]
    found = broken(rules, observation | {"component": [one | value, {"code": concept("b")}]})
    assert found == [("p#Observation.component:slicing", "$.component[1]")]


def test_what_tells_a_slice_apart_is_no_rule_of_it() -> None:
    rules = profiles(
        {"id": "Procedure.category.coding", **slicing("value", "$this")},
        {"id": "Procedure.category.coding:one", "sliceName": "one", "patternCoding": {"code": "a"}},
    )
    assert rules.rules_of("p") == ()


def test_slices_by_a_constant_above_or_inside() -> None:
    rules = profiles(
        {"id": "Procedure.note", **slicing("value", "authorReference.reference")},
        {"id": "Procedure.note:one", "sliceName": "one", "max": "1"},
        {"id": "Procedure.note:one.author[x]", "patternReference": {"reference": "Practitioner/1"}},
    )
    with pytest.raises(MesofhirError, match="does not tell apart"):
        rules.rules_of("p")
    rules = profiles(
        {"id": "Procedure.category", **slicing("value", "coding.code")},
        {"id": "Procedure.category:one", "sliceName": "one", "max": "0", "patternCodeableConcept": concept("a")},
    )
    assert broken(rules, procedure(category=concept("a"))) == [("p#Procedure.category:one:max", "$.category")]
    assert broken(rules, procedure(category=concept("b"))) == []


def test_slices_by_a_binding_by_type_and_by_being_there() -> None:
    bound = profiles(
        {"id": "Procedure.reasonCode", **slicing("value", "$this")},
        {"id": "Procedure.reasonCode:ours", "sliceName": "ours", "max": "1", "binding": REQUIRED},
        others=(ALL_WORDS,),
    )
    assert broken(bound, procedure(reasonCode=[concept("a"), concept("x", system="urn:x"), {"text": "t"}])) == []
    assert broken(bound, procedure(reasonCode=[concept("a"), concept("b")])) != []
    typed = profiles(
        {"id": "Procedure.contained", **slicing("type", "$this")},
        {"id": "Procedure.contained:m", "sliceName": "m", "min": 1, "type": [{"code": "Medication"}]},
    )
    assert broken(typed, procedure(contained=[{"resourceType": "Medication"}])) == []
    assert broken(typed, procedure(contained=[{"resourceType": "Device"}])) != []
    there = profiles(
        {"id": "Procedure.note", **slicing("exists", "time")},
        {"id": "Procedure.note:dated", "sliceName": "dated", "min": 1},
        {"id": "Procedure.note:dated.time", "min": 1},
    )
    assert broken(there, procedure(note=[{"text": "x", "time": "2026"}])) == []
    assert broken(there, procedure(note=[{"text": "x"}])) == [("p#Procedure.note:dated:min", "$.note")]


def test_slices_of_a_choice() -> None:
    rules = profiles(
        {"id": "Observation.value[x]", **slicing("type", "$this")},
        {"id": "Observation.value[x]:valueQuantity", "sliceName": "valueQuantity", "type": [{"code": "Quantity"}]},
        {"id": "Observation.value[x]:valueQuantity.unit", "min": 1},
        kind="Observation",
    )
    assert broken(rules, {"resourceType": "Observation", "valueString": "x"}) == []
    found = broken(rules, {"resourceType": "Observation", "valueQuantity": {"value": 1}})
    assert found == [("p#Observation.value[x]:valueQuantity.unit:min", "$.valueQuantity.unit")]


# --- extensions ---------------------------------------------------------------------------------------------------

NUMBER = extension("number", {"id": "Extension.value[x]", "min": 1, "type": [{"code": "positiveInt"}]})
HAS_NUMBER = (
    {"id": "Procedure.extension", **slicing("value", "url")},
    {
        "id": "Procedure.extension:no",
        "sliceName": "no",
        "min": 1,
        "max": "1",
        "type": [{"code": "Extension", "profile": [NUMBER["url"]]}],
    },
)


def number(**value: Any) -> Json:
    return {"url": NUMBER["url"], **value}


def test_extensions_and_their_own_rules() -> None:
    rules = profiles(*HAS_NUMBER, others=(NUMBER,))
    other = {"url": "https://ehr.example/x", "valueString": "theirs"}
    assert broken(rules, procedure(extension=[other, number(valuePositiveInt=1)])) == []
    assert broken(rules, procedure(extension=[other])) == [("p#Procedure.extension:no:min", "$.extension[number]")]
    found = broken(rules, procedure(extension=[number(valueString="1")]))
    assert found == [("number#Extension.value[x]:type", "$.extension[0].valueString")]


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (procedure(bodySite=[{"extension": [number(valuePositiveInt=1)]}]), "$.bodySite[0].extension[0]"),
        (procedure(_status={"extension": [number(valuePositiveInt=1)]}), "$._status.extension[0]"),
        (procedure(modifierExtension=[number(valuePositiveInt=1)]), "$.modifierExtension[0]"),
        ({"resourceType": "Patient", "extension": [number(valuePositiveInt=1)]}, "$.extension[0]"),
    ],
)
def test_extensions_where_they_may_not_stand(resource: Json, path: str) -> None:
    rules = Profiles(Package([NUMBER]))
    assert [(v.rule, v.path) for v in rules.violations(resource)] == [("number#context", path)]


@pytest.mark.parametrize(
    ("context", "good"),
    [
        ("Procedure.bodySite", True), ("CodeableConcept", True), ("Element", True), ("Procedure", False),
        ("DomainResource", False), ("Procedure.code", False),
    ],
)  # fmt: skip
def test_contexts(context: str, good: bool) -> None:
    rules = Profiles(Package([extension("number", context=context)]))
    inside = procedure(bodySite=[{"extension": [number(valuePositiveInt=1)]}])
    assert bool(rules.violations(inside)) is not good


def test_an_extension_in_an_extension() -> None:
    inner = extension("number", context="x") | {"context": [{"type": "extension", "expression": "urn:outer"}]}
    rules = Profiles(Package([inner]))
    outer = {"url": "urn:outer", "extension": [number(valuePositiveInt=1)]}
    assert rules.violations(procedure(extension=[outer])) == []
    assert rules.violations(procedure(extension=[outer | {"url": "urn:else"}])) != []


def test_parts_of_an_extension_that_it_does_not_have() -> None:
    whole_one = extension(
        "number",
        {"id": "Extension.extension", **slicing("value", "url")},
        {"id": "Extension.extension:a", "sliceName": "a"},
        {"id": "Extension.extension:a.url", "fixedUri": "a"},
    )
    rules = Profiles(Package([whole_one]))
    part = {"url": "a", "valueString": "x"}
    theirs = {"url": "https://ehr.example/x", "valueString": "x"}
    assert rules.violations(procedure(extension=[number(extension=[part, theirs])])) == []
    found = rules.violations(procedure(extension=[number(extension=[part, part | {"url": "b"}])]))
    assert [(v.rule, v.path) for v in found] == [("number#part", "$.extension[0].extension[1]")]


def test_a_modifying_extension() -> None:
    rules = Profiles(Package([extension("number", {"id": "Extension", "isModifier": True})]))
    assert rules.violations(procedure(modifierExtension=[number(valuePositiveInt=1)])) == []
    assert rules.violations(procedure(extension=[number(valuePositiveInt=1)])) != []


# --- invariants ---------------------------------------------------------------------------------------------------


def obeys(expression: str, at: str = "Procedure", **more: Any) -> Json:
    stated = {"key": "k-1", "severity": "error", "human": "So it must be", "expression": expression} | more
    return {"id": at, "constraint": [stated]}


def test_invariants() -> None:
    rules = profiles(obeys("status='completed' implies performed.start.exists()"))
    assert broken(rules, procedure(performedPeriod={"start": "2026"})) == []
    assert broken(rules, procedure(performedPeriod={"end": "2026"})) == [("p#k-1", "$")]
    [rule] = rules.rules_of("p")
    assert (rule.expected, rule.severity) == ("So it must be", "error")


def test_an_invariant_inside_knows_the_resource() -> None:
    rules = profiles(obeys("text.exists() or %resource.status='stopped'", "Procedure.bodySite", severity="warning"))
    assert broken(rules, procedure(bodySite=[{"text": "x"}, {}])) == [("p#k-1", "$.bodySite[1]")]
    assert broken(rules, procedure(bodySite=[{}], status="stopped")) == []
    assert rules.violations(procedure(bodySite=[{}]), against=["p"])[0].severity == "warning"


def test_an_invariant_that_says_nothing_does_not_hold() -> None:
    """Like the HL7 validator, which takes an empty result for false; a comparison of unlike things, too."""
    assert broken(profiles(obeys("outcome.text = 'x'")), procedure()) == [("p#k-1", "$")]
    assert broken(profiles(obeys("status >= 1")), procedure()) == [("p#k-1", "$")]


# --- codes --------------------------------------------------------------------------------------------------------


def test_codes_of_our_system_must_be_in_it() -> None:
    rules = profiles()
    assert broken(rules, procedure(code=concept("inner"))) == []
    assert broken(rules, procedure(code=concept("zzz"))) == [("words:code", "$.code.coding[0].code")]


ATC = "http://www.whocc.no/atc"


@pytest.mark.parametrize(
    ("coding", "rule"),
    [
        ({"system": ATC, "code": "M01AB05", "display": "diclofenac"}, ""),
        ({"system": ATC, "code": "M01AB05"}, ""),
        ({"system": ATC, "code": "M01AB05", "display": "Diltiazem"}, "ATC:display"),  # the list shifted by a row
        ({"system": ATC, "code": "M01AE03", "display": "Ketorolac"}, "ATC:display"),
        ({"system": ATC, "code": "X99XX99"}, "ATC:code"),
        ({"system": "http://snomed.info/sct", "code": "138875005"}, "SNOMED CT:code"),
        ({"system": "http://snomed.info/sct", "code": "52612000", "display": "Dorso"}, ""),
        ({"system": "http://loinc.org", "code": "whatever"}, ""),
    ],
)
def test_foreign_codes_are_warned_of(coding: Json, rule: str) -> None:
    found = profiles().violations(procedure(code={"coding": [coding]}))
    assert [(v.rule, v.severity) for v in found] == ([(rule, "warning")] if rule else [])


# --- what a resource claims -----------------------------------------------------------------------------------------


def test_only_our_profiles_are_asked_for_and_only_of_their_type() -> None:
    rules = profiles({"id": "Procedure.code", "min": 1})
    claim = {"meta": {"profile": [f"{BASE}/StructureDefinition/p|1.0", "https://elsewhere.example/q"]}}
    assert [v.rule for v in rules.violations(procedure(**claim))] == ["p#Procedure.code:min"]
    assert rules.violations(procedure()) == []
    assert [v.rule for v in rules.violations({"resourceType": "Patient"} | claim)] == ["p#type"]


def test_a_profile_of_ours_that_there_is_not() -> None:
    rules = profiles({"id": "Procedure.partOf", "max": "1"})
    for url in (f"{BASE}/StructureDefinition/banana", f"{BASE}/StructureDefinition/p|9.9"):
        found = rules.violations(procedure(meta={"profile": ["https://elsewhere.example/q", url]}))
        assert [(v.rule, v.path) for v in found] == [("profile:unknown", "$.meta.profile[1]")]


def test_a_profile_of_a_profile_asks_for_both() -> None:
    child = definition("q", "Procedure", {"id": "Procedure.code", "min": 1})
    child["baseDefinition"] = f"{BASE}/StructureDefinition/p"
    rules = profiles({"id": "Procedure.partOf", "min": 1}, others=(child,))
    assert {v.rule for v in rules.violations(procedure(), against=["q"])} == {
        "p#Procedure.partOf:min",
        "q#Procedure.code:min",
    }


def test_contained_resources_that_a_profile_must_fit() -> None:
    inner = definition("m", "Medication", {"id": "Medication.code", "min": 1})
    url = inner["url"]
    rules = profiles(
        {"id": "Procedure.contained", **slicing("type", "$this")},
        {
            "id": "Procedure.contained:m",
            "sliceName": "m",
            "type": [{"code": "Medication", "profile": [url]}],
        },
        others=(inner,),
    )
    assert broken(rules, procedure(contained=[{"resourceType": "Medication", "code": {"text": "x"}}])) == []
    found = broken(rules, procedure(contained=[{"resourceType": "Medication"}]))
    assert found == [("m#Medication.code:min", "$.contained[0].code")]


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, [[]], [None], {"coding": 1}, {"coding": [1]}, True])
def test_whatever_stands_there_is_judged_without_falling(odd: Any) -> None:
    everything = profiles(
        {"id": "Procedure.code", "min": 1, "patternCodeableConcept": concept("a"), "binding": REQUIRED},
        {"id": "Procedure.subject", **TO_PATIENTS},
        {"id": "Procedure.performed[x]", "type": [{"code": "Period"}]},
        {"id": "Procedure.note.text", "maxLength": 2},
        obeys("code.coding.code='a' and performed.start.exists()"),
        *HAS_NUMBER,
        others=(NUMBER, ALL_WORDS),
    )
    for name in ("code", "subject", "performedPeriod", "note", "extension", "contained", "meta", "_status"):
        assert everything.violations(procedure(**{name: odd}), against=["p"])


# --- what is refused ------------------------------------------------------------------------------------------------

AT = "Procedure.code"
REFUSED: dict[str, Any] = {
    "an element of another type": {"id": "Patient.name"},
    "a slice of a slice": [
        {"id": "Procedure.category.coding", **slicing("value", "$this")},
        {"id": "Procedure.category.coding:a/b", "sliceName": "a/b", "patternCoding": {"code": "a"}},
    ],
    "a default": {"id": AT, "defaultValueString": "x"},
    "a content reference": {"id": AT, "contentReference": "#Procedure.note"},
    "a modifier": {"id": AT, "isModifier": True},
    "a limit of dates": {"id": "Procedure.recorded", "minValueDate": "2026"},
    "a type of R5": {"id": "Procedure.performed[x]", "type": [{"code": "integer64"}]},
    "a profile of a type from elsewhere": {"id": AT, "type": [{"code": "CodeableConcept", "profile": ["urn:x"]}]},
    "an extension from elsewhere": {
        "id": "Procedure.extension",
        "type": [{"code": "Extension", "profile": ["https://elsewhere.example/x"]}],
    },
    "a target from elsewhere": {
        "id": "Procedure.subject",
        "type": [{"code": "Reference", "targetProfile": ["https://elsewhere.example/x"]}],
    },
    "a target of no type": {
        "id": "Procedure.subject",
        "type": [{"code": "Reference", "targetProfile": [CORE + "Banana"]}],
    },
    "versions of references": {"id": "Procedure.subject", "type": [{"code": "Reference", "versioning": "specific"}]},
    "an aggregation by Bundle": {
        "id": "Procedure.subject",
        "type": [{"code": "Reference", "aggregation": ["bundled"]}],
    },
    "a value set from elsewhere": {"id": AT, "binding": REQUIRED},
    "more of a binding": {"id": AT, "binding": REQUIRED | {"additional": []}},
    "an extension of a binding": {"id": AT, "binding": REQUIRED | {"extension": [{"url": "urn:maxValueSet"}]}},
    "an ordered slicing": {"id": AT, "slicing": {"discriminator": [], "rules": "open", "ordered": True}},
    "a slicing open at its end": {"id": AT, "slicing": {"discriminator": [], "rules": "openAtEnd"}},
    "a slice without discriminators": [
        {"id": "Procedure.note", "slicing": {"rules": "open"}},
        {"id": "Procedure.note:one", "sliceName": "one"},
    ],
    "a discriminator by profile": [
        {"id": "Procedure.note", **slicing("profile", "$this")},
        {"id": "Procedure.note:one", "sliceName": "one"},
    ],
    "a discriminator that resolves": [
        {"id": "Procedure.partOf", **slicing("type", "resolve()")},
        {"id": "Procedure.partOf:one", "sliceName": "one"},
    ],
    "a discriminator that tells nothing": [
        {"id": "Procedure.note", **slicing("value", "text")},
        {"id": "Procedure.note:one", "sliceName": "one"},
    ],
    "an invariant that is no FHIRPath": obeys("status = = 'x'"),
    "an invariant with something behind it": obeys("status.exists() status"),
    "a function that there is not": obeys("status.isFine()"),
    "a function that needs the server": obeys("subject.resolve().exists()"),
    "a membership": obeys("code.memberOf('urn:x')"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_constructs_that_are_refused(what: str) -> None:
    elements = REFUSED[what] if isinstance(REFUSED[what], list) else [REFUSED[what]]
    with pytest.raises(MesofhirError, match="nothing that the interpreter of the profiles knows") as caught:
        profiles(*elements).rules_of("p")
    assert caught.type is MesofhirError, "our bug: exit code 1"


@pytest.mark.parametrize(
    "compose",
    [
        {"include": []},
        {"include": [{"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a", "value": "a"}]}]},
        {"include": [{"system": SYSTEM, "valueSet": [ALL_WORDS["url"]]}]},
        {"include": [{"valueSet": ["urn:a", "urn:b"]}]},
        {"include": [{"system": SYSTEM}], "exclude": [{"system": "urn:all"}]},
        {"include": [{"system": SYSTEM}], "property": []},
    ],
)
def test_value_sets_that_are_refused(compose: Json) -> None:
    odd = value_set("vs") | {"compose": compose}
    with pytest.raises(MesofhirError, match="interpreter"):
        profiles({"id": AT, "binding": REQUIRED}, others=(odd,)).rules_of("p")


@pytest.mark.parametrize(
    "change",
    [
        {"derivation": "specialization"},
        {"contextInvariant": ["x"]},
        {"snapshot": {}},
        {"baseDefinition": "https://elsewhere.example/base"},
        {"context": []},
        {"context": [{"type": "fhirpath", "expression": "Procedure"}]},
    ],
)
def test_definitions_that_are_refused(change: Json) -> None:
    with pytest.raises(MesofhirError, match="interpreter"):
        Profiles(Package([NUMBER | change])).rules_of("number")


# --- the package ----------------------------------------------------------------------------------------------------


def packed(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_a_package_is_read() -> None:
    data = packed(
        ("package/package.json", b'{"name": "x"}'),
        ("package/words.json", json.dumps(WORDS).encode()),
        ("package/example/Patient-1.json", b'{"resourceType": "Patient", "url": "x"}'),
        ("package/readme.md", b"x"),
    )
    assert list(read(data).by_url) == [SYSTEM]
    assert read(data).get(f"{SYSTEM}|1", "CodeSystem") == WORDS
    assert read(data).get(SYSTEM, "ValueSet") is None


@pytest.mark.parametrize("data", [b"", b"x", packed(("package/a.json", b"{"))])
def test_a_broken_package_is_our_bug(data: bytes) -> None:
    with pytest.raises(MesofhirError, match="cannot be read"):
        read(data)


def test_two_resources_of_one_url_are_our_bug() -> None:
    with pytest.raises(MesofhirError, match="two resources"):
        Package([WORDS, dict(WORDS)])

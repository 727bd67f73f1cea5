"""The pictures and the profiles say the same: one side changed alone breaks a test here.

Each picture of a profiled resource is walked beside the snapshot of its profile: every element that it shows must be
there, of the type and the list-ness that it writes, every extension must be a slice, every constant a pattern, every
code set within its value set; and every must-support element must be in some picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mesofhir import terminology
from mesofhir.fhir.coded import Coded, Defined, OneSystem, Only
from mesofhir.fhir.definitions import elements_of, model_of
from mesofhir.fhir.elements import BOOLEAN, DECIMAL, INTEGER, TEXT, TIME
from mesofhir.fhir.picture import (
    Absent,
    Along,
    Array,
    Both,
    Computed,
    Constant,
    Decoration,
    Each,
    Echo,
    Field,
    Node,
    Object,
    Start,
)  # fmt: skip
from mesofhir.fhir.profiles import package
from mesofhir.mapping import Clinic
from mesofhir.mapping.clinic import profile
from mesofhir.mapping.shapes import shapes_of

TYPES = {
    "time": {"date", "dateTime"},
    "text": {"string", "markdown", "code", "id", "date", "uri", "canonical"},
    "number": {"decimal"},
    "integer": {"integer", "positiveInt", "unsignedInt"},
    "boolean": {"boolean"},
}
CODECS = [(TIME, "time"), (DECIMAL, "number"), (INTEGER, "integer"), (BOOLEAN, "boolean"), (TEXT, "text")]

OTHERS = {
    "http://hl7.org/fhir/StructureDefinition/data-absent-reason": "code",
    "http://hl7.org/fhir/StructureDefinition/translation": "",
}
"""Extensions of HL7 that stand anywhere, so that no profile names them."""

FREE = {
    "unit": "how a unit is printed",
    "id": "our mark of an item of a list",
    "usedCode": "an EHR may name other devices beside the needle",
    "denominator": "the number one, of one mixture: its value is a pattern, its unit is UCUM's own",
    "medicationReference": "the id within the resource",
    "identifier": "the clinic's own namespace",
    "security": "marks invented data only",
}
"""Constants of pictures that no pattern repeats, with the reason."""


@dataclass
class Spot:
    """An element of a profile, or within a data type below the profile."""

    snapshot: dict[str, dict[str, Any]]
    id: str
    type: str  # the FHIR type, where it is one
    many: bool = False
    patterns: list[Any] = field(default_factory=list)  # what is asked of this very value

    @property
    def element(self) -> dict[str, Any]:
        return self.snapshot.get(self.id, {})

    def child(self, key: str) -> Spot | None:
        """The element of a JSON key, or none."""
        for base in dict.fromkeys([self.id, unsliced_end(self.id)]):
            for name, kind in ((key, ""), *choices(key)):
                for e in (self.snapshot.get(f"{base}.{name}:{key}"), self.snapshot.get(f"{base}.{name}")):
                    if e is None or e["max"] == "0" or (kind and kind not in {t["code"] for t in e.get("type", ())}):
                        continue
                    return self._made(e, kind or types_of(e), key)
        return self._in_type(key)

    def _made(self, e: dict[str, Any], kind: str, key: str) -> Spot:
        inherited = [p[key] for p in self.patterns if isinstance(p, dict) and key in p]
        return Spot(self.snapshot, e["id"], kind, e["base"]["max"] not in ("0", "1"), [*constants(e), *inherited])

    def _in_type(self, key: str) -> Spot | None:
        if any(name.startswith(f"{self.id}.") for name in self.snapshot) and self.type in ("", "BackboneElement"):
            return None
        from fhir.resources.R4B import get_fhir_model_class

        if self.type in ("", "BackboneElement") or self.type[0].islower():
            return None
        known = elements_of(get_fhir_model_class(self.type)).elements
        if key not in known:
            return None
        inherited = [p[key] for p in self.patterns if isinstance(p, dict) and key in p]
        return Spot({}, f"{self.type}.{key}", known[key].type, known[key].many, inherited)

    def slices(self) -> list[Spot]:
        found = [e for i, e in self.snapshot.items() if i.startswith(f"{self.id}:") and "." not in i[len(self.id) :]]
        return [Spot(self.snapshot, e["id"], types_of(e), False, constants(e)) for e in found]


def unsliced_end(path: str) -> str:
    head, _, last = path.rpartition(".")
    return f"{head}.{last.partition(':')[0]}" if head else last.partition(":")[0]


def choices(key: str) -> Iterator[tuple[str, str]]:
    """``value[x]`` and ``Quantity`` of ``valueQuantity``."""
    for at, letter in enumerate(key):
        if letter.isupper():
            kind = key[at:]
            yield f"{key[:at]}[x]", kind
            yield f"{key[:at]}[x]", kind[0].lower() + kind[1:]


def types_of(e: dict[str, Any]) -> str:
    codes = {t["code"] for t in e.get("type", ())}
    return codes.pop() if len(codes) == 1 else ""


def constants(e: dict[str, Any]) -> list[Any]:
    return [v for k, v in e.items() if k.startswith(("fixed", "pattern"))]


def snapshot(url: str) -> dict[str, dict[str, Any]]:
    definition = package().get(url, "StructureDefinition")
    assert definition is not None, f"no profile or extension {url}"
    return {e["id"]: e for e in definition["snapshot"]["element"]}


class Comparison:
    """One picture beside one profile: what does not agree, and which elements the picture shows."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.wrong: list[str] = []
        self.shown: set[tuple[str, str]] = set()  # URL, element id
        self.cocktails: list[Object] = []

    def root(self, node: Object) -> None:
        shot = snapshot(self.url)
        kind = next(iter(shot))
        self.object(node, Spot(shot, kind, "BackboneElement"), kind)

    def say(self, path: str, what: str) -> None:
        self.wrong.append(f"{self.url.rpartition('/')[2]}: {path}: {what}")

    def node(self, node: Node, spot: Spot, path: str) -> None:
        if spot.snapshot:
            self.shown.add((self.url, spot.id))
        is_list = isinstance(node, Array)
        if is_list != spot.many and not isinstance(node, Computed | Decoration | Along | Absent):
            self.say(path, f"the picture has {'a list' if is_list else 'one'}, the profile has not")
        if isinstance(node, Array):
            for item in node.items:
                self.item(item.item if isinstance(item, Each) else item, spot, path)
        else:
            self.one(node, spot, path)

    def one(self, node: Node, spot: Spot, path: str) -> None:
        url = spot.element.get("binding", {}).get("valueSet", "").partition("|")[0]
        if isinstance(node, Both):
            for part in node.of:
                self.one(part, spot, path)
        elif isinstance(node, Object):
            if spot.type == "CodeableConcept" and url.startswith(terminology.BASE):
                codings = (literal(node) or {}).get("coding", ())
                spot.patterns = [{"coding": [c for c in codings if (c["system"], c["code"]) in members(url)]}]
            self.object(node, spot, path)
        elif isinstance(node, Coded | Defined | Only):
            self.concept(node, spot, path)
        elif isinstance(node, Field | Echo):
            self.hole(node, spot, path)
        elif isinstance(node, Constant):
            self.constant(node.value, spot, path)

    def object(self, node: Object, spot: Spot, path: str) -> None:
        for key, part in node.parts.items():
            if key == "resourceType":
                continue
            here = f"{path}.{key}"
            if key == "contained":
                self.cocktails += [i for i in part.items if isinstance(i, Object)]
            elif key.startswith("_"):
                inner = spot.child(key[1:])
                if inner is None:
                    self.say(here, "no such element")
                else:
                    self.object(part, Spot({}, "Element", "Element"), here)
            elif key != "id" and (child := spot.child(key)) is None:
                self.say(here, f"no such element of {spot.type or spot.id}")
            elif key != "id":
                self.node(part, child, here)

    def item(self, node: Node, spot: Spot, path: str) -> None:
        url = node.parts["url"].value if isinstance(node, Object) and "url" in node.parts else ""
        if url:
            self.extension(node, url, spot, f"{path}[{url.rpartition('/')[2]}]")
            return
        told = [s for s in spot.slices() if self.belongs(node, s)]
        for one in told:
            self.shown.add((self.url, one.id))
        each = [q for p in spot.patterns for q in (p if isinstance(p, list) else [p])]
        self.one(node, told[0] if told else Spot(spot.snapshot, spot.id, spot.type, False, each), path)

    def belongs(self, node: Node, part: Spot) -> bool:
        """Is the item the slice: does it have the slice's constants?"""
        said = part.patterns or [
            {e["id"].rpartition(".")[2]: c}
            for i, e in part.snapshot.items() if i.startswith(f"{part.id}.") for c in constants(e)
        ]  # fmt: skip
        made = literal(node)
        return bool(said) and any(_holds(made, p) for p in said)

    def extension(self, node: Object, url: str, spot: Spot, path: str) -> None:
        if "/" not in url:  # within a complex extension
            inner = next((s for s in spot.slices() if s.id.rpartition(":")[2] == url), None)
            if inner is None and spot.snapshot:
                self.say(path, "no such part of the extension")
            elif inner is not None:
                self.shown.add((self.url, inner.id))
                self.object(Object({k: p for k, p in node.parts.items() if k != "url"}), inner, path)
            return
        named = [s for s in spot.slices() if url in s.element["type"][0].get("profile", ())]
        for s in named:
            self.shown.add((self.url, s.id))
        if not named and url not in OTHERS and spot.snapshot:
            self.say(path, "the profile names no such extension")
        if package().get(url):
            deeper = Comparison(url)
            deeper.object(Object({k: p for k, p in node.parts.items() if k != "url"}),
                          Spot(snapshot(url), "Extension", "BackboneElement"), path)  # fmt: skip
            self.wrong += deeper.wrong
            self.shown |= deeper.shown
        elif not url.startswith("http://hl7.org/fhir/StructureDefinition/"):
            self.say(path, "no such extension in the package")

    def concept(self, node: Coded | Defined | Only, spot: Spot, path: str) -> None:
        if spot.type != "CodeableConcept":
            self.say(path, f"the picture has a CodeableConcept, the profile {spot.type}")
        if isinstance(node, Defined):
            wanted = {k: node.codings[0][k] for k in ("system", "code")}
            if not any(_holds({"coding": [wanted]}, p) for p in spot.patterns):
                self.say(path, f"the profile has no pattern {wanted['code']}")
        elif isinstance(node, Coded) and spot.snapshot:
            self.bound(node, spot, path)

    def bound(self, node: Coded, spot: Spot, path: str) -> None:
        url = spot.element.get("binding", {}).get("valueSet", "").partition("|")[0]
        if not isinstance(node.codes, OneSystem) and not spot.patterns and not url.startswith(terminology.BASE):
            self.say(path, "the picture has a code set of ours, the profile no value set of ours")
        if url.startswith(terminology.BASE) and not isinstance(node.codes, OneSystem):
            held = members(url)
            for token in node.codes:
                if not held & {(c.system, c.code) for c in node.codes[token].codings}:
                    self.say(path, f"{token} is not in {url}")
        if isinstance(node.codes, OneSystem) and spot.patterns:
            for meaning in node.codes.meanings.values():
                codes = [{"system": c.system, "code": c.code} for c in meaning.codings]
                if not any(_holds({"coding": codes}, p) for p in spot.patterns):
                    self.say(path, "the profile has another code")

    def hole(self, node: Field | Echo, spot: Spot, path: str) -> None:
        mark = node.codec.mark
        if isinstance(mark, tuple) and mark[0] == "ref":
            if spot.type != "Reference":
                self.say(path, f"the picture has a reference, the profile {spot.type}")
            targets = {kind(u) for t in spot.element.get("type", ()) for u in t.get("targetProfile", ())}
            if targets and not set(mark[2]) <= targets | ({"Resource"} & targets and set(mark[2])):
                self.say(path, f"the profile allows no reference to {sorted(set(mark[2]) - targets)}")
            return
        wanted = next((TYPES[name] for codec, name in CODECS if node.codec is codec), None)
        if wanted and spot.type not in wanted and not spot.type.startswith("http://hl7.org/fhirpath"):
            self.say(path, f"the picture has one of {sorted(wanted)}, the profile {spot.type}")

    def constant(self, value: Any, spot: Spot, path: str) -> None:
        keys = path.replace("[", ".").replace("]", "").split(".")
        if any(_holds(value, p) for p in spot.patterns) or set(keys) & set(FREE):
            return
        self.say(path, f"the constant {value!r} is no pattern of the profile")


def kind(url: str) -> str:
    found = package().get(url)
    return str(found["type"]) if found else url.rpartition("/")[2]


def members(url: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    value_set = package().get(url, "ValueSet")
    assert value_set is not None, url
    for part in value_set["compose"]["include"]:
        found |= {(part["system"], c["code"]) for c in part.get("concept", ())}
        for other in part.get("valueSet", ()):
            found |= members(other)
    return found


def literal(node: Any) -> Any:
    """The constants of a picture, as JSON."""
    if isinstance(node, Object):
        return {k: made for k, p in node.parts.items() if (made := literal(p)) is not None}
    if isinstance(node, Array):
        return [made for i in node.items if not isinstance(i, Each) and (made := literal(i)) is not None] or None
    if isinstance(node, Defined):
        return {"coding": node.codings}
    if isinstance(node, Coded) and isinstance(node.codes, OneSystem):
        codings = [c for m in node.codes.meanings.values() for c in m.codings]
        return {"coding": [{"system": c.system, "code": c.code} for c in codings]}
    return node.value if isinstance(node, Constant | Start) else None


def _holds(value: Any, pattern: Any) -> bool:
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(k in value and _holds(value[k], v) for k, v in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(_holds(v, p) for v in value) for p in pattern)
    return bool(value == pattern)


def compared() -> list[Comparison]:
    """Each profiled shape beside its profile; a mixture within its administration beside its own."""
    out = []
    for shapes in shapes_of(Clinic("https://clinic.example/x")).values():
        for shape in shapes:
            claimed = shape.picture.parts["meta"].parts.get("profile")
            for url in getattr(claimed, "items", ()):
                one = Comparison(url)
                one.root(shape.picture)
                out.append(one)
                for inner in one.cocktails:
                    cocktail = Comparison(profile("mesotherapy-cocktail"))
                    cocktail.root(inner)
                    out.append(cocktail)
    return out


def test_every_picture_is_within_its_profile():
    assert [w for c in compared() for w in c.wrong] == []


def profiles() -> list[str]:
    unpictured = ("mesotherapy-protocol",)  # an ActivityDefinition: shipped, and named by cycles
    definitions = (r for r in package().of("StructureDefinition") if r["type"] != "Extension")
    return [r["url"] for r in definitions if r["id"] not in unpictured]


@pytest.mark.parametrize("url", profiles(), ids=lambda u: u.rpartition("/")[2])
def test_every_must_support_element_is_in_a_picture(url):
    shown = {i for c in compared() for u, i in c.shown if u == url}
    wanted = {i for i, e in snapshot(url).items() if e.get("mustSupport")}
    assert wanted
    assert sorted(i for i in wanted if i not in shown and not _by_type(i, shown)) == []


def _by_type(element: str, shown: set[str]) -> bool:
    """``value[x]`` is shown by its own slice, a part of a slice by the same part of all."""
    return any(s.startswith(f"{element}:") for s in shown) or unsliced(element) in {unsliced(s) for s in shown}


def unsliced(path: str) -> str:
    return ".".join(step.partition(":")[0] for step in path.split("."))


def test_every_profile_of_a_picture_is_in_the_package_and_the_other_way_round():
    claimed = {c.url for c in compared()}
    assert claimed == set(profiles())


def test_every_extension_of_ours_is_in_a_picture_or_a_protocol():
    shown = {u for c in compared() for u, _ in c.shown}
    ours = {r["url"] for r in package().of("StructureDefinition") if r["type"] == "Extension"}
    elsewhere = {profile("reaction-duration")}  # of a Condition that has no profile
    assert ours == (shown & ours) | elsewhere


def test_what_is_not_ours_is_named_as_hl7_names_it():
    """Every canonical URL of ours is under the base, and names something in the package."""
    text = json.dumps([dict(r) for r in package().by_url.values()], default=str)
    for quoted in set(text.replace("\\", "").replace("'", '"').split('"')):
        url = quoted.partition("|")[0]
        if url.startswith(f"{terminology.BASE}/") and " " not in url:
            assert package().get(url), url


@pytest.mark.parametrize("name", sorted(set(terminology.code_sets()) - {"kinds"}))
def test_a_value_set_holds_what_its_table_says(name):
    codes = terminology.code_set(name)
    value_set = package().get(f"{terminology.BASE}/ValueSet/{name.replace('_', '-')}", "ValueSet")
    assert value_set is not None
    listed = [
        (part["system"], c["code"], c.get("display", ""))
        for part in value_set["compose"]["include"]
        for c in part["concept"]
    ]
    assert len(listed) == len({x[:2] for x in listed})
    assert {x[:2] for x in listed} == {(c.system, c.code) for t in codes for c in codes[t].codings}
    shown = {(c.system, c.code, c.display) for t in codes for c in codes[t].codings}
    assert set(listed) <= shown
    for part in value_set["compose"]["include"]:
        for c in part["concept"]:
            token = codes.token_of(part["system"], c["code"])
            said = {d["language"]: d["value"] for d in c.get("designation", ())}
            assert said == ({"it": codes.label(token, "it")} if token else {})


def test_the_code_system_holds_our_own_codes():
    codes = package().get(terminology.LOCAL, "CodeSystem")
    assert codes is not None
    held = {c["code"]: (c["display"], c["designation"][0]["value"]) for c in codes["concept"]}
    wanted = {}
    for name in terminology.code_sets():
        table = terminology.code_set(name)
        for token in table:
            if name == "contraindications" or any(c.system == terminology.LOCAL for c in table[token].codings):
                wanted[token] = (table.label(token, "en"), table.label(token, "it"))
    assert held == wanted


@pytest.mark.parametrize("token", list(terminology.code_set("protocols")))
def test_each_protocol_is_an_activity_definition(token):
    codes = terminology.code_set("protocols")
    found = package().get(f"{terminology.BASE}/ActivityDefinition/{token}", "ActivityDefinition")
    assert found is not None
    assert found["title"] == codes.label(token, "en")
    italian = found["_title"]["extension"][0]["extension"]
    assert {e["url"]: e.get("valueCode", e.get("valueString")) for e in italian} == {
        "lang": "it",
        "content": codes.label(token, "it"),
    }
    assert model_of(found) is not None

"""The package in words: what there is, and what each profile asks for, for people to read.

Titles, meanings and labels stand in the package in English, the Italian ones beside them as `translation` extensions
(profiles) and designations (codes).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mesofhir.fhir.profiles.package import Package, Resource

KINDS: Final = {
    "profile": "profiles",
    "extension": "extensions",
    "value set": "value sets",
    "code system": "code systems",
    "protocol": "protocols",
    "capabilities": "capabilities",
}
"""The kinds of things in the package, in the order in which they are listed."""

_TYPES: Final = {
    "ValueSet": "value set",
    "CodeSystem": "code system",
    "ActivityDefinition": "protocol",
    "CapabilityStatement": "capabilities",
}
_TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"


@dataclass(frozen=True)
class Row:
    """One line of a profile.

    :param element: its name, indented by what it stands in
    :param cardinality: ``0..1``, with ``MS`` where it is must-support
    :param type: its types, or what it may refer to
    :param binding: the value set or constant that is asked for
    :param meaning: what it is, in words
    """

    element: str
    cardinality: str
    type: str
    binding: str
    meaning: str


def kind(resource: Resource) -> str:
    """One of :data:`KINDS`."""
    if resource["resourceType"] == "StructureDefinition":
        return "extension" if resource["type"] == "Extension" else "profile"
    return _TYPES[resource["resourceType"]]


def on(resource: Resource) -> str:
    """What it applies to: the resource type of a profile, the places of an extension."""
    if kind(resource) == "extension":
        return ", ".join(c["expression"] for c in resource["context"])
    return str(resource["type"]) if kind(resource) == "profile" else ""


def listed(package: Package) -> list[Resource]:
    """All of the package, by kind and name."""
    every = [r for kind in ("StructureDefinition", *_TYPES) for r in package.of(kind)]
    return sorted(every, key=lambda r: (list(KINDS).index(kind(r)), r["id"]))


def title(resource: Resource, language: str) -> str:
    """What people call it."""
    return translated(resource, "title", language)


def translated(holder: Mapping[str, Any], name: str, language: str) -> str:
    """A text of the package, in Italian where it is there."""
    if language == "it":
        for extension in holder.get(f"_{name}", {}).get("extension", ()):
            parts = {e["url"]: e for e in extension.get("extension", ())}
            if extension["url"] == _TRANSLATION and parts.get("lang", {}).get("valueCode") == language:
                return str(parts["content"]["valueString"])
    return str(holder.get(name, ""))


def rows(definition: Resource, package: Package, language: str) -> Iterator[Row]:
    """What a profile or an extension asks for: the elements of which it says something."""
    stated = {e["id"]: e for e in definition["differential"]["element"]}
    for e in definition["snapshot"]["element"]:
        own = stated.get(e["id"])
        if own is None or "." not in e["id"] or not _says(own):
            continue
        yield Row(_name(e), _cardinality(e), _types(e), _binding(e), _meaning(e, package, language))


def _meaning(e: Mapping[str, Any], package: Package, language: str) -> str:
    """Its own words, or those of the extension that stands there."""
    urls = [url for t in e.get("type", ()) for url in t.get("profile", ())]
    extension = package.get(urls[0]) if len(urls) == 1 else None
    if extension is None or "_short" in e:
        return translated(e, "short", language)
    return title(extension, language) if language == "it" else str(extension["description"])


def _says(own: Mapping[str, Any]) -> bool:
    """Does the profile ask for anything here, or only slice?"""
    return bool(set(own) - {"id", "path", "slicing"})


def _name(e: Mapping[str, Any]) -> str:
    steps = str(e["id"]).split(".")[1:]
    name, _, slice_ = steps[-1].partition(":")
    return "  " * (len(steps) - 1) + (f"{name}[{slice_}]" if slice_ else name)


def _cardinality(e: Mapping[str, Any]) -> str:
    return f"{e['min']}..{e['max']}" + (" MS" if e.get("mustSupport") else "")


def _types(e: Mapping[str, Any]) -> str:
    out = []
    for t in e.get("type", ()):
        targets = [u.rpartition("/")[2] for u in (*t.get("targetProfile", ()), *t.get("profile", ()))]
        code = str(t["code"]).rpartition("/")[2].removeprefix("System.").lower() if "/" in t["code"] else t["code"]
        out.append(f"{code}({', '.join(targets)})" if targets else code)
    return " or ".join(out)


def _binding(e: Mapping[str, Any]) -> str:
    for key, value in e.items():
        if key.startswith(("pattern", "fixed")):
            return "= " + constant(value)
    bound = e.get("binding", {})
    url = str(bound.get("valueSet", "")).partition("|")[0]
    return f"{url.rpartition('/')[2]} ({bound['strength']})" if url and "w3id.org/mesofhir" in url else ""


def constant(value: Any) -> str:
    """A constant in few words: its codes, where it has some."""
    codings = value.get("coding", [value]) if isinstance(value, dict) else []
    return ", ".join(str(c["code"]) for c in codings if "code" in c) or str(value)


def rules(definition: Resource) -> Iterator[tuple[str, str, str]]:
    """The invariants that a profile states itself: key, severity, words."""
    for e in definition["differential"]["element"]:
        for c in e.get("constraint", ()):
            yield c["key"], c["severity"], c["human"]


def codes(resource: Resource, package: Package) -> Iterator[tuple[str, str, str, str]]:
    """The codes of a value set or code system: system, code, display, Italian label."""
    if resource["resourceType"] == "CodeSystem":
        parts = [{"system": resource["url"], "concept": resource["concept"]}]
    else:
        parts = resource["compose"]["include"]
    for part in parts:
        for concept in part.get("concept", ()):
            italian = [d["value"] for d in concept.get("designation", ()) if d.get("language") == "it"]
            yield part["system"], concept["code"], concept.get("display", ""), italian[0] if italian else ""
        for url in part.get("valueSet", ()):
            if (other := package.get(url)) is not None:
                yield from codes(other, package)

"""The judge: resources against the profiles that they claim, with the rules of a package."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.fhir.profiles.codes import Codes
from mesofhir.fhir.profiles.extensions import Contexts, contexts, extensions, misplaced, undefined
from mesofhir.fhir.profiles.package import Package
from mesofhir.fhir.profiles.places import Place
from mesofhir.fhir.profiles.rules import Holds, Rule, Violation
from mesofhir.fhir.profiles.slots import Builder, Slot
from mesofhir.fhir.profiles.tree import tree, unknown
from mesofhir.fhir.walk import Spot, spots

_REFERENCE: Final = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?$")
_UNKNOWN: Final = Rule("profile:unknown", "", "Meta.profile", "a profile that there is not", "one of this version")
Resolve = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


@dataclass
class Profile:
    """A profile or extension, compiled.

    :param type: what it is a profile of
    :param slots: its root, and before it that of the profile of ours that it is made from
    :param contexts: of an extension, where it may stand
    """

    id: str
    url: str
    type: str
    slots: list[Slot]
    contexts: Contexts | None = None

    def rules(self) -> list[Rule]:
        """What it asks for."""
        found = [rule for slot in self.slots for rule in slot.stated()]
        return [*found, self.contexts.rule] if self.contexts else found


class Profiles:
    """The profiles of a package, each compiled when it is first asked for.

    :param known: definitions that belong to others and are judged too: the extensions of R4 that we write
    """

    def __init__(self, package: Package, known: Package | None = None) -> None:
        self.package = Package([*package.by_url.values(), *(known.by_url.values() if known else ())])
        self.codes = Codes(package, known)
        self._compiled: dict[str, Profile] = {}
        self._ids = {str(d["id"]): str(d["url"]) for d in package.of("StructureDefinition")}
        self._roots = tuple({f"{url.rpartition('/')[0]}/" for url in self._ids.values()})

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all profiles and extensions."""
        return tuple(self._ids)

    def profile(self, name: str) -> Profile | None:
        """A profile or extension by its id or its canonical URL; None where it is not in the package.

        :raises MesofhirError: it uses a construct that the interpreter does not know
        """
        url = self._ids.get(name, name)
        definition = self.package.get(url, "StructureDefinition")
        if definition is None:
            return None
        url = str(definition["url"])
        if url not in self._compiled:
            self._compiled[url] = self._compile(definition)
        return self._compiled[url]

    def _compile(self, definition: Mapping[str, Any]) -> Profile:
        name, kind = str(definition["id"]), str(definition["type"])
        parent = self.profile(str(definition["baseDefinition"]))
        core = definition["baseDefinition"] == f"http://hl7.org/fhir/StructureDefinition/{kind}"
        if parent is None and not core:
            raise unknown(name, f"the base {definition['baseDefinition']}")
        root = Builder(name, self.package).slot(tree(definition))
        allowed = contexts(definition) if kind == "Extension" else None
        return Profile(name, str(definition["url"]), kind, [*(parent.slots if parent else ()), root], allowed)

    def rules_of(self, name: str) -> tuple[Rule, ...]:
        """What a profile or extension asks for, by its id or URL; what stands in its extensions is theirs.

        :raises KeyError: the package has no such profile
        """
        profile = self.profile(name)
        if profile is None:
            raise KeyError(name)
        return tuple(profile.rules())

    def claims(self, resource: Mapping[str, Any]) -> list[tuple[int, str, Profile | None]]:
        """What a resource claims of ours: position in ``meta.profile``, URL, and the profile if there is such a one."""
        meta = resource.get("meta")
        listed = meta.get("profile") if isinstance(meta, dict) else None
        urls = [(i, u) for i, u in enumerate(listed) if isinstance(u, str)] if isinstance(listed, list) else []
        return [(i, u, self.profile(u)) for i, u in urls if u.startswith(self._roots)]

    def claimed(self, resource: Mapping[str, Any]) -> list[Profile]:
        """The profiles of the package that a resource claims."""
        return list({p.url: p for _, _, p in self.claims(resource) if p}.values())

    def violations(
        self, resource: Mapping[str, Any], *, against: Iterable[str] = (), resolve: Resolve | None = None
    ) -> list[Violation]:
        """What a resource breaks; see :func:`mesofhir.fhir.profiles.violations`."""
        wanted = [p for p in map(self.profile, against) if p]
        return list(dict.fromkeys(Judging(self, resource, resolve).all(resource, "$", wanted)))


@dataclass
class Judging:
    """The judging of one resource.

    :param resolve: finds what a reference leads to, where that is known
    """

    profiles: Profiles
    resource: Mapping[str, Any]
    resolve: Resolve | None = None
    busy: set[tuple[int, str]] = field(default_factory=set)

    def all(self, resource: Mapping[str, Any], path: str, wanted: Iterable[Profile] = ()) -> Iterator[Violation]:
        """All that is wrong with a resource, and with those that it contains."""
        for profile in {p.url: p for p in (*wanted, *self.profiles.claimed(resource))}.values():
            yield from self.of(profile, Place(path, resource))
        for i, _, known in self.profiles.claims(resource):
            if known is None:
                yield _UNKNOWN.broken(f"{path}.meta.profile[{i}]")
        for spot in spots(dict(resource), path):
            yield from self._extensions(spot)
            yield from self.profiles.codes.judge(spot)
        contained = resource.get("contained")
        for i, inner in enumerate(contained if isinstance(contained, list) else ()):
            if isinstance(inner, dict):
                yield from self.all(inner, f"{path}.contained[{i}]")

    def of(self, profile: Profile, place: Place) -> Iterator[Violation]:
        """What a value breaks of one profile."""
        kind = place.value.get("resourceType", profile.type) if isinstance(place.value, dict) else profile.type
        if kind != profile.type:
            expected = f"a {profile.type}"
            yield Violation(f"{profile.id}#type", profile.id, place.path, "claims a profile of another type", expected)
            return
        for slot in profile.slots:
            yield from slot.judge_values([place], place.path, self)

    def _extensions(self, spot: Spot) -> Iterator[Violation]:
        for path, key, extension in extensions(spot):
            url = extension.get("url")
            profile = self.profiles.profile(url) if isinstance(url, str) else None
            if profile and profile.contexts:
                yield from misplaced(profile.contexts, spot, key, path)
                yield from self.of(profile, Place(path, extension))
                yield from undefined(profile.contexts, extension, path)

    # --- what rules ask ---------------------------------------------------------------------------------------

    def asks(self, rule: Rule, holds: Holds, place: Place) -> bool:
        """Does a rule hold? A value that it cannot even be asked of does not satisfy it."""
        try:
            return holds(place, self)
        except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RecursionError):
            return False

    def target(self, reference: Mapping[str, Any]) -> Mapping[str, Any] | str | None:
        """What a reference leads to: the resource, or only its type, or nothing that is known."""
        literal = reference.get("reference")
        if isinstance(literal, str) and literal.startswith("#"):
            contained = self.resource.get("contained")
            inside = [c for c in contained if isinstance(c, dict)] if isinstance(contained, list) else []
            return next((c for c in inside if f"#{c.get('id')}" == literal), None)
        found = self.resolve(reference) if self.resolve else None
        return found or type_of(reference)

    def conforms(self, resource: Mapping[str, Any], url: str) -> bool:
        """Does a resource conform to a profile? One that claims it is judged where it stands; while it is being
        asked the answer is yes, since references may go in a circle."""
        profile, asked = self.profiles.profile(url), (id(resource), url)
        if profile is None or asked in self.busy or profile in self.profiles.claimed(resource):
            return True
        self.busy.add(asked)
        inner = Judging(self.profiles, resource, self.resolve, self.busy)
        return not any(v.severity == "error" for v in inner.of(profile, Place("$", resource)))

    def of_profiles(self, slot: Slot, place: Place) -> Iterator[Violation]:
        """What a value breaks of the profiles that its element asks for."""
        kind = place.type or (place.value.get("resourceType", "") if isinstance(place.value, dict) else "")
        urls = slot.profiles.get(kind) or ([] if kind else [u for us in slot.profiles.values() for u in us])
        found = [list(self.of(p, place)) for p in map(self.profiles.profile, urls) if p]
        if len(found) == 1:
            yield from found[0]
        elif found and all(any(v.severity == "error" for v in vs) for vs in found) and slot.profile_rule:
            yield slot.profile_rule.broken(place.path)


def type_of(reference: Mapping[str, Any]) -> str | None:
    """The type that a reference says that it leads to (R4 references.html#literal)."""
    literal, said = reference.get("reference"), reference.get("type")
    match = _REFERENCE.search(literal) if isinstance(literal, str) else None
    return match[1] if match else said if isinstance(said, str) else None

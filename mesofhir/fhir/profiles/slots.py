"""A profile compiled: its elements, each with how often it may stand there and what is asked of its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mesofhir.fhir.profiles.extensions import KEYS
from mesofhir.fhir.profiles.places import Place, below
from mesofhir.fhir.profiles.rules import CORE, Maker, Rule, Ruled, Violation, coded_in, equal, fits
from mesofhir.fhir.profiles.tree import Element, unknown
from mesofhir.fhir.profiles.valuesets import members

if TYPE_CHECKING:
    from mesofhir.fhir.profiles.judge import Judging

Matches = Callable[[Place], bool]
_ANY: Final[dict[str, Any]] = {"min": 0, "max": "*"}


@dataclass
class Slot:
    """An element of a profile, or a slice of one.

    :param step: the name of the element
    :param least: how many must stand there, and the rule
    :param most: how many may stand there, and the rule
    :param rules: what is asked of each value
    :param profiles: type → the profiles of which a value must satisfy one
    :param matches: of a slice: whether a value belongs to it
    :param item: of a slice of extensions: ``[session-number]``, what to call one that is missing
    :param closed: the rule that every value belongs to a slice
    """

    step: str
    least: tuple[int, Rule] | None = None
    most: tuple[int, Rule] | None = None
    rules: list[Ruled] = field(default_factory=list)
    profiles: dict[str, list[str]] = field(default_factory=dict)
    profile_rule: Rule | None = None
    matches: Matches = lambda place: True
    item: str = ""
    closed: Rule | None = None
    children: list[Slot] = field(default_factory=list)
    slices: list[Slot] = field(default_factory=list)

    def stated(self) -> Iterator[Rule]:
        """All rules, also of what stands inside."""
        yield from (bound[1] for bound in (self.least, self.most) if bound)
        yield from (rule for rule, _ in self.rules)
        yield from (rule for rule in (self.closed, self.profile_rule) if rule)
        for part in (*self.slices, *self.children):
            yield from part.stated()

    def judge(self, parent: Place, judging: Judging) -> Iterator[Violation]:
        """What is wrong with the values of this element in an object."""
        found = below(parent, self.step)
        yield from self.judge_values(found, f"{parent.path}.{self.step}", judging)

    def judge_values(self, found: list[Place], path: str, judging: Judging) -> Iterator[Violation]:
        """What is wrong with these values of this element.

        :param path: where they would stand
        """
        if self.least and len(found) < self.least[0]:
            yield self.least[1].broken(path)
        if self.most and len(found) > self.most[0]:
            yield self.most[1].broken(path)
        for place in found:
            yield from self.judge_one(place, judging)
        sliced: set[str] = set()
        for part in self.slices:
            mine = [place for place in found if part.matches(place)]
            sliced.update(place.path for place in mine)
            yield from part.judge_values(mine, path + part.item, judging)
        if self.closed:
            yield from (self.closed.broken(place.path) for place in found if place.path not in sliced)

    def judge_one(self, place: Place, judging: Judging) -> Iterator[Violation]:
        """What is wrong with one value, apart from its slices."""
        for rule, holds in self.rules:
            if not judging.asks(rule, holds, place):
                yield rule.broken(place.path)
        for child in self.children:
            yield from child.judge(place, judging)
        if self.profiles:
            yield from judging.of_profiles(self, place)


@dataclass(frozen=True)
class Builder(Maker):
    """Compiles the elements of one profile."""

    def slot(self, element: Element) -> Slot:
        """An element, with all inside it.

        :raises MesofhirError: it uses a construct that the interpreter does not know
        """
        slot = Slot(element.step)
        slot.least, slot.most = self._bounds(element)
        slot.rules = list(self.of_value(element))
        self._profiles(element, slot)
        slot.children = [self.slot(child) for child in element.children.values()]
        self._slices(element, slot)
        return slot

    def _bounds(self, element: Element) -> tuple[tuple[int, Rule] | None, tuple[int, Rule] | None]:
        """Cardinality, as far as it is narrower than R4's."""
        base: dict[str, Any] = _ANY if element.slice else element.whole.get("base", _ANY)
        name = _called(element)
        low, high = element.stated.get("min", 0), element.stated.get("max", "*")
        implied = sum(part.stated.get("min", 0) for part in element.slices.values())  # SUSHI adds them up
        least = most = None
        if low > max(base["min"], implied):
            what = f"{name} is missing" if low == 1 else f"too few of {name}"
            least = low, self.rule(element, "min", what, f"at least {low}")
        if high != "*" and (base["max"] == "*" or int(high) < int(base["max"])) and not self._single(element, high):
            what = f"too many of {name}" if high != "0" else f"{name} may not stand here"
            most = int(high), self.rule(element, "max", what, "none" if high == "0" else f"at most {high}")
        return least, most

    @staticmethod
    def _single(element: Element, high: str) -> bool:
        """Is it a slice of what stands there once at most anyway?"""
        return bool(element.slice) and high == "1" and element.whole.get("base", {}).get("max") == "1"

    def _profiles(self, element: Element, slot: Slot) -> None:
        """The profiles of types. Those of extensions are asked wherever the extension stands."""
        for one in element.stated.get("type", ()):
            for url in one.get("profile", ()):
                if one["code"] == "Extension":
                    self._extension(element, url)
                    continue
                if self.package.get(url, "StructureDefinition") is None:
                    raise unknown(self.where(element), f"the profile {url}")
                slot.profiles.setdefault(one["code"], []).append(url)
        urls = [url for several in slot.profiles.values() for url in several]
        if len(urls) > 1:  # a single one tells more itself
            names = " or ".join(url.rpartition("/")[2] for url in urls)
            slot.profile_rule = self.rule(element, "profile", "satisfies no profile that may stand here", names)

    def _extension(self, element: Element, url: str) -> None:
        if not url.startswith(CORE) and self.package.get(url, "StructureDefinition") is None:
            raise unknown(self.where(element), f"the extension {url}")

    # --- slices ---------------------------------------------------------------------------------------------

    def _slices(self, element: Element, slot: Slot) -> None:
        slicing = element.stated.get("slicing") or element.whole.get("slicing")
        if not element.slices:
            return
        if not slicing or not slicing.get("discriminator"):
            raise unknown(self.where(element), "a slicing without discriminators")
        for part in element.slices.values():
            matches = self._matches(part, slicing["discriminator"])
            inner = self.slot(part)
            inner.matches, inner.item = matches, f"[{_url_end(part)}]" if _url_end(part) else ""
            slot.slices.append(inner)
        if slicing.get("rules") == "closed":
            slot.closed = self.rule(
                element, "slicing", "belongs to no slice that may stand here", ", ".join(element.slices)
            )

    def _matches(self, part: Element, discriminators: list[dict[str, str]]) -> Matches:
        tests = [self._discriminator(part, d["type"], d["path"]) for d in discriminators]
        return lambda place: all(test(place) for test in tests)

    def _discriminator(self, part: Element, kind: str, path: str) -> Matches:
        where = self.where(part)
        steps = [] if path == "$this" else path.split(".")
        if any(not step.isalpha() for step in steps):
            raise unknown(where, f"the discriminator {path}")
        if kind == "type" and not steps:
            codes = {t["code"] for t in part.whole.get("type", ())}
            return lambda place: (place.type or _resource_type(place)) in codes
        if kind in ("value", "pattern"):
            said = self._said(part, steps)
            if said is not None:
                return lambda place: any(said(found) for found in _reached(place, steps))
        if kind == "exists" and steps:
            target = _inside(part, steps)
            if target and target.whole.get("max") == "0":
                return lambda place: not _reached(place, steps)
            if target and target.whole.get("min", 0) > 0:
                return lambda place: bool(_reached(place, steps))
        raise unknown(where, f"a slice that its discriminator {kind}:{path} does not tell apart")

    def _said(self, part: Element, steps: list[str]) -> Matches | None:
        """What a slice says of the value at its discriminator."""
        urls = {url for one in part.whole.get("type", ()) for url in one.get("profile", ())}
        if steps == ["url"] and urls:
            return lambda place: place.value in urls
        for n in range(len(steps), -1, -1):  # a pattern may stand above it
            element = _inside(part, steps[:n])
            test = self._constant(element, steps[n:]) if element else None
            if test:
                return test
        return None

    def _constant(self, element: Element, rest: list[str]) -> Matches | None:
        for kind, compare in (("fixed", equal), ("pattern", fits)):
            if constant := element.valued(kind):
                wanted = _within(constant[1], rest)
                element.tells = element.tells or not rest
                return lambda place, compare=compare: bool(wanted) and any(compare(place.value, x) for x in wanted)  # type: ignore[misc]
        binding = element.stated.get("binding", {})
        if binding.get("strength") == "required" and not rest:
            codes = members(binding["valueSet"], self.package, self.where(element))
            element.tells = True
            return lambda place: coded_in(place.value, codes)
        return None


def _called(element: Element) -> str:
    """What people call an element or a slice."""
    if not element.slice:
        return f"`{element.step}`"
    return f"the extension `{_url_end(element)}`" if _url_end(element) else f"the `{element.step}` {element.slice}"


def _url_end(element: Element) -> str:
    """Of a slice of extensions, how the URL of its extension ends; "" of any other."""
    if element.step not in KEYS or not element.slice:
        return ""
    url = element.children.get("url")
    fixed = url.valued("fixed") if url else None
    urls = [u for one in element.whole.get("type", ()) for u in one.get("profile", ())]
    return str(fixed[1] if fixed else urls[0] if urls else "").rpartition("/")[2]


def _inside(element: Element, steps: list[str]) -> Element | None:
    """The element at a path inside another, as far as the profile speaks of it."""
    here: Element | None = element
    for step in steps:
        here = here and (here.children.get(step) or here.children.get(f"{step}[x]"))
    return here


def _within(value: Any, steps: list[str]) -> list[Any]:
    """The values at a path of a constant."""
    found = [value]
    for step in steps:
        found = [
            v
            for x in found
            if isinstance(x, dict) and step in x
            for v in ([x[step]] if not isinstance(x[step], list) else x[step])
        ]
    return found


def _reached(place: Place, steps: list[str]) -> list[Place]:
    found = [place]
    for step in steps:
        found = [p for at in found for p in below(at, step) or below(at, f"{step}[x]")]
    return found


def _resource_type(place: Place) -> str:
    return str(place.value.get("resourceType", "")) if isinstance(place.value, dict) else ""

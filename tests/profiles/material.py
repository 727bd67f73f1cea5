"""Good resources to judge: those of the examples, and bad ones that differ from a good one in a single point.

A fixture (``rejects/*.json``) names the rule that it breaks, the good resource, the patch (RFC 6902) that spoils it,
and the error that the HL7 validator must give for it: the id of its message, the element, its words. It may give no
other error than those that cannot but come along (``also``): R4 itself refuses some of it (an extension without a
value breaks ext-1), and the validator says some things twice.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonpatch
import jsonpointer

from mesofhir.fhir.exactjson import decode
from mesofhir.fhir.profiles import Violation, violations
from mesofhir.fhir.validation import validate
from tests.profiles.validator import Issue, handle

HERE = Path(__file__).parent
BUNDLES = sorted((HERE.parents[1] / "examples" / "fhir").rglob("*.bundle.json"))
FILES = sorted((HERE / "rejects").glob("*.json"))
DISAGREEMENTS = HERE / "disagreements.toml"
UNREACHABLE = HERE / "unreachable.toml"
OURS = "https://w3id.org/mesofhir/StructureDefinition/"
Resource = dict[str, Any]


@cache
def examples() -> Mapping[str, Resource]:
    """Every resource of the examples by its full URL."""
    entries = [entry for path in BUNDLES for entry in decode(path.read_bytes())["entry"]]
    return {entry["fullUrl"]: entry["resource"] for entry in entries}


@cache
def named() -> Mapping[str, str]:
    """``Procedure sessions|P1001-S1`` → its full URL."""
    return {name_of(resource): url for url, resource in examples().items()}


def name_of(resource: Resource) -> str:
    """``Procedure sessions|P1001-S1``."""
    own = resource["identifier"][0]
    return f"{resource['resourceType']} {own['system'].rpartition('/')[2]}|{own['value']}"


def references(value: Any) -> Iterator[Resource]:
    """All references in a resource."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def companions(resources: Iterable[Resource]) -> dict[str, Resource]:
    """What the examples have of that to which these refer, by full URL.

    They are those next to them only: what they refer to themselves, they name by identifier and type.
    """
    urls = {r["reference"] for resource in resources for r in references(resource)}
    found = {}
    for url in sorted(urls & examples().keys()):
        found[url] = jsonpatch.apply_patch(examples()[url], [])
        for reference in references(found[url]):
            if not reference["reference"].startswith("#"):
                del reference["reference"]
    return found


@dataclass(frozen=True)
class Good:
    """A resource that is accepted.

    :param of: the name of one of the examples
    :param patch: what makes it another one, as good
    :param whole: the resource itself, where the examples have none of its kind
    :param at: where it stands in the example, if it is contained
    """

    name: str
    of: str = ""
    patch: Sequence[Mapping[str, Any]] = ()
    whole: Resource | None = None
    at: str = ""

    @property
    def resource(self) -> Resource:
        base = self.whole or jsonpointer.resolve_pointer(examples()[named()[self.of]], self.at)
        good: Resource = jsonpatch.apply_patch(base, self.patch)
        return good


@dataclass(frozen=True)
class Reject:
    """A resource that is to be rejected.

    :param rule: the rule that it breaks, as :func:`mesofhir.fhir.profiles.rules_of` calls it
    :param id: of the validator's message
    :param element: where it says so
    :param text: how its words begin
    :param also: (id, element) of the errors that come along
    """

    rule: str
    good: Good
    patch: Sequence[Mapping[str, Any]]
    id: str
    element: str
    text: str
    also: frozenset[tuple[str, str]] = frozenset()

    @property
    def resource(self) -> Resource:
        spoilt: Resource = jsonpatch.apply_patch(self.good.resource, self.patch)
        return spoilt

    def answered(self, issues: Sequence[Issue]) -> bool:
        """Is it rejected with the error that was expected, and with no other?

        That a code is unknown, HAPI adds to a broken binding once it has expanded the value set (minutes after the
        package was installed), and not before.
        """
        own, added = (self.id, self.element), ("Terminology_PassThrough_TX_Message", self.element)
        expected, said = {own, *self.also}, {(i.id, i.element) for i in issues}
        main = [i for i in issues if (i.id, i.element) == own and i.text.startswith(self.text)]
        return bool(main) and said - {added} == expected - {added}


@dataclass(frozen=True)
class Sheet:
    """The fixtures of one profile or extension."""

    name: str
    goods: Sequence[Good]
    rejects: Sequence[Reject]


@cache
def sheet(path: Path) -> Sheet:
    """A file of fixtures."""
    said = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    goods = {name: Good(name, **good) for name, good in said["good"].items()}
    rejects = []
    for raw in said["rejects"]:
        also = frozenset((i, element) for i, element in raw.get("also", ()))
        rejects.append(Reject(**raw | {"good": goods[raw["good"]], "also": also}))
    return Sheet(path.stem, tuple(goods.values()), tuple(rejects))


def reasons(file: Path) -> dict[str, str]:
    """Rule → why it is not as the others."""
    said: dict[str, str] = tomllib.loads(file.read_text("utf-8"))
    return said


def staged(resources: Sequence[Resource]) -> tuple[list[Resource], list[str]]:
    """The resources and then their companions, each with its full URL: what a Bundle is made of."""
    beside = companions(resources)
    own = [handle(f"{n} {resource['resourceType']}") for n, resource in enumerate(resources)]
    return [*resources, *beside.values()], [*own, *beside]


def judged(resource: Resource, known: Mapping[str, Resource]) -> tuple[list[str], list[Violation]]:
    """What Python says: of R4 itself, and of our profiles.

    :param known: what references lead to, by full URL
    """
    base = [str(p) for p in validate(resource)]
    return base, violations(resource, resolve=lambda r: known.get(str(r.get("reference"))))

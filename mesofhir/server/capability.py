"""What a server says it can do: its CapabilityStatement (http://hl7.org/fhir/R4/capabilitystatement.html).

*Absent means unknown*, not no: HAPI declares neither ``updateCreate`` nor the ``batch`` interaction, and
does both. So what is not said is None here, to be settled by a preset or by a harmless probe
(``interop.md``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any, Final

_DEFINITION: Final = re.compile(r"http://hl7\.org/fhir/OperationDefinition/(?:[A-Z][A-Za-z]+-)?([a-z-]+)(?:\|.*)?")
VERSIONING: Final = ("no-version", "versioned", "versioned-update")
"""What a server does about versions: nothing, tell them, heed them in ``If-Match``
(http://hl7.org/fhir/R4/codesystem-versioning-policy.html)."""


@dataclass(frozen=True, slots=True)
class TypeCapability:
    """What is said about one resource type; None: not said.

    :param listed: the statement names the type
    :param interactions: codes such as ``create``, ``search-type``
    :param versioning: one of :data:`VERSIONING`
    :param search_params: names
    :param operations: names without the dollar: ``validate``, ``everything``
    """

    name: str
    listed: bool = False
    interactions: frozenset[str] | None = None
    conditional_create: bool | None = None
    conditional_update: bool | None = None
    update_create: bool | None = None
    versioning: str | None = None
    search_params: frozenset[str] | None = None
    operations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server says about itself; None: not said.

    :param fhir_version: such as ``4.0.1``
    :param software_date: when that software was released
    :param formats: codes and media types, as they stand there
    :param types: by resource type, as listed; :meth:`of` also knows the others
    :param lists: there is a list of types, whole: who is not in it is not taken
    :param transaction: a Bundle at the base, all or nothing
    :param batch: a Bundle at the base, each entry for itself
    :param operations: those at the base, as of a type
    """

    fhir_version: str | None = None
    formats: frozenset[str] | None = None
    software: str | None = None
    software_version: str | None = None
    software_date: str | None = None
    types: Mapping[str, TypeCapability] = field(default_factory=dict)
    lists: bool = False
    interactions: frozenset[str] | None = None
    transaction: bool | None = None
    batch: bool | None = None
    operations: frozenset[str] = frozenset()

    def of(self, resource_type: str) -> TypeCapability:
        """What is said about a type; for one that is not listed, nothing."""
        return self.types.get(resource_type) or TypeCapability(resource_type)

    @property
    def fingerprint(self) -> str:
        """The same as long as a server says the same of itself."""
        text = json.dumps(asdict(self), sort_keys=True, default=sorted)  # of a set the order is chance
        return blake2b(text.encode(), digest_size=12).hexdigest()


def read_capabilities(statement: Mapping[str, Any]) -> Capabilities:
    """The statement of a server, read leniently: what has the wrong shape counts as not said.

    It may describe a client, too; of that nothing is a server's. The search parameters of ``rest`` are those of every
    type. A type that is described twice has what either description gives it, and not what either denies.
    """
    software = statement.get("software")
    software = software if isinstance(software, dict) else {}
    sides = _dicts(statement.get("rest"))
    rest = next((each for each in sides if each.get("mode", "server") == "server"), {})
    codes = _codes(rest.get("interaction"), "code")
    everywhere = _codes(rest.get("searchParam"), "name") or frozenset()
    types: dict[str, TypeCapability] = {}
    for raw in _dicts(rest.get("resource")):
        if isinstance(raw.get("type"), str):
            said = _type(raw, everywhere)
            types[said.name] = _both(types[said.name], said) if said.name in types else said
    return Capabilities(
        fhir_version=_text(statement.get("fhirVersion")),
        formats=_texts(statement.get("format")),
        software=_text(software.get("name")),
        software_version=_text(software.get("version")),
        software_date=_text(software.get("releaseDate")),
        types=types,
        lists=isinstance(rest.get("resource"), list) or bool(sides and not rest),
        interactions=codes,
        transaction=True if codes and "transaction" in codes else None,
        batch=True if codes and "batch" in codes else None,
        operations=_operations(rest),
    )


def _type(raw: Mapping[str, Any], everywhere: frozenset[str]) -> TypeCapability:
    params = _codes(raw.get("searchParam"), "name")
    return TypeCapability(
        raw["type"],
        listed=True,
        interactions=_codes(raw.get("interaction"), "code"),
        conditional_create=_flag(raw.get("conditionalCreate")),
        conditional_update=_flag(raw.get("conditionalUpdate")),
        update_create=_flag(raw.get("updateCreate")),
        versioning=raw.get("versioning") if raw.get("versioning") in VERSIONING else None,
        search_params=None if params is None else params | everywhere,
        operations=_operations(raw),
    )


def _both(a: TypeCapability, b: TypeCapability) -> TypeCapability:
    """Two descriptions of one type, as one."""

    def flag(x: bool | None, y: bool | None) -> bool | None:
        return y if x is None else x if y is None else x and y

    policies = [v for v in (a.versioning, b.versioning) if v]
    return TypeCapability(
        a.name,
        listed=True,
        interactions=_united(a.interactions, b.interactions),
        conditional_create=flag(a.conditional_create, b.conditional_create),
        conditional_update=flag(a.conditional_update, b.conditional_update),
        update_create=flag(a.update_create, b.update_create),
        versioning=min(policies, key=VERSIONING.index, default=None),
        search_params=_united(a.search_params, b.search_params),
        operations=a.operations | b.operations,
    )


def _united(a: frozenset[str] | None, b: frozenset[str] | None) -> frozenset[str] | None:
    return b if a is None else a if b is None else a | b


def _operations(raw: Mapping[str, Any]) -> frozenset[str]:
    """By their names, and by HL7's definitions of them: a server may name ``$everything`` as it pleases."""
    found = _dicts(raw.get("operation"))
    named = {each["name"].lstrip("$") for each in found if isinstance(each.get("name"), str)}
    defined = [_DEFINITION.fullmatch(str(each.get("definition"))) for each in found]
    return frozenset(named | {match[1] for match in defined if match})


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _codes(value: Any, key: str) -> frozenset[str] | None:
    if not isinstance(value, list):
        return None
    return frozenset(each[key] for each in _dicts(value) if isinstance(each.get(key), str))


def _texts(value: Any) -> frozenset[str] | None:
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None

"""The write plan: how each resource type goes to a server, made before anything is sent (interop.md).

The first step of this table that the server allows is the one that a type takes:

===============  =================================================  =====================================
 step             the server must                                    how it is written
===============  =================================================  =====================================
 transaction      create it, take transactions, and conditional       one bundle, all or nothing
                  creates or a search
 batch            create it, take batches, and conditional            one bundle, each entry for itself
                  creates or a search
 single           create it, and conditional creates                 one request each
 search, single   create it, and a search                            one request each, after a search
 document         create DocumentReferences in one of these ways     a summary of the cycle to be read
 files            – (and a folder is named for them)                 a bundle for an interface engine
 not sent         –                                                  reported, and kept by the clinic
===============  =================================================  =====================================

Where the server heeds no conditional creates, or nobody knows, whatever is written is searched for first: there is
no POST without either. A change goes by id with If-Match, in the same way as a create, if the server takes updates
and keeps versions.

Where a Patient cannot be looked for by identifier, nobody knows about whom to write: nothing goes as itself, and with a
folder for files the whole history goes there.

Nothing here touches a server or a file: the plan is data, which the dry run and ``server check`` print and the
delivery carries out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from mesofhir.server.abilities import Abilities, Settled, TypeAbilities
from mesofhir.sync.planning.parts import Limits

DOCUMENT: Final = "DocumentReference"
PEOPLE: Final = ("Patient", "Practitioner")
Resource = Mapping[str, Any]


class Step(StrEnum):
    """How a resource goes; see the table of the module."""

    TRANSACTION = "transaction"
    BATCH = "batch"
    SINGLE = "single"
    SEARCH = "search, single"
    DOCUMENT = "document"
    FILES = "files"
    NONE = "not sent"

    @property
    def itself(self) -> bool:
        """Does the resource get there in its own form?"""
        return self in ITSELF

    @property
    def batched(self) -> bool:
        """Do many go in one request?"""
        return self in (Step.TRANSACTION, Step.BATCH)


ITSELF: Final = (Step.TRANSACTION, Step.BATCH, Step.SINGLE, Step.SEARCH)


@dataclass(frozen=True)
class TypePlan:
    """How one type goes.

    :param step: of the table
    :param blind: whatever is created is searched for first, since there is no conditional create
    :param ways: the searches by which ours are found, best first: ``identifier``, ``patient``, ``subject``, ``all``
    :param why: why not an earlier step; "" for the first
    :param update: whether a change can be written, with the reason
    """

    kind: str
    step: Step
    blind: bool
    ways: tuple[str, ...]
    why: str
    update: Settled
    able: TypeAbilities


@dataclass(frozen=True)
class Plan:
    """How a push goes on one server.

    :param abilities: of the server
    :param files: a folder is named for what the server does not take
    """

    abilities: Abilities
    files: bool = False
    _types: dict[str, TypePlan] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, kind: str) -> TypePlan:
        """How a type goes."""
        if kind not in self._types:
            self._types[kind] = self._planned(kind)
        return self._types[kind]

    def step(self, resource: Resource) -> tuple[Step, str]:
        """How one resource goes, and why not as itself where it does not: a vendor takes some only."""
        plan = self.of(str(resource["resourceType"]))
        if plan.step.itself and (refusal := plan.able.known.refusal(resource)):
            return self._fallen().step, f"the server takes a {plan.kind} {refusal} ({self._preset})"
        return plan.step, plan.why

    @property
    def limits(self) -> Limits:
        """How much goes in one bundle, or one request."""
        usual, said = Limits(), self.abilities.preset
        return Limits(said.entries or usual.entries, said.size or usual.size)

    @property
    def documents(self) -> bool:
        """Does a DocumentReference stand for what the server takes in no other form?"""
        return self.abilities.preset.documents and self.of(DOCUMENT).step.itself

    @property
    def patientless(self) -> str:
        """Why no Patient can be looked for; "" if one can."""
        able = self.abilities.of("Patient")
        if able.by("identifier"):
            return ""
        lacking = "not by identifier" if able.offers("search-type") else str(able["search-type"])
        return f"search of Patient: {lacking}"

    @property
    def otherwise(self) -> Step:
        """The step of what the server does not take as itself."""
        return self._fallen().step

    @property
    def _preset(self) -> str:
        return f"preset {self.abilities.preset.name}"

    def _planned(self, kind: str) -> TypePlan:
        able = self.abilities.of(kind)
        ways = tuple(way for way in WAYS if _searchable(able, way))
        if self.files and self.patientless and kind not in PEOPLE:
            return self._as(Step.FILES, able, ways, self.patientless)
        lacking: list[str] = []
        for rule in RULES:
            missing = rule.missing(_Asked(self.abilities, able, bool(ways)))
            if not missing:
                return self._as(rule.step, able, ways, "; ".join(dict.fromkeys(lacking)))
            lacking += missing
        fallen = self._fallen() if kind != DOCUMENT else _Fallen(Step.NONE, "")
        why = "; ".join(dict.fromkeys([*_first(lacking), fallen.why]))
        return self._as(fallen.step, able, ways, why.strip("; "))

    def _as(self, step: Step, able: TypeAbilities, ways: tuple[str, ...], why: str) -> TypePlan:
        update = able["update"]
        if able.if_match.can is False:  # a change could be written over another's
            update = Settled(False, f"no versions: {able.if_match.by}")
        return TypePlan(able.kind, step, not able.conditional_create, ways, why, update, able)

    def _fallen(self) -> _Fallen:
        """Where goes what the server does not take as itself."""
        if self.documents:
            return _Fallen(Step.DOCUMENT, "")
        why = "no documents: preset" if not self.abilities.preset.documents else f"no {DOCUMENT} either"
        return _Fallen(Step.FILES, why) if self.files else _Fallen(Step.NONE, f"{why}; no folder for files")


@dataclass(frozen=True)
class _Fallen:
    step: Step
    why: str


WAYS: Final = ("identifier", "patient", "subject", "all")


def _searchable(able: TypeAbilities, way: str) -> bool:
    return able.offers("search-type") if way == "all" else able.by(way)


# --- the table ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """What the rules look at: a server, a type, and whether ours of that type can be searched for."""

    server: Abilities
    type: TypeAbilities
    findable: bool


Need = Callable[[_Asked], tuple[bool, str]]


def _create(x: _Asked) -> tuple[bool, str]:
    return bool(x.type["create"]), f"create: {x.type['create']}"


def _transaction(x: _Asked) -> tuple[bool, str]:
    return bool(x.server.transaction), f"transaction: {x.server.transaction}"


def _batch(x: _Asked) -> tuple[bool, str]:
    return bool(x.server.batch), f"batch: {x.server.batch}"


def _condition(x: _Asked) -> tuple[bool, str]:
    return bool(x.type.conditional_create), f"conditional create: {x.type.conditional_create}"


def _search(x: _Asked) -> tuple[bool, str]:
    return x.findable, f"search: {x.type['search-type']}"


def _condition_or_search(x: _Asked) -> tuple[bool, str]:
    told, other = _condition(x), _search(x)
    return told[0] or other[0], f"{told[1]}, {other[1]}"


@dataclass(frozen=True)
class Rule:
    """A step, and what the server must do for it."""

    step: Step
    needs: tuple[Need, ...]

    def missing(self, asked: _Asked) -> list[str]:
        """What it does not do, or is not known to do."""
        return [why for met, why in (need(asked) for need in self.needs) if not met]


RULES: Final = (
    Rule(Step.TRANSACTION, (_create, _transaction, _condition_or_search)),
    Rule(Step.BATCH, (_create, _batch, _condition_or_search)),
    Rule(Step.SINGLE, (_create, _condition)),
    Rule(Step.SEARCH, (_create, _search)),
)


def _first(lacking: Iterable[str]) -> list[str]:
    """What decided: where a type is not taken at all, the rest does not matter."""
    all_ = list(dict.fromkeys(lacking))
    return all_[:1] if all_ and all_[0].startswith("create") else all_

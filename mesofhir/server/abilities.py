"""What may be asked of a server: its CapabilityStatement, a preset and what probes have shown, settled together.

=============  ==========  ==========  =====================================
 declared       preset      probed      so it is
=============  ==========  ==========  =====================================
 no             any         any         no: what a server denies is not sent
 any            no          any         no: vendors declare more than they do
 yes            yes, –      any         yes
 –              yes         any         yes
 –              –           yes, no     what the probe showed
 –              –           –           not known
=============  ==========  ==========  =====================================

A list of interactions, of search parameters or of operations is taken as whole where there is one; that of resource
types is too (*a Resource will only appear if the server actually has some capabilities*,
http://hl7.org/fhir/R4/capabilitystatement.html), but a preset or a probe may know more: the embedded server takes
Goals and does not list them. What is not known is not written; it may be read, since a read changes nothing.

:meth:`Abilities.refusal` stands at the one door to the network, and answers in the server's stead what the server
would refuse: so nothing is sent that it does not offer, whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl

from mesofhir.server.capability import Capabilities, TypeCapability
from mesofhir.server.preset import NOTHING, Preset, TypePreset
from mesofhir.server.probed import Probed

INTERACTIONS: Final = ("create", "read", "update", "search-type", "history-instance")
_HARMLESS: Final = frozenset({"read", "search-type", "history-instance"})
_RELEASES: Final = ("4.0.", "4.3.")
"""What we write, R4 (4.0.1, or 4.0 as some say), is read by a server of R4B as it stands; not by one of STU3 or R5."""
_RESULT: Final = frozenset({"_count", "_sort", "_summary", "_total", "_elements", "_format", "_pretty"})
"""Parameters about how a result looks: they are in no list of search parameters."""
_NAMES: Final = frozenset({"identifier", "url"})
"""What the conditions of our creates go by: a record by its identifier, a definition by its URL."""
NOT_LISTED: Final = "not listed"


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether something can be asked; None: not known.

    :param by: who says so: ``declared``, ``preset epic-like``, ``probed``, or why nobody does
    """

    can: bool | None
    by: str

    def __bool__(self) -> bool:
        return self.can is True

    def __str__(self) -> str:
        word = {True: "yes", False: "no", None: "unknown"}[self.can]
        return f"{word} ({self.by})"


def settle(declared: bool | None, said: bool | None, probed: bool | None, preset: str, silence: str) -> Settled:
    """The table above.

    :param said: by the preset
    :param preset: its name
    :param silence: why nothing is declared
    """
    if declared is False:
        return Settled(False, "declared")
    if said is False:
        return Settled(False, f"preset {preset}")
    if declared:
        return Settled(True, "declared")
    if said:
        return Settled(True, f"preset {preset}")
    if probed is not None:
        return Settled(probed, "probed")
    return Settled(None, silence)


@dataclass(frozen=True)
class TypeAbilities:
    """What may be asked of one resource type.

    :param interactions: those of :data:`INTERACTIONS`, settled
    :param declared: all that the statement names
    :param operations: without the dollar
    :param params: the search parameters; None: not known
    :param known: what the preset knows of it
    """

    kind: str
    interactions: Mapping[str, Settled]
    conditional_create: Settled
    if_match: Settled
    declared: frozenset[str]
    operations: frozenset[str]
    params: frozenset[str] | None
    known: TypePreset

    def __getitem__(self, interaction: str) -> Settled:
        return self.interactions[interaction]

    def by(self, parameter: str) -> bool:
        """Can it be searched so, as far as is known?"""
        return self.offers("search-type") and (self.params is None or parameter in self.params)

    def offers(self, interaction: str) -> bool:
        """May an interaction be asked for? Reads may be where nothing is said of them."""
        settled = self.interactions.get(interaction)
        if settled is None:  # vread, patch…: nobody settles those
            return interaction in self.declared
        return bool(settled) or (settled.can is None and settled.by != NOT_LISTED and interaction in _HARMLESS)


@dataclass(frozen=True)
class Abilities:
    """What may be asked of a server.

    :param said: its statement
    :param preset: what is known beside it
    :param probed: what probes have shown
    """

    said: Capabilities
    preset: Preset = NOTHING
    probed: Probed = field(default_factory=Probed)

    @cached_property
    def unfit(self) -> str:
        """Why nothing can be said to the server at all: it speaks another release, or no JSON; "" if it can."""
        said = self.said
        if said.fhir_version and not f"{said.fhir_version}.".startswith(_RELEASES):
            return f"FHIR R4: the server speaks {said.fhir_version[:20]}, we write 4.0.1"
        if said.formats and not any("json" in each.lower() for each in said.formats):
            return f"JSON: the server speaks {', '.join(sorted(said.formats))[:80]} only"
        return ""

    @cached_property
    def transaction(self) -> Settled:
        """A bundle, all or nothing."""
        return self._settled("transaction", self.said.transaction, self.preset.transaction)

    @cached_property
    def batch(self) -> Settled:
        """A bundle, each entry for itself."""
        return self._settled("batch", self.said.batch, self.preset.batch)

    def of(self, kind: str) -> TypeAbilities:
        """What may be asked of a type."""
        if kind not in self._types:
            self._types[kind] = self._type(self.said.of(kind))
        return self._types[kind]

    def refusal(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        form: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Why a request is not sent; "" if it may be.

        An absolute URL is the server's own (a link of its): it is asked.
        """
        if "://" in path.split("?", 1)[0]:
            return ""
        place, _, query = path.partition("?")
        parts = [part for part in place.split("/") if part]
        if self.unfit and parts != ["metadata"]:
            return self.unfit
        if not parts:
            return self._bundle(method, body or {})
        if parts[0].startswith(("$", "_", "metadata", ".well-known")):
            return self._of_the_base(parts[0])
        conditions = {name.lower(): value for name, value in (headers or {}).items()}
        named = [*parse_qsl(query, keep_blank_values=True), *form]
        return self._of_a_type(method, parts, [name for name, _ in named], conditions)

    # --- settling -----------------------------------------------------------------------------------------

    @cached_property
    def _types(self) -> dict[str, TypeAbilities]:
        return {}

    def _settled(self, name: str, declared: bool | None, said: bool | None, silence: str = "not said") -> Settled:
        return settle(declared, said, self.probed.answers.get(name), self.preset.name, silence)

    def _type(self, said: TypeCapability) -> TypeAbilities:
        open_ = said.listed or not self.said.lists
        known = self.preset.of(said.name, listed=open_)
        silence = "not said" if open_ else NOT_LISTED

        def settled(name: str, declared: bool | None, of_preset: bool | None) -> Settled:
            return self._settled(f"{said.name} {name}", declared, of_preset, silence)

        def interaction(name: str) -> Settled:
            declared = None if said.interactions is None else name in said.interactions
            return settled(name, declared, None if known.can is None else name in known.can)

        heeded = {"versioned-update": True, "no-version": False}.get(said.versioning or "")
        params = known.search if said.search_params is None else said.search_params
        if params is not None and known.search is not None:
            params &= known.search
        condition = settled("conditional create", said.conditional_create, known.conditional_create)
        if condition and params is not None and not params & _NAMES:
            condition = Settled(False, "no search by identifier")  # whatever the condition is, it would not be ours
        return TypeAbilities(
            said.name,
            {name: interaction(name) for name in INTERACTIONS},
            condition,
            settled("If-Match", heeded, known.if_match),
            said.interactions or frozenset(),
            said.operations,
            params,
            known,
        )

    # --- requests -----------------------------------------------------------------------------------------

    def _of_the_base(self, part: str) -> str:
        if part in ("metadata", ".well-known") or part.lstrip("$") in self.said.operations:
            return ""
        if part == "_history" and "history-system" in (self.said.interactions or ()):
            return ""
        return f"the server does not declare {part}"

    def _of_a_type(self, method: str, parts: Sequence[str], names: Sequence[str], conditions: Mapping[str, str]) -> str:
        kind = self.of(parts[0])
        asked = _interaction(method, parts[1:])
        if asked.startswith("$"):
            declared = kind.operations | self.said.operations
            return "" if asked[1:] in declared else f"the server does not declare {asked} of {parts[0]}"
        if not kind.offers(asked):
            return f"the server does not declare {asked} of {parts[0]}"
        if asked == "search-type":
            unknown = [n for n in map(_plain, names) if not (n in _RESULT or kind.by(n))]
            return f"the server does not declare a search of {parts[0]} by {unknown[0]}" if unknown else ""
        if "if-none-exist" in conditions and not kind.conditional_create:
            return f"the server does not declare a conditional create of {parts[0]}"
        for name, _ in parse_qsl(conditions.get("if-none-exist", "")):
            if kind.params is not None and name not in kind.params:
                return f"the server does not declare a search of {parts[0]} by {name}"
        if "if-match" in conditions and kind.if_match.can is False:
            return f"the server keeps no versions of {parts[0]}"
        return ""

    def _bundle(self, method: str, body: Mapping[str, Any]) -> str:
        kind = str(body.get("type"))
        able = {"transaction": self.transaction, "batch": self.batch}.get(kind)
        if method != "POST" or not able:
            return f"the server does not declare {kind}"
        entries = body.get("entry", ())
        if self.preset.entries is not None and len(entries) > self.preset.entries:
            return f"the server takes at most {self.preset.entries} in a bundle, not {len(entries)}"
        return next(filter(None, map(self._entry, entries)), "")

    def _entry(self, entry: Mapping[str, Any]) -> str:
        request = entry.get("request", {})
        named = {"ifNoneExist": "If-None-Exist", "ifMatch": "If-Match"}
        conditions = {header: str(request[name]) for name, header in named.items() if name in request}
        return self.refusal(str(request.get("method")), str(request.get("url")), headers=conditions)


def _interaction(method: str, rest: Sequence[str]) -> str:
    """FHIR's code of a request to a type, by what stands after the type in its path."""
    if rest and rest[-1].startswith("$"):
        return rest[-1]
    if not rest or rest == ["_search"]:
        return "create" if method == "POST" and not rest else "search-type"
    if rest[0] == "_history":
        return "history-type"
    if rest[1:2] == ["_history"]:
        return "vread" if rest[2:] else "history-instance"
    return {"GET": "read", "HEAD": "read", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, method)


def _plain(parameter: str) -> str:
    """A search parameter without modifier and chain."""
    return re.split(r"[:.]", parameter, maxsplit=1)[0]

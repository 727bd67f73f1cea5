"""Histories before a server's own validator, by our profiles; nothing is stored there.

A history goes as one Bundle, so that its references lead somewhere. Whether the server looks into a Bundle, and whether
it judges by our profiles, is not asked but tried: with a good resource and a bad one, both of nobody. A server that
does not look into Bundles gets each resource alone, its references reduced to identifier and display.

A server that shows no profile of ours is not tried: a validator that was asked for a profile that it lacks may remember
that (HAPI for 5 to 10 minutes), also when `profiles install` has put it there meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from mesofhir.errors import NotAllDone, Problem, Refused
from mesofhir.fhir.profiles import ours, rules_of
from mesofhir.fhir.references import own_name, references
from mesofhir.formats import Item
from mesofhir.mapping import Clinic, Link
from mesofhir.mapping.clinic import profile, tail
from mesofhir.mapping.fields import field_at
from mesofhir.records import Fault
from mesofhir.server import Finding, Server

Resource = dict[str, Any]
_MESSAGE_ID: Final = re.compile(r"^\S*_\S*\s+")  # HAPI's, such as Validation_VAL_Profile_Minimum: no words for people
_NOBODY: Final = {"system": "https://w3id.org/mesofhir/probe", "value": "nobody"}
_HL7: Final = "http://terminology.hl7.org/CodeSystem/"
_GOOD: Final[Resource] = {
    "resourceType": "Condition",
    "meta": {"profile": [profile("mesotherapy-indication")]},
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">A probe of nobody</div>'},
    "identifier": [_NOBODY],
    "clinicalStatus": {"coding": [{"system": f"{_HL7}condition-clinical", "code": "active"}]},
    "verificationStatus": {"coding": [{"system": f"{_HL7}condition-ver-status", "code": "confirmed"}]},
    "code": {"text": "Probe"},
    "subject": {"type": "Patient", "identifier": _NOBODY, "display": "Nobody"},
}
_BAD: Final = {k: v for k, v in _GOOD.items() if k != "identifier"}
"""Good by R4, but each resource of ours has an identifier."""


class ProfilesUnknown(NotAllDone):
    """The server has a validator, but not our profiles."""


@dataclass(frozen=True)
class _Sent:
    """A resource that is judged.

    :param link: whose it is; None for one that claims a profile of ours and is nobody's record
    :param name: the literals that lead to it
    """

    link: Link | None
    resource: Resource
    row: Mapping[str, Any]
    names: Sequence[str]


class ServerJudge:
    """A server as a judge.

    :raises ProfilesUnknown: it does not know our profiles
    :raises Refused: it has no ``$validate``
    """

    def __init__(self, server: Server, clinic: Clinic) -> None:
        self.server, self.clinic = server, clinic
        server.abilities()  # from here on nothing is asked that it does not offer
        shown = self._shown()
        self.bundles = shown and self._knows_whole()
        if not self.bundles and not (shown and self._knows(self._single, [_GOOD, _BAD])):
            raise ProfilesUnknown(
                f"{server.url} does not judge by the profiles of mesofhir: `mesofhir profiles install` puts them "
                "there (and a server may need a while, or a restart, until its validator has them)"
            )

    def _shown(self) -> bool:
        """Has it the profile of the probe? One that does not let us look for it may have it all the same."""
        try:
            return any(self.server.search("StructureDefinition", [("url", _GOOD["meta"]["profile"][0])], count=1))
        except Refused:
            return True

    def _knows_whole(self) -> bool:
        """Does it judge a Bundle of them? One that has no ``$validate`` of Bundles may have those of the types."""
        try:
            return self._knows(self._whole, [_GOOD, _BAD])
        except Refused:
            return False

    def _knows(self, ask: Any, probes: list[Resource]) -> bool:
        try:
            good, bad = ([f for f in found if f.issue.failed] for found in ask(probes))
        except _Unplaced:
            return False
        return not good and bool(bad)

    def judge(self, item: Item) -> Iterator[tuple[Problem, bool]]:
        """What the server says of the resources of a history (problem, is it an error), in the terms of the record."""
        sent = list(_of(item, self.clinic))
        for one, found in zip(sent, self._ask(sent), strict=True):
            for finding in found:
                if finding.issue.severity != "information":
                    yield self._problem(item, one, finding), finding.issue.failed

    # --- asking -----------------------------------------------------------------------------------------------

    def _ask(self, sent: list[_Sent]) -> Iterable[list[Finding]]:
        if self.bundles:
            urls = {name: f"urn:uuid:{_uuid(n)}" for n, one in enumerate(sent) for name in one.names}
            try:
                return self._whole([_referring(one.resource, urls) for one in sent])
            except _Unplaced:
                pass  # one of them could not even be read: which one, the next requests tell
        return self._single([_referring(one.resource, {}) for one in sent])

    def _whole(self, resources: list[Resource]) -> list[list[Finding]]:
        """:raises _Unplaced: something is wrong, and the server does not say with which of them"""
        entries = [{"fullUrl": f"urn:uuid:{_uuid(n)}", "resource": x} for n, x in enumerate(resources)]
        found: list[list[Finding]] = [[] for _ in resources]
        for f in self.server.validate({"resourceType": "Bundle", "type": "collection", "entry": entries}):
            if f.entry is not None and f.entry < len(found):
                found[f.entry].append(f)
            elif f.issue.failed:
                raise _Unplaced
        return found

    def _single(self, resources: list[Resource]) -> list[list[Finding]]:
        return [self.server.validate(resource) for resource in resources]

    # --- telling ----------------------------------------------------------------------------------------------

    def _problem(self, item: Item, one: _Sent, finding: Finding) -> Problem:
        rule = next((r for r in _rules(finding.invariant) if r.name == finding.invariant), None)
        words = _MESSAGE_ID.sub("", finding.issue.text) or finding.issue.code
        said = f"{rule.what}, says the server" if rule else f"the server says: {words}"
        what, expected, kind = said, rule.expected if rule else "", one.resource["resourceType"]
        hint = f"FHIR: {kind} {finding.path}" + (f"; rule {finding.invariant}" if rule else "")
        if one.link is None:
            return Problem(f"{item.where}: {own_name(one.resource) or kind}", what, expected, hint)
        at = field_at(self.clinic, one.link, one.resource, finding.path, one.row)
        return item.problem(Fault(at.table, at.key, at.field, "", what, expected, hint))


class _Unplaced(Exception):
    """The server says that something is wrong with a Bundle, and not with which entry."""


def _rules(invariant: str) -> Iterable[Any]:
    name = invariant.partition("#")[0]
    return rules_of(name) if name in ours().ids else ()


def _of(item: Item, clinic: Clinic) -> Iterator[_Sent]:
    """What stands in a source of FHIR as it stands there, and what the history becomes besides."""
    for link, resource in item.sources.items():
        names = {clinic.handle(link), own_name(resource), item.urls.get(link, "")}
        yield _Sent(link, resource, {}, [*names - {""}, f"{link.kind}/{clinic.handle(link)}"])
    for kept in item.kept:
        if ours().claimed(kept.resource):
            yield _Sent(None, kept.resource, {}, [own_name(kept.resource)])
    for m in item.graph(clinic).made:
        if m.link not in item.sources:
            yield _Sent(m.link, m.resource, m.row, [f"{m.link.kind}/{m.handle}"])


def _referring(resource: Resource, urls: Mapping[str, str]) -> Resource:
    """The resource with its references to these URLs; a reference to anything else keeps identifier, type, display."""
    copy = deepcopy(resource)
    for reference in references(copy):
        literal = reference["reference"]
        kind = tail(literal).split("/")[0] if "/" in tail(literal) else ""
        if url := urls.get(literal) or urls.get(tail(literal)):
            reference["reference"] = url
            continue
        del reference["reference"]
        if kind and not kind.startswith("urn:"):
            reference.setdefault("type", kind)
        if not reference:
            reference["display"] = "not in the source"
    return copy


def _uuid(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012d}"

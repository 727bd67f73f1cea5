"""Putting our conformance resources on a server: code system, value sets, extensions, profiles, protocols.

They are found again by canonical URL and version (R4 references.html#canonical), never by id. What is there in another
version stays as it is: profiles of two versions live side by side. What is there in the same version and says the
same is left alone, so that a second installation makes no new versions.

A resource comes after those that it names, since servers check that: HAPI refuses to validate against a profile whose
value sets it has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mesofhir.errors import Refused, UnknownOutcome
from mesofhir.fhir.profiles import Package
from mesofhir.server import Server, TransactionFailed

Resource = Mapping[str, Any]
Word = Literal["new", "changed", "same", "refused", "unknown"]

WORDS: Final[tuple[Word, ...]] = ("new", "changed", "same", "refused", "unknown")
ORDER: Final = ("CodeSystem", "ValueSet", "StructureDefinition", "ActivityDefinition", "CapabilityStatement")
_THEIRS: Final = ("id", "meta", "text")
"""What a server adds to a resource of its own accord."""


@dataclass(frozen=True)
class Installed:
    """What became of one resource, or would become of it.

    :param why: of one that was refused, or whose outcome is not known
    """

    resource: Resource
    word: Word
    why: str = ""


def ordered(package: Package) -> list[Resource]:
    """All resources of a package, each after those that it names."""
    listed = [r for kind in ORDER for r in package.of(kind)]
    out: dict[str, Resource] = {}

    def place(resource: Resource, above: tuple[str, ...] = ()) -> None:
        if resource["url"] in out or resource["url"] in above:
            return  # profiles that name each other: either may come first
        for url in _named(resource):
            if (other := package.get(url)) is not None:
                place(other, (*above, resource["url"]))
        out[resource["url"]] = resource

    for resource in sorted(listed, key=lambda r: (ORDER.index(r["resourceType"]), r.get("type") != "Extension")):
        place(resource)
    return list(out.values())


def _named(x: Any) -> Iterator[str]:
    """The canonical URLs that a resource names, but for those of examples and of itself."""
    if isinstance(x, Mapping):
        for key, value in x.items():
            if key in ("valueSet", "profile", "targetProfile", "baseDefinition", "supportedProfile", "system"):
                yield from ([value] if isinstance(value, str) else [v for v in value if isinstance(v, str)])
            if isinstance(value, Mapping | list):
                yield from _named(value)
    elif isinstance(x, list):
        for item in x:
            yield from _named(item)


def install(
    server: Server, package: Package, *, dry_run: bool = False, say: Callable[[Installed], None] = lambda _: None
) -> list[Installed]:
    """Put a package on a server.

    :param dry_run: only look what would be done
    :param say: told of each resource as soon as it is done
    :raises Unreachable: the server cannot be asked, or not by us
    """
    server.abilities()  # from here on nothing is asked that it does not offer
    found = {kind: _held(server, kind, package) for kind in ORDER if package.of(kind)}
    out = []
    for resource in ordered(package):
        held = found[resource["resourceType"]]
        done = Installed(resource, "refused", held) if isinstance(held, str) else _one(server, resource, held, dry_run)
        say(done)
        out.append(done)
    return out


Held = dict[tuple[str, str], dict[str, Any]]


def _held(server: Server, kind: str, package: Package) -> Held | str:
    """What the server has of ours, by URL and version; why that cannot be known."""
    urls = {str(r["url"]) for r in package.of(kind)}
    try:
        found = list(server.search(kind, [("url", ",".join(sorted(urls)))]))
    except Refused as why:
        reason = why.issues[0] if why.issues else str(why)
        return f"the server does not let us look for a {kind} by its URL: {reason}"
    held: Held = {}
    for r in found:
        if r.get("url") in urls:
            held.setdefault((r["url"], str(r.get("version", ""))), r)
    return held


def _one(server: Server, resource: Resource, held: Held, dry_run: bool) -> Installed:
    theirs = held.get((resource["url"], resource["version"]))
    if theirs is not None and _says(theirs) == _says(resource):
        return Installed(resource, "same")
    word: Word = "new" if theirs is None else "changed"
    if dry_run:
        return Installed(resource, word)
    try:
        if theirs is None:
            query = f"url={resource['url']}&version={resource['version']}"
            made = server.create({k: v for k, v in resource.items() if k != "id"}, if_none_exist=query)
            word = "new" if made.status == 201 else "same"  # somebody else was faster
        else:
            meta = theirs.get("meta", {})
            kept = {"id": theirs["id"]} | ({"meta": meta} if meta else {})
            server.update({**resource, **kept}, version=str(meta.get("versionId", "")))
    except UnknownOutcome as why:
        return Installed(resource, "unknown", str(why))
    except (TransactionFailed, Refused) as why:
        return Installed(resource, "refused", str(why))
    return Installed(resource, word)


def _says(resource: Resource) -> dict[str, Any]:
    return {k: v for k, v in resource.items() if k not in _THEIRS}


def exit_code(done: list[Installed]) -> int:
    """4 where something was refused, 6 where an outcome is not known (architecture, exit codes)."""
    words = {i.word for i in done}
    return UnknownOutcome.exit_code if "unknown" in words else Refused.exit_code if "refused" in words else 0

"""What a simulated server holds: resources by type and id, every version of them, and searches over the newest."""

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Resource = dict[str, Any]
Name = tuple[str, str]  # type, id


@dataclass
class Store:
    """Versions, oldest first; ids that no client could have chosen."""

    held: dict[Name, list[Resource]] = field(default_factory=dict)
    count: int = 0

    def copy(self) -> "Store":
        return Store({name: list(versions) for name, versions in self.held.items()}, self.count)

    def now(self, kind: str, id: str) -> Resource | None:
        versions = self.held.get((kind, id))
        return versions[-1] if versions else None

    def new_id(self) -> str:
        self.count += 1
        return f"s{self.count}"

    def put(self, kind: str, id: str, resource: Resource) -> Resource:
        """A new version, whatever it says: a PUT erases what it omits."""
        versions = self.held.setdefault((kind, id), [])
        number = len(versions) + 1
        meta = resource.get("meta", {}) | {"versionId": str(number), "lastUpdated": f"2026-01-01T00:00:{number:02}Z"}
        versions.append(copy.deepcopy(resource) | {"id": id, "meta": meta})
        return versions[-1]

    def of(self, kind: str) -> Iterator[Resource]:
        yield from (versions[-1] for (k, _), versions in self.held.items() if k == kind)

    def search(self, kind: str, params: Sequence[tuple[str, str]]) -> list[Resource]:
        """By ``identifier``, ``patient``, ``subject`` and ``_id``; anything else finds nothing."""
        asked = [(n, v) for n, v in params if n not in ("_count", "_summary", "_sort", "_total")]
        return [x for x in self.of(kind) if all(_matches(x, n, v) for n, v in asked)]


def _matches(x: Resource, name: str, value: str) -> bool:
    alternatives = re.split(r"(?<!\\),", value)
    if name == "_id":
        return x["id"] in alternatives
    if name in ("patient", "subject"):
        about = (x.get("subject") or x.get("patient") or {}).get("reference", "")
        return about in {v if "/" in v else f"Patient/{v}" for v in alternatives}
    return name == "identifier" and any(_identified(x, v) for v in alternatives)


def _identified(x: Resource, token: str) -> bool:
    parts = [re.sub(r"\\(.)", r"\1", p) for p in re.split(r"(?<!\\)\|", token)]
    pairs = [(i.get("system", ""), i.get("value", "")) for i in x.get("identifier", ())]
    if len(parts) == 1:
        return parts[0] in [v for _, v in pairs]
    return any(system == parts[0] and parts[1] in ("", value) for system, value in pairs)

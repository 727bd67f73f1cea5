"""What a reading left over, and what a writing replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mesofhir.fhir.picture.core import equal


def leaves(x: Any, path: str = "$") -> Iterator[str]:
    """The paths of all values that are neither object nor list."""
    if isinstance(x, dict):
        for k, v in x.items():
            yield from leaves(v, f"{path}.{k}")
    elif isinstance(x, list):
        for i, v in enumerate(x):
            yield from leaves(v, f"{path}[{i}]")
    else:
        yield path


def unaccounted(x: Any, seen: list[str]) -> list[str]:
    """The leaves that no picture accounted for: the loss report."""
    places = set(seen)

    def held(path: str) -> bool:
        while path:
            if path in places:
                return True
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return False

    return [p for p in leaves(x) if not held(p)]


def changes(old: Any, new: Any, path: str = "$") -> Iterator[str]:
    """The paths of the values of ``old`` that ``new`` replaces or takes away; additions are not listed."""
    if isinstance(old, dict) and isinstance(new, dict):
        for k, v in old.items():
            yield from changes(v, new.get(k), f"{path}.{k}")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) <= len(new):
            for i, v in enumerate(old):
                yield from changes(v, new[i], f"{path}[{i}]")
        else:
            for i, v in enumerate(old):
                if v not in new:
                    yield f"{path}[{i}]"
    elif not equal(old, new):
        yield path

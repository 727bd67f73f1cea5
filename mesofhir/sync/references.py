"""References between our handles and what a server calls the same resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def renamed(x: Any, names: Mapping[str, str]) -> Any:
    """``x`` with its literal references renamed, where a name is known."""
    if isinstance(x, list):
        return [renamed(y, names) for y in x]
    if not isinstance(x, dict):
        return x
    out = {k: renamed(v, names) if isinstance(v, dict | list) else v for k, v in x.items()}
    literal = out.get("reference")
    if isinstance(literal, str) and literal in names:
        out["reference"] = names[literal]
    return out


def unlinked(x: Any, gone: Mapping[str, str]) -> Any:
    """``x`` without the literals of what the server did not take: identifier and display stay (decision 10)."""
    if isinstance(x, list):
        return [unlinked(y, gone) for y in x]
    if not isinstance(x, dict):
        return x
    out = {k: unlinked(v, gone) if isinstance(v, dict | list) else v for k, v in x.items()}
    if out.get("reference") in gone:
        del out["reference"]
    return out


def literals(x: Any) -> Iterator[str]:
    """The literal references in ``x``, those to its own parts (``#…``) left out."""
    for y in x.values() if isinstance(x, dict) else x if isinstance(x, list) else ():
        if isinstance(y, dict | list):
            yield from literals(y)
    if isinstance(x, dict) and isinstance(x.get("reference"), str) and not x["reference"].startswith("#"):
        yield x["reference"]

"""Literal references between resources: found, and renamed (FHIR R4, 2.3.0.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def references(x: Any) -> Iterator[dict[str, Any]]:
    """The References in ``x`` that have a literal, those to its own parts (``#…``) left out.

    Not recursive: what an input nests is not trusted with our stack.
    """
    waiting = [x]
    while waiting:
        x = waiting.pop()
        if isinstance(x, dict):
            literal = x.get("reference")
            if isinstance(literal, str) and not literal.startswith("#"):
                yield x
            waiting += [y for y in x.values() if isinstance(y, dict | list)]
        elif isinstance(x, list):
            waiting += [y for y in x if isinstance(y, dict | list)]


def literals(x: Any) -> set[str]:
    """The literal references in ``x``."""
    return {r["reference"] for r in references(x)}


def renamed(x: Any, name: Callable[[str], str | None]) -> Any:
    """``x`` with its literal references renamed; ``x`` itself is left as it is.

    :param name: the new literal; None takes it away, so that identifier and display stay alone
    """
    if isinstance(x, list):
        return [renamed(y, name) for y in x]
    if not isinstance(x, dict):
        return x
    out = {k: renamed(v, name) if isinstance(v, dict | list) else v for k, v in x.items()}
    literal = out.get("reference")
    if isinstance(literal, str) and not literal.startswith("#"):
        out["reference"] = name(literal)
        if out["reference"] is None:
            del out["reference"]
    return out


def completed(x: Any, name: Callable[[str, dict[str, Any]], str | None]) -> Any:
    """``x`` with a literal in each reference by type and identifier alone that has a name; ``x`` is left as it is.

    :param name: the literal for a type and an identifier; None leaves the reference as it is
    """
    if isinstance(x, list):
        return [completed(y, name) for y in x]
    if not isinstance(x, dict):
        return x
    kind, identifier = x.get("type"), x.get("identifier")
    if isinstance(kind, str) and isinstance(identifier, dict) and "reference" not in x:
        literal = name(kind, identifier)
        return {"reference": literal, **x} if literal else x
    return {k: completed(v, name) if isinstance(v, dict | list) else v for k, v in x.items()}


def without(x: Any, gone: Callable[[dict[str, Any]], bool]) -> Any:
    """``x`` without the References that are ``gone``, and without what they leave empty; None if that is all of it."""
    if isinstance(x, list):
        kept = [y for y in (without(y, gone) for y in x) if y is not None]
        return kept or None
    if not isinstance(x, dict):
        return x
    if isinstance(x.get("reference"), str) and gone(x):
        return None
    out = {k: without(v, gone) if isinstance(v, dict | list) else v for k, v in x.items()}
    return {k: v for k, v in out.items() if v is not None}


def own_name(resource: Mapping[str, Any]) -> str:
    """``Type/id``; "" for a resource without id."""
    logical = resource.get("id")
    return f"{resource.get('resourceType')}/{logical}" if isinstance(logical, str) and logical else ""

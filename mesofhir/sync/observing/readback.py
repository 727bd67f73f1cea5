"""Read-back: what a server made of what it was sent, element by element. Pure: two resources in, findings out.

Every value that was sent is looked for in what is stored, those that a picture wrote and those of the EHR's own that an
update sent along. Paths are those of the elements, without positions and with the names of extensions, so that they
add up over resources and hold no data: ``extension(injection-depth).valueQuantity.value``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from mesofhir.fhir.picture import leaves

What = Literal["kept", "order", "whitespace", "precision", "instant", "reference", "narrative", "changed", "dropped"]
"""
============  =========================================================================================
 kept          to the letter
 order         the items of a list stand in another order, which says nothing (of given names it does)
 whitespace    blanks at the ends of a text are gone, or several have become one, or a line end a blank
 precision     the same number with other digits: ``1.50`` came back as ``1.5``
 instant       the same instant, written otherwise
 reference     the same target, relative and not absolute, or the other way round
 narrative     the same element; its XHTML was written anew
 changed       it says something else
 dropped       it is not there
============  =========================================================================================
"""
HARMLESS: Final = frozenset({"order", "whitespace", "precision", "instant", "reference", "narrative"})
ENVELOPE: Final = frozenset({"id", "meta.versionId", "meta.lastUpdated"})
_ORDERED: Final = ("name.given", "name.prefix", "name.suffix", "address.line")
"""The lists whose order says something (``orderMeaning``, http://hl7.org/fhir/R4/datatypes.html)."""
_NAMES: Final = frozenset({"system", "value", "code", "url", "id", "reference"})
"""The texts by which something is found again: a blank more or less is another one."""
_KEYS: Final = ("url", "system", "id", "code", "use", "type")  # by which items of a list are told apart
_REST: Final = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64})(?:/_history/[^/]+)?$")


class Finding(NamedTuple):
    """What became of one value.

    :param path: the element, from the type on: ``Procedure.note.text``
    """

    path: str
    what: What


def compare(sent: dict[str, Any], stored: dict[str, Any]) -> list[Finding]:
    """What became of each value of a resource."""
    kind = str(sent.get("resourceType"))
    found = _object(sent, stored, "")
    return [Finding(f"{kind}.{path}", what) for path, what in found if path not in ENVELOPE]


def _any(sent: Any, stored: Any, path: str) -> Iterator[tuple[str, What]]:
    if isinstance(sent, dict) and isinstance(stored, dict):
        yield from _object(sent, stored, path)
    elif isinstance(sent, list) and isinstance(stored, list):
        yield from _list(sent, stored, path)
    elif isinstance(sent, dict | list):
        yield from _dropped(sent, path)
    elif isinstance(stored, dict | list):
        yield path, "changed"
    else:
        yield path, _value(sent, stored, path)


def _object(sent: dict[str, Any], stored: dict[str, Any], path: str) -> Iterator[tuple[str, What]]:
    for name, value in sent.items():
        here = f"{path}.{name}" if path else name
        if name in stored:
            yield from _any(value, stored[name], here)
        else:
            yield from _dropped(value, here)


def _list(sent: Sequence[Any], stored: Sequence[Any], path: str) -> Iterator[tuple[str, What]]:
    pairs = _paired(sent, stored)
    places = [place for _, place in pairs if place is not None]
    if places != sorted(places):
        yield path, "changed" if path.endswith(_ORDERED) else "order"
    for item, place in pairs:
        here = f"{path}({_slice(item)})" if _slice(item) else path
        if place is None:
            yield from _dropped(item, here)
        else:
            yield from _any(item, stored[place], here)


def _paired(sent: Sequence[Any], stored: Sequence[Any]) -> list[tuple[Any, int | None]]:
    """Each item with the place of what is stored of it: the same at the same place, the same elsewhere, or the one
    that shares most of what tells items apart."""
    free = set(range(len(stored)))
    out: dict[int, int | None] = {}
    for n, item in enumerate(sent):
        if n < len(stored) and stored[n] == item:
            out[n] = n
            free.discard(n)
    for alike in (_same, _akin):
        for n, item in enumerate(sent):
            if n not in out and (place := next((p for p in sorted(free) if alike(item, stored[p])), None)) is not None:
                out[n] = place
                free.discard(place)
    left = iter(sorted(free)) if len(sent) == len(stored) else iter(())
    return [(item, out[n] if n in out else next(left, None)) for n, item in enumerate(sent)]


def _same(a: Any, b: Any) -> bool:
    """Do they say the same, as far as harmless differences go?"""
    return type(a) is type(b) and all(what != "changed" and what != "dropped" for _, what in _any(a, b, ""))


def _akin(a: Any, b: Any) -> bool:
    """Are they one item, of which something was changed?"""
    if not isinstance(a, dict) or not isinstance(b, dict):
        return False
    keys = [k for k in _KEYS if isinstance(a.get(k), str)]
    return bool(keys) and all(a[k] == b.get(k) for k in keys)


def _slice(item: Any) -> str:
    """The name of an extension, of its URL."""
    url = item.get("url") if isinstance(item, dict) else None
    return re.split(r"[/#:]", url.rstrip("/"))[-1] if isinstance(url, str) else ""


def _dropped(value: Any, path: str) -> Iterator[tuple[str, What]]:
    for leaf in leaves(value, path):
        yield re.sub(r"\[\d+\]", "", leaf), "dropped"


# --- values -------------------------------------------------------------------------------------------------


def _value(sent: Any, stored: Any, path: str) -> What:
    if type(sent) is type(stored) and str(sent) == str(stored):
        return "kept"
    if _is_number(sent) and _is_number(stored):
        if str(sent) == str(stored):  # 4 and Decimal("4") are one text
            return "kept"
        return "precision" if Decimal(sent) == Decimal(stored) else "changed"
    if not isinstance(sent, str) or not isinstance(stored, str):
        return "changed"
    if path == "meta.source":  # HAPI appends the request, to what was read with another's, too
        return "kept" if stored.split("#")[0] == sent.split("#")[0] else "changed"
    if path == "text.div" or path.endswith(".text.div"):
        return "narrative"
    if path.endswith("reference") and _target(sent) == _target(stored) is not None:
        return "reference"
    if " ".join(sent.split()) == " ".join(stored.split()):
        return "changed" if path.rpartition(".")[2] in _NAMES else "whitespace"
    return "instant" if _is_one_instant(sent, stored) else "changed"


def _is_number(x: Any) -> bool:
    return isinstance(x, int | Decimal) and not isinstance(x, bool)


def _target(literal: str) -> str | None:
    found = _REST.search(literal)
    return found[1] if found else None


def _is_one_instant(a: str, b: str) -> bool:
    try:
        one, two = datetime.fromisoformat(a), datetime.fromisoformat(b)
    except ValueError:
        return False
    return one.tzinfo is not None and two.tzinfo is not None and one == two


def worst(findings: Iterable[Finding]) -> dict[str, What]:
    """The worst that became of each element: ``dropped`` before ``changed`` before what is harmless."""
    order = {what: n for n, what in enumerate(("kept", *sorted(HARMLESS), "changed", "dropped"))}
    out: dict[str, What] = {}
    for path, what in findings:
        if path not in out or order[what] > order[out[path]]:
            out[path] = what
    return out

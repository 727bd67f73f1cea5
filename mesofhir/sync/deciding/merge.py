"""Three-way merge: what both sides last agreed on (the base), what the clinic states, what the server says.

========================  ==========================================================
 ours is not stated        theirs stays (there is no verdict)
 ours == theirs            agreed
 the base is not known     conflict
 base == ours              theirs: only they changed it, it stays and is told
 base == theirs            ours: only we changed it, it goes
 all three differ          conflict: left alone and told, or decided by a person
========================  ==========================================================

The same table holds for each item of a list, by what tells it from the others; an item that only the server has,
and that we never had, is theirs. What stands there and cannot be read is like a value that nobody knows.

Pure: tokens in (values, or hashes of values: see :mod:`mesofhir.sync.ledger.ledger`), verdicts out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

Token = str
"""A value; "": nothing stands there (cleared)."""
Items = Mapping[str, Token]
Tokens = Mapping[str, Token | Items]
"""By field; of a list by what tells an item apart. What is not there is not stated; of a base: nothing stood there."""
NOTHING: Final = ""
UNREADABLE: Final = "?"
"""What stands there and cannot be read: like no value that there is."""
UNSETTLED: Final = "*"
"""In a base: what stood there when the two first met in conflict was agreed by nobody; it equals no value that stands
anywhere, an unreadable one neither, or the next push would take it for what we had."""
NEVER: Final = "!"
"""Cleared now, and never stated before: whoever put something there since, it is not what we had."""


class Verdict(Enum):
    """Whose value is to stand."""

    AGREED = "agreed"
    OURS = "ours"
    THEIRS = "theirs"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Merge:
    """A verdict on each value that we state.

    :param items: of the lists among them, on each item that we state or had
    """

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    items: dict[str, dict[str, Verdict]] = field(default_factory=dict)

    def of(self, verdict: Verdict) -> list[str]:
        """The names of the values with this verdict."""
        return sorted(name for name, v in self.verdicts.items() if v is verdict)

    def decided(self, side: Verdict) -> Merge:
        """The same, with all conflicts decided by a person for one side."""

        def instead(v: Verdict) -> Verdict:
            return side if v is Verdict.CONFLICT else v

        items = {name: {key: instead(v) for key, v in all_.items()} for name, all_ in self.items.items()}
        return Merge({name: instead(v) for name, v in self.verdicts.items()}, items)


def verdict(ours: Token, base: Token | None, theirs: Token) -> Verdict:
    """The table above.

    :param base: None: not known
    """
    if ours == theirs:
        return Verdict.AGREED
    if base is None:
        return Verdict.CONFLICT
    if base == ours:
        return Verdict.THEIRS
    return Verdict.OURS if base == theirs else Verdict.CONFLICT


def merge(ours: Tokens, base: Tokens | None, theirs: Tokens, unclear: Collection[str] = ()) -> Merge:
    """A verdict on each value that we state.

    :param base: None: not known
    :param unclear: names of what stands there and cannot be read
    """
    out = Merge()
    for name, our in ours.items():
        then = None if base is None else base.get(name, NOTHING if our else NEVER)
        their = UNREADABLE if name in unclear else theirs.get(name, NOTHING)
        if _is_list(our, then, their):
            out.items[name] = _items(_listed(our), None if then is None else _listed(then), _listed(their))
            out.verdicts[name] = _together(out.items[name].values())
        else:
            out.verdicts[name] = verdict(_one(our), None if then is None else _one(then), _one(their))
    return out


def agreed(ours: Tokens, base: Tokens | None, merged: Merge) -> dict[str, Token | Items]:
    """The base of the next merge: what both sides say from now on, and what the clinic has seen and let stand. Where
    they are in conflict the old base stays, or the next push would take sides."""
    out = dict(base or {})
    for name, v in merged.verdicts.items():
        conflicts = {key for key, i in merged.items.get(name, {}).items() if i is Verdict.CONFLICT}
        if v is not Verdict.CONFLICT:
            out[name] = ours[name]
        elif conflicts:
            then, now = _listed(out.get(name, NOTHING)), _listed(ours[name])
            old = {k: UNSETTLED if base is None else then[k] for k in conflicts if base is None or k in then}
            out[name] = {k: t for k, t in now.items() if k not in conflicts} | old
        elif base is None:
            out[name] = UNSETTLED
    return out


def same(ours: Tokens, base: Tokens | None) -> bool:
    """Is all that we state what both sides said last?"""
    return base is not None and all(name in base and _one(base[name]) == _one(t) for name, t in ours.items())


def _items(ours: Items, base: Items | None, theirs: Items) -> dict[str, Verdict]:
    out = {}
    for key in sorted({*ours, *(base or {}), *theirs}):
        our, their = ours.get(key, NOTHING), theirs.get(key, NOTHING)
        then = None if base is None else base.get(key, NOTHING)
        if our or then:
            out[key] = verdict(our, then, their)
    return out


def _together(verdicts: Collection[Verdict]) -> Verdict:
    order = (Verdict.CONFLICT, Verdict.OURS, Verdict.THEIRS)
    return next((v for v in order if v in verdicts), Verdict.AGREED)


def _is_list(*tokens: Token | Items | None) -> bool:
    """Are they lists, or nothing at all?"""
    return all(t is None or t == NOTHING or isinstance(t, Mapping) for t in tokens) and any(
        isinstance(t, Mapping) for t in tokens
    )


def _listed(token: Token | Items) -> Items:
    return token if isinstance(token, Mapping) else {}


def _one(token: Token | Items) -> Token:
    """A list as one token."""
    if not isinstance(token, Mapping):
        return token
    return "\n".join(f"{key} {token[key]}" for key in sorted(token))

"""Contradictions of whatever history: found without a crash, in whichever order its lists stand."""

import random
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mesofhir.records import TABLES, TreatmentHistory, contradictions, decode, plain
from tests.property.strategies import histories


def shuffled(tree: Any, chance: random.Random, name: str = "patients") -> Any:
    """Keyed lists in another order; the values in a record's own lists keep theirs."""
    out = dict(tree)
    for child in TABLES[name].children:
        if child in tree:
            out[child] = [shuffled(x, chance, child) for x in chance.sample(tree[child], len(tree[child]))]
    return out


def said(history: TreatmentHistory) -> Counter[Any]:
    """Without the paths, which say where a record stands."""
    return Counter(
        (c.rule, c.severity, c.what, *((f.table, f.key, f.field) for f in (c.one, c.other)))
        for c in contradictions(history)
    )


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_makes_no_difference(history: TreatmentHistory, chance: random.Random) -> None:
    other = decode(shuffled(plain(history), chance))
    assert said(other) == said(history)


@given(histories(cleared=True), st.randoms(use_true_random=False))
def test_never_a_crash_also_of_what_is_wrong(history: TreatmentHistory, chance: random.Random) -> None:
    """Keys twice, references to nowhere, days that do not exist: told elsewhere; here they only must not hurt."""
    tree = plain(history)
    _spoil(tree, chance)
    contradictions(decode(tree))


def _spoil(tree: Any, chance: random.Random, name: str = "patients") -> None:
    for column in TABLES[name].columns.values():
        if column.name in tree and chance.random() < 0.3:
            if column.to and column.kind == "text":
                tree[column.name] = "nowhere"
            elif column.name in ("start", "end", "since", "until", "found", "recorded", "mitigated"):
                tree[column.name] = "2026-02-30"
    for child in TABLES[name].children:
        for item in tree.get(child, ()):
            if chance.random() < 0.2:
                item["key"] = "twice"
            _spoil(item, chance, child)

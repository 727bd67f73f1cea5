"""Laws of the three-way merge: of the table, of whole resources, and of a push after a push."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from mesofhir.mapping import graph
from mesofhir.mapping.saying import said
from mesofhir.sync.deciding.decision import Judge
from mesofhir.sync.deciding.merge import NOTHING, Verdict, agreed, merge, same, verdict
from mesofhir.sync.ledger.ledger import Ledger
from tests.property.strategies import histories
from tests.property.test_ehr_edits import additions, enumerate_by_shape
from tests.property.wire import CLINIC

TOKENS = st.sampled_from(["", "a", "b", "c"])
ITEMS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("ab"), max_size=3)
SIDES = st.fixed_dictionaries({"one": TOKENS, "two": TOKENS, "list": ITEMS})
STATED = st.fixed_dictionaries({}, optional={"one": TOKENS, "two": TOKENS, "list": ITEMS})


def carried_out(ours, theirs, merged):
    """What stands afterwards."""
    out = copy.deepcopy(theirs)
    for name, v in merged.verdicts.items():
        if name in merged.items:
            for key, each in merged.items[name].items():
                if each in (Verdict.OURS, Verdict.AGREED):
                    out[name].pop(key, None)
                    out[name] |= {key: ours[name][key]} if key in ours[name] else {}
        elif v in (Verdict.OURS, Verdict.AGREED):
            out[name] = ours[name]
    return out


def test_the_table():
    same_, ours, theirs, conflict = Verdict.AGREED, Verdict.OURS, Verdict.THEIRS, Verdict.CONFLICT
    for a in ("", "a"):
        for b in ("b", "c"):
            assert verdict(a, None, a) is verdict(a, b, a) is same_
            assert verdict(a, None, b) is conflict
            assert verdict(a, a, b) is theirs
            assert verdict(a, b, b) is ours
            assert verdict(a, "other", b) is conflict


@given(STATED, SIDES)
def test_where_nobody_changed_anything_nothing_happens(ours, base):
    theirs = base | ours
    assert set(merge(ours, base, theirs).verdicts.values()) <= {Verdict.AGREED}


@given(STATED, SIDES)
def test_what_only_we_changed_goes(ours, base):
    merged = merge(ours, base, base)
    cleared = {name for name, t in ours.items() if not t and name not in base}
    assert Verdict.THEIRS not in {v for n, v in merged.verdicts.items() if n not in cleared}
    assert Verdict.CONFLICT not in {v for n, v in merged.verdicts.items() if n not in cleared}
    assert carried_out(ours, base, merged) == base | ours


@given(SIDES, SIDES)
def test_what_only_they_changed_stays(base, theirs):
    merged = merge(base, base, theirs)
    assert {Verdict.OURS, Verdict.CONFLICT}.isdisjoint(merged.verdicts.values())
    assert carried_out(base, theirs, merged) == theirs


@given(STATED, st.none() | STATED, SIDES, st.sets(st.sampled_from(["one", "list"])))
def test_a_second_push_changes_nothing_and_tells_the_same_conflicts(ours, base, theirs, unclear):
    merged = merge(ours, base, theirs, unclear)
    assert merged.verdicts.keys() == ours.keys()
    now, then = carried_out(ours, theirs, merged), agreed(ours, base, merged)
    written = set(merged.of(Verdict.OURS))  # can be read from now on
    again = merge(ours, then, now, unclear - written)
    assert again.of(Verdict.OURS) == []
    assert carried_out(ours, now, again) == now
    assert again.of(Verdict.CONFLICT) == merged.of(Verdict.CONFLICT)
    if not merged.of(Verdict.CONFLICT):
        assert same(ours, then)


@given(STATED, st.none() | STATED, SIDES, st.sampled_from([Verdict.OURS, Verdict.THEIRS]))
def test_a_person_s_decision_holds(ours, base, theirs, side):
    merged = merge(ours, base, theirs).decided(side)
    assert merged.of(Verdict.CONFLICT) == []
    now, then = carried_out(ours, theirs, merged), agreed(ours, base, merged)
    again = merge(ours, then, now)
    assert {Verdict.CONFLICT, Verdict.OURS}.isdisjoint(again.verdicts.values())
    if side is Verdict.OURS and base is None:
        assert all(again.verdicts[n] is Verdict.AGREED for n in ours if n not in merged.items)


@given(STATED, SIDES)
def test_without_a_base_what_differs_is_in_conflict(ours, theirs):
    merged = merge(ours, None, theirs)
    for name, token in ours.items():
        if name in merged.items:
            assert all(merged.items[name][k] is not Verdict.OURS for k in merged.items[name])
        else:
            assert merged.verdicts[name] is (Verdict.AGREED if token == theirs[name] else Verdict.CONFLICT)
    assert NOTHING == ""


# --- whole resources ----------------------------------------------------------------------------------------

LEDGER = Ledger(None, "https://fhir.example.org", CLINIC.namespace)


def stored(m, resource):
    return {**copy.deepcopy(resource), "id": m.handle, "meta": {**resource["meta"], "versionId": "1"}}


@given(histories(), st.randoms(use_true_random=False))
def test_what_we_wrote_is_proven_and_an_ehr_s_additions_change_nothing(history, chance):
    judge = Judge(CLINIC, LEDGER.tokens)
    for m in graph(history, CLINIC).made:
        x = stored(m, m.resource)
        base = judge.proof(m, [x])
        assert base is not None, m.link.kind
        assert all(base.get(name, "") == t for name, t in LEDGER.tokens(m.link, m.stated).items() if t), m.link.kind
        edited = stored(m, additions(x, chance))
        for known in (base, judge.known(m)):
            decision = judge.decide(m, edited, known)
            assert decision.write is None, (m.link.kind, decision.fields, decision.remarks)
            assert decision.outcome == "unchanged", (m.link.kind, [str(r) for r in decision.remarks])


@given(histories(), histories(), st.randoms(use_true_random=False))
def test_another_record_written_over_ours_goes_wholly_and_once(history, other, chance):
    """Ours in the place of ours, over what an EHR added: no conflict, no second version, and proven again."""
    judge = Judge(CLINIC, LEDGER.tokens)
    before = {(m.link.kind, m.link.table, n): m for n, m in enumerate_by_shape(graph(history, CLINIC).made)}
    after = {(m.link.kind, m.link.table, n): m for n, m in enumerate_by_shape(graph(other, CLINIC).made)}
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        x = stored(old, additions(old.resource, chance))
        new.link = old.link
        new.row["key"] = old.row["key"]
        if "patient" in old.row:
            new.row["patient"] = old.row["patient"]
        if new.strange(x) or not new.reads(x):
            continue
        decision = judge.decide(new, x, judge.known(old))
        conflicts = [r for r in decision.remarks if r.kind == "conflict"]
        # an EHR's code beside IDINJ is a technique where the clinic stated none: a true conflict once it states one
        told_anew = said(x, new.forms, new.world).values.keys() - old.stated.keys()
        assert all(any(f"`{name}`" in r.text for name in told_anew) for r in conflicts), list(map(str, conflicts))
        if decision.write is None or conflicts:
            continue
        written = {**decision.write.resource, "meta": {**decision.write.resource["meta"], "versionId": "2"}}
        again = judge.decide(new, written, decision.base)
        assert again.write is None, (again.fields, [str(r) for r in again.remarks])
        assert {"system": "urn:ehr", "value": "77"} in written["identifier"]

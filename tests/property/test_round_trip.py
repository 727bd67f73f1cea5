"""Histories → resources → histories: exactly the same, whatever a server does to order and ids."""

from hypothesis import given
from hypothesis import strategies as st

from mesofhir.fhir import exactjson
from mesofhir.fhir.profiles import violations
from mesofhir.fhir.validation import validate
from mesofhir.mapping import graph, understand
from mesofhir.records import plain, sorted_by_key
from tests.property.strategies import histories
from tests.property.wire import CLINIC, offline, stored


@given(histories(), st.randoms(use_true_random=False))
def test_there_and_back(history, chance):
    back = understand(stored(offline(history), chance), CLINIC)
    assert [(k.resource["resourceType"], k.reason) for k in back.kept] == []
    assert [(n.resource["resourceType"], n.path, n.reason) for n in back.notes] == []
    [found] = back.histories
    # repr, since Decimal("0.50") == Decimal("0.5") and we promise the digits too
    assert repr(plain(found)) == repr(plain(sorted_by_key(history)))


@given(histories())
def test_the_same_history_makes_the_same_bytes(history):
    assert exactjson.encode(offline(history)) == exactjson.encode(offline(history))


@given(histories())
def test_every_resource_is_valid_fhir(history):
    for resource in offline(history):
        assert [str(p) for p in validate(resource)] == []


@given(histories())
def test_every_resource_keeps_the_profiles(history):
    """And each finds what it refers to, in the form that its profile asks for."""
    made = graph(sorted_by_key(history), CLINIC).made
    known = {f"{m.link.kind}/{m.handle}": m.resource for m in made}
    for m in made:
        found = violations(m.resource, resolve=lambda reference: known.get(reference.get("reference", "")))
        assert [v for v in found if v.severity == "error"] == []


@given(st.lists(histories(), min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_several_patients_do_not_mix(several, chance):
    """Records of two patients may have the same keys only if they are the same history: keys are made unique."""
    one = several[0]
    wire = stored(offline(one), chance)
    other = several[1]
    if other.key == one.key:
        return
    foreign = stored(offline(other, type(CLINIC)("https://other.example/clinic")), chance)
    both = wire + foreign
    chance.shuffle(both)
    back = understand(both, CLINIC)
    assert [plain(h) for h in back.histories] == [plain(sorted_by_key(one))]
    assert len(back.kept) == len(foreign)

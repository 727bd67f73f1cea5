"""The life of a history: the clinic corrects it, the EHR adds to it, ledgers are lost, and what each push says and
does must hold every time."""

import random
from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mesofhir.errors import InvalidInput
from mesofhir.mapping import graph
from mesofhir.records import TABLES, TreatmentHistory, decode, faults, plain, sorted_by_key
from mesofhir.server import Server
from mesofhir.sync.ledger.ledger import Ledger
from mesofhir.sync.planning.plan import PEOPLE
from tests.contract.histories import Tree, records
from tests.property.strategies import histories
from tests.property.wire import at, places
from tests.simulated.engine import Simulated
from tests.simulated.harness import CLINIC, names, pull, rekeyed, running
from tests.simulated.harness import pushed as push
from tests.simulated.vendors import HAPI

LIVES = settings(max_examples=12, phases=[Phase.explicit, Phase.reuse, Phase.generate])
CONTESTED = ("correct", "correct", "add", "edit", "edit", "lose", "switch", "", "ours", "theirs")
#: what an EHR does not change in a value of ours: how it is named and addressed
OURS_ALONE = frozenset(
    ("resourceType", "id", "meta", "text", "identifier", "reference", "type", "url", "system", "subject", "patient")
)
STEPS = ("correct", "correct", "add", "add", "lose", "push", "push", "withdraw", "switch", "key", "grow")


def corrected(tree: Tree, other: Tree, chance: random.Random) -> Tree:
    """Some field of some record says what another record's says, is unknown or cleared; the history is still valid."""
    for _ in range(30):
        new = deepcopy(tree)
        tables = [t for t in TABLES if t not in ("patients", "practitioners") and list(records(new, t))]
        if not tables:
            return tree
        name = chance.choice(tables)
        record = chance.choice(list(records(new, name)))
        columns = [c for c in TABLES[name].columns.values() if c.name not in ("key", "unknown") and not c.to]
        column = chance.choice(columns)
        unknown = [n for n in record.get("unknown", ()) if n != column.name]
        record.pop(column.name, None)
        value = chance.choice([*records(other, name), {}]).get(column.name)
        if column.name == "status":  # another one may make it another resource
            value = chance.choice(column.choices)
        if value is not None:
            record[column.name] = value
        elif column.may_be_unknown and chance.random() < 0.5:
            unknown.append(column.name)
        else:
            record[column.name] = None if column.nullable else []
        if unknown or "unknown" in record:
            record["unknown"] = unknown
        try:
            after = decode(new)
        except InvalidInput:
            continue
        if not faults(after) and not graph(after, CLINIC).faults and plain(after) != plain(decode(tree)):
            return new
    return tree


def grown(tree: Tree, other: Tree, chance: random.Random) -> Tree:
    """A record more, with what stands in it."""
    new = deepcopy(tree)
    tables = [t for t in TABLES["patients"].children if t != "practitioners" and other.get(t)]
    if tables:
        name = chance.choice(tables)
        new.setdefault(name, []).append(apart(chance.choice(other[name]), name, f"{chance.randint(0, 10**6)}"))
    after = decode(new)
    return tree if faults(after) or graph(after, CLINIC).faults else new


def apart(record: Tree, table: str, suffix: str) -> Tree:
    """The record with keys that no other has, and without what it refers to."""
    columns, children = TABLES[table].columns, TABLES[table].children
    out = {k: v for k, v in record.items() if k in children or not columns[k].to}
    out["key"] = f"{record['key'][:20].strip()} {suffix}"
    return out | {t: [apart(x, t, suffix) for x in record[t]] for t in children if t in record}


def stated(x: Any) -> Any:
    """Without what is cleared, which exists in input only; and a server may reorder lists."""
    if isinstance(x, dict):
        return {k: stated(v) for k, v in x.items() if v is not None and v != []}
    return sorted(map(stated, x), key=str) if isinstance(x, list) else x


THEIRS: dict[str, Any] = {
    "identifier": {"system": "urn:ehr", "value": "77"},
    "extension": {"url": "urn:ehr:extension", "valueString": "theirs"},
    "note": {"authorString": "EHR", "text": "their note"},
}
NO_NOTES = ("Consent", "Encounter", "DetectedIssue")


def added(sim: Simulated, chance: random.Random) -> str:
    """The EHR adds to a resource, before what is there or after it; its name."""
    kind, id = chance.choice([n for n in sim.store.held if n[0] not in PEOPLE])
    x = sim.store.now(kind, id)
    assert x is not None
    for name, item in THEIRS.items():
        if name != "note" or kind not in NO_NOTES:
            there = [i for i in x.get(name, ()) if i != item]
            x = x | {name: [item, *there] if chance.random() < 0.5 else [*there, item]}
    sim.store.put(kind, id, x)
    return f"{kind}/{id}"


def kept(sim: Simulated, name: str) -> bool:
    """Does all that the EHR added still stand there?"""
    kind, id = name.split("/")
    x = sim.store.now(kind, id)
    return x is not None and all(
        item in x.get(element, ()) for element, item in THEIRS.items() if element != "note" or kind not in NO_NOTES
    )


def withdrawn(tree: Tree, chance: random.Random) -> Tree:
    """A record of some table is marked as entered in error."""
    new = deepcopy(tree)
    found = [x for t in TABLES for x in records(new, t) if t not in ("patients", "practitioners")]
    if found:
        chance.choice(found)["status"] = "entered-in-error"
    try:
        after = decode(new)
    except InvalidInput:
        return tree
    return new if not faults(after) and not graph(after, CLINIC).faults else tree


def pushed(sim: Simulated, server: Server, tree: Tree, ledger: Ledger, **options: Any) -> None:
    """A push does what its dry run said; a second one has nothing to do; nothing is there twice."""
    before = sim.versions()
    dry = push(server, tree, ledger=ledger, dry_run=True, **options)
    assert sim.versions() == before
    result = push(server, tree, ledger=ledger, **options)
    assert (dry.outcomes, dry.code) == (result.outcomes, result.code)
    assert (result.stopped, result.code) == ("", 0), result.remarks
    after = sim.versions()
    for name, number in after.items():
        assert number - before.get(name, 0) in (0, 1)
    again = push(server, tree, ledger=ledger)
    assert sim.versions() == after
    assert (again.stopped, again.code) == ("", 0)
    assert set(again.outcomes.values()) <= {"unchanged", "found", "skipped", "named"}


@LIVES
@given(histories(), histories(), st.lists(st.sampled_from(STEPS), max_size=7), st.randoms(use_true_random=False))
def test_a_life(history: TreatmentHistory, other: TreatmentHistory, steps: list[str], chance: random.Random) -> None:
    tree = plain(msgspec.structs.replace(history, synthetic=True))
    donor = plain(other)
    theirs: set[str] = set()
    with running(HAPI, preset="hapi") as (sim, server):

        def ledger() -> Ledger:
            return Ledger(None, server.url, CLINIC.namespace)

        ledgers = [ledger(), ledger()]  # two computers of the clinic
        pushed(sim, server, tree, ledgers[0])
        for step in [*steps, "push"]:
            if step == "correct":
                tree = corrected(tree, donor, chance)
            elif step == "grow":
                tree = grown(tree, donor, chance)
            elif step == "withdraw":
                tree = withdrawn(tree, chance)
            elif step == "add" and any(kind not in PEOPLE for kind, _ in sim.store.held):
                theirs.add(added(sim, chance))
            elif step == "lose":
                ledgers[0] = ledger()
            elif step == "switch":
                ledgers[:2] = ledgers[1::-1]
            elif step == "key" and (known := names(tree)):
                pushed(sim, server, tree, ledgers[0])
                tree = rekeyed(tree, {chance.choice(known): f"new {chance.randint(0, 10**6)}"})
                pushed(sim, server, tree, ledgers[0], rekeyed=True)
                ledgers[1] = ledger()  # the other computer would see a record that is stated no more, and a new one
            else:
                pushed(sim, server, tree, ledgers[0])
                assert all(kept(sim, name) for name in theirs)
                [item] = pull(server)
                assert item.history is not None, item.faults
                assert stated(plain(sorted_by_key(item.history))) == stated(plain(sorted_by_key(decode(tree))))


def edited(sim: Simulated, chance: random.Random) -> None:
    """The EHR changes a value somewhere in a resource: to something else, or to nonsense."""
    kind, id = chance.choice([n for n in sim.store.held if n[0] not in PEOPLE])
    x = deepcopy(sim.store.now(kind, id))
    added = {(name, n) for name, item in THEIRS.items() for n, i in enumerate(x.get(name, ())) if i == item}
    found = [path for path, _ in places(x) if OURS_ALONE.isdisjoint(path) and path[:2] not in added]
    if not found:
        return
    path = chance.choice(found)
    holder = at(x, path[:-1])
    value = holder[path[-1]]
    if isinstance(value, bool):
        holder[path[-1]] = not value
    elif isinstance(value, str):
        holder[path[-1]] = chance.choice([f"{value} x", "entered-in-error", "active", "completed", "2025-05-05"])
    else:
        holder[path[-1]] = value + 1
    sim.store.put(kind, id, x)


@LIVES
@given(histories(), histories(), st.lists(st.sampled_from(CONTESTED), max_size=7), st.randoms(use_true_random=False))
def test_a_contested_life(
    history: TreatmentHistory, other: TreatmentHistory, steps: list[str], chance: random.Random
) -> None:
    """What a dry run says holds; whatever was decided, a second push has nothing to do; the EHR's additions stay."""
    tree = plain(msgspec.structs.replace(history, synthetic=True))
    donor = plain(other)
    theirs: set[str] = set()
    with running(HAPI, preset="hapi") as (sim, server):
        ledgers = [Ledger(None, server.url, CLINIC.namespace) for _ in range(2)]
        push(server, tree, ledger=ledgers[0])
        for step in [*steps, ""]:
            whose = any(kind not in PEOPLE for kind, _ in sim.store.held)
            if step == "correct":
                tree = corrected(tree, donor, chance)
            elif step == "add" and whose:
                theirs.add(added(sim, chance))
            elif step == "edit" and whose:
                edited(sim, chance)
            elif step == "lose":
                ledgers[0] = Ledger(None, server.url, CLINIC.namespace)
            elif step == "switch":
                ledgers.reverse()
            else:
                contested(sim, server, tree, ledgers[0], "" if step in ("add", "edit") else step)
                assert all(kept(sim, name) for name in theirs)


def contested(sim: Simulated, server: Server, tree: Tree, ledger: Ledger, side: Any) -> None:
    before = sim.versions()
    dry = push(server, tree, ledger=ledger, dry_run=True, side=side)
    assert sim.versions() == before
    result = push(server, tree, ledger=ledger, side=side)
    assert (dry.outcomes, dry.code, dry.stopped) == (result.outcomes, result.code, result.stopped)
    told = {*result.outcomes.values()} | {r.kind for r in result.remarks}  # one field of what is changed otherwise, too
    open_ = {"conflict", "blocked", "left"} & told
    assert (result.code == 4) == bool(open_ or result.stopped)
    assert not (side and "conflict" in open_)
    after = sim.versions()
    for name, number in after.items():
        assert number - before.get(name, 0) in (0, 1)
    again = push(server, tree, ledger=ledger, side=side)
    assert sim.versions() == after
    assert again.stopped == result.stopped
    assert (again.code == 0) == (result.code == 0)

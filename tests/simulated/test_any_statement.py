"""Servers of kinds that nobody has thought of: random CapabilityStatements, each with a server behind it that takes
what it declares and nothing else. Whatever it says, nothing undeclared is sent, nothing is lost in silence, nothing is
there twice, and a second push writes nothing."""

from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from mesofhir.server.abilities import Abilities
from mesofhir.server.capability import read_capabilities
from mesofhir.sync.planning.plan import Plan
from tests.contract.histories import rich
from tests.simulated.declared import Declared, statement
from tests.simulated.engine import Kind
from tests.simulated.harness import again, known, nothing_is_lost, pull, pushed, running
from tests.simulated.vendors import OURS

INTERACTIONS = ("create", "read", "update", "search-type", "history-instance", "delete", "patch", "vread")
PARAMS = ("identifier", "patient", "subject", "_id", "_lastUpdated", "category")
maybe = st.none() | st.booleans()


def some(*of: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(of), unique=True)


@st.composite
def types(draw: st.DrawFn) -> dict[str, Any]:
    """One type as a statement describes it; whatever is left out is not said."""
    said: dict[str, Any] = {}
    if draw(st.integers(0, 9)):
        codes = draw(some(*INTERACTIONS) | st.just(["create", "read", "update", "search-type"]))
        said["interaction"] = [{"code": c} for c in codes]
    if draw(st.integers(0, 4)):
        said["searchParam"] = [{"name": n} for n in draw(some(*PARAMS) | st.just(["identifier", "patient"]))]
    for flag in ("conditionalCreate", "conditionalUpdate", "updateCreate"):
        if (value := draw(maybe)) is not None:
            said[flag] = value
    if versioning := draw(st.sampled_from(["", "no-version", "versioned", "versioned-update"])):
        said["versioning"] = versioning
    return said


@st.composite
def kinds(draw: st.DrawFn) -> Kind:
    base = statement({}, system=draw(st.none() | some("transaction", "batch", "history-system", "search-system")))
    listed = draw(some(*OURS) | st.just(list(OURS)))
    resources = [{"type": name} | draw(types()) for name in listed]
    patient = {"type": "Patient", "interaction": [{"code": "search-type"}, {"code": "read"}]}
    if draw(st.integers(0, 9)):  # most can be asked for a patient, or nothing more would happen
        patient["searchParam"] = [{"name": "identifier"}, {"name": "_id"}]
        resources = [patient] + [r for r in resources if r["type"] != "Patient"]
    if draw(st.booleans()):
        for each in resources:
            each["operation"] = [{"name": "everything"}] if each["type"] == "Patient" else []
    if resources:
        base["rest"][0]["resource"] = resources
    if everywhere := draw(some("_id", "identifier", "_lastUpdated")):
        base["rest"][0]["searchParam"] = [{"name": n} for n in everywhere]
    base["format"] = draw(st.sampled_from([["json"], ["xml", "application/fhir+json"], ["application/json+fhir"]]))
    base["fhirVersion"] = draw(st.sampled_from(["4.0.1", "4.0.0", "4.3.0"]))
    if draw(st.booleans()):  # what it does as a client is no concern of ours
        theirs = dict.fromkeys(OURS, INTERACTIONS)
        client = statement(theirs, system=["transaction", "batch"], conditionalCreate=True)["rest"][0]
        base["rest"].insert(draw(st.integers(0, 1)), client | {"mode": "client"})
    stale, page = draw(st.sampled_from([409, 412])), draw(st.sampled_from([2, 50]))
    return Kind("any", base, stale=stale, echoes=draw(st.booleans()), page=page)


#: never shrunk: an example is a push and a pull over HTTP, and the statement of a failure says which line it is
ANY = settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
SILENT = Kind("silent", statement({}))
WHOLE = Kind("whole", statement(dict.fromkeys(OURS, INTERACTIONS), conditionalCreate=True, system=["transaction"]))


@ANY
@example(SILENT)
@example(WHOLE)
@given(kinds())
def test_push_and_pull(kind: Kind) -> None:
    with running(kind) as (sim, server):
        tree = known(sim, rich())
        foretold = pushed(server, tree, dry_run=True)
        assert sim.writes == []
        result = pushed(server, tree)
        nothing_is_lost(sim, tree, result)
        if not result.stopped:
            assert foretold.outcomes == result.outcomes
            again(sim, server, tree, result)
        pull(server)
        there = sim.versions()
        pushed(server, tree, withdraw=True)
        assert sim.versions().keys() == there.keys()  # nothing is made to be withdrawn


@ANY
@given(kinds())
def test_the_plan_says_what_is_sent(kind: Kind) -> None:
    """A step that is planned is one that the statement declares, by the letter of it."""
    declared = Declared(kind.statement)
    plan = Plan(Abilities(read_capabilities(kind.statement)))
    for name in OURS:
        planned = plan.of(name)
        if planned.step.itself:
            headers = {} if planned.blind else {"If-None-Exist": "identifier=x"}
            entry = {"request": {"method": "POST", "url": name} | ({} if planned.blind else {"ifNoneExist": "x"})}
            if planned.step.batched:
                bundle = {"type": str(planned.step), "entry": [entry]}
                assert declared.offence("POST", "", {}, bundle, False) == ""
            assert declared.offence("POST", name, headers, {}, False) == ""
            if planned.update:
                assert declared.offence("PUT", f"{name}/1", {"If-Match": 'W/"1"'}, {}, False) == ""
        else:
            assert planned.why

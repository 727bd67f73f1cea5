"""Statements that are odd, and allowed: other releases and formats, parameters of all types, a client's side; and
servers that show little of what they take."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mesofhir.cli import main
from mesofhir.errors import Unreachable
from mesofhir.fhir.exactjson import decode, encode_pretty
from mesofhir.server import identifier_query
from mesofhir.sync import Ledger
from mesofhir.sync.planning.plan import PEOPLE
from tests.contract.histories import record, rich
from tests.simulated.declared import statement
from tests.simulated.engine import Kind, Refusal, Simulated
from tests.simulated.harness import (
    CLINIC,
    MRN,
    again,
    became,
    known,
    nothing_is_lost,
    of_kind,
    pull,
    push,
    pushed,
    running,
)
from tests.simulated.vendors import ALL, OURS, READS

WHOLE = {"system": ["transaction"], "conditionalCreate": True, "versioning": "versioned-update"}
OTHERS = [kind for kind in OURS if kind != "Patient"]


def odd(name: str, *, echoes: bool = True, of: Any = None, **more: Any) -> Kind:
    """A server that takes all, but for what is said here of its statement."""
    whole = statement(dict.fromkeys(OURS, ALL), **WHOLE) if of is None else of
    return Kind(name, whole | more, echoes=echoes)


def people_and(others: tuple[str, ...], **flags: Any) -> dict[str, Any]:
    """Patients can be searched for, and the other types do this."""
    return statement({"Patient": READS, **dict.fromkeys(OTHERS, others)}, **WHOLE | flags)


STRANGE = [
    odd("R5", fhirVersion="5.0.0"),
    odd("STU3", fhirVersion="3.0.2"),
    odd("DSTU2", fhirVersion="1.0.2", format=["application/json+fhir"]),
    odd("XML", format=["application/fhir+xml"]),
]


def command(sim: Simulated, tmp_path: Path, *args: str) -> Result:
    (tmp_path / "clinic.json").write_bytes(encode_pretty(rich()))
    home = {f"XDG_{each}_HOME": str(tmp_path / "home") for each in ("CONFIG", "DATA")}
    words = [word.format(url=sim.url, folder=tmp_path) for word in args]
    return CliRunner().invoke(main, words, env=home | {"MESOFHIR_NAMESPACE": CLINIC.namespace})


@pytest.mark.parametrize("kind", STRANGE, ids=lambda k: k.name)
def test_a_server_of_another_release_or_format_is_not_spoken_to(kind: Kind, tmp_path: Path) -> None:
    with running(kind) as (sim, server):
        result = pushed(server, rich())
        assert (result.code, "is not a server for" in result.stopped) == (5, True)
        with pytest.raises(Unreachable, match="nothing was asked of it"):
            pull(server)
        checked = command(sim, tmp_path, "server", "check", "{url}")
        assert checked.exit_code == 4
        assert "missing: JSON" in checked.stdout or "missing: FHIR R4" in checked.stdout
        for verb in (("push", "{folder}/clinic.json", "{url}"), ("pull", "{url}", "{folder}/back.json")):
            told = command(sim, tmp_path, *verb)
            assert told.exit_code == 5, told.output
            assert "if it has another base url for that, use it" in told.stderr.lower()
        assert {r.path for r in sim.requests} == {"/fhir/metadata"}


@pytest.mark.parametrize("kind", [
    odd("R4B", fhirVersion="4.3.0"),
    odd("R4 for short", fhirVersion="4.0"),
    odd("formats", format=["application/fhir+xml", "application/fhir+json"]),
    odd("old media type", format=["application/json+fhir"]),
], ids=lambda k: k.name)  # fmt: skip
def test_a_server_of_our_release_and_format(kind: Kind) -> None:
    with running(kind) as (_, server):
        assert set(became(pushed(server, rich()))) == {"created"}


def test_parameters_of_rest_are_those_of_every_type() -> None:
    whole = statement(dict.fromkeys(OURS, ALL), **WHOLE, params=["category"])
    whole["rest"][0]["searchParam"] = [{"name": n, "type": "token"} for n in ("_id", "identifier")]
    with running(Kind("rest", whole)) as (sim, server):
        result = pushed(server, rich())
        assert set(became(result)) == {"created"}
        again(sim, server, rich(), result)


@pytest.mark.parametrize("of", [
    statement({}) | {"rest": [{"mode": "server", "resource": []}]},
    statement({}) | {"rest": [{**statement(dict.fromkeys(OURS, ALL), **WHOLE)["rest"][0], "mode": "client"}]},
    statement({"Immunization": ALL}, **WHOLE),
], ids=["an empty list", "a client's", "other types"])  # fmt: skip
def test_a_server_that_lists_nothing_of_ours_is_asked_nothing(of: dict[str, Any], tmp_path: Path) -> None:
    with running(Kind("nothing", of)) as (sim, server):
        result = pushed(server, rich())
        assert result.code == 4
        assert "cannot be asked for a Patient" in result.stopped
        pull(server)
        checked = command(sim, tmp_path, "server", "check", "{url}")
        assert checked.exit_code == 4
        assert "missing: Patient: search, by identifier" in checked.stdout
        assert {r.path for r in sim.requests} == {"/fhir/metadata"}


SHOWS_NOTHING = Kind("shows nothing", people_and(("create", "update")), echoes=False)
"""It takes everything, once, and shows nothing of it: an inbox."""


def test_an_inbox_that_shows_nothing_of_what_it_has_taken(tmp_path: Path) -> None:
    """With the ledger nothing more is to be done, or it is told what cannot be; without it nobody can tell."""
    with running(SHOWS_NOTHING) as (sim, server), Ledger(None, server.url, CLINIC.namespace) as ledger:
        tree = known(sim, rich())
        foretold = pushed(server, tree, dry_run=True, create_people=False)
        told = {r.text for r in foretold.remarks if r.kind == "created"}
        assert "if it is not there: the server offers no search of Goal, and only the push will tell" in told
        result = pushed(server, tree, ledger=ledger)
        nothing_is_lost(sim, tree, result)
        assert (result.code, of_kind(result, "Goal")) == (0, {"created"})
        again(sim, server, tree, result, ledger=ledger)
        record(tree, "goals")["text"] = "NRS sotto 2"
        for dry in (True, False):
            edited = pushed(server, tree, ledger=ledger, dry_run=dry)
            assert (edited.code, edited.stopped, of_kind(edited, "Goal")) == (4, "", {"blocked"})
            [why] = [r.text for r in edited.remarks if r.link.kind == "Goal"]
            assert why.startswith("it is there, and the server shows nothing of type Goal: nobody can tell")
            assert of_kind(edited, "CarePlan") == {"unchanged"}
        without = pushed(server, tree)
        assert (without.code, without.stopped, of_kind(without, "CarePlan")) == (4, "", {"blocked"})
        assert all(n == 1 for n in sim.versions().values())
        pulled = command(sim, tmp_path, "pull", "{url}", "{folder}/back.json")
        assert (pulled.exit_code, "offers no search of anything that a history" in pulled.stderr) == (4, True)


def test_what_cannot_be_looked_for_is_not_called_absent() -> None:
    """Withdrawn by the ledger's ids where the server reads; else it is told that nobody can tell."""
    for interactions, outcome, code in ((("create", "read", "update"), "withdrawn", 0), (("create",), "blocked", 4)):
        with running(Kind("no search", people_and(interactions))) as (sim, server):
            with Ledger(None, server.url, CLINIC.namespace) as ledger:
                tree = known(sim, rich())
                pushed(server, tree, ledger=ledger)
                foretold = pushed(server, tree, ledger=ledger, withdraw=True, dry_run=True)
                result = pushed(server, tree, ledger=ledger, withdraw=True)
            assert foretold.outcomes == result.outcomes
            assert (result.code, of_kind(result, "CarePlan")) == (code, {outcome})
            without = pushed(server, tree, withdraw=True)
            assert (without.code, of_kind(without, "CarePlan")) == (4, {"blocked"})
            [why] = [r.text for r in without.remarks if r.link.kind == "Goal"]
            assert "the server offers no search of Goal: nobody can tell whether it is there" in why


@contextmanager
def meddled_with(sim: Simulated, kind: str) -> Iterator[list[str]]:
    """Somebody changes a resource of a type between our reading and our writing, each time."""
    write, done = sim._write, []

    def meddling(store: Any, method: str, url: str, headers: Any, body: Any) -> Any:
        if method == "PUT" and url.startswith(f"{kind}/"):
            id_ = url.split("/")[1]
            done.append(store.put(kind, id_, store.now(kind, id_) | {"implicitRules": "https://ehr.example"})["id"])
        return write(store, method, url, headers, body)

    sim._write = meddling  # type: ignore[method-assign]
    yield done
    sim._write = write  # type: ignore[method-assign]


@pytest.mark.parametrize("versioning", ["versioned", None])
def test_a_change_is_looked_at_afterwards_where_nobody_says_that_if_match_is_heeded(versioning: str | None) -> None:
    """What it should not have taken the place of is told, and nothing more of that type is changed."""
    flags = {"versioning": versioning} if versioning else {}
    whole = statement(dict.fromkeys(OURS, ALL), conditionalCreate=True, **flags)
    for heeds in (True, False):
        with running(Kind("any", whole, heeds=heeds)) as (sim, server):
            trees = [rich("P1"), rich("P2")]
            push(server, *trees)
            for tree in trees:
                record(tree, "goals")["text"] = "NRS sotto 2"
            with meddled_with(sim, "Goal") as meddled:
                first, second = push(server, *trees)
            if heeds:  # it was always somebody else's turn, and nobody's change was lost
                assert (first.code, second.code) == (4, 4)
                assert all(sim.store.now("Goal", id_)["implicitRules"] for id_ in meddled)  # type: ignore[index]
                continue
            assert (first.code, of_kind(first, "Goal")) == (4, {"changed"})
            [told] = [r for r in first.remarks if r.kind == "conflict"]
            assert "their version 2 was written over. It stands in the history" in told.text
            assert (second.code, of_kind(second, "Goal")) == (4, {"blocked"})
            assert "seen to heed no If-Match" in next(r.text for r in second.remarks if r.link.kind == "Goal")
            assert len(meddled) == 1
        with running(Kind("any", whole, heeds=heeds)) as (sim, server):  # nobody else: all is well
            pushed(server, rich())
            tree = rich()
            record(tree, "goals")["text"] = "NRS sotto 2"
            assert pushed(server, tree).code == 0


@pytest.mark.parametrize("system", [["transaction"], ["batch"], []], ids=["transaction", "batch", "single"])
def test_a_server_that_does_not_say_where_anything_is(system: list[str]) -> None:
    """It says that it has made something, and no more: people are searched for, as everything else is."""
    whole = statement(dict.fromkeys(OURS, ALL), **WHOLE | {"system": system})
    with running(Kind("nowhere", whole, echoes=False, locates=False)) as (sim, server):
        result = pushed(server, rich())
        nothing_is_lost(sim, rich(), result)
        assert (result.code, set(became(result))) == (0, {"created"})
        again(sim, server, rich(), result)


@pytest.mark.parametrize("system", [["transaction"], ["batch"], []], ids=["transaction", "batch", "single"])
def test_what_was_created_without_a_condition_is_created_whatever_the_status(system: list[str]) -> None:
    """200 says *found* only where something was looked for."""
    whole = statement(dict.fromkeys(OURS, ALL), **WHOLE | {"system": system, "conditionalCreate": False})
    with running(Kind("200", whole, made=200)) as (sim, server):
        result = pushed(server, rich())
        assert (result.code, set(became(result))) == (0, {"created"})
        again(sim, server, rich(), result)


@contextmanager
def read_too_early(sim: Simulated, kind: str, *, searched: bool = True) -> Iterator[None]:
    """A replica that is behind: what was written of a type cannot be read yet, and perhaps not be found either."""
    read, search = sim._read, sim._search

    def not_yet(parts: list[str]) -> Any:
        if parts[0] == kind:
            raise Refusal(404, "not found", "not-found")
        return read(parts)

    sim._read = not_yet  # type: ignore[method-assign]
    if not searched:
        sim._search = lambda k, asked: sim._page([], "") if k == kind else search(k, asked)  # type: ignore[method-assign]
    yield
    sim._read, sim._search = read, search  # type: ignore[method-assign]


@pytest.mark.parametrize("searched", [True, False], ids=["found", "not found"])
def test_whom_a_server_has_made_and_does_not_show_yet(searched: bool) -> None:
    whole = statement(dict.fromkeys(OURS, ALL), **WHOLE)
    for kind in PEOPLE:
        with running(Kind("late", whole, echoes=False)) as (sim, server):
            with read_too_early(sim, kind, searched=searched):
                result = pushed(server, rich())
            assert (result.code, set(became(result)), result.remarks) == (0, {"created"}, [])
            again(sim, server, rich(), result)


def test_whoever_was_made_is_told_so_though_another_is_not_settled() -> None:
    with running(odd("two patients")) as (sim, server):
        tree = known(sim, rich())
        known(sim, rich())
        result = pushed(server, tree)
        assert (result.code, "2 resources of type Patient match" in result.stopped) == (4, True)
        assert (of_kind(result, "Practitioner"), sim.writes) == ({"created"}, ["POST Practitioner"])


def test_what_was_made_of_a_window_that_is_stopped_is_told() -> None:
    """Practitioners cannot be asked for, patients were made before that."""
    with running(odd("forbidden")) as (sim, server):
        search = sim._search

        def forbidden(kind: str, asked: Any) -> Any:
            if kind == "Practitioner":
                raise Refusal(403, "not yours", "forbidden")
            return search(kind, asked)

        sim._search = forbidden  # type: ignore[method-assign]
        result = pushed(server, rich())
        assert (result.code, of_kind(result, "Patient"), of_kind(result, "Goal")) == (5, {"created"}, {"refused"})


def test_what_no_longer_carries_our_identifier_is_not_called_absent() -> None:
    """An EHR took our identifier away: what the ledger knows by its id stands there, and is in force."""
    with running(odd("whole")) as (sim, server), Ledger(None, server.url, CLINIC.namespace) as ledger:
        pushed(server, rich(), ledger=ledger)
        [goal] = sim.all("Goal")
        sim.store.put("Goal", goal["id"], {k: v for k, v in goal.items() if k != "identifier"})
        for dry in (True, False):
            result = pushed(server, rich(), ledger=ledger, withdraw=True, dry_run=dry)
            assert (of_kind(result, "Goal"), of_kind(result, "CarePlan")) == ({"blocked"}, {"withdrawn"})
            [why] = [r.text for r in result.remarks if r.link.kind == "Goal"]
            assert (result.code, "no longer carries our identifier" in why) == (4, True)


def test_a_withdrawal_that_a_server_undoes_is_not_told_as_done() -> None:
    """It has a rule for the status of a Condition, and answers with what it made of ours."""
    whole = statement(dict.fromkeys(OURS, ALL), **WHOLE | {"system": []})
    with running(Kind("provisional", whole)) as (sim, server):
        pushed(server, rich())
        put = sim.store.put
        system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
        status = {"coding": [{"system": system, "code": "provisional"}]}

        def ruled(kind: str, id_: str, x: Any) -> Any:
            return put(kind, id_, x | ({"verificationStatus": status} if kind == "Condition" else {}))

        sim.store.put = ruled  # type: ignore[method-assign]
        result = pushed(server, rich(), withdraw=True)
        assert (result.code, of_kind(result, "Condition"), of_kind(result, "Goal")) == (4, {"blocked"}, {"withdrawn"})
        assert all("in force still" in r.text for r in result.remarks if r.link.kind == "Condition")


def test_a_dry_run_where_nothing_can_be_searched_but_of_a_patient() -> None:
    """Of a patient who is not there yet nothing can be looked for; a push finds nothing there either."""
    whole = statement(dict.fromkeys(OURS, ALL), **WHOLE | {"conditionalCreate": False})
    with running(Kind("patient needed", whole)) as (sim, server):
        search = sim._search

        def of_a_patient(kind: str, asked: Any) -> Any:
            if kind not in PEOPLE and not {"patient", "_id"} & dict(asked).keys():
                raise Refusal(400, "patient is required", "required")
            return search(kind, asked)

        sim._search = of_a_patient  # type: ignore[method-assign]
        foretold = pushed(server, rich(), dry_run=True)
        [why] = {r.text for r in foretold.remarks if r.link.kind == "Goal"}
        assert "only the push will tell" in why
        result = pushed(server, rich())
        assert (result.code, set(became(result))) == (0, {"created"})
        assert foretold.outcomes == result.outcomes


NO_PATIENTS = {
    "no search": {"type": "Patient", "interaction": [{"code": "read"}, {"code": "create"}], "conditionalCreate": True},
    "no search by identifier": {
        "type": "Patient", "interaction": [{"code": "search-type"}], "searchParam": [{"name": "birthdate"}],
    },
    "not listed": None,
}  # fmt: skip


@pytest.mark.parametrize("patients", NO_PATIENTS)
def test_a_patient_who_cannot_be_looked_for(patients: str, tmp_path: Path) -> None:
    """Nobody knows about whom to write: nothing is sent, and with a folder for files the history goes there, whole."""
    whole = statement(dict.fromkeys(OTHERS, ALL), **WHOLE)
    whole["rest"][0]["resource"] += [NO_PATIENTS[patients]] if NO_PATIENTS[patients] else []
    filed: dict[str, Any] = {"files": tmp_path / "out"}
    with running(Kind("no patients", whole)) as (sim, server):
        tree = known(sim, rich())
        checked = command(sim, tmp_path, "server", "check", "{url}")
        assert (checked.exit_code, "every history is stopped; push --files DIR" in checked.stdout) == (4, True)
        stopped = pushed(server, tree)
        assert stopped.code == 4
        assert "with --files DIR the history goes into a file" in stopped.stopped
        foretold = pushed(server, tree, **filed, dry_run=True)
        assert not (tmp_path / "out").exists()
        result = pushed(server, tree, **filed)
        assert foretold.outcomes == result.outcomes
        assert (result.code, became(result)) == (0, {"filed": 30, "named": 1, "found": 1})
        [told] = [r.text for r in result.remarks if r.link.kind == "Patient"]
        assert told.endswith("the file says by identifier who it is")
        [file] = (tmp_path / "out").iterdir()
        resources = [e["resource"] for e in decode(file.read_bytes())["entry"]]
        about = {(x.get("subject") or x.get("patient"))["reference"] for x in resources}
        assert about == {"Patient?" + identifier_query(MRN, tree["key"])}
        again(sim, server, tree, result, **filed)
        assert sim.writes == ["POST Practitioner"]
        withdrawn = pushed(server, tree, **filed, withdraw=True)
        assert (withdrawn.code, of_kind(withdrawn, "Goal")) == (4, {"blocked"})


def test_other_commands_keep_to_the_statement_too(tmp_path: Path) -> None:
    """A server of all that we write, and of no profiles and no validation: it is not asked for them."""
    with running(odd("any")) as (sim, _):
        checked = command(sim, tmp_path, "check", "{folder}/clinic.json", "--server", "{url}")
        assert (checked.exit_code, "$validate" in checked.stderr) == (4, True)
        installed = command(sim, tmp_path, "profiles", "install", "{url}")
        assert installed.exit_code == 4
        assert "the server does not declare search-type of StructureDefinition" in installed.stdout
        assert {r.path for r in sim.requests} == {"/fhir/metadata"}


def test_a_server_without_read_is_searched_before_a_change() -> None:
    with running(Kind("no read", people_and(("create", "update", "search-type")))) as (sim, server):
        with Ledger(None, server.url, CLINIC.namespace) as ledger:
            tree = known(sim, rich())
            pushed(server, tree, ledger=ledger)
            record(tree, "goals")["text"] = "NRS sotto 2"
            result = pushed(server, tree, ledger=ledger)
        assert (result.code, of_kind(result, "Goal")) == (0, {"changed"})

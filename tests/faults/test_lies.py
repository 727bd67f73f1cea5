"""What a server, or something before it, says wrongly for a moment: it costs a word in the report, and leaves nothing
wrong behind.

All on a real server, with a proxy before it that says something else at the one request that matters.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from mesofhir.fhir.references import literals
from mesofhir.mapping import Clinic
from mesofhir.server import EntryResult, Retry, find_preset
from mesofhir.sync import Result
from tests.contract.harness import Ehr, Place, bundles, client, named, outcomes
from tests.contract.histories import Tree, rich, small
from tests.faults.fault_server import Exchange
from tests.faults.proxy import Proxy, Script, what
from tests.servers import FhirServer


@pytest.fixture
def place(hapi: FhirServer, namespace: str) -> Iterator[Place]:
    place = Place(hapi, Clinic(namespace), client(hapi), Ehr(hapi.url))
    yield place
    place.close()


def push(place: Place, tree: Tree, script: Script, **options: Any) -> tuple[Result, list[str]]:
    """What the push says, and what happened to its requests. The ledger stays that of the place."""
    with Proxy(place.fhir.url, script) as proxy:
        behind = FhirServer(place.fhir.name, proxy.url)
        with client(behind, retry=Retry(base=0.01)) as server:
            result = place.push(tree, server=server, **options)
        return result, [name for name in proxy.happened if name]


def at(name: str, kind: str, *, times: int = 1) -> Script:
    """A fault at the first requests of a kind: ``batch``, ``create`` (see :func:`what`), or a search of a type."""
    met: list[int] = []

    def script(n: int, exchange: Exchange) -> str:
        if len(met) < times and (what(exchange) == kind or exchange.path.endswith(f"/{kind}/_search")):
            met.append(n)
            return name
        return ""

    return script


def then(one: Script, other: Script) -> Script:
    """The second after the first was met."""
    met: list[str] = []

    def script(n: int, exchange: Exchange) -> str:
        if met:
            return other(n, exchange)
        if name := one(n, exchange):
            met.append(name)
        return name

    return script


# --- one bad answer is not what a server can do -------------------------------------------------------------


@pytest.mark.parametrize("name", ["4xx page", "another resource"])
def test_one_bad_answer_to_a_search_changes_nothing(place: Place, name: str) -> None:
    result, happened = push(place, rich(), at(name, "Practitioner"))
    assert (happened, result.code, outcomes(result)) == ([name], 0, {"created": 32})
    [physician] = [n for link, n in result.references.items() if link.kind == "Practitioner"]
    assert any(physician in set(literals(x)) for x in place.resources().values())


def test_who_cannot_be_asked_for_against_its_word_is_not_left_out(place: Place) -> None:
    """A reference by name alone would be there for good, and nobody would have said why."""
    result, _ = push(place, rich(), at("4xx page", "Practitioner", times=2))
    assert result.code == 4
    assert "cannot be asked for a Practitioner" in result.stopped
    assert {link.kind for link in place.links()} == {"Patient"}


@pytest.mark.parametrize(("name", "code"), [("4xx page", 0), ("another resource", 0), ("half the JSON", 5)])
def test_none_known_is_not_sent_over_an_allergy_that_a_bad_answer_hid(place: Place, name: str, code: int) -> None:
    tree = small()
    patient = {link.kind: n for link, n in place.pushed(tree).references.items()}["Patient"]
    place.ehr.create(
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
                ]
            },
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "387207008"}]},
            "patient": {"reference": patient},
        }
    )
    tree["exclusions"] = [{"key": "P1-U", "kind": "drug-allergy", "asked": "2026-02-01"}]
    result, happened = push(place, tree, at(name, "AllergyIntolerance"))
    assert happened == [name]
    assert result.code == (code or 4)
    assert ("AllergyIntolerance", "P1-U") in named(result, "refused" if code else "skipped")
    assert not [x for x in place.resources().values() if x["resourceType"] == "AllergyIntolerance"]


# --- a refusal that was none ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ledger", [True, False])
def test_what_was_refused_for_a_moment_is_referred_to_later(place: Place, ledger: bool) -> None:
    """Where each goes for itself, a refusal is not the others' concern: they name the refused by its identifier. That
    is mended when it is there."""

    def refuse(send: Any, entries: Any, type: str) -> Any:
        some = [e for e in entries if "P1-Y1" not in str(e["resource"]["identifier"])]
        done = iter(send(some, type) if some else ())
        return [next(done) if e in some else EntryResult(422) for e in entries]

    preset = find_preset("hapi")
    assert preset is not None
    with client(place.fhir, preset=msgspec.structs.replace(preset, transaction=False)) as server:
        with bundles(server, refuse):
            refused = place.push(rich(), server=server)
        assert refused.code == 4
        assert len(named(refused, "refused")) > 1
        assert unlinked(place)
        if not ledger:
            place.lose_ledger()
        mended = place.pushed(rich(), server=server)
        assert not unlinked(place)
        assert {r.kind for r in mended.remarks if mended.outcomes[r.link] == "changed"} == {"linked"}
        assert outcomes(place.pushed(rich(), server=server)) == {"found": 2, "unchanged": 30}


def unlinked(place: Place) -> list[str]:
    """References by identifier alone."""
    found, waiting = [], [*place.resources().values()]
    while waiting:
        x = waiting.pop()
        if isinstance(x.get("identifier"), dict) and "type" in x and "reference" not in x:
            found.append(str(x))
        for y in x.values():
            waiting += [z for z in (y if isinstance(y, list) else [y]) if isinstance(z, dict)]
    return found


def test_what_was_doubled_before_the_server_went_away_is_told(place: Place) -> None:
    """Without conditional creates a create that the network repeats makes two; that is seen when all is sent, also if
    all cannot be sent: what the ledger knows from then on is not looked for again."""
    preset = find_preset("hapi")
    assert preset is not None
    preset = msgspec.structs.replace(preset, transaction=False, batch=False)
    preset = msgspec.structs.replace(preset, others=msgspec.structs.replace(preset.others, conditional_create=False))
    met: list[str] = []

    def script(n: int, exchange: Exchange) -> str:
        if exchange.command != "POST" or exchange.path.endswith(("_search", "/Patient")) or len(met) == 2:
            return ""
        met.append("twice" if not met else "redirect")
        return met[-1]

    with Proxy(place.fhir.url, script) as proxy, client(FhirServer("hapi", proxy.url), preset=preset) as server:
        result = place.push(small(), server=server)
    assert met == ["twice", "redirect"]
    [doubled] = [link for link, n in place.links().items() if n > 1]
    assert result.outcomes[doubled] == "blocked"
    assert "carry one key of ours" in result.stopped


# --- an answer that is lost, and then the one about it ------------------------------------------------------


def test_a_lost_create_that_is_there_has_arrived(place: Place) -> None:
    """By whom it was made nobody can tell: another pusher may have been faster."""
    result, happened = push(place, small(), then(at("cut after", "batch"), at("cut after", "create")))
    assert happened == ["cut after", "cut after"]
    assert (result.code, outcomes(result)) == (0, {"arrived": 7})
    assert outcomes(place.pushed(small())) == {"found": 1, "unchanged": 6}


def test_what_cannot_even_be_looked_for_is_unknown(place: Place) -> None:
    result, happened = push(place, small(), then(at("cut after", "create"), at("login page", "Condition")))
    assert happened == ["cut after", "login page"]
    assert (result.code, outcomes(result)) == (6, {"created": 1, "unknown": 6})
    assert "the answer to a write was lost" in result.stopped
    assert outcomes(place.pushed(small())) == {"found": 1, "unchanged": 6}


def test_a_person_who_cannot_even_be_looked_for_is_unknown(place: Place) -> None:
    result, happened = push(place, small(), then(at("cut after", "batch"), at("login page", "Patient")))
    assert happened == ["cut after", "login page"]
    assert result.code == 6
    assert named(result, "unknown") == [("Patient", "P1")]
    assert "could not be looked for" in result.stopped
    assert outcomes(place.pushed(small())) == {"found": 1, "created": 6}


# --- an index that is behind --------------------------------------------------------------------------------


def test_what_is_withdrawn_is_what_the_ledger_knows(place: Place) -> None:
    place.pushed(small())
    result, happened = push(place, small(), blind_to("P1-"), withdraw=True)
    assert "nothing found" in happened
    assert (result.code, outcomes(result)) == (0, {"found": 1, "withdrawn": 6})


def test_what_a_record_was_before_is_what_the_ledger_knows(place: Place) -> None:
    """A wound that turns out to be a pregnancy is another resource; the old one is not left standing in silence."""
    tree = small() | {"findings": [{"key": "P1-F", "kind": "skin-not-intact", "found": "2026-03-02"}]}
    place.pushed(tree)
    before = {n for n, x in place.resources().items() if "P1-F" in str(x["identifier"])}
    tree["findings"][0]["kind"] = "pregnancy"
    result, happened = push(place, tree, blind_to("P1-F"))
    assert "nothing found" in happened
    gone = {n for link, n in result.references.items() if result.outcomes[link] == "withdrawn"}
    assert gone
    assert gone < before


def blind_to(key: str) -> Script:
    """No search by a key finds anything."""

    def script(n: int, exchange: Exchange) -> str:
        asked = exchange.path.endswith("/_search") and not exchange.path.endswith("/Patient/_search")
        return "nothing found" if asked and key.encode() in exchange.request_body else ""

    return script


def test_what_may_still_arrive_is_not_called_absent(place: Place) -> None:
    """Withdrawn a moment after its create was lost: the create may come after all, and be in force."""
    lost, _ = push(place, small(), at("cut before", "create"))
    assert len(named(lost, "unknown")) == 6
    withdrawn = place.push(small(), withdraw=True)
    assert withdrawn.code == 6
    assert named(withdrawn, "unknown") == named(lost, "unknown")
    assert place.ledger.counts()["unknown"] == 6

"""People belong to the EHR: they are found, not made, not written; who cannot be found for sure stops a history."""

from random import choice, randrange
from typing import Any
from uuid import uuid4

import pytest
from codicefiscale.codicefiscale import encode_cin

from mesofhir.errors import UnknownOutcome
from tests.contract.harness import Place, bundles, named, outcomes
from tests.contract.histories import Tree, record, rich, small

MRN, TAX = "urn:oid:2.999.1", "urn:oid:2.999.2"


@pytest.fixture
def mrn() -> str:
    """A number that nobody else has on the server."""
    return str(uuid4())


def person(mrn: str, system: str = MRN, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": system, "value": mrn}]} | more


def with_number(mrn: str, tree: Tree | None = None, system: str = MRN) -> Tree:
    return (tree or small()) | {"identifiers": [{"system": system, "value": mrn}]}


def test_a_patient_of_the_ehr_is_used_and_not_written(place: Place, mrn: str) -> None:
    name = place.ehr.create(person(mrn, name=[{"family": "Altra"}], gender="male"))
    tree = with_number(mrn) | {"gender": "female"}
    for _ in range(2):
        result = place.pushed(tree, create_people=False)
        assert named(result, "found") == [("Patient", "P1")]
        assert {x for r in result.remarks if r.kind == "differs" for x in [r.path]} == {"$.gender", "$.name"}
    assert len(place.ehr.versions(name)) == 1
    subjects = {(x.get("subject") or x.get("patient"))["reference"] for x in place.resources().values()}
    assert subjects == {name}
    [item] = place.pull()
    assert item.patient == "P1"
    assert item.history.family == "Altra"  # what the EHR says of its patient


def test_a_practitioner_of_the_ehr_is_used_and_not_written(place: Place, mrn: str) -> None:
    theirs = {"resourceType": "Practitioner", "identifier": [{"system": MRN, "value": mrn}], "active": True}
    name = place.ehr.create(theirs)
    tree = rich()
    record(tree, "practitioners")["identifiers"] = [{"system": MRN, "value": mrn}]
    result = place.pushed(tree)
    assert named(result, "found") == [("Practitioner", "P1-D1")]
    assert len(place.ehr.versions(name)) == 1
    [session] = [x for x in place.resources().values() if x["identifier"][0]["value"] == "P1-S1" and "usedCode" in x]
    assert session["performer"][0]["actor"]["reference"] == name
    [item] = place.pull()
    assert record_of(item, "practitioners") == ["P1-D1"]
    assert item.history.cycles[0].sessions[0].performer == "P1-D1"


def record_of(item: Any, table: str) -> list[str]:
    return [r.key for r in getattr(item.history, table)]


def test_nobody_found_stops_that_history_and_only_that(place: Place, mrn: str) -> None:
    place.ehr.create(person(mrn))
    trees = [with_number("x" + mrn, small("P1")), with_number(mrn, small("P2"))]
    stopped, pushed = place.results(*trees, create_people=False)
    assert (stopped.code, pushed.code) == (4, 0)
    assert "no such Patient" in stopped.stopped
    assert not any(words in stopped.stopped for words in (MRN, mrn))  # the record's own words
    assert MRN in place.push(trees[0], create_people=False, match_systems=[MRN]).stopped  # the configuration's
    assert set(outcomes(stopped)) == {"refused"}
    assert {link.key.split("-")[0] for link in place.links()} == {"P2"}


def test_two_candidates_stop_that_history_and_only_that(place: Place, mrn: str) -> None:
    names = sorted(place.ehr.create(person(mrn)) for _ in range(2))
    for create in (False, True):
        stopped, pushed = place.results(with_number(mrn, small("P1")), small("P2"), create_people=create)
        assert stopped.code == 4
        assert all(name in stopped.stopped for name in names)
        assert pushed.code == (0 if create else 4)
    assert {link.key.split("-")[0] for link in place.links()} == {"P2"}


def test_two_identifiers_of_two_people(place: Place, mrn: str) -> None:
    place.ehr.create(person(mrn))
    place.ehr.create(person(mrn, TAX))
    tree = small() | {"identifiers": [{"system": MRN, "value": mrn}, {"system": TAX, "value": mrn}]}
    assert "match" in place.push(tree).stopped
    assert place.pushed(tree, match_systems=[MRN]).code == 0


def test_only_the_systems_that_were_named_match(place: Place, mrn: str) -> None:
    place.ehr.create(person(mrn))
    tree = with_number(mrn)
    assert place.push(tree, create_people=False, match_systems=[TAX]).code == 4
    assert place.push(tree, create_people=False, match_systems=[TAX, MRN]).code == 0


def test_a_patient_who_was_merged_stops(place: Place, mrn: str) -> None:
    other = place.ehr.create(person(mrn + "b"))
    name = place.ehr.create(person(mrn, link=[{"other": {"reference": other}, "type": "replaced-by"}]))
    result = place.push(with_number(mrn))
    assert result.code == 4
    assert "replaced" in result.stopped
    assert name in result.stopped


def test_whom_we_made_is_found_again(place: Place, mrn: str) -> None:
    tree = with_number(mrn, rich())
    assert named(place.pushed(tree), "created")[:2] != []
    for options in ({"create_people": True}, {"create_people": False}):
        result = place.pushed(tree, **options)
        assert named(result, "found") == [("Patient", "P1"), ("Practitioner", "P1-D1")]
    tree["family"] = "Nuova"
    result = place.pushed(tree)
    assert [r.path for r in result.remarks if r.kind == "differs"] == ["$.name"]
    assert place.versions()[result.references[result_link(result, "Patient")]] == 1


def result_link(result: Any, kind: str) -> Any:
    [link] = [link for link in result.outcomes if link.kind == kind]
    return link


@pytest.mark.parametrize("jobs", [1, 4])
def test_practitioners_of_several_histories_are_made_once(place: Place, jobs: int) -> None:
    doctor = {"key": "D", "family": "Medico"}
    trees = [small(f"P{n}", practitioners=[doctor]) for n in range(8)]
    for tree in trees:
        record(tree, "sessions")["performer"] = "D"
    results = place.results(*trees, jobs=jobs)
    assert [r.code for r in results] == [0] * 8
    assert sum(("Practitioner", "D") in named(r, "created") for r in results) == 1
    assert set(place.links().values()) == {1}
    assert len(place.links()) == 8 * 7 + 1
    assert all(set(outcomes(r)) <= {"found", "unchanged"} for r in place.results(*trees, jobs=jobs))


def test_people_are_asked_for_in_bulk(place: Place) -> None:
    trees = [small(f"P{n}") for n in range(20)]
    place.results(*trees)
    assert [line.split()[1] for line in place.requests] == ["/Patient/_search", "/"] + ["/"] * 20
    place.results(*trees)
    assert [line.split()[1] for line in place.requests] == ["/Patient/_search"]  # the ledger knows all else
    place.lose_ledger()
    place.results(*trees)
    assert [line.split()[1] for line in place.requests] == ["/Patient/_search"] + ["/"] * 20


def test_two_records_of_one_person_stop_both(place: Place, mrn: str) -> None:
    """Of the same number, two Patients would be made, or one would get the facts of two."""
    trees = [with_number(mrn, small("P1")), with_number(mrn, small("P2")), small("P3")]
    first, second, third = place.results(*trees)
    assert (first.code, second.code, third.code) == (4, 4, 0)
    assert all("P1 and P2 state the same identifier" in r.stopped for r in (first, second))
    one = place.ehr.create({"resourceType": "Patient", "identifier": [
        {"system": MRN, "value": mrn + "a"}, {"system": TAX, "value": mrn + "b"},
    ]})  # fmt: skip
    trees = [with_number(mrn + "a", small("P4")), with_number(mrn + "b", small("P5"), TAX)]
    first, second = place.results(*trees)
    assert (first.code, second.code) == (4, 4)
    assert f"are both {one} on the server" in first.stopped


def test_the_answer_to_making_people_is_lost(place: Place) -> None:
    """Those who were made are found; who was not is not made again, and his history waits for a person."""

    def lose(send: Any, entries: Any, type: str) -> Any:
        if type != "batch":
            return send(entries, type)
        send(entries[:1], type)
        raise UnknownOutcome("no answer")

    with bundles(place.server, lose):
        first, second = place.results(small("P1"), small("P2"))
    assert (first.code, second.code) == (0, 6)
    assert {link.key.split("-")[0] for link in place.links()} == {"P1"}
    assert [r.code for r in place.results(small("P1"), small("P2"))] == [0, 0]
    assert set(place.links().values()) == {1}


def test_a_key_that_another_patient_has_stops_that_history(place: Place) -> None:
    place.pushed(small("P1"))
    before = place.versions()
    other = small("P2")
    record(other, "sessions")["key"] = "P1-S"  # of P1
    for told in ("pushed before as another patient's", "belongs to another patient"):
        stopped, pushed = place.results(other, small("P3"))
        assert (stopped.code, pushed.code) == (4, 0)
        assert told in stopped.stopped
        assert named(stopped, "blocked")
        place.lose_ledger()
    after = place.versions()
    assert {name: after[name] for name in before} == before
    record(other, "sessions")["key"] = "P2-S"
    assert place.pushed(other).code == 0
    items = {i.patient: i for i in place.pull()}
    assert not any(i.kept for i in items.values())
    assert items.keys() == {"P1", "P2", "P3"}


# --- the codice fiscale has two systems -----------------------------------------------------------------------

URL, OID = "http://hl7.it/sid/codiceFiscale", "urn:oid:2.16.840.1.113883.2.9.4.3.2"


def nobody() -> str:
    """A codice fiscale of nobody: born at a place that does not exist."""
    letters = "".join(choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(6))
    code = f"{letters}{randrange(100):02}A01X999"
    return code + encode_cin(code)


@pytest.mark.parametrize(("ours", "theirs"), [(URL, OID), (OID, URL)])
@pytest.mark.parametrize("matched", [[], [URL], [OID]], ids=["by all", "by the URL", "by the OID"])
def test_a_patient_is_found_under_either(place: Place, ours: str, theirs: str, matched: list[str]) -> None:
    code = nobody()
    name = place.ehr.create(person(code, theirs))
    result = place.push(small() | {"identifiers": [{"system": ours, "value": code}]}, match_systems=matched,
                        create_people=False)  # fmt: skip
    assert (result.stopped, result.code) == ("", 0)
    assert place.versions().get(name) is None  # not made ours
    assert {x["subject"]["reference"] for x in place.resources().values() if "subject" in x} == {name}


def test_two_records_of_one_codice_fiscale_are_one_person(place: Place) -> None:
    code = nobody()
    trees = [small(key) | {"identifiers": [{"system": s, "value": code}]} for key, s in (("P1", URL), ("P2", OID))]
    assert [r.code for r in place.results(*trees)] == [4, 4]

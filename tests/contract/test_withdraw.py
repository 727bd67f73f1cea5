"""``push --withdraw``: what we put there is marked entered-in-error; people, and what is theirs, stay."""

from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.records import flatten
from tests.contract.harness import Place, equal, named, outcomes
from tests.contract.histories import history, record, rich, small


def test_everything_of_ours_and_no_person(place: Place) -> None:
    tree = rich()
    place.pushed(tree)
    other = place.pushed(small("P2")).references
    result = place.pushed(tree, withdraw=True)
    assert outcomes(result) == {"found": 2, "withdrawn": 30}
    for name, x in place.resources().items():
        person = x["resourceType"] in ("Patient", "Practitioner")
        theirs = name in other.values()
        assert is_withdrawn(x) != (person or theirs), name
        assert x["meta"]["versionId"] == ("1" if person or theirs else "2")
        if is_withdrawn(x):
            assert "Prova" not in x["text"]["div"]
            assert "entered in error" in x["text"]["div"]
    again = place.pushed(tree, withdraw=True)
    assert outcomes(again) == {"found": 2, "unchanged": 30}
    assert place.versions().keys() >= set(result.references.values())
    assert all(x["meta"]["versionId"] in "12" for x in place.resources().values())


def test_what_comes_back_says_so(place: Place) -> None:
    tree = rich()
    place.pushed(tree)
    place.pushed(tree, withdraw=True)
    [item] = place.pull()
    assert item.kept == []
    stated = {(t, row["key"]): row.get("status") for t, row in flatten(item.history)}
    assert {t for (t, _), s in stated.items() if s != "entered-in-error"} == {"patients", "practitioners"}
    assert len(stated) == len(list(flatten(history(tree))))


def test_pushed_again_it_is_in_force_again(place: Place) -> None:
    tree = rich()
    place.pushed(tree)
    place.pushed(tree, withdraw=True)
    result = place.pushed(tree)
    assert outcomes(result) == {"found": 2, "changed": 30}
    assert not any(is_withdrawn(x) for x in place.resources().values())
    [item] = place.pull()
    assert (item.kept, item.notes) == ([], [])
    equal(history(tree), item.history, exact=place.is_hapi)


def test_nothing_of_it_is_there(place: Place) -> None:
    result = place.pushed(rich(), withdraw=True)
    assert outcomes(result) == {"absent": 32}
    assert place.resources() == {}


def test_what_an_ehr_added_stays(place: Place) -> None:
    tree = small()
    result = place.pushed(tree)
    [name] = [n for link, n in result.references.items() if link.kind == "Condition"]
    place.ehr.edit(name, lambda x: x.update(note=[{"text": "theirs"}]))
    place.pushed(tree, withdraw=True)
    assert place.ehr.read(name)["note"] == [{"text": "theirs"}]


def test_of_another_patient_nothing_is_withdrawn(place: Place) -> None:
    place.pushed(small("P1"))
    place.pushed(small("P2"))
    tree = small("P2")
    record(tree, "sessions")["key"] = "P1-S"
    before = place.versions()
    result = place.push(tree, withdraw=True)
    assert result.code == 4
    assert "another patient" in result.stopped
    assert named(result, "withdrawn") == []
    assert place.versions() == before


def test_in_small_parts(place: Place) -> None:
    from mesofhir.sync.planning.parts import Limits

    tree = rich()
    place.pushed(tree)
    assert outcomes(place.pushed(tree, withdraw=True, limits=Limits(entries=7))) == {"found": 2, "withdrawn": 30}

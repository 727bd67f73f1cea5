"""What we write is accepted: by the HL7 validator without an error, and with the same verdict by Python."""

import os
from pathlib import Path

import pytest

from mesofhir.fhir.exactjson import decode
from mesofhir.formats import read
from mesofhir.mapping import Clinic
from mesofhir.server import Server
from tests.contract.harness import Ehr, Place
from tests.profiles.histories import ALL, bundle, faults, verdicts
from tests.profiles.material import BUNDLES
from tests.profiles.validator import Validator, told
from tests.servers import FhirServer

AT_ONCE = 10
SEEDS = range(0, ALL if os.environ.get("MESOFHIR_TESTS") == "thorough" else 60, AT_ONCE)


@pytest.mark.parametrize("path", BUNDLES, ids=lambda p: p.name)
def test_an_example(path: Path, validator: Validator) -> None:
    entries = decode(path.read_bytes())["entry"]
    resources, urls = [e["resource"] for e in entries], [e["fullUrl"] for e in entries]
    assert faults(verdicts(validator, path.name, resources, urls)) == []


def test_there_are_examples() -> None:
    assert len(BUNDLES) == 17


@pytest.mark.parametrize("first", SEEDS, ids=lambda n: f"from-{n}")
def test_generated_histories(first: int, validator: Validator) -> None:
    """All 1,000 with MESOFHIR_TESTS=thorough, or by `python -m tests.profiles.histories`."""
    seeds = range(first, first + AT_ONCE)
    assert [f for n in seeds for f in faults(verdicts(validator, f"seed {n}", *bundle(n)))] == []


def test_a_single_resource_is_judged_as_in_its_bundle(validator: Validator) -> None:
    """Where no reference has to be resolved, that is."""
    patient = next(e["resource"] for e in decode(BUNDLES[0].read_bytes())["entry"])
    url = "urn:uuid:00000000-0000-4000-8000-000000000001"
    inside = [i for i in validator.bundle([patient], [url])[0] if i.severity != "information"]
    assert [i for i in validator.one(patient) if i.severity != "information"] == inside


def test_what_was_pushed_is_valid_where_it_stands(hapi: FhirServer, validator: Validator, namespace: str) -> None:
    """With literal references to what the server holds, each resource asked alone."""
    [item] = read(str(BUNDLES[0].parents[1] / "pain-micro-injection.json"))
    with Server(hapi.url) as server:
        place = Place(hapi, Clinic(namespace), server, Ehr(hapi.url))
        place.pushed(item.history)
        stored = place.resources()
    assert len(stored) > 60
    wrong = {name: told([i for i in validator.one(x) if i.failed]) for name, x in stored.items()}
    assert {name: issues for name, issues in wrong.items() if issues} == {}

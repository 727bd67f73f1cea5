"""A clinic of the test's own on each server."""

from collections.abc import Iterator

import pytest

from mesofhir.mapping import Clinic
from tests.contract.harness import Ehr, Place, client
from tests.servers import FhirServer


@pytest.fixture
def place(fhir_server: FhirServer, namespace: str) -> Iterator[Place]:
    """Each of the servers in turn."""
    place = Place(fhir_server, Clinic(namespace), client(fhir_server), Ehr(fhir_server.url))
    yield place
    place.close()

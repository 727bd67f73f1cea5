"""The HL7 validator, for the tests of the profiles."""

import pytest

from tests.profiles.validator import Validator
from tests.servers import FhirServer


@pytest.fixture(scope="session")
def validator(hapi: FhirServer) -> Validator:
    """The one in the HAPI that has our profiles."""
    return Validator(hapi.url)

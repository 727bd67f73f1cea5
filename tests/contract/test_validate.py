"""HAPI's validator (the HL7 one) on every resource of the examples, against the base specification.

Our own profiles come with their package; here ``meta.profile`` is left out.
"""

from pathlib import Path

import pytest

from mesofhir.fhir import exactjson
from mesofhir.server import Server
from tests.servers import FhirServer

EXAMPLES = Path(__file__).parents[2] / "examples" / "fhir"
BUNDLES = sorted(EXAMPLES.rglob("*.bundle.json"))

EXPLAINED = (
    "Unable to resolve",  # the Bundle is not stored: its references lead nowhere yet
    "https://w3id.org/mesofhir",  # extensions and codes of the package that is not installed here
)


@pytest.mark.parametrize("path", BUNDLES, ids=lambda p: p.name)
def test_the_validator_finds_no_error(path: Path, hapi: FhirServer):
    bundle = exactjson.decode(path.read_bytes())
    for entry in bundle["entry"]:
        entry["resource"]["meta"].pop("profile", None)
    with Server(hapi.url) as server:
        answer = server.request("POST", "Bundle/$validate", body=bundle, reads=True)
    issues = (answer.body or {}).get("issue", [])
    errors = [
        (i.get("expression") or i.get("location"), i.get("diagnostics"))
        for i in issues
        if i["severity"] in ("error", "fatal") and not any(e in i.get("diagnostics", "") for e in EXPLAINED)
    ]
    assert errors == []
    assert issues


def test_there_are_bundles():
    assert len(BUNDLES) == 17

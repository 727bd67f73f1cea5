"""That both test servers are what the other contract tests take them for, and where they differ."""

import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.servers import FhirServer

Resource = dict[str, Any]


def send(
    server: FhirServer, method: str, path: str, body: Resource | str | None = None, **headers: str
) -> requests.Response:
    headers |= {"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"}
    data = body if isinstance(body, str) else json.dumps(body) if body else None
    return requests.request(method, f"{server.url}{path}", data=data, headers=headers, timeout=300)


def search(server: FhirServer, resource_type: str, **parameters: str) -> Resource:
    response = requests.post(
        f"{server.url}/{resource_type}/_search",
        data=parameters,
        headers={"Accept": "application/fhir+json"},
        timeout=300,
    )
    assert response.status_code == 200, response.text
    return response.json()


def patient(namespace: str, key: str) -> Resource:
    return {"resourceType": "Patient", "identifier": [{"system": f"{namespace}/patient", "value": key}]}


def transaction(server: FhirServer, *entries: Resource) -> requests.Response:
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
    return send(server, "POST", "", bundle, Prefer="return=representation")


def create_unless_there(resource: Resource, handle: str) -> Resource:
    identifier = resource["identifier"][0]
    condition = f"identifier={identifier['system']}|{identifier['value']}"
    return {
        "fullUrl": handle,
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"], "ifNoneExist": condition},
    }


def test_says_what_it_can_do(fhir_server: FhirServer) -> None:
    statement = send(fhir_server, "GET", "/metadata").json()
    assert statement["resourceType"] == "CapabilityStatement"
    assert statement["fhirVersion"] == "4.0.1"
    types = {resource["type"] for rest in statement["rest"] for resource in rest["resource"]}
    assert types >= {"Patient", "CarePlan", "Procedure", "AllergyIntolerance"}


def test_conditional_create_makes_or_fetches(fhir_server: FhirServer, namespace: str) -> None:
    whom, what = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    session = {
        "resourceType": "Procedure",
        "identifier": [{"system": f"{namespace}/session", "value": "s1"}],
        "status": "completed",
        "subject": {"reference": whom},
    }
    entries = [create_unless_there(patient(namespace, "p1"), whom), create_unless_there(session, what)]

    created, fetched = (transaction(fhir_server, *entries).json()["entry"] for _ in range(2))

    assert [entry["response"]["status"][:3] for entry in created] == ["201", "201"]
    assert [entry["response"]["status"][:3] for entry in fetched] == ["200", "200"]
    for made, found in zip(created, fetched, strict=True):
        assert found["resource"]["id"] == made["resource"]["id"]
        assert found["resource"]["meta"]["versionId"] == "1"
    assert fetched[1]["resource"]["subject"]["reference"] == f"Patient/{created[0]['resource']['id']}"


def test_a_transaction_is_all_or_nothing(fhir_server: FhirServer, namespace: str) -> None:
    ours = send(fhir_server, "POST", "/Patient", patient(namespace, "old")).json()
    stale = {
        "resource": {**ours, "active": True},
        "request": {"method": "PUT", "url": f"Patient/{ours['id']}", "ifMatch": 'W/"7"'},
    }
    fresh = create_unless_there(patient(namespace, "new"), f"urn:uuid:{uuid4()}")

    assert transaction(fhir_server, fresh, stale).status_code == (409 if fhir_server.is_hapi else 412)
    assert search(fhir_server, "Patient", identifier=f"{namespace}/patient|new").get("entry", []) == []


def test_a_dangling_reference(fhir_server: FhirServer) -> None:
    dangling = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": f"Patient/{uuid4()}"},
    }
    answer = send(fhir_server, "POST", "/Procedure", dangling)
    assert answer.status_code == (400 if fhir_server.is_hapi else 201)  # sekmet has no referential integrity


@pytest.mark.parametrize(("sent", "from_sekmet"), [("0.50", "0.5"), ("0.10", "0.1"), ("2.00", "2.0")])
def test_precision_of_decimals(fhir_server: FhirServer, sent: str, from_sekmet: str) -> None:
    volume = f"""{{"resourceType": "Observation", "status": "final", "code": {{"text": "volume"}},
        "valueQuantity": {{"value": {sent}, "unit": "mL"}}}}"""
    stored = send(fhir_server, "POST", "/Observation", volume).json()

    read = json.loads(send(fhir_server, "GET", f"/Observation/{stored['id']}").text, parse_float=Decimal)

    # sekmet keeps the value, not the digits.
    assert str(read["valueQuantity"]["value"]) == (sent if fhir_server.is_hapi else from_sekmet)


def test_search_by_post_gives_every_page(fhir_server: FhirServer, namespace: str) -> None:
    keys = {f"p{number}" for number in range(5)}
    for key in keys:
        send(fhir_server, "POST", "/Patient", patient(namespace, key))

    found: list[str] = []
    page = search(fhir_server, "Patient", identifier=f"{namespace}/patient|", _count="2")
    while True:
        assert len(page["entry"]) <= 2
        found += [entry["resource"]["identifier"][0]["value"] for entry in page["entry"]]
        following = [link["url"] for link in page["link"] if link["relation"] == "next"]
        if not following:
            break
        assert following[0].startswith(fhir_server.url)
        page = send(fhir_server, "GET", following[0].removeprefix(fhir_server.url)).json()

    assert sorted(found) == sorted(keys)


def test_a_stale_version_is_refused(fhir_server: FhirServer, namespace: str) -> None:
    first = send(fhir_server, "POST", "/Patient", patient(namespace, "p1")).json()
    path = f"/Patient/{first['id']}"
    put = send(fhir_server, "PUT", path, {**first, "active": True}, **{"If-Match": 'W/"1"'})
    assert put.status_code == 200

    stale = send(fhir_server, "PUT", path, {**first, "active": False}, **{"If-Match": 'W/"1"'})

    assert stale.status_code == (409 if fhir_server.is_hapi else 412)
    now = send(fhir_server, "GET", path).json()
    assert (now["meta"]["versionId"], now["active"]) == ("2", True)

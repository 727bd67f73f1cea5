"""Single exchanges: what is sent, and how an answer is read."""

import json
from decimal import Decimal
from typing import Any

import pytest
import requests
import responses

from mesofhir.errors import Refused, UnknownOutcome, Unreachable, UsageError
from mesofhir.server import Clock, Server, Timeouts
from mesofhir.server.client import user_agent

BASE = "https://fhir.example.org/r4"
JSON = "application/fhir+json;charset=UTF-8"
PATIENT = {"resourceType": "Patient", "id": "1", "meta": {"versionId": "7"}}


@pytest.fixture
def fhir() -> Any:
    with Server(BASE, clock=Clock(sleep=lambda seconds: None)) as server:
        yield server


def reply(method: str, path: str, body: Any = None, status: int = 200, **more: Any) -> None:
    data = body if isinstance(body, bytes | Exception) else json.dumps(body) if body is not None else ""
    responses.add(method, f"{BASE}{path}", body=data, status=status, content_type=JSON, **more)


def call(number: int = -1) -> requests.PreparedRequest:
    request: requests.PreparedRequest = responses.calls[number].request
    return request


@responses.activate
def test_a_read_keeps_decimals(fhir: Server) -> None:
    reply(
        "GET",
        "/Observation/1",
        b'{"resourceType": "Observation", "id": "1", "valueQuantity": {"value": 0.50}}',
    )
    answer = fhir.read("Observation", "1")
    value = (answer.body or {})["valueQuantity"]["value"]
    assert (value, str(value)) == (Decimal("0.50"), "0.50")
    assert call().headers["Accept"] == "application/fhir+json"
    assert call().headers["User-Agent"] == user_agent()
    assert call().headers["Accept-Encoding"] == "gzip, deflate"
    assert "Authorization" not in call().headers


@responses.activate
def test_a_write_keeps_decimals(fhir: Server) -> None:
    reply("POST", "/Observation", {"resourceType": "Observation", "id": "1"}, 201)
    fhir.create({"resourceType": "Observation", "valueQuantity": {"value": Decimal("0.50")}})
    assert call().body == b'{"resourceType":"Observation","valueQuantity":{"value":0.50}}'
    assert call().headers["Content-Type"] == "application/fhir+json"
    assert call().headers["Prefer"] == "return=representation"


@responses.activate
@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_told_apart(fhir: Server, status: int) -> None:
    reply("GET", "/Patient/1", {"resourceType": "OperationOutcome"}, status)
    answer = fhir.read("Patient", "1")
    assert (answer.status, answer.ok) == (status, False)


@responses.activate
def test_odd_ids_stay_where_they_are(fhir: Server) -> None:
    odd = "a/b?c#d é%2e"
    reply("GET", "/Patient/a%2Fb%3Fc%23d%20%C3%A9%252e", PATIENT | {"id": odd})
    assert fhir.read("Patient", odd).status == 200


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("Patient", ""),
        ("Patient", "."),
        ("Patient", ".."),
        ("patient", "1"),
        ("Patient/..", "1"),
        ("", "1"),
        ("Patient?x", "1"),
    ],
)
def test_ids_and_types_that_lead_elsewhere_are_refused(fhir: Server, kind: str, number: str) -> None:
    with pytest.raises(UsageError):
        fhir.read(kind, number)


@responses.activate
@pytest.mark.parametrize(
    ("body", "etag", "version"),
    [
        (PATIENT, None, "7"),
        (PATIENT, 'W/"8"', "7"),
        ({"resourceType": "Patient", "id": "1"}, 'W/"8"', "8"),
        ({"resourceType": "Patient", "id": "1", "meta": {}}, '"8"', "8"),
        ({"resourceType": "Patient", "id": "1", "meta": []}, "8", "8"),
        ({"resourceType": "Patient", "id": "1"}, 'W/""', None),
        ({"resourceType": "Patient", "id": "1"}, None, None),
    ],
)
def test_the_version_of_an_answer(fhir: Server, body: Any, etag: str | None, version: str | None) -> None:
    reply("GET", "/Patient/1", body, headers={"ETag": etag} if etag else {})
    assert fhir.read("Patient", "1").version == version


@responses.activate
def test_a_conditional_create_and_an_update_with_their_conditions(fhir: Server) -> None:
    reply("POST", "/Patient", PATIENT, 200, headers={"Location": f"{BASE}/Patient/1/_history/7"})
    found = fhir.create({"resourceType": "Patient"}, if_none_exist="identifier=a%7Cb")
    assert call().headers["If-None-Exist"] == "identifier=a%7Cb"
    assert (found.status, found.location, found.version) == (200, "Patient/1", "7")
    reply("PUT", "/Patient/1", PATIENT | {"meta": {"versionId": "8"}})
    changed = fhir.update(PATIENT, version="7")
    assert call().headers["If-Match"] == 'W/"7"'
    assert (changed.status, changed.location, changed.version) == (200, "Patient/1", "8")


@responses.activate
def test_a_create_that_answers_with_a_location_only(fhir: Server) -> None:
    reply("POST", "/Patient", None, 201, headers={"Location": "Patient/9/_history/3"})
    created = fhir.create({"resourceType": "Patient"})
    assert (created.status, created.location, created.version, created.resource) == (
        201,
        "Patient/9",
        "3",
        None,
    )


@responses.activate
def test_a_refused_create_says_why(fhir: Server) -> None:
    issue = {"severity": "error", "code": "multiple-matches", "diagnostics": "matched 2 resources: Rossi"}
    reply("POST", "/Patient", {"resourceType": "OperationOutcome", "issue": [issue]}, 412)
    with pytest.raises(Refused) as caught:
        fhir.create({"resourceType": "Patient"})
    assert caught.value.status == 412
    assert caught.value.issues == ["error multiple-matches: matched 2 resources: …"]


@responses.activate
def test_everything_and_history_are_asked_for_by_page(fhir: Server) -> None:
    page = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": PATIENT}]}
    reply("GET", "/Patient/1/$everything", page)
    assert list(fhir.everything("1", count=50, since="2026-01-01T00:00:00Z", types=["Patient", "Goal"])) == [
        PATIENT
    ]
    assert call().params == {"_count": "50", "_since": "2026-01-01T00:00:00Z", "_type": "Patient,Goal"}
    deleted = {"request": {"method": "DELETE", "url": "Patient/1/_history/8"}, "response": {"status": "200"}}
    older = {
        "resource": PATIENT,
        "request": {"method": "PUT"},
        "response": {"lastModified": "2026-01-02T00:00:00Z"},
    }
    reply(
        "GET", "/Patient/1/_history", {"resourceType": "Bundle", "type": "history", "entry": [deleted, older]}
    )
    versions = list(fhir.history("Patient", "1", count=50))
    assert [(each.version, each.deleted, each.modified) for each in versions] == [
        ("8", True, None),
        ("7", False, "2026-01-02T00:00:00Z"),
    ]
    assert versions[1].resource == PATIENT


@responses.activate
@pytest.mark.parametrize("body", [PATIENT, {"resourceType": "OperationOutcome"}, None])
def test_a_server_without_a_statement_is_none(fhir: Server, body: Any) -> None:
    reply("GET", "/metadata", body)
    with pytest.raises(Unreachable, match="CapabilityStatement"):
        fhir.capabilities()


@responses.activate
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (requests.ConnectionError("https://secret"), UnknownOutcome),
        (requests.ReadTimeout("https://secret"), UnknownOutcome),
        (requests.exceptions.ChunkedEncodingError("https://secret"), UnknownOutcome),
        (requests.ConnectTimeout("https://secret"), Unreachable),
    ],
)
def test_a_write_whose_fate_is_not_proven_is_unknown(fhir: Server, error: Exception, outcome: type) -> None:
    responses.add("POST", f"{BASE}/Patient", body=error)
    with pytest.raises(outcome) as caught:
        fhir.create({"resourceType": "Patient"})
    assert "secret" not in str(caught.value)
    assert len(responses.calls) == (1 if outcome is UnknownOutcome else 3)


@responses.activate
def test_a_search_is_lazy(fhir: Server) -> None:
    found = fhir.search("Patient", [("identifier", "a|")])
    assert len(responses.calls) == 0
    reply("POST", "/Patient/_search", {"resourceType": "Bundle", "type": "searchset", "total": 0})
    assert list(found) == []
    assert (found.total, found.complete, found.warnings) == (0, True, [])


def test_plain_http_is_warned_about() -> None:
    told: list[str] = []
    Server("http://fhir.example.org/r4", allow_http=True, warn=told.append)
    assert "plain http" in told[0]
    Server("http://localhost/r4", warn=told.append)
    Server(BASE, allow_http=True, warn=told.append)
    assert len(told) == 1
    with pytest.raises(UsageError):
        Server("http://fhir.example.org/r4")


def test_a_bundle_is_a_transaction_or_a_batch(fhir: Server) -> None:
    with pytest.raises(UsageError):
        fhir.bundle([{}], type="collection")


@responses.activate
def test_requests_never_leave_the_base(fhir: Server) -> None:
    for path in ("../x", "https://evil.example/r4", f"{BASE}/../x"):
        with pytest.raises(UsageError):
            fhir.request("GET", path)
    assert len(responses.calls) == 0


@responses.activate
@pytest.mark.parametrize(
    "path",
    [
        "Patient?identifier=https://c%7C1",
        "Patient?family=Rossi",
        "Patient?family:exact=Rossi",
        "Procedure?_count=1&subject:Patient.name=Rossi&name=Rossi",
        f"{BASE}?birthdate=1960-03-12",
    ],
)
def test_nobody_is_named_in_a_url(fhir: Server, path: str) -> None:
    for method in ("GET", "PUT"):
        with pytest.raises(UsageError, match="person") as caught:
            fhir.request(method, path)
        assert "Rossi" not in str(caught.value)
    assert len(responses.calls) == 0


@responses.activate
@pytest.mark.parametrize("value", ["a\r\nX: y", "Niccolò", "a\n", "\x00"])
def test_a_header_that_cannot_be_sent_is_our_mistake(fhir: Server, value: str) -> None:
    with pytest.raises(UsageError, match="If-Match") as caught:
        fhir.update(PATIENT, version=value)
    assert value not in str(caught.value)
    assert len(responses.calls) == 0


@responses.activate
def test_what_a_caller_declares_a_read_is_asked_again(fhir: Server) -> None:
    reply("POST", "/Patient/$validate", None, 503)
    with pytest.raises(Unreachable):
        fhir.request("POST", "Patient/$validate", body=PATIENT, reads=True)
    assert len(responses.calls) == 3


def test_timeouts_have_defaults() -> None:
    assert (Timeouts().connect, Timeouts().read, Timeouts().total) == (10, 60, 300)


def test_no_part_of_an_attempt_takes_longer_than_the_whole() -> None:
    assert Timeouts.within(5) == Timeouts(connect=5, read=5, total=5)
    assert Timeouts.within(900) == Timeouts(connect=10, read=60, total=900)

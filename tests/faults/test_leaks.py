"""No patient data in a log line, a message, a traceback or a URL, whatever a server says about it."""

import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from mesofhir.errors import MesofhirError
from mesofhir.server import Answer, Basic, Bearer, Secret, Server, identifier_query
from tests.faults.fault_server import Exchange, FaultServer, always, client

CANARY = "Zqxcanary"  # in every field of every resource, parameter, id and message
NS = "https://clinic.example/n/patient"
RESOURCE = {
    "resourceType": "Patient",
    "id": f"{CANARY}-id",
    "meta": {"versionId": f"{CANARY}-v", "source": CANARY},
    "text": {"status": "generated", "div": f"<div>{CANARY}</div>"},
    "identifier": [{"system": NS, "value": f"{CANARY}-key"}],
    "name": [{"family": CANARY, "given": [CANARY.upper(), CANARY.lower()]}],
    "birthDate": CANARY,
    "gender": CANARY,
}
OUTCOME = {
    "resourceType": "OperationOutcome",
    "text": {"div": CANARY},
    "issue": [
        {
            "severity": "error",
            "code": "processing",
            "details": {
                "text": f"{CANARY} is ill",
                "coding": [{"code": CANARY.upper(), "display": CANARY, "system": f"http://{CANARY}"}],
            },
            "diagnostics": f"HAPI-1821: Unknown code '{CANARY}' of {CANARY}, Patient/{CANARY}?name={CANARY}",
            "expression": [f"Patient.name.where(family='{CANARY}')", CANARY, f"Patient.{CANARY}"],
            "location": [f"/f:{CANARY}"],
        },
        {"severity": CANARY, "code": CANARY, "diagnostics": CANARY},
    ],
}
REMARKS = OUTCOME | {"issue": [each | {"severity": "warning"} for each in OUTCOME["issue"]]}
SEARCHES = [
    ("identifier", f"{NS}|{CANARY}-key"),
    ("family", CANARY),
    (f"{CANARY}:exact", CANARY),
    ("subject:Patient.name", CANARY),
]


def every_action(fhir: Server) -> list[Callable[[], Any]]:
    entry = {
        "fullUrl": f"urn:uuid:{CANARY}",
        "resource": RESOURCE,
        "request": {"method": "POST", "url": "Patient", "ifNoneExist": identifier_query(NS, CANARY)},
    }
    return [
        fhir.capabilities,
        *((lambda pair=pair: list(fhir.search("Patient", [pair]))) for pair in SEARCHES),
        lambda: fhir.read("Patient", f"{CANARY}-id"),
        lambda: list(fhir.history("Patient", f"{CANARY}-id")),
        lambda: list(fhir.everything(f"{CANARY}-id")),
        lambda: fhir.bundle([entry]),
        lambda: fhir.bundle([entry], type="batch"),
        lambda: fhir.create(RESOURCE, if_none_exist=identifier_query(NS, CANARY)),
        lambda: fhir.update(RESOURCE, version=f"{CANARY}-v"),
        lambda: fhir.request("POST", f"Patient/{CANARY}-id/$validate?profile={CANARY}", body=RESOURCE),
    ]


def searchset(*resources: Any, **link: str) -> dict[str, Any]:
    links = [{"relation": relation, "url": url} for relation, url in link.items()]
    entries = [{"fullUrl": f"urn:{CANARY}", "resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "id": CANARY, "type": "searchset", "link": links, "entry": entries}


def html(exchange: Exchange) -> None:
    exchange.answer(200, f"<p>{CANARY}</p>".encode(), Content_Type=f"text/html; name={CANARY}")


def odd_type(exchange: Exchange) -> None:
    exchange.answer(200, CANARY.encode(), Content_Type=f"text/{CANARY} {CANARY}")


def next_away(exchange: Exchange) -> None:
    exchange.answer(200, searchset(RESOURCE, next=f"http://127.0.0.1:1/{CANARY}?name={CANARY}"))


def next_inside(exchange: Exchange) -> None:
    base = exchange.server.url
    more = b"page" not in exchange.path.encode() + exchange.request_body
    exchange.answer(
        200, searchset(RESOURCE, next=f"{base}/Patient?page=2&name={CANARY}") if more else searchset()
    )


BEHAVIOURS: dict[str, Callable[[Exchange], None]] = {
    "as asked": always(200, RESOURCE),
    "created": always(201, RESOURCE, Location=f"/fhir/Patient/{CANARY}-id/_history/1", ETag=f'W/"{CANARY}"'),
    "found": always(200, searchset(RESOURCE)),
    "remarks": always(200, searchset(RESOURCE, REMARKS)),
    "error inside": always(200, searchset(RESOURCE, OUTCOME)),
    "ignored": always(200, searchset(RESOURCE, self=f"http://x/Patient?_count=200&{CANARY}={CANARY}")),
    "next away": next_away,
    "next inside": next_inside,
    "html": html,
    "odd type": odd_type,
    "broken": always(200, f'{{"resourceType": "{CANARY}", "{CANARY}": 1, "{CANARY}": 2}}'.encode()),
    "cut": always(200, f'{{"resourceType": "{CANARY}'.encode()),
    "dropped": Exchange.drop,
    "redirect": always(302, Location=f"http://{CANARY}.example/{CANARY}?name={CANARY}"),
    "redirect home": always(307, Location=f"/fhir/{CANARY}?name={CANARY}"),
    **{str(status): always(status, OUTCOME) for status in (400, 401, 403, 404, 409, 410, 412, 413, 422, 429)},
    **{str(status): always(status, OUTCOME) for status in (500, 501, 502, 503)},
}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_nothing_of_a_patient_is_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    chained: list[BaseException | None] = []
    with caplog.at_level(logging.DEBUG), FaultServer(BEHAVIOURS[name]) as server:
        for auth in (Bearer(f"{CANARY}secret"), Basic(f"{CANARY}user", Secret(f"{CANARY}secret"))):
            with client(server.url, auth=auth, warn=told.append) as fhir:
                told += [repr(fhir), repr(auth), str(auth)]
                for action in every_action(fhir):
                    try:
                        result = action()
                        told += [repr(result)] if isinstance(result, Answer) else []
                    except MesofhirError as error:
                        told += [str(error), repr(error), "".join(traceback.format_exception(error))]
                        chained += [error.__cause__, error.__context__]
        assert server.requests
    assert not any(chained)  # the errors of requests quote the whole URL
    records = [record.getMessage() for record in caplog.records]
    assert any(text.startswith("POST /Patient/_search") for text in records)
    # The origin that a server redirects to is named: it is no patient's.
    shown = [text.casefold().replace(f"{CANARY}.example".casefold(), "") for text in told + records]
    assert [text for text in shown if CANARY.casefold() in text] == []


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_no_url_holds_what_was_searched_for(name: str) -> None:
    with FaultServer(BEHAVIOURS[name]) as server, client(server.url, warn=lambda text: None) as fhir:
        for pair in SEARCHES:
            with suppress(MesofhirError):
                list(fhir.search("Patient", [pair]))
        urls = [each.path for each in server.requests]
        assert urls
        assert not [url for url in urls if CANARY in url]


def test_urllib3_still_logs_for_others(caplog: pytest.LogCaptureFixture) -> None:
    import urllib3

    with caplog.at_level(logging.DEBUG), FaultServer(always(200, RESOURCE | {"id": "1"})) as server:
        with client(server.url) as fhir:
            fhir.read("Patient", "1")
        assert not [each for each in caplog.records if each.name.startswith("urllib3")]
        urllib3.PoolManager().request("GET", f"{server.url}/x")
        assert [each for each in caplog.records if each.name.startswith("urllib3")]

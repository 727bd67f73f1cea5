"""Results that lie: pages that lead elsewhere, searches that were ignored, bundles with entries missing."""

import itertools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mesofhir.errors import Refused, UnknownOutcome
from mesofhir.server import Server, TooLarge, TransactionFailed
from tests.faults.fault_server import PATIENT, Exchange, FaultServer, StillClock, against, always, client

Json = dict[str, Any]
NS = "https://clinic.example/n/patient"


def patient(number: int) -> Json:
    return {"resourceType": "Patient", "id": str(number)}


def page(*resources: Json, link: str | None = None, self: str | None = None, **more: Any) -> Json:
    links = [{"relation": name, "url": url} for name, url in (("self", self), ("next", link)) if url]
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries} | more


def outcome(severity: str, text: str = "") -> Json:
    issue = {"severity": severity, "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


# --- next links ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        "{stranger}/fhir/Patient?page=2",
        "{origin}/other/Patient?page=2",
        "{origin}/fhir2?page=2",
        "{origin}/fhir/../admin?page=2",
        "{origin}/fhir/%2e%2e/admin?page=2",
        "https://127.0.0.1/fhir?page=2",
        "http://user:pass@127.0.0.1/fhir?page=2",
        "file:///etc/passwd",
        "ftp://127.0.0.1/fhir",
        "//evil.example/fhir",
        "/etc/passwd",
        "http://[",
        "javascript:alert(1)",
    ],
)
def test_a_next_link_that_leads_away_is_not_asked_for(link: str) -> None:
    with (
        FaultServer(lambda exchange: exchange.answer(200, page(patient(9)))) as stranger,
        FaultServer(
            lambda exchange: exchange.answer(
                200, page(patient(1), link=link.format(stranger=stranger.origin, origin=server.origin))
            )
        ) as server,
    ):
        with client(server.url) as fhir:
            found = fhir.search("Patient", [("identifier", f"{NS}|")])
            assert next(found)["id"] == "1"
            with pytest.raises(Refused, match="next page is said to be"):
                next(found)
        assert len(server.requests) == 1
        assert stranger.connections == 0


@pytest.mark.parametrize(
    "link", ["?page={n}", "/fhir/Patient?page={n}", "{url}?_getpages=x&n={n}", "Patient?page={n}"]
)
def test_next_links_below_the_base_are_followed(link: str) -> None:
    numbers = itertools.count(1)

    def behave(exchange: Exchange) -> None:
        n = next(numbers)
        target = link.format(n=n, url=server.url) if n < 4 else None
        exchange.answer(200, page(patient(n), patient(n - 1), link=target, total=4 if n == 4 else 5))

    with against(behave) as (server, fhir):
        found = fhir.search("Patient", [("identifier", f"{NS}|")])
        assert [each["id"] for each in found] == ["1", "0", "2", "3", "4"]  # each once
        assert found.complete
        assert [each.method for each in server.requests] == ["POST", "GET", "GET", "GET"]


@pytest.mark.parametrize("circle", [("A",), ("A", "B"), ("A", "B", "C", "B")])
def test_next_links_in_a_circle_end(circle: tuple[str, ...]) -> None:
    turns = itertools.cycle(circle)
    behave = lambda exchange: exchange.answer(200, page(patient(1), link=f"{server.url}?p={next(turns)}"))  # noqa: E731
    with against(behave) as (server, fhir):
        with pytest.raises(Refused, match="circle"):
            list(fhir.search("Patient", [("identifier", f"{NS}|")]))
        assert len(server.requests) <= len(circle) + 2


@pytest.mark.parametrize("what", ["search", "history", "everything"])
def test_pages_without_end_that_bring_nothing_end(what: str) -> None:
    numbers = itertools.count()
    version = {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/1"}}
    behave = lambda exchange: exchange.answer(  # noqa: E731
        200, page(link=f"{server.url}?p={next(numbers)}") | {"entry": [version]}
    )
    with against(behave) as (server, fhir):
        start = {
            "search": lambda: fhir.search("Patient", [("identifier", f"{NS}|")]),
            "history": lambda: fhir.history("Patient", "1"),
            "everything": lambda: fhir.everything("1"),
        }
        with pytest.raises(Refused, match="nothing new"):
            list(start[what]())
        assert len(server.requests) < 30


@pytest.mark.parametrize("status", [400, 404, 410])
def test_pages_that_the_server_forgot_are_an_error(status: int) -> None:
    answers = [(status, outcome("error")), (200, page(patient(1), link="?_getpages=x"))]
    with FaultServer(lambda exchange: exchange.answer(*answers.pop())) as server, client(server.url) as fhir:
        with pytest.raises(Refused, match=str(status)) as caught:
            list(fhir.search("Patient", [("identifier", f"{NS}|")]))
        assert caught.value.status == status


def test_a_next_link_with_the_value_of_the_search_is_posted() -> None:
    """As sekmet's: ``Patient?family=Rossi&_offset=200``."""

    def behave(exchange: Exchange) -> None:
        second = b"_offset" in exchange.request_body
        link = None if second else f"{server.url}/Patient?family=Rossi&_count=200&_offset=200"
        exchange.answer(200, page(patient(2 if second else 1), link=link))

    with against(behave) as (server, fhir):
        assert [each["id"] for each in fhir.search("Patient", [("family", "Rossi")])] == ["1", "2"]
        assert [(each.method, each.path) for each in server.requests] == [
            ("POST", "/fhir/Patient/_search")
        ] * 2
        assert dict(parse_qsl(server.requests[1].body.decode())) == {
            "family": "Rossi", "_count": "200", "_offset": "200",
        }  # fmt: skip


@pytest.mark.parametrize(
    "link", ["{url}?_getpages=x&q=Rossi", "{url}/Patient/Rossi/next?page=2", "{url}?family=Bianchi"]
)
def test_a_next_link_with_the_value_that_cannot_be_posted_is_refused(link: str) -> None:
    behave = lambda exchange: exchange.answer(200, page(link=link.format(url=server.url)))  # noqa: E731
    with against(behave) as (server, fhir):
        with pytest.raises(Refused, match="in its URL"):
            list(fhir.search("Patient", [("family", "Rossi")]))
        assert len(server.requests) == 1


# --- searches that were not honoured ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("self_link", "ignored"),
    [
        (None, None),
        ("{url}/Patient/_search", None),  # HAPI's: it tells nothing
        ("{url}?_getpages=abc", None),  # nor does this
        ("{url}/Patient?identifier=x%7Cy&birthdate=1970&birthdate=1980&_count=200", None),
        ("{url}/Patient?_count=200&birthdate=lt1980&identifier=y&birthdate=gt1970", None),
        ("{url}/Patient?_count=200&_offset=0", "identifier, birthdate, birthdate"),
        ("{url}/Patient?_count=200&identifier=x%7Cy", "birthdate, birthdate"),
        ("{url}/Patient?_count=200&identifier=x%7Cy&birthdate=1970", "birthdate"),
        ("{url}/Patient?_count=200&identifier=&birthdate=1970&birthdate=1980", "identifier"),
        ("{url}/Patient?identifier:missing=true&birthdate=1970&birthdate=1980", None),
    ],
)
def test_a_search_that_the_server_ignored_is_not_believed(self_link: str | None, ignored: str | None) -> None:
    shown = self_link and self_link.replace(
        "{url}", "http://internal:8080/fhir"
    )  # any base: only names count
    params = [("identifier", "x|y"), ("birthdate", "gt1970"), ("birthdate", "lt1980")]
    behave = always(200, page(patient(1), self=shown))
    with against(behave) as (_, fhir):
        if ignored is None:
            assert len(list(fhir.search("Patient", params))) == 1
        else:
            with pytest.raises(Refused, match=f"ignored {ignored},"):
                list(fhir.search("Patient", params))


@pytest.mark.parametrize("status", [404, 405, 415, 501])
def test_without_post_only_what_names_nobody_goes_by_get(status: int) -> None:
    def behave(exchange: Exchange) -> None:
        if exchange.command == "POST":
            exchange.answer(status)
        else:
            exchange.answer(200, page(patient(1), self=f"{server.origin}{exchange.path}"))

    with against(behave) as (server, fhir):
        safe = [("identifier", f"{NS}|,urn:other|"), ("subject", "Patient/1,Patient/2"), ("date", "ge2026")]
        assert len(list(fhir.search("Procedure", safe))) == 1
        query = dict(parse_qsl(urlsplit(server.requests[1].path).query))
        assert query == dict(safe) | {"_count": "200"}
        for name, value in [
            ("identifier", f"{NS}|k1"),
            ("identifier", f"{NS}|,{NS}|k1"),
            ("identifier", "k1"),
            ("family", "Rossi"),
            ("subject:identifier", f"{NS}|k1"),
            ("subject:Patient.name", "Rossi"),
            ("subject", "Patient/1,Rossi Mario"),
            ("birthdate", "1960-01-01"),
            ("whatever", "1"),
        ]:
            before = len(server.requests)
            with pytest.raises(Refused, match="would stand in a URL"):
                list(fhir.search("Patient", [(name, value)]))
            assert len(server.requests) == before + 1


def test_a_get_whose_self_link_is_bare_was_ignored() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.answer(405) if exchange.command == "POST" else exchange.answer(200, page(self=server.url))

    with against(behave) as (server, fhir), pytest.raises(Refused, match="ignored identifier"):
        list(fhir.search("Patient", [("identifier", f"{NS}|")]))


def test_a_search_is_strict_form_encoded_and_utf_8() -> None:
    with against(page()) as (server, fhir):
        assert list(fhir.search("Patient", [("family", "Niccolò & C+"), ("_count", "7")])) == []
        sent = server.requests[0]
        assert sent.headers["Prefer"] == "handling=strict"
        assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
        assert sent.body == b"family=Niccol%C3%B2+%26+C%2B&_count=7"


def test_what_the_server_remarks_is_shown() -> None:
    shown: list[str] = []
    bundle = page(patient(1), outcome("warning", "Unknown parameter ignored: Rossi"), outcome("information"))
    with against(bundle, warn=shown.append) as (_, fhir):
        found = fhir.search("Patient", [("identifier", f"{NS}|")])
        assert [each["id"] for each in found] == ["1"]
        assert not found.complete
        assert found.warnings == shown
        assert "warning processing: Unknown parameter ignored: …" in shown[0]


@pytest.mark.parametrize("severity", ["error", "fatal", "nonsense"])
def test_an_error_inside_a_result_is_an_error(severity: str) -> None:
    bundle = page(patient(1), outcome(severity))
    with against(always(200, bundle)) as (_, fhir), pytest.raises(Refused, match="incomplete"):
        list(fhir.search("Patient", [("identifier", f"{NS}|")]))


def test_fewer_than_the_server_counts_is_incomplete() -> None:
    with against(page(patient(1), total=3)) as (_, fhir):
        found = fhir.search("Patient", [("identifier", f"{NS}|")])
        assert (len(list(found)), found.total, found.complete) == (1, 3, False)
        count = fhir.search("Patient", [("identifier", f"{NS}|"), ("_summary", "count")])
        assert (len(list(count)), count.total, count.complete) == (1, 3, True)


@pytest.mark.parametrize(
    "body", [PATIENT, outcome("error"), page() | {"entry": [{"fullUrl": "x"}]}, page() | {"entry": ["x"]}]
)
def test_a_result_that_is_none_is_an_error(body: Json) -> None:
    with against(always(200, body)) as (_, fhir), pytest.raises(Refused):
        list(fhir.search("Patient", [("identifier", f"{NS}|")]))


@pytest.mark.parametrize(
    "body", [{"resourceType": "Patient", "id": "2"}, outcome("error"), {"resourceType": "Group", "id": "1"}]
)
def test_another_resource_than_asked_for_is_an_error(body: Json) -> None:
    with against(always(200, body)) as (_, fhir), pytest.raises(Refused, match="another resource"):
        fhir.read("Patient", "1")


# --- bundles ---------------------------------------------------------------------------------------------


def sent(key: str, resource_type: str = "Patient") -> Json:
    resource = {"resourceType": resource_type, "identifier": [{"system": NS, "value": key}]}
    return {
        "fullUrl": f"urn:x:{key}",
        "resource": resource,
        "request": {"method": "POST", "url": resource_type},
    }


def got(key: str, resource_type: str = "Patient", status: str = "201 Created", **more: Any) -> Json:
    resource = {
        "resourceType": resource_type,
        "id": f"id-{key}",
        "identifier": [{"system": NS, "value": key}],
    }
    response = {"status": status, "location": f"{resource_type}/id-{key}/_history/1", "etag": 'W/"1"'}
    return {"resource": resource, "response": response | more}


def response(*entries: Any, type: str = "transaction-response") -> Json:
    return {"resourceType": "Bundle", "type": type, "entry": list(entries)}


@pytest.mark.parametrize(
    "body",
    [
        response(got("a")),
        response(got("a"), got("b"), got("c")),
        response(got("b"), got("a")),
        response(got("a"), got("c")),
        response(got("a"), {"response": got("a")["response"]}),
        response(got("a"), got("b", "Procedure")),
        response(got("a"), got("b", status="400 Bad Request")),
        response(got("a"), {"resource": PATIENT}),
        response(got("a"), {"resource": PATIENT, "response": {"status": "fine"}}),
        response(got("a"), None),
        response(got("a"), "b"),
        response(),
        {"resourceType": "Bundle", "type": "transaction-response"},
        {"resourceType": "Bundle", "type": "transaction-response", "entry": {}},
        response(got("a"), got("b"), type="batch-response"),
        response(got("a"), got("b"), type="searchset"),
        outcome("information"),
        None,
    ],
)
def test_a_bundle_whose_entries_are_not_all_accounted_for_is_unknown(body: Any) -> None:
    with against(always(200, body)) as (server, fhir):
        with pytest.raises(UnknownOutcome):
            fhir.bundle([sent("a"), sent("b")])
        assert len(server.requests) == 1


def test_a_put_that_is_answered_for_another_id_is_unknown() -> None:
    entry = {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/1", "ifMatch": 'W/"1"'}}
    with against(response(got("a"))) as (_, fhir), pytest.raises(UnknownOutcome, match="another resource"):
        fhir.bundle([entry])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (202, None),
        (201, got("b")["resource"]),
        (201, got("a", "Goal")["resource"]),
        (200, {"resourceType": "Bundle", "type": "transaction-response"}),
    ],
)
def test_an_answer_to_a_single_write_that_speaks_of_something_else_is_unknown(status: int, body: Any) -> None:
    resource = got("a")["resource"]
    with against(always(status, body)) as (_, fhir):
        with pytest.raises(UnknownOutcome):
            fhir.create(sent("a")["resource"])
        with pytest.raises(UnknownOutcome):
            fhir.update(resource, version="1")


def test_a_batch_tells_what_became_of_each() -> None:
    refused = {"response": {"status": "422", "outcome": outcome("error", "Rossi: value not allowed")}}
    later = {"response": {"status": "409 Conflict"}}
    minimal = {
        "response": {"status": "200 OK", "location": "https://x/fhir/Patient/id-d/_history/7", "etag": "7"}
    }
    words = got("e") | {"resource": outcome("information", "Operation successful")}
    body = response(got("a"), refused, later, minimal, words, type="batch-response")
    with against(always(200, body)) as (server, fhir):
        results = fhir.bundle([sent(key) for key in "abcde"], type="batch")
        assert [result.status for result in results] == [201, 422, 409, 200, 201]
        assert [result.ok for result in results] == [True, False, False, True, True]
        assert [result.location for result in results] == [
            "Patient/id-a",
            None,
            None,
            "Patient/id-d",
            "Patient/id-e",
        ]
        assert [result.version for result in results] == ["1", None, None, "7", "1"]
        assert str(results[1].issues[0]) == "error processing: …: value not allowed"
        assert results[1].issues[0].said == "Rossi: value not allowed"
        assert (results[4].resource, len(results[4].issues)) == (None, 1)
        request = server.requests[0]
        assert (request.path, request.headers["Prefer"]) == ("/fhir", "return=representation")
        assert json.loads(request.body)["type"] == "batch"


class Busy:
    """A server that puts off some entries of a batch."""

    def __init__(self, *put_off: str, then: Callable[[Exchange], None] | None = None, **headers: str) -> None:
        self.put_off, self.then, self.headers, self.batches = [*put_off], then, headers, list[str]()

    def __call__(self, exchange: Exchange) -> None:
        entries = json.loads(exchange.request_body)["entry"]
        keys = "".join(e["resource"]["identifier"][0]["value"] for e in entries)
        if self.batches and self.then:
            self.batches.append(keys)
            return self.then(exchange)
        late = self.put_off.pop(0) if self.put_off else ""
        answers = [{"response": {"status": "429 Too Many"}} if k in late else got(k) for k in keys]
        self.batches.append(keys)
        return exchange.answer(200, response(*answers, type="batch-response"), **self.headers)


def statuses(fhir: Server, keys: str) -> list[int]:
    return [result.status for result in fhir.bundle([sent(key) for key in keys], type="batch")]


def test_only_what_was_put_off_inside_a_batch_is_sent_again() -> None:
    still, busy = StillClock(), Busy("bde", "d", Retry_After="7")
    with against(busy, still) as (_, fhir):
        results = fhir.bundle([sent(key) for key in "abcde"], type="batch")
        assert [result.location for result in results] == [f"Patient/id-{key}" for key in "abcde"]
    assert busy.batches == ["abcde", "bde", "d"]
    assert still.slept == [7, 7]


def test_what_is_always_put_off_is_told() -> None:
    busy = Busy(*["b"] * 9)
    with against(busy) as (_, fhir):
        assert statuses(fhir, "abc") == [201, 429, 201]
    assert busy.batches == ["abc", "b", "b"]


def test_what_is_put_off_for_a_day_is_told_at_once() -> None:
    busy = Busy("b", Retry_After="86400")
    with against(busy) as (_, fhir):
        assert statuses(fhir, "abc") == [201, 429, 201]
    assert busy.batches == ["abc"]


@pytest.mark.parametrize("then", [always(400), always(401), always(413)])
def test_what_was_done_before_a_refusal_stays_accounted_for(then: Callable[[Exchange], None]) -> None:
    with against(Busy("b", then=then)) as (_, fhir):
        assert statuses(fhir, "abc") == [201, 429, 201]


@pytest.mark.parametrize("then", [always(503), Exchange.drop, always(200, outcome("error"))])
def test_an_answer_that_is_lost_on_the_second_time_is_unknown(then: Callable[[Exchange], None]) -> None:
    with against(Busy("b", then=then)) as (server, fhir):
        with pytest.raises(UnknownOutcome):
            statuses(fhir, "abc")
        assert len(server.requests) == 2


def test_nothing_of_a_transaction_is_put_off() -> None:
    with against(always(200, response(got("a"), {"response": {"status": "429"}}))) as (server, fhir):
        with pytest.raises(UnknownOutcome, match="its entry 1 has the status 429"):
            fhir.bundle([sent("a"), sent("b")])
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (400, "HAPI-1094: Resource Patient/1 not found", TransactionFailed),
        (404, "", TransactionFailed),
        (409, "HAPI-0989: not the current version", TransactionFailed),
        (412, "matched too many resources", TransactionFailed),
        (422, "", TransactionFailed),
        (400, "too many matches", TransactionFailed),
        (413, "", TooLarge),
        (400, "Bundle contains too many entries, max is 100", TooLarge),
        (400, "The bundle exceeds the limit of 500 entries", TooLarge),
        (422, "Request entity too large", TooLarge),
    ],
)
def test_a_bundle_that_was_refused_says_how(status: int, text: str, error: type[Refused]) -> None:
    behave = always(status, outcome("error", text))
    with against(behave) as (_, fhir), pytest.raises(TransactionFailed) as caught:
        fhir.bundle([sent("a")])
    assert type(caught.value) is error
    assert caught.value.status == status


def test_no_entries_are_no_request() -> None:
    with against(always(500)) as (server, fhir):
        assert fhir.bundle([]) == []
        assert server.requests == []

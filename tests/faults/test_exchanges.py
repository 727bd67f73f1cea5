"""One exchange with a server that drips, floods, drops, lies or sends elsewhere."""

import gzip
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mesofhir.errors import NotAuthorised, Refused, UnknownOutcome, Unreachable
from mesofhir.server import Auth, Basic, Bearer, Retry, Server, from_file
from tests.faults.fault_server import (
    FEW,
    PATIENT,
    Exchange,
    FaultServer,
    StillClock,
    against,
    always,
    bomb,
    client,
    refusing,
)

MIB = 1024 * 1024


# --- time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_slow_drip_does_not_pass_the_total_deadline(where: str) -> None:
    def drip(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: 5000\r\n\r\n"
        if where == "body":
            exchange.raw(head)
            exchange.drip(b" " * 5000, 0.02)
        exchange.drip(head * 100, 0.02)

    with against(drip, total=0.4) as (server, fhir):
        begun = time.monotonic()
        with pytest.raises(Unreachable, match=r"not there after 0\.4 s"):
            fhir.read("Patient", "1")
        assert time.monotonic() - begun < 30  # of the 100 and more that all of it would take; the machine may be busy
        assert server.heard(1) == 1  # a deadline is final: three drips would take three times as long


def test_a_connection_that_was_cut_is_not_used_again() -> None:
    slow = [True]

    def behave(exchange: Exchange) -> None:
        if slow.pop() if slow else False:
            exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
            exchange.drip(b" " * 999, 0.05)
        exchange.answer(200, PATIENT)

    with against(behave, total=2.0) as (_, fhir):  # enough for the good answer, on a busy machine too
        with pytest.raises(Unreachable):
            fhir.read("Patient", "1")
        assert fhir.read("Patient", "1").status == 200


def test_a_silent_server_is_asked_again_and_a_silent_write_is_unknown() -> None:
    def silent(exchange: Exchange) -> None:
        time.sleep(0.5)

    still = StillClock()
    with against(silent, still, read=0.1) as (server, fhir):
        with pytest.raises(Unreachable, match=r"stopped answering.*3 attempts"):
            fhir.read("Patient", "1")
        assert (server.heard(3), len(still.slept)) == (3, 2)
        with pytest.raises(UnknownOutcome):
            fhir.create({"resourceType": "Patient"})
        assert server.heard(4) == 4


@pytest.mark.parametrize("status", [200, 204, 304, 404])
def test_a_connection_serves_many_requests(status: int) -> None:
    with against(always(status, PATIENT if status == 200 else None)) as (server, fhir):
        for _ in range(5):
            fhir.request("GET", "Patient/1")
            fhir.request("PUT", "Patient/1", body=PATIENT)
        assert (len(server.requests), server.connections) == (10, 1)


# --- size ------------------------------------------------------------------------------------------------


def endless(exchange: Exchange) -> None:
    exchange.raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    while True:
        exchange.raw(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def one_member(exchange: Exchange) -> None:
    exchange.answer(200, bomb(64 * MIB), Content_Encoding="gzip")


def many_members(exchange: Exchange) -> None:
    exchange.answer(200, bomb(MIB) * 1000, Content_Encoding="gzip")


@pytest.mark.parametrize("said", [b"HTTP/1.1 100 Continue", b"HTTP/1.1 102 Processing", b"HTTP/1.1 103 Early Hints"])
def test_what_is_said_before_an_answer_is_not_the_answer(said: bytes) -> None:
    """Else the answer to one request would be read as that to the next on the same connection."""

    def behave(exchange: Exchange) -> None:
        exchange.raw(said + b"\r\nLink: </x>\r\n\r\n")
        time.sleep(0.02)
        exchange.answer(200, {"resourceType": "Patient", "id": exchange.path.split("/")[-1]})

    with against(behave) as (server, fhir):
        for name in ("a", "b", "c"):
            assert (fhir.read("Patient", name).body or {})["id"] == name
        assert server.connections == 1


@pytest.mark.parametrize("behave", [endless, one_member, many_members])
def test_a_body_ends_at_the_limit_and_not_in_memory(behave: Callable[[Exchange], None]) -> None:
    with against(behave, max_bytes=2 * MIB) as (server, fhir):
        tracemalloc.start()
        try:
            with pytest.raises(Unreachable, match="larger than 2097152 bytes"):
                fhir.read("Patient", "1")
            assert tracemalloc.get_traced_memory()[1] < 24 * MIB
        finally:
            tracemalloc.stop()
        assert len(server.requests) == 1


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


LONG = b'{"resourceType": "Patient", "id": "1", "language": "' + b"x" * 300_000 + b'"}'


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(LONG)),
        ("gzip", gzip.compress(LONG[:1000]) + gzip.compress(LONG[1000:])),
        ("deflate", zlib.compress(LONG)),
        ("deflate", raw_deflate(LONG)),
        ("identity", LONG),
    ],
)
def test_compressed_answers_are_read(encoding: str, data: bytes) -> None:
    behave = always(200, data, Content_Encoding=encoding)
    with against(behave) as (_, fhir):
        assert len((fhir.read("Patient", "1").body or {})["language"]) == 300_000


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(LONG)[:-20]),
        ("gzip", LONG),
        ("br", LONG),
        ("gzip, gzip", LONG),
        ("deflate", b"xx"),
    ],
)
def test_broken_compression_is_no_answer(encoding: str, data: bytes) -> None:
    behave = always(200, data, Content_Encoding=encoding)
    with against(behave) as (_, fhir), pytest.raises(Unreachable, match="compressed"):
        fhir.read("Patient", "1")


# --- answers that are none -------------------------------------------------------------------------------


def html(exchange: Exchange) -> None:
    exchange.answer(200, b"<html>Log in</html>", Content_Type="text/html; charset=utf-8")


def test_a_login_page_is_no_answer() -> None:
    with against(html) as (server, fhir):
        with pytest.raises(Unreachable, match=r"text/html, not FHIR JSON: is http://127.*login page"):
            fhir.capabilities()
        with pytest.raises(Unreachable):
            list(fhir.search("Patient", [("family", "Rossi")]))
        with pytest.raises(UnknownOutcome):  # who answered is not known, nor what became of it
            fhir.create({"resourceType": "Patient"})
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceType": "Patient", "id": "1"',
        b'{"resourceType": "Patient", "id": NaN}',
        b'{"resourceType": "Patient", "resourceType": "Patient"}',
        b"[]",
        b"{}",
        b'"Patient"',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_json_that_is_not_fhir_is_no_answer(body: bytes) -> None:
    with against(always(200, body)) as (_, fhir):
        with pytest.raises(Unreachable):
            fhir.read("Patient", "1")
        with pytest.raises(UnknownOutcome):
            fhir.bundle([{"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}])


@pytest.mark.parametrize("promised", [5000, None])
def test_a_body_cut_short_is_no_answer(promised: int | None) -> None:
    def cut(exchange: Exchange) -> None:
        length = f"Content-Length: {promised}" if promised else "Transfer-Encoding: chunked"
        exchange.raw(f"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n{length}\r\n\r\n".encode())
        exchange.raw(b'{"resourceType"' if promised else b'27\r\n{"resourceType": "Patient", "id": "1"}\r\n')
        exchange.drop()

    with against(cut, retry=FEW) as (_, fhir):
        with pytest.raises(Unreachable):
            fhir.read("Patient", "1")
        with pytest.raises(UnknownOutcome):
            fhir.create({"resourceType": "Patient"})


def test_broken_json_is_told_from_another_kind_of_page() -> None:
    body = b'{"resourceType": "Patient", "id": "1", "id": "2"}'
    with (
        against(always(200, body)) as (_, fhir),
        pytest.raises(Unreachable, match=r"broken JSON: .*in one object"),
    ):
        fhir.read("Patient", "1")


def test_a_dropped_answer_is_asked_for_again_only_if_it_was_a_read() -> None:
    with against(Exchange.drop) as (server, fhir):
        with pytest.raises(Unreachable, match="cut"):
            fhir.read("Patient", "1")
        assert len(server.requests) == 3
        with pytest.raises(UnknownOutcome):
            fhir.bundle([{"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/1"}}])
        assert len(server.requests) == 4


def test_a_refused_connection_sent_nothing() -> None:
    still = StillClock()
    with refusing() as url, client(url, still) as fhir:
        for action in (lambda: fhir.read("Patient", "1"), lambda: fhir.create({"resourceType": "Patient"})):
            with pytest.raises(Unreachable, match=r"refused the connection.*3 attempts"):
                action()
    assert len(still.slept) == 4


def test_an_unknown_name_sent_nothing() -> None:
    with client("https://no-such-host.invalid/fhir", retry=FEW) as fhir, pytest.raises(Unreachable):
        fhir.create({"resourceType": "Patient"})


# --- redirects -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_leads_to_another_origin(status: int) -> None:
    with FaultServer(lambda exchange: exchange.answer(200, PATIENT)) as stranger:
        target = f"{stranger.origin}/fhir/Patient/1"
        behave = always(status, Location=target)
        with against(behave, auth=Bearer("s3cret")) as (server, fhir):
            with pytest.raises(Unreachable, match=stranger.origin):
                fhir.read("Patient", "1")
            with pytest.raises(Unreachable):
                list(fhir.search("Patient", [("family", "Rossi")]))
            with pytest.raises(UnknownOutcome if status == 303 else Unreachable):
                fhir.create({"resourceType": "Patient"}, if_none_exist="identifier=a%7Cb")
            assert len(server.requests) == 3
        assert stranger.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_write_is_not_redirected_even_at_home(status: int) -> None:
    behave = always(status, Location="/fhir/Patient2")
    with against(behave) as (server, fhir):
        with pytest.raises(UnknownOutcome if status == 303 else Unreachable, match="redirects"):
            fhir.create({"resourceType": "Patient"})
        assert len(server.requests) == 1


def test_a_read_is_redirected_at_home_with_its_credentials() -> None:
    def behave(exchange: Exchange) -> None:
        if exchange.path == "/fhir/Patient/1":
            exchange.answer(307, b"x" * 1000, Location="/other/1")
        else:
            exchange.answer(200, PATIENT)

    with against(behave, auth=Bearer("s3cret")) as (server, fhir):
        assert fhir.read("Patient", "1").status == 200
        assert [each.headers.get("Authorization") for each in server.requests] == ["Bearer s3cret"] * 2


def test_a_base_that_is_asked_with_a_slash_at_its_end() -> None:
    """As some proxies have it (nginx, where a location ends so): told, and asked so where it is given so."""
    done = {"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": {"status": "201"}}]}

    def behave(exchange: Exchange) -> None:
        here = exchange.path == "/fhir"
        exchange.answer(*((301, b"") if here else (200, done)), **({"Location": "/fhir/"} if here else {}))

    entry = {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}
    with against(behave) as (server, fhir):
        with pytest.raises(Unreachable, match="give the base URL that it has there, with the slash at its end"):
            fhir.bundle([entry])
        with Server(f"{fhir.url}/") as slashed:
            assert (slashed.url, slashed.bundle([entry])[0].status) == (fhir.url, 201)
        assert [each.path for each in server.requests] == ["/fhir", "/fhir/"]


def test_a_circle_of_redirects_ends() -> None:
    behave = lambda exchange: exchange.answer(302, Location=exchange.path)  # noqa: E731
    with against(behave) as (server, fhir):
        with pytest.raises(Unreachable, match="more than 5"):
            fhir.read("Patient", "1")
        assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[", None, "http://u:p@127.0.0.1/"])
def test_a_redirect_to_nowhere_is_an_error(location: str | None) -> None:
    headers = {"Location": location} if location else {}
    with against(always(302, **headers)) as (server, fhir):
        with pytest.raises(Unreachable, match="redirects"):
            fhir.read("Patient", "1")
        assert len(server.requests) == 1


def test_the_body_of_a_redirect_is_bounded_too() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.raw(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            exchange.raw(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    with against(behave, max_bytes=MIB) as (_, fhir), pytest.raises(Unreachable, match="larger than"):
        fhir.read("Patient", "1")


# --- waiting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "slept"),
    [
        ("7", [7, 7]),
        ("Fri, 15 Jan 2027 08:01:00 GMT", [60, 60]),
        ("Fri, 15 Jan 2027 07:00:00 GMT", [0.25, 0.5]),
        ("soon", [0.25, 0.5]),
        ("-5", [0.25, 0.5]),
        (None, [0.25, 0.5]),
        ("86400", []),
        ("Sat, 16 Jan 2027 08:00:00 GMT", []),
        ("9" * 400, []),
    ],
)
def test_retry_after_is_honoured_up_to_a_cap(header: str | None, slept: list[float]) -> None:
    headers = {"Retry-After": header} if header else {}
    still = StillClock()
    with against(always(503, **headers), still) as (server, fhir):
        with pytest.raises(Unreachable, match="503"):
            fhir.read("Patient", "1")
        assert still.slept == slept
        assert len(server.requests) == len(slept) + 1


@pytest.mark.parametrize(
    ("status", "reads", "writes", "error"),
    [
        (408, 3, 1, UnknownOutcome),
        (429, 3, 3, Unreachable),
        (500, 3, 1, UnknownOutcome),
        (502, 3, 1, UnknownOutcome),
        (503, 3, 1, UnknownOutcome),
        (504, 3, 1, UnknownOutcome),
        (401, 1, 1, NotAuthorised),
        (403, 1, 1, NotAuthorised),
        (400, 1, 1, Refused),
        (404, 1, 1, Refused),
        (409, 1, 1, Refused),
        (413, 1, 1, Refused),
        (422, 1, 1, Refused),
        (501, 1, 1, Refused),
        (507, 1, 1, UnknownOutcome),
    ],
)
def test_which_status_is_asked_again(status: int, reads: int, writes: int, error: type[Exception]) -> None:
    behave = always(status, b"<p>proxy</p>", Content_Type="text/html")
    with against(behave) as (server, fhir):
        if status in (400, 404, 409, 413, 422, 501):
            assert fhir.request("GET", "Patient/1").status == status
        else:
            with pytest.raises(Unreachable):
                fhir.request("GET", "Patient/1")
        assert len(server.requests) == reads
        with pytest.raises(error):
            fhir.create({"resourceType": "Patient"})
        assert len(server.requests) == reads + writes


def test_an_outage_costs_at_most_the_budget() -> None:
    still = StillClock()
    with FaultServer(lambda exchange: exchange.answer(503)) as server:
        with client(server.url, still, retry=Retry(budget=100, many=1000)) as fhir:
            for _ in range(80):
                with pytest.raises(Unreachable):
                    fhir.read("Patient", "1")
        assert (len(still.slept), len(server.requests)) == (100, 180)


@pytest.mark.parametrize("behave", [always(503), always(200, b"<p>Log in</p>", Content_Type="text/html")])
def test_a_server_that_only_fails_is_not_asked_on(behave: Callable[[Exchange], None]) -> None:
    with against(behave) as (server, fhir):
        for _ in range(200):
            with pytest.raises(Unreachable):
                fhir.read("Patient", "1")
        assert len(server.requests) == 50


@pytest.mark.parametrize("status", [500, 503, 504])
def test_an_outage_of_an_hour_is_asked_about_a_few_times(status: int) -> None:
    """The circuit: nothing is sent while it is open, and one request a while tries whether the server is back."""
    still = StillClock(moves=True)
    begun, calls = still.now + 1, 0
    behave = lambda exchange: (  # noqa: E731
        exchange.answer(status) if begun <= still.now < begun + 3600 else exchange.answer(200, PATIENT)
    )
    with against(behave, still) as (server, fhir):
        fhir.read("Patient", "1")
        still.sleep(1.0)
        while still.now < begun + 3600:
            calls += 1
            with pytest.raises(Unreachable):
                fhir.read("Patient", "1")
            if fhir.hopeless:
                with pytest.raises(Unreachable, match="failed too often to be asked again so soon"):
                    fhir.create({"resourceType": "Patient"})  # not sent, so nothing about it is unknown
            still.sleep(1.0)
        assert calls > 1000
        assert len(server.requests) < 50
        assert sum(1 for x in still.slept if x != 1.0) < 30
        still.sleep(300.0)
        assert fhir.read("Patient", "1").status == 200
        assert not fhir.hopeless
        assert fhir.create({"resourceType": "Patient"}).location == "Patient/1"


def test_nobody_to_talk_to_for_an_hour() -> None:
    still = StillClock(moves=True)
    begun = still.now
    with refusing() as url, client(url, still) as fhir:
        while still.now < begun + 3600:
            with pytest.raises(Unreachable):
                fhir.create({"resourceType": "Patient"})
            still.sleep(10.0)
    assert sum(1 for x in still.slept if x != 10.0) < 30  # retries


def test_a_retry_after_of_a_day_is_not_waited_for() -> None:
    still = StillClock(moves=True)
    with against(always(429, Retry_After="86400"), still) as (server, fhir):
        with pytest.raises(Unreachable, match="come back in 86400 s"):
            fhir.create({"resourceType": "Patient"})
        assert (len(server.requests), still.slept) == (1, [])
        assert not fhir.hopeless  # it is well, and said when


def test_it_goes_on_when_the_server_is_back() -> None:
    answers = [(200, PATIENT), (503, None), (429, None)]
    behave = lambda exchange: exchange.answer(*answers.pop())  # noqa: E731
    with against(behave) as (_, fhir):
        assert fhir.read("Patient", "1").version == "1"


# --- who we are ------------------------------------------------------------------------------------------


class Renewing(Auth):
    def __init__(self) -> None:
        self.tokens = ["old", "new"]

    def headers(self, origin: object) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[0]}"}

    def renew(self) -> bool:
        self.tokens.pop(0)
        return True


@pytest.mark.parametrize("write", [False, True])
def test_expired_credentials_are_renewed_once(write: bool) -> None:
    def behave(exchange: Exchange) -> None:
        good = exchange.headers["Authorization"] == "Bearer new"
        exchange.answer(200, PATIENT) if good else exchange.answer(401)

    with against(behave, auth=Renewing()) as (server, fhir):
        if write:
            assert fhir.create({"resourceType": "Patient"}).location == "Patient/1"
        else:
            assert fhir.read("Patient", "1").status == 200
        assert len(server.requests) == 2
        with pytest.raises(NotAuthorised), client(server.url, auth=Bearer("old")) as other:
            other.read("Patient", "1")


def test_a_token_that_somebody_renews_in_its_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text("old\n")

    def behave(exchange: Exchange) -> None:
        exchange.answer(200 if exchange.headers["Authorization"] == f"Bearer {wanted}" else 401, PATIENT)

    wanted = "old"
    with against(behave, auth=Bearer(from_file(path), again=lambda: from_file(path))) as (server, fhir):
        assert fhir.read("Patient", "1").ok
        wanted = "new"
        path.write_text("new\n")
        assert fhir.create({"resourceType": "Patient"}).ok
        assert len(server.requests) == 3
        wanted = "another"
        for text in ("new", "", "two words"):  # the same, none, and none that could be sent
            path.write_text(text)
            with pytest.raises(NotAuthorised, match="401"):
                fhir.read("Patient", "1")
        assert len(server.requests) == 6


def test_workers_renew_expired_credentials_once_for_all() -> None:
    """In the middle of a run the token expires: whoever hears of it first renews it, and the others use that."""
    together = threading.Barrier(4)

    def behave(exchange: Exchange) -> None:
        if exchange.headers["Authorization"] == "Bearer old":
            together.wait(15)
            exchange.answer(401)
        else:
            exchange.answer(200, PATIENT if exchange.headers["Authorization"] == "Bearer new" else None)

    auth = Renewing()
    auth.tokens = ["old", "new", "never asked for"]
    with against(behave, read=20, auth=auth) as (server, fhir), ThreadPoolExecutor(4) as pool:
        assert {answer.status for answer in pool.map(lambda n: fhir.read("Patient", "1"), range(4))} == {200}
        assert len(server.requests) == 8
    assert auth.tokens == ["new", "never asked for"]


def test_credentials_that_are_renewed_in_vain_end() -> None:
    always_new = Renewing()
    always_new.tokens = ["old"] * 9
    with against(always(401), auth=always_new) as (server, fhir):
        with pytest.raises(NotAuthorised):
            fhir.read("Patient", "1")
        assert len(server.requests) == 2
        assert fhir.hopeless


def test_netrc_and_environment_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login intruder password intruder\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultServer(lambda exchange: exchange.answer(200, PATIENT)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        with FaultServer(lambda exchange: exchange.answer(200, PATIENT)) as server:
            for auth in (None, Bearer("ours"), Basic("us", "pass")):
                with client(server.url, auth=auth) as fhir:
                    fhir.read("Patient", "1")
        got = [each.headers.get("Authorization") for each in server.requests]
        assert got == [None, "Bearer ours", "Basic dXM6cGFzcw=="]
        assert proxy.requests == []  # plain http to this machine stays on it


def test_a_proxy_from_the_environment_is_used_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(lambda exchange: exchange.answer(200, PATIENT)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin)
        with client("http://fhir.example.org/r4", allow_http=True, warn=lambda text: None) as fhir:
            fhir.read("Patient", "1")
        assert [each.path for each in proxy.requests] == ["http://fhir.example.org/r4/Patient/1"]


def test_a_write_that_the_proxy_lost_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(Exchange.drop) as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin)
        fhir = client("http://fhir.example.org/r4", allow_http=True, warn=lambda text: None)
        with fhir, pytest.raises(UnknownOutcome):
            fhir.create({"resourceType": "Patient"})
        assert len(proxy.requests) == 1


def test_a_proxy_that_lets_nothing_through_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(Exchange.drop) as proxy:
        monkeypatch.setenv("https_proxy", proxy.origin)  # CONNECT is not among its methods: 501
        with (
            client("https://fhir.example.org/r4", retry=FEW) as fhir,
            pytest.raises(Unreachable, match="proxy"),
        ):
            fhir.create({"resourceType": "Patient"})
        assert proxy.requests == []

"""One bad moment stops those whom it concerns; a server that is gone stops the push."""

from collections.abc import Iterator
from importlib import import_module

import pytest

from mesofhir.errors import NotAuthorised, Unreachable
from mesofhir.mapping import Clinic
from mesofhir.server import Retry, Server
from mesofhir.sync import Options, iter_push
from tests.contract.histories import history, small
from tests.faults.fault_server import Exchange, StillClock, client, refusing
from tests.faults.proxy import Proxy
from tests.servers import FhirServer


@pytest.fixture(autouse=True)
def _one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("mesofhir.sync.pushing.push"), "WINDOW", 1)


@pytest.mark.parametrize(("name", "code"), [("login page", 5), ("another resource", 4)])
def test_a_search_for_people_that_fails_stops_no_others(
    sekmet: FhirServer, namespace: str, name: str, code: int
) -> None:
    def script(n: int, exchange: Exchange) -> str:
        second = exchange.path.endswith("/Patient/_search") and b"P2" in exchange.request_body
        return name if second else ""

    with Proxy(sekmet.url, script) as proxy, Server(proxy.url) as server:
        histories = [history(small(f"P{n}-")) for n in (1, 2, 3)]
        results = list(iter_push(histories[:2], server, Clinic(namespace), Options(create_people=True)))
        assert [r.code for r in results] == [0, code]
        assert set(results[1].outcomes.values()) == {"refused"}
        assert "login page" in results[1].stopped or name != "login page"
        results = list(iter_push(histories[2:], server, Clinic(namespace), Options(create_people=True)))
        assert [r.code for r in results] == [0]


def test_a_token_that_is_refused_for_good(sekmet: FhirServer, namespace: str) -> None:
    with Proxy(sekmet.url, lambda n, exchange: "401" if b"P1-" in exchange.request_body else "") as proxy:
        histories = (history(small(f"P{n}-")) for n in range(1000))
        with Server(proxy.url) as server:
            results = iter_push(histories, server, Clinic(namespace), Options(create_people=True))
            assert next(results).code == 0
            with pytest.raises(NotAuthorised):
                next(results)


def test_nobody_there_at_all(namespace: str) -> None:
    def many() -> Iterator[object]:
        for n in range(1000):
            tried.append(n)
            yield history(small(f"P{n}-"))

    tried: list[int] = []
    with refusing() as url, client(url, StillClock()) as server, pytest.raises(Unreachable):
        list(iter_push(many(), server, Clinic(namespace), Options(create_people=True)))
    assert len(tried) == 1


def test_a_server_that_goes_away(sekmet: FhirServer, namespace: str) -> None:
    """Some histories are stopped by it; then it is not asked any more."""
    gone = False
    with Proxy(sekmet.url, lambda n, exchange: "5xx before" if gone else "") as proxy:
        clock = StillClock().clock()
        with Server(proxy.url, clock=clock, retry=Retry(many=10)) as server:
            histories = (history(small(f"P{n}-")) for n in range(1000))
            results = iter_push(histories, server, Clinic(namespace), Options(create_people=True))
            assert [next(results).code, next(results).code] == [0, 0]
            gone = True
            codes = []
            with pytest.raises(Unreachable):
                codes.extend(r.code for r in results)
        assert set(codes) <= {5}
        assert len(proxy.happened) < 40

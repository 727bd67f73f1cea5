"""One server used by several workers at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mesofhir.errors import Unreachable
from mesofhir.server import Bearer, Retry
from tests.faults.fault_server import Exchange, StillClock, against


def test_workers_do_not_mix_their_answers() -> None:
    def behave(exchange: Exchange) -> None:
        exchange.answer(200, {"resourceType": "Patient", "id": exchange.path.rsplit("/", 1)[1]})

    with against(behave, auth=Bearer("ours")) as (server, fhir):
        with ThreadPoolExecutor(8) as pool:
            bodies = [
                answer.body or {} for answer in pool.map(lambda n: fhir.read("Patient", str(n)), range(200))
            ]
        assert [body["id"] for body in bodies] == [str(n) for n in range(200)]
        assert server.connections <= 8
        assert {each.headers["Authorization"] for each in server.requests} == {"Bearer ours"}


def test_one_cut_connection_leaves_the_others_alone() -> None:
    release = threading.Event()

    def behave(exchange: Exchange) -> None:
        if exchange.path.endswith("/slow"):
            exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            exchange.drip(b" " * 1000, 0.05)
        else:
            release.wait(5)
            exchange.answer(200, {"resourceType": "Patient", "id": "quick"})

    with against(behave, total=3.0) as (_, fhir), ThreadPoolExecutor(3) as pool:
        slow = pool.submit(fhir.read, "Patient", "slow")
        threading.Timer(0.5, release.set).start()
        assert fhir.read("Patient", "quick").status == 200
        with pytest.raises(Unreachable):
            slow.result()
        assert fhir.read("Patient", "quick").status == 200


def test_the_budget_is_shared() -> None:
    still = StillClock()
    with against(lambda exchange: exchange.answer(503), still, retry=Retry(budget=10)) as (server, fhir):
        with ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(fhir.read, "Patient", str(n)) for n in range(20)]
            assert all(isinstance(each.exception(), Unreachable) for each in futures)
        assert (len(still.slept), len(server.requests)) == (10, 30)


def test_capabilities_are_asked_for_once() -> None:
    with against({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}) as (server, fhir):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: fhir.capabilities(), range(20)))
        assert len(server.requests) == 1


def test_a_closed_server_can_be_used_again_and_closed_twice() -> None:
    with against({"resourceType": "Patient", "id": "1"}) as (_, fhir):
        fhir.read("Patient", "1")
        fhir.close()
        fhir.read("Patient", "1")
        fhir.close()

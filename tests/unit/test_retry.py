"""What is asked again, after how long, and when nothing is asked any more: decided without waiting or sending."""

from itertools import product

import pytest

from mesofhir.server.retry import Patience, Retry, again_after, again_without_answer, is_failure

READS, WRITES = True, False


@pytest.mark.parametrize("status", range(200, 600))
def test_what_may_be_asked_again(status: int) -> None:
    assert again_after(status, reads=READS) == (status in (408, 429, 500, 502, 503, 504))
    assert again_after(status, reads=WRITES) == (status == 429)


@pytest.mark.parametrize(("reads", "sent", "final"), [*product([True, False], repeat=3)])
def test_without_an_answer_a_write_is_sent_again_only_if_it_never_left(reads: bool, sent: bool, final: bool) -> None:
    again = again_without_answer(reads=reads, sent=sent, final=final)
    assert again == ((reads or not sent) and not final)


def test_a_server_that_slows_us_down_is_well() -> None:
    assert [status for status in range(200, 600) if is_failure(status)] == [408, 500, *range(502, 600)]


def test_waits_grow_with_jitter_and_end() -> None:
    patience = Patience(Retry(attempts=5, base=1.0, ceiling=3.0, budget=4))
    chances = [0.0, 0.5, 0.999, 0.5, 0.5]
    waits = [patience.pause(attempt, None, chance) for attempt, chance in enumerate(chances, 1)]
    assert waits == [0.0, 1.0, 0.999 * 3.0, 1.5, None]
    assert patience.pause(1, None, 0.5) is None  # the budget is spent


@pytest.mark.parametrize(("asked", "wait"), [(7.0, 7.0), (0.0, 0.25), (120.0, 120.0), (121.0, None), (86400.0, None)])
def test_a_time_that_the_server_names_is_kept_up_to_a_cap(asked: float, wait: float | None) -> None:
    patience = Patience(Retry(budget=1))
    assert patience.pause(1, asked, 0.5) == wait
    assert (patience.pause(1, None, 0.5) is None) == (wait is not None)  # what is not waited for costs nothing


def test_the_budget_comes_back_when_the_outage_is_over() -> None:
    patience = Patience(Retry(budget=3, healed=5))
    spend = lambda: sum(patience.pause(1, None, 0.5) is not None for _ in range(10))  # noqa: E731
    assert (spend(), spend()) == (3, 0)
    for n in range(20):  # good answers between failures are no end of it
        patience.came(n % 4 != 0, 0.0)
    assert spend() == 0
    for _ in range(5):
        patience.came(True, 0.0)
    assert spend() == 3


def failing(patience: Patience, *ticks: float) -> None:
    for tick in ticks:
        patience.came(False, tick)


def test_a_circuit_opens_when_nothing_but_failures_came_for_a_while() -> None:
    policy = Retry(failures=3, silence=5.0, rest=30.0, longest_rest=100.0)
    patience = Patience(policy)
    failing(patience, 0.0, 0.0, 1.0, 4.9)  # many, in a moment
    assert patience.closed_for(4.9) == 0.0
    patience.came(True, 5.0)
    failing(patience, 6.0, 12.0)  # few, over a while
    assert (patience.closed_for(12.0), patience.is_open()) == (0.0, False)
    failing(patience, 13.0)
    assert (patience.closed_for(13.0), patience.closed_for(42.0), patience.is_open()) == (30.0, 1.0, True)


def test_very_many_failures_open_it_at_once() -> None:
    patience = Patience(Retry(many=20, rest=30.0))
    failing(patience, *[0.0] * 19)
    assert patience.closed_for(0.0) == 0.0
    failing(patience, 0.0)
    assert patience.closed_for(0.0) == 30.0


def test_one_request_tries_whether_the_server_is_back() -> None:
    patience = Patience(Retry(failures=3, silence=5.0, rest=30.0, longest_rest=100.0))
    failing(patience, 0.0, 1.0, 6.0)
    failing(patience, 6.5)  # was under way: changes nothing
    assert patience.closed_for(35.9) > 0
    assert patience.closed_for(36.0) == 0.0  # this one may
    assert patience.closed_for(36.0) == 30.0  # the others not
    failing(patience, 37.0)
    assert patience.closed_for(37.0) == 60.0
    assert patience.closed_for(97.0) == 0.0
    failing(patience, 98.0)
    assert patience.closed_for(98.0) == 100.0  # up to a cap
    assert patience.closed_for(198.0) == 0.0
    assert patience.closed_for(298.0) == 0.0  # the one that tried never told: the next may
    patience.came(True, 299.0)
    assert (patience.closed_for(299.0), patience.is_open()) == (0.0, False)
    failing(patience, 300.0, 301.0)
    assert patience.closed_for(301.0) == 0.0  # and it counts from the beginning

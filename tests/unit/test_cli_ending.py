"""The last line says what happened in numbers, and the exit code agrees with it, in all combinations."""

import re
from collections import Counter
from itertools import product

import pytest

from mesofhir.cli.ending import MEANING, Ending
from mesofhir.cli.words import Voice
from mesofhir.mapping import Link
from mesofhir.sync import Result, Summary
from mesofhir.sync.report import Outcome

KINDS = ("created", "unchanged", "skipped", "conflict", "blocked", "refused", "unknown")


def read(line: str) -> dict[str, int]:
    """The numbers of a line, by the word behind each."""
    body = line.split(" (exit code")[0]
    return {word: int(n) for n, word in re.findall(r"(\d+) (not tried|[a-z]+)", body)}


def expected(said: dict[str, int], *, interrupted: bool, unreachable: bool) -> int:
    """The exit code, from what the line says."""
    if said.get("unknown"):
        return 6
    if interrupted and said.get("not tried"):
        return 130
    if unreachable:
        return 5
    bad = ("stopped", "not tried", "skipped", "conflict", "blocked", "refused")
    return 4 if any(said.get(word) for word in bad) else 0


def test_all_combinations() -> None:
    seen = set()
    flags = product([0, 2], [0, 1], [False, True], [False, True])
    for (left, stopped, interrupted, unreachable), numbers in product(list(flags), product([0, 3], repeat=len(KINDS))):
        counts = dict(zip(KINDS, numbers, strict=True))
        codes = frozenset({5} if unreachable else ())
        ending = Ending(5, 5 - left, stopped, counts, 7, codes, interrupted)
        said = read(ending.line)
        assert said.get("histories") == 5
        assert said["done"] + said.get("stopped", 0) + said.get("not tried", 0) == 5
        assert sum(said.get(kind, 0) for kind in KINDS) == sum(numbers) == said.get("resources", 0)
        assert said["requests"] == 7
        assert ending.code == expected(said, interrupted=interrupted, unreachable=unreachable)
        told = f"(exit code {ending.code}: {MEANING[ending.code]})" if ending.code else "7 requests"
        assert ending.line.endswith(told)
        seen.add(ending.code)
    assert seen == {0, 4, 5, 6, 130}


def test_a_practitioner_of_several_histories_is_counted_once_as_what_was_done() -> None:
    """Of histories that go at the same time a later one may be the first to say that the person was made."""
    link = Link("Practitioner", "practitioners", "D-1")
    told: list[list[Outcome]] = [["found", "created"], ["created", "found"], ["found", "arrived"], ["refused", "found"]]
    for outcomes in told:
        summary = Summary()
        for n, outcome in enumerate(outcomes):
            summary.add(Result(f"P-{n}", {link: outcome, Link("Goal", "goals", f"G-{n}"): "created"}))
        [done] = {"created", "arrived", "refused"} & set(outcomes)
        assert +summary.counts == Counter({done: 1}) + Counter(created=2)


@pytest.mark.parametrize("codes", [{6, 130, 5, 4}, {130, 5, 4}, {5, 4}, {4, 3}])
def test_precedence(codes: set[int]) -> None:
    assert Ending(1, 1, codes=frozenset(codes)).code == next(c for c in (6, 130, 5, 4) if c in codes)


@pytest.mark.parametrize(("quiet", "refused", "told"), [(True, 0, 0), (True, 1, 1), (False, 0, 1), (False, 1, 1)])
def test_quiet(quiet: bool, refused: int, told: int, capsys: pytest.CaptureFixture[str]) -> None:
    Ending(1, 1, counts={"refused": refused, "created": 1}).tell(Voice(quiet=quiet))
    assert len(capsys.readouterr().err.splitlines()) == told


def test_a_dry_run_and_a_run_that_goes_on() -> None:
    dry = Ending(2, 2, counts={"created": 3, "unchanged": 1}, planned=True)
    assert dry.line.startswith("a dry run, nothing was sent; 2 histories: 2 looked at; 4 resources: 3 create, 1 unch")
    again = Ending(5, 5, counts={"created": 3}, resumed=2)
    assert again.line == "5 histories: 3 done, 2 done before; 3 resources: 3 created; 0 requests"

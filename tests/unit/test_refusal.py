"""What a refusal of a server is about, and what is told to do about it."""

import pytest

from mesofhir.errors import Refused
from mesofhir.server import find_preset
from mesofhir.server.abilities import Abilities
from mesofhir.server.capability import read_capabilities
from mesofhir.server.preset import read_preset
from mesofhir.sync.planning.plan import Plan
from mesofhir.sync.planning.refusal import Refusal, Why, advice, why
from tests.simulated.vendors import EPIC, HAPI

PLAN = Plan(Abilities(read_capabilities(HAPI.statement)))


@pytest.mark.parametrize(
    ("status", "codes", "method", "about"),
    [
        (405, [], "create", Why.TYPE),
        (405, [], "update", Why.TYPE),
        (501, ["exception"], "create", Why.TYPE),
        (404, ["not-found"], "create", Why.TYPE),
        (404, ["not-found"], "update", Why.CONTENT),  # that one resource is not there
        (422, ["not-supported"], "create", Why.TYPE),
        (400, ["not-supported", "processing"], "update", Why.TYPE),
        (403, [], "create", Why.PERMISSION),
        (403, ["not-supported"], "create", Why.PERMISSION),
        (400, ["forbidden"], "create", Why.PERMISSION),
        (422, ["business-rule"], "create", Why.CONTENT),
        (422, [], "create", Why.CONTENT),
        (400, ["required"], "update", Why.CONTENT),
        (413, ["too-costly"], "create", Why.CONTENT),
    ],
)
def test_what_it_is_about(status: int, codes: list[str], method: str, about: Why) -> None:
    assert why(Refused("no", status, codes=codes), method) is about


def told(*refused: Refusal, taken: tuple[str, str] = ("", ""), plan: Plan = PLAN) -> str:
    return "\n".join(advice(dict.fromkeys(refused, 2), {taken}, plan))


def test_the_lines_that_are_told_are_a_preset_that_plans_without_it() -> None:
    text = told(Refusal("Procedure", "create", Why.TYPE))
    assert "does not support all that it declares: 2 creates of Procedure refused" in text
    assert "the summary of its cycle" in text
    lines = "\n".join(line for line in text.splitlines() if line.startswith("  "))
    preset = read_preset(lines.encode(), "x.toml", "x")
    assert preset.types["Procedure"].can == {"read", "update", "search-type", "history-instance"}
    plan = Plan(Abilities(read_capabilities(HAPI.statement), preset))
    assert (plan.of("Procedure").step, plan.of("CarePlan").step) == ("document", "transaction")


def test_of_an_update() -> None:
    text = told(Refusal("Goal", "update", Why.TYPE))
    assert "changes are told, and left" in text
    assert 'can = ["create", "read", "search-type", "history-instance"]' in text


def test_a_permission_is_asked_for_first() -> None:
    text = told(Refusal("Procedure", "create", Why.PERMISSION))
    assert text.index("ask who runs it for the permission") < text.index("[types.Procedure]")


def test_what_is_taken_at_times_is_refused_for_what_it_says() -> None:
    for refused in (Refusal("Condition", "create", Why.TYPE), Refusal("Condition", "create", Why.CONTENT)):
        text = told(refused, taken=("Condition", "create"))
        assert "for what it says" in text
        assert "`only`, `refuses` or `needs` of [types.Condition]" in text
        assert "can =" not in text


def test_where_it_goes_instead() -> None:
    statement = read_capabilities(EPIC.statement)
    refused = Refusal("AllergyIntolerance", "create", Why.TYPE)
    nowhere = Abilities(statement, find_preset("read-only"))
    assert "told as not sent" in told(refused, plan=Plan(nowhere))
    assert "goes into the files" in told(refused, plan=Plan(nowhere, files=True))

"""What probes have shown, as it is remembered: for a time, and of the server that it was asked of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesofhir.server import Probed
from mesofhir.server.capability import Capabilities, read_capabilities
from mesofhir.server.probed import KEPT

ANSWERS = {"batch": True, "Goal search-type": False}


def said(**more: Any) -> Capabilities:
    resource = {"type": "Goal", "interaction": [{"code": "read"}, {"code": "create"}]}
    rest = {"mode": "server", "resource": [resource]}
    statement = {"software": {"name": "A", "version": "1"}, "fhirVersion": "4.0.1", "rest": [rest]}
    return read_capabilities(statement | more)


def test_it_holds_of_the_same_server() -> None:
    probed = Probed.now(ANSWERS, said())
    for same in (said(), said(date="2026-01-01", id="x", text={"status": "generated"})):
        assert probed.still(same) is probed
    assert "asked on" in probed.told


@pytest.mark.parametrize(
    "other",
    [
        {"software": {"name": "A", "version": "2"}},
        {"software": {"name": "B", "version": "1"}},
        {"software": {"name": "A", "version": "1", "releaseDate": "2026-01-01"}},
        {"software": None},
        {"fhirVersion": "4.3.0"},
        {"rest": [{"mode": "server", "resource": [{"type": "Goal", "interaction": [{"code": "read"}]}]}]},
    ],
)
def test_it_does_not_hold_of_another(other: dict[str, Any]) -> None:
    now = Probed.now(ANSWERS, said()).still(said(**other))
    assert not now.answers
    assert "says something else" in now.forgotten
    assert now.told == ""


@pytest.mark.parametrize(("ago", "holds"), [(KEPT - timedelta(hours=1), True), (KEPT, False), (-KEPT, False)])
def test_it_holds_for_a_time(ago: timedelta, holds: bool) -> None:
    """Also not from a future: a clock was wrong."""
    probed = Probed(ANSWERS, said().fingerprint, datetime.now(UTC) - ago)
    assert bool(probed.still(said()).answers) == holds


def test_nothing_was_forgotten_where_nothing_was_known() -> None:
    assert Probed().still(said()) == Probed()


def test_it_comes_back_from_the_file() -> None:
    probed = Probed.now(ANSWERS, said())
    again = Probed.read(probed.plain())
    assert (again.answers, again.said) == (ANSWERS, probed.said)
    assert abs(again.at - probed.at) < timedelta(seconds=2)


json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["answers", "said", "at", "batch"]), x))  # fmt: skip


@given(json)
def test_what_cannot_be_read_says_nothing(kept: Any) -> None:
    assert all(isinstance(v, bool) for v in Probed.read(kept).answers.values())


def test_a_fingerprint_knows_no_order() -> None:
    """Of a set the order is another one in each process."""
    kinds = ["read", "create", "update", "search-type", "delete", "patch"]
    one, other = (
        read_capabilities({"rest": [{"resource": [{"type": "Goal", "interaction": [{"code": c} for c in order]}]}]})
        for order in (kinds, kinds[::-1])
    )
    assert one.fingerprint == other.fingerprint

"""What docs/trust.md and docs/hazards.md promise, a test proves: each row names at least one that exists."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


def rows(page: str) -> Iterator[list[str]]:
    """The rows of the tables of a page, without their headings."""
    for line in (ROOT / "docs" / page).read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] not in ("promise", "cause") and not set(line) <= set("|-"):
            yield cells


@cache
def functions(path: str) -> frozenset[str]:
    """The tests of a file, as pytest names them."""
    body = ast.parse((ROOT / path).read_text("utf-8")).body
    places = [("", body), *((f"{c.name}::", c.body) for c in body if isinstance(c, ast.ClassDef))]
    return frozenset(prefix + f.name for prefix, inner in places for f in inner if isinstance(f, ast.FunctionDef))


@pytest.mark.parametrize(("page", "column", "least"), [("trust.md", 2, 10), ("hazards.md", 2, 25)])
def test_every_row_names_tests_that_exist(page: str, column: int, least: int) -> None:
    found = list(rows(page))
    assert len(found) >= least
    assert {len(row) for row in found} == {len(found[0])}
    for row in found:
        assert all(row), row
        named = NAMED.findall(row[column])
        assert named, row
        assert not NAMED.sub("", row[column]).strip(), row  # nothing but names of tests
        for path, name in named:
            assert name in functions(path), f"{page}: {path}::{name}"


def test_every_hazard_that_must_never_happen_in_silence_is_there() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "hazards.md").read_text("utf-8"), re.MULTILINE)
    assert headings == [
        "An allergy is lost",
        "What was not done reads as done",
        "A dose is changed by a unit, a comma or rounding",
        "A fact is written to another patient",
        "“Unknown” reads as “no”",
        "What is old takes the place of what is new",
    ]

"""Every field has a place in FHIR that is data, and the published table says which."""

from pathlib import Path

import pytest

from mesofhir.fhir.profiles import package, published
from mesofhir.mapping.published import page, places
from mesofhir.records import TABLES

DOCS = Path(__file__).parents[2] / "docs"
FIELDS = [
    (table.name, f"{c.name}.{v}" if v else c.name)
    for table in TABLES.values()
    for c in table.columns.values()
    if c.name != "unknown"
    for v in (c.values.columns if c.values else [""])
]


@pytest.mark.parametrize(("table", "field"), FIELDS)
def test_a_field_has_a_place_and_not_in_narrative_only(table, field):
    paths = places().get((table, field), [])
    assert [p for p in paths if not p.split(".", 1)[1].startswith("text")], (
        f"{table}.{field} has no place in FHIR"
    )


def test_the_published_table_is_current():
    wanted = "run: python -m mesofhir.mapping.published > docs/mapping.md"
    assert (DOCS / "mapping.md").read_text(encoding="utf-8") == page(), wanted


def test_the_published_profiles_are_current():
    wanted = "run: python -m mesofhir.fhir.profiles.published > docs/profiles.md"
    assert (DOCS / "profiles.md").read_text(encoding="utf-8") == published.page(package()) + "\n", wanted

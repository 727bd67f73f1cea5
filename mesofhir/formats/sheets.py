"""The sheets of a source of tables: one for each table, one for each list of values without keys.

The same for every format of tables; a CSV folder has a file for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mesofhir.records import TABLES, Table
from mesofhir.records.tables import PATIENTS, Column

POSITION: Final = "position"


def singular(name: str) -> str:
    """How a row calls the record of a table that it stands in: ``cycles`` → ``cycle``."""
    return name[:-3] + "y" if name.endswith("ies") else name[:-1]


@dataclass(frozen=True)
class Sheet:
    """The rows of a table, or the values of a list field of its records.

    :param name: ``sessions``, ``mixture_drugs``
    :param table: the table; of a list of values the one of the records that have it
    :param field: the list field; "" for a table
    :param parent: the heading that names the record in which a row stands; "" for patients and practitioners
    :param links: the headings before the columns
    :param columns: heading → column
    """

    name: str
    table: Table
    field: str
    parent: str
    links: tuple[str, ...]
    columns: dict[str, Column]

    @property
    def headings(self) -> list[str]:
        """All headings, in order."""
        return [*self.links, *self.columns]

    @property
    def needed(self) -> list[str]:
        """The headings without which no row can be placed."""
        return [h for h in (self.parent, POSITION if self.field else "key") if h]


def _of_table(table: Table) -> Sheet:
    parent = singular(table.parent) if table.parent else ""
    links = ("patient", parent) if table.parent not in ("", PATIENTS) else (parent,) if parent else ()
    return Sheet(table.name, table, "", parent, links, table.scalars)


def _of_list(table: Table, column: Column) -> Sheet:
    assert column.values is not None  # noqa: S101
    parent = singular(table.name)
    name = f"{parent}_{column.name}"
    return Sheet(name, table, column.name, parent, (parent, POSITION), column.values.columns)


SHEETS: Final[dict[str, Sheet]] = {
    sheet.name: sheet
    for table in TABLES.values()
    for sheet in (
        _of_table(table),
        *(_of_list(table, c) for c in table.columns.values() if c.kind == "values"),
    )
}

LISTS: Final = {(sheet.table.name, sheet.field): sheet for sheet in SHEETS.values() if sheet.field}
"""(table, list field) → its sheet."""


def headings() -> dict[str, list[str]]:
    """File → its headings, in the order in which a CSV folder has them, for documentation and templates."""
    return {f"{name}.csv": sheet.headings for name, sheet in SHEETS.items()}

"""Records that stopped being a resource (architecture, rule 11): a wound corrected to a pregnancy, a session that was
done and is only planned. What such a record was before stands on the server under the same identifier.

Only records that were there and changed are suspected, and those of which the ledger knows that it was not looked at
since they changed (a push was cut off, or refused, in between); so a push that changes nothing asks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from mesofhir.mapping import Clinic, Link, Made, saying
from mesofhir.mapping.clinic import EVERY, Shape
from mesofhir.mapping.saying import Said
from mesofhir.mapping.shapes import shapes_of
from mesofhir.records import TABLES
from mesofhir.sync.planning.plan import PEOPLE

Row = dict[str, Any]


def suspects(
    made: Iterable[Made], created: Set[Link], changed: Set[Link], unseen: Set[Link], clinic: Clinic
) -> list[Link]:
    """The resources that records may have been, and are not now.

    :param made: the resources of a history
    :param created: those of them that the server did not have
    :param changed: those that it has, and that say something else now
    :param unseen: what is known to stand, and was not looked at since its record changed
    """
    shapes = shapes_of(clinic).of_table
    records: dict[tuple[str, str], list[Made]] = {}
    for m in made:
        if m.link.kind not in PEOPLE:
            records.setdefault((m.link.table, m.link.key), []).append(m)
    old = {name for name, all_ in records.items() if any(m.link not in created for m in all_)}

    def was_there(table: str, key: str, row: Row) -> bool:
        """Can the server have had anything of the record? Then it had what it stands in."""
        parent = TABLES[table].parent
        if (table, key) in old or any(s.takes is EVERY for s in shapes[table]):  # all of it would be there now
            return (table, key) in old
        return (parent, row["of"]) in old if "of" in row else bool(old) or {t for t, _ in records} == {table}

    out = []
    for (table, key), all_ in records.items():
        touched = any(m.link in changed or m.link in created for m in all_)
        suspected = touched and was_there(table, key, all_[0].row)
        kinds = dict.fromkeys(s.kind for s in shapes[table])
        was = [Link(kind, table, key) for kind in kinds if all(m.link.kind != kind for m in all_)]
        out += [link for link in was if suspected or link in unseen]
    return out


def all_kinds(made: Iterable[Made], clinic: Clinic) -> list[Link]:
    """Whatever the records of a history may ever have been."""
    shapes = shapes_of(clinic).of_table
    links = [Link(s.kind, m.link.table, m.link.key) for m in made for s in shapes[m.link.table]]
    return [link for link in dict.fromkeys(links) if link.kind not in PEOPLE]


def said(resource: Row, m: Made, link: Link) -> Said | None:
    """What a resource on the server says of a record; None if it has no form of ours.

    :param m: any resource of the record
    """
    return saying.said(resource, shapes_of(m.clinic).get((link.kind, link.table), [m.shape]), m.world)


def still(then: Row, m: Made, link: Link) -> Made | None:
    """The record as such a resource, if that and what the server says together still make one: a session that is done
    keeps the booking that it does not state."""
    now = {**then, **m.row}
    shape: Shape | None = next((s for s in shapes_of(m.clinic)[link.kind, link.table] if s.takes(now)), None)
    return Made(link, shape, m.row, m.world, m.clinic) if shape else None

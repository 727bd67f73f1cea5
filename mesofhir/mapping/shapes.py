"""All shapes of a clinic: which rows become which resources. One file a concept; here they meet."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from mesofhir.mapping import (
    aftercares,
    allergies,
    conditions,
    consents,
    cycles,
    documents,
    effects,
    findings,
    medicines,
    mixtures,
    people,
    plans,
    scores,
    sessions,
)
from mesofhir.mapping.clinic import Clinic, Shape

CONCEPTS: Final[tuple[Callable[[Clinic], list[Shape]], ...]] = tuple(
    room.shapes
    for room in (
        people, conditions, allergies, findings, medicines, consents,
        cycles, sessions, mixtures, effects, scores, aftercares, plans,
    )
)  # fmt: skip


class Shapes(dict[tuple[str, str], list[Shape]]):
    """(type, table) → the shapes of a clinic, the owner of a field before its copies."""

    def __init__(self, clinic: Clinic) -> None:
        super().__init__()
        self.clinic = clinic
        self.of_table: dict[str, list[Shape]] = {}
        self.order: dict[int, int] = {}
        for concept in CONCEPTS:
            for shape in concept(clinic):
                self.setdefault((shape.kind, shape.table), []).append(shape)
                self.of_table.setdefault(shape.table, []).append(shape)
                self.order[id(shape)] = len(self.order)

    def __missing__(self, key: tuple[str, str]) -> list[Shape]:
        """A summary is written and compared, and no record is made of it: it is none of the shapes, and found here."""
        kind, table = key
        if kind != documents.KIND:
            raise KeyError(key)
        return [documents.shape(self.clinic, table)]


@lru_cache(64)
def shapes_of(clinic: Clinic) -> Shapes:
    """The shapes of a clinic, made once."""
    return Shapes(clinic)

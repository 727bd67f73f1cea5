"""What reading gives, and what it works on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mesofhir.fhir.picture import Reading
from mesofhir.mapping.clinic import Link, Shape
from mesofhir.records import TreatmentHistory

Rows = dict[str, dict[str, dict[str, Any]]]
"""table → key → row"""
RowsSeen = Mapping[str, Mapping[str, dict[str, Any]]]


@dataclass(frozen=True)
class Kept:
    """A resource that is in no record, whole, and why."""

    resource: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class Note:
    """A place in a resource of ours that is in no record, or that says what another place does not."""

    resource: dict[str, Any]
    path: str
    reason: str


@dataclass
class Understood:
    """What a set of resources says.

    :param histories: in the order of their keys
    :param kept: resources that are in no record
    :param notes: places that are in no record
    :param sources: the resource of each record, to write over
    """

    histories: list[TreatmentHistory] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    sources: dict[Link, dict[str, Any]] = field(default_factory=dict)
    read: int = 0

    def keep(self, resource: dict[str, Any], reason: str) -> None:
        self.kept.append(Kept(resource, reason))

    def note(self, resource: dict[str, Any], path: str, reason: str) -> None:
        self.notes.append(Note(resource, path, reason))


@dataclass
class Read:
    """A resource that was read as one of ours.

    :param order: of its shape: the owner of a field comes before its copies
    """

    link: Link
    shape: Shape
    resource: dict[str, Any]
    reading: Reading
    order: int

    def place(self, name: str) -> str:
        """Where in the resource a field of the row has its place, without positions in lists."""
        path = next((path for field, path in self.shape.picture.holes("$") if field == name), "$")
        return re.sub(r"\[[^]]*\]", "", path)

"""A history in parts that a server takes, each after what it refers to (interop.md, *Splitting*)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mesofhir.fhir.exactjson import encode
from mesofhir.fhir.references import literals
from mesofhir.mapping import Link, Made

T = TypeVar("T")
ENVELOPE = 400  # bytes of an entry around its resource


@dataclass(frozen=True)
class Limits:
    """How much goes in one bundle.

    :param entries: resources
    :param size: bytes
    """

    entries: int = 100
    size: int = 4_000_000

    def within(self, other: Limits) -> Limits:
        """What fits both."""
        return Limits(min(self.entries, other.entries), min(self.size, other.size))

    def parts(self, items: Sequence[tuple[T, Mapping[str, Any]]]) -> Iterator[list[T]]:
        """Things and the resources that are sent for them, in parts within the limits, in their order."""
        part: list[T] = []
        size = 0
        for item, resource in items:
            bytes_ = len(encode(resource)) + ENVELOPE
            if part and (len(part) >= self.entries or size + bytes_ > self.size):
                yield part
                part, size = [], 0
            part.append(item)
            size += bytes_
        if part:
            yield part


def name(made: Made) -> str:
    """What our resources call a resource of ours before the server has named it."""
    return f"{made.link.kind}/{made.handle}"


def in_order(items: list[Made]) -> list[Made]:
    """Each resource after those that it refers to (there are no cycles: clinical model, decision 16)."""
    by_name = {name(m): m for m in items}
    out: dict[Link, Made] = {}

    def place(m: Made) -> None:
        if m.link not in out:
            for literal in sorted(literals(m.resource)):
                if by_name.get(literal, m) is not m:
                    place(by_name[literal])
            out[m.link] = m

    for m in items:
        place(m)
    return list(out.values())

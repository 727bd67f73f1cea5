"""Two states of a history, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesofhir.records import TreatmentHistory


@dataclass(frozen=True)
class Difference:
    """A value that is not the same; None where one of the two has nothing there.

    :param path: such as ``cycles[C1].sessions[S1].volume``
    """

    path: str
    ours: Any
    theirs: Any

    @property
    def zeros_only(self) -> bool:
        """Are these two ways to write one number?"""
        numbers = isinstance(self.ours, Decimal | int) and isinstance(self.theirs, Decimal | int)
        return numbers and not isinstance(self.ours, bool) and bool(self.ours == self.theirs)


@dataclass
class Comparison:
    """Of all values of some histories.

    :param equal: how many are the same to the last digit
    """

    equal: int = 0
    zeros: list[Difference] = field(default_factory=list)
    others: list[Difference] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.equal + len(self.zeros) + len(self.others)


def compared(
    ours: Mapping[str, TreatmentHistory], theirs: Mapping[str, TreatmentHistory]
) -> Comparison:
    """Compare histories by their keys; one that is missing differs in all of its values."""
    result = Comparison()
    for key in sorted({*ours, *theirs}):
        a, b = _values(ours.get(key)), _values(theirs.get(key))
        for path in sorted({*a, *b}):
            d = Difference(f"{key}: {path}", a.get(path), b.get(path))
            if type(d.ours) is type(d.theirs) and str(d.ours) == str(d.theirs):
                result.equal += 1
            else:
                (result.zeros if d.zeros_only else result.others).append(d)
    return result


def _values(history: TreatmentHistory | None) -> dict[str, Any]:
    from mesofhir.records import plain

    return {} if history is None else dict(_leaves(plain(history), ""))


def _leaves(x: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values of a tree with their paths, records by their keys."""
    if isinstance(x, dict):
        for name, value in x.items():
            yield from _leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(x, list):
        for n, item in enumerate(x):
            name = item.get("key", n) if isinstance(item, dict) else n
            yield from _leaves(item, f"{path}[{name}]")
    else:
        yield path, x

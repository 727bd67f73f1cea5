"""What a source gives: what is wrong with it is told as it goes by, and what no record holds is counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesofhir.cli.report import Report
from mesofhir.cli.words import MOST, Voice, number
from mesofhir.errors import Problem

if TYPE_CHECKING:
    from mesofhir.formats import Counts, Item, Source, Written


@dataclass
class Told:
    """Problems; of very many the first are shown, and how many more there are.

    :param word: what they are: ``error``, ``warning``
    """

    voice: Voice
    report: Report
    word: str = "error"
    count: int = 0

    def add(self, problems: Iterable[Problem]) -> None:
        for p in problems:
            self.count += 1
            self.report.add({self.word: p.what, "where": p.where, "expected": p.expected, "hint": p.hint})
            if self.count <= MOST:
                self.voice.line(f"{self.word}: {p}")

    def end(self) -> None:
        """After the last one."""
        if self.count > MOST:
            where = f"all in {self.report.path}" if self.report.path else "--report FILE has all"
            self.voice.line(f"{self.word}: … and {self.count - MOST} more ({where})")


@dataclass
class Survey:
    """What goes by: told, counted, reported.

    :param items: all that went by
    :param places: what no record holds, by type and path → how often
    """

    voice: Voice
    report: Report
    items: int = 0
    histories: int = 0
    kept: int = 0
    places: Counter[str] = field(default_factory=Counter)
    errors: Told = field(init=False)
    warnings: Told = field(init=False)

    def __post_init__(self) -> None:
        self.errors = Told(self.voice, self.report)
        self.warnings = Told(self.voice, self.report, "warning")

    def of(self, items: Iterable[Item], label: str, source: Source) -> Iterator[Item]:
        """The items, as they go by; at their end an error where the source is blank: a failed export must not look
        like one of no patients.

        :param label: what is counted on a terminal
        :param source: where they come from
        """
        with self.voice.counting(label) as counter:
            for item in counter.over(items):
                self.see(item)
                yield item
        if self.valid and (nothing := source.blank):
            self.errors.add([nothing])
        self.end()

    def see(self, item: Item) -> None:
        """One of them."""
        self.errors.add(item.faults)
        self.warnings.add(item.warnings)
        self.items += 1
        self.histories += item.history is not None
        self.kept += len(item.kept)
        self.places.update(_place(n.resource, n.path) for n in item.notes)
        self.report.add(*_not_held(item))

    def end(self) -> None:
        """After the last one."""
        self.errors.end()
        self.warnings.end()

    @property
    def valid(self) -> bool:
        return not self.errors.count

    def tell_places(self) -> None:
        """What stays in the resources, since no record holds it."""
        for place, count in self.places.most_common(MOST):
            self.voice.say(f"in no record: {place} ({number(count, 'time')})")
        if len(self.places) > MOST:
            self.voice.say(f"in no record: … and {len(self.places) - MOST} places more")


def counted(counts: Counts) -> str:
    """Where everything went: the counts add up."""
    parts = [f"{counts.mapped} mapped", f"{counts.kept} kept", f"{counts.refused} refused"]
    parts += [f"{counts.repeated} repeated"] if counts.repeated else []
    return f"{number(counts.histories, 'history', 'histories')}; {counts.read} read = {' + '.join(parts)}"


def tell_written(voice: Voice, written: Written) -> None:
    """What is there now."""
    for problem in written.warnings:
        voice.warn(str(problem))
    for place in written.files:
        what = f": {number(written.kept, 'line')}, what no record holds and what that refers to"
        voice.say(f"wrote {place}{_replaced(place, written)}" + (what if place.name.endswith(".kept.ndjson") else ""))
    for place in written.removed:
        voice.say(f"removed {place}: an earlier one, of what was there before")


def _replaced(place: Path, written: Written) -> str:
    if place not in written.replaced:
        return ""
    old = f" ({number(written.replaced[place], 'old file')} removed)" if place.is_dir() else ""
    return f", in place of what was there{old}"


def _place(resource: dict[str, Any], path: str) -> str:
    """``Procedure.note.text``: the same place in all resources."""
    from mesofhir.fhir.definitions import name_of

    return name_of(resource).partition("/")[0] + re.sub(r"\[\d+\]", "", path.removeprefix("$"))


def _not_held(item: Item) -> Iterator[dict[str, Any]]:
    from mesofhir.fhir.definitions import name_of

    for kept in item.kept:
        yield {"kept": name_of(kept.resource), "patient": item.patient, "reason": kept.reason}
    for note in item.notes:
        place = {"noted": name_of(note.resource), "patient": item.patient, "path": note.path}
        yield place | {"reason": note.reason}

"""Contradictions as they are told: both places, counted; they change no exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mesofhir.cli.report import Report
from mesofhir.cli.words import MOST, Voice, number

if TYPE_CHECKING:
    from mesofhir.formats import Item
    from mesofhir.records import Fact, Strengths
    from mesofhir.terminology import Terminology


@dataclass
class Told:
    """The contradictions of a run; of very many the first are shown, and how many more there are.

    :param strengths: how strong findings are that do not say it
    :param codes: the words that hold at the clinic
    :param each: is each one told, and reported, or only how many there are?
    :param rules: rule → how often
    """

    voice: Voice
    report: Report
    strengths: Strengths
    codes: Terminology
    each: bool = True
    rules: Counter[str] = field(default_factory=Counter)

    def see(self, item: Item) -> None:
        """One history, whatever else is wrong with it."""
        from mesofhir.records import contradictions

        for c in contradictions(item.history, self.strengths, self.codes) if item.history else ():
            self.rules[c.rule] += 1
            if not self.each:
                continue
            places = [_where(item, fact) for fact in (c.one, c.other)]
            facts = [
                {"table": f.table, "key": f.key, "field": f.field, "path": f.path, "where": place}
                for f, place in zip((c.one, c.other), places, strict=True)
            ]
            self.report.add({"contradiction": c.rule, "severity": c.severity, "what": c.what, "facts": facts})
            if self.rules.total() <= MOST:
                self.voice.say(f"contradiction {c.rule} ({c.severity}): {c.what}: {places[0]} | {places[1]}")

    def end(self) -> None:
        """After the last one: how many there are."""
        total = self.rules.total()
        if self.each and total > MOST:
            where = f"all in {self.report.path}" if self.report.path else "--report FILE has all"
            self.voice.say(f"contradiction: … and {total - MOST} more ({where})")
        if total:
            each = ", ".join(f"{n} × {rule}" for rule, n in sorted(self.rules.items(), key=lambda r: int(r[0][1:])))
            more = "" if self.each else "; `mesofhir check` says which"
            told = f"{number(total, 'contradiction')}: {each} (facts to look at; nothing is refused for them{more})"
            self.voice.say(told)


def _where(item: Item, fact: Fact) -> str:
    """How the source calls the place of a fact."""
    from mesofhir.records import Fault

    return item.locate(Fault(fact.table, fact.key, fact.field, fact.path, ""))

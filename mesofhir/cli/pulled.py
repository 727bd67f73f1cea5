"""What comes from a server, on its way to a destination: told, counted, and what cannot be read is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from mesofhir.cli import sources
from mesofhir.errors import MesofhirError, NotAllDone, Problem

if TYPE_CHECKING:
    from mesofhir.formats import Item
    from mesofhir.mapping import Clinic
    from mesofhir.server import Server


class Nothing(Exception):
    """Nothing was found: what is there from an earlier pull must stay."""


@dataclass
class Pulled:
    """What comes from the server; what cannot be read is told, and kept.

    :param fhir: is it to be FHIR again?
    :param staff: practitioners, who may be of several histories
    :param others: resources of one history
    :param missing: what was asked for and is not there
    """

    server: Server
    clinic: Clinic
    survey: sources.Survey
    fhir: bool
    staff: set[str] = field(default_factory=set)
    others: int = 0
    missing: list[MesofhirError] = field(default_factory=list)

    @property
    def mapped(self) -> int:
        """Resources that stand in a record."""
        return len(self.staff) + self.others

    def items(self, wanted: Sequence[str], *, foreign: bool) -> Iterator[Item]:
        """All that can be written.

        :raises Nothing: at the end, where that is nothing
        """
        from mesofhir.sync import iter_pull

        self.server.abilities()  # a wrong URL ends here, and says so
        server, clinic = self.server, self.clinic
        yield from self.told(lambda add: iter_pull(server, clinic, patients=wanted, foreign=foreign, gathered=add))
        if not (self.survey.histories or self.survey.kept):
            raise Nothing

    @property
    def nothing(self) -> NotAllDone:
        """Why nothing was found, as far as one can tell."""
        from mesofhir.cli.server_check import kinds
        from mesofhir.sync.planning.plan import PEOPLE

        abilities = self.server.abilities()
        if any(abilities.of(kind).offers("search-type") for kind in kinds() if kind not in PEOPLE):
            return NotAllDone(f"the server holds nothing of {self.clinic.namespace}: is that the right namespace?")
        return NotAllDone("the server offers no search of anything that a history is made of: nothing can be pulled")

    def told(self, begin: Callable[[Callable[[], object]], Iterator[Item]]) -> Iterator[Item]:
        """Items as they come, each as it can be written.

        :param begin: begins to pull, and is given what to call for each resource that comes
        """
        from mesofhir.sync import PatientNotFound

        try:
            with self.survey.voice.counting("resources") as resources:  # all of them come before the first history
                items = begin(resources.add)
                first = list(islice(items, 1))
            with self.survey.voice.counting("histories") as counter:
                for item in counter.over(chain(first, items)):
                    yield self._told(item)
        except PatientNotFound as why:  # at the very end: the others were pulled
            self.missing.append(why)

    def _told(self, item: Item) -> Item:
        """An item that can be written: a history that would not be accepted again is kept as resources."""
        from mesofhir.mapping import Kept

        item.judge(self.clinic if self.fhir else None)
        whole = item
        if item.faults:
            unfit = [Kept(x, "its history cannot be used") for x in item.sources.values()]
            whole = replace(item, history=None, kept=[*item.kept, *unfit], notes=[], sources={}, faults=[])
        problems = [*(_at(item.where, p) for p in item.faults), *self._unread(item)]
        self.survey.see(replace(whole, faults=problems))
        staff = {link.key for link in whole.sources if link.table == "practitioners"}
        self.staff |= staff
        self.others += len(whole.sources) - len(staff)
        return whole

    def _unread(self, item: Item) -> Iterator[Problem]:
        """Resources of ours that stand in no record."""
        from mesofhir.fhir.definitions import name_of

        for kept in item.kept:
            if self.clinic.link_of(kept.resource) is not None:
                where = f"{item.where}: {name_of(kept.resource)}"
                yield Problem(where, kept.reason, hint="kept as it is")


def _at(where: str, p: Problem) -> Problem:
    """A problem of a history, and whose."""
    return Problem(f"{where}: {p.where}", p.what, p.expected, p.hint)

"""What became of each resource and of each history; the counts add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from mesofhir.mapping import Link

Outcome = Literal[
    "created",
    "changed",
    "unchanged",
    "withdrawn",
    "absent",
    "found",
    "skipped",
    "blocked",
    "named",
    "document",
    "filed",
    "untaken",
    "refused",
    "unknown",
]
"""
=============  ==================================================================================
 created        was not on the server
 changed        was there and said something else where the clinic states something
 unchanged      was there and says all that the clinic states
 withdrawn      marked ``entered-in-error``
 absent         to be withdrawn, and not there
 found          the EHR has it as its own (a person, an allergy): used, not written
 skipped        not sent, since what the EHR holds contradicts it
 blocked        there in a form that cannot be written over: left as it is
 named          a practitioner whom the EHR does not have and cannot be given: referred to by identifier and name
 document       the server takes it in no form of its own: it stands in the summary of its cycle
 filed          the server takes it in no form: it stands in a file for an interface engine
 untaken        the server takes it in no form, and no folder for files was named
 refused        the server refused it, or its history was stopped
 unknown        sent, and its answer was lost
=============  ==================================================================================
"""
DONE = frozenset({"created", "changed", "unchanged", "withdrawn", "absent", "found", "named", "document", "filed"})


@dataclass(frozen=True)
class Remark:
    """Something about one record that a person should see; no patient data.

    :param kind: what sort of remark: ``replaced`` (a value of the server's was overwritten or taken away),
        ``left`` (a value of the clinic's was not written), ``more`` (a list holds what the clinic does not
        state), ``differs`` (what belongs to the EHR says something else), ``server`` (the server's own words),
        or an outcome that needs a reason
    :param path: the place in the resource
    """

    link: Link
    kind: str
    text: str
    path: str = ""

    def __str__(self) -> str:
        place = f" {self.path}" if self.path else ""
        return f"{self.link.table} {self.link.key} ({self.link.kind}){place}: {self.text}"


@dataclass
class Result:
    """What became of one history.

    :param stopped: why nothing more of it was done; "" if it was done
    :param exit_code: 0, or that of what stopped it
    """

    key: str
    outcomes: dict[Link, Outcome] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    stopped: str = ""
    exit_code: int = 0
    references: dict[Link, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The exit code of this history alone."""
        if self.exit_code:
            return self.exit_code
        if "unknown" in self.outcomes.values():
            return 6
        done = all(o in DONE for o in self.outcomes.values()) and all(r.kind != "left" for r in self.remarks)
        return 0 if done else 4

    def lines(self) -> list[dict[str, Any]]:
        """The history in a report file: one line a resource, no patient data."""
        remarks: dict[Link, list[dict[str, str]]] = {}
        for r in self.remarks:
            remarks.setdefault(r.link, []).append({"kind": r.kind, "path": r.path, "text": r.text})
        out = [
            {
                "history": self.key,
                "table": link.table,
                "key": link.key,
                "type": link.kind,
                "outcome": outcome,
                "reference": self.references.get(link, ""),
                "remarks": remarks.get(link, []),
            }
            for link, outcome in self.outcomes.items()
        ]
        return out + ([{"history": self.key, "stopped": self.stopped}] if self.stopped else [])


@dataclass
class Summary:
    """All histories together."""

    histories: int = 0
    stopped: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        self.histories += 1
        self.stopped += bool(result.stopped)
        self.counts.update(result.outcomes.values())
        self.remarks.update(r.kind for r in result.remarks)
        self.codes[result.code] += 1

    @property
    def exit_code(self) -> int:
        """Where several apply: 6, then 5, then 4 (architecture, *The command line*)."""
        return next((code for code in (6, 5, 4, 3, 1) if self.codes[code]), 0)

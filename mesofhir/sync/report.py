"""What became of each resource and of each history; the counts add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mesofhir.mapping import Link
from mesofhir.sync.planning.refusal import Refusal

Outcome = Literal[
    "created",
    "arrived",
    "changed",
    "unchanged",
    "withdrawn",
    "absent",
    "found",
    "skipped",
    "conflict",
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
 arrived        sent, and its answer was lost; it is there, made by this push or by another at the same moment
 changed        was there, and says now what the clinic has changed
 unchanged      there is nothing new that the clinic states
 withdrawn      marked ``entered-in-error``
 absent         to be withdrawn, and not there
 found          the EHR has it as its own (a person, an allergy): used, not written
 skipped        not sent, since what the EHR holds contradicts it
 conflict       changed here and on the server, differently: left as it is
 blocked        there in a form that cannot be written over: left as it is
 named          a practitioner whom the EHR does not have and cannot be given: referred to by identifier and name; a
                patient whom it cannot be asked for: the file says by identifier who it is
 document       the server takes it in no form of its own: it stands in the summary of its cycle
 filed          the server takes it in no form: it stands in a file for an interface engine
 untaken        the server takes it in no form, and no folder for files was named
 refused        the server refused it, or its history was stopped
 unknown        sent, and its answer was lost
=============  ==================================================================================
"""
DONE = frozenset(
    {"created", "arrived", "changed", "unchanged", "withdrawn", "absent", "found", "named", "document", "filed"}
)


WOULD: Final = {"created": "create", "changed": "update", "withdrawn": "withdraw"}
"""What a dry run calls what a push would do."""


@dataclass(frozen=True)
class Remark:
    """Something about one record that a person should see; no patient data.

    :param kind: what sort of remark: ``kept`` (a value that only the server's side changed), ``conflict`` (one that
        both sides changed), ``replaced`` (one of the server's that was overwritten, as a person decided, or that stood
        beside one of ours and went with it), ``left`` (a value of the clinic's that could not be written), ``more`` (a
        list holds what the clinic does not state), ``differs`` (what belongs to the EHR says something else),
        ``beside`` (the EHR has one of the same code, or says the opposite; ours is sent), ``moved`` (it was another
        patient's), ``rekeyed`` (it went by another key), ``unstated`` (the clinic states it no more, and it stands
        there), ``linked`` (what it refers to was not there and is now), ``server`` (the server's own words), or an
        outcome that needs a reason
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
    :param references: what the server calls them
    :param fields: the values that went to what was changed
    :param planned: nothing was sent: the outcomes are what a push would do
    :param resumed: an earlier run came past it already
    :param refusals: what a refusal of the server is about
    """

    key: str
    outcomes: dict[Link, Outcome] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    stopped: str = ""
    exit_code: int = 0
    references: dict[Link, str] = field(default_factory=dict)
    fields: dict[Link, tuple[str, ...]] = field(default_factory=dict)
    planned: bool = False
    resumed: bool = False
    refusals: dict[Link, Refusal] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The exit code of this history alone."""
        if self.exit_code:
            return self.exit_code
        if "unknown" in self.outcomes.values():
            return 6
        done = all(o in DONE for o in self.outcomes.values())
        return 0 if done and not any(r.kind in ("left", "conflict") for r in self.remarks) else 4

    def plan(self) -> Iterator[str]:
        """What a push would do, one line a resource of which there is something to say; nothing if it was one."""
        for link, outcome in self.outcomes.items() if self.planned else ():
            if outcome in ("unchanged", "found"):
                continue
            kinds = (outcome, "conflict", "moved", "rekeyed")
            why = [r.text for r in self.remarks if r.link == link and r.kind in kinds]
            more = "; ".join([", ".join(self.fields.get(link, ())), *why]).strip("; ")
            told = f"{WOULD.get(outcome, outcome):9} {link.table} {link.key} ({link.kind})"
            yield f"{told}: {more}" if more else told

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
                "outcome": WOULD.get(outcome, outcome) if self.planned else outcome,
                "fields": list(self.fields.get(link, ())),
                "reference": self.references.get(link, ""),
                "remarks": remarks.get(link, []),
                **({"refusal": str(self.refusals[link].why)} if link in self.refusals else {}),
            }
            for link, outcome in self.outcomes.items()
        ]
        return out + ([{"history": self.key, "stopped": self.stopped}] if self.stopped else [])


@dataclass
class Summary:
    """All histories together.

    :param refusals: what the server refused, and how often
    :param taken: (type, ``create`` or ``update``) of what it took
    """

    histories: int = 0
    stopped: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    resumed: int = 0
    planned: bool = False
    refusals: Counter[Refusal] = field(default_factory=Counter)
    taken: set[tuple[str, str]] = field(default_factory=set)
    _shared: dict[Link, Outcome] = field(default_factory=dict, repr=False)

    def add(self, result: Result) -> None:
        self.histories += 1
        self.stopped += bool(result.stopped)
        self.resumed += result.resumed
        self.planned = self.planned or result.planned
        for link, outcome in result.outcomes.items():
            self._count(link, outcome)
        self.remarks.update(r.kind for r in result.remarks)
        self.codes[result.code] += 1
        self.refusals.update(result.refusals.values())
        written = {"created": "create", "changed": "update"}
        self.taken |= {(link.kind, written[o]) for link, o in result.outcomes.items() if o in written}

    def _count(self, link: Link, outcome: Outcome) -> None:
        """Somebody of several histories once: as made, whichever of them was the first to say so."""
        before = self._shared.get(link)
        if before is not None:
            if before != "found" or outcome not in ("created", "arrived"):
                return
            self.counts[before] -= 1
        self.counts[outcome] += 1
        if link.kind == "Practitioner":
            self._shared[link] = outcome

    @property
    def exit_code(self) -> int:
        """Where several apply: 6, then 5, then 4 (architecture, *The command line*)."""
        return next((code for code in (6, 5, 4, 3, 2, 1) if self.codes[code]), 0)

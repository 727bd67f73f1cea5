"""How a run ends: its exit code, and the last line, which says what happened in numbers and agrees with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from mesofhir.cli.words import Voice, number

ORDER: Final = (6, 130, 5, 4, 3, 2, 1)
"""Where several exit codes apply, the first (architecture, *The command line*)."""
MEANING: Final = {
    6: "an outcome is unknown and needs a person",
    130: "interrupted",
    5: "the server cannot be reached, or does not let us in",
    4: "some not done",
}
OUTCOMES: Final = (
    "created", "arrived", "changed", "unchanged", "withdrawn", "absent", "found",
    "skipped", "conflict", "blocked", "refused", "unknown",
)  # fmt: skip
NOT_DONE: Final = frozenset({"skipped", "conflict", "blocked", "refused"})


@dataclass(frozen=True)
class Ending:
    """What a push has come to.

    :param total: histories that there were
    :param histories: those that were handled
    :param stopped: those of them that were not done as a whole
    :param counts: resources by what became of them
    :param resumed: histories that an earlier run came past already
    :param planned: it was a dry run: what is counted is what a push would do
    :param codes: exit codes of the histories, and of what ended the run
    """

    total: int
    histories: int
    stopped: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    codes: frozenset[int] = frozenset()
    interrupted: bool = False
    resumed: int = 0
    planned: bool = False

    @property
    def left(self) -> int:
        """Histories that were not tried."""
        return self.total - self.histories

    @property
    def code(self) -> int:
        """The exit code, of the codes and of the numbers."""
        codes = set(self.codes)
        if self.counts.get("unknown"):
            codes.add(6)
        if self.left and self.interrupted:
            codes.add(130)
        if self.stopped or self.left or any(self.counts.get(outcome) for outcome in NOT_DONE):
            codes.add(4)
        return next((code for code in ORDER if code in codes), 0)

    @property
    def line(self) -> str:
        """The last line."""
        tail = f" (exit code {self.code}: {MEANING.get(self.code, 'see above')})" if self.code else ""
        return "; ".join(self._parts()) + tail

    def _parts(self) -> Iterator[str]:
        from mesofhir.sync.report import WOULD

        histories = number(self.total, "history", "histories")
        said = [f"{self.histories - self.stopped - self.resumed} {'looked at' if self.planned else 'done'}"]
        said += [f"{self.resumed} done before"] if self.resumed else []
        said += [f"{self.stopped} stopped"] if self.stopped else []
        said += [f"{self.left} not tried"] if self.left else []
        dry = "a dry run, nothing was sent; " if self.planned else ""
        yield f"{dry}{histories}: {', '.join(said)}"
        known = [o for o in OUTCOMES if self.counts.get(o)]
        known += sorted(o for o, n in self.counts.items() if n and o not in OUTCOMES)
        resources = number(sum(self.counts.values()), "resource")
        words = WOULD if self.planned else {}
        yield f"{resources}: {', '.join(f'{self.counts[o]} {words.get(o, o)}' for o in known) or 'none'}"
        yield number(self.requests, "request")

    def tell(self, voice: Voice) -> int:
        """Say the last line, and give the exit code; who wants quiet hears it only if it is not well."""
        if self.code:
            voice.line(self.line)
        else:
            voice.say(self.line)
        return self.code

"""What probes have shown of a server, as it is remembered: of which server, and from when.

A server that was upgraded may do what it did not, or no more what it did. So what was asked of it holds for
:data:`KEPT`, and as long as the server says the same of itself: software, release, and all that its statement declares
of what we use. (The date of a statement tells nothing: HAPI makes one anew each minute.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mesofhir.server.capability import Capabilities

KEPT: Final = timedelta(days=30)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Probed:
    """Answers to probes.

    :param answers: ``batch``, ``Goal search-type`` → whether the server can
    :param said: the fingerprint of what the server said of itself then
    :param at: when it was asked
    :param forgotten: why earlier answers hold no longer; "" if they do, or there were none
    """

    answers: Mapping[str, bool] = field(default_factory=dict)
    said: str = ""
    at: datetime = _LONG_AGO
    forgotten: str = ""

    @classmethod
    def now(cls, answers: Mapping[str, bool], said: Capabilities) -> Probed:
        """Answers that a server has just given."""
        return cls(dict(answers), said.fingerprint, datetime.now(UTC))

    def still(self, said: Capabilities) -> Probed:
        """These answers, if they hold of the server as it is now; else none."""
        if not self.answers:
            return self
        if self.said != said.fingerprint:
            return Probed(forgotten="the server says something else of itself since")
        if not timedelta(0) <= datetime.now(UTC) - self.at < KEPT:
            return Probed(forgotten=f"that was not in the last {KEPT.days} days")
        return self

    @property
    def told(self) -> str:
        """From when they are, and how long they hold; "" if there are none."""
        if not self.answers:
            return ""
        until = f"{self.at + KEPT:%Y-%m-%d} or until the server says something else of itself"
        return f"asked on {self.at:%Y-%m-%d}, kept until {until}"

    # --- in a file ----------------------------------------------------------------------------------------

    def plain(self) -> dict[str, Any]:
        """As it is kept."""
        return {"said": self.said, "at": self.at.isoformat(timespec="seconds"), "answers": dict(self.answers)}

    @classmethod
    def read(cls, kept: Any) -> Probed:
        """From what was kept; what cannot be read says nothing."""
        try:
            answers = {str(k): v for k, v in kept["answers"].items() if isinstance(v, bool)}
            at = datetime.fromisoformat(kept["at"])
            return cls(answers, str(kept["said"]), at if at.tzinfo else at.replace(tzinfo=UTC))
        except (TypeError, KeyError, ValueError, AttributeError):
            return cls()

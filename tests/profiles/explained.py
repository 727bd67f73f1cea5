"""The warnings that are expected, each with its reason (``warnings.toml``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.profiles.validator import Issue

FILE = Path(__file__).parent / "warnings.toml"


@dataclass(frozen=True)
class Explained:
    """Warnings of one kind.

    :param id: of the message
    :param text: a regular expression for how the words begin
    :param reason: why it is right all the same
    :param place: a regular expression for the element, without the positions in lists
    """

    id: str
    text: str
    reason: str
    place: str = ".*"

    def covers(self, issue: Issue) -> bool:
        here = re.fullmatch(self.id, issue.id) and re.fullmatch(self.place, issue.place)
        return bool(here and re.match(self.text, issue.text))


@cache
def explained() -> tuple[Explained, ...]:
    """What the file says."""
    return tuple(Explained(**one) for one in tomllib.loads(FILE.read_text("utf-8"))["warning"])


def unexplained(issues: Iterable[Issue]) -> list[Issue]:
    """The warnings that are new."""
    return [i for i in issues if i.severity == "warning" and not any(e.covers(i) for e in explained())]

"""What can go wrong, and what the caller should do next.

One root, one class for each reaction, and each class holds the exit code of the command line::

    MesofhirError           1  our bug, or something nobody foresaw
    ├── UsageError          2  change the command or the configuration
    ├── InvalidInput        3  correct the input; nothing was sent
    ├── NotAllDone          4  read the report: some was refused, or needs a decision
    │   └── Refused            the server said no, and would say it again
    ├── Unreachable         5  try later, or look at the network
    │   └── NotAuthorised      look at the credentials
    │       └── NotAllowed     they are good, and this is not among what they allow
    └── UnknownOutcome      6  a write may or may not have happened: a person must look

Messages never quote a value of a patient: they say where it stands, what kind of thing was found and what
kind was expected. Keys of records may be named; they are the clinic's pseudonyms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    :param where: file and position, row or JSON path, such as ``clinic.json: $.cycles[0].start``
    :param what: what was found there, without the value itself
    :param expected: what would have been right
    :param hint: what to do next
    """

    where: str
    what: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.hint:
            text += f" ({self.hint})"
        return text


class MesofhirError(Exception):
    """The root: everything that mesofhir raises on purpose."""

    exit_code = 1


class UsageError(MesofhirError):
    """The command or the configuration cannot be carried out as it stands."""

    exit_code = 2


class InvalidInput(MesofhirError):
    """The input is not what it should be; each problem says where and why. Nothing was sent."""

    exit_code = 3

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems: list[Problem] = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(map(str, self.problems)))


class NotAllDone(MesofhirError):
    """Something was not done; the report says what and why, the rest is done."""

    exit_code = 4


class Refused(NotAllDone):
    """The server answered no, and would answer no again.

    :param status: the HTTP status
    :param issues: what its OperationOutcome says, one line each, free of patient data
    :param codes: the kinds of these issues (``issue.code``)
    """

    def __init__(
        self, message: str, status: int = 0, issues: Sequence[str] = (), codes: Iterable[str] = ()
    ) -> None:
        self.status = status
        self.issues = list(issues)
        self.codes = frozenset(codes)
        super().__init__("\n  ".join([message, *self.issues]))


class Unreachable(MesofhirError):
    """No answer, or none that a FHIR server gives."""

    exit_code = 5


class NotAuthorised(Unreachable):
    """The server does not let us in."""


class NotAllowed(NotAuthorised):
    """The server knows us, and does not let us do this."""


class UnknownOutcome(MesofhirError):
    """A write was sent and its answer was lost: it may have happened."""

    exit_code = 6

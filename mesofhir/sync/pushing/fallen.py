"""What a server does not take as itself, and where it goes instead: a summary, a file, or nowhere; told of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any, Final, NamedTuple

from mesofhir.errors import UsageError
from mesofhir.fhir.exactjson import encode_pretty
from mesofhir.formats.output import Output
from mesofhir.mapping import Link, Made, summaries
from mesofhir.server import identifier_query
from mesofhir.sync.planning.plan import PEOPLE, Plan, Step
from mesofhir.sync.report import Outcome
from mesofhir.sync.sending.writes import referring

OUTCOMES: Final[Mapping[Step, Outcome]] = {Step.DOCUMENT: "document", Step.FILES: "filed", Step.NONE: "untaken"}


class Fall(NamedTuple):
    """Where a resource goes that the server does not take as itself, and why."""

    step: Step
    why: str

    @property
    def outcome(self) -> Outcome:
        return OUTCOMES[self.step]


def fallen(made: Iterable[Made], plan: Plan) -> dict[Link, Fall]:
    """Those of a history that the server does not take as themselves."""
    falls = {m.link: Fall(*plan.step(m.resource)) for m in made if m.link.kind not in PEOPLE}
    return {link: fall for link, fall in falls.items() if not fall.step.itself}


def with_summaries(made: list[Made], falls: Mapping[Link, Fall]) -> list[Made]:
    """A history with the summaries that stand for what fell to them."""
    return [*made, *summaries(made, {link for link, fall in falls.items() if fall.step is Step.DOCUMENT})]


def filed(falls: Mapping[Link, Fall]) -> set[Link]:
    """Those that go into a file."""
    return {link for link, fall in falls.items() if fall.step is Step.FILES}


def file(folder: Path, made: Iterable[Made], wanted: Set[Link], names: Mapping[str, str], ours: Set[str]) -> None:
    """What the server takes in no form, or has refused, as a transaction for an interface engine to load; a file for
    each history, named by the handle of its patient. One that says the same already is not touched.

    :param made: the resources of the history
    :param wanted: those that go into the file
    :param names: our handle → the server's name, of what it did take
    :param ours: all handles of the history
    :raises UsageError: the file cannot be written
    """
    made = list(made)
    inside = [m for m in made if m.link in wanted]
    patient = next(m for m in made if m.link.kind == "Patient")
    if not inside:
        return
    urns = {f"{m.link.kind}/{m.handle}": f"urn:uuid:{m.handle}" for m in inside}
    entries = [_entry(m, {**names, **urns}, ours) for m in inside]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    place, data = folder / f"{patient.handle}.json", encode_pretty(bundle)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.is_file() and place.read_bytes() == data:
            return
    except OSError as error:
        raise UsageError(f"{folder}: nothing can be filed there: {error.strerror}") from None
    with Output() as output:
        output.file(place).write(data)


def _entry(m: Made, names: Mapping[str, str], ours: Set[str]) -> dict[str, Any]:
    condition = identifier_query(m.clinic.system(m.link.table), m.link.key)
    return {
        "fullUrl": f"urn:uuid:{m.handle}",
        "resource": referring(m.resource, names, ours),
        "request": {"method": "POST", "url": m.link.kind, "ifNoneExist": condition},
    }

"""``mesofhir pull --since``: what was touched, merged into what stands at the destination."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mesofhir.cli import places, sources
from mesofhir.cli.pulled import Pulled
from mesofhir.cli.report import Report
from mesofhir.cli.words import MOST, Voice, interruptible, number
from mesofhir.errors import NotAllDone, UsageError

if TYPE_CHECKING:
    from mesofhir.formats import Item, Written
    from mesofhir.mapping import Clinic
    from mesofhir.server import Server
    from mesofhir.sync import Increment

AUTO: Final = "auto"
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_FIRST: Final = timezone(timedelta(hours=14))  # where a day begins first


@dataclass(frozen=True)
class Wishes:
    """What was asked for.

    :param since: ``auto``, a date, or an instant with its zone
    :param format: of the destination
    :param wanted: only these patients
    """

    since: str
    destination: str
    format: str
    wanted: Sequence[str]
    foreign: bool

    def start(self) -> datetime | None:
        """The time from which on; None for ``auto``. A date begins where on Earth it begins first.

        :raises UsageError: it is none, or does not go with the others
        """
        if self.since == AUTO:
            for option, given in (("--patient", self.wanted), ("--foreign", self.foreign)):
                if given:
                    what = "follows all histories of ours, and nothing else"
                    raise UsageError(f"--since auto: {what}; leave {option} out, or say since when")
            return None
        try:
            if m := _DATE.fullmatch(self.since):
                return datetime(int(m[1]), int(m[2] or 1), int(m[3] or 1), tzinfo=_FIRST)
            at = datetime.fromisoformat(self.since)
        except ValueError:
            expected = "auto, a date (2026-03-04) or a time with its zone (2026-03-04T10:30:00+01:00)"
            raise UsageError(f"--since: not a time; expected {expected}") from None
        if at.tzinfo is None:
            raise UsageError("--since: a time without its zone; write it as 2026-03-04T10:30:00+01:00, or a date alone")
        return at.astimezone(UTC)


def memory(server: Server, clinic: Clinic, destination: str) -> Path:
    """The file that remembers what was pulled from a server into a place; beside the ledgers."""
    from mesofhir.sync.ledger.files import folder as ledgers

    where = "\n".join((server.url, clinic.namespace, os.path.realpath(destination)))
    return ledgers().parent / "pulled" / f"{hashlib.blake2b(where.encode(), digest_size=16).hexdigest()}.sqlite"


def run(voice: Voice, report: Report, server: Server, clinic: Clinic, wishes: Wishes) -> int:
    """One incremental pull; its exit code."""
    from mesofhir.formats import Spool, standing
    from mesofhir.sync import Increment, Remembered

    start = wishes.start()
    survey = sources.Survey(voice, report)
    pulled = Pulled(server, clinic, survey, fhir=False)
    with ExitStack() as stack, places.requests_counted() as requests:
        spool = stack.enter_context(Spool())
        old = standing(Path(wishes.destination), wishes.destination, wishes.format, spool)
        seen = None
        if start is None:
            seen = stack.enter_context(Remembered(memory(server, clinic, wishes.destination)))
        increment = Increment(
            server, clinic, old, spool, seen=seen, since=start, patients=wishes.wanted, foreign=wishes.foreign
        )
        server.abilities()  # a wrong URL ends here, and says so
        with interruptible("nothing was written; pull again to go on"):
            done = increment.write(_noted(increment, pulled))
        survey.end()
        _tell(voice, report, survey, increment, wishes)
    survey.tell_places()
    if not (survey.histories or survey.kept or old.is_there):
        pulled.missing.append(pulled.nothing)
    for missing in pulled.missing:
        voice.error(missing)
    _tell_written(voice, done)
    told = increment.told
    read = f"{number(survey.histories, 'history', 'histories')} read again from {number(pulled.mapped, 'resource')}"
    gone = f"{len(told.gone)} gone on the server, {number(len(told.stays), 'record')} of them kept"
    voice.say(f"{read}; {gone}; {survey.kept} kept in no record; {number(requests.count, 'request')}")
    return 0 if survey.valid and not pulled.missing else NotAllDone.exit_code


def _noted(increment: Increment, pulled: Pulled) -> Iterator[Item]:
    """The items as they can be written; a history that cannot is noted, to be read again the next time."""

    def begin(gathered: Callable[[], object]) -> Iterator[Item]:
        increment.pull.gathered = gathered
        return increment.items()

    for item in pulled.told(begin):
        if item.history is None:
            increment.unfit(item.patient)
        yield item


def _tell(voice: Voice, report: Report, survey: sources.Survey, increment: Increment, wishes: Wishes) -> None:
    told = increment.told
    how = "everything was compared" if told.whole else f"since {wishes.since}"
    known = f"{number(told.known, 'history', 'histories')} known; " if told.known else ""
    voice.say(f"{known}{survey.histories} touched ({how})")
    if told.edited:
        voice.warn(
            f"{number(told.edited, 'history', 'histories')} did not stand in {wishes.destination} as the last pull had "
            "left them; they were read again, and what the server says of a field stands there now"
        )
    for name, why in told.gone:
        report.add({"gone": name, "reason": why})
    for patient, table, key in told.stays:
        report.add({"stays": {"table": table, "key": key}, "patient": patient})
    for lines in ([f"{name}: {why}" for name, why in told.gone], [_stay(*s, wishes.destination) for s in told.stays]):
        for line in lines[:MOST]:
            voice.warn(line)
        if len(lines) > MOST:
            voice.warn(f"… and {len(lines) - MOST} more")


def _stay(patient: str, table: str, key: str, destination: str) -> str:
    return f"{table} {key} of patient {patient}: the server does not say it any more; it stays in {destination}"


def _tell_written(voice: Voice, done: Written) -> None:
    for problem in done.warnings:
        voice.warn(str(problem))
    for place in done.files:
        voice.say(f"merged into {place}" if place in done.replaced else f"wrote {place}")
    for place in done.removed:
        voice.say(f"removed {place}: nothing is kept beside the records any more")
    if not done.files and not done.removed:
        voice.say("nothing to change there; nothing was written")

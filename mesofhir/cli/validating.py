"""The second part of ``mesofhir check --server``: the source once more, before the server's own validator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mesofhir.cli import places, sources
from mesofhir.cli.report import Report
from mesofhir.cli.words import MOST, Voice, number

if TYPE_CHECKING:
    from mesofhir.formats import Item
    from mesofhir.mapping import Clinic


def refused(items: Iterable[Item], place: places.Place, clinic: Clinic, voice: Voice, report: Report) -> bool:
    """Does the server refuse any of it? Its errors are told one by one, its warnings by their words.

    :raises ProfilesUnknown: it does not know our profiles
    :raises Refused: it has no ``$validate``
    :raises Unreachable: it does not answer
    """
    from mesofhir.sync.profiles.validating import ServerJudge

    errors, warnings = sources.Told(voice, report), Counter[str]()
    judged = 0
    with place.open(voice.warn) as server:
        judge = ServerJudge(server, clinic)
        with voice.counting("judged by the server") as counter:
            for item in counter.over(items):
                judged += not item.faults
                for problem, is_error in judge.judge(item) if not item.faults else ():
                    if is_error:
                        errors.add([problem])
                    else:
                        warnings[problem.what] += 1
                        report.add({"warning": problem.what, "where": problem.where, "hint": problem.hint})
    errors.end()
    for what, count in warnings.most_common(MOST):
        voice.say(f"warning ({number(count, 'time')}): {what}")
    found = f"{number(errors.count, 'error')}, {number(warnings.total(), 'warning')}"
    voice.say(f"{place.said.url} judged {number(judged, 'history', 'histories')}: {found}")
    return errors.count > 0

"""A change on a server of which nobody says that it heeds ``If-Match``.

``versioned-update`` promises it, ``no-version`` rules it out, and then nothing is changed. ``versioned``, or nothing
said, leaves it open (http://hl7.org/fhir/R4/codesystem-versioning-policy.html), and many a server that says so heeds
it: the header is sent, and what the change took the place of is looked at afterwards, in the history of the resource.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from mesofhir.errors import Refused
from mesofhir.server import Server
from mesofhir.sync.planning.plan import TypePlan
from mesofhir.sync.sending.writes import Sent

MOST: Final = 10
"""How far back our own version is looked for: others may have written since."""


def written_over(server: Server, plan: TypePlan, sent: Sent) -> str:
    """The version that a change took the place of, if it is not the one that was read; "" also where that cannot be
    seen: the server keeps no history, or does not tell the new version."""
    if plan.able.if_match.can is not None or not sent.version or not plan.able["history-instance"]:
        return ""
    try:
        history = server.history(plan.kind, sent.write.id)
        versions = [v.version or "" for v in islice(history, MOST)]
    except Refused:
        return ""
    before = versions[versions.index(sent.version) + 1 :] if sent.version in versions else []
    return before[0] if before and before[0] != sent.write.version else ""

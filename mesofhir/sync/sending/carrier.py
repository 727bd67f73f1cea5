"""Entries to a server in the way that a step of the plan says: one transaction, one batch, or one request each.

Each entry has a result of its own. Nothing is sent again here, but for what a batch put off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesofhir.errors import NotAllowed, UnknownOutcome
from mesofhir.server import EntryResult, Server, TransactionFailed
from mesofhir.sync.planning.plan import Step

Entry = Mapping[str, Any]
Carried = EntryResult | TransactionFailed | UnknownOutcome
"""What became of an entry: done, refused (nothing was done), or sent and not answered."""


def carry(server: Server, step: Step, entries: Sequence[Entry]) -> list[Carried]:
    """Send entries, and account for each.

    :param entries: as in a Bundle: ``fullUrl``, ``resource``, ``request``
    :raises TransactionFailed: nothing was done: a transaction, or a whole batch, was refused
    :raises TooLarge: likewise; send it in parts
    :raises UnknownOutcome: of a bundle: nobody says what was done
    """
    if step is Step.TRANSACTION:
        return [*server.bundle(entries)]
    if step is Step.BATCH:
        return [_of_batch(r) for r in server.bundle(entries, "batch")]
    return [_alone(server, e) for e in entries]


def _of_batch(r: EntryResult) -> Carried:
    if r.ok:
        return r
    said = f"an entry of the batch was answered {r.status}"
    if r.unknown:
        return UnknownOutcome(f"{said}: it may have been done")
    return TransactionFailed(said, r.status, [str(issue) for issue in r.issues], {i.code for i in r.issues})


def _alone(server: Server, entry: Entry) -> Carried:
    request, resource = entry["request"], entry["resource"]
    try:
        if request["method"] == "POST":
            return server.create(resource, if_none_exist=request.get("ifNoneExist"))
        return server.update(resource, version=request["ifMatch"].removeprefix("W/").strip('"'))
    except (TransactionFailed, UnknownOutcome) as why:
        return why
    except NotAllowed as why:  # this one: others may be
        return TransactionFailed(str(why), 403)

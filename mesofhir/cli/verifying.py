"""``push --verify``: what was sent is read back, and what the server made of it is told and remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from mesofhir.cli import places
from mesofhir.cli.words import MOST, Voice, number
from mesofhir.errors import MesofhirError, NotAllDone

if TYPE_CHECKING:
    from mesofhir.server import Server
    from mesofhir.sync.sending.writes import Witness

option: Final = click.option(
    "--verify/--no-verify", default=None,
    help="Read back what was sent, and tell what the server changed or dropped [default: on a server not seen before].",
)  # fmt: skip


class Verifying:
    """The read-back of a push; of nothing, where it is not wanted.

    :param wanted: None: if nothing was read back from this server yet
    """

    def __init__(self, voice: Voice, server: Server, wanted: bool | None) -> None:
        from mesofhir.sync.observing.observed import Observed
        from mesofhir.sync.observing.verify import Verify

        observed = Observed(places.observed())
        self._verify, self._voice = Verify(server, observed), voice
        self._asked_for = wanted is True
        self._code = 0
        self.on = not observed.knows(server.url) if wanted is None else wanted

    @property
    def witness(self) -> Witness:
        """Who is given what is sent."""
        from mesofhir.sync.sending.writes import unwitnessed

        return self._verify.note if self.on else unwitnessed

    def look(self, *, end: bool = False) -> None:
        """Read back what waits, if it is enough. What was sent stays sent where that cannot be read: it is told, and
        no error unless it was asked for."""
        if not self.on:
            return
        try:
            self._verify.look(end=end)
        except MesofhirError as why:
            self._voice.warn(f"what was sent cannot be read back: {why}")
            self.on = False
            self._code = NotAllDone.exit_code if self._asked_for else 0

    def end(self) -> int:
        """Read back the rest, and tell what became of all of it; 4 where anything is not there as it was sent."""
        self.look(end=True)
        v, lost = self._verify, self._verify.lost
        for n, ((path, what), count) in enumerate(lost.items()):
            if n < MOST:
                self._voice.warn(f"the server {what} {path} in {number(count, 'resource')}")
        if len(lost) > MOST:
            self._voice.warn(f"… and {len(lost) - MOST} more; `server check` shows all")
        if v.compared or v.missed:
            told = [f"{len(lost)} changed or dropped", f"{len(v.harmless)} written otherwise, harmlessly"]
            told += [f"{number(v.missed, 'resource')} could not be compared"] if v.missed else []
            self._voice.say(f"read back {number(v.compared, 'resource')}; elements: {', '.join(told)}")
        return NotAllDone.exit_code if lost else self._code

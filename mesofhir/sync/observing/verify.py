"""Reading back what was sent, and comparing it with what is stored (:mod:`.readback`).

What is sent is noted as it goes out; some at a time, or at the end, it is read again: an answer to a write may be an
echo. A resource that somebody else has changed meanwhile tells nothing, and is left out.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.server import Server
from mesofhir.sync.observing.observed import Observed
from mesofhir.sync.observing.readback import HARMLESS, compare, worst
from mesofhir.sync.sending.finder import named

AT_ONCE: Final = 100
"""Resources that are held back until they are read."""
Resource = dict[str, Any]


@dataclass
class Verify:
    """The read-back of one push. Safe to note from several threads.

    :param observed: where it is remembered
    :ivar compared: resources that were read again and compared
    :ivar told: (element, what became of it) → in how many resources; without what was kept
    :ivar missed: resources that could not be compared: not shown, or changed by somebody else meanwhile
    """

    server: Server
    observed: Observed
    compared: int = 0
    missed: int = 0
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    _waiting: dict[str, tuple[Resource, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, name: str, sent: Resource, version: str) -> None:
        """A resource was written; the last time counts.

        :param name: ``Type/id``
        :param sent: as it was sent, its references as the server knows them
        :param version: that it became; "" if the server does not say
        """
        with self._lock:
            self._waiting[name] = (sent, version)

    def look(self, *, end: bool = False) -> None:
        """Read back what waits, if that is enough by now.

        :param end: all of it
        :raises MesofhirError: the server cannot be asked
        """
        with self._lock:
            if not end and len(self._waiting) < AT_ONCE:
                return
            waiting, self._waiting = self._waiting, {}
        kinds: dict[str, list[str]] = {}
        for name in sorted(waiting):
            kinds.setdefault(name.split("/")[0], []).append(name)
        for kind, names in kinds.items():
            ids = [name.split("/")[1] for name in names]
            found = {f"{kind}/{x['id']}": x for x in named(self.server, kind, ids) if "id" in x}
            for name in names:
                self._compare(kind, *waiting[name], found.get(name))

    def _compare(self, kind: str, sent: Resource, version: str, stored: Resource | None) -> None:
        now = str((stored or {}).get("meta", {}).get("versionId", ""))
        if stored is None or (version and now and version != now):
            self.missed += 1
            return
        findings = compare(sent, stored)
        self.observed.add(self.server.url, kind, findings)
        self.compared += 1
        self.told.update((path, what) for path, what in worst(findings).items() if what != "kept")

    @property
    def lost(self) -> dict[tuple[str, str], int]:
        """What was changed or dropped, and in how many resources."""
        return {k: n for k, n in sorted(self.told.items()) if k[1] not in HARMLESS}

    @property
    def harmless(self) -> dict[tuple[str, str], int]:
        """What was only written otherwise."""
        return {k: n for k, n in sorted(self.told.items()) if k[1] in HARMLESS}

"""Incremental pull: only the histories that were touched are read again, whole, and merged into what stands there.

``auto`` goes by what the last pull into the same destination has seen (:mod:`.remembered`); a given time goes by what
each resource says of itself (``meta.lastUpdated``), and reads all of ours to see it.

What was deleted on the server is told, and stays at the destination: a server deletes nothing of the clinic's records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mesofhir.errors import Refused
from mesofhir.formats import Item, Merge, Spool, Standing, Written
from mesofhir.mapping import Clinic
from mesofhir.records import TABLES, TreatmentHistory, flatten, nest
from mesofhir.records.tables import SHARED
from mesofhir.server import Server
from mesofhir.sync.pulling.changed import Changed, Gone
from mesofhir.sync.pulling.pull import Pull
from mesofhir.sync.pulling.remembered import Remembered, moment

OVERLAP: Final = timedelta(days=1)
"""How late what is written may show up: longer than any transaction or index takes, than clocks of one server differ,
and than one is set back. What comes again is known by what it says, and costs its transfer."""
THOROUGH: Final = timedelta(days=7)
"""After that long all is compared again, by what it says: for what came later still, or was changed unseen."""
MICRO: Final = timedelta(microseconds=1)
Record = tuple[str, str]


@dataclass
class Told:
    """What an incremental pull has found; no patient data but the clinic's keys.

    :param whole: everything was compared, not only what has changed since the last time
    :param known: histories that were known before
    :param touched: histories that were read again
    :param gone: resources that are not there any more
    :param stays: records that stay at the destination although the server has them no more: (patient, table, key)
    :param edited: histories that did not stand at the destination as the last pull had left them
    """

    whole: bool = False
    known: int = 0
    touched: int = 0
    gone: list[Gone] = field(default_factory=list)
    stays: list[tuple[str, str, str]] = field(default_factory=list)
    edited: int = 0


class Increment:
    """One incremental pull into a destination.

    :param old: what stands there
    :param seen: what the last one has seen; None for a pull from a given time
    :param since: the given time
    :param patients: from a given time: only these, as :func:`~mesofhir.sync.pulling.pull.iter_pull` takes them
    :param foreign: from a given time: also what is not ours
    """

    def __init__(
        self,
        server: Server,
        clinic: Clinic,
        old: Standing,
        spool: Spool,
        *,
        seen: Remembered | None = None,
        since: datetime | None = None,
        patients: Collection[str] = (),
        foreign: bool = False,
    ) -> None:
        self.server, self.clinic, self.old, self.seen, self.since = server, clinic, old, seen, since
        self.patients, self.foreign = patients, foreign
        self.pull = Pull(server, clinic, spool)
        self.merge = Merge(old, clinic, spool)
        self.told = Told()
        self._partial: set[str] = set()  # keys of histories that could not be read as a whole
        self._owners: set[str] = set()  # whose histories are read again
        self._whole = False  # all of them

    def items(self) -> Iterator[Item]:
        """The histories that were touched.

        :raises InvalidInput: what stands at the destination cannot be merged into
        """
        found: Iterable[Item]
        if self.seen is None:
            found = filter(self._is_new, self.pull.run(set(self.patients), self.foreign))
        else:
            found = self._changed(self.seen)
        for item in found:
            self.told.touched += item.history is not None
            yield self._with_what_stays(item)

    def unfit(self, patient: str) -> None:
        """The history of a patient (the clinic's key) cannot be used as it is: it is read again the next time."""
        self._partial.add(patient)

    def write(self, items: Iterator[Item]) -> Written:
        """Merge items, and then remember what was seen. A process that is killed in between reads them again.

        :param items: those of :meth:`items`, as they are to be written
        """
        written = self.merge.write(items)
        if self.seen is not None:
            self._remember(self.seen)
        return written

    # --- from a given time --------------------------------------------------------------------------------

    def _is_new(self, item: Item) -> bool:
        """Says anything that an item was read from that it is of that time or later? What says nothing may be."""
        assert self.since is not None  # noqa: S101
        start = _micro(self.since)
        resources = [*item.sources.values(), *(k.resource for k in item.kept)]
        times = [moment(x.get("meta", {}).get("lastUpdated")) for x in resources]
        return any(t is None or t >= start for t in times)

    # --- since the last time ------------------------------------------------------------------------------

    def _changed(self, seen: Remembered) -> Iterator[Item]:
        now = self._now()
        self.told.known = len(seen.owners())
        if not self.old.is_there or seen.said("watermark") is None:
            self.told.whole = True
            yield from self._all(seen, now)
            return
        full = seen.said("full")
        back = now < seen.said("watermark") - OVERLAP // MICRO  # the server's clock was set back by more than that
        self.told.whole = back or full is None or now - full > THOROUGH // MICRO
        looked = Changed(
            self.server, self.clinic, self.pull.finder, seen, lambda x: self.pull.take([x]), self.pull.subject
        )
        try:
            looked.look(None if self.told.whole else seen.said("watermark") - OVERLAP // MICRO)
        except Refused:
            if not self.pull.finder.refused:
                raise
            self.told.whole = True
            yield from self._all(seen, now)
            return
        self.told.gone = sorted(looked.gone.values())
        self._owners = looked.touched | set(seen.owners(again=True)) | self._edited(seen)
        self._say_when(seen, now)
        names = looked.names | {n for owner in self._owners for n in seen.names_of(owner)} - looked.gone.keys()
        subjects = [o for o in self._owners if o.startswith("Patient/")]
        yield from self.pull.again(self._is_touched, subjects, sorted(names))

    def _now(self) -> int:
        """What time it is for the server: by its ``Date``, which may be a proxy's, and by the stamp of a search (both
        HAPI and sekmet have it), which is of the clock that stamps resources; the earlier of the two."""
        search = self.server.search("Patient", [("_id", "0")])
        with suppress(Refused):
            next(search, None)
        date = _micro(self.server.clock or datetime.now(UTC))
        stamp = moment(search.stamp)
        return min(date, stamp) if stamp is not None else date

    def _is_touched(self, subject: str) -> bool:
        assert self.seen is not None  # noqa: S101
        return self._whole or self.seen.owner(subject) in self._owners

    def _all(self, seen: Remembered, now: int) -> Iterator[Item]:
        self.told.whole = self._whole = True
        self._owners = set(seen.owners())
        self._say_when(seen, now)
        yield from self.pull.run()

    def _say_when(self, seen: Remembered, now: int) -> None:
        """Where the next one begins: at the time of the server when this one began."""
        seen.say("watermark", now)
        if self.told.whole:
            seen.say("full", now)

    def _edited(self, seen: Remembered) -> set[str]:
        """The owners whose histories do not stand there as they were left: taken from a backup, or edited."""
        if self.old.fingerprint() == seen.said("fingerprint"):
            return set()
        self.old.load()
        there = dict(self.old.patients())
        owners = set()
        for key, digest in there.items():
            owner = seen.owner_of(key)
            if owner is not None and seen.written(key) != digest:
                owners.add(owner)
        known = {seen.owner_of(key) for key in there}
        missing = {o for o in seen.owners() if o.startswith("Patient/") and o not in known and seen.wrote(o)}
        self.told.edited = len(owners | missing)
        return owners | missing

    def _remember(self, seen: Remembered) -> None:
        for owner in self._owners:
            seen.forget(owner)
        owned = set()
        for subject, key in self.pull.histories():
            if not self._is_touched(subject):
                continue
            owner = seen.owner(subject)
            if owner not in owned:
                seen.own(owner, key, again=key in self._partial)
                owned.add(owner)
            for x in self.pull.resources(subject):
                link = self.clinic.link_of(x)
                ours = link is not None and x["resourceType"] != "Practitioner"
                seen.see(owner, x, link[1:] if link and ours else None)
        for key, digest in self.merge.new.patients():
            seen.write(key, digest)
        seen.say("fingerprint", self.old.fingerprint())
        seen.commit()

    # --- what stays ---------------------------------------------------------------------------------------

    def _with_what_stays(self, item: Item) -> Item:
        """A history, and with it the records that stand at the destination and that the server does not say any more,
        unless they stand with another patient now."""
        old = self.old.history(item.history.key) if item.history is not None and self.old.is_there else None
        if old is None or item.history is None:
            return item
        united, stays = _united(old, item.history, self.pull.whose)
        if stays:
            self.told.stays += [(item.history.key, *record) for record in stays]
            self.merge.records |= set(stays)
            return replace(item, history=united)
        return item


def _united(
    old: TreatmentHistory, new: TreatmentHistory, whose: Callable[[str, str], str | None]
) -> tuple[TreatmentHistory, list[Record]]:
    """The new history, with the records of the old one that it does not have and that are nobody else's.

    :param whose: the key of the patient in whose resources a record stands now; None if in nobody's
    :returns: the history, and these records
    """
    rows: dict[str, dict[str, dict[str, Any]]] = {table: {} for table in TABLES}
    for table, row in flatten(new):
        rows[table][row["key"]] = row
    stays = []
    for table, row in flatten(old):
        key, above = row["key"], TABLES[table].parent
        if table == SHARED:
            rows[table].setdefault(key, row)  # nest takes those who are named
        elif key in rows[table] or whose(table, key) not in (None, "", new.key):
            continue
        elif "of" not in row or row["of"] in rows[above]:
            rows[table][key] = row
            stays.append((table, key))
    histories, _ = nest(rows)
    return histories[0], stays


def _micro(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // MICRO

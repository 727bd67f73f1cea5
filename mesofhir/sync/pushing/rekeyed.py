"""Records that go by another key now: the clinic corrected it, and what stands on the server is to go by it too.

A key is the identity of a record, so a new key looks like a new record, and the old one like one that the clinic
states no more: pushed as that, the same would stand there twice. The ledger knows better. A record that it does not
know and that says, value by value, what a record of this patient said that is not stated any more, with the same
references, is suspected to be that one; a person then says whether it is (``--rekeyed``, ``--not-rekeyed``). The
resource keeps its id and its history; our identifier in it gets the new key, and the old one goes into a system of
its own, with ``use: old``.

The ledger holds no keys, only hashes of them, and that is enough: whatever identifier of ours stands on the server
and has such a hash is the old key. The old entries stay until all is done, so that a run that was cut off goes on.

Source: architecture, rule 4 (identity is the clinic's).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesofhir.errors import NotAllDone
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.saying import ABSENT, said
from mesofhir.records import TABLES
from mesofhir.sync.deciding.change import former
from mesofhir.sync.deciding.decision import LIKE, Decision
from mesofhir.sync.deciding.merge import UNSETTLED, Tokens
from mesofhir.sync.ledger.ledger import OPEN, Entry, Ledger
from mesofhir.sync.planning.plan import PEOPLE
from mesofhir.sync.pushing.exchange import Exchange
from mesofhir.sync.pushing.notes import listed
from mesofhir.sync.sending.writes import Contended, Write, few, told, version_of

Resource = dict[str, Any]
Name = tuple[str, str]
"""How the ledger calls a resource: the hash of its record, its type."""
Likeness = frozenset[tuple[str, str]]
"""What a record says by type, whatever its key."""


class Rekeyed(NotAllDone):
    """The key of a record seems to have changed, and nobody said that it did."""


@dataclass
class Keys:
    """The keys of now, for resources that still carry those of before.

    :ivar now: hash of a record under its old key → its key of now
    :ivar old: what the ledger still knows under the old keys
    """

    clinic: Clinic
    ledger: Ledger
    now: dict[str, str] = field(default_factory=dict)
    old: set[Name] = field(default_factory=set)

    def over(self, x: Resource) -> Resource:
        """A resource with the keys of now; in its own identifiers the old one stays, as an old one."""
        if not self.now:
            return x
        kind = str(x.get("resourceType"))
        own = x.get("identifier") if kind not in PEOPLE else None
        befores = [
            former(i, self.clinic, link)
            for i in own or ()
            if (link := self.clinic.link(kind, i)) and self._new(link) is not None
        ]
        out: Resource = self._over(x)
        return out | {"identifier": [*out["identifier"], *befores]} if befores else out

    def _over(self, x: Any) -> Any:
        if isinstance(x, list):
            return [self._over(y) for y in x]
        if not isinstance(x, dict):
            return x
        out = {k: self._over(v) if isinstance(v, dict | list) else v for k, v in x.items()}
        if (link := self.clinic.link("", x)) and (key := self._new(link)) is not None:
            out["value"] = key
        return out

    def _new(self, link: Link) -> str | None:
        return self.now.get(self.ledger.record(link.table, link.key))


@dataclass(frozen=True)
class Before:
    """The patient of whom the ledger knows the records of a history.

    :param id: the server's
    :param known: what it knows of the history
    :param whole: is it most of what it knows of them? Then it is they, under another key; else a part of it moved
    """

    id: str
    known: tuple[Link, ...]
    whole: bool


def patient_before(ledger: Ledger, made: Sequence[Made]) -> Before | None:
    """Whose a history was; None if the ledger knows its patient, or nothing of it.

    A patient who was to get the new key when a run was cut off may be there under the old one.
    """
    patient = next(m.link for m in made if m.link.kind == "Patient")
    if e := ledger.known([patient]).get(patient):
        return Before(e.id, (patient,), whole=True) if e.state in OPEN and e.id else None
    entries = ledger.known(m.link for m in made if m.link.kind not in PEOPLE)
    known = {link: e.patient for link, e in entries.items() if e.id}
    patients = set(known.values())
    if len(patients) != 1:
        return None
    rows = ledger.of(patients.pop())
    mine = {ledger.record(m.link.table, m.link.key) for m in made}
    records = {record for record, kind in rows if kind not in PEOPLE}
    whole = len(records & mine) > len(records - mine)
    return next((Before(e.id, tuple(known), whole) for (_, kind), e in rows.items() if kind == "Patient"), None)


def keys(exchange: Exchange, items: Sequence[Made], rekeyed: bool | None) -> Keys:
    """The keys that changed, as far as somebody said that they did; what the ledger knows, it knows by the new ones
    from now on.

    :param rekeyed: did keys change? None: nobody said
    :raises Rekeyed: a key seems to have changed, and nobody said anything
    """
    journal, ledger = exchange.journal, exchange.ledger
    out = Keys(exchange.clinic, ledger)
    before, stated = _people(exchange, items, out, rekeyed)
    mine = {ledger.record(m.link.table, m.link.key) for m in exchange.made}
    known = {name: e for patient in (journal.whose, *before) for name, e in ledger.of(patient, but=mine).items()}
    rows = {name: e for name, e in known.items() if name[1] not in PEOPLE}
    places = {(link.kind, e.id): link for link, e in journal.entries.items() if e.id}
    for (record, kind), e in rows.items():
        if link := places.get((kind, e.id)):  # a run that was cut off had come so far
            out.now[record] = link.key
    if rekeyed is not False:
        _records(exchange, items, out, {n: e for n, e in rows.items() if n[0] not in out.now}, rekeyed)
    out.old |= {name for name in rows if name[0] in out.now}
    # last: what a record said under the other key of the patient is compared as that one's
    for patient in stated | {rows[name].patient for name in out.old & rows.keys()} - {journal.whose}:
        journal.adopt(patient)
        before.discard(patient)
    left = {
        f"{kind}/{e.id}"
        for (record, kind), e in rows.items()
        if record not in out.now and e.id and e.stands and e.patient not in before
    }
    if left:
        why = "left as it is (a record is withdrawn by its status, entered-in-error)"
        exchange.notes.remark(exchange.notes.patient, "unstated", f"stated no more: {few(sorted(left))}; {why}")
    return out


# --- people -------------------------------------------------------------------------------------------------


def _people(
    exchange: Exchange, items: Sequence[Made], out: Keys, rekeyed: bool | None
) -> tuple[set[str], set[str]]:
    """A person whom the ledger knows under another key is the same on the server.

    :returns: other keys of the patient, as the ledger calls them: one that the clinic corrected together with those of
        all records, or one under which it knows the person as well; and those of them whose records are stated
    :raises Rekeyed: the key of the patient changed, and nobody said so
    """
    journal, ledger, before = exchange.journal, exchange.ledger, set[str]()
    for link, e in exchange.persons.items():
        for record in ledger.records_of(link.kind, e.id) - {ledger.record(link.table, link.key)}:
            out.now[record] = link.key
            if link.kind == "Patient":  # a practitioner is of other histories too, that still have the old key there
                before.add(record)
                out.old.add((record, link.kind))
    others = {link: e for link, e in journal.entries.items() if e.patient in out.now and e.patient != journal.whose}
    theirs = [m.link for m in items if m.link in others and others[m.link].id]
    if theirs and not rekeyed:
        for link in theirs:
            exchange.notes.note(link, "blocked")
        raise Rekeyed(
            f"{listed(theirs)}: pushed before under another key of the same patient ({exchange.notes.subject}); "
            "nothing of it was changed. If the patient's key was corrected, push with --rekeyed"
        )
    if rekeyed:  # first of all: cut off after it, the patient is found by the new key
        _patient(exchange, out)
    return before, {others[link].patient for link in theirs}


def _patient(exchange: Exchange, out: Keys) -> None:
    """A patient whom we made carries our key, and gets the new one.

    :raises Rekeyed: the server takes no changes of patients
    :raises Contended: somebody else changed the patient meanwhile
    """
    link = exchange.notes.patient
    x = exchange.people.of(link)
    if x is None or (new := out.over(x)) == x:
        return
    if not (update := exchange.plan.of(link.kind).update):
        why = f"the server takes no changes of a Patient ({update.by}), so {link.kind}/{x['id']} cannot get the new key"
        raise Rekeyed(f"{told(link)}: {why}; keep the old one")
    write = Write(link, "update", new, id=str(x["id"]), version=version_of(x))
    exchange.notes.remark(link, "rekeyed", "goes by another key now")
    if not exchange.apply([Decision(link, "changed", write, {}, ("key",))]):
        raise Contended(f"{told(link)}: others changed it meanwhile; push again")


# --- records ------------------------------------------------------------------------------------------------


def _records(
    exchange: Exchange, items: Sequence[Made], out: Keys, rows: Mapping[Name, Entry], rekeyed: bool | None
) -> None:
    """Records that say what others said.

    :param rows: what the ledger knows of records that are not stated any more
    :raises Rekeyed: there are some, and nobody said that their keys changed
    """
    gone: dict[str, dict[str, Entry]] = {}
    for (record, kind), e in rows.items():
        if e.method != "withdraw":
            gone.setdefault(record, {})[kind] = e
    found: dict[Link, Link] = {}
    for made, record, was in _pairs(exchange, items, out, gone):
        found |= was
        if rekeyed:
            _adopt(exchange, made, was, gone[record])
    if found and rekeyed is None:
        for link in found:
            exchange.notes.note(link, "blocked")
        link, old = next(iter(found.items()))
        other = exchange.journal.whose not in {e.patient for entries in gone.values() for e in entries.values()}
        where = "which stands under another key of the same patient" if other else "which is stated no more"
        raise Rekeyed(
            f"{listed(list(found))}: the same as {told(old)} was, {where}; nothing was changed. If "
            "keys were corrected, push with --rekeyed; if these are others, with --not-rekeyed"
        )


def _pairs(
    exchange: Exchange, items: Sequence[Made], out: Keys, gone: Mapping[str, Mapping[str, Entry]]
) -> Iterator[tuple[list[Made], str, dict[Link, Link]]]:
    """Each new record with the one that it was, as long as another one is known by what it refers to.

    :param gone: of records that are not stated any more: hash → type → what is known
    """
    alike: dict[Likeness, list[str]] = {}
    for record, entries in gone.items():
        if all(e.id and e.stands and LIKE in (e.base or {}) for e in entries.values()):
            alike.setdefault(_likeness({kind: e.base or {} for kind, e in entries.items()}), []).append(record)
    waiting = _new(exchange, items) if alike else []
    patients = ["", *_former(exchange, gone)] if alike else []
    before = len(waiting) + 1
    while len(waiting) < before:
        before = len(waiting)
        for made in list(waiting):
            said_so = (_likeness({m.link.kind: exchange.judge.likeness(m, p) for m in made}) for p in patients)
            same = next((alike[likeness] for likeness in said_so if alike.get(likeness)), [])
            for record in same:
                if was := _was(exchange, made, out, record, gone[record]):
                    same.remove(record)
                    waiting.remove(made)
                    out.now[record] = made[0].link.key
                    yield made, record, was
                    break


def _new(exchange: Exchange, items: Sequence[Made]) -> list[list[Made]]:
    """The records of which the ledger knows nothing."""
    records: dict[tuple[str, str], list[Made]] = {}
    for m in items:
        records.setdefault((m.link.table, m.link.key), []).append(m)
    return [made for made in records.values() if not any(m.link in exchange.journal.entries for m in made)]


def _former(exchange: Exchange, gone: Mapping[str, Mapping[str, Entry]]) -> Iterator[str]:
    """Other keys of the patient, as what was pushed under them still says."""
    others = {e.patient: (kind, e.id) for entries in gone.values() for kind, e in entries.items() if e.id and e.stands}
    for patient, (kind, logical) in others.items():
        if patient != exchange.journal.whose:
            links = (exchange.clinic.link("", i) for x in exchange.finder.named(kind, [logical]) for i in _objects(x))
            yield from {ln.key for ln in links if ln and exchange.ledger.record(ln.table, ln.key) == patient}


def _objects(x: Any) -> Iterator[Resource]:
    """All that stands in a resource, identifiers among it."""
    if isinstance(x, dict):
        yield x
    for each in x.values() if isinstance(x, dict) else x if isinstance(x, list) else ():
        yield from _objects(each)


def _was(
    exchange: Exchange, made: Sequence[Made], out: Keys, record: str, entries: Mapping[str, Entry]
) -> dict[Link, Link] | None:
    """What a record was called before, if it is the one that the ledger means: it stands on the server, carries the
    old key, and refers to the same. None if it is not."""
    was = {}
    tried = Keys(out.clinic, out.ledger, {**out.now, record: made[0].link.key})
    for m in made:
        x = exchange.journal.current(m.link, entries[m.link.kind].id)
        old = exchange.clinic.link_of(x) if x else None
        if x is None or old is None or exchange.ledger.record(old.table, old.key) != record:
            return None
        found = said(tried.over(x), m.forms, m.world)
        named = TABLES[m.link.table].references & m.stated.keys()
        if found is None or not all(_held(m.stated[n], found.values.get(n, ABSENT)) for n in named):
            return None
        was[m.link] = old
    return was


def _adopt(
    exchange: Exchange, made: Sequence[Made], was: Mapping[Link, Link], entries: Mapping[str, Entry]
) -> None:
    """What the ledger knew under the old key, it knows under the new one."""
    now = {}
    for m in made:
        link, old, e = m.link, was[m.link], entries[m.link.kind]
        then, tokens = exchange.ledger.tokens(old, m.stated), exchange.ledger.tokens(link, m.stated)
        before, moved = e.base or {}, TABLES[link.table].references
        base = {n: t if n in moved or before.get(n) == then[n] else UNSETTLED for n, t in tokens.items()}
        now[link] = Entry(e.state, e.id, e.version, exchange.journal.whose, base)
        exchange.notes.remark(link, "rekeyed", f"was {old.table} {old.key}: {link.kind}/{e.id} goes by the new key")
    exchange.journal.remember(now)


def _likeness(of: Mapping[str, Tokens]) -> Likeness:
    return frozenset((kind, str(tokens[LIKE])) for kind, tokens in of.items())


def _held(ours: Any, theirs: Any) -> bool:
    """Does what stands there refer to all that we refer to?"""
    if isinstance(ours, dict):
        return isinstance(theirs, dict) and ours.items() <= theirs.items()
    return bool(ours == theirs)

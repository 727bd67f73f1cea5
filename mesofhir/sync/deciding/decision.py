"""What is to become of one resource, given what the record states, what both sides said last, and what the server
holds. No requests are made here: a dry run and a push decide by the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from mesofhir.fhir.picture import changes, unaccounted
from mesofhir.fhir.references import completed, without
from mesofhir.fhir.withdrawal import is_withdrawn
from mesofhir.mapping import Clinic, Link, Made
from mesofhir.mapping.clinic import World, tail
from mesofhir.mapping.saying import ABSENT, Proof, Said, Values, canonical, items, lists_of, proven, said, signed
from mesofhir.mapping.shapes import shapes_of
from mesofhir.mapping.writing import Overlay
from mesofhir.sync.deciding.change import is_taken_back, said_again
from mesofhir.sync.deciding.merge import UNSETTLED, Merge, Tokens, Verdict, agreed, merge
from mesofhir.sync.report import Outcome, Remark
from mesofhir.sync.sending.writes import Write, referring, version_of

MADE: Final = "#made"
"""Beside the values of a base: all that we would write. What follows from another record changes it, and no value."""
LIKE: Final = "#like"
"""Beside them too: what the record states whatever its key, hashed for its patient; so a corrected key is noticed."""
NOW: Final = "#now"
"""Beside the values of what a record was before: what the record states by now, and that it was looked at since."""
MARKS: Final = frozenset({MADE, LIKE, NOW})
"""What stands in a base and is no value."""
_ENVELOPE: Final = frozenset({"id", "meta", "text"})
Resource = dict[str, Any]
Hashes = Callable[[Link, Values], dict[str, Any]]
"""Values as the ledger remembers them."""


@dataclass(frozen=True)
class Decision:
    """What is to become of a resource.

    :param write: what is to be sent, if anything
    :param base: what the ledger is to remember once that is done
    :param fields: the values that go
    :param remarks: what a person should see
    :param baseless: there is a conflict, since nobody knows what both sides said last there
    """

    link: Link
    outcome: Outcome
    write: Write | None = None
    base: Tokens | None = None
    fields: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    baseless: bool = False


@dataclass
class Judge:
    """Decides for the resources of one history.

    :param hashes: turns values into what the base holds
    :param side: who is right in a conflict; None: a person must say
    :param names: our handle → the server's name
    :param ours: all our handles
    :ivar keys: a resource of the server with the keys of now (:mod:`mesofhir.sync.pushing.rekeyed`)
    """

    clinic: Clinic
    hashes: Hashes
    side: Verdict | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    ours: Set[str] = frozenset()
    keys: Callable[[Resource], Resource] = lambda x: x

    def decide(self, m: Made, theirs: Resource, base: Tokens | None, gone: Set[str] = frozenset()) -> Decision:
        """What is to become of a resource that the server holds.

        :param base: None: not known
        :param gone: what is not referred to any more (``Type/id``)
        """
        try:
            return self._decided(m, theirs, base, gone)
        except (TypeError, ValueError, KeyError, AttributeError):  # a text where an object belongs, say
            return blocked(m.link, "is not shaped as FHIR asks", base)

    def known(self, m: Made) -> dict[str, Any]:
        """What the ledger is to hold when the server says all that we state."""
        return self.hashes(m.link, m.stated) | self._marks(m)

    def likeness(self, m: Made, patient: str = "") -> dict[str, Any]:
        """What the record states whatever its key, as the ledger holds it.

        :param patient: another key of the patient
        """
        whose = Link(m.link.kind, m.link.table, patient or str(m.row.get("patient", "")))
        return self.hashes(whose, {LIKE: m.likeness})

    def _marks(self, m: Made) -> dict[str, Any]:
        return self.hashes(m.link, {MADE: m.fingerprint}) | self.likeness(m)

    def seen(self, m: Made, link: Link) -> dict[str, Any]:
        """What the ledger is to hold of a resource that a record was, once it was looked at.

        :param m: any resource of the record
        """
        return self.hashes(link, {NOW: canonical(m.row)})

    def proof(self, m: Made, versions: Iterable[Resource]) -> Tokens | None:
        """What both sides said last, as far as versions of the resource prove it.

        :param versions: newest first; no more are read than are needed
        """
        base: dict[str, Any] = {}
        newer: list[Proof] = []
        for x in versions:
            proof = proven(x, self._said(m, x), m.link)
            if proof is None:
                continue
            tokens = self.hashes(m.link, proof.values)
            base |= {name: t for name, t in tokens.items() if not any(p.covers(name) for p in newer)}
            newer.append(proof)
            if all(any(p.covers(name) for p in newer) for name in m.stated):
                return base
        unseen = [name for name in m.stated if not any(p.covers(name) for p in newer)]
        return base | dict.fromkeys(unseen, UNSETTLED) if newer else None

    def _said(self, m: Made, x: Mapping[str, Any]) -> Said | None:
        return said(x, m.forms, m.world)

    def _decided(self, m: Made, x: Resource, base: Tokens | None, gone: Set[str]) -> Decision:
        ours = self.hashes(m.link, _claimed(m))
        if self._literally(m, x):
            return Decision(m.link, "unchanged", base={**(base or {}), **self.known(m)})
        then = self.keys(said_again(x, self.clinic) if is_taken_back(x) else x)
        whole, then = then, without(then, partial(self.leads_to, gone)) if gone else then
        then, alone = completed(then, self._name), then
        if self.clinic.link_of(then) != m.link:
            return blocked(m.link, "no longer carries our identifier", base)
        found = self._said(m, then)
        if found is None:
            return blocked(m.link, "stands on the server in a form that is not ours", base)
        if is_withdrawn(then) and "status" not in m.row:
            why = "is marked entered-in-error on the server, and the record does not state its status"
            return blocked(m.link, f"{why} (null and --ours put it in force again)", base)
        theirs = self.hashes(m.link, found.values)
        if is_taken_back(x):  # what our own withdrawal took away, nobody else did
            before = base if base is not None else dict.fromkeys(theirs, UNSETTLED)
            base = {name: t for name, t in before.items() if name in theirs}
        elif base and gone and (stood := self._said(m, whole)):  # nor what does not refer any more to what it was
            base = {name: t for name, t in base.items() if stood.values.get(name) == found.values.get(name)}
        merged = merge(ours, base, theirs, found.unclear)
        merged = _computed(merged)
        conflicts = merged.of(Verdict.CONFLICT)
        baseless = any(base is None or base.get(name) == UNSETTLED for name in conflicts)
        if self.side is not None:
            merged = merged.decided(self.side)
        overlay = _overlay(m, found, merged, self.hashes, gentle=self.side is not Verdict.OURS)
        new, doubts = m.put(then, overlay)
        sent = referring(new, self.names, self.ours)
        if is_withdrawn(then) and then == x and not merged.of(Verdict.OURS):
            sent = x  # what goes with a withdrawal (a clinicalStatus has no place beside it) is for who withdrew it
        replaced = set(changes(x, sent))
        left = [(path, why) for path, why in doubts if path not in replaced]
        final = said(sent, [overlay.shape], m.world)
        merged = _undone(m, merged, final)
        remarks = [*self._told(m, found, merged, conflicts), *_more(m, final)]
        remarks += _gone_along(m, found, then, {*changes(then, sent)})
        remarks += [Remark(m.link, "left", why, path) for path, why in left]
        if then != alone:
            remarks.append(Remark(m.link, "linked", "referred by identifier alone to what is on the server by now"))
        after = {n: t for n, t in agreed(ours, base, merged).items() if n[0] != "@" or n in ours}
        after |= self._marks(m)
        if sent == x:
            outcome: Outcome = "conflict" if merged.of(Verdict.CONFLICT) else "blocked" if left else "unchanged"
            return Decision(m.link, outcome, None, after, (), tuple(remarks), baseless)
        if not version_of(x):
            return blocked(m.link, "the server tells no version of it, so it cannot be changed safely", base)
        if final is not None:
            held = {*MARKS, *overlay.shape.picture.fields, *(f"={name}" for name in overlay.shape.picture.copies)}
            after = {name: t for name, t in after.items() if name in held}  # of this form of it, not of a former one
            standing = self.hashes(m.link, final.values)
            same = [n for n in {**final.values, **m.stated} if _owned(n, m.stated, final.values, after, standing)]
            new = signed(new, final, m.link, same, m.stated)
        write = Write(m.link, "update", new, id=str(x["id"]), version=version_of(x))
        fields = tuple(name.lstrip("=") for name in merged.of(Verdict.OURS))
        return Decision(m.link, "changed", write, after, fields, tuple(remarks), baseless)

    def withdrawal(
        self, link: Link, x: Resource, base: Tokens | None, make: Callable[[Resource], Resource]
    ) -> Decision:
        """A resource that is taken back.

        :param make: what is to stand in its place
        """
        if not version_of(x):
            return blocked(link, "the server tells no version of it, so it cannot be changed safely", base)
        new = make(x)
        write = Write(link, "update", new, id=str(x["id"]), version=version_of(x))
        return Decision(link, "withdrawn", write, self._left_by(link, x, new, base))

    def _left_by(self, link: Link, x: Resource, new: Resource, base: Tokens | None) -> Tokens | None:
        """What of a base a withdrawal does not touch: some values, and not all that we would write."""
        shapes, world = shapes_of(self.clinic).get((link.kind, link.table), []), World(self.clinic.namespace)
        before, then = said(x, shapes, world), said(new, shapes, world)
        if base is None or before is None or then is None:
            return None if base is None else {}
        stay = {n: t for n, t in base.items() if n not in MARKS}
        return {n: t for n, t in stay.items() if before.values.get(n, ABSENT) == then.values.get(n, ABSENT)}

    def _told(self, m: Made, found: Said, merged: Merge, conflicts: list[str]) -> Iterable[Remark]:
        """What stays, what is in conflict, and what a person decided to overwrite."""
        for name, v in sorted(merged.verdicts.items()):
            field, path = name.lstrip("=@"), found.places.get(name) or found.unclear.get(name, "")
            if v is Verdict.CONFLICT:
                why = f"`{field}` says something else on the server than here, and was changed on both sides"
                if name not in conflicts:
                    why = f"`{field}` could not be written over what stands there"
                elif name in found.unclear:
                    why = f"`{field}` cannot be read on the server, and was changed here"
                yield Remark(m.link, "conflict", f"{why}: left alone (--ours or --theirs decides)", path)
            elif v is Verdict.THEIRS:
                yield Remark(m.link, "kept", f"`{field}` was changed on the server: theirs stays", path)
            elif v is Verdict.OURS and name in conflicts:
                yield Remark(m.link, "replaced", f"`{field}`: the clinic's took the place of theirs (--ours)", path)

    def _name(self, kind: str, identifier: Resource) -> str | None:
        """What the server calls a resource of ours."""
        link = self.clinic.link(kind, identifier)
        return None if link is None else self.names.get(f"{kind}/{self.clinic.handle(link)}")

    def leads_to(self, gone: Set[str], reference: Resource) -> bool:
        """Is it a reference of ours to one of these?"""
        ours = self.clinic.link("", reference.get("identifier")) is not None
        return ours and tail(reference["reference"]) in gone

    def _literally(self, m: Made, x: Resource) -> bool:
        """Is it, to the letter, what we would create? Most are, and this is quick."""
        ours = referring(m.resource, self.names, self.ours)
        meta = {**x.get("meta", {}), "source": str(x.get("meta", {}).get("source")).split("#")[0]}
        same = {k: meta.get(k) for k in ours["meta"]} == ours["meta"]
        return same and {**x, "id": "", "meta": ""} == {**ours, "id": "", "meta": ""}


def _owned(name: str, stated: Values, final: Values, base: Tokens, standing: Tokens) -> bool:
    """Does what is to stand there say it on our behalf: what we state, or what both sides said last?"""
    if name in stated:
        return (stated[name] or ABSENT) == (final.get(name) or ABSENT)
    return base.get(name) == standing[name]


def blocked(link: Link, why: str, base: Tokens | None = None) -> Decision:
    """A resource that is left alone, for a reason."""
    return Decision(link, "blocked", base=base, remarks=(Remark(link, "blocked", f"{why}; left alone"),))


def _overlay(m: Made, found: Said, merged: Merge, hashes: Hashes, *, gentle: bool) -> Overlay:
    """The values that are to stand: ours where we are right, else theirs."""
    row = dict(m.row)
    for name in m.shape.picture.fields | found.shape.picture.fields:
        v = merged.verdicts.get(name)
        if name in merged.items:
            row[name] = _listed(m, name, found, merged, hashes)
        elif v in (Verdict.AGREED, Verdict.OURS):
            continue
        elif name in found.row:
            row[name] = found.row[name]
        elif v is not None:
            row.pop(name, None)
    leave = {n[1:] for n in [*merged.of(Verdict.THEIRS), *merged.of(Verdict.CONFLICT)] if n[0] == "="}
    shape = next((s for s in m.forms if s.takes(row)), m.shape)
    return Overlay(row, shape, frozenset(leave), gentle)


def _listed(m: Made, name: str, found: Said, merged: Merge, hashes: Hashes) -> list[Any]:
    """The items that are to stand in a list, ours first."""
    verdicts = merged.items[name]
    ours = _by_key(m, name, m.row.get(name), hashes)
    theirs = _by_key(m, name, found.row.get(name), hashes)
    out: list[Any] = []
    for key in {**ours, **theirs}:
        v = verdicts.get(key, Verdict.THEIRS)
        out += ours.get(key, []) if v in (Verdict.AGREED, Verdict.OURS) else theirs.get(key, [])
    return out


def _by_key(m: Made, name: str, listed: Any, hashes: Hashes) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for x in listed or () if isinstance(listed, list) else ():
        [key] = hashes(m.link, {name: items(lists_of(m.shape)[name], [x])})[name]
        out.setdefault(key, []).append(x)
    return out


def _computed(merged: Merge) -> Merge:
    """What is computed (the links between our resources) is no statement that could be in conflict."""
    links = Merge({n: v for n, v in merged.verdicts.items() if n[0] == "@"}, merged.items).decided(Verdict.OURS)
    items = {name: links.items[name] if name[0] == "@" else all_ for name, all_ in merged.items.items()}
    return Merge(merged.verdicts | links.verdicts, items)


def _claimed(m: Made) -> Values:
    """What the record states, and no copy of what it does not: a start that FHIR asks for, and that nobody states, is
    written as unknown where nothing stands, and takes the place of nothing."""
    return {name: v for name, v in m.stated.items() if name[0] != "=" or name[1:] in m.row}


def _undone(m: Made, merged: Merge, final: Said | None) -> Merge:
    """What was to go and could not be written (another unit stands there) is in conflict."""
    values = final.values if final is not None else {}
    undone = {
        name: Verdict.CONFLICT
        for name in merged.of(Verdict.OURS)
        if name not in merged.items and values.get(name, ABSENT) != m.stated[name]
    }
    return replace(merged, verdicts=merged.verdicts | undone)


def _gone_along(m: Made, found: Said, before: Resource, gone: Set[str]) -> Iterable[Remark]:
    """What the server had beside a value, and what went with it: another coding of a site that is now another one.

    :param gone: the places that change
    """
    if not gone:
        return
    theirs = unaccounted({k: v for k, v in before.items() if k not in _ENVELOPE}, found.seen)
    for path in sorted({p for leaf in theirs for p in gone if leaf == p or leaf.startswith((f"{p}.", f"{p}["))}):
        yield Remark(m.link, "replaced", "stood beside a value that the clinic has changed, and went with it", path)


def _more(m: Made, final: Said | None) -> Iterable[Remark]:
    """Values of a list that are not of our making stay on the server; that there are more than ours is told."""
    for name in lists_of(m.shape) if final is not None else ():
        ours, theirs = m.row.get(name), final.row.get(name) if final else None
        if name[0] != "@" and isinstance(ours, list) and isinstance(theirs, list) and 0 < len(ours) < len(theirs):
            text = f"`{name}` has {len(theirs)} values on the server and {len(ours)} here; the others stay there"
            yield Remark(m.link, "more", text)

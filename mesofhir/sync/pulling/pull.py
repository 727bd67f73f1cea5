"""Pull: our histories from a server.

By one search a type, gathered by patient in a spool: on 200 patients 15 requests against 201 with
``$everything``, and complete on every server seen. ``$everything`` of each patient is asked where foreign
resources are wanted, and where a server can search a type in no way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from mesofhir.errors import NotAllDone, Refused
from mesofhir.fhir.exactjson import decode, encode
from mesofhir.fhir.references import references
from mesofhir.formats import Item
from mesofhir.formats.spool import Spool
from mesofhir.mapping import Clinic, Link, Understood, understand
from mesofhir.mapping.clinic import tail
from mesofhir.mapping.reading import ADOPTED
from mesofhir.mapping.shapes import shapes_of
from mesofhir.server import Server
from mesofhir.sync.sending.finder import Finder

_TABLES: Final = """
    CREATE TABLE found (
        name TEXT PRIMARY KEY, subject TEXT, ours INT, json BLOB, tbl TEXT, key TEXT
    ) WITHOUT ROWID;
    CREATE INDEX by_subject ON found (subject, ours);
    CREATE INDEX by_record ON found (tbl, key);
    CREATE TABLE refers (subject TEXT, name TEXT, named INT, PRIMARY KEY (subject, name, named)) WITHOUT ROWID;
    CREATE TABLE patients (subject TEXT PRIMARY KEY, key TEXT) WITHOUT ROWID
"""
Resource = dict[str, Any]


class PatientNotFound(NotAllDone):
    """A patient that was asked for has no history of this clinic on the server."""


def iter_pull(
    server: Server,
    clinic: Clinic,
    *,
    patients: Sequence[str] = (),
    foreign: bool = False,
    gathered: Callable[[], object] = lambda: None,
) -> Iterator[Item]:
    """Yield the histories that a server holds, in the order of their keys; one in memory at a time.

    :param patients: only these: a clinic's key, or ``Patient/<id of the server>``
    :param foreign: also what is not ours, kept raw beside the histories
    :param gathered: called for each resource that comes: the histories come only after the last one
    :raises PatientNotFound: at the end, with the patients that were asked for in vain
    """
    with Spool() as spool:
        yield from Pull(server, clinic, spool, gathered).run(set(patients), foreign)


class Pull:
    """One pull: what is gathered, and what it says.

    :param spool: where it is gathered
    :param gathered: called for each resource
    """

    def __init__(
        self, server: Server, clinic: Clinic, spool: Spool, gathered: Callable[[], object] = lambda: None
    ) -> None:
        self.server, self.clinic, self.spool, self.gathered = server, clinic, spool, gathered
        self.finder = Finder(server, clinic)
        spool.make(_TABLES)

    def run(self, asked: Collection[str] = (), foreign: bool = False) -> Iterator[Item]:
        """The histories of those who were asked for, or of all.

        :raises PatientNotFound: at the end
        """
        subjects = self._subjects(asked)
        self._gather(subjects)
        self._fetch("Patient", subjects)
        self._know_patients()
        rows = self.spool.rows("SELECT key, subject FROM patients ORDER BY key, subject")
        wanted = [(key, subject) for key, subject in rows if not asked or subject in asked or key in asked]
        for _, subject in wanted if foreign else ():
            self.take(self.server.everything(subject.split("/")[1]), subject)
        self._fetch_adopted()
        for key, subject in wanted:
            yield self._item(key, subject)
        if not asked:
            yield from self._without_patient()
        missing = sorted(set(asked) - {name for pair in wanted for name in pair})
        if missing:
            raise PatientNotFound(f"no history of this clinic on the server for: {', '.join(missing)}")

    def again(self, wanted: Callable[[str], bool], subjects: Collection[str], names: Iterable[str]) -> Iterator[Item]:
        """Some histories, whole.

        :param wanted: is this subject one of them? A search may bring others' resources, too
        :param subjects: those of them that are ``Patient/id``
        :param names: resources that belong to them, as far as they are known: a search by patient does not find what
            names its patient by an identifier only
        """
        if subjects:
            self._gather(sorted(subjects))
        self._fetch("Patient", subjects)
        kinds: dict[str, list[str]] = {}
        for name in names:
            if not self.spool.one("SELECT 1 FROM found WHERE name = ?", name):
                kinds.setdefault(name.split("/")[0], []).append(name)
        for kind in sorted(kinds.keys() - {"Patient", "Practitioner"}):
            self._fetch(kind, kinds[kind])
        self._know_patients()
        self._fetch_adopted()
        for subject, key in self.histories():
            if wanted(subject):
                yield self._item(key, subject)

    def histories(self) -> Iterator[tuple[str, str]]:
        """(subject, the clinic's key) of all of whom anything of ours was gathered, in the order of the keys; then
        whoever is no Patient on the server."""
        yield from self.spool.rows("SELECT subject, key FROM patients ORDER BY key, subject")
        nobodys = "SELECT DISTINCT subject FROM found WHERE ours AND subject NOT LIKE 'Patient/%' ORDER BY subject"
        for (subject,) in list(self.spool.rows(nobodys)):
            yield subject, subject.removeprefix("?")

    def whose(self, table: str, key: str) -> str | None:
        """The key of the patient in whose resources a record stands, of those that were gathered; "" for nobody."""
        sql = (
            "SELECT coalesce(p.key, substr(f.subject, 2)) FROM found AS f LEFT JOIN patients AS p USING (subject)"
            " WHERE f.tbl = ? AND f.key = ?"
        )
        found = self.spool.one(sql, table, key)
        return str(found[0]) if found else None

    def resources(self, subject: str) -> Iterator[Resource]:
        """What one of them was read from."""
        for (x,) in self._rows(subject):
            yield decode(x)

    # --- gathering ----------------------------------------------------------------------------------------

    def _subjects(self, asked: Collection[str]) -> list[str]:
        """What the server calls the patients that were asked for; empty where all have to be looked through: a patient
        whom the EHR had before us does not carry our key."""
        named = {name for name in asked if name.startswith("Patient/")}
        keys = [Link("Patient", "patients", name) for name in asked if name not in named]
        found = self.finder.of(keys, "")
        named |= {f"Patient/{x['id']}" for xs in found.values() for x in xs}
        return sorted(named) if len(found) == len(keys) else []

    def _gather(self, subjects: Sequence[str]) -> None:
        """All resources of ours, type by type."""
        tables: dict[str, set[str]] = {}
        for kind, table in shapes_of(self.clinic):
            tables.setdefault(kind, set()).add(table)
        refused = False
        for kind in sorted(tables.keys() - {"Practitioner"} - ({"Patient"} if subjects else set())):
            try:
                self.take(self.finder.ours(kind, tables[kind], subjects))
            except Refused:
                if not self.finder.blind([kind]):
                    raise
                refused = True
        if refused:
            all_ = [s for (s,) in self.spool.rows("SELECT DISTINCT subject FROM found WHERE subject LIKE 'Patient/%'")]
            for subject in subjects or all_:
                everything = self.server.everything(subject.split("/")[1])
                self.take(x for x in everything if self.clinic.link_of(x))

    def take(self, resources: Iterable[Resource], of: str = "") -> None:
        """Gather resources; of one that was gathered already the first stays.

        :param of: the patient to whom belongs what names nobody
        """
        for x in resources:
            if "id" not in x:
                continue
            self.gathered()
            kind, name = x["resourceType"], f"{x['resourceType']}/{x['id']}"
            link = self.clinic.link_of(x)
            shared = kind == "Practitioner" and (not of or self._stands_for_ours(name, x))
            subject = "" if shared else self.subject(x) or of
            ours = link is not None and kind != "Practitioner"
            record = link[1:] if link is not None else (None, None)
            values = (name, subject, ours, encode(x), *record)
            self.spool.do("INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?, ?, ?)", *values)
            for reference in references(x) if ours else ():
                other = tail(reference["reference"])
                if other.split("/")[0] in ADOPTED:
                    named = self.clinic.link(other.split("/")[0], reference.get("identifier")) is not None
                    self.spool.do("INSERT OR IGNORE INTO refers VALUES (?, ?, ?)", subject, other, named)

    def subject(self, x: Resource) -> str:
        """Whose a resource is: ``Patient/id``; where only an identifier says so, a question mark and our key."""
        if x["resourceType"] == "Patient":
            return f"Patient/{x['id']}"
        subject = _about(x)
        literal = subject.get("reference")
        if isinstance(literal, str):
            return tail(literal)
        link = self.clinic.link("Patient", subject.get("identifier"))
        return f"?{link.key}" if link else ""

    def _stands_for_ours(self, name: str, x: Resource) -> bool:
        """Is it a record of ours, by its own identifier or as our references say?"""
        named = self.spool.one("SELECT 1 FROM refers WHERE name = ? AND named", name)
        return named is not None or self.clinic.link_of(x) is not None

    def _fetch(self, kind: str, more: Iterable[str] = ()) -> None:
        """What our resources refer to and no search of ours has found: the EHR's own people and allergies, as far as
        they stand for records of ours.

        :param more: others of that type
        """
        rows = self.spool.rows(
            "SELECT DISTINCT name FROM refers WHERE name LIKE ? AND name NOT IN (SELECT name FROM found)", f"{kind}/%"
        )
        names = sorted({*more, *(name for (name,) in rows)})
        for x in self.finder.named(kind, [name.split("/")[1] for name in names]):
            if kind not in ADOPTED or kind == "Patient" or self._stands_for_ours(f"{kind}/{x.get('id')}", x):
                self.take([x])

    def _fetch_adopted(self) -> None:
        """What the EHR had before us: our resources refer to it."""
        for kind in ADOPTED:
            if kind != "Patient":
                self._fetch(kind)

    def _know_patients(self) -> None:
        """The clinic's key of each patient of whom something is ours: by an identifier of the Patient, else as most of
        our resources refer to it: a stray reference makes nobody another."""
        subjects = self.spool.rows("SELECT DISTINCT subject FROM found WHERE ours AND subject LIKE 'Patient/%'")
        for (subject,) in list(subjects):
            own = self.spool.one("SELECT json FROM found WHERE name = ?", subject)
            key = self._patient_key(decode(own[0])) if own else ""
            if not key:
                rows = self.spool.rows("SELECT json FROM found WHERE subject = ? ORDER BY name", subject)
                keys = Counter(filter(None, (self._patient_key(decode(x)) for (x,) in rows)))
                key = max(keys, key=keys.__getitem__, default="")
            self.spool.do("INSERT INTO patients VALUES (?, ?)", subject, key)
        for table in ("found", "refers"):  # where only the key was said
            self.spool.do(
                f"UPDATE OR IGNORE {table} SET subject = coalesce("  # noqa: S608 - two names of ours
                f"(SELECT min(p.subject) FROM patients p WHERE '?' || p.key = {table}.subject), subject) "
                "WHERE subject LIKE '?%'"
            )

    def _patient_key(self, x: Resource) -> str:
        """The clinic's key of the patient that a resource is, or is about; "" if it does not say."""
        link = self.clinic.link_of(x) if x["resourceType"] == "Patient" else None
        link = link or self.clinic.link("Patient", _about(x).get("identifier"))
        return link.key if link else ""

    # --- telling ------------------------------------------------------------------------------------------

    def _item(self, key: str, subject: str) -> Item:
        rows = self._rows(subject)
        known = {subject: Link("Patient", "patients", key)} if key else {}
        return self._told(understand([decode(x) for (x,) in rows], self.clinic, known=known), subject, key)

    def _rows(self, subject: str) -> Iterator[tuple[bytes]]:
        yield from self.spool.rows(
            "SELECT json FROM found WHERE subject = ? OR name IN (SELECT name FROM refers WHERE subject = ?) "
            "ORDER BY name",
            subject,
            subject,
        )

    def _without_patient(self) -> Iterator[Item]:
        """Resources of ours whose subject is no Patient on the server: never lost."""
        subjects = "SELECT DISTINCT subject FROM found WHERE ours AND subject NOT LIKE 'Patient/%' ORDER BY subject"
        for (subject,) in list(self.spool.rows(subjects)):
            yield self._item(subject.removeprefix("?"), subject)

    def _told(self, u: Understood, subject: str, key: str) -> Item:
        history = u.histories[0] if len(u.histories) == 1 else None
        where = f"{self.server.url}/{subject}" if subject.startswith("Patient/") else self.server.url
        key = history.key if history else key
        return Item(where, history, patient=key, kept=list(u.kept), notes=u.notes, sources=u.sources)


def _about(x: Resource) -> Resource:
    """The reference to the patient; empty where there is none."""
    about = x.get("subject") or x.get("patient")
    return about if isinstance(about, dict) else {}

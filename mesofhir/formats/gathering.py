"""Resources in any order → those of one patient together, by way of the spool.

Whose a resource is follows from its subject: by the identifier beside the reference, or by the reference, where
a resource of ours says what that means. What two patients claim is nobody's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mesofhir.fhir.exactjson import decode, encode
from mesofhir.fhir.references import literals, own_name, references
from mesofhir.formats.spool import Spool
from mesofhir.mapping import Clinic, Link
from mesofhir.mapping.clinic import tail
from mesofhir.mapping.reading import ADOPTED
from mesofhir.records.tables import PATIENTS, SHARED

SUBJECTS: Final = ("subject", "patient", "beneficiary", "for", "individual")
"""The elements by which resources say whose they are (FHIR R4, 11 Patient compartment: the common ones)."""
AT_ONCE: Final = 500  #: resources of no patient that are told together
CLAIMED_TWICE: Final = "two patients have a record of this key"
_TABLES: Final = """
CREATE TABLE resources (
    id INTEGER PRIMARY KEY, kind TEXT, name TEXT, url TEXT, tbl TEXT, key TEXT, subject TEXT, owner TEXT,
    digest BLOB, used INTEGER DEFAULT 0, reason TEXT, body BLOB);
CREATE INDEX resource_owner ON resources (owner);
CREATE INDEX resource_link ON resources (tbl, key);
CREATE INDEX resource_digest ON resources (digest);
CREATE TABLE names (literal TEXT, resource INTEGER, PRIMARY KEY (literal, resource)) WITHOUT ROWID;
CREATE TABLE said (
    literal TEXT, kind TEXT, tbl TEXT, key TEXT, own INTEGER, votes INTEGER, PRIMARY KEY (literal, tbl, key, own))
    WITHOUT ROWID;
CREATE INDEX said_of ON said (tbl, key);
CREATE TABLE meant (literal TEXT PRIMARY KEY, kind TEXT, tbl TEXT, key TEXT) WITHOUT ROWID
"""
_OWN: Final = (
    "INSERT INTO meant SELECT literal, min(kind), min(tbl), min(key) FROM said WHERE own GROUP BY literal"
    " HAVING count(*) = 1"
)
"""A resource that has an identifier of ours says best what it is."""
_VOTED: Final = """
INSERT OR IGNORE INTO meant
WITH c AS (SELECT * FROM said WHERE NOT EXISTS (
    SELECT 1 FROM said AS o WHERE o.own AND (o.literal = said.literal OR (o.tbl = said.tbl AND o.key = said.key))))
SELECT literal, kind, tbl, key FROM c
WHERE votes > (
    SELECT ifnull(max(votes), 0) FROM c AS d WHERE d.tbl = c.tbl AND d.key = c.key AND d.literal <> c.literal)
AND NOT EXISTS (SELECT 1 FROM c AS d WHERE d.literal = c.literal AND (d.tbl <> c.tbl OR d.key <> c.key))
"""
"""Else what stands for a record of ours is what most references with its identifier lead to, as in
:mod:`mesofhir.mapping.reading`; what is said to be two records is neither."""
Resource = dict[str, Any]


@dataclass
class Gathered:
    """The resources of one patient, and the practitioners that they refer to.

    :param patient: the key; "" for those of no patient
    :param resources: number in the spool → resource
    :param urls: number → ``fullUrl``, where it had one
    :param claimed: the numbers of resources that are not to be read, with the reason
    :param practitioners: the numbers of practitioners, who are of no patient
    :param known: what literal references mean, as far as resources of other patients or of none say so
    """

    patient: str
    resources: dict[int, Resource] = field(default_factory=dict)
    urls: dict[int, str] = field(default_factory=dict)
    claimed: dict[int, str] = field(default_factory=dict)
    practitioners: set[int] = field(default_factory=set)
    known: dict[str, Link] = field(default_factory=dict)


class Gathering:
    """The resources of one source."""

    def __init__(self, spool: Spool, clinic: Clinic) -> None:
        self.spool, self.clinic = spool, clinic
        spool.make(_TABLES)

    def add(self, resource: Resource, url: str = "") -> bool:
        """Spool a resource.

        :param url: its ``fullUrl``
        :return: whether it is new: not one that is here already, word for word
        """
        kind, name, link = str(resource.get("resourceType")), own_name(resource), self._link_of(resource)
        body = encode(resource)
        digest = hashlib.blake2b(body + b"\n" + url.encode(), digest_size=16).digest()
        if (name or link) and self.spool.one("SELECT 1 FROM resources WHERE digest = ?", digest):
            return False
        subject, owner = self._subject(resource)
        if kind == "Patient":
            owner = link.key if link and link.table == PATIENTS else None
        row = self.spool.db.execute(
            "INSERT INTO resources (kind, name, url, tbl, key, subject, owner, digest, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, name, url, link and link.table, link and link.key, subject, owner, digest, body),
        ).lastrowid
        for literal in {tail(name), tail(url)} - {""}:
            self.spool.do("INSERT OR IGNORE INTO names VALUES (?, ?)", literal, row)
            if link and ADOPTED.get(kind) == link.table:
                self._says(literal, link, own=True)
        for reference in references(resource) if link else ():
            for other, table in ADOPTED.items():
                named = self.clinic.link(other, reference.get("identifier"))
                if named and named.table == table:
                    self._says(tail(reference["reference"]), named)
        return True

    def _link_of(self, resource: Resource) -> Link | None:
        try:
            return self.clinic.link_of(resource)
        except (TypeError, AttributeError):  # an `identifier` of another shape than FHIR's
            return None

    def _says(self, literal: str, link: Link, *, own: bool = False) -> None:
        """Note what a resource of ours says that a literal reference means.

        :param own: it is the one that is meant, and says so by its identifier
        """
        sql = "INSERT INTO said VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET votes = votes + 1"
        self.spool.do(sql, literal, *link, own)

    def _subject(self, resource: Resource) -> tuple[str | None, str | None]:
        """The literal reference to the subject, and the key that its identifier gives."""
        for element in SUBJECTS:
            x = resource.get(element)
            if isinstance(x, dict):
                literal, link = x.get("reference"), self.clinic.link("Patient", x.get("identifier"))
                key = link.key if link and link.table == PATIENTS else None
                return (tail(literal) if isinstance(literal, str) else None), key
        return None, None

    def settle(self) -> None:
        """All resources are here: find whose each is."""
        do = self.spool.do
        do(_OWN)
        do(_VOTED)
        meant = "(SELECT key FROM meant WHERE literal = {} AND tbl = 'patients' AND kind = 'Patient')"
        do(f"UPDATE resources SET owner = {meant.format('subject')} WHERE owner IS NULL AND subject IS NOT NULL")  # noqa: S608
        for name in ("name", "url"):
            do(f"UPDATE resources SET owner = {meant.format(name)} WHERE owner IS NULL AND kind = 'Patient'")  # noqa: S608
        do(
            "UPDATE resources SET reason = ? WHERE owner IS NOT NULL AND tbl IS NOT NULL AND EXISTS (SELECT 1 FROM"
            " resources AS o WHERE o.tbl = resources.tbl AND o.key = resources.key AND o.owner <> resources.owner)",
            CLAIMED_TWICE,
        )  # fmt: skip
        self._attribute()

    def _attribute(self) -> None:
        """What has no subject, and refers to resources of one patient only, is told with that patient."""
        last, wanted = 0, (
            "SELECT id, body FROM resources WHERE owner IS NULL AND kind NOT IN ('Patient', 'Practitioner')"
            " AND id > ? ORDER BY id LIMIT ?"
        )  # fmt: skip
        while rows := self.spool.db.execute(wanted, (last, AT_ONCE)).fetchall():
            last = rows[-1][0]
            for row, body in rows:
                owners = set().union(*(self._owners(tail(name)) for name in literals(decode(body))))
                if len(owners) == 1:
                    self.spool.do("UPDATE resources SET owner = ? WHERE id = ?", owners.pop(), row)

    def _owners(self, literal: str) -> set[str]:
        sql = (
            "SELECT owner FROM names JOIN resources ON id = resource WHERE literal = ? AND owner IS NOT NULL"
            " UNION SELECT key FROM meant WHERE literal = ? AND tbl = 'patients'"
        )
        return {owner for (owner,) in self.spool.rows(sql, literal, literal)}

    # --- telling it -----------------------------------------------------------------------------------------

    def patients(self) -> Iterator[Gathered]:
        """The resources of each patient, in the order of the keys."""
        last = ""
        while (found := self.spool.one("SELECT min(owner) FROM resources WHERE owner > ?", last)) and found[0]:
            last = found[0]
            here = Gathered(last)
            for row, url, reason, body in self.spool.rows(
                "SELECT id, url, reason, body FROM resources WHERE owner = ? ORDER BY id", last
            ):
                self._put(here, row, url, body)
                if reason:
                    here.claimed[row] = reason
            self._add_people(here)
            yield here

    def others(self) -> Iterator[Gathered]:
        """The resources of no patient, some at a time; without the practitioners that were used."""
        last, wanted = 0, (
            "SELECT id, url, reason, body FROM resources WHERE owner IS NULL AND used = 0 AND id > ?"
            " ORDER BY id LIMIT ?"
        )  # fmt: skip
        while rows := self.spool.db.execute(wanted, (last, AT_ONCE)).fetchall():
            last = rows[-1][0]
            here = Gathered("")
            for row, url, reason, body in rows:
                self._put(here, row, url, body)
                if reason:
                    here.claimed[row] = reason
            yield here

    def _put(self, here: Gathered, row: int, url: str, body: bytes) -> None:
        here.resources[row] = decode(body)
        if url:
            here.urls[row] = url

    def _add_people(self, here: Gathered) -> None:
        """The practitioners to whom the patient's resources refer, and what the references mean."""
        found: dict[int, tuple[str, bytes]] = {}
        for literal in sorted({tail(n) for x in here.resources.values() for n in literals(x)}):
            for row, url, body in self.spool.rows(
                "SELECT id, url, body FROM names JOIN resources ON id = resource"
                " WHERE literal = ? AND kind = 'Practitioner' AND owner IS NULL",
                literal,
            ):
                found[row] = url, body
            if meant := self.spool.one("SELECT kind, tbl, key FROM meant WHERE literal = ?", literal):
                here.known[literal] = Link(*meant)
        named = {
            link.key
            for x in here.resources.values()
            for r in references(x)
            if (link := self.clinic.link("Practitioner", r.get("identifier"))) and link.table == SHARED
        }
        for key in sorted(named):
            for row, url, body in self.spool.rows(
                "SELECT id, url, body FROM resources WHERE tbl = ? AND key = ? AND kind = 'Practitioner'",
                SHARED,
                key,
            ):
                found[row] = url, body
        for row in sorted(found):
            self._put(here, row, *found[row])
            here.practitioners.add(row)

    # --- what became of the practitioners -------------------------------------------------------------------

    def begin(self) -> None:
        """Nobody was used yet."""
        self.spool.do("UPDATE resources SET used = 0 WHERE used <> 0")
        self.spool.do("UPDATE resources SET reason = NULL WHERE owner IS NULL AND reason IS NOT NULL")

    def used(self, row: int) -> int:
        """0: a resource of no patient was in no history yet; 1: in one that cannot be used; 2: in one that can."""
        found = self.spool.one("SELECT used FROM resources WHERE id = ?", row)
        return int(found[0]) if found else 0

    def use(self, row: int, good: bool) -> None:
        self.spool.do("UPDATE resources SET used = max(used, ?) WHERE id = ?", 1 + good, row)

    def refuse(self, row: int, reason: str) -> None:
        """Why a practitioner was not understood."""
        self.spool.do("UPDATE resources SET reason = ? WHERE id = ?", reason, row)

    def used_at_last(self) -> Mapping[int, int]:
        """1: used in vain, 2: used → how many resources of no patient."""
        sql = "SELECT used, count(*) FROM resources WHERE used > 0 GROUP BY used"
        return dict(self.spool.rows(sql))

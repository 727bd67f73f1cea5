"""A clinic's namespace: the identity of its records, the references between them, and what all resources share.

Identity is the clinic's (architecture, rule 4): a record's identifier is ``namespace/table | key``. Before a
server has given ids, a resource is known by a *handle*, a UUID made from that identifier.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

from mesofhir.errors import UsageError
from mesofhir.fhir.elements import TEXT
from mesofhir.fhir.picture import (
    Always,
    Codec,
    Computed,
    Decoration,
    Each,
    Echo,
    Field,
    Node,
    Object,
    Row,
    absent,
)
from mesofhir.mapping.narrative import is_generated, narrative
from mesofhir.terminology import ACT_REASON, BASE, OURS, Terminology


class Link(NamedTuple):
    """One resource of a history: its FHIR type, the table and the key of its record."""

    kind: str
    table: str
    key: str


def profile(name: str) -> str:
    """The canonical URL of a profile or extension of ours."""
    return f"{BASE}/StructureDefinition/{name}"


def ext(name: str, **value: Any) -> dict[str, Any]:
    """An extension of ours: ``ext("injection-depth", valueQuantity=…)``."""
    return {"url": profile(name), **value}


@dataclass
class World:
    """What a picture must know beside its row.

    :param language: of the record, for labels
    :param made: writing: which resources this history has
    :param title: writing: how people call a record (table, key)
    :param targets: reading: literal reference → resource of ours
    """

    namespace: str
    language: str = "it"
    made: Collection[Link] = ()
    title: Callable[[str, str], str] = lambda table, key: ""
    targets: Mapping[str, Link] = field(default_factory=dict)
    codes: Terminology = OURS
    _known: tuple[int, frozenset[Link]] = (-1, frozenset())

    def target(self, literal: str) -> Link | None:
        """What a literal reference leads to, as far as it is ours: relative, absolute, or of one version."""
        return self.targets.get(literal) or self.targets.get(tail(literal))

    def knows(self, link: Link) -> bool:
        """Is it known where the record is?"""
        if self._known[0] != len(self.targets):
            self._known = (len(self.targets), frozenset(self.targets.values()))
        return link in self._known[1]


Takes = Callable[[Row], bool]
EVERY: Final[Takes] = lambda row: True  # noqa: E731


class Shape:
    """Rows of one table ⇄ resources of one type, as in the picture.

    :param takes: which rows become such a resource
    """

    def __init__(self, table: str, kind: str, whole: Object, takes: Takes = EVERY) -> None:
        self.table, self.kind, self.picture, self.takes = table, kind, whole, takes
        self.places = self.picture.fields | {name.lstrip("/") for name in self.picture.copies}

    def __repr__(self) -> str:
        return f"<Shape {self.table} → {self.kind}>"


@lru_cache(100_000)
def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9+.-]*:[^\s|,$\\#?]+")


@dataclass(frozen=True)
class Clinic:
    """The namespace of a clinic, an absolute URI such as ``https://clinic.example/mesotherapy``.

    :param codes: the words and codes that hold there (``terminology.overlay`` adds a clinic's own to ours)
    :param systems: of identifiers that have several names (``records.identifiers``), the ones that go out; of the
        others each goes out as it is stated
    :raises UsageError: it is not one
    """

    namespace: str
    codes: Terminology = field(default=OURS, repr=False)
    systems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAMESPACE.fullmatch(self.namespace) or self.namespace.endswith("/"):
            raise UsageError(
                "the namespace must be an absolute URI without blanks, `| , $ \\ # ?` or a slash at its end, "
                "such as https://clinic.example/mesotherapy"
            )

    def system(self, table: str) -> str:
        """The identifier system of a table."""
        return f"{self.namespace}/{table}"

    def handle(self, link: Link) -> str:
        """The UUID by which a resource is known before the server has given it an id."""
        return _uuid(f"{self.namespace}/{link.kind}/{link.table}/{link.key}")

    def identifier(self, link: Link) -> dict[str, str]:
        return {"system": self.system(link.table), "value": link.key}

    def link_of(self, resource: Mapping[str, Any]) -> Link | None:
        """Which record of ours a resource is; None for anybody else's, and for what once was one (``use: old``)."""
        listed = resource.get("identifier")
        for i in listed if isinstance(listed, list) else ():
            link = self.link(str(resource.get("resourceType")), i)
            if link and i.get("use") != "old":
                return link
        return None

    def link(self, kind: str, identifier: Any) -> Link | None:
        """The record that an identifier names, if it is one of ours."""
        system = identifier.get("system") if isinstance(identifier, dict) else None
        value = identifier.get("value") if isinstance(identifier, dict) else None
        if not isinstance(system, str) or not isinstance(value, str):
            return None
        prefix, _, table = system.rpartition("/")
        return Link(kind, table, value) if prefix == self.namespace else None

    # --- what a picture is made of ------------------------------------------------------------------------

    def _out(self, link: Link, world: World) -> dict[str, Any]:
        reference = {
            "reference": f"{link.kind}/{self.handle(link)}",
            "type": link.kind,
            "identifier": self.identifier(link),
        }
        title = world.title(link.table, link.key)
        return reference | ({"display": title} if title else {})

    def _back(self, x: Any, world: World, table: str, kinds: tuple[str, ...]) -> Link:
        literal = x.get("reference")
        resolved = world.target(literal) if isinstance(literal, str) else None
        named = self.link(x.get("type") or _kind(literal) or kinds[0], x.get("identifier"))
        if named and isinstance(literal, str) and literal:
            if resolved and (resolved.table, resolved.key) != (named.table, named.key):
                raise ValueError("the literal and the identifier name two different records")
            if not resolved and world.knows(named):
                raise ValueError("the literal leads elsewhere than the record that the identifier names")
        link = resolved or named
        if link is None or link.table != table or link.kind not in kinds:
            raise ValueError
        return link

    def _codec(self, table: str, kinds: tuple[str, ...], *, keyed: bool) -> Codec:
        def out(value: Any, world: World) -> dict[str, Any]:
            if not keyed:
                return self._out(value, world)
            links = [Link(kind, table, value) for kind in kinds]
            return self._out(next(k for k in (*(ln for ln in links if ln in world.made), links[0])), world)

        def back(x: Any, world: World) -> Any:
            link = self._back(x, world, table, kinds)
            return link.key if keyed else link

        def fits(x: Any, world: World) -> bool:
            try:
                return absent(x) or back(x, world) is not None
            except (ValueError, AttributeError, TypeError):
                return False

        def same(a: Any, b: Any) -> bool:
            if isinstance(a, dict) and isinstance(b, dict):  # two copies of one reference
                return a.get("identifier") == b.get("identifier") or a.get("reference") == b.get("reference")
            return bool(a == b)

        def places(x: Any) -> list[str]:
            ours = ["identifier"] if self.link(kinds[0], x.get("identifier")) else []
            return ["reference", "display", *ours, *(["type"] if x.get("type") in kinds else [])]

        return Codec(out, back, same, fits, ("ref", table, kinds), complex=True, places=places)

    def ref(self, name: str, table: str, *kinds: str) -> Field:
        """A foreign key ⇄ a reference; of several kinds the first that the history has."""
        return Field(name, self._codec(table, kinds, keyed=True))

    def refs(self, name: str, table: str, *kinds: str) -> Each:
        """A list of foreign keys ⇄ references."""
        return Each(name, Field("", self._codec(table, kinds, keyed=True)))

    def copy(self, name: str, table: str, *kinds: str) -> Echo:
        """A reference that repeats another row's (``^performer``: the session's)."""
        return Echo(name, self._codec(table, kinds, keyed=True))

    def identity(self, table: str, *others: Any) -> list[Any]:
        """The record's own identifier, and how others know it."""
        return [{"system": self.system(table), "value": Essential("key", TEXT)}, *others]

    def parent(self, table: str, kind: str) -> Field:
        """The record that this one stands in."""
        return self.ref("of", table, kind)

    def own(self, table: str, kind: str) -> Field:
        """Another resource of the same record."""
        return Field(f"@{kind}", self._codec(table, (kind,), keyed=False))

    def links(self, table: str, kind: str) -> Each:
        """The resources of one kind of the records that stand in this one (computed, united with theirs)."""
        return Each(f"@{table}.{kind}", Field("", self._codec(table, (kind,), keyed=False)))

    def activities(self, table: str) -> Each:
        """What a plan lists: the requests of the records that stand in this one (computed)."""
        codec = self._codec(table, ("ServiceRequest",), keyed=False)
        return Each(f"@{table}.ServiceRequest", {"reference": Field("", codec)})

    def shape(
        self,
        table: str,
        kind: str,
        parts: Mapping[str, Any],
        *,
        profiled: str = "",
        subject: str = "subject",
        takes: Takes = EVERY,
    ) -> Shape:
        """The picture of a resource, with what all of ours have: identity, origin, language, narrative."""
        meta: dict[str, Any] = {
            "source": Computed(lambda row, world: self.namespace),
            "security": [{"system": ACT_REASON, "code": SYNTHETIC}],
        }
        if profiled:
            meta["profile"] = Decoration(profile(profiled))
        whole: dict[str, Any] = {
            "resourceType": kind,
            "meta": Always(meta),
            "language": LANGUAGE,
            "text": Computed(_narrative(table), lambda old: is_generated(old.get("id"))),
            "identifier": self.identity(table),
        }
        if subject:
            whole[subject] = self.ref("patient", "patients", "Patient")
        return Shape(table, kind, Object(whole | dict(parts)), takes)


class Essential(Field):
    """A field without which nothing else can be read (a key, a kind): unreadable, it refuses the resource."""

    decisive = True


def _narrative(table: str) -> Callable[[Row, World], Any]:
    return lambda row, world: narrative(table, row, world.language, world.title, world.codes)


_TAIL: Final = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([^/]+)(?:/_history/[^/]+)?$")


def tail(literal: str) -> str:
    """``Patient/1``, also of ``https://ehr.example/fhir/Patient/1/_history/2``."""
    m = _TAIL.search(literal)
    return f"{m[1]}/{m[2]}" if m else literal


def _kind(literal: Any) -> str:
    m = _TAIL.search(literal) if isinstance(literal, str) else None
    return m[1] if m else ""


def _language(x: Any, _: Any) -> str:
    short = str(x).split("-")[0]
    if short not in ("it", "en"):
        raise ValueError
    return short


LANGUAGE: Final[Node] = Echo(
    "/language",
    Codec(same=lambda a, b: str(a).split("-")[0] == str(b).split("-")[0]),
    alone=lambda x: _language(x, None),
)
_HTEST: Final = "HTEST"
SYNTHETIC: Final[Node] = Echo(
    "/synthetic",
    Codec(out=lambda v, _: _HTEST, fits=lambda x, _: x == _HTEST, mark="synthetic"),
    alone=lambda x: True,
)
"""Test data (v3-ActReason HTEST), so that nobody takes an invented patient for a real one."""

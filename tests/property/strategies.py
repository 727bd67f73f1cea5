"""Whole valid treatment histories, for Hypothesis.

``histories()`` draws one, ``clinics()`` several of one namespace. Whatever the model declares is drawn, by
column, so that a new field is tested as soon as it exists. What is drawn is then *settled*: fields without
a place are taken away, references are made to name records, ends are put after starts. Nothing is filtered.

Hypothesis draws a seed, from which all values come, and *flags*: one byte for each column and each record,
where zero leaves it out. So a failing history shrinks to few records with few fields. Drawn value by value, a
history took ten times as long, and five of six examples were slightly changed copies of the sixth: Hypothesis
makes such copies of whatever has two parts alike.

What they honour beyond ``faults(history) == []``: the rules of the mapping on which field has a place for
which kind of record (``_misplaced``), scores from 0 to 10, and that what needs a field has it stated, not
just called unknown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import product
from operator import gt
from random import Random
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from mesofhir.records import TABLES, TreatmentHistory, model
from mesofhir.records.checks import ENDED, PERIODS, RANGES, in_order, later, must
from mesofhir.records.tables import PATIENTS, SHARED, Column, Table
from mesofhir.terminology import LANGUAGES, code_set, code_sets

Tree = dict[str, Any]
WITHDRAWN: Final = "entered-in-error"

# --- values -------------------------------------------------------------------------------------------------

LABELS: Final = {
    code_set(name).label(token, language) for name in code_sets() for token in code_set(name) for language in LANGUAGES
}
TEXTS: Final = (
    "lombalgia", "Perché no?", "dolore «forte» all'inizio", 'the "bad" day', "a & b < c > d", "one\ntwo",
    "one\r\ntwo", "a\tb", "two  blanks", "<script>alert(1)</script>", "&amp; &lt;", "=1+1", "-5", "@cell",
    "+39 06", r"\N", r"a\b", "{}[]$%", "a,b;c|d", "null", "true", "0.50", "007", "2026-03-04", "'", '"',
    "#", "ÀÈÌÒÙ àèéìòù", "Ελληνικά", "漢字", "\N{WOMAN}\u200d\N{STAFF OF AESCULAPIUS}\ufe0f", "x" * 300,
)  # fmt: skip
KEYS: Final = (
    "K", "1", "007", "a b", "a&b", "a+b", "a%b", "100%25", "why?", "à", "a/b", "o'k", "#1", "x=y", "s:1",
    "<k>", '"k"', ".", "@1", "=1", "-1", "2026-03", "ключ", "鍵", "😀", "k" * 100,
)  # fmt: skip
_LETTERS: Final = [
    *map(chr, (c for c in range(0x21, 0x2FFF) if unicodedata.category(chr(c))[0] not in "CZ")),
    *"漢字日本한국어😀💉🏥",
    *" \n\t" * 300,
]
_KEY_LETTERS: Final = "aZ019 &+%?à/'=#;:*\"<>.@!~_-éß漢"

_DAYS: Final = ("2026-03-04", "2025-12-31", "2024-02-29", "2026-03-29", "1999-10-31", "1931-01-01")
_CLOCKS: Final = ("T10:30:00", "T00:00:00", "T10:30:05", "T23:59:59", "T02:30:00", "T12:00:00.250")
_ZONES: Final = ("Z", "+00:00", "+01:00", "+02:00", "-03:30", "+14:00", "-11:00")
DATES: Final = ("2026", "2026-03", "1931", "1958-07", "2101-01", *_DAYS)
TIMES: Final = (*DATES * 9, *map("".join, product(_DAYS, _CLOCKS, _ZONES)))

SYSTEMS: Final = ("https://ehr.example/mrn", "urn:oid:2.999.1")
OPEN_CODES: Final = (
    "http://snomed.info/sct|138875005",
    "http://hl7.org/fhir/sid/icd-10|Z99.9",
    "urn:oid:1.2.3.4|a b",
    "https://ehr.example/codes?v=1|à&b",
)
PROTOCOLS: Final = ("https://clinic.example/ActivityDefinition/a", "http://example.org/p?x=1&y=è")
SCORES: Final = tuple(map(Decimal, ("7", "0", "10", "7.5", "3.0", "0.50", "6.25", "10.0")))


def codes(column: Column) -> tuple[str, ...]:
    """The words of a code set, and codes that are in none."""
    others = OPEN_CODES if column.open else PROTOCOLS if column.codes == "protocols" else ()
    return (*code_set(column.codes), *others)


def _text(chance: Random) -> str:
    """Not blank at its ends, and nothing that we would say for the clinic."""
    if chance.random() < 0.6:
        return chance.choice(TEXTS)
    text = "".join(chance.choices(_LETTERS, k=chance.randint(1, 9))).strip() or "x"
    return f"{text} (?)" if text in LABELS else text


def _key(chance: Random) -> str:
    if chance.random() < 0.6:
        return chance.choice(KEYS)
    return "".join(chance.choices(_KEY_LETTERS, k=chance.randint(1, 6))).strip() or "K"


def _number(chance: Random) -> Decimal:
    digits = chance.choice((0, 1, 2, 5, 10, 20, 50, 100, chance.randint(0, 99_999)))
    return Decimal(digits).scaleb(-chance.randint(0, 4))


def _reference(chance: Random) -> int:
    """A number, for a key that is settled when all keys are known."""
    return chance.randint(0, 1000)


Make = Callable[[Random], Any]


def _from(values: Iterable[Any]) -> Make:
    choices = tuple(values)
    return lambda chance: chance.choice(choices)


_SPECIAL: Final = ("drug-allergy", "anticoagulant")  # findings with fields that no other kind has


def _maker(table: str, column: Column) -> Make:
    """How one value of a column is made."""
    if column.codes:
        return _from(codes(column))
    if column.choices:
        often = [c for c in column.choices if table == "findings" and c in _SPECIAL]
        return _from((*column.choices, *often * 3))
    if column.kind == "number":
        return _from(SCORES) if column.unit == "{score}" else _number
    if column.kind == "integer":
        return _from((0, 1, 4, 8, 27, 30, 2_147_483_647)[column.name != "sessions_done" :])
    if column.kind == "boolean":
        return _from((True,) if column.name == "synthetic" else (True, False))
    texts: dict[str, Make] = {
        model.KEY_PATTERN: _reference if column.to else _key,
        model.TIME_PATTERN: _from(TIMES),
        model.DATE_PATTERN: _from(DATES),
        model.URI_PATTERN: _from(SYSTEMS),
    }
    return texts.get(column.pattern, _text)


# --- records as they are drawn ------------------------------------------------------------------------------


class _Kind:
    """What can be drawn of a record, or of a value in a list.

    :param path: the table, and the list field
    """

    def __init__(self, table: Table, path: str) -> None:
        columns = [c for c in table.columns.values() if c.name != "unknown"]
        self.path, self.table = path, table
        self.required = {c.name for c in columns if c.required}
        self.must = {c.name for c in columns if c.must and "key" not in table.columns}
        self.needs = {c.name: c.needs for c in columns if c.needs}
        self.make = {c.name: self._make(c) for c in columns}
        self.may_be_unknown = [c.name for c in columns if c.may_be_unknown]
        self.may_be_cleared = [
            c.name for c in columns if not c.required and not c.must and (c.nullable or c.kind in ("words", "values"))
        ]

    def _make(self, column: Column) -> Make:
        one = _maker(self.path, column)
        if column.values:
            kind = _Kind(column.values, f"{self.path}.{column.name}")
            one = kind.fields
        if column.kind in ("words", "values"):
            return lambda chance: [one(chance) for _ in range(chance.choice((1, 1, 2, 3)))]
        return one

    def fields(self, chance: Random, also: Iterable[str] = ()) -> Tree:
        """Each field in every second record, with what it needs; always what ``also`` names."""
        stated = {name for name in self.make if chance.random() < 0.5} | self.required | {*also}
        for _ in range(2):  # what is needed may need something itself
            stated |= {needed for name, needed in self.needs.items() if name in stated}
        stated |= {name for name in self.must if f"{name}_text" not in stated}
        return {name: make(chance) for name, make in self.make.items() if name in stated}


_KINDS: Final = {name: _Kind(table, name) for name, table in TABLES.items()}
_MOST: Final = dict.fromkeys(TABLES, 2) | dict.fromkeys(("conditions", "findings", "cycles", "sessions"), 3)
_OPTIONAL: Final = [(n, c) for n, k in _KINDS.items() for c in k.make if c not in k.required]


def _some(chance: Random, names: list[str]) -> list[str]:
    """Often none of these names, else one, two, or all."""
    return chance.sample(names, min(len(names), chance.choice((0, 0, 0, 0, 1, 1, 2, 99))))


class _Draw:
    """Records made of a seed, as far as the flags leave them."""

    def __init__(self, seed: int, flags: bytes, cleared: bool) -> None:
        self.seed, self.cleared = seed, cleared
        self.out = {column for column, flag in zip(_OPTIONAL, flags, strict=False) if flag == 0}
        self.left = iter(flags[len(_OPTIONAL) :])

    def records(self, name: str, path: str) -> list[Tree]:
        n = Random(f"{self.seed} {path} {name}").randint(0, _MOST[name])
        left = [(next(self.left, 1), self.record(name, f"{path} {name} {i}")) for i in range(n)]
        return [record for flag, record in left if flag]

    def record(self, name: str, path: str) -> Tree:
        """A record and those that stand in it, still to be settled.

        What a flag leaves out changes nothing in what is left.
        """
        kind, chance = _KINDS[name], Random(f"{self.seed} {path}")
        unknown = _some(chance, kind.may_be_unknown)
        cleared = _some(chance, kind.may_be_cleared) if self.cleared else []
        fields = kind.fields(chance, [kind.needs[field] for field in unknown if field in kind.needs])
        for field in cleared:
            fields[field] = None if kind.table.columns[field].nullable else []
        record = {field: value for field, value in fields.items() if (name, field) not in self.out}
        record["unknown"] = [field for field in unknown if (name, field) not in self.out]
        for child in kind.table.children:
            if child != SHARED:
                record[child] = self.records(child, path)
        return record


# --- records as they make sense -----------------------------------------------------------------------------

_BOOKED: Final = frozenset(
    {"key", "status", "unknown", "number", "planned_start", "planned_end", "moved_from"}
    | {"site", "site_text", "side", "performer", "place", "note"}
)
_SESSIONS: Final = {"planned": _BOOKED, "not-done": _BOOKED | {"reason", "reason_text", "follow_up"}}
_PLANNED_CYCLE: Final = frozenset({"reason", "reason_text", "outcome", "outcome_text", "sessions_done"})


def _misplaced(name: str, fields: Tree) -> Iterable[str]:
    """The fields, and the tables below, that have no place in such a record."""
    status = fields.get("status")
    if name == "sessions" and status in _SESSIONS:
        return (TABLES[name].columns.keys() | {*TABLES[name].children}) - _SESSIONS[status]
    if name == "cycles" and status == "planned":
        return _PLANNED_CYCLE
    if name == "findings":
        kind = fields["kind"]
        text = ["finding_text"] if kind in _SPECIAL else []
        medicine = ["medicine", "medicine_text"] if kind != "anticoagulant" else []
        return text + medicine + (["allergy"] if kind != "drug-allergy" else [])
    if name not in ("conditions", "allergies"):
        return ()
    certainty = ["certainty"] if status == WITHDRAWN else []
    cleared = "resolved" in fields and fields["resolved"] is None
    return certainty if cleared or status in ENDED else [*certainty, "resolved"]


def _settle_fields(table: Table, fields: Tree) -> None:
    """The fields of a record, or of a value in a list, make sense of each other."""
    for name in _misplaced(table.name, fields):
        fields.pop(name, None)
    for column in table.columns.values():
        if column.values and fields.get(column.name):
            for value in fields[column.name]:
                _settle_fields(column.values, value)
            fields[column.name] = [value for value in fields[column.name] if value]
            if not fields[column.name]:
                del fields[column.name]
    unknown = fields.get("unknown", ())
    for name in unknown:
        fields.pop(name, None)
    for column in table.columns.values():
        words = fields.get(f"{column.name}_text")
        if must(table, column, fields) and words is None and fields.get(column.name) is None:
            fields.pop(column.name, None)
    for _ in range(2):  # what needs something may be needed itself
        for column in table.columns.values():
            if column.needs and fields.get(column.needs) is None and fields.get(column.name) is not None:
                del fields[column.name]
    for a, b in (*PERIODS, *RANGES):
        least, most = fields.get(a), fields.get(b)
        wrong: Callable[[Any, Any], bool] = later if (a, b) in PERIODS else gt
        if least is not None and most is not None and wrong(least, most):
            fields[a], fields[b] = most, least
        least, most = fields.get(a), fields.get(b)
        if (a, b) in PERIODS and least is not None and most is not None and not in_order(least, most):
            fields[b] = least  # one of them was more precise
    if "unknown" in fields:
        fields["unknown"] = _settle_unknown(table, fields)
        if not fields["unknown"]:
            del fields["unknown"]


def _settle_unknown(table: Table, fields: Tree) -> list[str]:
    misplaced = _misplaced(table.name, fields)
    return [
        c.name
        for c in table.columns.values()
        if (
            c.name in fields["unknown"]
            and c.name not in misplaced
            and (c.needs.endswith("_unit") or not c.needs or fields.get(c.needs) is not None)
        )
        or (must(table, c, fields) and c.name not in fields and fields.get(f"{c.name}_text") is None)
    ]


class _Namespace:
    """The keys that are taken, by table, and the practitioners."""

    def __init__(self, staff: list[Tree]) -> None:
        self.used: dict[str, set[str]] = {name: set() for name in TABLES}
        self.staff = staff
        for person in staff:
            _settle_fields(TABLES[SHARED], person)
            person["key"] = self._unused(SHARED, person["key"])

    def _unused(self, table: str, key: str) -> str:
        new, n = key, 1
        while new in self.used[table]:
            n += 1
            new = f"{key[:90]}{n}"
        self.used[table].add(new)
        return new

    def settled(self, history: Tree) -> TreatmentHistory:
        records: list[tuple[Table, Tree]] = []
        self._gather(PATIENTS, history, records)
        keys: dict[str, list[str]] = {name: [] for name in TABLES}
        keys[SHARED] = [person["key"] for person in self.staff]
        for table, fields in records:
            fields["key"] = self._unused(table.name, fields["key"])
            keys[table.name].append(fields["key"])
        took_place = [f["key"] for t, f in records if t.name == "sessions" and f["status"] != "planned"]
        named = set()
        for table, fields in records:
            for column in table.columns.values():
                if column.to:
                    _refer(fields, column.name, took_place if table.name == "scores" else keys[column.to])
                if column.to == SHARED:
                    named.add(fields.get(column.name))
        history[SHARED] = [person for person in self.staff if person["key"] in named]
        return msgspec.convert(history, TreatmentHistory)

    def _gather(self, name: str, fields: Tree, records: list[tuple[Table, Tree]]) -> None:
        table = TABLES[name]
        if name == "cycles" and fields["status"] == "planned":
            for session in fields["sessions"]:
                session["status"] = "planned"
        _settle_fields(table, fields)
        records.append((table, fields))
        for child in table.children:
            for item in fields.get(child, ()):
                self._gather(child, item, records)


def _refer(fields: Tree, name: str, keys: list[str]) -> None:
    """Numbers become keys, or nothing where there are none; what is cleared stays so."""
    drawn = fields.get(name)
    if drawn is None or drawn == []:
        return
    if not keys:
        del fields[name]
    elif isinstance(drawn, list):
        fields[name] = list(dict.fromkeys(keys[n % len(keys)] for n in drawn))
    else:
        fields[name] = keys[drawn % len(keys)]


# --- what tests use -----------------------------------------------------------------------------------------


def clinic(seed: int, flags: bytes = b"", size: int = 1, *, cleared: bool = False) -> list[TreatmentHistory]:
    """The histories of a seed.

    :param flags: a byte for each optional column, then one for each record; zero leaves it out
    """
    draw = _Draw(seed, flags, cleared)
    namespace = _Namespace(draw.records(SHARED, "staff"))
    return [namespace.settled(draw.record(PATIENTS, f"patient {i}")) for i in range(size)]


_SEEDS: Final = st.integers(0, 2**64 - 1)


@st.composite
def clinics(
    draw: st.DrawFn,
    language: str | None = None,
    *,
    cleared: bool = False,
    min_size: int = 0,
    max_size: int = 3,
) -> list[TreatmentHistory]:
    """Histories of one namespace: no key twice in a table, practitioners shared.

    :param language: of the records; by default any, or none stated
    :param cleared: also with ``null`` and ``[]``, which exist in input only
    """
    size = draw(st.integers(min_size, max_size)) if min_size < max_size else min_size
    length = len(_OPTIONAL) + 120 * max_size  # a large history has so many records
    found = clinic(draw(_SEEDS), draw(st.binary(min_size=length, max_size=length)), size, cleared=cleared)
    return [msgspec.structs.replace(h, language=language) for h in found] if language else found


def histories(language: str | None = None, *, cleared: bool = False) -> st.SearchStrategy[TreatmentHistory]:
    """Valid histories, one at a time; the parameters are those of :func:`clinics`."""
    return clinics(language, cleared=cleared, min_size=1, max_size=1).map(lambda one: one[0])

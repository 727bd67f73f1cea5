"""The FHIR data types that pictures are made of: quantities, periods, dates, notes, statuses.

Sources: FHIR R4 2.24 (Data Types), 2.28 (Extensibility), 2.3 (References).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from mesofhir.fhir.picture import Along, Codec, Field, Node, Reading, Row, Whole, Writing

UCUM: Final = "http://unitsofmeasure.org"


class Status(Field):
    """A coded status: what its table does not list is never read as a normal fact, but refuses the resource.

    :param table: the record's word → FHIR's code
    :param default: the code that stands where the row states no status
    """

    decisive = True

    def __init__(self, name: str, table: Mapping[str, str], default: str | None = None) -> None:
        back = {v: k for k, v in table.items()}
        if len(back) != len(table) or default in back:
            raise TypeError(f"two values of {name} look alike in FHIR")
        super().__init__(name, Codec(lambda v, _: table[v], lambda x, _: back[x]))
        self.default = default

    def put(self, w: Writing, old: Any, path: str) -> Any:
        if w.row.get(self.name) is not None:
            return super().put(w, old, path)
        stays = self.name not in w.row and old is not None and not w.force
        return old if stays else self.default  # cleared, it says what it says where nothing is stated

    def stated(self, row: Row) -> bool:
        return self.default is not None or super().stated(row)

    def get(self, x: Any, r: Reading, path: str) -> None:
        if self.default is not None and x == self.default:
            r.seen.append(path)
        else:
            super().get(x, r, path)


def same_time(a: Any, b: Any) -> bool:
    """Do two FHIR dates say the same? Equal as written, or the same instant in another zone."""
    if a == b:
        return True
    try:
        x, y = datetime.fromisoformat(a), datetime.fromisoformat(b)
    except (TypeError, ValueError):
        return False
    return "T" in a and "T" in b and x.tzinfo is not None and y.tzinfo is not None and x == y


def _text(x: Any, _: Any) -> str:
    if not isinstance(x, str):
        raise TypeError
    return x


def _decimal(x: Any, _: Any) -> Decimal:
    if isinstance(x, bool) or not isinstance(x, int | Decimal):
        raise TypeError
    return Decimal(x)


def _integer(x: Any, _: Any) -> int:
    if isinstance(x, bool) or not isinstance(x, int):
        raise TypeError
    return x


def _boolean(x: Any, _: Any) -> bool:
    if not isinstance(x, bool):
        raise TypeError
    return x


TIME: Final = Codec(back=_text, same=same_time)
TEXT: Final = Codec(back=_text)
DECIMAL: Final = Codec(back=_decimal)
INTEGER: Final = Codec(back=_integer)
BOOLEAN: Final = Codec(back=_boolean)


def table(words: Mapping[str, str]) -> Codec:
    """A field whose words have other names in FHIR, one each."""
    back = {v: k for k, v in words.items()}
    if len(back) != len(words):
        raise TypeError("two words for one code")
    return Codec(lambda v, _: words[v], lambda x, _: back[x])


def quantity(name: str, unit: str, system: str = UCUM) -> Whole:
    """A Quantity in one unit (UCUM code): read and written as a whole."""
    return Whole({"value": Field(name, DECIMAL), "unit": unit, "system": system, "code": unit})


def measured_in(name: str, unit: str) -> Whole:
    """A Quantity whose unit (UCUM code) is a field too."""
    return Whole({"value": Field(name, DECIMAL), "system": Along((name, unit), UCUM), "code": Field(unit, TEXT)})


def period(start: str | Node, end: str | Node) -> dict[str, Node]:
    """A Period from two fields."""
    return {k: Field(v, TIME) if isinstance(v, str) else v for k, v in (("start", start), ("end", end))}


def note(text: str, mark: str = "mesofhir-note") -> list[dict[str, Any]]:
    """Annotations: ours is found again by its element id, since a note has nothing else that tells it."""
    return [{"id": mark, "text": Field(text, TEXT)}]

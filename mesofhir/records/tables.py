"""The tables of a treatment history and their columns, as the model declares them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import msgspec
from msgspec import inspect

from mesofhir.records import model

Kind = Literal["text", "number", "integer", "boolean", "choice", "words", "values"]
PATIENTS: Final = "patients"
SHARED: Final = "practitioners"


@dataclass(frozen=True)
class Column:
    """A field of a record or of a value, as the model declares it.

    :param kind: text, number (exact decimal), integer, boolean, choice, words (a list of text), or values
        (a list of structs without a key)
    :param values: the struct of one value
    :param choices: the allowed words of a choice
    :param codes: the code set of its words (``terminology``); ``open``: also ``system|code``
    :param to: the table whose keys it names
    """

    name: str
    kind: Kind
    description: str
    required: bool
    nullable: bool
    values: Table | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    codes: str = ""
    open: bool = False
    to: str = ""
    needs: str = ""
    unit: str = ""
    must: bool = False
    known: bool = False
    most: int = 0

    @property
    def may_be_unknown(self) -> bool:
        """May a record's ``unknown`` name it? Not a reference, a unit, or the wording of a code."""
        wording = self.name.endswith(("_text", "_unit")) or self.codes == "protocols"
        return self.nullable and self.name != "status" and not (self.to or self.known or wording)


@dataclass(frozen=True)
class Table:
    """The records of one kind, or the values of one list field.

    :param name: the plural by which the tree, the CSV folder and the identifiers know it
    :param parent: the table that it stands in; "" for patients, practitioners
    :param children: the attribute of the struct, which is the name of the child table
    """

    name: str
    struct: type[msgspec.Struct]
    parent: str
    columns: dict[str, Column]
    children: tuple[str, ...]

    @property
    def description(self) -> str:
        return " ".join((self.struct.__doc__ or "").split())

    @cached_property
    def scalars(self) -> dict[str, Column]:
        """The columns that hold one value or a list of words."""
        return {n: c for n, c in self.columns.items() if c.kind != "values"}

    @cached_property
    def references(self) -> frozenset[str]:
        """The fields of a row that name other records, the one that it stands in (``of``) among them."""
        return frozenset({"of", *(n for n, c in self.columns.items() if c.to)})


TABLES: Final[dict[str, Table]] = {}


_KINDS: Final[dict[type, Kind]] = {
    inspect.StrType: "text",
    inspect.DecimalType: "number",
    inspect.IntType: "integer",
    inspect.BoolType: "boolean",
    inspect.LiteralType: "choice",
}


def _bare(t: inspect.Type) -> tuple[Any, dict[str, Any], str]:
    """A type without what ``Annotated`` says of it; what ``model.doc`` says; the description."""
    extra: dict[str, Any] = {}
    description = ""
    while isinstance(t, inspect.Metadata):
        extra = {**(t.extra or {}), **extra}
        description = description or (t.extra_json_schema or {}).get("description", "")
        t = t.type
    return t, extra, description


def _column(f: inspect.Field) -> Column:
    t, extra, description = _bare(f.type)
    options = t.types if isinstance(t, inspect.UnionType) else (t,)
    [stated] = [o for o in options if not isinstance(o, inspect.NoneType)]
    main, also, about = _bare(stated)
    kind: Kind = "words"
    values = None
    if isinstance(main, inspect.ListType):
        main, *_ = _bare(main.item_type)
        if isinstance(main, inspect.StructType):
            kind = "values"
            values = Table(f.name, main.cls, "", {c.name: _column(c) for c in main.fields}, ())
    else:
        kind = _KINDS[type(main)]
    return Column(
        f.name,
        kind,
        description or about,
        f.required,
        nullable=len(options) > 1,
        values=values,
        choices=tuple(map(str, getattr(main, "values", ()))),
        pattern=getattr(main, "pattern", "") or "",
        **{**also, **extra},
    )


def _walk(struct: type[msgspec.Struct], name: str, parent: str) -> None:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)  # noqa: S101
    columns, children = {}, {}
    for f in info.fields:
        t, *_ = _bare(f.type)
        item = getattr(t, "item_type", None)
        if isinstance(item, inspect.StructType) and issubclass(item.cls, model.Record):
            children[f.name] = item.cls
        else:
            columns[f.name] = _column(f)
    order = ["key", *(n for n in columns if n not in ("key", "unknown")), "unknown"]
    TABLES[name] = Table(name, struct, parent, {n: columns[n] for n in order}, tuple(children))
    for child, cls in children.items():
        _walk(cls, child, "" if child == SHARED else name)


_walk(model.TreatmentHistory, PATIENTS, "")

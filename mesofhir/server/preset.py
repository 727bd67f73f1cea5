"""What is known of a kind of server beside its CapabilityStatement: a small file that a user can copy and change.

A preset settles what a statement does not say, and takes back what a vendor declares and then refuses. It never
allows what a statement denies. Those that come with mesofhir are in ``presets/``, written from what vendors and
public statements say (``docs/servers.md`` describes each key)::

    about = "…"

    [others]                       # every type that the server lists and that has no table of its own
    can = ["read", "search-type"]

    [types.Procedure]
    can = ["create", "read", "search-type"]
    only = { status = ["completed"] }
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from mesofhir.errors import UsageError

Interaction = Literal["create", "read", "update", "search-type", "history-instance"]
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`(?: - at `([^`]*)`)?")


class TypePreset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a resource type; None: nothing.

    :param can: the interactions that it takes, all of them, by FHIR's codes
    :param search: the search parameters that it takes, all of them
    :param conditional_create: ``If-None-Exist`` is heeded
    :param if_match: ``If-Match`` is heeded, so that nobody's change is written over
    :param only: element → the codes of which one must be there: ``{ status = ["completed"] }``
    :param refuses: element → codes that must not be there: ``{ category = ["biologic"] }``
    :param needs: elements without which a resource is refused
    """

    can: frozenset[Interaction] | None = None
    search: frozenset[str] | None = None
    conditional_create: bool | None = None
    if_match: bool | None = None
    only: dict[str, list[str]] = {}
    refuses: dict[str, list[str]] = {}
    needs: list[str] = []

    @property
    def rules(self) -> list[str]:
        """What is taken and what is not, in words."""
        taken = [f"only with {path} {' or '.join(codes)}" for path, codes in self.only.items()]
        refused = [f"not with {path} {' or '.join(codes)}" for path, codes in self.refuses.items()]
        return taken + refused + ([f"not without {', '.join(self.needs)}"] if self.needs else [])

    def refusal(self, resource: Mapping[str, Any]) -> str:
        """Why a resource would be refused; "" if nothing speaks against it. Names elements and codes, no values."""
        for path, codes in self.only.items():
            if not set(codes) & set(_codes(resource, path)):
                return f"only with {path} {' or '.join(codes)}"
        for path, codes in self.refuses.items():
            if found := [c for c in codes if c in set(_codes(resource, path))]:
                return f"not with {path} {found[0]}"
        missing = [path for path in self.needs if not list(_values(resource, path))]
        return f"not without {', '.join(missing)}" if missing else ""


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a kind of server; None: nothing.

    :param about: for people
    :param software: the ``software.name`` of the CapabilityStatements of such servers: the preset of those is this
        one, if no other is named
    :param transaction: it takes transaction bundles
    :param batch: it takes batch bundles
    :param entries: in one bundle, at most
    :param size: bytes of one request, at most
    :param documents: what it takes in no other form goes into a DocumentReference
    :param create_people: patients and practitioners whom it does not have are made
    :param others: the types that it lists and that are not in ``types``
    :param types: by resource type; also those that it does not list
    """

    name: str = ""
    about: str = ""
    software: str = ""
    transaction: bool | None = None
    batch: bool | None = None
    entries: int | None = None
    size: int | None = None
    documents: bool = True
    create_people: bool | None = None
    others: TypePreset = TypePreset()
    types: dict[str, TypePreset] = {}

    def of(self, kind: str, *, listed: bool = True) -> TypePreset:
        """What is known of a type.

        :param listed: the CapabilityStatement names it
        """
        return self.types.get(kind) or (self.others if listed else TypePreset())


NOTHING: Final = Preset()
"""The preset of a server of which nothing is known."""


def find_preset(name: str, folder: Path | None = None) -> Preset:
    """A preset that comes with mesofhir, by its name, or one in a file.

    :param name: ``epic-like``; or a path, which ends in ``.toml``
    :param folder: where a relative path begins
    :raises UsageError: there is none, or it says something that is not known
    """
    if name.endswith(".toml"):
        path = (folder or Path()) / Path(name).expanduser()
        try:
            return read_preset(path.read_bytes(), str(path), path.stem)
        except OSError as error:
            raise UsageError(f"{path}: the preset cannot be read: {error.strerror}") from None
    if name not in names():
        near = get_close_matches(name, names(), 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names())}"
        raise UsageError(f"no preset is called {name[:80]!r}: {hint} (a file of your own ends in .toml)")
    return _shipped(name)


def names() -> list[str]:
    """The presets that come with mesofhir."""
    return sorted(f.name.removesuffix(".toml") for f in files("mesofhir.server").joinpath("presets").iterdir())


def preset_of(software: str | None) -> Preset:
    """The preset of a software by the name that it gives itself; :data:`NOTHING` if there is none."""
    known = (p for n in names() if (p := _shipped(n)).software)
    return next((p for p in known if p.software == software), NOTHING)


@cache
def _shipped(name: str) -> Preset:
    data = files("mesofhir.server").joinpath("presets", f"{name}.toml").read_bytes()
    return read_preset(data, f"{name}.toml", name)


def read_preset(data: bytes, where: str, name: str) -> Preset:
    """:raises UsageError: it is no preset"""
    try:
        said = tomllib.loads(data.decode("utf-8"))
        return msgspec.convert({"name": name} | said, Preset)
    except UnicodeDecodeError:
        raise UsageError(f"{where}: the preset is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {_explained(str(error))}") from None


def _explained(text: str) -> str:
    match = _UNKNOWN.search(text)
    if match is None:
        return text[:1].lower() + text[1:]
    kind = TypePreset if match[2] else Preset
    known = [f for f in kind.__struct_fields__ if f != "name"]
    near = get_close_matches(match[1], known, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    place = re.sub(r"^\$\.?", "", match[2] or "").replace("[...]", "")
    return f"{f'{place}: ' if place else ''}{match[1]}: unknown; {hint}"


def _values(x: Any, path: str) -> Iterator[Any]:
    """What stands at a path of elements, through lists."""
    if isinstance(x, list):
        for each in x:
            yield from _values(each, path)
    elif not path:
        yield x
    elif isinstance(x, Mapping):
        first, _, rest = path.partition(".")
        if first in x:
            yield from _values(x[first], rest)


def _codes(x: Any, path: str) -> Iterator[str]:
    """The codes at a path: of a code, a Coding or a CodeableConcept."""
    for value in _values(x, path):
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _codes(value, "coding.code" if "coding" in value else "code")

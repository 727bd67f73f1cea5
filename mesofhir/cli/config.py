"""The configuration file, ``mesofhir.toml``: the clinic's namespace, its ways of writing, its servers.

::

    namespace = "https://clinic.example/mesotherapy"
    timezone = "Europe/Rome"

    [servers.hospital]
    url = "https://fhir.hospital.example/r4"
    auth = "bearer"
    secret_file = "token"                              # beside this file
    identifier_systems = ["urn:oid:2.16.840.1.113883.2.9.4.3.2"]

It holds no secrets, only where they are. What it does not know, it refuses.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click

from mesofhir.errors import UsageError

NAME: Final = "mesofhir.toml"
_WORDS: Final[Mapping[type, str]] = {str: "text", bool: "true or false", int: "a whole number", list: "a list of texts"}
_TOP: Final[Mapping[str, type]] = dict.fromkeys(("namespace", "encoding", "locale", "timezone", "terminology"), str)
_SERVER: Final[Mapping[str, type]] = {
    "url": str,
    "auth": str,
    "user": str,
    "secret_env": str,
    "secret_file": str,
    "ca": str,
    "allow_http": bool,
    "identifier_systems": list,
    "concurrency": int,
    "timeout": int,
    "create_people": bool,
    "preset": str,
    "ledger": str,
}
_TABLES: Final = ("servers", "sandbox", "strengths", "identifiers")
_SANDBOX: Final[Mapping[str, type]] = {"suffix": str}
_SECRETS: Final = frozenset({"password", "secret", "token", "bearer", "api_key", "pass"})
_AUTH: Final = ("none", "basic", "bearer")
_MOST_JOBS: Final = 32
_LONGEST: Final = 3600


@dataclass(frozen=True)
class ServerConfig:
    """What is said of a server; None: not said.

    :param identifier_systems: by which people are matched
    :param concurrency: histories that are pushed at the same time
    :param timeout: seconds that one attempt of a request may take, from its first to its last byte
    :param preset: the name of a preset, or a file (``.toml``)
    :param ledger: the file that remembers what was pushed there
    """

    url: str
    auth: str | None = None
    user: str | None = None
    secret_env: str | None = None
    secret_file: Path | None = None
    ca: Path | None = None
    allow_http: bool | None = None
    identifier_systems: tuple[str, ...] = ()
    concurrency: int | None = None
    timeout: int | None = None
    create_people: bool | None = None
    preset: str | None = None
    ledger: Path | None = None


@dataclass(frozen=True)
class Config:
    """What the file says.

    :param path: the file; None where there is none
    :param terminology: the clinic's own words and codes (CSV)
    :param strengths: protocol → kind of finding → how strongly it stands against treatment
    :param identifiers: kind → the name of its system that goes out
    :param suffix: what makes the namespace on a public sandbox one's own
    """

    path: Path | None = None
    namespace: str | None = None
    encoding: str | None = None
    locale: str | None = None
    timezone: str | None = None
    terminology: Path | None = None
    suffix: str | None = None
    identifiers: Mapping[str, str] = field(default_factory=dict)
    strengths: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    servers: Mapping[str, ServerConfig] = field(default_factory=dict)


def folder() -> Path:
    """The user's configuration folder."""
    return Path(click.get_app_dir("mesofhir"))


def load(path: Path | None) -> Config:
    """The configuration in a file that was named, else in the working folder, else in the user's folder.

    :raises UsageError: a file that cannot be read, or that says something unknown
    """
    if path is None:
        path = next((p for p in (Path(NAME), folder() / NAME) if p.is_file()), None)
        if path is None:
            return Config()
    try:
        said = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: the configuration cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: the configuration is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    return _Reader(path).config(said)


class _Reader:
    """Reads what a file says, and refuses what it should not say."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def config(self, said: dict[str, Any]) -> Config:
        tables = {name: self._table(said.pop(name, {}), name) for name in _TABLES}
        top = self._checked(said, "", _TOP, [*_TOP, *tables])
        if "terminology" in top:  # beside the configuration, wherever one stands
            top["terminology"] = self.path.parent / Path(top["terminology"]).expanduser()
        servers = {
            name: self._server(self._table(table, f"servers.{name}"), f"servers.{name}")
            for name, table in tables["servers"].items()
        }
        sandbox = self._checked(tables["sandbox"], "sandbox", _SANDBOX, [*_SANDBOX])
        strengths = {
            name: self._strengths(self._table(table, f"strengths.{name}"), f"strengths.{name}", name)
            for name, table in tables["strengths"].items()
        }
        identifiers = self._identifiers(tables["identifiers"])
        return Config(self.path, **top, **sandbox, identifiers=identifiers, strengths=strengths, servers=servers)

    def _identifiers(self, said: dict[str, Any]) -> dict[str, str]:
        """Which name of an identifier system goes out."""
        from mesofhir.records.identifiers import CHOICES

        values = self._checked(said, "identifiers", dict.fromkeys(CHOICES, str), [*CHOICES])
        for name, value in values.items():
            if value not in CHOICES[name]:
                raise self._wrong(f"identifiers.{name}", "not a name of that system", " or ".join(CHOICES[name]))
        return values

    def _strengths(self, said: dict[str, Any], place: str, protocol: str) -> dict[str, str]:
        """How strong the findings are in a protocol that do not say it."""
        from mesofhir.records.checks import CANONICAL
        from mesofhir.records.contradictions import ANY_PROTOCOL, DEFAULTS
        from mesofhir.terminology import code_set

        protocols = [ANY_PROTOCOL, *code_set("protocols")]
        if protocol not in protocols and not CANONICAL.fullmatch(protocol):
            raise UsageError(f"{self.path}: {place}: unknown protocol; {_hint(protocol, protocols)}")
        values = self._checked(said, place, dict.fromkeys(DEFAULTS, str), [*DEFAULTS])
        strengths = code_set("strengths")
        for name, value in values.items():
            if value not in strengths:
                raise self._wrong(f"{place}.{name}", "not known", " or ".join(strengths))
        return values

    def _server(self, said: dict[str, Any], place: str) -> ServerConfig:
        values = self._checked(said, place, _SERVER, [*_SERVER])
        if "url" not in values:
            raise self._wrong(f"{place}.url", "missing", "the base URL of the server")
        if values.get("auth", "none") not in _AUTH:
            raise self._wrong(f"{place}.auth", "not known", " or ".join(_AUTH))
        if not 1 <= values.get("concurrency", 1) <= _MOST_JOBS:
            raise self._wrong(f"{place}.concurrency", "out of range", f"1 to {_MOST_JOBS}")
        if not 1 <= values.get("timeout", 1) <= _LONGEST:
            raise self._wrong(f"{place}.timeout", "out of range", f"1 to {_LONGEST} seconds")
        for name in ("secret_file", "ca", "ledger"):
            if name in values:  # beside the configuration, wherever one stands
                values[name] = self.path.parent / Path(values[name]).expanduser()
        if values.get("preset", "").endswith(".toml"):
            values["preset"] = str(self.path.parent / Path(values["preset"]).expanduser())
        return ServerConfig(**values | {"identifier_systems": tuple(values.get("identifier_systems", ()))})

    def _table(self, said: Any, place: str) -> dict[str, Any]:
        if not isinstance(said, dict):
            raise self._wrong(place, _kind(said), f"a table: [{place}]")
        return dict(said)

    def _checked(
        self, said: dict[str, Any], place: str, known: Mapping[str, type], names: list[str]
    ) -> dict[str, Any]:
        """What is said, where all of it is known and of its type."""
        for name, value in said.items():
            where = f"{place}.{name}" if place else name
            if name not in known:
                raise UsageError(f"{self.path}: {where}: unknown; {_hint(name, names)}")
            texts = not isinstance(value, list) or all(isinstance(v, str) for v in value)
            if type(value) is not known[name] or not texts:
                raise self._wrong(where, _kind(value), _WORDS[known[name]])
        return dict(said)

    def _wrong(self, where: str, what: str, expected: str) -> UsageError:
        return UsageError(f"{self.path}: {where}: {what}; expected {expected}")


def _kind(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list that holds something else"
    return _WORDS.get(type(value), "another kind of value")


def _hint(name: str, names: list[str]) -> str:
    if name.lower() in _SECRETS:
        return "no secret is kept here: name where it is, with secret_env or secret_file"
    near = get_close_matches(name, names, 1, 0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"

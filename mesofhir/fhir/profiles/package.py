"""The compiled FHIR package of our profiles: read once, when a rule is first asked for.

A FHIR package is a gzipped tar with a folder ``package/``: ``package.json`` and one JSON file for each conformance
resource (https://confluence.hl7.org/display/FHIR/NPM+Package+Specification). Ours is built from ``profiles/``
and travels with the program, so a fault in it is our bug: :class:`MesofhirError`.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from mesofhir.errors import InvalidInput, MesofhirError
from mesofhir.fhir.exactjson import decode

FILE: Final = "mesofhir.profiles.tgz"
Resource = Mapping[str, Any]


class Package:
    """The conformance resources of a package.

    :param resources: those that can be referred to: each has a ``url``
    :raises MesofhirError: two of them have the same URL
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.by_url: dict[str, Resource] = {}
        for resource in resources:
            if self.by_url.setdefault(resource["url"], resource) is not resource:
                raise MesofhirError(f"the package has two resources of the URL {resource['url']}")

    def get(self, canonical: str, kind: str = "") -> Resource | None:
        """What a canonical URL names, with a version behind ``|`` or without one.

        :param kind: its type must be this one
        """
        url, _, version = canonical.partition("|")
        found = self.by_url.get(url)
        if found is None or kind not in ("", found["resourceType"]):
            return None
        return found if version in ("", found.get("version", version)) else None

    def of(self, kind: str) -> list[Resource]:
        """All of one type, by their id."""
        return sorted((r for r in self.by_url.values() if r["resourceType"] == kind), key=lambda r: str(r.get("id")))


def read(data: bytes) -> Package:
    """A package from the bytes of its ``.tgz``.

    :raises MesofhirError: it is not one
    """
    found = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            for member in tar:
                folder, _, name = member.name.removeprefix("./").partition("/")
                stream = tar.extractfile(member) if folder == "package" and name.endswith(".json") else None
                content = decode(stream.read(), name) if stream and "/" not in name else None
                if isinstance(content, dict) and "resourceType" in content and isinstance(content.get("url"), str):
                    found.append(content)
    except (tarfile.TarError, OSError, EOFError, InvalidInput) as error:
        raise MesofhirError(f"the package of the profiles cannot be read: {error}") from error
    return Package(found)


def archive() -> bytes:
    """The package that travels with the program, as it is.

    :raises MesofhirError: it is missing
    """
    try:
        return files(__package__).joinpath(FILE).read_bytes()
    except OSError as error:
        raise MesofhirError("the package of the profiles is missing from this installation") from error


@cache
def core() -> Package:
    """What of R4 we write and its package would tell: extensions, code systems (``profiles/r4.py``)."""
    return Package(decode(files(__package__).joinpath("r4.json").read_bytes(), "r4.json"))


@cache
def package() -> Package:
    """The package that travels with the program, opened.

    :raises MesofhirError: it is missing or broken
    """
    return read(archive())

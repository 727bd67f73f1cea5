"""The FHIR package: an npm-like archive, the same bytes for the same resources.

A folder ``package/`` with ``package.json``, ``.index.json`` and one file a resource (the FHIR NPM Package
Specification of HL7); examples in ``package/example``. Files are sorted, without times and owners. What is
compared is the tar, since compression may differ between versions of zlib.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

NAME: Final = "mesofhir.profiles"
_COMPLEX: Final = ("CodeableConcept", "Quantity", "Period", "Reference", "Coding")
_INDEXED: Final = ("resourceType", "id", "url", "version", "kind", "type", "derivation")


def opened(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource as it is packed: simple extensions may say that their value is not known.

    FHIR writes "not known" of a primitive value as an extension of it. The base validator of mesofhir
    (fhir.resources) refuses that within an extension, so mesofhir writes a data-absent-reason in place of the
    value (ext-1 allows either). SUSHI closes such extensions (``extension 0..0``) and has no way to say
    otherwise; the invariant `ext-known` says what may stand there.
    """
    if resource["resourceType"] != "StructureDefinition" or resource["type"] != "Extension":
        return resource
    for view in ("snapshot", "differential"):
        elements = resource[view]["element"]
        values = {e["id"].rpartition(".")[0]: e for e in elements if e["id"].endswith(".value[x]")}
        simple = {
            parent
            for parent, e in values.items()
            if e.get("type") and all(t["code"] not in _COMPLEX for t in e["type"])
        }
        for e in elements:
            parent = e["id"].removesuffix(".extension")
            if e["id"].endswith(".extension") and e.get("max") == "0" and parent in simple:
                e["max"] = "*"
        resource[view]["element"] = [e for e in elements if view == "snapshot" or not _idle(e)]
    return resource


def _idle(e: Mapping[str, Any]) -> bool:
    """An element of a differential that says nothing any more."""
    return set(e) == {"id", "path", "max"} and e["max"] == "*"


Resources = Iterable[Mapping[str, Any]]


def files(resources: Resources, version: str, examples: Resources = ()) -> dict[str, bytes]:
    """Name → content of all files of the package."""
    out: dict[str, bytes] = {}
    for folder, listed in (("package", list(resources)), ("package/example", list(examples))):
        for r in listed:
            out[f"{folder}/{r['resourceType']}-{r['id']}.json"] = _json(r)
        out[f"{folder}/.index.json"] = _json({"index-version": 2, "files": [_indexed(r) for r in listed]})
    out["package/package.json"] = _json(_manifest(version))
    return dict(sorted(out.items()))


def _indexed(r: Mapping[str, Any]) -> dict[str, Any]:
    known = {k: r[k] for k in _INDEXED if isinstance(r.get(k), str)}
    return {"filename": f"{r['resourceType']}-{r['id']}.json"} | known


def _manifest(version: str) -> dict[str, Any]:
    from mesofhir.terminology import BASE

    return {
        "name": NAME,
        "version": version,
        "canonical": BASE,
        "url": BASE,
        "title": "Mesotherapy treatment histories",
        "description": "Profiles, extensions, codes and protocols for mesotherapy in FHIR R4.",
        "author": "mesofhir",
        "license": "Apache-2.0",
        "fhirVersions": ["4.0.1"],
        "dependencies": {"hl7.fhir.r4.core": "4.0.1"},
        "keywords": ["mesotherapy", "intradermal therapy"],
    }


def _json(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def tar(content: Mapping[str, bytes]) -> bytes:
    """The archive, before it is compressed: no times, no owners."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def compressed(archive: bytes) -> bytes:
    return gzip.compress(archive, 9, mtime=0)


def differences(package: Path, archive: bytes) -> list[str]:
    """How a package differs from what was built: a line for each file."""
    ours = _read(gzip.decompress(package.read_bytes())) if package.exists() else {}
    theirs = _read(archive)
    names = sorted(ours.keys() | theirs.keys())
    return [f"  {_what(n, ours, theirs)} {n}" for n in names if ours.get(n) != theirs.get(n)]


def _what(name: str, ours: Mapping[str, bytes], theirs: Mapping[str, bytes]) -> str:
    return "differs:" if name in ours and name in theirs else "only committed:" if name in ours else "missing:"


def _read(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened_:
        return {m.name: opened_.extractfile(m).read() for m in opened_ if m.isfile()}  # type: ignore[union-attr]

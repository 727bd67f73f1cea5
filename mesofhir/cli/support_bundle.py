"""``mesofhir support-bundle``: what to send to a help desk. No patient data: what is in it is listed here, and nothing
else gets in; it reads no source of histories."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mesofhir.cli import config, places
from mesofhir.cli.options import FILE, Connecting, General, common, connecting, general
from mesofhir.cli.words import Voice
from mesofhir.errors import MesofhirError, UsageError

if TYPE_CHECKING:
    from mesofhir.cli.config import Config
    from mesofhir.cli.places import Place

LIBRARIES: Final = ("click", "requests", "urllib3", "fhir.resources", "pydantic", "msgspec", "tqdm")


@click.command()
@click.argument("file", metavar="FILE", type=FILE)
@click.argument("server", metavar="[SERVER]", required=False)
@connecting
@general
@common
def command(voice: Voice, general: General, connecting: Connecting, file: Path, server: str | None) -> int:
    """Write down what a help desk needs to know, without patient data.

    Versions and platform; which elements we write to which type, with the code systems and the hashes of our tables;
    of a server what it says it can do, how a push would go there, what became of what was sent before, and what it
    was seen to do to our data. No record, no key, no secret; the namespace as a hash. FILE is JSON: read it before
    you send it.

    \b
    Examples:
      mesofhir support-bundle support.json
      mesofhir support-bundle support.json hospital      # hospital: see mesofhir.toml
    """
    if str(file) == "-":
        raise UsageError("support-bundle: needs a file, which you can read before you send it")
    if file.parts[0] in ("http:", "https:"):
        raise UsageError("support-bundle: the file comes first, then the server: support-bundle support.json SERVER")
    _refuse_others(file)
    settings = config.load(general.config)
    out: dict[str, Any] = {"mesofhir": versions(), "platform": machine(), "writes": elements(), "tables": tables()}
    out["configuration"] = _configured(general, settings)
    failed: MesofhirError | None = None
    if server is not None:
        place = places.place(server, connecting, settings)
        out["server"] = said = _address(place)
        try:
            said |= _asked(place, voice)
        except MesofhirError as error:  # that it cannot be reached may be what the help desk is asked about
            said["failed"], failed = str(error), error
        said |= remembered(place, general, settings)
    _write(file, out)
    voice.say(f"wrote {file}: {', '.join(out)}; read it before you send it")
    if failed is not None:
        voice.error(failed)
    return failed.exit_code if failed is not None else 0


# --- what is in it ------------------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """Ours, and those of the libraries that touch what is sent."""
    found = {}
    for name in ("mesofhir", *LIBRARIES):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, str]:
    """Without the name of the machine or of its user."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "encoding": f"{sys.getfilesystemencoding()}, {sys.stdout.encoding}",
    }


def elements() -> dict[str, list[str]]:
    """The elements that we write, by resource type."""
    from mesofhir.mapping import Clinic
    from mesofhir.mapping.shapes import shapes_of

    found: dict[str, set[str]] = {}
    for shapes in shapes_of(Clinic("https://any.example")).values():
        for shape in shapes:
            found.setdefault(shape.kind, set()).update(path for _, path in shape.picture.holes(shape.kind))
    return {kind: sorted(paths) for kind, paths in sorted(found.items())}


def tables() -> dict[str, str]:
    """The code tables and the profiles, by a hash of each: whether two of us have the same."""
    room = resources.files("mesofhir")
    files = {f"terminology/{f.name}": f for f in room.joinpath("terminology").iterdir() if f.name.endswith(".csv")}
    files |= {f"profiles/{f.name}": f for f in room.joinpath("fhir", "profiles").iterdir() if f.name.endswith(".tgz")}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in sorted(files.items())}


def _configured(general: General, settings: Config) -> dict[str, Any]:
    """Which settings are there; of texts that could tell who somebody is only a hash."""
    namespace = general.namespace or settings.namespace
    return {
        "file": settings.path is not None,
        "namespace": _hash(namespace) if namespace else None,
        "encoding": settings.encoding,
        "locale": settings.locale,
        "timezone": settings.timezone,
        "servers": len(settings.servers),
    }


def _address(place: Place) -> dict[str, Any]:
    said = place.said
    return {
        "url": said.url,
        "auth": said.auth or "none",
        "own_authority": said.ca is not None,
        "concurrency": said.concurrency or 1,
        "create_people": place.create_people,
        "identifier_systems": len(said.identifier_systems),
    }


def _asked(place: Place, voice: Voice) -> dict[str, Any]:
    """What the server says when it is asked; nothing is changed there.

    :raises MesofhirError: it cannot be asked
    """
    from mesofhir.cli.server_check import kinds
    from mesofhir.sync.planning.plan import Plan

    with place.open(voice.warn) as server:
        capabilities = server.capabilities()
        plan, clock = Plan(server.abilities(anyway=True)), server.clock
    return {
        "preset": plan.abilities.preset.name,
        "software": capabilities.software,
        "software_version": capabilities.software_version,
        "fhir": capabilities.fhir_version,
        "transaction": capabilities.transaction,
        "batch": capabilities.batch,
        "operations": sorted(capabilities.operations),
        "clock": clock.isoformat() if clock else None,
        "types": {kind: _plain(capabilities.of(kind)) for kind in kinds()},
        "plan": {kind: {"step": plan.of(kind).step.value, "why": plan.of(kind).why} for kind in kinds()},
    }


def remembered(place: Place, general: General, settings: Config) -> dict[str, Any]:
    """What is known of the server from before: how much of what became of it, and what it did to our data."""
    from mesofhir.sync.observing.observed import Observed

    seen, url = Observed(places.observed()), places.url(place)
    return _ledger(place, general, settings) | {
        "read_back": seen.compared(url),
        "did_to_our_data": [o._asdict() for o in seen.of(url)],
    }


def _ledger(place: Place, general: General, settings: Config) -> dict[str, Any]:
    """How much of what state, and what is not done: records as the ledger knows them, by keyed hashes."""
    from mesofhir.sync.ledger.look import look

    if not (general.namespace or settings.namespace):
        return {"ledger": "not looked for: no namespace was named"}
    clinic = place.clinic(places.clinic(general, settings), settings, lambda text: None)
    path = places.ledger_path(None, place, clinic)
    if not path.exists():
        return {"ledger": None}
    found = look(path)
    return {"ledger": {"counts": found.counts, "open": found.open, "interrupted": found.interrupted}}


def _plain(x: Any) -> Any:
    """A capability as JSON."""
    values = {name: getattr(x, name) for name in x.__dataclass_fields__ if name != "name"}
    return {n: sorted(v) if isinstance(v, frozenset) else v for n, v in values.items() if v is not None}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _refuse_others(file: Path) -> None:
    """The other verbs name the records first: whoever does so here is to have them still.

    :raises UsageError: there is a file that is no support bundle
    """
    ours, begin = b'{\n  "mesofhir": {', b""
    try:
        with suppress(FileNotFoundError), file.open("rb") as there:
            begin = there.read(len(ours))
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None
    if begin and begin != ours:
        raise UsageError(f"{file} is there, and no support bundle: it is left as it is; name another file")


def _write(file: Path, content: Mapping[str, Any]) -> None:
    from mesofhir.fhir.exactjson import encode_pretty

    try:
        descriptor = os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with open(descriptor, "wb") as out:
            out.write(encode_pretty(content))
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from None

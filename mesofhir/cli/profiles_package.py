"""``mesofhir profiles package``."""

from __future__ import annotations

from pathlib import Path

import click

from mesofhir.cli.options import FILE, common
from mesofhir.cli.words import Voice
from mesofhir.errors import UsageError


@click.command()
@click.argument("dst", metavar="DST", type=FILE)
@common
def command(voice: Voice, dst: Path) -> None:
    """Write the FHIR package (.tgz) that validators and servers load.

    DST is a file, or a folder, in which it is called `mesofhir.profiles#VERSION.tgz`. The package is the one that
    mesofhir itself judges by.

    \b
    Example:
      mesofhir profiles package mesofhir.profiles.tgz
    """
    from mesofhir.fhir.profiles.package import archive, package

    data = archive()
    version = package().of("CodeSystem")[0]["version"]
    target = dst / f"mesofhir.profiles#{version}.tgz" if dst.is_dir() else dst
    if target.exists() and target.read_bytes() != data:
        voice.warn(f"{target} is replaced")
    try:
        target.write_bytes(data)
    except FileNotFoundError:
        raise UsageError(f"{target}: there is no such folder") from None
    voice.say(f"wrote {target}: {len(package().by_url)} resources, version {version}")

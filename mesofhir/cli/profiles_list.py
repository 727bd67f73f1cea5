"""``mesofhir profiles list``."""

from __future__ import annotations

import click

from mesofhir.cli.options import common, language
from mesofhir.cli.words import Voice


@click.command()
@language
@common
def command(voice: Voice, language: str) -> None:
    """List what the package holds: profiles, extensions, value sets, codes, protocols.

    By kind: the name, what people call it, on what it stands, and its canonical URL.

    \b
    Example:
      mesofhir profiles list --language it
    """
    from mesofhir.fhir.profiles import package
    from mesofhir.fhir.profiles.described import KINDS, kind, listed, on, title

    every = listed(package())
    wide = max(len(r["id"]) for r in every)
    last = ""
    for r in every:
        if kind(r) != last:
            click.echo(f"{'' if not last else chr(10)}{KINDS[kind(r)]}")
            last = kind(r)
        where = f" ({on(r)})" if on(r) else ""
        click.echo(f"  {r['id']:{wide}}  {title(r, language)}{where}  {r['url']}")

"""``mesofhir schema``."""

from __future__ import annotations

import sys

import click

from mesofhir.cli.options import common
from mesofhir.cli.words import Voice


@click.command()
@common
def command(voice: Voice) -> None:
    """Print the JSON Schema of a treatment history.

    For those who must produce one: all fields with their meaning, units and codes (JSON Schema 2020-12).

    \b
    Example:
      mesofhir schema > treatment-history.schema.json
    """
    from mesofhir.fhir.exactjson import encode_pretty
    from mesofhir.records.schema import json_schema

    sys.stdout.buffer.write(encode_pretty(json_schema()))

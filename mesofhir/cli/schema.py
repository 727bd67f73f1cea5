"""``mesofhir schema``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mesofhir.cli import places
from mesofhir.cli.config import load
from mesofhir.cli.options import common, configuration
from mesofhir.cli.words import Voice


@click.command()
@configuration
@common
def command(voice: Voice, config: Path | None) -> None:
    """Print the JSON Schema of a treatment history.

    For those who must produce one: all fields with their meaning, units and codes (JSON Schema 2020-12); with the
    words that your terminology adds, where mesofhir.toml names one.

    \b
    Example:
      mesofhir schema > treatment-history.schema.json
    """
    from mesofhir.fhir.exactjson import encode_pretty
    from mesofhir.records.schema import json_schema

    sys.stdout.buffer.write(encode_pretty(json_schema(places.terminology(load(config)))))

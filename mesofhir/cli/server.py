"""``mesofhir server``: looking at a FHIR server."""

from __future__ import annotations

from mesofhir.cli.verbs import SERVER_VERBS, VERBS, Verbs

command = Verbs(
    SERVER_VERBS,
    name="server",
    help=f"""{VERBS["server"].help}

    \b
    Example:
      mesofhir server check https://hapi.fhir.org/baseR4
    """,
)

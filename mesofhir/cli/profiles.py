"""``mesofhir profiles``: what a server is told to expect of us."""

from __future__ import annotations

from mesofhir.cli.verbs import PROFILES_VERBS, VERBS, Verbs

command = Verbs(
    PROFILES_VERBS,
    name="profiles",
    help=f"""{VERBS["profiles"].help}

    \b
    Example:
      mesofhir profiles show mesotherapy-session --language it
    """,
)

"""``mesofhir ledger``: what was sent to a server, and what became of it."""

from __future__ import annotations

from mesofhir.cli.verbs import LEDGER_VERBS, VERBS, Verbs

command = Verbs(
    LEDGER_VERBS,
    name="ledger",
    help=f"""{VERBS["ledger"].help}

    \b
    Examples:
      mesofhir ledger status
      mesofhir ledger resolve clinic.json hospital
    """,
)

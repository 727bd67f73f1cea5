"""One FHIR server: the only door to the network, and the only place where ``requests`` is imported."""

from mesofhir.server.abilities import Abilities, Settled, TypeAbilities
from mesofhir.server.answers import Answer
from mesofhir.server.auth import Auth, Basic, Bearer, Secret, from_environment, from_file
from mesofhir.server.bundles import EntryResult, TooLarge, TransactionFailed
from mesofhir.server.capability import Capabilities, TypeCapability
from mesofhir.server.client import Server
from mesofhir.server.http import Timeouts
from mesofhir.server.outcomes import Issue
from mesofhir.server.preset import Preset, find_preset, preset_of
from mesofhir.server.probed import Probed
from mesofhir.server.query import identifier_query, search_value
from mesofhir.server.retry import Clock, Retry
from mesofhir.server.sandboxes import is_public_sandbox
from mesofhir.server.search import Search, Version
from mesofhir.server.validation import Finding

__all__ = [
    "Abilities",
    "Answer",
    "Auth",
    "Basic",
    "Bearer",
    "Capabilities",
    "Clock",
    "EntryResult",
    "Finding",
    "Issue",
    "Preset",
    "Probed",
    "Retry",
    "Search",
    "Secret",
    "Server",
    "Settled",
    "Timeouts",
    "TooLarge",
    "TransactionFailed",
    "TypeAbilities",
    "TypeCapability",
    "Version",
    "find_preset",
    "from_environment",
    "from_file",
    "identifier_query",
    "is_public_sandbox",
    "preset_of",
    "search_value",
]

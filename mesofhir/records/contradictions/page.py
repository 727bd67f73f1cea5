"""The published page of the rules, read off them.

``python -m mesofhir.records.contradictions.page > docs/contradictions.md`` refreshes it; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mesofhir.records.contradictions import DEFAULTS, RULES
from mesofhir.records.contradictions.strengths import OF_PROTOCOL, Default

_HEAD: Final = """\
# Contradictions

`mesofhir check` reports facts of one history that stand against each other. It names both places; it advises nothing.
A contradiction never refuses a history, never sets an exit code, and is transported as it stands: `error` and
`warning` are levels of the report. What is not stated, unknown or withdrawn stands against nothing. This page is made
from the rules themselves. `mesofhir push` tells how many there are in what it sends, by rule.

| rule | severity | what stands against what | fields |
|---|---|---|---|"""
_STRENGTHS: Final = """
## How strong a finding is that does not say it

A finding's own `strength` and `scope` come first. Where a record states none, these defaults hold; they want a
clinician's consent.

| kind | strength | against | under control (`controlled`) |
|---|---|---|---|"""
_CONFIGURED: Final = """
A clinic sets the strengths of its own in `mesofhir.toml`: for one protocol (a name of ours, or a canonical URL), or
under `default` for all that say nothing else. What is stated to be under control stays what the table says.

```toml
[strengths.default]
anticoagulant = "relative"

[strengths.pain-micro-injection]
uncompensated-systemic-disease = "absolute"
```"""
_AGAINST: Final = {"any": "any mesotherapy", "site": "the site", "substance": "the substance"}


def page() -> str:
    """The page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for rule in RULES:
        fields = ", ".join(f"`{name}`" for name in rule.compares)
        yield f"| {rule.key} | {rule.severity} | {rule.says} | {fields} |"
    yield _STRENGTHS
    for kind, default in DEFAULTS.items():
        yield _row(f"`{kind}`", default)
    for protocol, kinds in OF_PROTOCOL.items():
        for kind, default in kinds.items():
            yield _row(f"`{kind}` in `{protocol}`", default)
    yield _CONFIGURED


def _row(name: str, default: Default) -> str:
    return f"| {name} | {default.strength} | {_AGAINST[default.scope]} | {default.controlled} |"


if __name__ == "__main__":
    print(page(), end="")

"""What the command line keeps in the user's configuration folder: what probes have shown, and the suffix of one's
namespace on public sandboxes. Nothing of patients."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mesofhir.cli.config import NAME, Config, folder
from mesofhir.errors import UsageError

if TYPE_CHECKING:
    from mesofhir.server import Probed

PROBED_FILE: Final = "probed.json"
SUFFIX_FILE: Final = "sandbox-suffix"
_SUFFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class Probes:
    """A file: the URL of a server → what probes have shown."""

    def __init__(self) -> None:
        self.path = folder() / PROBED_FILE

    def of(self, url: str) -> Probed:
        """What is remembered of a server; a file that cannot be read says nothing."""
        from mesofhir.server import Probed

        return Probed.read(self._all().get(url))

    def keep(self, url: str, probed: Probed) -> None:
        """:raises UsageError: it cannot be written"""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self.path.with_suffix(".draft")
            draft.write_text(json.dumps(self._all() | {url: probed.plain()}, indent=1), "utf-8")
            draft.replace(self.path)
        except OSError as error:
            raise UsageError(f"{self.path}: what was asked cannot be kept: {error.strerror}") from None

    def _all(self) -> dict[str, Any]:
        try:
            said = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}


def suffix(config: Config, say: Callable[[str], None]) -> str:
    """One's own part of the namespace on public sandboxes: configured, or made once and kept.

    :raises UsageError: it is none, or cannot be kept
    """
    path = folder() / SUFFIX_FILE
    own, where = config.suffix, f"{config.path}: sandbox.suffix"
    if own is None:
        own, where = _kept(path, say), str(path)
    if not _SUFFIX.fullmatch(own):
        raise UsageError(f"{where}: not a suffix; expected up to 40 letters, digits, `-`, `_` or `.`")
    return own


def _kept(path: Path, say: Callable[[str], None]) -> str:
    try:
        with suppress(FileNotFoundError):
            return path.read_text("utf-8").strip()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = secrets.token_hex(4)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:  # somebody was faster
            return path.read_text("utf-8").strip()
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(made + "\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise UsageError(
            f"{path}: cannot keep the suffix of your namespace on public sandboxes: {why}; "
            f'configure one in {NAME}: [sandbox] suffix = "…"'
        ) from None
    say(f"made a suffix for your namespace on public sandboxes; it is kept in {path}")
    return made

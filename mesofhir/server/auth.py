"""Who we are to a server: nobody, a user with a password, or the bearer of a token.

The seam for more (OAuth2, SMART Backend Services) is :class:`Auth`: an object that says which headers an
origin gets. Secrets come from the environment or from a file, never from the command line, and are never
printed.
"""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mesofhir.errors import UsageError
from mesofhir.server.address import Origin

_LONGEST = 64 * 1024
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")  # such as EHR_TOKEN; what is unlike it may be the secret


class Secret:
    """A value that shows itself only when asked; ``repr``, ``str`` and pickles do not."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for a header, never for a message."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class Auth:
    """No authentication, and the base of every other kind."""

    def headers(self, origin: Origin) -> Mapping[str, str]:
        """What to send to the server's own origin; it is asked for each request, and for no other origin."""
        return {}

    def renew(self) -> bool:
        """Called once after a 401: True if asking again makes sense, because the credentials are new."""
        return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Basic(Auth):
    """A user name and a password (RFC 7617, in UTF-8).

    :raises UsageError: a colon in the name, or control characters
    """

    def __init__(self, user: str, secret: Secret | str) -> None:
        if ":" in user:
            raise UsageError("a user name for basic authentication cannot hold a colon")
        pair = f"{_clean(user, 'user name')}:{_clean(_reveal(secret), 'password')}"
        self._value = Secret("Basic " + base64.b64encode(pair.encode()).decode("ascii"))

    def headers(self, origin: Origin) -> Mapping[str, str]:
        return {"Authorization": self._value.reveal()}


class Bearer(Auth):
    """A token (RFC 6750).

    :param again: gives the token as it is now; asked once a token was refused, since whoever keeps it in a file may
        have put a new one there in the middle of a run
    :raises UsageError: the token is empty or holds something that cannot stand in a header
    """

    def __init__(self, token: Secret | str, again: Callable[[], Secret] | None = None) -> None:
        self._value, self._again = _bearing(token), again

    def headers(self, origin: Origin) -> Mapping[str, str]:
        return {"Authorization": self._value.reveal()}

    def renew(self) -> bool:
        if self._again is None:
            return False
        before = self._value.reveal()
        with suppress(UsageError):  # then the old one is what we have, and the server's refusal is what is told
            self._value = _bearing(self._again())
        return self._value.reveal() != before


def _bearing(token: Secret | str) -> Secret:
    value = _clean(_reveal(token), "token")
    if not value or not value.isascii() or " " in value:
        raise UsageError("the bearer token is empty, or holds spaces or letters that a token cannot have")
    return Secret(f"Bearer {value}")


def from_environment(variable: str) -> Secret:
    """A secret from an environment variable. What is no variable is not named: people put the secret in its place.

    :raises UsageError: it is not set, or empty
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        if _VARIABLE.fullmatch(variable):
            raise UsageError(f"the environment variable {variable} is to hold a secret, and is not set or empty")
        raise UsageError(
            "the environment variable that is to hold the secret is not set or empty (its name is not shown: it could "
            "be the secret); secret_env and --secret-env take the name of a variable, such as EHR_TOKEN"
        )
    return Secret(value)


def from_file(path: str | Path) -> Secret:
    """A secret from a file that only its owner can read (mode 0600 or less; not checked on Windows).

    Space around it is dropped, so that an editor's last newline does no harm.

    :raises UsageError: the file is missing, empty, too long, not a plain file, or open to group or others
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())  # of the open file: nobody can swap it in between
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path} is to hold a secret, and is not a plain file")
            if os.name == "posix" and status.st_mode & 0o077:
                raise UsageError(f"{path} holds a secret and others can read it: chmod 600 {path}")
            data = file.read(_LONGEST + 1)
    except OSError as error:
        if not os.path.lexists(path):
            folder = Path(path).parent
            looked = f"looked for in {folder.resolve()}" if folder.is_dir() else "nor is its folder"
            raise UsageError(
                f"the file that is to hold the secret is not there, {looked} (its name is not shown: it could be the "
                "secret); secret_file and --secret-file take the name of a file"
            ) from None
        raise UsageError(f"{path} is to hold a secret, and cannot be read: {error.strerror}") from None
    try:
        value = data.decode().strip()
    except UnicodeDecodeError:
        value = ""
    if not value or len(data) > _LONGEST:
        raise UsageError(f"{path} is to hold a secret as text, and is empty, too long, or not text")
    return Secret(value)


def _reveal(secret: Secret | str) -> str:
    return secret.reveal() if isinstance(secret, Secret) else secret


def _clean(value: str, name: str) -> str:
    """The value, unless it could break out of its header."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise UsageError(f"the {name} holds a control character, a line break perhaps")
    return value

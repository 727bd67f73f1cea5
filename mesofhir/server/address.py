"""Where a server is: its base URL, its origin, and which other URLs belong to it.

The rules are those of RFC 6454 (an origin is scheme, host and port) and of ``trust.md``: no plain http
except on this machine, no credentials in a URL, and nothing is asked of an address that the user did not
name.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from mesofhir.errors import UsageError
from mesofhir.server.words import TYPES

_BASE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)"
)
_PORTS = {"http": 80, "https": 443}
_KNOWN_SEGMENT = re.compile(r"metadata|_search|_history|\$[a-z][a-z-]*|\.well-known|smart-configuration")
_PARAMETER = re.compile(r"_?[a-z][A-Za-z-]{0,40}(?=[:.]|\Z)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host (lower case, no trailing dot) and port: who is spoken to."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


@dataclass(frozen=True, slots=True)
class Link:
    """A URL taken apart, or what a server calls one."""

    origin: Origin
    path: str
    query: str


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine: 127.0.0.0/8, ::1, localhost."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _climbs(path: str) -> bool:
    """Whether a path has a segment that leads elsewhere: ``.``, ``..``, encoded or not, or a backslash."""
    plain = unquote(unquote(path))
    return "\\" in plain or any(segment in (".", "..") for segment in plain.split("/"))


def link(url: str) -> Link | None:
    """An absolute http(s) URL taken apart; None for anything else (``file:``, credentials, dot segments…)."""
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in _PORTS or not host or "@" in parts.netloc or _climbs(parts.path):
        return None
    return Link(Origin(scheme, host.rstrip(".").lower(), port or _PORTS[scheme]), parts.path, parts.query)


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of a FHIR server, checked.

    :param url: without a trailing slash
    :param slash: it was given with one, and so it is asked itself: some proxies redirect from the one to the other
    """

    url: str
    origin: Origin
    path: str
    slash: bool = field(default=False, compare=False)

    @classmethod
    def parse(cls, url: str, *, allow_http: bool = False) -> Address:
        """Check a base URL that a user gave.

        :raises UsageError: not http(s), credentials, a query or a fragment in it, dot segments, or plain
            http to another machine without ``allow_http``. The message does not repeat what may be a
            password.
        """
        if "@" in url.partition("://")[2].split("/", 1)[0]:
            raise UsageError("the URL of the server carries credentials: give them through the auth option")
        if "?" in url or "#" in url:
            raise UsageError("the URL of the server has a query or a fragment: give the base URL alone")
        match = _BASE.fullmatch(url)
        if match is None or (match["port"] and not 0 < int(match["port"]) < 65536):
            raise UsageError(
                "the URL of the server is not one: it looks like https://fhir.example.org/r4 "
                "(a host name with other letters than a-z goes in its xn-- form)"
            )
        scheme = match["scheme"].lower()
        if scheme not in _PORTS:
            raise UsageError(f"the URL of the server begins with {scheme}: instead of https:")
        host = match["host"].strip("[]").rstrip(".").lower()
        path = match["path"].rstrip("/")
        if not host or _climbs(path):
            raise UsageError("the URL of the server has no host, or a path with . or .. in it")
        origin = Origin(scheme, host, int(match["port"] or _PORTS[scheme]))
        if scheme == "http" and not is_loopback(host) and not allow_http:
            raise UsageError(
                f"{origin} is plain http: everybody on the way reads it; use https, or --allow-http"
            )
        return cls(f"{origin}{path}", origin, path, match["path"].endswith("/"))

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.origin.host)

    @property
    def open(self) -> bool:
        """Whether others can read what is sent: plain http that leaves this machine."""
        return self.origin.scheme == "http" and not self.loopback

    def at(self, path: str) -> str:
        """The URL of a path below the base; an absolute URL is taken if it lies below the base.

        :raises UsageError: the path leads elsewhere (our caller's mistake; links of servers go through
            :meth:`follow`)
        """
        if not path:
            return f"{self.url}/" if self.slash else self.url
        absolute = "://" in path.split("?", 1)[0]
        url = path if absolute else f"{self.url}/{path.lstrip('/')}".rstrip("/")
        if not self.holds(url):
            raise UsageError("a request was to go outside the base URL of the server")
        return url

    def holds(self, url: str) -> bool:
        """Whether an absolute URL lies at or below the base, on the same origin."""
        found = link(url)
        if found is None or found.origin != self.origin:
            return False
        return found.path.rstrip("/") == self.path or found.path.startswith(self.path + "/")

    def follow(self, current: str, target: str) -> str | None:
        """Where a link in an answer to ``current`` leads, or None when that is not below the base.

        A relative link is resolved as RFC 3986 says. Nothing is requested here.
        """
        try:
            url = urljoin(current, target)
        except ValueError:
            return None
        return url.split("#", 1)[0] if self.holds(url) else None

    def below(self, url: str) -> list[str]:
        """The segments of a URL's path below the base, decoded; empty for the base itself or a stranger."""
        found = link(url)
        if found is None or not self.holds(url):
            return []
        return [unquote(segment) for segment in found.path[len(self.path) :].split("/") if segment]

    def told(self, url: str) -> str:
        """A URL as it may stand in a log: no id, no value of a parameter, nothing that a server made up."""
        segments = self.below(url)
        words = [
            segment if _KNOWN_SEGMENT.fullmatch(segment) or (n in (0, 2) and segment in TYPES) else "*"
            for n, segment in enumerate(segments)
        ]
        found = link(url)
        names = [name for name, _ in parse_qsl(found.query, keep_blank_values=True)] if found else []
        shown = "&".join(told_parameter(name) for name in names)
        return "/" + "/".join(words) + (f"?{shown}" if shown else "")


def told_parameter(name: str) -> str:
    """The name of a search parameter as it may be shown, without modifier or chain; ``*`` if it is none."""
    match = _PARAMETER.match(name)
    return match.group() if match else "*"

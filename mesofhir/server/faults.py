"""Why there was no answer, in words that quote neither URL nor data.

``requests`` and ``urllib3`` put the whole URL into their messages; so their exceptions are looked at here,
turned into a :class:`Fault`, and forgotten.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
import urllib3.exceptions as u3

from mesofhir.errors import InvalidInput
from mesofhir.server import wire
from mesofhir.server.address import Origin, link
from mesofhir.server.outcomes import safe_text

_MEDIA_TYPE = re.compile(r"(text|application|image|multipart)/[a-z.+-]{1,40}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with one exchange.

    :param text: for people
    :param final: asking again would not help
    :param sent: the request, or a part of it, may have reached the server
    :param kind: one or two words for the log
    """

    text: str
    final: bool = False
    sent: bool = True
    kind: str = "no answer"

    def __str__(self) -> str:
        return self.text


def from_exception(error: Exception, watch: wire.Watch, total: float, limit: int) -> Fault:
    """The fault behind an exception of the network layers.

    :param total: the seconds that the watch allowed
    :param limit: the bytes that a body may have
    """
    sent = not _proven_unsent(error, watch)
    if watch.over or isinstance(error, wire.TimeUp):
        return Fault(f"the answer was not there after {total:g} s", final=True, sent=sent, kind="time up")
    if isinstance(error, wire.Oversized):
        return Fault(f"the answer is larger than {limit} bytes", final=True, kind="too large")
    if isinstance(error, wire.Undecodable):
        return Fault("the answer is compressed in a way that cannot be read", final=True, kind="undecodable")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return Fault("its URL, or that of the proxy, cannot be used", final=True, sent=False, kind="bad URL")
    text, final = _reason(error)
    return Fault(text, final=final, sent=sent, kind="not sent" if not sent else "no answer")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those inside it, outermost first."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _proven_unsent(error: Exception, watch: wire.Watch) -> bool:
    if watch.reached:
        return not watch.sent
    return any(
        isinstance(each, u3.NewConnectionError | u3.ConnectTimeoutError | requests.ConnectTimeout)
        for each in _chain(error)
    )


def _reason(error: Exception) -> tuple[str, bool]:
    """Words, and whether asking again is pointless."""
    chain = list(_chain(error))

    def any_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(each, kinds) for each in chain)

    if any_of(u3.ProxyError, requests.exceptions.ProxyError):
        return "the proxy did not let us through", False
    if any_of(ssl.SSLCertVerificationError):
        return "its TLS certificate is not trusted (a private authority is named with the ca option)", True
    if any_of(ssl.SSLError, u3.SSLError, requests.exceptions.SSLError):
        return "TLS could not be agreed on (is it an https server?)", True
    if any_of(u3.NameResolutionError):
        return "no machine of that name is known", False
    if any_of(ConnectionRefusedError):
        return "it refused the connection", False
    if any_of(u3.NewConnectionError):
        return "no connection could be made", False
    if any_of(u3.ConnectTimeoutError, requests.ConnectTimeout):
        return "it did not accept a connection in time", False
    if any_of(u3.ReadTimeoutError, TimeoutError, requests.Timeout):
        return "it stopped answering", False
    return "the connection was cut", False


def redirect(origin: Origin, url: str, location: str | None) -> str | Fault:
    """Where a redirect leads, if that is on the same origin."""
    target = _joined(url, location)
    found = link(target)
    return target if found is not None and found.origin == origin else Fault("elsewhere", final=True)


def _joined(url: str, location: str | None) -> str:
    """Where a Location leads, as RFC 3986 says; nowhere if it is missing or no reference at all."""
    try:
        return urljoin(url, location) if location else ""
    except ValueError:
        return ""


def elsewhere(status: int, url: str, location: str | None, *, sent: bool) -> Fault:
    """A redirect that is not followed: of a write, or to somebody else. Only its origin is named."""
    target = _joined(url, location)
    found = link(target)
    where = str(found.origin) if found else "an address that is none"
    slash = ", with the slash at its end" if target == f"{url}/" else ""
    return Fault(
        f"it redirects ({status}) to {where}, and neither credentials nor data are carried there; "
        f"if that is the server, give the base URL that it has there{slash}",
        final=True,
        sent=sent,
        kind=f"{status} redirect",
    )


def at_rest(seconds: float) -> Fault:
    """Nothing is asked for a while (the circuit of ``retry.py`` is open)."""
    text = f"it has failed too often to be asked again so soon; in {seconds:.0f} s one request may try"
    return Fault(text, final=True, sent=False, kind="not asked")


def not_fhir(content: str, url: str) -> Fault:
    """A success that is not FHIR JSON: a login page, a web server's welcome."""
    named = content if _MEDIA_TYPE.fullmatch(content) else "something"
    found = link(url)
    base = f" {found.origin}" if found else ""
    return Fault(
        f"it answered with {named}, not FHIR JSON: is{base} the base URL of a FHIR server? a login page?",
        final=True,
        kind=named,
    )


def broken(error: Exception) -> Fault:
    """A success whose JSON cannot be read."""
    what = error.problems[0].what if isinstance(error, InvalidInput) and error.problems else ""
    detail = f": {safe_text(what)}" if what else ""  # it may name a key, which is theirs
    return Fault(f"its answer is broken JSON{detail}", final=True, kind="broken JSON")

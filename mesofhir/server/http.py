"""The one door to the network: every request of mesofhir goes through :meth:`Door.request`.

What it promises (``trust.md``): a bounded time, a bounded size, a bounded number of attempts; credentials to
one origin only; a write never sent twice blindly; and no patient data in a log line or a message. What an
answer *means* is decided here once: refused by the network, not let in, unknown, or an :class:`Answer` to
read.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

import requests
from requests.auth import AuthBase
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from mesofhir.errors import NotAllowed, NotAuthorised, UnknownOutcome, Unreachable, UsageError
from mesofhir.fhir.exactjson import encode
from mesofhir.server import faults, wire
from mesofhir.server.abilities import Abilities
from mesofhir.server.address import Address, Origin, link
from mesofhir.server.answers import Answer, not_offered, read_answer
from mesofhir.server.auth import Auth
from mesofhir.server.query import names_somebody
from mesofhir.server.retry import Clock, Patience, Retry, again_after, again_without_answer, is_failure, retry_after

log = logging.getLogger("mesofhir.server")

FHIR_JSON = "application/fhir+json"
#: with the charset, although the type has none: HAPI on Tomcat reads Latin-1 otherwise, and finds no Niccolò
FORM = "application/x-www-form-urlencoded; charset=utf-8"
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_here = threading.local()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two bytes, and for one attempt from first to last byte."""

    connect: float = 10.0
    read: float = 60.0
    total: float = 300.0

    @classmethod
    def within(cls, total: float) -> Timeouts:
        """One attempt takes no longer than this, nor does any part of it."""
        return cls(min(cls().connect, total), min(cls().read, total), total)


@dataclass(frozen=True, slots=True)
class _Call:
    """One request to be: the same for all its attempts."""

    method: str
    url: str
    data: bytes | None
    headers: Mapping[str, str]
    reads: bool
    server: str  # these two for logs and messages
    told: str


class _Signed(AuthBase):
    """Adds our headers for our origin; being there at all, it also keeps ``.netrc`` out."""

    def __init__(self, headers: Mapping[str, str], origin: Origin) -> None:
        self._headers, self._origin = headers, origin

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        found = link(request.url or "")
        if found is not None and found.origin == self._origin:
            request.headers.update(self._headers)
        return request


def _quiet(record: logging.LogRecord) -> bool:
    """urllib3 logs whole URLs when debugging: not while this thread has a request of ours under way."""
    return not getattr(_here, "busy", False)


class Door:
    """One server's door; safe to use from several threads (each has its own session)."""

    def __init__(
        self,
        address: Address,
        *,
        auth: Auth,
        timeouts: Timeouts,
        max_bytes: int,
        retry: Retry,
        clock: Clock,
        ca: str | Path | None,
        user_agent: str,
    ) -> None:
        if ca is not None and not Path(ca).exists():
            raise UsageError(f"the file with the certificates to trust does not exist: {ca}")
        self.address = address
        self._auth, self._timeouts, self._max_bytes = auth, timeouts, max_bytes
        self._clock, self._patience = clock, Patience(retry)
        self._renewing, self._unknown_to_it = threading.Lock(), False
        self._verify: bool | str = str(ca) if ca is not None else True
        self._user_agent = user_agent
        # A proxy would read what plain http sends to this very machine.
        self._proxies = {} if address.loopback else get_environ_proxies(address.url)
        self.abilities: Abilities | None = None  # what the server offers, once somebody keeps us to it
        self._mine = threading.local()
        self._sessions: list[wire.Session] = []
        self._lock = threading.Lock()
        for name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
            logging.getLogger(name).addFilter(_quiet)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()
        self._mine = threading.local()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        form: Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        reads: bool | None = None,
    ) -> Answer:
        """Send one request, and again where that is safe.

        :param path: below the base; or an absolute URL below it
        :param body: sent as FHIR JSON
        :param form: sent form-encoded: a search, so that its values stand in no URL
        :param reads: it changes nothing on the server; known by itself for GET, HEAD and forms
        :returns: 2xx, 304, 501 and whatever other 4xx the caller is to judge; 405 without asking, where the server
            does not offer it (see :attr:`abilities`)
        :raises NotAuthorised: 401; :class:`NotAllowed`: 403
        :raises Unreachable: no answer or not a FHIR server's; nothing was changed
        :raises UnknownOutcome: a write may have been done, and nobody said so
        """
        method = method.upper()
        if reads is None:
            reads = method in ("GET", "HEAD") or form is not None
        data, sent = None, {"Accept": FHIR_JSON}
        if body is not None:
            data, sent["Content-Type"] = encode(body), FHIR_JSON
        elif form is not None:
            data, sent["Content-Type"] = urlencode(form).encode("ascii"), FORM
        url = self.address.at(path)
        told = f"{method} {self.address.told(url)}"
        sent |= dict(headers or {})
        _check(url, sent)
        offer = self.abilities
        if offer and (why := offer.refusal(method, path, body=body, form=form or (), headers=headers)):
            return not_offered(why, url)
        return self._settle(_Call(method, url, data, sent, reads, str(self.address.origin), told))

    @property
    def hopeless(self) -> bool:
        """Whether asking on would be in vain: it has long been silent, has never answered, or does not know us."""
        return self._patience.is_over() or self._unknown_to_it

    def waited(self, attempt: int, header: str | None = None) -> bool:
        """Wait before the next attempt; False, without waiting, if there is to be none.

        :param attempt: how many were made, from 1
        :param header: the Retry-After of the answer
        """
        asked = retry_after(header, self._clock.now())
        seconds = self._patience.pause(attempt, asked, self._clock.random())
        if seconds is not None:
            self._clock.sleep(seconds)
        return seconds is not None

    def _settle(self, call: _Call) -> Answer:
        """Attempts, until one settles the matter."""
        attempt, renewed = 1, False
        while True:
            if rest := self._patience.closed_for(self._clock.tick()):
                _raise(call, faults.at_rest(rest), attempt - 1)
            ours = self._auth.headers(self.address.origin)
            got = self._redirected(call)
            failed = isinstance(got, faults.Fault) or is_failure(got.status)
            self._patience.came(not failed, self._clock.tick())
            if isinstance(got, faults.Fault):
                again = again_without_answer(reads=call.reads, sent=got.sent, final=got.final)
                if not (again and self.waited(attempt)):
                    _raise(call, got, attempt)
            elif got.status == 401 and not renewed and self._renewed(ours):
                renewed = True
                continue  # the server did nothing: with new credentials this is a first attempt
            else:
                again = again_after(got.status, reads=call.reads)
                if not (again and self.waited(attempt, got.headers.get("Retry-After"))):
                    return self._judged(call, got, attempt)
            attempt += 1

    def _renewed(self, refused: Mapping[str, str]) -> bool:
        """Whether there are other credentials than those that were refused: renewed once for all threads."""
        with self._renewing:
            return self._auth.headers(self.address.origin) != refused or self._auth.renew()

    def _redirected(self, call: _Call) -> Answer | faults.Fault:
        """One attempt, with the redirects of a GET inside the origin followed."""
        url, ends = call.url, time.monotonic() + self._timeouts.total
        for _ in range(_MOST_REDIRECTS + 1):
            got = self._once(call, url, ends - time.monotonic())
            if isinstance(got, faults.Fault) or got.status not in _REDIRECTS:
                return got
            target = faults.redirect(self.address.origin, url, got.headers.get("Location"))
            if call.method not in ("GET", "HEAD") or isinstance(target, faults.Fault):
                # 303 says "done, look there"; the others say "not here"
                lost = not call.reads and got.status == 303
                return faults.elsewhere(got.status, url, got.headers.get("Location"), sent=lost)
            url = target
        return faults.Fault(f"it redirects more than {_MOST_REDIRECTS} times", final=True, sent=True)

    def _once(self, call: _Call, url: str, seconds: float) -> Answer | faults.Fault:
        """Exactly one exchange: what was said, or why nothing was.

        :param seconds: that it may take
        """
        signed = _Signed(self._auth.headers(self.address.origin), self.address.origin)
        begun, status, data = time.monotonic(), 0, b""
        got: faults.Fault | None = None
        _here.busy = True
        with wire.Watch(max(seconds, 0.0)) as watch:
            try:
                with self._send(call, url, signed) as response:
                    status, headers = response.status_code, response.headers
                    data = wire.body(response, self._max_bytes, watch)
            except (
                requests.RequestException,
                HTTPError,
                OSError,
                zlib.error,
                wire.TimeUp,
                wire.Oversized,
                wire.Undecodable,
            ) as error:
                # From here on nothing refers to the exception: it quotes the whole URL.
                got = faults.from_exception(error, watch, self._timeouts.total, self._max_bytes)
            finally:
                _here.busy = False
        took = (time.monotonic() - begun) * 1000
        log.info("%s %s %.0f ms %d bytes", call.told, got.kind if got else status, took, len(data))
        return got or read_answer(status, headers, data, url)

    def _send(self, call: _Call, url: str, auth: AuthBase) -> requests.Response:
        session = self._session()
        request = requests.Request(call.method, url, data=call.data, headers=dict(call.headers), auth=auth)
        return session.send(
            session.prepare_request(request),
            stream=True,
            timeout=(self._timeouts.connect, self._timeouts.read),
            verify=self._verify,  # with each request: nothing in the environment overrides it
            proxies=self._proxies,
            allow_redirects=False,
        )

    def _session(self) -> wire.Session:
        session: wire.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = wire.Session(self._user_agent)
            with self._lock:
                self._sessions.append(session)
        return session

    def _judged(self, call: _Call, answer: Answer, attempts: int) -> Answer:
        """The answer, or the error that its status alone already is."""
        status, said = answer.status, "".join(f"\n  {line}" for line in answer.issues)
        tail = f" ({call.told}, {attempts} attempts){said}" if attempts > 1 else f" ({call.told}){said}"
        server = call.server
        self._unknown_to_it = status == 401
        if status == 401:
            raise NotAuthorised(f"{server} does not know us: 401; look at the credentials{tail}")
        if status == 403:
            raise NotAllowed(f"{server} does not allow this: 403; look at what we may do there{tail}")
        if status == 429:
            raise Unreachable(f"{server} asks us to slow down: 429{self._when(answer)}{tail}")
        if (status >= 500 and status != 501) or status == 408 or status < 200:
            if call.reads:
                raise Unreachable(f"{server} failed: {status}{self._when(answer)}{tail}")
            raise UnknownOutcome(f"{server} answered {status} to a write: it may have been done{tail}")
        if 300 <= status < 400 and status != 304:
            raise Unreachable(f"{server} answered {status}, which is no answer to a FHIR client{tail}")
        return answer

    def _when(self, answer: Answer) -> str:
        wait = retry_after(answer.headers.get("Retry-After"), self._clock.now())
        return f", and to come back in {wait:.0f} s" if wait else ""


def _check(url: str, headers: Mapping[str, str]) -> None:
    """:raises UsageError: a patient would be named in the URL, or a header cannot be sent"""
    if names_somebody(url):
        raise UsageError("a request was to name a person in its URL: search by POST instead")
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise UsageError(f"the header {name} was to hold something that is not plain ASCII text")


def _raise(call: _Call, fault: faults.Fault, attempts: int) -> NoReturn:
    """The error of a request that nobody answered well."""
    tail = f"{call.told}, {attempts} attempts" if attempts > 1 else call.told
    if not call.reads and fault.sent:
        raise UnknownOutcome(f"{call.server}: {fault}; a write may have been done or not ({tail})")
    raise Unreachable(f"{call.server}: {fault} ({tail})")

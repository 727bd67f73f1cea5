"""The wire: connections that can be cut when the time is up, and bodies that cannot grow without end.

``requests`` bounds each wait for bytes, not the sum of them: a server that sends one byte a minute is never
late. So each attempt has a :class:`Watch` with a timer; when it rings, the socket is shut down under whoever
waits on it. The watch also knows whether a byte of the request itself has left, which decides between "not
sent" and "unknown".
"""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import SWITCHING_PROTOCOLS, HTTPResponse
from types import TracebackType
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

_CHUNK = 64 * 1024
_here = threading.local()


class TimeUp(Exception):
    """The total time of an attempt is over."""


class Oversized(Exception):
    """The body is larger than allowed."""


class Undecodable(Exception):
    """The body is not in the encoding that its header names."""


class _Connection(Protocol):
    sock: Any


class Watch:
    """One attempt: how long it may take, and how far it came. A context manager.

    :param seconds: from now to the last byte of the answer
    :ivar reached: a connection was begun through our own classes, so that ``sent`` can be trusted
    :ivar sent: at least the first byte of the request itself may have left
    """

    def __init__(self, seconds: float) -> None:
        self.reached = self.sent = self._over = self._done = False
        self._connection: _Connection | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Watch:
        _here.watch = self
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        _here.watch = None
        self._timer.cancel()
        with self._lock:  # after this the connection may serve another attempt: never cut it again
            self._done, self._connection = True, None

    def hold(self, connection: _Connection) -> None:
        """This connection serves the attempt."""
        with self._lock:
            self.reached, self._connection = True, connection

    def check(self) -> None:
        """:raises TimeUp: the time is over"""
        if self._over:
            raise TimeUp

    @property
    def over(self) -> bool:
        """Whether the time is over, so that what failed failed because of us."""
        return self._over

    def _cut(self) -> None:
        with self._lock:
            if self._done:
                return
            self._over = True
            sock = getattr(self._connection, "sock", None)
            sock = getattr(sock, "socket", sock)  # TLS inside TLS, through a proxy
            if isinstance(sock, socket.socket):
                with suppress(OSError):  # closed already
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's: it changes the object


def _connect(connection: _Connection, connect: Callable[[], None]) -> None:
    watch: Watch | None = getattr(_here, "watch", None)
    if watch is None:
        return connect()
    watch.hold(connection)
    try:
        connect()
    finally:
        watch.sent = False  # what went out so far was for a proxy or for TLS
    return watch.check()


def _sending(connection: _Connection) -> None:
    watch: Watch | None = getattr(_here, "watch", None)
    if watch is not None:
        watch.hold(connection)
        watch.check()
        watch.sent = True


class _Final(HTTPResponse):
    """The answer itself: interim ones (1xx; RFC 9110, 15.2) are passed over. ``http.client`` knows only 100 of these,
    and would take the answer to this request for that to the next."""

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200 and self.status != SWITCHING_PROTOCOLS:
            self.headers = None  # type: ignore[assignment]  # so that it reads on
            super().begin()


class _Plain(HTTPConnection):
    response_class = _Final

    def connect(self) -> None:
        _connect(self, super().connect)

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        _sending(self)
        super().send(data)


class _Secure(HTTPSConnection):
    response_class = _Final

    def connect(self) -> None:
        _connect(self, super().connect)

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        _sending(self)
        super().send(data)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def _watched(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watched(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # a SOCKS manager has connections of its own
            _watched(manager)
        return manager


class Session(requests.Session):
    """A session that takes nothing from its surroundings and follows nothing.

    ``trust_env`` off: no ``.netrc`` replaces our credentials, no ``REQUESTS_CA_BUNDLE`` our certificates
    (proxies are passed with each request). No redirect target: ``requests`` would otherwise read the whole
    body of a redirect, even when told not to follow it.
    """

    def __init__(self, user_agent: str) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.clear()
        self.headers.update({"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"})
        adapter = _Adapter(pool_connections=2, pool_maxsize=2, max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def body(response: requests.Response, limit: int, watch: Watch) -> bytes:
    """The decoded body, of ``limit`` bytes at most.

    Decompressed here and piece by piece, so that a gzip bomb ends at the limit and not in memory.

    :raises Oversized: more than that
    :raises Undecodable: broken compression, or one that was not asked for
    :raises TimeUp: the watch rang
    """
    parts, size = [], 0
    inflate = _inflater(response.headers.get("Content-Encoding", ""))
    for chunk in _chunks(response.raw, watch):
        for piece in inflate(chunk):
            size += len(piece)
            if size > limit:
                raise Oversized
            parts.append(piece)
    return b"".join(parts)


def _chunks(raw: Any, watch: Watch) -> Iterator[bytes]:
    for chunk in raw.stream(_CHUNK, decode_content=False):
        watch.check()
        yield chunk
    watch.check()  # a cut looks like the end
    yield b""


def _inflater(encoding: str) -> Callable[[bytes], Iterator[bytes]]:
    """What undoes a Content-Encoding; it is called with b"" at the end."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return lambda chunk: iter((chunk,))
    if name not in ("gzip", "x-gzip", "deflate"):
        raise Undecodable
    return _Inflate(name == "deflate")


class _Inflate:
    """gzip (any number of members) or deflate (with its zlib header or, as some send it, without)."""

    def __init__(self, deflate: bool) -> None:
        self._deflate, self._begun = deflate, False
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        if not chunk:
            yield from self._rest()
        while chunk:
            if self._stream.eof:
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
            elif self._deflate and not self._begun and chunk[0] & 0x0F != 8:
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            self._begun = True
            yield self._some(chunk)
            chunk = self._stream.unconsumed_tail or self._stream.unused_data

    def _rest(self) -> Iterator[bytes]:
        """What is still inside; :raises Undecodable: the stream was cut short."""
        while self._begun and not self._stream.eof:
            piece = self._some(b"")
            if not piece and not self._stream.eof:
                raise Undecodable
            yield piece

    def _some(self, chunk: bytes) -> bytes:
        try:
            return self._stream.decompress(chunk, _CHUNK)
        except zlib.error:
            raise Undecodable from None

"""A real HTTP server on loopback that misbehaves as it is told: no mock stands between it and the client."""

import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mesofhir.server import Clock, Retry, Server, Timeouts

JSON = {"Content-Type": "application/fhir+json"}


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Exchange(BaseHTTPRequestHandler):
    """One request, and the means to answer it badly."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "FaultServer"
    request_body: bytes = b""

    def answer(self, status: int = 200, body: Any = None, **headers: str) -> None:
        """A well-formed answer; ``headers`` with _ for -."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = (JSON if data else {}) | {name.replace("_", "-"): value for name, value in headers.items()}
        self.send_response(status)
        for name, value in (sent | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def drop(self) -> None:
        """Hang up without a word."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def drip(self, data: bytes, seconds: float) -> None:
        """One byte, a pause, one byte… until the client has enough."""
        for byte in data:
            self.raw(bytes([byte]))
            time.sleep(seconds)

    def handle_any(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self.request_body = self.rfile.read(size)
        self.server.requests.append(Request(self.command, self.path, dict(self.headers), self.request_body))
        try:
            self.server.behave(self)
        except OSError:
            self.close_connection = True  # the client left

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def handle(self) -> None:
        self.server.connections += 1
        with suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        pass


class FaultServer(ThreadingHTTPServer):
    """Does with each request what ``behave`` says; a context manager."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behave: Callable[[Exchange], None], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.behave, self.requests, self.connections = behave, [], 0
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    requests: list[Request]

    def heard(self, at_least: int) -> int:
        """How many requests have come: the last of them may do so when its client has given it up."""
        ends = time.monotonic() + 30
        while len(self.requests) < at_least and time.monotonic() < ends:
            time.sleep(0.01)
        return len(self.requests)

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/fhir"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up in the middle of TLS is what some tests are about

    def __enter__(self) -> "FaultServer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


@contextmanager
def refusing() -> Iterator[str]:
    """A URL where nobody listens, and nobody else will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/fhir"


@dataclass
class StillClock:
    """A clock that stands still, a sleep that takes no time, and chance that always says a half.

    :param moves: sleeping moves the clock on by as much
    """

    slept: list[float] = field(default_factory=list)
    now: float = 1_800_000_000.0  # 2027-01-15T08:00:00Z
    moves: bool = False

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds if self.moves else 0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep, random=lambda: 0.5, tick=lambda: self.now)


def client(
    url: str, still: StillClock | None = None, *, total: float = 20, read: float = 10, **options: Any
) -> Server:
    """A client that waits for nobody."""
    timeouts = Timeouts(connect=5, read=read, total=total)
    return Server(url, timeouts=timeouts, clock=(still or StillClock()).clock(), **options)


PATIENT = {"resourceType": "Patient", "id": "1", "meta": {"versionId": "1"}}
FEW = Retry(attempts=1)


def bomb(size: int) -> bytes:
    """Zeros of that many bytes, compressed to a thousandth."""
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(size // 1024**2)) + packer.flush()


@contextmanager
def against(
    behave: Callable[[Exchange], None] | dict[str, Any], still: StillClock | None = None, **options: Any
) -> Iterator[tuple[FaultServer, Server]]:
    """A server that behaves so, or answers everything with that body; and a client of it."""
    does = (lambda exchange: exchange.answer(200, behave)) if isinstance(behave, dict) else behave
    with FaultServer(does) as server, client(server.url, still, **options) as fhir:
        yield server, fhir


def always(status: int, body: Any = None, **headers: str) -> Callable[[Exchange], None]:
    """Answers everything like this."""
    return lambda exchange: exchange.answer(status, body, **headers)

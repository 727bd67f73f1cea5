"""A real HTTP proxy between our client and a real FHIR server, that does to a request what networks, gateways and
tired servers do.

Each way of going wrong is a function of :data:`FAULTS`; a :data:`Script` says which of them befalls a request.
:func:`random_faults` is such a script, made from a seed: the same seed, the same faults in the same places.
"""

import gzip
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import urllib3

from tests.faults.fault_server import Exchange, FaultServer, bomb

Script = Callable[[int, Exchange], str]
HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "host", "accept-encoding", "content-length", "date", "server"}
)
LATE = 0.3
"""Seconds after which a request arrives that its client thinks lost."""


@dataclass(frozen=True)
class Reply:
    """What the server said, before anything befell it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def results(self) -> dict[str, Any] | None:
        """The Bundle, if these are the results of one that was sent."""
        return self.bundle("-response")

    def bundle(self, type: str) -> dict[str, Any] | None:
        """The Bundle, if it is one of a type that ends so."""
        with suppress(ValueError):
            body = json.loads(self.body)
            if isinstance(body, dict) and str(body.get("type", "")).endswith(type):
                return body
        return None

    def saying(self, bundle: dict[str, Any]) -> "Reply":
        return replace(self, body=json.dumps(bundle).encode())


class Passage:
    """One request on its way.

    :ivar chance: from the seed and the number of the request, so that a fault draws the same again
    """

    def __init__(self, proxy: "Proxy", exchange: Exchange, chance: random.Random) -> None:
        self.proxy, self.exchange, self.chance = proxy, exchange, chance

    @property
    def kind(self) -> str:
        """The request without what is its own: ``PUT Patient``, ``POST ``."""
        path = self.exchange.path.removeprefix("/fhir").strip("/").split("?")[0]
        return f"{self.exchange.command} {path.split('/')[0]}"

    def deliver(self, body: bytes | None = None) -> Reply:
        """The request reaches the server; what that says."""
        return self.proxy.forward(self.exchange, self.exchange.request_body if body is None else body)

    def give(self, reply: Reply) -> None:
        self.proxy.last[self.kind] = reply
        headers = {k.replace("-", "_"): v for k, v in reply.headers.items()}
        self.exchange.answer(reply.status, reply.body, **headers)

    def begin(self, reply: Reply, *headers: str) -> None:
        """The head of an answer whose body comes in another way."""
        lines = [f"HTTP/1.1 {reply.status} OK", "Content-Type: application/fhir+json", *headers, "", ""]
        self.exchange.raw("\r\n".join(lines).encode())


class Proxy(FaultServer):
    """Between a client, which knows :attr:`url` only, and a server. A context manager.

    :param upstream: the base URL of the server
    :param script: the fault of a request, by its number from 0 and what it is
    :ivar happened: the faults of this run, in the order of the requests
    """

    def __init__(self, upstream: str, script: Script | None = None, *, seed: object = 0) -> None:
        super().__init__(self._passed)
        self.upstream = upstream
        self.begin(script, seed=seed)
        self._pool = urllib3.PoolManager(maxsize=32, retries=False)
        self._late: list[threading.Timer] = []
        self._lock = threading.Lock()

    def begin(self, script: Script | None = None, *, seed: object = 0) -> None:
        """A new run at the same address: to a client it is the same server."""
        self.script, self.seed = script or (lambda n, exchange: ""), seed
        self.happened: list[str] = []
        self.last: dict[str, Reply] = {}

    def _passed(self, exchange: Exchange) -> None:
        with self._lock:
            n = len(self.happened)
            name = self.script(n, exchange)
            self.happened.append(name)
        FAULTS[name](Passage(self, exchange, random.Random(f"{self.seed}/{n}")))

    def forward(self, exchange: Exchange, body: bytes) -> Reply:
        """To the server and back; what it says of its own address is said of ours."""
        headers = {k: v for k, v in exchange.headers.items() if k.lower() not in HOP}
        path = exchange.path.removeprefix("/fhir")
        got = self._pool.request(exchange.command, self.upstream + path, body=body, headers=headers, redirect=False)
        told = {k.title(): v.replace(self.upstream, self.url) for k, v in got.headers.items() if k.lower() not in HOP}
        return Reply(got.status, told, got.data.replace(self.upstream.encode(), self.url.encode()))

    def later(self, passage: Passage) -> None:
        """The request reaches the server when its client has given it up."""
        timer = threading.Timer(LATE, passage.deliver)
        self._late.append(timer)
        timer.start()

    def settle(self) -> None:
        """Waits for what is still under way to the server."""
        while self._late:
            self._late.pop().join()

    def __exit__(self, *error: object) -> None:
        self.settle()
        super().__exit__(*error)
        self._pool.clear()


FAULTS: dict[str, Callable[[Passage], None]] = {"": lambda p: p.give(p.deliver())}


def fault(name: str) -> Callable[[Callable[[Passage], None]], Callable[[Passage], None]]:
    def known(does: Callable[[Passage], None]) -> Callable[[Passage], None]:
        FAULTS[name] = does
        return does

    return known


# --- the connection -----------------------------------------------------------------------------------------


@fault("cut before")
def _(p: Passage) -> None:
    p.exchange.drop()


@fault("reset before")
def _(p: Passage) -> None:
    _reset(p.exchange)


@fault("cut after")
def _(p: Passage) -> None:
    p.deliver()
    p.exchange.drop()


@fault("reset after")
def _(p: Passage) -> None:
    p.deliver()
    _reset(p.exchange)


@fault("late")
def _(p: Passage) -> None:
    p.proxy.later(p)
    p.exchange.drop()


@fault("twice")
def _(p: Passage) -> None:
    p.deliver()
    p.give(p.deliver())


@fault("delay")
def _(p: Passage) -> None:
    time.sleep(p.chance.uniform(0.01, 0.2))
    p.give(p.deliver())


@fault("cut short")
def _(p: Passage) -> None:
    reply = p.deliver()
    p.begin(reply, f"Content-Length: {len(reply.body) + 1}")
    p.exchange.raw(reply.body[: p.chance.randrange(len(reply.body) + 1)])
    p.exchange.drop()


@fault("drip")
def _(p: Passage) -> None:
    reply = p.deliver()
    p.begin(reply, "Content-Length: 100000")
    p.exchange.drip(reply.body[:1] + b" " * 99_999, 0.05)


@fault("endless")
def _(p: Passage) -> None:
    p.begin(p.deliver(), "Transfer-Encoding: chunked")
    while True:
        p.exchange.raw(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


@fault("bomb")
def _(p: Passage) -> None:
    p.deliver()
    p.give(Reply(200, {"Content-Encoding": "gzip"}, bomb(1024**2) * 512))


# --- the answer ---------------------------------------------------------------------------------------------


@fault("half the JSON")
def _(p: Passage) -> None:
    reply = p.deliver()
    p.give(replace(reply, body=reply.body[: len(reply.body) // 2]))


@fault("login page")
def _(p: Passage) -> None:
    p.give(_PAGE)


@fault("login page after")
def _(p: Passage) -> None:
    p.deliver()
    p.give(_PAGE)


@fault("4xx page")
def _(p: Passage) -> None:
    """A gateway that does not know the way for a moment: none of it is the server's word."""
    p.give(replace(_PAGE, status=p.chance.choice((400, 404, 405))))


@fault("taken in")
def _(p: Passage) -> None:
    p.deliver()
    p.give(Reply(202, {}, b""))


@fault("5xx before")
def _(p: Passage) -> None:
    p.give(Reply(p.chance.choice(_FAILED), {"Retry-After": "0"}, b""))


@fault("5xx after")
def _(p: Passage) -> None:
    p.deliver()
    p.give(Reply(p.chance.choice(_FAILED), {}, _OUTCOME))


@fault("429")
def _(p: Passage) -> None:
    p.give(Reply(429, {"Retry-After": p.chance.choice(["0", "1"])}, b""))


@fault("401")
def _(p: Passage) -> None:
    p.give(Reply(401, {"WWW-Authenticate": "Bearer"}, b""))


@fault("redirect")
def _(p: Passage) -> None:
    p.give(Reply(p.chance.choice([301, 302, 307, 308]), {"Location": "http://127.0.0.1:9/fhir/"}, b""))


@fault("done, look there")
def _(p: Passage) -> None:
    p.deliver()
    p.give(Reply(303, {"Location": "http://127.0.0.1:9/fhir/"}, b""))


@fault("another resource")
def _(p: Passage) -> None:
    reply = p.deliver()
    p.give(replace(reply, body=_OUTCOME) if reply.status < 300 else reply)


@fault("interim")
def _(p: Passage) -> None:
    """The answer comes after a word that is none (RFC 9110, 15.2.)."""
    p.exchange.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
    p.give(p.deliver())


@fault("hung up")
def _(p: Passage) -> None:
    """A whole answer, and a connection that is closed without saying so."""
    p.give(p.deliver())
    p.exchange.drop()


@fault("nothing found")
def _(p: Passage) -> None:
    """An index that is behind: the search is answered, and finds nothing."""
    reply = p.deliver()
    found = reply.bundle("searchset")
    p.give(reply.saying(found | {"total": 0, "entry": [], "link": []}) if found else reply)


@fault("compressed")
def _(p: Passage) -> None:
    reply = p.deliver()
    p.give(replace(reply, headers=reply.headers | {"Content-Encoding": "gzip"}, body=gzip.compress(reply.body)))


# --- the results of a bundle --------------------------------------------------------------------------------


def _rewritten(p: Passage, change: Callable[[list[Any]], list[Any]]) -> None:
    """The answer with its entries changed; another answer, or one that cannot be changed so, stays."""
    reply = p.deliver()
    bundle = reply.results
    p.give(reply.saying(bundle | {"entry": change(bundle["entry"])}) if bundle and bundle.get("entry") else reply)


@fault("entry missing")
def _(p: Passage) -> None:
    def change(entries: list[Any]) -> list[Any]:
        n = p.chance.randrange(len(entries))
        return entries[:n] + entries[n + 1 :]

    _rewritten(p, change)


@fault("entry twice")
def _(p: Passage) -> None:
    _rewritten(p, lambda entries: [*entries, p.chance.choice(entries)])


@fault("entry for another")
def _(p: Passage) -> None:
    def change(entries: list[Any]) -> list[Any]:
        a, b = p.chance.choices(range(len(entries)), k=2)
        return [entries[b] if n == a else e for n, e in enumerate(entries)]

    _rewritten(p, change)


@fault("entries in disorder")
def _(p: Passage) -> None:
    _rewritten(p, lambda entries: p.chance.sample(entries, len(entries)))


@fault("entry failed")
def _(p: Passage) -> None:
    def change(entries: list[Any]) -> list[Any]:
        n = p.chance.randrange(len(entries))
        return [{"response": {"status": "500 Oh"}} if i == n else e for i, e in enumerate(entries)]

    _rewritten(p, change)


@fault("entry put off")
def _(p: Passage) -> None:
    """429 inside a batch with 200: the server never saw those entries. Of a transaction it is a lie."""
    late = {"response": {"status": "429 Too Many Requests"}}
    with suppress(ValueError, KeyError, TypeError):
        sent = json.loads(p.exchange.request_body)
        if sent["type"] == "batch":
            put_off = {n for n in range(len(sent["entry"])) if p.chance.random() < 0.5}
            rest = [e for n, e in enumerate(sent["entry"]) if n not in put_off]
            reply = p.deliver(json.dumps(sent | {"entry": rest}).encode())
            results = reply.results
            if results:
                answers = iter(results.get("entry", []))
                told = [late if n in put_off else next(answers) for n in range(len(sent["entry"]))]
                return p.give(reply.saying(results | {"entry": told}))
            return p.give(reply)
    return _rewritten(p, lambda entries: [late, *entries[1:]])


@fault("an older answer")
def _(p: Passage) -> None:
    """A broken cache gives the results of another bundle."""
    reply, before = p.deliver(), p.proxy.last.get(p.kind)
    p.give(before if before is not None and reply.results and before.results else reply)


# --- scripts ------------------------------------------------------------------------------------------------

SLOW = frozenset({"drip", "endless", "bomb"})
"""They cost the client its whole patience or all the memory that it grants an answer: chance picks them seldom."""


def what(exchange: Exchange) -> str:
    """What a request is for: to ask what the server can do, to read, to create people (a batch), to create the rest, or
    to change something."""
    body = exchange.request_body
    if exchange.path.endswith("/metadata"):
        return "ask"
    if exchange.command == "GET" or exchange.path.endswith("/_search"):
        return "read"
    if exchange.command == "PUT" or b'"method":"PUT"' in body:
        return "change"
    return "batch" if b'"type":"batch"' in body else "create"


def first(kind: str, name: str) -> Script:
    """One fault, at the first request of a kind."""
    seen: list[int] = []

    def script(n: int, exchange: Exchange) -> str:
        if seen or what(exchange) != kind:
            return ""
        seen.append(n)
        return name

    return script


def random_faults(seed: object, rate: float) -> Script:
    """A share of the requests meets a fault."""
    names = sorted(FAULTS.keys() - {""})
    weights = [0.1 if name in SLOW else 1.0 for name in names]

    def script(n: int, exchange: Exchange) -> str:
        chance = random.Random(f"{seed}:{n}")
        return chance.choices(names, weights)[0] if chance.random() < rate else ""

    return script


def told(happened: list[str]) -> str:
    """How often what happened, for reports."""
    counts = Counter(filter(None, happened))
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "no fault"


def _reset(exchange: Exchange) -> None:
    """RST instead of FIN."""
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.close_connection = True
    with suppress(OSError):
        exchange.connection.close()


_FAILED = (408, 500, 502, 503, 504)
_PAGE = Reply(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")
_OUTCOME = json.dumps(
    {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
).encode()

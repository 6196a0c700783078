"""
Clients of a `fort`'s admin page: strangers who send what no browser sends, and friends who know the
token. No contestant; for `benchmarks.soak` and `benchmarks.fuzz`.

A stranger dials, sends its bytes, some of them late, reads for a while, and drops. It must never be
told JSON, which is for those who know the token, nor a status of 500. One of the friends asks all
the time, and all that it asks has to be answered; one asks what makes no sense, and is refused; two
have the page open: one reads what is sent, the other one never does.

What is sent depends on a seed; when it is, on the machine.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

REACTOR = True

#: Seconds that a friend waits for an answer.
PATIENCE = 60.0

#: Seconds that a stranger stays, at most.
STAY = 5.0

#: What the friend asks, again and again.
FRIENDLY = (
    *("/", "/healthz", "/metrics", "/api/overview.json", "/api/series.json", "/api/topics.json"),
    *("/api/connections.json?limit=5&sort=-requests", "/api/objects.json", "/api/session.json"),
)

#: The views of the page that is open.
PAGES = ("overview", "connections", "calls", "objects", "log", "topics")

#: What one who knows the token asks that makes no sense; it closes nobody, for the page only looks.
SENSELESS = (
    *("GET /api/connections.json?limit=0", "GET /api/connections.json?filter=" + "x" * 999),
    *("GET /api/tasks/%00/1/output.json?since=-1", "GET /events?view=nothing", "HEAD /events"),
    *("POST /api/connections/1/close", "POST /api/tasks/none/1/kill", "DELETE /api/overview.json"),
)

#: Parts of what a stranger sends, in the order in which it does.
Parts = Sequence[bytes]


def ask(line: str = "GET / HTTP/1.1", *headers: str, body: bytes = b"") -> bytes:
    """Return a request; it is for this machine unless its headers say otherwise."""
    if not any(each.lower().startswith("host:") for each in headers):
        headers = ("Host: localhost", *headers)
    return "\r\n".join((line, *headers, "", "")).encode("latin-1") + body


def _paths(source: random.Random) -> Parts:
    path = source.choice(
        [
            *("/../../etc/passwd", "/%2e%2e/%2e%2e/", "/assets/../site.py", "/assets/%00", "//"),
            *(
                "*",
                "http://other.example/",
                "/" + "a" * 9000,
                "/\xff\xfe",
                "/api/overview.json?" * 9,
            ),
            *("/api/overview.json", "/events", "/metrics", "/api/tasks/x/1/output.json"),
        ]
    )
    return [ask(f"GET {path} HTTP/1.1")]


def _methods(source: random.Random) -> Parts:
    method = source.choice(["BREW", "CONNECT", "TRACE", "PUT", "get", "", "\x00", "P" * 999])
    version = source.choice(["HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "", "x"])
    return [ask(f"{method} {source.choice(['/', '/api/overview.json'])} {version}")]


def _places(source: random.Random) -> Parts:
    header = source.choice(
        [
            *("Host: other.example", "Host: ", "Host: localhost:1:2", "Host: [::1", "Host: \xff"),
            *("Origin: null", "Origin: http://other.example", "Origin: http://localhost:1"),
            *("Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"),
        ]
    )
    return [ask(source.choice(["GET / HTTP/1.1", "POST /login HTTP/1.1"]), header)]


def _huge(source: random.Random) -> Parts:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    return source.choice(
        [
            [head + b"X: " + b"y" * 20_000 + b"\r\n\r\n"],
            [head, *[b"X: " + b"y" * 500 + b"\r\n"] * 50],
            [head + b"X: y\r\n" * 200 + b"\r\n"],
            [head + b"X: y\r\n" + b" y\r\n" * 2000],
            [b"G" * 50_000],
            [b"\r\n" * 5000],
        ]
    )


def _halves(source: random.Random) -> Parts:
    whole = ask("POST /login HTTP/1.1", "Content-Length: 10", body=b"0123456789")
    return source.choice([[], [whole[: source.randrange(1, len(whole))]]])


def _slow(source: random.Random) -> Parts:
    whole = ask("POST /login HTTP/1.1", "Content-Length: 4000", body=b"x" * 40)
    start = source.randrange(1, len(whole))
    return [whole[:start], *(whole[at : at + 1] for at in range(start, len(whole)))]


def _bodies(source: random.Random) -> Parts:
    headers, body = source.choice(
        [
            (["Content-Length: 99999999999"], b"x"),
            (["Content-Length: -1"], b"x"),
            (["Content-Length: 5000"], b"x" * 5000),
            (["Content-Length: 1", "Content-Length: 2"], b"xx"),
            (["Content-Length: 3", "Transfer-Encoding: chunked"], b"1\r\nx\r\n0\r\n\r\n"),
            (["Transfer-Encoding: chunked"], b"ffffffffff\r\nx"),
            (["Transfer-Encoding: chunked"], b"-1\r\nx\r\n0\r\n\r\n"),
            (
                ["Transfer-Encoding: chunked"],
                b"1000\r\n" + b"x" * 4096 + b"\r\n1\r\nx\r\n0\r\n\r\n",
            ),
            (["Transfer-Encoding: gzip"], b"x"),
            (["Expect: 100-continue", "Content-Length: 3"], b"xxx"),
        ]
    )
    return [ask("POST /login HTTP/1.1", *headers, body=body)]


def _wrong_cookies(source: random.Random) -> Parts:
    header = source.choice(
        [
            *("Cookie: txremote=9999999999.00", "Cookie: txremote-80=\xff.\xff", "Cookie: ;;;==;"),
            *("Cookie: " + "a=b; " * 1000, "Authorization: Bearer", "Authorization: Bearer \xff"),
            *("Authorization: Basic Og==", "Authorization: Bearer " + "x" * 5000),
        ]
    )
    path = source.choice(["/api/overview.json", "/events", "/api/connections/1/close"])
    return [ask(f"{source.choice(['GET', 'POST'])} {path} HTTP/1.1", header, "X-CSRF-Token: 1")]


def _guesses(source: random.Random) -> Parts:
    body = source.choice([b"", b"\xff" * 100, b"guess", b"x" * 4096])
    return [ask("POST /login HTTP/1.1", f"Content-Length: {len(body)}", body=body)]


def _frames(source: random.Random) -> Parts:
    """A page that has no WebSocket is asked for one, and sent a frame that is cut short."""
    words = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    upgrade = ask("GET /events HTTP/1.1", *words, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
    frame = b"\x82\xff" + b"\x7f" + b"\xff" * 7 + source.randbytes(20)
    return [upgrade, frame[: source.randrange(1, len(frame))]]


def _many(source: random.Random) -> Parts:
    """Requests that do not wait for the answers."""
    return [source.choice([ask(), ask("GET /assets/app.js HTTP/1.1")]) * 300]


def _other_protocols(source: random.Random) -> Parts:
    return [
        source.choice(
            [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
        )
    ]


def _changed(source: random.Random) -> Parts:
    """A request that would be right, with some of its bytes changed, repeated or cut out."""
    data = bytearray(
        ask("GET /healthz HTTP/1.1", "Accept: */*", "Cookie: a=b", "Content-Length: 0")
    )
    for _ in range(source.choice([1, 2, 5, 20])):
        at = source.randrange(len(data))
        what = source.choice(
            [b"", source.randbytes(1), b"\r\n", b":", b" ", data[at : at + 9] * 50]
        )
        data[at : at + source.choice([0, 1, 5])] = what
    return [bytes(data)]


#: All that a stranger may do.
HOSTILE: Sequence[Callable[[random.Random], Parts]] = (
    *(_paths, _methods, _places, _huge, _halves, _slow, _bodies, _wrong_cookies, _guesses),
    *(_frames, _many, _other_protocols, _changed, _changed),
)


class Dialled(Protocol):
    """A connection: what came, and when it has ended."""

    def __init__(self) -> None:
        self.came = bytearray()
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Called with what comes."""
        self.came += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Called at the end."""
        self.ended.callback(None)


class PageVisitors:
    """All of them."""

    def __init__(self, reactor: Any, port: int, token: str, seed: int) -> None:
        self._reactor = reactor
        self._port = port
        self._bearer = f"Authorization: Bearer {token}"
        self._source = random.Random(seed)
        self._agent = Agent(reactor, pool=HTTPConnectionPool(reactor))
        self._leaving = False
        self._staying: list[Deferred[None]] = []
        self._answers: Counter[str] = Counter()
        self._served = 0
        self._news = 0
        self._errors: list[str] = []

    def report(self) -> dict[str, Any]:
        """
        Tell what strangers were answered, ``answers`` by status; how often the friend was
        ``served``; how many bytes of ``news`` the page has had that is read; and ``errors``.
        """
        return {
            "answers": dict(sorted(self._answers.items())),
            "served": self._served,
            "news": self._news,
            "errors": self._errors[:10],
        }

    def begin(self, strangers: int) -> None:
        """Have so many strangers, and the friends, come and go until `leave`."""
        self._leaving = False
        friends = [self._friend, self._senseless, self._reader, self._sleeper]
        parts = [*friends, *[self._stranger] * strangers]
        self._staying = [Deferred.fromCoroutine(self._go_on(each)) for each in parts]

    async def leave(self) -> None:
        """Have all drop their connections, and nobody come any more."""
        self._leaving = True
        await DeferredList(self._staying)
        pool: Any = self._agent._pool
        await pool.closeCachedConnections()

    async def _go_on(self, part: Callable[[], Any]) -> None:
        while not self._leaving:
            try:
                await part()
            except Exception as error:  # whatever it is, it should not have been
                self._errors.append(f"{part.__name__}: {type(error).__name__}: {error}"[:500])
                await self._stay(1.0)

    async def _stay(self, seconds: float, dialled: Dialled | None = None) -> None:
        """Wait so long, or until all shall leave, or the connection ends."""
        until = self._reactor.seconds() + seconds
        while not self._leaving and (left := until - self._reactor.seconds()) > 0:
            if dialled is not None and dialled.ended.called:
                return
            await deferLater(self._reactor, min(left, 0.2))

    async def _talk(self, parts: Parts, seconds: float, reads: bool = True) -> bytes:
        """Dial, send, stay, and drop; return what came."""
        endpoint = TCP4ClientEndpoint(
            self._reactor, "127.0.0.1", self._port, timeout=PATIENCE, bindAddress=("127.0.4.1", 0)
        )
        dialled: Dialled = await connectProtocol(endpoint, Dialled())
        transport: Any = dialled.transport
        if not reads:
            transport.pauseProducing()
        for part in parts:
            transport.write(part)
            if len(parts) > 1:
                await self._stay(0.05, dialled)
        await self._stay(seconds, dialled)
        drop = self._source.choice([transport.abortConnection, transport.loseConnection])
        (drop if reads else transport.abortConnection)()
        await dialled.ended
        return bytes(dialled.came)

    # -- each of these is a visit

    async def _stranger(self) -> None:
        kind = self._source.choice(HOSTILE)
        parts = kind(self._source)
        came = await self._talk(parts, self._source.uniform(0, STAY))
        status = came[9:12].decode("latin-1") if came.startswith(b"HTTP/1.") else "none"
        self._answers[status] += 1
        if status == "500" or b"application/json" in came:
            raise AssertionError(f"{parts!r:.200} was answered {came!r:.200}")

    async def _friend(self) -> None:
        path = self._source.choice(FRIENDLY)
        status, body = await self._ask("GET", path)
        if status != 200 and not (path == "/healthz" and status == 503):
            raise AssertionError(f"{path} was answered {status} {body!r:.200}")
        self._served += 1
        await self._stay(0.1)

    async def _senseless(self) -> None:
        method, path = self._source.choice(SENSELESS).split(" ")
        status, body = await self._ask(method, path)
        if not (400 <= status < 500 or method == "HEAD"):
            raise AssertionError(f"{method} {path} was answered {status} {body!r:.200}")
        await self._stay(0.5)

    async def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        name, _colon, value = self._bearer.partition(": ")
        url = f"http://127.0.0.1:{self._port}{path}".encode()
        asking: Any = self._agent.request(method.encode(), url, Headers({name: [value]}))
        response = await asking.addTimeout(PATIENCE, self._reactor)
        body: Any = readBody(response)
        return response.code, await body.addTimeout(PATIENCE, self._reactor)

    async def _reader(self) -> None:
        line = f"GET /events?view={self._source.choice(PAGES)} HTTP/1.1"
        came = await self._talk([ask(line, self._bearer)], self._source.uniform(1, 20))
        if came and not came.startswith(b"HTTP/1.1 200"):
            raise AssertionError(f"{line} was answered {came!r:.200}")
        self._news += len(came)

    async def _sleeper(self) -> None:
        parts = [ask("GET /events?view=connections HTTP/1.1", self._bearer)]
        await self._talk(parts, self._source.uniform(1, 60), reads=False)


async def connect(reactor: Any, port: int, token: str, seed: int = 0) -> PageVisitors:
    """
    Return the visitors, none of whom has come yet.

    Args:
        reactor: Where they live.
        port: The page's.
        token: The path of its token.
        seed: What the strangers' requests are made from.
    """
    return PageVisitors(reactor, port, Path(token).read_text().strip(), seed)

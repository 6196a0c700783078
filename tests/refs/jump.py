"""
A program that sets its clock while limits of time run: a second each, all at once.

Not a test file. The time of day of this process, and so of Twisted's reactor, is moved by
what the first argument says, in seconds; then each limit's name is printed with how long it
took, by a clock that nobody sets.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import Any

from twisted.python import runtime

OFF = [0.0]
runtime.seconds = lambda: time.time() + OFF[0]  # before the reactor takes it

from twisted.cred.portal import Portal  # noqa: E402
from twisted.internet import reactor as _reactor  # noqa: E402
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred  # noqa: E402
from twisted.internet.protocol import Factory, Protocol  # noqa: E402
from twisted.internet.task import react  # noqa: E402

import txremote  # noqa: E402
from txremote.eventloop.login_throttle import LoginThrottle  # noqa: E402
from txremote.refs.clock import steady  # noqa: E402
from txremote.work.spec import pool_from_string  # noqa: E402

reactor: Any = _reactor
LOOPBACK = "tcp:0:interface=127.0.0.1"


class Svc(txremote.Service):
    """Answers nothing."""

    @txremote.exposed
    def never(self) -> Deferred[Any]:
        """No answer."""
        return Deferred()


class Realm:
    """Has an avatar for nobody."""

    service = Svc


class Ending(Protocol):
    """A raw client: says something and waits for the end."""

    said = b""

    def connectionMade(self) -> None:
        if self.said:
            self.transport.write(self.said)  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.ended.callback(None)  # type: ignore[union-attr]


def raw(port: int, said: bytes = b"") -> Deferred[None]:
    """Connect, say something, and return a Deferred of the end."""
    factory: Any = Factory.forProtocol(type("Raw", (Ending,), {"said": said}))
    factory.ended = Deferred()
    from twisted.internet.endpoints import TCP4ClientEndpoint

    TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(factory)
    ended: Deferred[None] = factory.ended
    return ended


async def main(_reactor: Any) -> None:
    """Begin everything, set the clock, and tell how long each thing took."""
    where = {}
    for name, root, config in (
        ("call", Svc, {"call_timeout": 1}),
        ("plain", Svc, {}),
        ("frame", Svc, {"frame_timeout": 1}),
        ("idle", Svc, {"idle_timeout": 1}),
        ("login", Portal(Realm(), []), {"login_timeout": 1}),
    ):
        port = await txremote.listen(LOOPBACK, root, config=config)
        where[name] = port.getHost().port
    silent = socket.create_server(("127.0.0.1", 0))
    closed = socket.create_server(("127.0.0.1", 0))
    nobody = closed.getsockname()[1]
    closed.close()

    async def connected(name: str, **config: Any) -> Any:
        return await txremote.connect(f"tcp:127.0.0.1:{where[name]}", config=config)

    calling, asking = await connected("call"), await connected("plain", request_timeout=1)
    plain = await connected("plain")
    threads, processes = pool_from_string("threads:2"), pool_from_string("processes:min=1:max=1")
    for pool in (threads, processes):
        pool.startService()
    await processes.submit(abs, (1,))
    client = txremote.RemoteClient(f"tcp:127.0.0.1:{nobody}", wait_timeout=1)
    redialling = txremote.RemoteClient(
        f"tcp:127.0.0.1:{nobody}", retry_policy=lambda _tries: 1.0, timeout=5
    )
    for one in (client, redialling):
        one.startService()
    guesses = LoginThrottle(steady(reactor))
    who = calling.transport.getPeer(), "ann"
    (await guesses.turn(*who)).failed()

    took = {}
    begun = time.monotonic()

    def measure(name: str, deferred: Any) -> Deferred[Any]:
        def ended(result: Any) -> None:
            took[name] = time.monotonic() - begun, str(getattr(result, "value", result))[:200]

        waiting: Deferred[Any] = maybeDeferred(lambda: deferred).addBoth(ended)
        return waiting

    timed = txremote.timed(plain.root.never, 1)()
    expired: Deferred[Any] = Deferred()
    timed.add_callback(lambda _result: expired.callback("expired"))
    running = [
        measure("call_timeout", calling.root.never()),
        measure("request_timeout", asking.root.never()),
        measure("timed", expired),
        measure("frame_timeout", raw(where["frame"], b"\0\0\1\0\0abc")),
        measure("idle_timeout", raw(where["idle"])),
        measure("login_timeout", raw(where["login"])),
        measure("connect", txremote.connect(f"tcp:127.0.0.1:{silent.getsockname()[1]}", timeout=1)),
        measure("wait_timeout", client.root.never()),
        measure("redial", redialling.whenConnected(failAfterFailures=2)),
        measure("thread", threads.submit(time.sleep, (3,), timeout=1)),
        measure("process", processes.submit(time.sleep, (30,), timeout=1)),
        measure("guesses", guesses.turn(*who)),
    ]
    await txremote.connect(f"tcp:127.0.0.1:{where['plain']}")  # by now all of it has begun
    OFF[0] += float(sys.argv[1])
    await DeferredList(running)
    for service in (client, redialling, processes):
        await maybeDeferred(service.stopService)
    print("TOOK", json.dumps(took), flush=True)


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))

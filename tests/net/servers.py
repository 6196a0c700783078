"""
What the tests of this folder share: servers in the tests' own reactor.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher

import txremote
from txremote import connect, exposed, listen
from txremote.net.listen import ServingFactory

LOOPBACK = "tcp:0:interface=127.0.0.1"

#: Seconds that anything in these tests may take.
DEADLINE = 30.0


class Desk(txremote.Service):
    """A service with a bit of everything; counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.waiting: list[Deferred[Any]] = []
        self.cancelled: list[Deferred[Any]] = []
        self.conns: list[Any] = []
        self.left: Deferred[Any] = Deferred()

    def on_connect(self, conn: Any) -> None:
        self.conns.append(conn)

    def on_disconnect(self, conn: Any) -> None:
        if not self.left.called:
            self.left.callback(conn)

    @exposed
    def count(self) -> int:
        """How often this instance has been asked."""
        self.asked += 1
        return self.asked

    @exposed
    def same(self, value: Any) -> Any:
        """The value itself."""
        return value

    @exposed
    def blob(self, size: int) -> bytes:
        """Many bytes."""
        return bytes(size)

    @exposed
    def wait(self) -> Deferred[Any]:
        """Never answers by itself."""
        deferred: Deferred[Any] = Deferred(self.cancelled.append)
        self.waiting.append(deferred)
        return deferred

    @exposed
    async def sleep(self, seconds: float) -> str:
        """Answers later."""
        from twisted.internet import reactor

        await deferLater(reactor, seconds)
        return "slept"

    @exposed
    async def call(self, function: Any, *args: Any) -> Any:
        """Calls the caller."""
        return await function(*args)

    @exposed
    def keep(self, function: Any) -> None:
        """Lets the tests call a function of the client's."""
        self.kept = function

    @exposed
    def peer(self) -> tuple[Any, ...]:
        """Who is calling."""
        call = txremote.current_call()
        return repr(call.peer), call.peer_certificate is not None


def endpoint_of(port: Any) -> str:
    """Return the client endpoint string of a listening port."""
    host = port.getHost()
    if hasattr(host, "port"):
        return f"tcp:{host.host}:{host.port}"
    return f"unix:{host.name.decode() if isinstance(host.name, bytes) else host.name}"


def factory_of(port: Any) -> Any:
    """Return the factory that was listened with; the driver of asyncio has one of its own."""
    return getattr(port.factory, "factory", port.factory)


@asynccontextmanager
async def served(root: Any, where: Any = LOOPBACK, **switches: Any) -> AsyncIterator[Any]:
    """Listen, and close all at the end."""
    port: Any = await listen(where, root, **switches)
    try:
        yield port
    finally:
        await port.stopListening()
        factory = getattr(port.factory, "wrappedFactory", port.factory)
        for conn in list(factory.connections):
            conn.transport.abortConnection()
            await conn.when_disconnected()


@asynccontextmanager
async def joined(root: Any, where: Any = LOOPBACK, **switches: Any) -> AsyncIterator[Any]:
    """Listen and connect: gives the client's connection."""
    async with served(root, where, **switches) as port:
        conn = await connect(endpoint_of(port), timeout=DEADLINE)
        try:
            yield conn
        finally:
            await conn.close()


@asynccontextmanager
async def listening(factory: Any, where: str = LOOPBACK) -> AsyncIterator[Any]:
    """Listen with a Twisted factory of any kind."""
    from twisted.internet import reactor

    port: Any = await serverFromString(reactor, where).listen(factory)
    try:
        yield port
    finally:
        await port.stopListening()


@asynccontextmanager
async def logged() -> AsyncIterator[list[Any]]:
    """Give the log events of what runs inside."""
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(events.append)


async def until(condition: Any) -> None:
    """
    Wait until a condition holds, a reactor's turn at a time.

    Raises:
        AssertionError: it does not within `DEADLINE`.
    """
    from twisted.internet import reactor

    end = reactor.seconds() + DEADLINE
    while not condition():
        assert reactor.seconds() < end, "it did not come about"
        await deferLater(reactor, 0.001)


__all__ = [
    "DEADLINE",
    "LOOPBACK",
    "Desk",
    "ServingFactory",
    "endpoint_of",
    "factory_of",
    "joined",
    "listening",
    "logged",
    "served",
    "until",
]

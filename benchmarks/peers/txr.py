"""
txremote: `listen` and `connect` as its documentation has them.

The methods from ``hold`` on are for `benchmarks.growth`.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred

from benchmarks.peers import work
from txremote import Service, connect as dial, exposed, listen as open_port

REACTOR = True

#: Far more than the default allows: the series of pending calls goes to 10,000, and with
#: ``--growth-far`` others to 1,000,000 objects and 100,000 connections.
_SWITCHES = {
    "max_calls": 100_000,
    "max_exports": 2_000_000,
    "max_imports": 2_000_000,
    "max_connections": 200_000,
}
_AT_ONCE = 1000


class Thing:
    """A custom object."""

    def __init__(self, number: int) -> None:
        self.exposed_number = number


class Bench(Service):
    """The service. One instance for each connection."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._subscriber: Any = None

    @exposed
    def add(self, a: int, b: int) -> int:
        """For "pipelined", "sequential", "blocking" and "threaded"."""
        return a + b

    @exposed
    def echo(self, blob: bytes) -> bytes:
        """For "bulk"."""
        return blob

    @exposed
    def fire(self, callback: Any, count: int) -> None:
        """For "events": nobody waits for an event's answer."""
        for number in range(count):
            callback(number)

    @exposed
    def subscribe(self, callback: Any) -> None:
        """For "background" and "event"."""
        self._subscriber = callback

    @exposed
    def fire_later(self, count: int, delay: float) -> None:
        """For "background" and "event": events come when no request is being served."""
        from twisted.internet import reactor

        callback = self._subscriber

        def fire() -> None:
            for _ in range(count):
                callback(perf_counter())

        running: Any = reactor
        running.callLater(delay, fire)

    @exposed
    def make(self, count: int) -> tuple[Thing, ...]:
        """For "objects"."""
        return tuple(map(Thing, range(count)))

    @exposed
    def keep(self, *things: Any) -> None:
        """Hold references to the client's objects."""
        self._kept.append(things)

    @exposed
    def never(self) -> Deferred[None]:
        """Have the client wait."""
        return Deferred()


class Client:
    """The client."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._kept: Any = ()

    async def pipelined(self, count: int) -> float:
        """See `benchmarks.rows.pipelined`."""
        return await work.pipelined(self._root.add, count)

    async def sequential(self, count: int) -> float:
        """See `benchmarks.rows.sequential`."""
        return await work.sequential(self._root.add, count)

    async def events(self, count: int) -> float:
        """See `benchmarks.rows.events`."""
        seen = 0

        def event(_number: int) -> None:
            nonlocal seen
            seen += 1

        start = perf_counter()
        await self._root.fire(event, count)
        seconds = perf_counter() - start
        work.check(seen, count)
        await self._root.add(0, 0)  # the server has read the answers to its events
        return seconds

    async def bulk(self, size: int) -> float:
        """See `benchmarks.rows.bulk`."""
        blob = work.random_bytes(size)
        start = perf_counter()
        answer = await self._root.echo(blob)
        seconds = perf_counter() - start
        work.check(answer, blob)
        return seconds

    async def objects(self, count: int) -> float:
        """See `benchmarks.rows.objects`."""
        start = perf_counter()
        self._kept = await self._root.make(count)
        seconds = perf_counter() - start
        work.check(len(self._kept), count)
        return seconds

    async def drop(self) -> None:
        """Give the objects back."""
        self._kept = ()
        await self._root.add(0, 0)

    async def hold(self, count: int) -> None:
        """Hold references to the server's objects."""
        self._kept = [await self._root.make(_AT_ONCE) for _ in range(count // _AT_ONCE)]
        self._kept.append(await self._root.make(count % _AT_ONCE))

    async def export(self, count: int) -> None:
        """Have the server hold references to ours."""
        for start in range(0, count, _AT_ONCE):
            await self._root.keep(*map(Thing, range(start, min(count, start + _AT_ONCE))))

    async def wait(self, count: int) -> None:
        """Have calls pending that are never answered."""
        self._kept = [self._root.never() for _ in range(count)]
        await self._root.add(0, 0)


async def listen(reactor: Any, threaded: bool = False) -> int:
    """Serve, in the reactor or in worker threads; return the port."""
    port = await open_port(
        "tcp:0:interface=127.0.0.1:backlog=1000",
        Bench,
        config=_SWITCHES,
        threaded_service=threaded,
        reactor=reactor,
    )
    return port.getHost().port


async def connect(reactor: Any, port: int) -> Client:
    """Return a connected client."""
    connection = await dial(f"tcp:127.0.0.1:{port}", config=_SWITCHES, reactor=reactor)
    return Client(connection.root)

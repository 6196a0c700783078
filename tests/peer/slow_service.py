"""
A service whose answers take their time. Not a test file.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, DeferredList, gatherResults, succeed
from twisted.internet.task import Clock, deferLater

from txremote import IAsyncResult, Service, exposed
from txremote.testing import Pair, connected_pair


class Slow(Service):
    """Methods whose results are still to come."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.gates: list[Deferred[Any]] = []
        self.cancelled: list[str] = []
        self.finished = 0

    @exposed
    def add(self, a: int, b: int) -> int:
        return a + b

    @exposed
    async def sleeps(self, seconds: float, value: Any = "done") -> Any:
        try:
            await deferLater(self.clock, seconds)  # type: ignore[arg-type]
        except CancelledError:
            self.cancelled.append("coroutine")
            raise
        self.finished += 1
        return value

    @exposed
    def deferred(self) -> Any:
        gate: Deferred[Any] = Deferred(lambda _deferred: self.cancelled.append("deferred"))
        self.gates.append(gate)
        return gate

    @exposed
    def chained(self) -> Any:
        return succeed(None).addCallback(lambda _nothing: self.deferred())

    @exposed
    def listed(self) -> Any:
        return DeferredList([self.deferred()])

    @exposed
    def gathered(self) -> Any:
        return gatherResults([self.deferred(), succeed(2)])

    @exposed
    def at_once(self) -> Any:
        return succeed("at once")

    @exposed
    def async_result(self) -> Any:
        return IAsyncResult(self.deferred())

    @exposed
    def future(self) -> Any:
        loop = asyncio.new_event_loop()
        future: asyncio.Future[str] = loop.create_future()
        future.set_result("from asyncio")
        loop.run_until_complete(asyncio.sleep(0))
        self.loop = loop
        return future

    @exposed
    def failing(self) -> Any:
        return defer.fail(ValueError("failed"))

    @exposed
    async def raising(self) -> Any:
        raise ValueError("raised")

    @exposed
    def bad_canceller(self) -> Any:
        def canceller(_deferred: Any) -> None:
            raise RuntimeError("in the canceller")

        return Deferred(canceller)


def slow_pair(make: Any = connected_pair, **options: Any) -> Pair:
    clock = Clock()
    return make(server_root=Slow(clock), clock=clock, **options)  # type: ignore[no-any-return]

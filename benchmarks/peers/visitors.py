"""
Clients that come to a `fort`, call, subscribe, and drop without a good-bye, over and
over. No contestant; for `benchmarks.soak`.

When one drops it holds objects, the server holds some of its own, and calls are
under way in both directions. Every second one resets its connection.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater

from txremote import connect as dial

REACTOR = True

#: How many there are at most from one address: fewer than ``max_per_address``.
PER_ADDRESS = 1000

#: How many dial at the same time: fewer than the server's backlog.
AT_ONCE = 100


class Visitors:
    """All of them."""

    def __init__(self, reactor: Any, port: int) -> None:
        self._reactor = reactor
        self._port = port
        self._source = random.Random(port)
        self._staying: list[Deferred[None]] = []
        self._leaving = False
        self._dialling = 0
        self._visits = 0
        self._calls = 0
        self._events = 0
        self._errors: list[str] = []

    def report(self) -> dict[str, Any]:
        """Tell how many ``visits``, ``calls`` and ``events`` there were, and ``errors``."""
        return {
            "visits": self._visits,
            "calls": self._calls,
            "events": self._events,
            "errors": self._errors[:10],
        }

    def begin(self, count: int, stay: float) -> None:
        """
        Have so many clients come and go until `leave`.

        Args:
            count: How many.
            stay: Seconds that a visit takes, on average.
        """
        self._leaving = False
        self._staying = [
            Deferred.fromCoroutine(self._go_on(f"127.0.1.{1 + number // PER_ADDRESS}", stay))
            for number in range(count)
        ]

    async def leave(self) -> None:
        """Have all drop their connections, and nobody come any more."""
        self._leaving = True
        await DeferredList(self._staying)

    async def _go_on(self, address: str, stay: float) -> None:
        endpoint = f"tcp:127.0.0.1:{self._port}:bindAddress={address}"
        while not self._leaving:
            try:
                await self._visit(endpoint, stay)
            except Exception as error:  # whatever it is, it should not have been
                self._errors.append(f"{type(error).__name__}: {error}"[:300])
                await self._pause(1.0)
            else:
                self._visits += 1

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds)

    async def _visit(self, endpoint: str, stay: float) -> None:
        until = self._reactor.seconds() + self._source.uniform(0, 2 * stay)
        while self._dialling >= AT_ONCE:
            await self._pause(self._source.uniform(0, 0.2))
            if self._leaving:
                return
        self._dialling += 1
        try:
            conn = await dial(endpoint, dialect="6", timeout=60, reactor=self._reactor)
        finally:
            self._dialling -= 1
        try:
            await self._call(conn)
            while not self._leaving and self._reactor.seconds() < until:
                await self._pause(min(0.2, stay))
            self._under_way(conn)
        finally:
            gone = conn.when_disconnected()
            if self._visits % 2:
                conn.transport.abortConnection()
            else:
                conn.transport.loseConnection()
            await gone

    async def _call(self, conn: Any) -> None:
        root = conn.root
        number = self._visits

        def event(_number: int, _size: bytes) -> None:
            self._events += 1

        await root.subscribe(event)
        answers = await gatherResults(
            [root.add(number, 1), root.echo("x" * 100), root.fire(3), root.things(5)],
            consumeErrors=True,
        )
        if answers[:2] != [number + 1, "x" * 100] or len(answers[3]) != 5:
            raise AssertionError("a wrong answer")
        await root.keep(event, [1], {2: 3})
        self._calls += 6

    def _under_way(self, conn: Any) -> None:
        root = conn.root
        under_way = [root.never(), root.call(Deferred), root.things(3), root.fire(2)]
        for call in under_way:
            call.addErrback(lambda _failure: None)


async def connect(reactor: Any, port: int) -> Visitors:
    """Return the visitors, none of whom has come yet."""
    return Visitors(reactor, port)

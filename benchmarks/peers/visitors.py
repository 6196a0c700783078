"""
Clients that come to a `fort`, call, subscribe, and drop without a good-bye, over and
over. No contestant; for `benchmarks.soak`.

Besides calls each has two errands (`visitors_errands`), of values, streams, topics or graphs,
and begins something that it leaves as it is. When one drops it holds objects, the server holds
some of its own, and calls, streams and events are under way in both directions. Every second
one resets its connection.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater

from benchmarks.peers.fort_goods import held
from benchmarks.peers.visitors_errands import ERRANDS, LEFT, under_way
from txremote import connect as dial

REACTOR = True

#: How many there are at most from one address: fewer than ``max_per_address``.
PER_ADDRESS = 1000

#: How many dial at the same time: fewer than the server's backlog.
AT_ONCE = 100

#: Seconds that a visitor waits for an answer: a machine may have much else to do.
PATIENCE = 120.0


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
        self._errands = 0
        self._left = 0
        self._come = itertools.count()
        self._events = 0
        self._errors: list[str] = []

    def report(self) -> dict[str, Any]:
        """
        Tell how many ``visits``, ``calls``, ``errands`` and ``events`` there were, how much was
        begun and ``left``, the ``errors``, and how many ``sources`` of the visitors' own streams
        are open.
        """
        return {
            "visits": self._visits,
            "calls": self._calls,
            "errands": self._errands,
            "left": self._left,
            "events": self._events,
            "errors": self._errors[:10],
            "sources": held()["sources"],
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
            conn = await dial(
                endpoint,
                dialect="6",
                timeout=PATIENCE,
                config={"request_timeout": PATIENCE},
                reactor=self._reactor,
            )
        finally:
            self._dialling -= 1
        try:
            await self._do(self._call, conn)
            left = await self._run_errands(conn)
            while not self._leaving and self._reactor.seconds() < until:
                await self._pause(min(0.2, stay))
            left += self._under_way(conn)
        finally:
            gone = conn.when_disconnected()
            if self._visits % 2:
                conn.transport.abortConnection()
            else:
                conn.transport.loseConnection()
            await gone  # what is left is held until here

    async def _run_errands(self, conn: Any) -> list[Any]:
        number = next(self._come)
        for place in (2 * number, 2 * number + 1):
            await self._do(ERRANDS[place % len(ERRANDS)], conn.root, number)
            self._errands += 1
        left = await self._do(LEFT[number % len(LEFT)], conn.root)
        self._left += 1
        return [left]

    async def _do(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Do it, and raise errors that name it."""
        try:
            return await function(*args)
        except Exception as error:
            raise AssertionError(f"{function.__name__}: {type(error).__name__}: {error}") from error

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

    def _under_way(self, conn: Any) -> list[Any]:
        root = conn.root
        calls = [root.never(), root.call(Deferred), root.things(3), root.fire(2)]
        for call in calls:
            call.addErrback(lambda _failure: None)
        return calls + under_way(root)


async def connect(reactor: Any, port: int) -> Visitors:
    """Return the visitors, none of whom has come yet."""
    return Visitors(reactor, port)

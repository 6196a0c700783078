"""
txremote's calls that use results which have not come: a service of its own, whose results are
objects with methods.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from benchmarks.peers.txr_ends import port_of, root_at
from benchmarks.peers.work import check
from txremote import Service, exposed

REACTOR = True

#: What the last of the five calls gives.
_LAST = 4


class Step:
    """An object that leads to another one."""

    def __init__(self, number: int) -> None:
        self._number = number

    @exposed
    def next(self) -> Step:
        """Return the next one."""
        return Step(self._number + 1)

    @exposed
    def number(self) -> int:
        """Return which one it is."""
        return self._number


class Bench(Service):
    """The service."""

    @exposed
    def first(self) -> Step:
        """Return the first step."""
        return Step(1)

    @exposed
    def number(self) -> int:
        """Return what the last of the steps does."""
        return _LAST


class Client:
    """The client. Each method is described in `benchmarks.rows.graph`."""

    def __init__(self, root: Any) -> None:
        self._root = root

    async def one_call(self, count: int) -> float:
        """One call, in place of five."""
        start = perf_counter()
        for _ in range(count):
            check(await self._root.number(), _LAST)
        return perf_counter() - start

    async def one_by_one(self, count: int) -> float:
        """Wait for each result."""
        start = perf_counter()
        for _ in range(count):
            step = await self._root.first()
            for _more in range(3):
                step = await step.next()
            check(await step.number(), _LAST)
        return perf_counter() - start

    async def in_one_go(self, count: int) -> float:
        """Wait for the last result alone."""
        start = perf_counter()
        for _ in range(count):
            check(await self._root.first().next().next().next().number(), _LAST)
        return perf_counter() - start


async def listen(reactor: object) -> int:
    """Serve; return the port."""
    return await port_of(Bench, reactor)


async def connect(reactor: object, port: int) -> Client:
    """Return a connected client."""
    return Client(await root_at(port, reactor))

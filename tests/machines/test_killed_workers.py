"""
A worker that is killed while all publish on one topic: what the subscribers of it, and of the
others, have had, missed and had twice, and for how long nothing came.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.daemon.workers.real import Workers
from txremote import ConnectionLost, connect
from txremote.buses.host import ENVIRONMENT

CLIENTS = 12


async def until(condition: Callable[[], bool]) -> None:
    """Let the reactor run until something is so."""
    from twisted.internet import reactor

    end = monotonic() + 30
    while not condition():
        assert monotonic() < end, "it has not happened"
        await deferLater(reactor, 0.02)  # type: ignore[arg-type]


class Watcher:
    """
    A subscriber, which subscribes again when its connection is lost.

    Attributes:
        pids: The workers that it was at, in order.
        numbers: The numbers that came from each worker, at each of those.
        gap: The longest time in which nothing came.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self.pids: list[int] = []
        self.numbers: list[dict[int, list[int]]] = []
        self.missed: list[Any] = []
        self.gap = 0.0
        self._last = 0.0
        self._ends = False
        self._connection: Any = None
        self.watching: Deferred[None] = Deferred.fromCoroutine(self._watch())

    async def _watch(self) -> None:
        while not self._ends:
            try:
                self._connection = await connect(self._place)
                self.pids.append(await self._connection.root.pid())
                await self._read(await self._connection.root.ticks.subscribe(missed=self._miss))
            except ConnectionLost:
                pass

    def _miss(self, *told: Any) -> None:
        self.missed.append(told)

    async def _read(self, ticks: Any) -> None:
        numbers: dict[int, list[int]] = {}
        self.numbers.append(numbers)
        async for pid, number in ticks:
            now = monotonic()
            self.gap = max(self.gap, now - (self._last or now))
            self._last = now
            numbers.setdefault(pid, []).append(number)

    def has(self, pid: int, count: int = 50) -> bool:
        """Tell whether so many events of a worker came where it is now."""
        return bool(self.numbers) and len(self.numbers[-1].get(pid, ())) >= count

    async def end(self) -> None:
        """Watch no more."""
        self._ends = True
        await self._connection.close()
        await self.watching

    def check(self) -> int:
        """Nothing is missing, came twice or in another order; return how many events came."""
        assert self.missed == []
        for each in self.numbers:
            for numbers in each.values():
                assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]
        return sum(len(numbers) for each in self.numbers for numbers in each.values())


@pytest_twisted.ensureDeferred
async def test_subscribers_of_the_other_workers_miss_nothing() -> None:
    """Those of the one that is killed subscribe again, and hear all workers, the new one too."""
    with TemporaryDirectory() as folder:
        environment = {**os.environ, ENVIRONMENT: str(Path(folder) / "bus")}
        service = ("--service", "tests.machines.ticker.Ticker")
        server = await deferToThread(lambda: Workers(service=service, env=environment))
        with server:
            old = server.worker_pids()
            watchers = [Watcher(server.place) for _ in range(CLIENTS)]
            await until(lambda: all(each.pids for each in watchers))
            while len({each.pids[0] for each in watchers}) < 2:  # one was busy, or not yet awake
                watchers.append(Watcher(server.place))
                await until(lambda: bool(watchers[-1].pids))
            await until(lambda: all(each.has(pid) for each in watchers for pid in old))
            killed = watchers[0].pids[0]
            [left] = {*old} - {killed}
            os.kill(killed, signal.SIGKILL)
            begun = monotonic()
            theirs = [each for each in watchers if each.pids[0] == killed]
            others = [each for each in watchers if each.pids[0] == left]
            await until(lambda: all(len(each.pids) == 2 and each.has(left) for each in theirs))
            back = monotonic() - begun
            await until(lambda: len({*server.worker_pids()} - {*old}) == 1)
            [new] = {*server.worker_pids()} - {*old}
            await until(lambda: all(each.has(new) for each in watchers))
            renewed = monotonic() - begun
            await gatherResults([Deferred.fromCoroutine(each.end()) for each in watchers])
        assert all(each.pids == [left] for each in others)
        delivered = [sum(each.check() for each in group) for group in (others, theirs)]
        print(
            f"{len(others)} clients of the other: {delivered[0]} delivered, none missed, none "
            f"twice, longest gap {max(each.gap for each in others):.2f} s; {len(theirs)} of the "
            f"killed one: {delivered[1]} delivered, 50 events again after {back:.2f} s; 50 of "
            f"the new worker after {renewed:.2f} s"
        )

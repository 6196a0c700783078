"""
Streams over a bad network: each ends once, in all its items or in an error, and leaves nothing.

Between the two ends stands a relay (`tests.hostile.proxy`), which delays, splits, stalls, resets
and closes. Each session reads a stream of each kind, and gives one of each, at the same time.
"""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.threads import deferToThread

import txremote.aio
import txremote.blocking
from tests.hostile.proxy import DOWN, UP, Weather, bad_network
from tests.net.servers import DEADLINE, served, until
from tests.streams.flows import ITEMS, Fountain, Origin, Readings, ThreadedFountain, left_in
from txremote import AsyncResultTimeout, ConnectionLost, DeadReferenceError, connect

LOST = (ConnectionLost, DeadReferenceError, EOFError, AsyncResultTimeout)
# A reader cannot tell a slow source from a line on which nothing moves any more.
CONFIG = {"keepalive": 0.3, "keepalive_timeout": 0.6, "sync_request_timeout": 0.5}


class Session:
    """A client's session: it reads and gives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.origin = Origin()
        self.readings = Readings()
        self.connection: Any = None

    async def _read_and_give(self, kind: str) -> None:
        root = self.connection.root
        await self.readings.read(kind, root.give(kind))
        with suppress(*LOST):
            await root.take(kind, self.origin.made(kind))

    async def in_reactor(self) -> None:
        """Have the session in the tests' reactor."""
        with suppress(*LOST):
            where = f"tcp:127.0.0.1:{self.port}"
            self.connection = await connect(where, config=CONFIG, timeout=DEADLINE)
            await gatherResults(
                [Deferred.fromCoroutine(self._read_and_give(kind)) for kind in ITEMS]
            )
        if self.connection is not None:
            await self.connection.close()

    async def in_asyncio(self) -> None:
        """Have the session in the asyncio loop that runs here."""
        with suppress(*LOST):
            dialling = txremote.aio.connect("127.0.0.1", self.port, config=CONFIG, timeout=DEADLINE)
            self.connection = await dialling
            await asyncio.gather(*map(self._read_and_give, ITEMS))
        if self.connection is not None:
            await self.connection.close()

    def in_script(self) -> None:
        """Have the session in this thread, which blocks, one after the other."""
        with suppress(*LOST):
            conn = txremote.blocking.connect("127.0.0.1", self.port, config=CONFIG)
            self.connection = conn.protocol
            with suppress(*LOST):
                for kind in ITEMS:
                    self.readings.read_here(kind, partial(conn.root.give, kind))
                    conn.root.take(kind, self.origin.made(kind))
            conn.close()


async def run_all(reader: str, sessions: list[Session]) -> None:
    """Run sessions, all at once."""
    if reader == "reactor":
        await gatherResults([Deferred.fromCoroutine(s.in_reactor()) for s in sessions])
    elif reader == "script":
        await gatherResults([deferToThread(s.in_script) for s in sessions])
    else:

        async def main() -> None:
            await asyncio.gather(*(session.in_asyncio() for session in sessions))

        await deferToThread(lambda: asyncio.run(main()))


async def length(reader: str, root: Callable[[], Fountain]) -> dict[str, int]:
    """Return how many bytes a session is, in each direction."""
    async with served(root()) as port, bad_network(port.getHost().port) as proxy:
        await run_all(reader, [Session(proxy.port)])
        return dict(proxy.lines[0].passed)


def bad_days(seed: str, total: dict[str, int], count: int) -> Iterator[Weather]:
    """Give what the network does, the same each time."""
    source = random.Random(seed)
    for number in range(count):
        way = source.choice([UP, DOWN])
        kind = ("reset", "close", "half", "stall", "pause", "reset")[number % 6]
        pace = None if kind == "pause" else source.choice([None, None, 1460, 9000])
        yield Weather(pace=pace, kind=kind, way=way, at=source.randrange(200, total[way]))
    yield Weather(delay=0.003)
    yield Weather(pace=700)


async def settled(fountain: Fountain, sessions: list[Session]) -> None:
    """Wait until all has ended at both ends, and check that nothing is left."""
    origins = [fountain.origin, *(session.origin for session in sessions)]
    connections = [c for c in fountain.connections if c is not None]
    connections += [s.connection for s in sessions if s.connection is not None]
    await until(lambda: all(connection.closed for connection in connections))
    gc.collect()  # errors and their frames may have some of it
    await until(lambda: not any(origin.left for origin in origins))
    await until(lambda: not any(left_in(connection) for connection in connections))
    assert [origin.left for origin in origins if origin.left] == []
    await until(lambda: fountain.readings.all_ended)


@pytest.mark.parametrize("reader", ["reactor", "script", "aio"])
@pytest.mark.parametrize("root", [Fountain, ThreadedFountain])
@pytest_twisted.ensureDeferred
async def test_streams_over_a_bad_network(root: Callable[[], Fountain], reader: str) -> None:
    total = await length(reader, root)
    fountain = root()
    async with served(fountain) as port, bad_network(port.getHost().port) as proxy:
        days = list(bad_days(f"{reader} {root.__name__}", total, 18))
        sessions = [Session(proxy.port) for _ in days]
        proxy.forecast = iter(days)
        await run_all(reader, sessions)
        proxy.cut()  # of a line that is stalled, the server hears nothing
        await settled(fountain, sessions)
    given = sum(session.readings.check(LOST) for session in sessions)
    taken = fountain.readings.check((*LOST, CancelledError))
    for well in (given, taken):  # some were cut, and some were not
        assert len(ITEMS) * 3 < well < len(ITEMS) * len(days)

"""
A thousand streams at once over real sockets, over one connection or many, and every way to end.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from tests.net.servers import DEADLINE, endpoint_of, factory_of, served, until
from tests.peer.pairs import Outcome
from tests.streams.flows import left_in
from txremote import CallCut, ConnectionLost, ServerStopping, Service, connect, exposed, stream
from txremote.peer.incoming import ALL_BYTES, LEAST_BYTES

MANY = 1000
#: Items of a stream; one that waits does so in its middle.
COUNT = 300
#: What becomes of a stream, and of how many in a hundred.
FATES = {"whole": 30, "left": 20, "cancelled": 15, "failing": 15, "waiting": 20}


class Well(Service):
    """Gives streams that can be told apart, and counts how they end."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.gate: Deferred[None] = Deferred()
        self.connections: list[Any] = []

    def on_connect(self, conn: Any) -> None:
        self.connections.append(conn)

    def _plain(self, first: int, fate: str) -> Iterator[int]:
        self.begun += 1
        try:
            for number in range(COUNT):
                if fate == "failing" and number == COUNT // 2:
                    raise LookupError(f"no more than {first}")
                yield first + number
        finally:
            self.ended += 1

    async def _asynchronous(self, first: int, fate: str) -> AsyncIterator[int]:
        self.begun += 1
        try:
            for number in range(COUNT):
                if fate == "failing" and number == COUNT // 2:
                    raise LookupError(f"no more than {first}")
                if fate in ("waiting", "cancelled") and number == COUNT // 2:
                    await self._gate()
                yield first + number
        finally:
            self.ended += 1

    def _gate(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        self.gate.addCallback(lambda _none: waiting.callback(None))
        return waiting

    @exposed
    def give(self, first: int, fate: str) -> Any:
        """Give `COUNT` numbers."""
        is_plain = first % 2 == 0 and fate not in ("waiting", "cancelled")
        return stream((self._plain if is_plain else self._asynchronous)(first, fate))

    @exposed
    def blocks(self, size: int) -> Any:
        """Give bytes without an end."""
        return stream(bytes(size) for _ in iter(int, 1))


class Reading:
    """One reader, what it has read, and how that has ended."""

    def __init__(self, conn: Any, first: int, fate: str) -> None:
        self.conn, self.first, self.fate = conn, first, fate
        self.items: list[int] = []
        self.running = Deferred.fromCoroutine(self._run())
        self.over = Outcome(self.running)

    async def _run(self) -> None:
        async for item in self.conn.root.give(self.first, self.fate):
            self.items.append(item)
            if self.fate == "left" and len(self.items) == COUNT // 3:
                break

    @property
    def is_where_it_waits(self) -> bool:
        """Whether it has all items before the one that does not come."""
        return len(self.items) == COUNT // 2

    def check(self) -> None:
        """Check how it has ended, if it was not to wait."""
        assert self.items == list(range(self.first, self.first + len(self.items)))
        counts = {"whole": COUNT, "left": COUNT // 3}
        assert len(self.items) == counts.get(self.fate, COUNT // 2)
        if self.fate == "failing":
            assert self.over.error.args == (f"no more than {self.first}",)
        elif self.fate == "cancelled":
            assert isinstance(self.over.error, CancelledError)
        else:
            assert self.over.value is None


@pytest.mark.parametrize(
    ("lines", "end"), [(1, "lost"), (1, "drained"), (100, "lost"), (100, "cut")]
)
@pytest_twisted.ensureDeferred
async def test_a_thousand_streams_end_each_in_its_way(lines: int, end: str) -> None:
    well = Well()
    fates = random.Random(17).choices(list(FATES), list(FATES.values()), k=MANY)
    async with served(well) as port:
        conns = await gatherResults(
            [connect(endpoint_of(port), timeout=DEADLINE) for _ in range(lines)]
        )
        readings = [
            Reading(conns[number % lines], number * COUNT, fate)
            for number, fate in enumerate(fates)
        ]
        waiting = [each for each in readings if each.fate == "waiting"]
        others = [each for each in readings if each.fate != "waiting"]
        for each in others:
            if each.fate == "cancelled":
                await until(lambda each=each: each.is_where_it_waits)
                each.running.cancel()
        await until(lambda: all(each.over.fired for each in others))
        for each in others:
            each.check()
        await until(lambda: all(each.is_where_it_waits for each in waiting))
        await until(lambda: well.ended == MANY - len(waiting))
        streams = [conn.streams for conn in well.connections if conn.streams is not None]
        assert sum(len(each.outgoing) for each in streams) == len(waiting)
        await _end(end, port, well, waiting)
        await until(lambda: well.ended == well.begun == MANY)
        await until(lambda: all(conn.closed for conn in [*conns, *well.connections]))
        for conn in [*conns, *well.connections]:
            assert left_in(conn) == {}


async def _end(end: str, port: Any, well: Well, waiting: list[Reading]) -> None:
    """End the streams that wait: with their connections, or by a server that stops."""
    if end == "lost":
        for conn in well.connections:
            conn.transport.abortConnection()
        await until(lambda: all(each.over.fired for each in waiting))
        for each in waiting:
            assert isinstance(each.over.error, ConnectionLost)
        return
    refs = [await conn.root.give(0, "whole") for conn in {each.conn for each in waiting}]
    factory = factory_of(port)
    stopping = factory.finish_all(DEADLINE)
    await until(lambda: not any(conn.closing.awaited for conn in well.connections))
    for ref in refs:  # what has not begun is refused
        with pytest.raises(ServerStopping):
            async for _item in ref:
                pytest.fail("it was read")
    if end == "drained":
        well.gate.callback(None)
        await until(lambda: all(each.over.fired for each in waiting))
        for each in waiting:
            assert each.over.value is None
            assert each.items == list(range(each.first, each.first + COUNT))
    else:
        factory.close_all()
        await until(lambda: all(each.over.fired for each in waiting))
        for each in waiting:
            assert isinstance(each.over.error, CallCut)
            assert each.is_where_it_waits
    await stopping


@pytest.mark.parametrize("size", [100, 3000])
@pytest_twisted.ensureDeferred
async def test_a_thousand_streams_that_nobody_reads_hold_the_windows_of_a_connection(
    size: int,
) -> None:
    """An item more for each, and no more: not a message, though that is longer."""
    async with served(Well()) as port:
        conn: Any = await connect(endpoint_of(port), timeout=DEADLINE)
        refs = await gatherResults([conn.root.blocks(size) for _ in range(MANY)])
        reads = [conn.open_stream(ref, False) for ref in refs]
        await until(lambda: all(read._size <= 0 or not read._items for read in reads))
        held = sum(sum(size for _items, size in read._queue) for read in reads)
        assert held < 1.5 * (ALL_BYTES + MANY * LEAST_BYTES)
        for read in reads:
            read.leave()
        await until(lambda: not conn.streams.incoming)
        assert conn.streams._windows == 0
        await conn.close()

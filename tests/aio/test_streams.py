"""Streams in programs of asyncio's, on each loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from tests.aio.loops import LOOPS, run_in
from tests.aio.running import until
from txremote import ConnectionLost, Service, exposed, stream
from txremote.aio import connect, listen
from txremote.peer.incoming import MOST_ITEMS

COUNT = 10_000

each_loop = pytest.mark.parametrize("kind", LOOPS)


class Origin:
    """Makes generators; counts what they have given, and how they have begun and ended."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gate = asyncio.Event()

    def plain(self, count: int) -> Iterator[int]:
        """Give numbers."""
        self.counts["begun"] += 1
        try:
            for number in range(count):
                self.counts["given"] += 1
                yield number
        finally:
            self.counts["ended"] += 1

    async def later(self, count: int) -> AsyncIterator[int]:
        """Give numbers, some of them after a while."""
        self.counts["begun"] += 1
        try:
            for number in range(count):
                if number % 1000 == 3:
                    await asyncio.sleep(0)
                self.counts["given"] += 1
                yield number
        finally:
            await asyncio.sleep(0)  # it may, to clean up
            self.counts["ended"] += 1

    async def gated(self, count: int) -> AsyncIterator[int]:
        """Give the second half of them when the gate is open."""
        self.counts["begun"] += 1
        try:
            for number in range(count):
                if number == count // 2:
                    await self.gate.wait()
                yield number
        finally:
            self.counts["ended"] += 1

    async def failing(self, count: int) -> AsyncIterator[int]:
        """Give numbers, and an error."""
        async for number in self.later(count):
            yield number
        raise LookupError("no more paper")


class Source(Service):
    """Gives streams, and reads a client's."""

    def __init__(self) -> None:
        self.of = Origin()

    @exposed
    def give(self, name: str, count: int) -> Any:
        """Give numbers."""
        return stream(getattr(self.of, name)(count))

    @exposed
    async def total(self, numbers: Any, most: int) -> int:
        """Add up the first of a client's."""
        found = 0
        async for number in numbers:
            found += number
            most -= 1
            if not most:
                break
        return found

    @exposed
    async def hold(self, numbers: Any) -> None:
        """Read one, and keep waiting."""
        async for _number in numbers:
            await self.of.gate.wait()


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[Any, Origin]]:
    """Give a client's connection, and what its server's streams come from; all ends in the end."""
    source = Source()
    async with listen("localhost:0", source) as server, connect(server.address) as conn:
        yield conn, source.of
        of = source.of
        await until(lambda: of.counts["ended"] == of.counts["begun"])
        streams = conn.streams
        assert streams is None or (not streams.incoming and not streams._windows)


@each_loop
def test_items_come_in_order_and_behind_them_the_end_or_an_error(kind: str) -> None:
    async def main() -> None:
        async with joined() as (conn, of):
            for name in ("plain", "later"):
                assert [n async for n in conn.root.give(name, COUNT)] == list(range(COUNT))
            found = []
            with pytest.raises(LookupError, match="no more paper"):
                async for number in await conn.root.give("failing", COUNT):
                    found.append(number)
            assert found == list(range(COUNT))
            many = [conn.root.give("later", 100 + n) for n in range(100)]

            async def read(asked: Any) -> list[int]:
                return [number async for number in asked]

            found = await asyncio.gather(*map(read, many))
            assert found == [list(range(100 + n)) for n in range(100)]
            assert of.counts["begun"] == of.counts["ended"] == 103

    run_in(kind, main)


@each_loop
def test_leaving_a_loop_closes_the_source(kind: str) -> None:
    async def main() -> None:
        async with joined() as (conn, of):
            for name in ("plain", "later"):
                async for number in conn.root.give(name, 10**9):
                    if number == 5000:
                        break
            await until(lambda: of.counts["ended"] == 2)
            async with aclosing(aiter(conn.root.give("plain", 10**9))) as steps:
                assert await anext(steps) == 0
            await until(lambda: of.counts["ended"] == 3)
            assert of.counts["given"] < 200_000

    run_in(kind, main)


@each_loop
def test_cancelling_a_task_closes_the_source_that_it_waits_for(kind: str) -> None:
    async def main() -> None:
        async with joined() as (conn, of):
            found: list[int] = []

            async def read() -> None:
                async for number in conn.root.give("gated", 10):
                    found.append(number)

            task = asyncio.create_task(read())
            await until(lambda: len(found) == 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: of.counts["ended"] == 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    async for number in conn.root.give("gated", 10):
                        found.append(number)
            await until(lambda: of.counts["ended"] == 2)
            assert found == [0, 1, 2, 3, 4] * 2

    run_in(kind, main)


@each_loop
def test_a_time_out_around_a_step_ends_the_stream_and_the_next_step_says_so(kind: str) -> None:
    async def main() -> None:
        async with joined() as (conn, of):
            steps = aiter(conn.root.give("gated", 10))
            assert [await anext(steps) for _ in range(5)] == list(range(5))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(steps)
            with pytest.raises(RuntimeError, match="the wait for an item was cancelled"):
                await anext(steps)
            await until(lambda: of.counts["ended"] == 1)

    run_in(kind, main)


@each_loop
def test_a_step_can_be_waited_for_again(kind: str) -> None:
    """As the error of the above says."""

    async def main() -> None:
        async with joined() as (conn, of):
            steps = aiter(conn.root.give("gated", 10))
            assert [await anext(steps) for _ in range(5)] == list(range(5))
            step = asyncio.ensure_future(anext(steps))
            done, _waiting = await asyncio.wait([step], timeout=0.01)
            assert not done
            of.gate.set()
            assert await step == 5
            assert [number async for number in steps] == [6, 7, 8, 9]

    run_in(kind, main)


@each_loop
def test_a_server_reads_and_leaves_a_clients_generator(kind: str) -> None:
    async def main() -> None:
        async with joined() as (conn, _of):
            mine = Origin()
            for make in (mine.plain, mine.later):
                assert await conn.root.total(stream(make(COUNT)), 0) == sum(range(COUNT))
                assert await conn.root.total(stream(make(10**9)), 3) == 3
            await until(lambda: mine.counts["ended"] == mine.counts["begun"] == 4)
            with pytest.raises(LookupError, match="no more paper"):
                await conn.root.total(stream(mine.failing(10)), 0)
            held = asyncio.ensure_future(conn.root.hold(stream(mine.plain(10**9))))
            await until(lambda: mine.counts["begun"] == 6)
            held.cancel()  # and with it the call, and with that the stream that it reads
            await until(lambda: mine.counts["ended"] == 6)

    run_in(kind, main)


@each_loop
def test_a_slow_reader_slows_the_source(kind: str) -> None:
    async def main() -> None:
        async with joined() as (conn, of):
            taken = 0
            async for _number in conn.root.give("plain", 10**9):
                taken += 1
                if taken % MOST_ITEMS == 0:
                    await conn.ping()  # what it may send by now has come
                    assert of.counts["given"] <= taken + 2 * MOST_ITEMS
                if taken == 5 * MOST_ITEMS:
                    break

    run_in(kind, main)


@pytest.mark.parametrize("whose", ["client", "server"])
@each_loop
def test_a_lost_connection_ends_the_loop_and_the_source(kind: str, whose: str) -> None:
    async def main() -> None:
        source = Source()
        async with listen("localhost:0", source) as server, connect(server.address) as conn:
            found: list[int] = []

            async def read() -> None:
                async for number in conn.root.give("gated", 10):
                    found.append(number)

            task = asyncio.create_task(read())
            await until(lambda: len(found) == 5)
            if whose == "client":
                conn.transport.abortConnection()
            else:
                await server.close()
            with pytest.raises(ConnectionLost):
                await task
            await until(lambda: source.of.counts["ended"] == 1)

    run_in(kind, main)

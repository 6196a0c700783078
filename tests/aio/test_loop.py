"""`txremote.aio.loop`: a loop in the shape of a reactor, which installs none."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from zope.interface.verify import verifyObject

from tests.aio.loops import LOOPS, Counter, run_in
from txremote.aio import connect, listen
from txremote.aio.loop import AsyncioLoop

PROGRAM = """
import asyncio, sys
from txremote import Service, exposed
from txremote.aio import RemoteClient, connect, listen

class Adder(Service):
    @exposed
    def add(self, first, second):
        return first + second

client = RemoteClient("localhost:1")

async def main():
    async with listen("localhost:0", Adder) as server:
        async with connect("localhost", server.port) as conn:
            print(await conn.root.add(1, 2).asFuture(asyncio.get_running_loop()))
        async with RemoteClient(server.address) as client:
            print(await client.root.add(3, 4).asFuture(asyncio.get_running_loop()))

asyncio.run(main())
print([name for name in sys.modules if name in ("twisted.internet.reactor", "txremote.blocking")])
"""


def test_a_program_imports_no_reactor() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == ("3\n7\n[]\n", "")


def test_a_loop_has_one_and_the_next_another() -> None:
    async def current() -> AsyncioLoop:
        assert AsyncioLoop.current() is AsyncioLoop.current()
        return AsyncioLoop.current()

    first, second = asyncio.run(current()), asyncio.run(current())
    assert first is not second
    assert (first.running, first.loop.is_closed()) == (False, True)


def test_no_loop_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no asyncio loop runs in this thread"):
        AsyncioLoop.current()


@pytest.mark.parametrize("kind", LOOPS)
def test_it_tells_time_and_takes_calls_from_threads(kind: str) -> None:
    async def main() -> None:
        loop = AsyncioLoop.current()
        verifyObject(IReactorTime, loop)
        made: list[object] = []
        done = asyncio.Event()
        loop.callLater(0, made.append, "later")
        result = deferToThreadPool(loop, loop.getThreadPool(), lambda: 7)  # type: ignore[arg-type]
        result.addCallback(made.append)

        def seen(one: int, two: int) -> None:
            made.append((one, two))
            done.set()

        loop.callInThread(loop.callFromThread, seen, 1, two=2)
        await asyncio.wait_for(done.wait(), 10)
        await asyncio.wait_for(result.asFuture(loop.loop), 10)
        assert sorted(map(str, made)) == ["(1, 2)", "7", "later"]

    run_in(kind, main)


def test_a_closed_loop_takes_no_calls_and_does_not_mind() -> None:
    async def current() -> AsyncioLoop:
        return AsyncioLoop.current()

    asyncio.run(current()).callFromThread(print, "never")


@pytest.mark.parametrize("kind", LOOPS)
def test_what_is_deferred_can_be_cancelled(kind: str) -> None:
    async def main() -> None:
        loop = AsyncioLoop.current()
        begun = asyncio.Event()
        seen: list[Any] = []

        async def work() -> None:
            begun.set()
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        deferred = loop.deferred_of(work())
        deferred.addErrback(lambda failure: seen.append(failure.type.__name__))
        await begun.wait()
        deferred.cancel()
        await asyncio.sleep(0)
        assert seen == ["CancelledError", "cancelled"]

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_connections_are_told_to_end_before_pools_are(kind: str) -> None:
    """Pools stop by triggers of the loop's end that are added later than the loop's own."""
    seen: list[list[bool]] = []

    async def main() -> AsyncioLoop:
        loop = AsyncioLoop.current()
        server = await listen("localhost:0", Counter)
        await connect(server.address)
        ends = loop.transports
        loop.addSystemEventTrigger(
            "before", "shutdown", lambda: seen.append([each.disconnecting for each in ends])
        )
        return loop

    loop = run_in(kind, main)
    assert seen == [[True, True]]
    assert (loop.transports, loop.ports) == (set(), set())

"""
Exposed coroutines that await asyncio's things, and Deferreds, where an asyncio loop runs.

They run in a process of their own, with Twisted's asyncio reactor, on asyncio's loop and
on uvloop's.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from twisted.internet.defer import Deferred

from txremote.peer.asyncio_steps import deferred_of

PROGRAM = """
import asyncio
import contextvars
import sys

from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
if sys.argv[1] == "uvloop":
    import uvloop
    loop = uvloop.new_event_loop()
asyncioreactor.install(loop)

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from txremote import Service, WrongThread, async_, connect, exposed, listen

variable = contextvars.ContextVar("variable", default="unset")


class Mixed(Service):
    noted = []

    async def on_connect(self, conn):
        await asyncio.sleep(0)
        self.ready = True

    @exposed
    async def is_ready(self):
        return self.ready

    @exposed
    async def nap(self):
        await asyncio.sleep(0.001)
        return "slept"

    @exposed
    async def at_once(self, note):
        self.noted.append(note)
        return note

    @exposed
    def plain(self, note):
        self.noted.append(note)
        return note

    @exposed
    async def both(self):
        await asyncio.sleep(0)
        first = await deferLater(reactor, 0, lambda: 1)
        second = await asyncio.wait_for(asyncio.sleep(0, 2), 5)
        third = await deferLater(reactor, 0, lambda: 3)
        fired = Deferred()
        fired.callback(4)
        return first, second, third, await fired

    @exposed
    async def times_out(self):
        async with asyncio.timeout(0.001):
            await deferLater(reactor, 60, lambda: None)

    @exposed
    async def times_out_of_asyncio(self):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)

    @exposed
    async def shares(self):
        return await self.shared

    @exposed
    async def group(self):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0, each)) for each in range(3)]
        return tuple(task.result() for task in tasks)

    @exposed
    async def fails(self, how):
        await asyncio.sleep(0)
        raise {"key": KeyError, "exit": SystemExit, "interrupt": KeyboardInterrupt}[how]("mine")

    @exposed
    async def fails_at_once(self):
        raise KeyError("mine")

    @exposed
    async def catches(self):
        failing = Deferred()
        reactor.callLater(0, failing.errback, ValueError("theirs"))
        try:
            await failing
        except ValueError as error:
            await asyncio.sleep(0)
            return str(error)

    @exposed
    async def calls(self, function):
        await asyncio.sleep(0)
        return await function(2)

    @exposed
    async def calls_a_task(self, function):
        return await function()

    @exposed
    async def sets(self, value):
        variable.set(value)
        await asyncio.sleep(0)
        return variable.get()

    @exposed
    async def gets(self):
        return variable.get()

    @exposed
    async def waits(self):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.noted.append("cancelled")
            raise

    @exposed
    async def waits_for_a_deferred(self):
        try:
            await deferLater(reactor, 60, lambda: None)
        finally:
            self.noted.append("ended")

    @exposed
    async def counts(self):
        for each in range(3):
            await asyncio.sleep(0)
            yield each


async def raised(call):
    try:
        return await call
    except Exception as error:
        return f"{type(error).__name__}: {error.args[0] if error.args else ''}"


async def in_a_task(endpoint):
    # a task awaits what connect, a call, a path, a result and close give
    conn = await connect(endpoint)
    root = conn.root
    assert await root.nap() == "slept"
    assert await async_(root.nap)() == "slept"
    assert await asyncio.gather(root.gets(), root.plain(5)) == ["unset", 5]
    assert await asyncio.to_thread(lambda: asyncio.run(awaits(async_(root.nap)))) == "slept"
    waiting = root.waits()
    assert await asyncio.to_thread(lambda: asyncio.run(refused(waiting))) == 1
    waiting.cancel()
    assert "Cancelled" in await raised(waiting)
    await root.nap()
    assert Mixed.noted.pop() == "cancelled"
    assert await root.calls_a_task(lambda: asyncio.create_task(awaits(root.nap))) == "slept"
    waits = loop.create_task(awaits(root.waits_for_a_deferred))
    await root.nap()
    waits.cancel()
    await asyncio.wait([waits])
    assert waits.cancelled()
    await root.nap()
    assert Mixed.noted.pop() == "ended"
    await conn.close()
    assert "DeadReferenceError" in await raised(awaits(root.nap))


async def awaits(function):
    return await function()


async def refused(call):
    try:
        await call
    except WrongThread as error:
        return str(error).count("async_")


async def main(reactor):
    port = await listen("tcp:0:interface=127.0.0.1", Mixed())
    endpoint = f"tcp:127.0.0.1:{port.getHost().port}"
    conn = await connect(endpoint)
    root = conn.root
    assert await root.is_ready()
    assert await root.nap() == "slept"
    assert await root.both() == (1, 2, 3, 4)
    assert await root.group() == (0, 1, 2)

    Mixed.shared = loop.create_future()  # which many await, as they do with a task
    calls = [root.shares() for _ in range(3)]
    await root.nap()
    Mixed.shared.set_result("shared")
    assert await gatherResults(calls) == ["shared"] * 3

    assert "TimeoutError" in await raised(root.times_out())
    assert "TimeoutError" in await raised(root.times_out_of_asyncio())
    assert await raised(root.fails("key")) == "KeyError: mine"
    assert await raised(root.fails_at_once()) == "KeyError: mine"
    for how in ("exit", "interrupt"):
        assert "mine" in await raised(root.fails(how))
    assert await root.catches() == "theirs"
    assert await root.calls(lambda number: number + 1) == 3
    assert await root.sets("mine") == "mine"
    assert [each async for each in await root.counts()] == [0, 1, 2]

    notes = Mixed.noted
    calls = [root.at_once(1), root.plain(2), root.at_once(3), root.plain(4)]
    await gatherResults([Deferred.fromCoroutine(raised(call)) for call in calls])
    assert notes == [1, 2, 3, 4], notes  # they begin as they come

    other = await connect(endpoint)
    assert await other.root.gets() == "unset"  # another client's variables
    assert await root.gets() == "mine"
    await other.close()

    for call, note in ((root.waits, "cancelled"), (root.waits_for_a_deferred, "ended")):
        waiting = call()
        await root.nap()
        waiting.cancel()
        assert "Cancelled" in await raised(waiting)
        await root.nap()
        assert notes[-1] == note

    slow = await connect(endpoint)
    waiting = slow.root.waits()
    await slow.root.nap()
    await slow.close()  # whoever leaves ends what waits for him
    await raised(waiting)
    while notes[-2:] != ["ended", "cancelled"]:
        await deferLater(reactor, 0.001, lambda: None)

    await Deferred.fromFuture(loop.create_task(in_a_task(endpoint)))

    await conn.close()
    await port.stopListening()
    assert asyncio.all_tasks(loop) == set(), asyncio.all_tasks(loop)
    print("all of it")


react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_coroutines_that_await_asyncio_and_deferreds(loop: str) -> None:
    """Values, time-outs, groups, errors, cancelling, order, context variables, generators."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-c", PROGRAM, loop],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.stdout, ran.returncode) == ("all of it\n", 0), ran.stdout + ran.stderr
    assert "never awaited" not in ran.stderr
    assert "never retrieved" not in ran.stderr
    assert "Unhandled" not in ran.stderr, ran.stderr


def test_without_a_loop_it_is_twisted_s_own() -> None:
    """And begins at once, too."""
    steps: list[Deferred[int]] = [Deferred(), Deferred()]

    async def add() -> int:
        return await steps[0] + await steps[1]

    adding = deferred_of(add())
    steps[0].callback(1)
    steps[1].callback(2)
    assert adding.result == 3

"""
Tasks that are cancelled, loops that end: what is left afterwards. Not a test file::

    python -m tests.aio.storm LOOP

Each check begins and ends loops of its own, and says how it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from tests.aio.loops import run_in
from tests.interop.peer_processes import Checks
from txremote import CallCut, DeadReferenceError, Service, async_, exposed, threaded
from txremote.aio import RemoteClient, connect, listen
from txremote.aio.loop import AsyncioLoop
from txremote.eventloop import worker_pool

check = Checks()

#: Seconds that anything here may take.
DEADLINE = 60.0

PLACE = "tcp:0:interface=127.0.0.1"

TASKS, CALLS = 100, 100


class Thing:
    """Goes by reference."""

    def __init__(self, number: int) -> None:
        self.exposed_number = number


class Weather(Service):
    """Answers at once, later, from a thread, or never."""

    def __init__(self) -> None:
        self.at_work: Counter[str] = Counter()

    @contextlib.contextmanager
    def _noted(self, kind: str) -> Iterator[None]:
        self.at_work[kind] += 1
        try:
            yield
        finally:
            self.at_work[kind] -= 1

    @exposed
    def same(self, number: int) -> int:
        """The number, at once."""
        return number

    @exposed
    async def later(self, number: int, seconds: float) -> int:
        """The number, later."""
        with self._noted("later"):
            await asyncio.sleep(seconds)
        return number

    @exposed
    async def never(self) -> None:
        """Waits for nothing."""
        with self._noted("never"):
            await asyncio.get_running_loop().create_future()

    @exposed
    def thing(self, number: int) -> Thing:
        """An object, by reference."""
        return Thing(number)

    @exposed
    async def call(self, function: Any, number: int) -> Any:
        """What the caller's function gives."""
        with self._noted("call"):
            return await function(number)

    @exposed
    @threaded
    def in_a_thread(self, number: int) -> int:
        """The number, from a worker thread."""
        time.sleep(0.0005)
        return number

    @exposed
    def numbers(self, number: int) -> Iterator[int]:
        """The number, many times."""
        with self._noted("numbers"):
            yield from [number] * 20


async def first_number(root: Any, number: int) -> Any:
    """Leave a remote generator before its end."""
    async for found in await root.numbers(number):
        return found
    raise AssertionError("no number")


async def call_back(root: Any, number: int) -> Any:
    """Be asked, and ask in turn."""

    async def answer(asked: int) -> Any:
        return await root.same(asked)

    return await root.call(answer, number)


#: The calls. Each gives the number that it was given, if it gives anything.
KINDS: list[Callable[[Any, int], Awaitable[Any]]] = [
    lambda root, number: root.same(number),
    lambda root, number: root.later(number, number % 7 / 2000),
    lambda root, number: root.in_a_thread(number),
    call_back,
    first_number,
]


async def given(root: Any, number: int, source: random.Random) -> Any:
    """Make one call of some kind, and return what it gives."""
    kind = source.randrange(len(KINDS) + 2)
    if kind < len(KINDS):
        return await KINDS[kind](root, number)
    if kind == len(KINDS):
        return await (await root.thing(number)).number
    async with asyncio.timeout(source.random() / 200):
        await root.never()
    raise AssertionError("an answer")


async def ended(root: Any, number: int, source: random.Random) -> str:
    """
    Make one call, end it somehow, and say how it ended.

    Raises:
        AssertionError: it gave what was not asked for.
    """
    seconds = source.random() / 400
    how = source.choice(["not", "cancelled", "at once", "timeout", "wait_for", "group"])
    call = given(root, number, source)
    try:
        if how == "timeout":
            async with asyncio.timeout(seconds):
                found = await call
        elif how == "wait_for":
            found = await asyncio.wait_for(call, seconds)
        elif how == "group":
            found = await in_group(call, seconds)
        else:
            task = asyncio.ensure_future(call)
            if how == "cancelled":
                asyncio.get_running_loop().call_later(seconds, task.cancel)
            elif how == "at once":
                task.cancel()
            found = await task
    except TimeoutError:
        return "timed out"
    except asyncio.CancelledError:
        return "cancelled"
    assert found == number, (found, number, how)
    return "answered"


async def in_group(call: Awaitable[Any], seconds: float) -> Any:
    """Await a call in a group that fails after some seconds."""

    async def fail() -> None:
        await asyncio.sleep(seconds)
        raise LookupError

    async def ask() -> Any:
        return await call

    try:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(ask())
            failing = group.create_task(fail())
            found = await asked
            failing.cancel()
            return found
    except* (LookupError, TimeoutError):
        pass
    raise TimeoutError


class Timers:
    """Notes what is to be called later, in this process."""

    def __init__(self) -> None:
        self._made: list[Any] = []
        self._inner = AsyncioLoop.callLater

    def __enter__(self) -> Timers:
        noted = self

        def call_later(loop: AsyncioLoop, *args: Any, **kw: Any) -> Any:
            made = noted._inner(loop, *args, **kw)
            noted._made.append(made)
            return made

        AsyncioLoop.callLater = call_later  # type: ignore[method-assign]
        return self

    def __exit__(self, *_error: object) -> None:
        AsyncioLoop.callLater = self._inner  # type: ignore[method-assign]

    @property
    def left(self) -> int:
        """How many are still to come."""
        return sum(one.active() for one in self._made)


async def until(condition: Callable[[], Any], what: Callable[[], Any]) -> None:
    """Wait until a condition holds; say what is there if it does not come about."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, what()
        gc.collect()
        await asyncio.sleep(0.01)


def held(conn: Any) -> dict[str, int]:
    """Return what a connection holds."""
    return {
        "exports": len(conn._tables.exports),
        "imports": len(conn._tables.imports),
        "pending": len(conn.outbound.pending),
        "unanswered": len(conn.inbound),
    }


@contextlib.asynccontextmanager
async def pair(service: Any, **words: Any) -> AsyncIterator[tuple[Any, Any]]:
    """Serve in this loop, and connect to it: gives both connections."""
    async with (
        await listen(PLACE, service) as server,
        connect("127.0.0.1", server.port, **words) as conn,
    ):
        (other,) = server.connections
        yield conn, other


@check
def ten_thousand_calls_cancelled_at_random(loop: str) -> None:
    """Each ends once, with what was asked for or not at all, and leaves nothing on either side."""

    async def main() -> None:
        weather = Weather()
        with Timers() as timers:
            async with pair(weather) as (conn, other):
                assert await conn.root.same(1) == 1
                gc.collect()
                before = held(conn), held(other)
                idle = timers.left
                ends: Counter[str] = Counter()

                async def some(seed: int) -> None:
                    source = random.Random(seed)
                    for number in range(CALLS):
                        ends[await ended(conn.root, seed * CALLS + number, source)] += 1

                await asyncio.gather(*map(some, range(TASKS)))
                assert ends.total() == TASKS * CALLS, ends
                assert min(ends[how] for how in ("answered", "cancelled", "timed out")) > 500, ends
                what = lambda: (held(conn), held(other), weather.at_work, before)  # noqa: E731
                await until(lambda: (held(conn), held(other)) == before, what)
                await until(lambda: not weather.at_work.total(), what)
                await until(lambda: timers.left <= idle, lambda: f"{timers.left} timers")
                assert await conn.root.same(2) == 2
            await until(lambda: not timers.left, lambda: f"{timers.left} timers at the end")

    run_in(loop, main)


class Elsewhere:
    """
    A server in a thread and a loop of its own.

    Attributes:
        port: Where it is.
        service: What it serves.
        loop: Its loop.
    """

    def __init__(self, loop: str) -> None:
        self.service = Weather()
        self._up, self._kind = threading.Event(), loop
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Elsewhere:
        self._thread.start()
        assert self._up.wait(DEADLINE)
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(RuntimeError):  # it has been told to, and is closed
            self.end()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        assert self._error is None, self._error

    def end(self) -> None:
        """Have its loop end, whatever is under way."""
        self.loop.call_soon_threadsafe(self._end.set)

    def _run(self) -> None:
        try:
            run_in(self._kind, self._main)
        except BaseException as error:
            self._error = error

    async def _main(self) -> None:
        self.loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with await listen(PLACE, self.service) as self.server:
            self.port = self.server.port
            self._up.set()
            await self._end.wait()

    def idle(self) -> bool:
        """Tell whether nobody is connected, and nothing is at work."""
        return not self.server.connections and not self.service.at_work.total()

    def wait_until_idle(self) -> None:
        """Wait for that."""
        end = time.monotonic() + DEADLINE
        while not self.idle():
            assert time.monotonic() < end, (self.server.connections, self.service.at_work)
            time.sleep(0.005)


@check
def the_loop_ends_under_way(loop: str) -> None:
    """Calls that nobody has awaited, and those of tasks: each ends once, here and at the peer."""
    results: list[Any] = []
    tasks: list[asyncio.Task[Any]] = []

    async def main(port: int) -> Any:
        conn = await connect("127.0.0.1", port)
        for _ in range(10):
            conn.root.never().addBoth(results.append)
            tasks.append(asyncio.ensure_future(conn.root.in_a_thread(1)))
            tasks.append(asyncio.ensure_future(conn.root.never()))
            tasks.append(asyncio.ensure_future(conn.root.call(lambda _n: conn.root.never(), 1)))
        await conn.root.same(1)
        return conn

    with Elsewhere(loop) as elsewhere:
        conn = run_in(loop, lambda: main(elsewhere.port))
        assert len(results) == 10, results
        assert all(task.done() for task in tasks)
        assert conn.closed
        late = conn.root.same(1)  # nothing could answer it
        late.addErrback(results.append)
        assert results.pop().check(DeadReferenceError)
        elsewhere.wait_until_idle()


@check
def the_loop_of_the_peer_ends_under_way(loop: str) -> None:
    """Each call ends, once: the peer says that it was cut; one that comes too late is not sent."""

    async def main() -> None:
        here = asyncio.get_running_loop().create_future()

        async def for_ever(_number: int) -> None:
            await here

        async with connect("127.0.0.1", elsewhere.port) as conn:
            calls = [conn.root.never() for _ in range(10)]
            calls += [conn.root.call(for_ever, number) for number in range(10)]
            calls += [conn.root.in_a_thread(number) for number in range(10)]
            await conn.root.same(1)
            elsewhere.end()
            found = await asyncio.gather(*map(outcome, calls))
            assert all(issubclass(kind, CallCut) for kind in found[:20]), found
            assert all(issubclass(kind, (int, CallCut)) for kind in found[20:]), found
            assert await outcome(conn.root.same(1)) is DeadReferenceError

    with Elsewhere(loop) as elsewhere:
        run_in(loop, main)


async def outcome(call: Awaitable[Any]) -> type:
    """Return the type of a call's result or error."""
    try:
        return type(await call)
    except Exception as error:
        return type(error)


@check
def run_twice(loop: str) -> None:
    """The second `asyncio.run` is as the first, for clients that are kept between them too."""
    with Elsewhere(loop) as elsewhere:
        client = RemoteClient(f"127.0.0.1:{elsewhere.port}")

        async def main() -> list[int]:
            found = []
            async with client:
                found.append(await client.root.same(1))
            async with connect("127.0.0.1", elsewhere.port) as conn:
                found.append(await conn.root.in_a_thread(2))
            async with pair(Weather) as (conn, _other):
                found.append(await conn.root.later(3, 0.001))
            return found

        assert [run_in(loop, main) for _ in range(3)] == [[1, 2, 3]] * 3
        elsewhere.wait_until_idle()


@check
def two_loops_in_two_threads(loop: str) -> None:
    """Either calls the other; a result of `async_` can be awaited in the other's thread."""

    async def main(port: int) -> None:
        async with connect("127.0.0.1", port) as conn:
            calls = [conn.root.call(lambda number: number + 1, number) for number in range(100)]
            assert await asyncio.gather(*calls) == list(range(1, 101))
            same = async_(conn.root.same)
            later = async_(conn.root.later)

            async def there() -> list[Any]:
                """Runs in the loop of the server."""
                return [await same(1), await later(2, 0.01)]

            running = asyncio.run_coroutine_threadsafe(there(), elsewhere.loop)
            assert await asyncio.wrap_future(running) == [1, 2]

    with Elsewhere(loop) as elsewhere:
        run_in(loop, lambda: main(elsewhere.port))
        elsewhere.wait_until_idle()


def main(loop: str) -> None:
    """Run all checks, and say how each went."""
    worker_pool.IDLE_TIMEOUT = 0.1  # of its threads nothing shall be left either
    troubles: list[str] = []
    sys.unraisablehook = lambda what: troubles.append(f"{what.err_msg} {what.exc_value!r}")
    threading.excepthook = lambda what: troubles.append(repr(what.exc_value))
    threads = threading.active_count()
    for name, function in check.items():
        try:
            function(loop)
            gc.collect()
            assert not troubles, troubles
            end = time.monotonic() + DEADLINE
            while threading.active_count() > threads:
                assert time.monotonic() < end, threading.enumerate()
                time.sleep(0.005)
        except BaseException:
            print(f"FAILED: {name}\n{traceback.format_exc()}")
            troubles.clear()
        else:
            print(f"ok: {name}")
    print("reactor" if "twisted.internet.reactor" in sys.modules else "no reactor")


if __name__ == "__main__":
    faulthandler.dump_traceback_later(60, exit=True)  # a hang shall say where
    main(sys.argv[1])

"""
`AwaitableDeferred`: whatever a remote call gives, awaited in asyncio's tasks.

Two ends in memory, in the loop of `asyncio.run`; Twisted's reactor has no part in it.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread

from tests.peer.pairs import logged
from txremote import (
    Service,
    async_,
    blocking,
    exposed,
    fetch,
    get_remote,
    listen,
    signature_remote,
)
from txremote.errors import ConnectionLost, WrongThread
from txremote.refs.awaiting import AwaitableDeferred, awaitable, failed, succeeded
from txremote.testing import Pair, connected_pair

T = TypeVar("T")


class Desk(Service):
    """Answers when the test says so."""

    exposed_name = "desk"

    def __init__(self) -> None:
        self.exposed_other = self
        self.asked: list[Deferred[Any]] = []
        self.cancelled = 0

    @exposed
    def ask(self) -> Deferred[Any]:
        """Return what `asked` fires with."""
        self.asked.append(Deferred(self._gone))
        return self.asked[-1]

    @exposed
    async def nap(self, note: object) -> object:
        """Sleep in the loop."""
        await asyncio.sleep(0)
        return note

    @exposed
    def plain(self, note: object) -> object:
        """Give it back."""
        return note

    @exposed
    def me(self) -> Desk:
        """Return a reference."""
        return self

    @exposed
    def fail(self) -> None:
        """Fail."""
        raise ValueError("as asked")

    @exposed
    def items(self) -> list[int]:
        """Return a reference to a list."""
        return [1, 2, 3]

    def _gone(self, _asked: Deferred[Any]) -> None:
        self.cancelled += 1


class Office:
    """A desk and its client in the loop that runs, which carries their bytes."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.pair: Pair = connected_pair(server_root=self.desk)
        self.root: Any = self.pair.client.root
        self._carrying = asyncio.get_running_loop().create_task(self._carry())

    async def _carry(self) -> None:
        while True:
            self.pair.pump()
            await asyncio.sleep(0)

    async def answer(self, result: object) -> None:
        """Answer the next question."""
        while not self.desk.asked:
            await asyncio.sleep(0)
        self.desk.asked.pop(0).callback(result)


@contextmanager
def nothing_unhandled() -> Iterator[None]:
    """Assert that Twisted's log is told of no unhandled error."""
    with logged() as log:
        yield
        gc.collect()
    assert "Unhandled" not in log.getvalue()


def in_asyncio(
    test: Callable[[Office], Coroutine[Any, Any, T]],
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run a test in a loop of its own, which is told of no unhandled error."""
    problems: list[dict[str, Any]] = []

    async def main() -> T:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: problems.append(context))
        return await asyncio.wait_for(test(Office()), 20)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        result = runner.run(main())
    assert problems == []
    return result


@pytest.fixture(autouse=True)
def _nothing_unhandled() -> Iterator[None]:
    with nothing_unhandled():
        yield


# --- what is awaited ----------------------------------------------------------------

READ: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "a call": lambda root: root.nap("desk"),
    "a call by its name": lambda root: root.callRemote("nap", "desk"),
    "a call with a callback": lambda root: root.nap("").addCallback(lambda _: root.nap("desk")),
    "an attribute": lambda root: root.name,
    "an attribute of a path": lambda root: root.other.name,
    "get_remote": lambda root: get_remote(root, "name"),
    "async_": lambda root: async_(root.nap)("desk"),
    "the Deferred of async_": lambda root: async_(root.nap)("desk").deferred,
    "fetch": lambda root: fetch(root.name),
    "one that has fired": lambda root: succeeded(0).addCallback(lambda _: root.nap("desk")),
    "one that has failed": lambda root: failed(KeyError()).addErrback(lambda _: root.nap("desk")),
    "one of Twisted's": lambda root: awaitable(Deferred.fromCoroutine(_name_of(root))),
}


async def _name_of(root: Any) -> Any:
    return await root.nap("desk")


@pytest.mark.parametrize("kind", READ)
def test_a_task_awaits(kind: str) -> None:
    """None of them has fired by then."""

    async def test(office: Office) -> Any:
        return await READ[kind](office.root)

    assert in_asyncio(test) == "desk"


def test_a_task_awaits_what_has_no_short_name() -> None:
    async def test(office: Office) -> None:
        assert [item async for item in await office.root.items()] == [1, 2, 3]
        assert str(await signature_remote(office.root.nap)) == "(note: object) -> object"
        assert await (await office.root.me()).nap(1) == 1
        with pytest.raises(ValueError, match="as asked"):
            await office.root.fail()
        with pytest.raises(AttributeError, match="nothing"):
            await office.root.nothing
        await office.pair.client.ping()
        pinging = office.pair.client.ping()
        office.pair.lose()
        with pytest.raises(ConnectionLost):
            await pinging

    in_asyncio(test)


def test_a_result_stays_for_all_who_await_it() -> None:
    async def test(office: Office) -> None:
        asked = office.root.ask()
        both = asyncio.gather(asked, asked)
        await office.answer(5)
        assert await both == [5, 5]
        assert await asked == 5
        failing = office.root.fail()
        outcomes = await asyncio.gather(failing, failing, return_exceptions=True)
        assert all(isinstance(outcome, ValueError) for outcome in outcomes)
        with pytest.raises(ValueError, match="as asked"):
            await failing

    in_asyncio(test)


# --- how waiting ends ---------------------------------------------------------------


async def _cancelled(waiting: Awaitable[Any]) -> None:
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    task.cancel()
    await task


async def _timed_out(waiting: Awaitable[Any]) -> None:
    async with asyncio.timeout(0.001):
        await waiting


async def _in_a_group(waiting: Awaitable[Any]) -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("the other")

    async def waits() -> None:
        await waiting

    async with asyncio.TaskGroup() as group:
        group.create_task(waits())
        group.create_task(fails())


async def _by_twisted(waiting: Awaitable[Any]) -> None:
    async def waits() -> None:
        await waiting

    outer = Deferred.fromCoroutine(waits())
    outer.cancel()
    await awaitable(outer)


ENDS: dict[str, tuple[Callable[[Awaitable[Any]], Awaitable[Any]], type[BaseException]]] = {
    "cancel": (_cancelled, asyncio.CancelledError),
    "timeout": (_timed_out, TimeoutError),
    "wait_for": (lambda waiting: asyncio.wait_for(waiting, 0.001), TimeoutError),
    "TaskGroup": (_in_a_group, ExceptionGroup),
    "Twisted": (_by_twisted, CancelledError),
}


@pytest.mark.parametrize("call", ["a call", "async_"])
@pytest.mark.parametrize("end", ENDS)
def test_a_cancelled_task_cancels_its_call(end: str, call: str) -> None:
    """The peer is told, whatever it was that gave up."""
    give_up, error = ENDS[end]

    async def test(office: Office) -> None:
        waiting = office.root.ask() if call == "a call" else async_(office.root.ask)()
        with pytest.raises(error):
            await give_up(waiting)
        while not office.desk.cancelled:
            await asyncio.sleep(0)
        assert len(office.pair.client.outbound.pending) == 0
        if end != "Twisted" or call == "async_":  # a coroutine of Twisted's takes a failure out
            with pytest.raises(CancelledError):  # and whoever comes later is told, too
                await waiting

    in_asyncio(test)


def test_what_is_shielded_goes_on() -> None:
    async def test(office: Office) -> None:
        asked = office.root.ask()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asked), 0.001)
        await office.answer("later")
        assert await asked == "later"
        assert office.desk.cancelled == 0

    in_asyncio(test)


def test_an_answer_that_comes_with_the_cancelling_is_dropped() -> None:
    async def test(office: Office) -> None:
        asked = office.root.ask()
        task = asyncio.ensure_future(asked)
        while not office.desk.asked:
            await asyncio.sleep(0)
        office.desk.asked.pop().callback(1)
        office.pair.pump()  # the task is woken, but has not run
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asked == 1

    in_asyncio(test)


def test_a_loop_that_ends_first_leaves_nothing() -> None:
    """`asyncio.run` cancels what is left over."""

    async def test(office: Office) -> None:
        task = asyncio.ensure_future(office.root.ask())
        await office.root.nap(1)
        assert not task.done()

    in_asyncio(test)


def test_a_loop_that_is_closed_under_way_leaves_the_result() -> None:
    """Nobody has cancelled its tasks."""
    loop = asyncio.new_event_loop()
    fired: AwaitableDeferred[int] = AwaitableDeferred()

    async def waits() -> None:
        await fired

    task = loop.create_task(waits())
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    fired.callback(1)
    assert fired.result == 1
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as is to be expected


# --- who drives the coroutine -------------------------------------------------------


def test_a_coroutine_of_twisted_s_in_a_task_is_twisted_s() -> None:
    """It begins in a task, is resumed by a callback in another, and begins a task itself."""

    async def test(office: Office) -> None:
        root = office.root
        gate: Deferred[None] = Deferred()

        async def inner(note: object) -> object:
            return await root.nap(note)

        async def twisted_s() -> list[Any]:
            first = await root.nap(1)
            await gate
            second = await async_(root.nap)(2)
            third = await awaitable(Deferred.fromFuture(asyncio.ensure_future(inner(3))))
            fourth = await Deferred.fromCoroutine(inner(4))
            return [first, second, third, fourth]

        running = Deferred.fromCoroutine(twisted_s())

        async def other() -> None:
            await root.nap(0)
            gate.callback(None)

        await asyncio.create_task(other())
        assert await awaitable(running) == [1, 2, 3, 4]

    in_asyncio(test)


# --- threads ------------------------------------------------------------------------


def test_the_loop_of_another_thread_awaits_results_of_async_() -> None:
    """And is refused all else, in a sentence that says so."""

    class Elsewhere:
        def check(self) -> None:
            if threading.current_thread() is not threading.main_thread():
                raise WrongThread("not here")

    async def test(office: Office) -> None:
        office.pair.client.outbound.pending.guard = Elsewhere()
        asked, later = office.root.ask(), async_(office.root.nap)("desk")
        mine: AwaitableDeferred[int] = awaitable(Deferred(), Elsewhere())

        async def waits() -> Any:
            for refused in (asked, mine):
                with pytest.raises(WrongThread, match="async_"):
                    await refused
            return await later

        def in_thread() -> Any:
            return asyncio.run(waits())

        assert await asyncio.to_thread(in_thread) == "desk"
        await office.answer(1)
        assert await asked == 1

    in_asyncio(test)


def test_a_result_that_fires_in_another_thread_wakes_the_loop() -> None:
    async def test(_office: Office) -> None:
        fired: AwaitableDeferred[int] = AwaitableDeferred()
        asyncio.get_running_loop().call_later(
            0.01, threading.Thread(target=fired.callback, args=(1,)).start
        )
        assert await fired == 1

    in_asyncio(test)


@pytest_twisted.ensureDeferred
async def test_a_script_s_result_is_awaited_in_a_reactor_and_in_asyncio() -> None:
    """A thread serves the script's connection meanwhile. The coroutine goes on in its own."""
    desk = Desk()
    port = await listen("tcp:0:interface=127.0.0.1", desk)
    conn: Any = await deferToThread(blocking.connect, "127.0.0.1", port.getHost().port)  # type: ignore[attr-defined]
    ask, nap = await deferToThread(lambda: (async_(conn.root.ask), async_(conn.root.plain)))
    thread = threading.get_ident()
    assert await nap("desk") == "desk"
    assert threading.get_ident() == thread

    async def in_asyncio_s_thread() -> Any:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(), 0.05)
        return await nap("desk")

    assert await deferToThread(lambda: asyncio.run(in_asyncio_s_thread())) == "desk"
    assert desk.cancelled == 1
    await deferToThread(conn.close)
    await port.stopListening()

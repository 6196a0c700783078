"""
A generator that its reader leaves comes to its end: its ``finally`` blocks run, once, to
their end, and where its code ran.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

import txremote.blocking as rpyc
from tests.net.servers import endpoint_of, served, until
from tests.peer.pairs import Outcome, logged, pair_with_stock_client
from txremote import Service, connect, exposed
from txremote.peer.abandoned import Closings, is_generator, step
from txremote.peer.immediate import ImmediateExecutor
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_BUFFITER


class Feed(Service):
    """Gives generators, and notes how they end."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.waiting: list[Deferred[None]] = []
        self.kept: Any = None

    def _wait(self) -> Deferred[None]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    @exposed
    async def ticks(self, fails: bool = False, stubborn: bool = False) -> AsyncIterator[int]:
        self.seen.append("opened")
        try:
            for number in range(10**9):  # more than one turn sends, however quick
                yield number
        finally:
            self.seen.append("closing")
            await self._wait()
            if fails:
                raise ValueError("no good end")
            if stubborn:
                yield -1
            self.seen.append("closed")

    @exposed
    async def slow(self) -> AsyncIterator[int]:
        try:
            yield 0
            await self._wait()
            yield 1
        finally:
            self.seen.append("closed")

    @exposed
    def numbers(self) -> Iterator[int]:
        try:
            yield from range(10_000)
        finally:
            self.seen.append("closed")

    @exposed
    def shared(self) -> Any:
        if self.kept is None:
            self.kept = self.ticks()
        return self.kept

    @exposed
    def shared_numbers(self) -> Any:
        if self.kept is None:
            self.kept = self.numbers()
        return self.kept

    @exposed
    async def first_of(self, items: Any) -> Any:
        async for item in items:
            return item
        return None

    def let_close(self) -> None:
        for waiting in self.waiting:
            waiting.callback(None)
        self.waiting.clear()


async def _some(call: Any, count: int = 2) -> list[Any]:
    found = []
    async for item in await call:
        found.append(item)
        if len(found) == count:
            break
    return found


def _read(pair: Pair, call: Any, count: int = 2) -> Any:
    return pair.result(Deferred.fromCoroutine(_some(call, count)))


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def pair(feed: Feed) -> Pair:
    return connected_pair(server_root=feed)


# --- asynchronous ones ------------------------------------------------------------


def test_one_whose_reader_breaks_off_is_closed(feed: Feed, pair: Pair) -> None:
    assert _read(pair, pair.client.root.ticks()) == [0, 1]
    pair.advance(1)
    assert feed.seen == ["opened", "closing"]
    assert len(pair.server.executor.closings) == 1
    feed.let_close()
    assert feed.seen == ["opened", "closing", "closed"]
    assert len(pair.server.executor.closings) == 0
    pair.advance(1)
    pair.lose()
    gc.collect()
    assert feed.seen == ["opened", "closing", "closed"]


def test_one_whose_readers_connection_ends_is_closed(feed: Feed, pair: Pair) -> None:
    reference = pair.result(pair.client.root.ticks())
    assert pair.result(pair.client.request(HANDLE_BUFFITER, reference, 1)) == (0,)
    pair.lose()
    assert feed.seen == ["opened", "closing"]
    feed.let_close()
    assert feed.seen == ["opened", "closing", "closed"]


def test_one_that_was_read_to_its_end_is_not_closed_again(feed: Feed, pair: Pair) -> None:
    reading = Outcome(Deferred.fromCoroutine(_some(pair.client.root.slow(), 3)))
    pair.advance(1)
    feed.let_close()
    pair.advance(1)
    assert reading.value == [0, 1]
    pair.lose()
    gc.collect()
    assert feed.seen == ["closed"]


def test_one_that_was_never_begun_has_nothing_to_close(feed: Feed, pair: Pair) -> None:
    reference = pair.result(pair.client.root.ticks())
    del reference
    pair.advance(1)
    pair.lose()
    assert feed.seen == []


@pytest.mark.parametrize("how", ["__anext__", "asend"])
def test_steps_taken_by_hand_count_as_well(how: str, feed: Feed, pair: Pair) -> None:
    reference = pair.result(pair.client.root.ticks())
    args = (None,) if how == "asend" else ()
    assert pair.result(reference.callRemote(how, *args)) == 0
    del reference
    pair.advance(1)
    assert feed.seen == ["opened", "closing"]


def test_one_that_is_closed_by_its_reader_is_closed_once(feed: Feed, pair: Pair) -> None:
    reference = pair.result(pair.client.root.ticks())
    pair.result(reference.callRemote("__anext__"))
    closing = Outcome(reference.callRemote("aclose"))
    pair.pump()
    feed.let_close()
    pair.pump()
    assert closing.value is None
    del reference
    pair.advance(1)
    pair.lose()
    assert feed.seen == ["opened", "closing", "closed"]


def test_one_that_is_left_in_the_middle_of_a_step_ends_after_it(feed: Feed, pair: Pair) -> None:
    reference = pair.result(pair.client.root.slow())
    assert pair.result(reference.callRemote("__anext__")) == 0
    asked = Outcome(pair.client.request(HANDLE_BUFFITER, reference, 1))
    pair.pump()
    del reference
    pair.advance(1)
    assert feed.seen == []
    feed.let_close()
    pair.advance(1)
    assert asked.value == (1,)
    assert feed.seen == ["closed"]


def test_a_step_that_is_under_way_at_the_end_is_cancelled(feed: Feed, pair: Pair) -> None:
    reference = pair.result(pair.client.root.slow())
    assert pair.result(reference.callRemote("__anext__")) == 0
    asked = Outcome(pair.client.request(HANDLE_BUFFITER, reference, 1))
    pair.pump()
    pair.lose()
    assert isinstance(asked.error, EOFError)
    assert feed.seen == ["closed"]


def test_what_goes_wrong_in_closing_is_logged(feed: Feed, pair: Pair) -> None:
    for options, sentence in (({"fails": True}, "no good end"), ({"stubborn": True}, "ignored")):
        _read(pair, pair.client.root.ticks(**options))
        with logged() as log:
            pair.advance(1)
            feed.let_close()
        assert "Feed.ticks, which its reader has left, did not close well" in log.text()
        assert sentence in log.text()
    assert len(pair.server.executor.closings) == 0


def test_one_that_another_peer_still_reads_goes_on(feed: Feed) -> None:
    one, other = connected_pair(server_root=feed), connected_pair(server_root=feed)
    reference = one.result(one.client.root.shared())
    theirs = other.result(other.client.root.shared())
    feed.kept = None
    assert one.result(reference.callRemote("__anext__")) == 0
    del reference
    one.advance(1)
    one.lose()
    assert other.result(theirs.callRemote("__anext__")) == 1
    assert feed.seen == ["opened"]
    del theirs
    other.advance(1)
    assert feed.seen == ["opened", "closing"]


@pytest.mark.parametrize("name", ["shared", "shared_numbers"])
def test_one_that_its_service_keeps_goes_on(name: str, feed: Feed) -> None:
    found: list[Any] = []
    for _ in range(2):
        pair = connected_pair(server_root=feed)
        reference = pair.result(pair.client.root.callRemote(name))
        found += pair.result(pair.client.request(HANDLE_BUFFITER, reference, 1))
        del reference
        pair.advance(1)
        pair.lose()
    assert found == [0, 1]
    assert "closed" not in feed.seen
    assert "closing" not in feed.seen


def test_a_callers_generator_is_closed_when_its_reader_leaves_it(feed: Feed, pair: Pair) -> None:
    mine = Feed()
    assert pair.result(pair.client.root.first_of(mine.ticks())) == 0
    pair.advance(1)
    assert mine.seen == ["opened", "closing"]


COLOR: ContextVar[str] = ContextVar("color", default="none")


def test_it_ends_with_the_variables_that_it_has_set(feed: Feed, pair: Pair) -> None:
    async def colored() -> AsyncIterator[int]:
        COLOR.set("red")
        try:
            yield 1
        finally:
            feed.seen.append(COLOR.get())

    feed.kept = colored()
    reference = pair.result(pair.client.root.shared())
    feed.kept = None
    pair.result(pair.client.request(HANDLE_BUFFITER, reference, 1))
    del reference
    pair.advance(1)
    assert feed.seen == ["red"]


def test_the_hooks_of_the_thread_stay_as_they_are() -> None:
    before = sys.get_asyncgen_hooks()
    generator = Feed().ticks()
    awaitable = step(ImmediateExecutor(), generator.__anext__)
    assert sys.get_asyncgen_hooks() == before
    awaitable.close()
    assert is_generator(generator)
    assert not is_generator(iter([]))


def test_nothing_under_way_has_ended() -> None:
    assert Closings().ended().called


@pytest_twisted.ensureDeferred
async def test_a_listener_that_stops_waits_a_moment_for_them() -> None:
    class Slow(Service):
        seen: list[str] = []

        @exposed
        async def ticks(self) -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
            finally:
                await deferLater(reactor, 0.05)
                self.seen.append("closed")

    async with served(Slow) as port:
        conn = await connect(endpoint_of(port))
        ticks = await conn.root.ticks()
        assert await ticks.callRemote("__anext__") == 1
        await port.factory.finish_all(5)
        assert Slow.seen == ["closed"]


# --- plain ones -------------------------------------------------------------------


@pytest.mark.parametrize("stock", [False, True])
def test_a_plain_one_is_closed_when_it_is_given_back(stock: bool, feed: Feed) -> None:
    pair = pair_with_stock_client(feed) if stock else connected_pair(server_root=feed)
    assert _read(pair, pair.result(pair.client.fetch_root()).numbers()) == [0, 1]
    pair.advance(1)
    assert feed.seen == ["closed"]


def test_a_plain_one_is_closed_at_the_end_whoever_keeps_the_connection(feed: Feed) -> None:
    pair = connected_pair(server_root=feed)
    reference = pair.result(pair.client.root.numbers())
    assert pair.result(reference.callRemote("__next__")) == 0
    pair.lose()
    assert pair.server.closed
    assert feed.seen == ["closed"]


class Lane(Service):
    """Runs in worker threads, and calls its client back at the end of its generators."""

    threaded_service = True

    def __init__(self) -> None:
        self.ended: list[Any] = []

    @exposed
    def numbers(self, on_end: Any) -> Iterator[int]:
        try:
            yield from range(10_000)
        finally:
            name = threading.current_thread().name
            try:
                self.ended.append((name, on_end("end")))
            except Exception as error:
                self.ended.append((name, type(error)))


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("client", ["txremote", "script", "stock"])
async def test_a_plain_one_of_a_threaded_service_ends_in_its_thread(client: str) -> None:
    service = Lane()
    mine = threading.current_thread().name
    heard: list[str] = []

    def by_script(module: Any, number: int) -> None:
        conn = module.connect("127.0.0.1", number)
        for item in conn.root.numbers(heard.append):
            if item == 2:
                break
        for _ in range(200):
            if heard:
                break
            conn.poll_all(0.02)
        conn.close()

    async with served(service) as port:
        if client == "txremote":
            conn = await connect(endpoint_of(port))
            await _some(conn.root.numbers(heard.append))
            await until(lambda: bool(service.ended))
            await conn.close()
        else:
            module = pytest.importorskip("rpyc") if client == "stock" else rpyc
            await deferToThread(by_script, module, port.getHost().port)
            await until(lambda: bool(service.ended))
        assert heard == ["end"]
        ((thread, answer),) = service.ended
        assert thread != mine
        assert answer is None


@pytest_twisted.ensureDeferred
async def test_a_plain_one_of_a_threaded_service_ends_with_the_connection() -> None:
    service = Lane()
    async with served(service) as port:
        conn = await connect(endpoint_of(port))
        numbers = await conn.root.numbers(print)
        assert await numbers.callRemote("__next__") == 0
        await conn.close()
        await until(lambda: bool(service.ended))
        ((thread, answer),) = service.ended
        assert thread != threading.current_thread().name
        assert issubclass(answer, EOFError)


def _in_a_script() -> list[str]:
    feed = Lane()
    heard: list[str] = []

    class Client(rpyc.Service):
        exposed_numbers = feed.numbers

    class Server(rpyc.Service):
        def on_connect(self, conn: Any) -> None:
            self.conn = conn

        def exposed_read(self) -> list[int]:
            found = []
            for number in self.conn.root.numbers(heard.append):
                found.append(number)
                if number == 3:
                    break
            return found

    conn = rpyc.connect_thread(service=Client, remote_service=Server)
    try:
        assert list(conn.root.read()) == [0, 1, 2, 3]
        for _ in range(100):
            if heard:
                break
            conn.poll_all(0.05)
        return heard
    finally:
        conn.close()


@pytest_twisted.ensureDeferred
async def test_a_plain_one_of_a_script_ends_where_it_may_call() -> None:
    assert await deferToThread(_in_a_script) == ["end"]

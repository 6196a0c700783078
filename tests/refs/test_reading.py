"""
Streams between real ends: a reactor's, a threaded service's, a script's, and stock RPyC's.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import pytest_twisted
import rpyc as stock
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

import txremote.blocking
from tests.blocking.script_threads import (
    client,
    linked,
    run_script,
    scripted,
    serving,
    wait_until,
)
from tests.net.servers import DEADLINE, endpoint_of, served
from tests.peer.pairs import Outcome, logged
from tests.peer.test_outgoing import Feed, feed_pair, settle
from txremote import AsyncResultTimeout, Service, Topic, connect, exposed, stream
from txremote.refs.reading import stream_items_here
from txremote.streams.chunks import CHUNK
from txremote.testing import Pair, connected_pair

COUNT = 5_000


class Given:
    """What becomes of generators, seen from any thread."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.threads: set[int] = set()
        self.given = 0

    def plain(self, count: int, error: str) -> Iterator[int]:
        try:
            for number in range(count):
                self.given += 1
                self.threads.add(threading.get_ident())
                yield number
            if error:
                raise LookupError(error)
        finally:
            self.ends.append("finally")
            self.threads.add(threading.get_ident())

    async def asynchronous(self, count: int, error: str) -> AsyncIterator[int]:
        from twisted.internet import reactor

        try:
            for number in range(count):
                self.given += 1
                if number % 1000 == 3:
                    await deferLater(reactor, 0)
                yield number
            if error:
                raise LookupError(error)
        finally:
            self.ends.append("finally")


class Source(Service):
    """Gives streams, and reads a client's."""

    def __init__(self) -> None:
        self.of: Given = Given()

    @exposed
    def plain(self, count: int, error: str = "") -> Any:
        return stream(self.of.plain(count, error))

    @exposed
    def asynchronous(self, count: int, error: str = "") -> Any:
        return stream(self.of.asynchronous(count, error))

    @exposed
    def piped(self, data: bytes) -> Any:
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        return stream(open(reader, "rb"))  # the stream closes it

    @exposed
    def filed(self, path: str) -> Any:
        return stream(open(path, "rb"))

    @exposed
    async def first(self, flow: Any, most: int) -> int:
        total = 0
        async for number in flow:
            total += number
            most -= 1
            if not most:
                break
        return total


class ThreadedSource(txremote.blocking.Service, Source):
    """The same where methods run in worker threads."""

    def __init__(self) -> None:
        Source.__init__(self)

    @exposed
    def first(self, flow: Any, most: int) -> int:  # type: ignore[override]
        return sum(itertools.islice(flow, most or None))


def over(client: str, port: Any) -> Any:
    """Connect a script by either library."""
    library: Any = txremote.blocking if client == "txremote" else stock
    return library.connect("127.0.0.1", port.getHost().port)


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
@pytest.mark.parametrize("client", ["txremote", "stock"])
@pytest.mark.parametrize("server", [Source, ThreadedSource])
@pytest_twisted.ensureDeferred
async def test_a_script_reads_breaks_off_and_gets_errors(
    server: Callable[[], Any], client: str, kind: str
) -> None:
    service = server()

    def script() -> None:
        with closing(over(client, port)) as conn:
            give = getattr(conn.root, kind)
            assert list(give(COUNT if client == "txremote" else 50)) == list(
                range(COUNT if client == "txremote" else 50)
            )
            assert service.of.ends == ["finally"]
            for number in give(10**9):
                if number == 4:
                    break
            conn.ping()
            wait_until(lambda: service.of.ends == ["finally"] * 2)
            found = []
            with pytest.raises(LookupError, match="no more paper"):
                for number in give(20, "no more paper"):
                    found.append(number)
            assert found == list(range(20))
            wait_until(lambda: service.of.ends == ["finally"] * 3)
            assert service.of.given < 50_000

    async with served(service) as port:
        main = threading.get_ident()
        await run_script(script)
    if kind == "plain":
        assert (main in service.of.threads) is (server is Source)


@pytest.mark.parametrize("client", ["txremote", "stock"])
@pytest_twisted.ensureDeferred
async def test_files_and_pipes_are_read_by_scripts(client: str, tmp_path: Any) -> None:
    data = os.urandom(3 * CHUNK + 5)
    (tmp_path / "data").write_bytes(data)

    def script() -> None:
        with closing(over(client, port)) as conn:
            parts = list(conn.root.filed(str(tmp_path / "data")))
            assert [len(part) for part in parts] == [CHUNK, CHUNK, CHUNK, 5]
            assert b"".join(parts) == data
            assert b"".join(conn.root.piped(b"from a pipe")) == b"from a pipe"

    async with served(Source()) as port:
        await run_script(script)


@pytest.mark.parametrize("server", [Source, ThreadedSource])
@pytest_twisted.ensureDeferred
async def test_a_scripts_stream_is_read_by_its_server_and_closed_where_it_runs(
    server: Callable[[], Any],
) -> None:
    service, mine = server(), Given()

    def script() -> None:
        with closing(over("txremote", port)) as conn:
            assert conn.root.first(stream(mine.plain(COUNT, "")), 0) == sum(range(COUNT))
            assert conn.root.first(stream(mine.plain(10**9, "")), 3) == 3
            wait_until(lambda: conn.poll_all() or mine.ends == ["finally"] * 2)
            assert mine.threads == {threading.get_ident()}
            assert mine.given < 50_000

    async with served(service) as port:
        await run_script(script)


@pytest.mark.parametrize("server", [Source, ThreadedSource])
@pytest_twisted.ensureDeferred
async def test_a_reactors_client_reads_and_gives_streams(server: Callable[[], Any]) -> None:
    service, mine = server(), Given()
    async with served(service) as port:
        conn = await connect(endpoint_of(port), timeout=DEADLINE)
        for kind in ("plain", "asynchronous"):
            found = [number async for number in getattr(conn.root, kind)(COUNT)]
            assert found == list(range(COUNT))
            async for number in await getattr(conn.root, kind)(10**9):
                if number == 4:
                    break
        assert await conn.root.first(stream(mine.asynchronous(COUNT, "")), 0) == sum(range(COUNT))
        assert await conn.root.first(stream(mine.asynchronous(10**9, "")), 3) == 3
        await conn.close()
    await run_script(wait_until, lambda: service.of.ends == ["finally"] * 4)
    await run_script(wait_until, lambda: mine.ends == ["finally"] * 2)


@scripted
def test_scripts_alone_stream_to_each_other() -> None:
    source = Source()
    with linked(source) as conn:
        assert list(conn.root.plain(COUNT)) == list(range(COUNT))
        for number in conn.root.plain(10**9):
            if number == 4:
                break
        wait_until(lambda: source.of.ends == ["finally"] * 2)
        assert source.of.given < 50_000


@scripted
def test_a_generator_that_is_left_while_it_calls_its_reader_is_closed_behind_that_item() -> None:
    ends: list[str] = []
    waits = threading.Event()
    answer: Deferred[None] = Deferred()

    class Teller(Service):
        @exposed
        def told(self, tell: Any) -> Any:
            def items() -> Iterator[int]:
                try:
                    for number in range(10):
                        tell(number)
                        yield number
                finally:
                    ends.append("finally")

            return stream(items(), chunk=1)

    def tell(number: int) -> Deferred[None] | None:
        if number != 1:
            return None
        waits.set()
        return answer

    with logged() as log, serving(Teller) as server, client(server) as conn:
        thread = txremote.blocking.BgServingThread(conn)
        for number in conn.root.told(tell):
            assert number == 0
            assert waits.wait(DEADLINE)
            break
        wait_until(lambda: not conn.protocol.streams.incoming)
        conn.ping()
        assert ends == []
        conn.protocol.executor.submit(lambda: answer.callback(None))
        wait_until(lambda: ends == ["finally"])
        thread.stop()
    assert "did not close well" not in log.text()


@scripted
def test_a_stream_can_still_be_pulled_item_by_item() -> None:
    with linked(Source()) as conn:
        flow = conn.root.plain(3)
        assert [next(flow), next(flow), next(flow)] == [0, 1, 2]
        with pytest.raises(StopIteration):
            next(flow)
        assert list(txremote.blocking.buffiter(conn.root.plain(30))) == list(range(30))


class Events(Service):
    """Tells of events when it is asked to."""

    def __init__(self) -> None:
        self.exposed_topic = Topic()

    @exposed
    def tell(self, count: int) -> None:
        for number in range(count):
            self.exposed_topic.publish(number)


@scripted
def test_a_script_takes_an_event_by_next_and_a_loop_goes_on() -> None:
    service = Events()
    with linked(service) as conn:
        events = conn.root.topic.subscribe()
        conn.root.tell(4)
        assert [next(events), next(events)] == [0, 1]
        assert [number for _, number in zip(range(2), events, strict=False)] == [2, 3]
        assert service.exposed_topic.stats().subscribers == 1
        del events
        conn.ping()
        assert service.exposed_topic.stats().subscribers == 0


class Impatient:
    """
    The view of a script whose waits are over at once.

    Attributes:
        asked: How often it has asked the peer for a sign of life.
    """

    _timeout = 5.0

    def __init__(self, pair: Pair, feed: Feed, is_alive: bool) -> None:
        self.protocol = pair.client
        self.asked = 0
        self._pair, self._feed, self._is_alive = pair, feed, is_alive

    def _wait_for_answer(self, timeout: float, send: Callable[[], Deferred[Any]]) -> None:
        waiting = send()
        settle(self._pair)
        if not waiting.called:
            waiting.addErrback(lambda failure: failure.trap(CancelledError))
            waiting.cancel()
            raise AsyncResultTimeout(f"no answer within {timeout:g} s")

    def ping(self, timeout: float) -> None:
        self.asked += 1
        if not self._is_alive:
            raise AsyncResultTimeout("no answer")
        if self.asked % 3 == 0:  # after some silence there is an item
            self._feed.gates[-1].callback(None)
            settle(self._pair)

    def to_netrefs(self, items: Any) -> Any:
        return items

    def leave_stream(self, incoming: Any) -> None:
        incoming.leave_now()
        settle(self._pair)


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_script_waits_for_a_silent_source_while_its_peer_is_alive(is_alive: bool) -> None:
    pair, feed = feed_pair()
    view = Impatient(pair, feed, is_alive)
    reading = stream_items_here(view, pair.result(pair.client.root.waiting()))
    if is_alive:
        assert list(reading) == [0, 1, 2]
        assert view.asked == 9
    else:
        with pytest.raises(AsyncResultTimeout):
            next(reading)
        assert view.asked == 1
    assert feed.ends == ["finally"]
    pair.lose()


class Gated(Service):
    """Gives items that come when the tests say so, as a stream and otherwise."""

    def __init__(self) -> None:
        self.gates: list[Deferred[None]] = []

    async def _numbers(self) -> AsyncIterator[int]:
        for number in range(100):
            if number % 5 == 3:
                self.gates.append(Deferred())
                await self.gates[-1]
            yield number

    @exposed
    def pushed(self) -> Any:
        return stream(self._numbers())

    @exposed
    def pulled(self) -> Any:
        return self._numbers()


@pytest.mark.parametrize("name", ["pushed", "pulled"])
def test_a_step_that_was_cancelled_is_not_taken_for_the_end(name: str) -> None:
    """Of a stream, which is left, or of what is asked for in chunks, of which one is lost."""
    gated = Gated()
    pair = connected_pair(server_root=gated)
    steps = aiter(pair.client.root.callRemote(name))

    def step() -> Deferred[int]:
        async def one() -> int:
            return await anext(steps)

        stepping = Deferred.fromCoroutine(one())
        settle(pair)
        return stepping

    assert [pair.result(step()) for _ in range(3)] == [0, 1, 2]
    waiting = step()
    if name == "pushed":
        assert "two tasks wait" in str(Outcome(step()).error)
    waiting.cancel()
    settle(pair)
    assert isinstance(Outcome(waiting).error, CancelledError)
    for gate in gated.gates:
        if not gate.called:
            gate.callback(None)
    assert "the wait for an item was cancelled" in str(Outcome(step()).error)
    pair.lose()

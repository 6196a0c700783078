"""
Streams of ours that a peer reads: what arrives, what waits, and how each ends, once.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from tests.peer.pairs import Outcome, Wire, logged
from txremote import (
    ConnectionLost,
    NotSendable,
    Service,
    current_call,
    exposed,
    register_value,
    stream,
    value,
)
from txremote.peer import incoming
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_BUFFITER, HANDLE_STREAM

KINDS = ["plain", "asynchronous"]


@dataclass
class Dense:
    """Goes as a value."""

    data: bytes


class Feed(Service):
    """Gives streams of both kinds, and notes what becomes of their generators."""

    def __init__(self) -> None:
        self.given = 0
        self.ends: list[str] = []
        self.gates: list[Deferred[None]] = []
        self.stream: Any = None
        self.chunks: list[bytes] = []
        self.items: list[Any] = []

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Note how a generator ends."""
        try:
            yield
        except GeneratorExit:
            self.ends.append("closed")
            raise
        finally:
            self.ends.append("finally")

    def _plain(self, items: Any, error: Exception | None) -> Iterator[Any]:
        with self._noted():
            for item in items:
                self.given += 1
                yield item
            if error is not None:
                raise error

    async def _asynchronous(self, items: Any, error: Exception | None) -> AsyncIterator[Any]:
        with self._noted():
            for item in items:
                self.given += 1
                yield item
            if error is not None:
                raise error

    def _made(self, kind: str, items: Any, error: Exception | None = None) -> Any:
        make = self._plain if kind == "plain" else self._asynchronous
        self.stream = stream(make(items, error))
        return self.stream

    @exposed
    def upto(self, kind: str, count: int) -> Any:
        return self._made(kind, range(count))

    @exposed
    def fails_after(self, kind: str, count: int) -> Any:
        return self._made(kind, range(count), LookupError("no more paper"))

    @exposed
    def hangs_up(self, kind: str) -> Any:
        """Give items without an end, and close the connection within the third."""
        closing = map(_hang_up_at_2, itertools.count(), itertools.repeat(current_call().connection))
        return self._made(kind, closing)

    @exposed
    def repeated(self, kind: str) -> Any:
        return self._made(kind, self.items)

    @exposed
    def with_unsendable(self, kind: str) -> Any:
        return self._made(kind, [1, 2, pytest, 4])

    @exposed
    def mixed(self, kind: str) -> Any:
        return self._made(kind, [1, "two", (3.0, None), value([4, {"five": 6}]), self])

    @exposed
    def chunked(self) -> Any:
        return stream(iter(self.chunks))

    @exposed
    def waiting(self) -> Any:
        async def gated() -> AsyncIterator[int]:
            try:
                for number in range(3):
                    gate: Deferred[None] = Deferred()
                    self.gates.append(gate)
                    await gate
                    yield number
            finally:
                self.ends.append("finally")

        return stream(gated())

    @exposed
    def callers(self, kind: str) -> Any:
        users = (current_call().connection for _ in range(1))
        return self._made(kind, (connection.closed for connection in users))

    @exposed
    async def total(self, numbers: Any) -> int:
        total = 0
        async for number in numbers:
            total += number
        return total


def _hang_up_at_2(number: int, connection: Any) -> int:
    if number == 2:
        connection.close()
    return number


class Read:
    """A loop over a stream that goes on by itself, and can be left."""

    def __init__(self, asked: Any, most: int | None = None) -> None:
        self.items: list[Any] = []
        self._most = most
        self.running = Deferred.fromCoroutine(self._run(asked))
        self.over = Outcome(self.running)

    async def _run(self, asked: Any) -> None:
        async for item in asked:
            self.items.append(item)
            if len(self.items) == self._most:
                break


def feed_pair(**switches: Any) -> tuple[Pair, Feed]:
    feed = Feed()
    pair = connected_pair(server_root=feed, config=switches or None)
    _pairs.append(pair)
    return pair, feed


_pairs: list[Pair] = []


@pytest.fixture(autouse=True)
def pairs_are_lost() -> Iterator[None]:
    yield
    for pair in _pairs:
        pair.lose()
    _pairs.clear()


def settle(pair: Pair) -> None:
    for _ in range(50):
        pair.advance(0)


@pytest.mark.parametrize("kind", KINDS)
def test_all_items_arrive_in_order_and_the_source_ends_once(kind: str) -> None:
    pair, feed = feed_pair()
    read = Read(pair.client.root.upto(kind, 20_000))
    settle(pair)
    assert read.items == list(range(20_000))
    assert read.over.value is None
    assert feed.ends == ["finally"]
    assert pair.server.streams is not None
    assert not pair.server.streams.outgoing
    assert not pair.server.streams.incoming


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_can_travel_travels_in_a_stream(kind: str) -> None:
    pair, _feed = feed_pair()
    read = Read(pair.client.root.mixed(kind))
    settle(pair)
    assert read.items[:4] == [1, "two", (3.0, None), [4, {"five": 6}]]
    assert read.items[4] is pair.client.root


@pytest.mark.parametrize("max_frame", [100_000, 64 << 20])
def test_bytes_go_in_longer_messages_that_the_readers_max_frame_allows(max_frame: int) -> None:
    pair, feed = feed_pair(max_frame=max_frame)
    chunks = [bytes([number]) * size for number, size in enumerate([5, 40_000, 65_536, 9_000] * 20)]
    feed.chunks = chunks
    read = Read(pair.client.root.chunked())
    settle(pair)
    assert read.items == chunks
    assert read.over.value is None


class Opaque:
    """A value of which nobody knows how long it is until it is written."""


register_value(Opaque, dump=lambda _opaque: bytes(100_000), load=lambda _data: Opaque())


@pytest.mark.parametrize("item", [Dense(bytes(100_000)), {"a": bytes(100_000)}, Opaque()])
@pytest.mark.parametrize("kind", KINDS)
def test_long_values_make_messages_that_the_credit_is_for(
    kind: str, item: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They made one that was longer than all of it, and with a megabyte each than max_frame."""
    sizes: list[int] = []
    receive = incoming.Incoming.receive

    def noting(stream: Any, items: Any, size: int, has_values: bool) -> None:
        sizes.append(size)
        receive(stream, items, size, has_values)

    monkeypatch.setattr(incoming.Incoming, "receive", noting)
    pair, feed = feed_pair()
    feed.items = [value(item)] * 300
    read = Read(pair.client.root.repeated(kind))
    pair.result(read.running)
    assert len(read.items) == 300
    assert max(sizes) < 100_100


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_the_loop_closes_the_source_once(kind: str) -> None:
    pair, feed = feed_pair()
    read = Read(pair.client.root.upto(kind, 10**9), most=3)
    settle(pair)
    assert read.items == [0, 1, 2]
    assert feed.ends == ["closed", "finally"]
    assert feed.given < 10_000
    assert not pair.server.streams.outgoing  # type: ignore[union-attr]
    assert not len(pair.server.inbound)


@dataclass
class Rows:
    """An asynchronous iterator that is no generator, has no hash, and does not close well."""

    closed: int = 0

    def __aiter__(self) -> Rows:
        return self

    async def __anext__(self) -> str:
        return "row"

    async def aclose(self) -> None:
        self.closed += 1
        raise OSError("no good end")


def test_a_source_that_is_no_generator_is_closed_and_what_goes_wrong_is_logged() -> None:
    rows = Rows()

    class Table(Service):
        @exposed
        def rows(self) -> Any:
            return stream(rows)

    pair = connected_pair(server_root=Table)
    with logged() as log:
        read = Read(pair.client.root.rows(), most=3)
        settle(pair)
    assert read.items == ["row"] * 3
    assert rows.closed == 1
    assert "Rows, which its reader has left, did not close well" in log.text()
    assert "no good end" in log.text()
    assert len(pair.server.executor.closings) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_source_raises_comes_behind_its_items(kind: str) -> None:
    pair, feed = feed_pair()
    read = Read(pair.client.root.fails_after(kind, 300))
    settle(pair)
    assert read.items == list(range(300))
    assert read.over.error.args == ("no more paper",)
    assert isinstance(read.over.error, LookupError)
    assert feed.ends == ["finally"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_that_cannot_be_sent_ends_the_stream_behind_those_before_it(kind: str) -> None:
    pair, feed = feed_pair()
    read = Read(pair.client.root.with_unsendable(kind))
    settle(pair)
    assert read.items == [1, 2]
    assert isinstance(read.over.error, NotSendable)
    assert feed.ends[-1] == "finally"
    assert feed.ends.count("finally") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_that_is_closing_takes_no_more_of_a_source(kind: str) -> None:
    pair, feed = feed_pair()
    # it does not end until the peer has taken all
    pair.server.transport.loseConnection = lambda: None  # type: ignore[union-attr,method-assign]
    read = Read(pair.client.root.hangs_up(kind))
    settle(pair)
    assert feed.given < 100_000
    assert feed.ends == ["closed", "finally"]
    pair.lose()
    assert isinstance(read.over.error, ConnectionLost)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_connection_closes_the_source_and_ends_the_loop(kind: str) -> None:
    pair, feed = feed_pair()

    async def slow() -> None:
        async for item in pair.client.root.upto(kind, 10**9):
            await hold if item == 5 else None

    hold: Deferred[None] = Deferred()
    over = Outcome(Deferred.fromCoroutine(slow()))
    settle(pair)
    assert feed.ends == []
    pair.lose()
    assert feed.ends == ["closed", "finally"]
    hold.callback(None)
    assert isinstance(over.error, ConnectionLost)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_does_not_read_holds_a_window(kind: str) -> None:
    pair, feed = feed_pair()
    ref = pair.result(pair.client.root.upto(kind, 10**9))
    reading: Any = pair.client.open_stream(ref, False)
    settle(pair)
    assert feed.given <= 2 * incoming.MOST_ITEMS
    taken = 0
    for _ in range(20):
        while items := reading.take():
            taken += len(items)
        settle(pair)
    assert taken > 10 * incoming.MOST_ITEMS
    assert feed.given - taken <= 2 * incoming.MOST_ITEMS
    reading.leave()
    settle(pair)
    assert feed.ends == ["closed", "finally"]


@pytest.mark.parametrize("kind", KINDS)
def test_credit_that_comes_while_the_transport_is_full_is_used_when_it_is_not(kind: str) -> None:
    pair, _feed = feed_pair()
    ref = pair.result(pair.client.root.upto(kind, 10**9))
    reading: Any = pair.client.open_stream(ref, False)
    settle(pair)  # all credit is used up
    pair.server.outbox.pauseProducing()
    while reading.take():
        continue
    settle(pair)
    assert reading.take() is None
    pair.server.outbox.resumeProducing()
    settle(pair)
    assert reading.take()
    reading.leave()
    settle(pair)


def test_a_lost_connection_keeps_no_stream_that_waits_for_its_transport() -> None:
    pair, feed = feed_pair()
    reads = [Read(pair.client.root.upto(kind, 10**9)) for kind in KINDS]
    pair.pump()
    pair.server.outbox.pauseProducing()
    settle(pair)
    streams = pair.server.streams
    assert streams is not None
    assert len(streams._drained) == 2
    pair.lose()
    assert (len(streams._drained), len(streams.outgoing)) == (0, 0)
    assert all(isinstance(read.over.error, ConnectionLost) for read in reads)
    assert feed.ends.count("finally") == 2


def test_items_go_out_as_they_come_and_a_cancelled_loop_cancels_what_is_waited_for() -> None:
    pair, feed = feed_pair()
    read = Read(pair.client.root.waiting())
    settle(pair)
    assert (read.items, len(feed.gates)) == ([], 1)
    feed.gates[0].callback(None)
    settle(pair)
    assert (read.items, len(feed.gates)) == ([0], 2)
    read.running.cancel()
    settle(pair)
    assert isinstance(read.over.error, CancelledError)
    assert feed.ends == ["finally"]
    assert feed.gates[1].called  # by its cancellation


def test_call_timeout_bounds_the_wait_for_one_item_and_not_the_stream() -> None:
    pair, feed = feed_pair(call_timeout=10.0)
    read = Read(pair.client.root.waiting())
    settle(pair)
    for number in range(2):
        pair.advance(8)
        feed.gates[number].callback(None)
        settle(pair)
    assert read.items == [0, 1]
    pair.advance(11)
    settle(pair)
    assert isinstance(read.over.error, TimeoutError)
    assert "option call_timeout" in str(read.over.error)
    assert feed.ends == ["finally"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_knows_whose_call_it_answers(kind: str) -> None:
    pair, _feed = feed_pair()
    read = Read(pair.client.root.callers(kind))
    settle(pair)
    assert read.items == [False]


def test_a_client_gives_a_stream_as_an_argument() -> None:
    pair, _feed = feed_pair()
    asked = Outcome(pair.client.root.total(stream(range(5_000))))
    settle(pair)
    assert asked.value == sum(range(5_000))


def test_a_stream_is_read_once_and_not_by_two() -> None:
    pair, _feed = feed_pair()
    ref = pair.result(pair.client.root.upto("plain", 10))
    first = Read(ref)
    second = Read(ref)
    settle(pair)
    assert first.items == list(range(10))
    assert "read once" in str(second.over.error)


def test_a_third_peers_stream_is_read_through_a_server_that_has_its_reference() -> None:
    far, feed = feed_pair()

    class Middle(Service):
        @exposed
        async def upto(self, kind: str, count: int) -> Any:
            return await far.client.root.upto(kind, count)

    near = connected_pair(server_root=Middle)

    def all_settle() -> None:
        for _ in range(100):
            near.advance(0)
            far.advance(0)

    read = Read(near.client.root.upto("plain", 20_000))
    all_settle()
    assert read.items == list(range(20_000))
    left = Read(near.client.root.upto("asynchronous", 10**9), most=2)
    all_settle()
    assert left.items == [0, 1]
    assert feed.ends == ["finally", "closed", "finally"]
    assert feed.given < 60_000


def test_a_thousand_streams_at_once_end_well_and_take_no_room_of_calls() -> None:
    pair, feed = feed_pair(max_calls=10)
    reads = [Read(pair.client.root.upto(KINDS[n % 2], 100 + n)) for n in range(1000)]
    settle(pair)
    assert all(read.items == list(range(100 + n)) for n, read in enumerate(reads))
    assert feed.ends == ["finally"] * 1000


def test_open_streams_hold_up_no_call() -> None:
    pair, _feed = feed_pair(max_calls=2)
    reads = [Read(pair.client.root.waiting()) for _ in range(5)]
    settle(pair)
    assert pair.result(pair.client.root.total(stream([1, 2]))) == 3
    for read in reads:
        read.running.cancel()
    settle(pair)
    assert not len(pair.server.inbound)


def test_more_streams_than_max_streams_are_refused_by_name() -> None:
    pair, _feed = feed_pair(max_streams=2)
    reads = [Read(pair.client.root.waiting()) for _ in range(3)]
    settle(pair)
    assert "option max_streams" in str(reads[2].over.error)


class Declared(Service, values=True):
    """Methods whose annotations say that they give streams."""

    @exposed
    def lists(self, count: int) -> Iterator[list[int]]:
        for number in range(count):
            yield [number]

    @exposed
    async def texts(self, count: int) -> AsyncIterator[str]:
        for number in range(count):
            yield str(number)

    @exposed
    def wrong(self) -> Iterator[int]:
        yield 1
        yield "two"  # type: ignore[misc]


class Undeclared(Service):
    """The same without values."""

    @exposed
    def lists(self, count: int) -> Iterator[object]:
        for number in range(count):
            yield (number,)

    @exposed
    async def texts(self, count: int) -> AsyncIterator[str]:
        for number in range(count):
            yield str(number)

    @exposed
    def pulled(self, count: int) -> Any:
        yield from range(count)


@pytest.mark.parametrize(("service", "item"), [(Declared, list), (Undeclared, tuple)])
def test_what_is_annotated_as_an_iterator_is_a_stream(service: Any, item: Any) -> None:
    pair = connected_pair(server_root=service)
    _pairs.append(pair)
    wire = Wire(pair.client)
    lists, texts = Read(pair.client.root.lists(3000)), Read(pair.client.root.texts(3000))
    settle(pair)
    assert lists.items == [item([number]) for number in range(3000)]
    assert texts.items == [str(number) for number in range(3000)]
    assert wire.requests.count(HANDLE_STREAM) == 2
    assert HANDLE_BUFFITER not in wire.requests


def test_what_is_not_annotated_is_pulled_as_ever() -> None:
    pair = connected_pair(server_root=Undeclared)
    _pairs.append(pair)
    wire = Wire(pair.client)
    read = Read(pair.client.root.pulled(100))
    settle(pair)
    assert read.items == list(range(100))
    assert HANDLE_STREAM not in wire.requests


def test_an_item_of_another_type_than_declared_ends_the_stream_with_a_sentence() -> None:
    pair = connected_pair(server_root=Declared)
    _pairs.append(pair)
    read = Read(pair.client.root.wrong())
    settle(pair)
    assert read.items == [1]
    assert "Declared.wrong gave a wrong result" in str(read.over.error)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((0, 10), "takes"),
        ((0, 0, 10), "credit"),
        ((0, 10, -1), "credit"),
        (("0", 10, 10), "takes"),
        ((0, 10.5, 10), "takes"),
    ],
)
def test_a_request_for_a_stream_that_is_wrong_is_refused(args: Any, said: str) -> None:
    pair, _feed = feed_pair()
    ref = pair.result(pair.client.root.upto("plain", 10))
    asked = pair.client.outbound.request(HANDLE_STREAM, (ref, *args))
    with pytest.raises((TypeError, ValueError), match=said):
        pair.result(asked)


def test_what_is_no_stream_is_not_sent_as_one() -> None:
    pair, _feed = feed_pair()
    root: Any = pair.client.root
    for target in (root, 5, (1, 2)):
        asked = pair.client.outbound.request(HANDLE_STREAM, (target, 0, 10, 10))
        with pytest.raises(TypeError, match=r"no stream|no reference"):
            pair.result(asked)

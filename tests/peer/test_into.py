"""
`stream_into`: consumers, files and writers that take a stream, slow it, stop it and fail.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from tests.peer.pairs import Outcome
from tests.peer.test_outgoing import settle
from txremote import Service, exposed, stream, stream_into
from txremote.peer.incoming import MOST_BYTES
from txremote.testing import Pair, connected_pair

PIECE = 1000


class Source(Service):
    """Gives pieces, and notes how many, and how that ends."""

    def __init__(self) -> None:
        self.given = 0
        self.ends = 0
        self.gate: Deferred[None] = Deferred()

    def _pieces(self, count: int, error: str) -> Iterator[Any]:
        try:
            for number in range(count):
                self.given += 1
                yield bytes([number % 256]) * PIECE
            if error:
                raise LookupError(error)
        finally:
            self.ends += 1

    @exposed
    def pieces(self, count: int, error: str = "") -> Any:
        return stream(self._pieces(count, error))

    @exposed
    def waiting(self) -> Any:
        async def pieces() -> Any:
            try:
                yield bytes(PIECE)
                await self.gate
            finally:
                self.ends += 1

        return stream(pieces())

    @exposed
    def numbers(self) -> Any:
        return stream(range(3))

    @exposed
    def whole(self) -> bytes:
        return b"whole"

    @exposed
    def pulled(self) -> Any:
        yield from (b"one", b"two")


class Consumer:
    """
    Pauses its producer when it has taken so many bytes.

    Attributes:
        producers: Those that it has, one at most.
    """

    def __init__(self, most: int = 10**9) -> None:
        self.most = most
        self.size = 0
        self.producers: list[Any] = []
        self.registered = 0

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        if self.producers:
            raise RuntimeError("it has a producer")
        self.producers.append(producer)
        self.registered += 1

    def unregisterProducer(self) -> None:
        self.producers.clear()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size >= self.most:
            self.producers[0].pauseProducing()


class Gone(Consumer):
    """Stops its producer: at once, or with its first bytes."""

    def __init__(self, at_once: bool) -> None:
        super().__init__()
        self.at_once = at_once

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        if self.at_once:
            producer.stopProducing()

    def write(self, data: bytes) -> None:
        super().write(data)
        self.producers[0].stopProducing()


class Cancels(Consumer):
    """Cancels what writes to it, with each write."""

    copying: Deferred[int]

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self.copying.cancel()


def joined() -> tuple[Pair, Source]:
    source = Source()
    return connected_pair(server_root=source), source


def test_a_consumer_that_pauses_stops_the_owner_and_takes_all_in_the_end() -> None:
    pair, source = joined()
    consumer = Consumer(most=5 * PIECE)
    count = 4 * MOST_BYTES // PIECE
    copied = Outcome(stream_into(pair.client.root.pieces(count), consumer))
    settle(pair)
    assert consumer.size == 5 * PIECE  # not an item behind the pause
    assert source.given < 1.5 * MOST_BYTES / PIECE
    consumer.most = 10**9
    consumer.producers[0].resumeProducing()
    settle(pair)
    assert copied.value == consumer.size == count * PIECE
    assert (consumer.producers, source.ends) == ([], 1)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_consumer_that_takes_no_more_ends_it_and_the_source(at_once: bool) -> None:
    pair, source = joined()
    copied = Outcome(stream_into(pair.client.root.pieces(10**9), Gone(at_once)))
    settle(pair)
    assert isinstance(copied.error, BrokenPipeError)
    assert source.ends == (0 if at_once else 1)
    assert not len(pair.server.inbound)


@pytest.mark.parametrize("paused", [True, False])
def test_a_consumer_may_stop_while_it_is_paused_or_waits(paused: bool) -> None:
    pair, source = joined()
    consumer = Consumer(most=0 if paused else 10**9)
    asked = pair.client.root.pieces(10) if paused else pair.client.root.waiting()
    copied = Outcome(stream_into(asked, consumer))
    settle(pair)
    consumer.producers[0].stopProducing()
    settle(pair)
    assert isinstance(copied.error, BrokenPipeError)
    assert source.ends == 1


def test_cancelling_it_leaves_the_source_and_the_consumer() -> None:
    pair, source = joined()
    for asked, consumer in [
        (pair.client.root.waiting(), Consumer()),
        (pair.client.root.pieces(10**9), Consumer(most=0)),
    ]:
        copying = stream_into(asked, consumer)
        copied = Outcome(copying)
        settle(pair)
        copying.cancel()
        settle(pair)
        assert isinstance(copied.error, CancelledError)
        assert consumer.producers == []
    assert source.ends == 2


def test_a_consumer_may_cancel_it_within_a_write() -> None:
    pair, source = joined()
    consumer = Cancels()
    consumer.copying = stream_into(pair.client.root.pieces(10**9), consumer)
    copied = Outcome(consumer.copying)
    settle(pair)
    assert isinstance(copied.error, CancelledError)
    assert (consumer.size, consumer.producers, source.ends) == (PIECE, [], 1)


def test_an_error_comes_behind_what_was_written() -> None:
    pair, source = joined()
    consumer = Consumer()
    copied = Outcome(stream_into(pair.client.root.pieces(7, "no more paper"), consumer))
    settle(pair)
    assert isinstance(copied.error, LookupError)
    assert (consumer.size, consumer.producers, source.ends) == (7 * PIECE, [], 1)


def test_a_consumer_that_has_a_producer_keeps_it() -> None:
    pair, source = joined()
    consumer = Consumer()
    first = Outcome(stream_into(pair.client.root.waiting(), consumer))
    settle(pair)
    second = Outcome(stream_into(pair.client.root.pieces(7), consumer))
    settle(pair)
    assert "it has a producer" in str(second.error)
    source.gate.callback(None)
    settle(pair)
    assert first.value == PIECE
    assert consumer.registered == 1


class Short(io.RawIOBase):
    """A file that takes a few bytes at a time."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data[:7]))
        return len(self.parts[-1])


def test_a_file_is_given_all_of_it_however_little_it_takes_at_a_time() -> None:
    pair, _source = joined()
    file, short = io.BytesIO(), Short()
    for sink in (file, short):
        assert pair.result(stream_into(pair.client.root.pieces(3), sink)) == 3 * PIECE
    assert (
        file.getvalue() == b"".join(short.parts) == b"".join(bytes([n]) * PIECE for n in range(3))
    )
    pulled = io.BytesIO()
    assert pair.result(stream_into(pair.client.root.pulled(), pulled)) == 6
    assert pulled.getvalue() == b"onetwo"


@pytest.mark.parametrize("sink", [io.StringIO(), 5, []])
def test_what_is_no_sink_is_refused(sink: Any) -> None:
    pair, _source = joined()
    with pytest.raises(TypeError, match=r"mode 'wb'|no write\(\)"):
        stream_into(pair.client.root, sink)


def test_what_is_no_stream_of_bytes_is_refused() -> None:
    pair, _source = joined()
    for name, said in [("numbers", "an int in a stream"), ("whole", "has given bytes")]:
        with pytest.raises(TypeError, match=said):
            pair.result(stream_into(pair.client.root.callRemote(name), io.BytesIO()))
    assert not pair.client.streams.incoming  # type: ignore[union-attr]

"""What `stream` takes, and what it refuses."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from threading import get_ident
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.peer.pairs import Outcome
from tests.streams.test_feed import Push
from txremote import stream
from txremote.streams.source import Stream


def test_an_iterable_is_an_iterator_of_its_items() -> None:
    assert list(stream([1, 2])) == [1, 2]
    assert list(stream(io.BytesIO(b"abcde"), chunk=2)) == [b"ab", b"cd", b"e"]


def test_one_that_comes_home_is_read_as_a_peers_is() -> None:
    """A method that reads streams by ``async for`` may be given one of its own side."""

    async def read(flow: Any) -> list[Any]:
        return [item async for item in flow]

    async def numbers() -> AsyncIterator[int]:
        yield 1

    assert Outcome(Deferred.fromCoroutine(read(stream([1, 2])))).value == [1, 2]
    file = stream(io.BytesIO(b"abcde"), chunk=4)
    assert Outcome(Deferred.fromCoroutine(read(file))).value == [b"abcd", b"e"]
    with pytest.raises(TypeError, match="read by 'async for'"):
        list(stream(numbers()))


def test_an_asynchronous_one_is_one_too_and_closes_with_it() -> None:
    ends = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            ends.append("closed")

    async def run() -> list[int]:
        found = []
        flow = stream(numbers())
        async for number in flow:
            found.append(number)
            await flow.aclose()
        return found

    assert Outcome(Deferred.fromCoroutine(run())).value == [1]
    assert ends == ["closed"]


@pytest.mark.parametrize("source", [5, None.__class__, "text", b"bytes", bytearray(), object()])
def test_what_is_no_flow_of_items_is_refused(source: Any) -> None:
    with pytest.raises(TypeError, match=r"sent whole|is no iterable"):
        stream(source)


def test_a_text_file_is_refused() -> None:
    with pytest.raises(TypeError, match="mode 'rb'"):
        stream(io.StringIO("text"))


@pytest.mark.parametrize("chunk", [0, -1, 1.5, True])
def test_a_chunk_is_a_positive_int(chunk: Any) -> None:
    with pytest.raises(ValueError, match="positive int"):
        stream([], chunk=chunk)


def test_without_a_source_a_producer_writes_to_its_consumer() -> None:
    flow = stream()
    assert flow.consumer is not None
    flow.consumer.write(b"part")
    flow.consumer.unregisterProducer()

    async def run() -> list[bytes]:
        return [part async for part in flow]

    assert Outcome(Deferred.fromCoroutine(run())).value == [b"part"]


def test_a_producer_whose_stream_nobody_has_any_more_is_stopped() -> None:
    unread, read = Push(), Push()
    flow = stream(unread)
    assert unread.told == []
    del flow
    assert unread.told == ["stop"]
    flow = stream(read)
    source = flow.take()
    del flow  # its reader has the rest
    assert read.told == []
    assert Outcome(Deferred.fromCoroutine(source.aclose())).value is None
    assert read.told == ["stop"]


@pytest_twisted.ensureDeferred
async def test_it_is_stopped_in_its_reactor_s_thread_whichever_let_go_of_it() -> None:
    stopped_in: Deferred[int] = Deferred()

    class Producer:
        def pauseProducing(self) -> None: ...

        def resumeProducing(self) -> None: ...

        def stopProducing(self) -> None:
            stopped_in.callback(get_ident())

    held = [stream(Producer())]
    await deferToThread(held.clear)
    assert await stopped_in == get_ident()


def test_its_name_on_the_wire_is_that_of_the_package() -> None:
    assert f"{Stream.__module__}.{Stream.__qualname__}" == "txremote.Stream"
    assert "Stream" in repr(stream([]))

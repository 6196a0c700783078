"""Streams that are written to real files, pipes and sockets, in a reactor and in asyncio."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.protocol import Factory, Protocol

from tests.aio.loops import LOOPS, run_in
from tests.aio.running import until as aio_until
from tests.net.servers import DEADLINE, endpoint_of, joined, listening, until
from txremote import Service, aio, exposed, stream, stream_into
from txremote.peer.incoming import MOST_BYTES

PIECE = bytes(10_000)


class Source(Service):
    """Gives bytes, and counts how many, and how that ends."""

    def __init__(self) -> None:
        self.given = 0
        self.ends = 0

    def _pieces(self, count: int) -> Iterator[bytes]:
        try:
            for _ in range(count):
                self.given += len(PIECE)
                yield PIECE
        finally:
            self.ends += 1

    @exposed
    def pieces(self, count: int) -> Any:
        return stream(self._pieces(count))


@pytest_twisted.ensureDeferred
async def test_a_thread_can_close_a_pipe_when_its_readers_socket_is_gone() -> None:
    """Though it is the first that has the connection as threads see it."""
    async with joined(Source()) as conn:
        conn.transport.abortConnection()
        await conn.when_disconnected()
        assert conn.view.closed


class Slow(Protocol):
    """Reads nothing until it is told to."""

    def connectionMade(self) -> None:
        self.size = 0
        transport: Any = self.transport
        transport.pauseProducing()
        self.factory.made.append(self)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.size += len(data)


class Noting(Factory):
    """Knows the connections that it has made."""

    noisy = False

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.protocol = Slow


@pytest_twisted.ensureDeferred
async def test_a_transport_whose_peer_does_not_read_stops_the_owner() -> None:
    """And one whose peer is gone leaves the stream."""
    from twisted.internet import reactor
    from twisted.internet.endpoints import clientFromString

    source, factory = Source(), Noting()
    async with joined(source) as conn, listening(factory) as port:
        dialled: Any = clientFromString(reactor, endpoint_of(port)).connect(
            Factory.forProtocol(Protocol)
        )
        sink: Any = await dialled
        await until(lambda: factory.made)
        count = 3000
        copying = stream_into(conn.root.pieces(count), sink.transport)
        given = -1
        while given != source.given:  # until nothing moves
            given = source.given
            for _ in range(20):
                await conn.ping()
        assert not copying.called
        assert given < count * len(PIECE) - 2 * MOST_BYTES
        factory.made[0].transport.resumeProducing()
        assert await copying == count * len(PIECE)
        await until(lambda: factory.made[0].size == count * len(PIECE))
        assert source.ends == 1

        copying = stream_into(conn.root.pieces(10**9), sink.transport)
        await until(lambda: factory.made[0].size > count * len(PIECE))
        factory.made[0].transport.abortConnection()
        with pytest.raises(BrokenPipeError, match="takes no more"):
            await copying
        await until(lambda: source.ends == 2)


@pytest_twisted.ensureDeferred
async def test_a_file_and_a_pipe_are_written_in_a_thread(tmp_path: Path) -> None:
    """So the reactor goes on while a pipe is full; a disk that is full is an error."""
    source = Source()
    async with joined(source) as conn:
        with (tmp_path / "file").open("wb", buffering=0) as file:
            assert await stream_into(conn.root.pieces(300), file) == 300 * len(PIECE)
        assert (tmp_path / "file").read_bytes() == PIECE * 300

        reader, writer = os.pipe()
        size = 0

        def read() -> None:
            nonlocal size
            with open(reader, "rb", buffering=0) as pipe:
                while data := pipe.read(1 << 16):
                    size += len(data)

        with open(writer, "wb", buffering=0) as pipe:
            copying = stream_into(conn.root.pieces(300), pipe)
            for _ in range(20):  # answered all the time
                await conn.ping()
            assert not copying.called
            reading = threading.Thread(target=read)
            reading.start()
            assert await copying == 300 * len(PIECE)
        reading.join(DEADLINE)
        assert size == 300 * len(PIECE)

        with open("/dev/full", "wb", buffering=0) as full:
            with pytest.raises(OSError, match="No space left"):
                await stream_into(conn.root.pieces(10**9), full)
        await until(lambda: source.ends == 3)


@pytest.mark.parametrize("kind", LOOPS)
def test_a_writer_of_asyncio_s_whose_reader_is_slow_stops_the_owner(
    kind: str, tmp_path: Path
) -> None:
    """And one whose connection is lost is an error; a file is written, too."""

    async def main() -> None:
        source = Source()
        accepted: asyncio.Queue[Any] = asyncio.Queue()
        sink = await asyncio.start_server(
            lambda reader, writer: accepted.put_nowait((reader, writer)), "127.0.0.1", 0
        )
        where = sink.sockets[0].getsockname()
        count = 3000
        async with aio.listen("localhost:0", source) as server, aio.connect(server.address) as conn:
            _, writer = await asyncio.open_connection(*where)
            far, far_writer = await accepted.get()
            copying = asyncio.ensure_future(_awaited(conn.root.pieces(count), writer))
            given = -1
            while given != source.given:
                given = source.given
                for _ in range(20):
                    await conn.ping()
            assert not copying.done()
            assert given < count * len(PIECE) - 2 * MOST_BYTES
            for _ in range(count):
                await far.readexactly(len(PIECE))
            assert await copying == count * len(PIECE)

            copying = asyncio.ensure_future(_awaited(conn.root.pieces(10**9), writer))
            await far.readexactly(len(PIECE))
            far_writer.transport.abort()
            with pytest.raises(ConnectionError):
                await copying
            await aio_until(lambda: source.ends == 2)

            with (tmp_path / "file").open("wb") as file:
                assert await aio.stream_into(conn.root.pieces(300), file) == 300 * len(PIECE)
            assert (tmp_path / "file").read_bytes() == PIECE * 300
            full = Full()
            copying = asyncio.ensure_future(_awaited(conn.root.pieces(10**9), full))
            await full.asked.wait()
            copying.cancel()
            with pytest.raises(asyncio.CancelledError):
                await copying
            await aio_until(lambda: source.ends == 4)
            with pytest.raises(asyncio.CancelledError):
                await aio.stream_into(conn.root.pieces(10**9), Ended())
            await aio_until(lambda: source.ends == 5)
            writer.transport.abort()
        sink.close()
        await sink.wait_closed()

    run_in(kind, main)


class Full:
    """A writer that never has room."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def write(self, data: bytes) -> None:
        return

    async def drain(self) -> None:
        self.asked.set()
        await asyncio.Event().wait()


class Ended(Full):
    """A writer whose task was cancelled, as at the end of a loop."""

    async def drain(self) -> None:
        raise asyncio.CancelledError


async def _awaited(asked: Any, writer: Any) -> int:
    return await aio.stream_into(asked, writer)

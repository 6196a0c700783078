"""
Streams of each kind, whose ends are counted, and readers of them. Not a test file.

An `Origin` gives streams: those of a server to its clients, or of a client to its server. Their
sources may run in any thread.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import txremote.blocking
from txremote import Service, exposed, stream

#: Of a file or a producer, and how much of it is in an item.
DATA = bytes(range(256)) * 160
PIECE = 3000
PIECES = [DATA[at : at + PIECE] for at in range(0, len(DATA), PIECE)]

#: What each kind of source gives. How a pipe's bytes are cut into items is not said.
ITEMS: dict[str, list[Any]] = {
    "plain": list(range(5000)),
    "asynchronous": [(number, "x" * (number * 37 % 300)) for number in range(300)],
    "file": PIECES,
    "pipe": list(DATA),
    "push": PIECES,
    "pull": PIECES,
}


class _File(io.BytesIO):
    """A file that counts."""

    def __init__(self, origin: Origin) -> None:
        super().__init__(DATA)
        self._origin = origin
        self._begun = False

    def read(self, size: int | None = -1, /) -> bytes:
        if not self._begun:
            self._begun = True
            self._origin.begun.append("file")
        return super().read(size)

    def close(self) -> None:
        if self._begun and not self.closed:
            self._origin.ended.append("file")
        super().close()


class _Pipe:
    """The reading end of a pipe, which counts, and has a descriptor."""

    def __init__(self, origin: Origin) -> None:
        reader, writer = os.pipe()
        os.write(writer, DATA)
        os.close(writer)
        self._file = open(reader, "rb", buffering=0)  # `close` is what is tried
        self._origin = origin
        self._begun = False

    def fileno(self) -> int:
        return self._file.fileno()

    def read(self, size: int) -> bytes:
        if not self._begun:
            self._begun = True
            self._origin.begun.append("pipe")
        return self._file.read(size)

    def close(self) -> None:
        if self._begun and not self._file.closed:
            self._origin.ended.append("pipe")
        self._file.close()

    def __del__(self) -> None:
        self._file.close()  # of one that was never asked for


class _Producer:
    """Writes pieces when it is resumed: one (pull), or until it is paused (push)."""

    def __init__(self, origin: Origin, kind: str, consumer: Any) -> None:
        self._origin = origin
        self._kind = kind
        self._left = list(reversed(PIECES))
        self._paused = False
        self._consumer = consumer
        origin.begun.append(kind)
        consumer.registerProducer(self, kind == "push")
        if kind == "push":
            self.resumeProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        while self._left and not self._paused:
            self._consumer.write(self._left.pop())
            self._paused = self._paused or self._kind == "pull"
        if not self._left:
            self._origin.ended.append(self._kind)
            self._consumer.unregisterProducer()

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._origin.ended.append(self._kind)


class Origin:
    """
    Makes streams.

    Attributes:
        begun: The kind of each source that has begun.
        ended: The kind of each that has ended: each once.
    """

    def __init__(self) -> None:
        self.begun: list[str] = []  # lists, as any thread may add to them
        self.ended: list[str] = []

    def _plain(self) -> Iterator[Any]:
        self.begun.append("plain")
        try:
            yield from ITEMS["plain"]
        finally:
            self.ended.append("plain")

    async def _asynchronous(self) -> AsyncIterator[Any]:
        self.begun.append("asynchronous")
        try:
            for item in ITEMS["asynchronous"]:
                yield item
        finally:
            self.ended.append("asynchronous")

    def made(self, kind: str) -> Any:
        """Return a stream of a kind."""
        if kind in ("push", "pull"):
            flow = stream()
            _Producer(self, kind, flow.consumer)
            return flow
        if kind == "file":
            return stream(_File(self), chunk=PIECE)
        if kind == "pipe":
            return stream(_Pipe(self))
        return stream(self._plain() if kind == "plain" else self._asynchronous())

    @property
    def left(self) -> dict[str, int]:
        """How many sources have begun and not ended, or ended twice, by their kind."""
        begun, ended = Counter(self.begun), Counter(self.ended)
        return {kind: begun[kind] - ended[kind] for kind in begun if begun[kind] != ended[kind]}


class Readings:
    """Readings of streams: the kind of each, its items and its end."""

    def __init__(self) -> None:
        self._begun: list[str] = []
        self.ended: list[tuple[str, list[Any], type[BaseException] | None]] = []

    async def read(self, kind: str, asked: Any) -> bool:
        """Read a stream by ``async for``; tell whether it has ended well."""
        items: list[Any] = []
        error: type[BaseException] | None = None  # itself it would keep what frames have
        self._begun.append(kind)
        try:
            async for item in asked:
                items.append(item)
        except BaseException as raised:
            error = type(raised)
        self.ended.append((kind, items, error))
        return error is None

    def read_here(self, kind: str, ask: Callable[[], Any]) -> bool:
        """Do as `read` by ``for``."""
        items: list[Any] = []
        error: type[BaseException] | None = None  # itself it would keep what frames have
        self._begun.append(kind)
        try:
            items.extend(ask())
        except BaseException as raised:
            error = type(raised)
        self.ended.append((kind, items, error))
        return error is None

    @property
    def all_ended(self) -> bool:
        """Whether none is under way."""
        return len(self.ended) == len(self._begun)

    def check(self, errors: tuple[type[BaseException], ...]) -> int:
        """
        Check that each has ended once, with all its items in order, or with some of the first
        and one of these errors.

        Returns:
            How many have ended well.
        """
        assert self.all_ended
        well = 0
        for kind, items, error in self.ended:
            found = list(b"".join(items)) if kind == "pipe" else items
            assert found == ITEMS[kind][: len(found)], kind
            if error is None:
                assert len(found) == len(ITEMS[kind]), kind
                well += 1
            else:
                assert issubclass(error, errors), (kind, error)
        return well


class Fountain(Service):
    """Gives a client streams, and reads those of a client."""

    def __init__(self) -> None:
        self.origin = Origin()
        self.readings = Readings()
        self.connections: list[Any] = []

    def on_connect(self, conn: Any) -> None:
        self.connections.append(getattr(conn, "protocol", conn))

    @exposed
    def give(self, kind: str) -> Any:
        """Give a stream."""
        return self.origin.made(kind)

    @exposed
    async def take(self, kind: str, flow: Any) -> bool:
        """Read a stream."""
        return await self.readings.read(kind, flow)


class ThreadedFountain(txremote.blocking.Service, Fountain):
    """The same where methods run in worker threads."""

    def __init__(self) -> None:
        Fountain.__init__(self)

    @exposed
    def take(self, kind: str, flow: Any) -> bool:  # type: ignore[override]
        """Read a stream."""
        return self.readings.read_here(kind, lambda: flow)


def left_in(connection: Any) -> dict[str, int]:
    """Return what a connection that has ended still holds of streams and calls, by name."""
    streams = connection.streams
    counts = {
        "unanswered": len(connection.inbound),
        "pending": len(connection.outbound.pending),
        "exports": len(connection._tables.exports),
        "closings": len(connection.executor.closings),
    }
    if streams is not None:
        counts["incoming"] = len(streams.incoming)
        counts["outgoing"] = len(streams.outgoing)
        counts["windows"] = streams._windows
        counts["waiting for the transport"] = len(streams._drained)
    return {name: count for name, count in counts.items() if count}

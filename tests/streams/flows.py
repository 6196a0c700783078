"""
Streams of each kind, whose ends are counted, and readers of them. Not a test file.

Whoever has an `Origin` gives streams: a server to its clients, or a client to its server. Their
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
            self._origin.begun["file"] += 1
        return super().read(size)

    def close(self) -> None:
        if self._begun and not self.closed:
            self._origin.ended["file"] += 1
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
            self._origin.begun["pipe"] += 1
        return self._file.read(size)

    def close(self) -> None:
        if self._begun and not self._file.closed:
            self._origin.ended["pipe"] += 1
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
        origin.begun[kind] += 1
        consumer.registerProducer(self, kind == "push")
        if kind == "push":
            self.resumeProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        while self._left and not self._paused:
            self._consumer.write(self._left.pop())
            self._paused = self._paused or self._kind == "pull"
        if not self._left:
            self._origin.ended[self._kind] += 1
            self._consumer.unregisterProducer()

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._origin.ended[self._kind] += 1


class Origin:
    """
    Makes streams.

    Attributes:
        begun: How many sources of each kind have begun.
        ended: How many have ended: each once.
    """

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def _plain(self) -> Iterator[Any]:
        self.begun["plain"] += 1
        try:
            yield from ITEMS["plain"]
        finally:
            self.ended["plain"] += 1

    async def _asynchronous(self) -> AsyncIterator[Any]:
        self.begun["asynchronous"] += 1
        try:
            for item in ITEMS["asynchronous"]:
                yield item
        finally:
            self.ended["asynchronous"] += 1

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
        """How many sources have begun and not ended, by their kind; of no kind none: {}."""
        self.ended.subtract(self.begun)
        left = {kind: -count for kind, count in self.ended.items() if count}
        self.ended.update(self.begun)
        return left


class Readings:
    """What has been read of streams: each reading with its kind, its items and its end."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended: list[tuple[str, list[Any], BaseException | None]] = []

    async def read(self, kind: str, asked: Any) -> bool:
        """Read a stream by ``async for``; tell whether it has ended well."""
        items: list[Any] = []
        error: BaseException | None = None
        self.begun += 1
        try:
            async for item in asked:
                items.append(item)
        except BaseException as raised:
            error = raised
        self.ended.append((kind, items, error))
        return error is None

    def read_here(self, kind: str, ask: Callable[[], Any]) -> bool:
        """Do as `read` by ``for``."""
        items: list[Any] = []
        error: BaseException | None = None
        self.begun += 1
        try:
            items.extend(ask())
        except BaseException as raised:
            error = raised
        self.ended.append((kind, items, error))
        return error is None

    def check(self, errors: tuple[type[BaseException], ...]) -> int:
        """
        Check that each has ended once, with all its items in order, or with some of the first
        and one of these errors.

        Returns:
            How many have ended well.
        """
        assert len(self.ended) == self.begun
        well = 0
        for kind, items, error in self.ended:
            found = list(b"".join(items)) if kind == "pipe" else items
            assert found == ITEMS[kind][: len(found)], kind
            if error is None:
                assert len(found) == len(ITEMS[kind]), kind
                well += 1
            else:
                assert isinstance(error, errors), (kind, repr(error))
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

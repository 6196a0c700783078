"""
Where the items of a peer's stream are written: a consumer, a writer of asyncio's, or a file.

Each takes a batch of items and lets its caller wait until it wants another one. While it is waited
for, no credit is given, so the owner of the stream stops, too.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from txremote.refs.awaiting import AwaitableDeferred
from txremote.wire.naming import class_name, with_article

#: Runs a function that may block in a thread, and gives what it returns.
InThread = Callable[[Callable[[], object]], Deferred[Any]]


class Sink(Protocol):
    """
    Takes the items of one stream.

    Attributes:
        stopped: Whether it takes no more.
    """

    stopped: bool

    async def write(self, items: Sequence[bytes]) -> None:
        """Take items, and return when there may be more."""

    def end(self) -> None:
        """Have nothing to do with it any more. Does not close it."""


@implementer(IPushProducer)
class ConsumerSink:
    """
    A consumer of Twisted's, whose producer this is. For its reactor's thread.

    Args:
        consumer: It.
        stop: Called when it takes no more.
        given_up: Tells whether nothing is to be written any more.

    Raises:
        RuntimeError: it has another producer.
    """

    def __init__(
        self, consumer: Any, stop: Callable[[], object], given_up: Callable[[], bool]
    ) -> None:
        self.stopped = False
        self._consumer = consumer
        self._stop = stop
        self._given_up = given_up
        self._paused = False
        self._resumed: Deferred[None] | None = None
        consumer.registerProducer(self, True)

    async def write(self, items: Sequence[bytes]) -> None:
        """Write each item when it is not paused."""
        for item in items:
            if self._paused:
                self._resumed = AwaitableDeferred()
                await self._resumed
            if self.stopped or self._given_up():
                return
            self._consumer.write(item)

    def pauseProducing(self) -> None:
        """Write no more for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        resumed, self._resumed = self._resumed, None
        if resumed is not None and not resumed.called:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """Write no more at all."""
        self.stopped = True
        self.resumeProducing()
        self._stop()

    def end(self) -> None:
        """Be its producer no more."""
        if not self.stopped:
            self._consumer.unregisterProducer()


class WriterSink:
    """A ``StreamWriter`` of asyncio's, or what is like one. For its loop's thread."""

    stopped = False

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._is_closing: Callable[[], object] = getattr(writer, "is_closing", bool)

    async def write(self, items: Sequence[bytes]) -> None:
        """Write items, and wait until it has room. ConnectionError: it is closed, or lost."""
        for item in items:
            if self._is_closing():  # then asyncio drops what is written, and logs each
                break
            self._writer.write(item)
        await Deferred.fromFuture(asyncio.ensure_future(self._writer.drain()))
        if self._is_closing():
            raise ConnectionResetError("the writer was closed before all of a stream was written")

    def end(self) -> None:
        """Do nothing: it is its owner's."""


class FileSink:
    """
    A binary file, or another object with its ``write``.

    Args:
        file: It.
        in_thread: Where one is written that has a descriptor: a disk or a pipe may be slow. None:
            here.
    """

    stopped = False

    def __init__(self, file: Any, in_thread: InThread | None) -> None:
        self._file = file
        self._in_thread = in_thread if _has_descriptor(file) else None

    async def write(self, items: Sequence[bytes]) -> None:
        """Write items, and wait until they are written."""
        if self._in_thread is None:
            for item in items:
                write_all(self._file, item)
            return
        error = await self._in_thread(lambda: self._error_of_writing(items))
        if error is not None:
            raise error

    def _error_of_writing(self, items: Sequence[bytes]) -> Exception | None:
        try:
            for item in items:
                write_all(self._file, item)
        except Exception as error:
            return error
        return None

    def end(self) -> None:
        """Do nothing: it is its owner's."""


def _has_descriptor(file: Any) -> bool:
    try:
        return type(file.fileno()) is int
    except (AttributeError, OSError, ValueError):
        return False


def write_all(file: Any, data: bytes) -> None:
    """Write bytes to a file, which may take some of them at a time."""
    written = file.write(data)
    while type(written) is int and written < len(data):  # of one without a buffer
        data = data[written:]
        written = file.write(data)
    if written is None and isinstance(file, io.RawIOBase):
        raise BlockingIOError(f"{file!r} does not block, and takes no more now")


def check_sink(sink: Any) -> None:
    """Raise TypeError where items cannot be written to something."""
    if isinstance(sink, io.TextIOBase):
        raise TypeError("a stream is written to a binary file: open it with mode 'wb'")
    if not callable(getattr(sink, "write", None)):
        name = with_article(class_name(type(sink)))
        raise TypeError(f"{name} is no consumer, no binary file and no writer: it has no write()")


def is_consumer(sink: Any) -> bool:
    """Tell whether something is a consumer of Twisted's."""
    return IConsumer.providedBy(sink) or callable(getattr(sink, "registerProducer", None))


def is_writer(sink: Any) -> bool:
    """Tell whether something is a ``StreamWriter`` of asyncio's, or like one."""
    return callable(getattr(sink, "drain", None))


def check_items(items: Sequence[Any]) -> int:
    """Return how many bytes some items have; TypeError: they are something else."""
    size = 0
    for item in items:
        if not isinstance(item, (bytes, bytearray)):
            name = with_article(class_name(type(item)))
            raise TypeError(f"{name} in a stream that is written: its items are to be bytes")
        size += len(item)
    return size

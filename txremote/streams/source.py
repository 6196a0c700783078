"""
`Stream`: an iterable of this side's that a peer reads in one flow, and `stream`, which makes one.

It is an iterator itself, so a peer that knows no streams reads it as any other: RPyC asks for an
item, or some, and gets them. Here ``async for`` reads it too, as that of a peer's. It is read once,
by one reader.
"""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator, Iterator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from txremote.refs.reactorthread import in_reactor, is_loop_thread
from txremote.streams.chunks import FileChunks, may_wait
from txremote.streams.feed import Feed, feed_of, is_producer

_GENERATORS = (GeneratorType, AsyncGeneratorType)


class Stream:
    """
    A flow of items, to be given to a peer as an argument or a result. Made by `stream`.

    Attributes:
        is_async: Whether it is read by ``async for``, and not by ``for``.
        blocks: Whether reading it may wait for somebody in this thread: it is read in another.
        chunk: The most items that travel in one message; None for as many as are there.
        consumer: Takes what a producer of Twisted's writes; None where there is none.
    """

    __slots__ = (
        *("__weakref__", "_iterator", "_source", "_taken"),
        *("blocks", "chunk", "consumer", "is_async"),
    )

    def __init__(self, source: Any, chunk: int | None = None) -> None:
        self.blocks = False
        self.chunk = chunk
        self.consumer: Feed | None = None
        self._iterator: Any = None
        self._taken = False
        if source is None or is_producer(source):
            feed = Feed() if source is None else feed_of(source)
            self.consumer = feed
            self.is_async = True
            self._iterator = feed
        elif isinstance(source, io.TextIOBase):
            raise TypeError("a stream of a text file: open it with mode 'rb'")
        elif callable(getattr(source, "read", None)) and not hasattr(source, "__anext__"):
            self.is_async = False
            self.blocks = may_wait(source)
            self.chunk = None
            self._iterator = FileChunks(source, chunk)
        elif isinstance(source, (str, bytes, bytearray, memoryview)):
            kind = type(source).__name__
            raise TypeError(
                f"a {kind} is sent whole: a stream of its pieces is stream(io.BytesIO(data))"
            )
        elif hasattr(source, "__aiter__") or hasattr(source, "__anext__"):
            self.is_async = True
        elif hasattr(source, "__iter__") or hasattr(source, "__next__"):
            self.is_async = False
        else:
            raise TypeError(
                f"a {type(source).__name__} is no iterable, no binary file and no producer"
            )
        self._source: Any = source

    def iterator(self) -> Any:
        """Return the iterator of the source, of the kind that `is_async` says. Begins it."""
        if self._iterator is None:
            source, self._source = self._source, None
            if not hasattr(source, "__aiter__" if self.is_async else "__iter__"):
                self._iterator = source  # an iterator that is no iterable
            else:
                self._iterator = aiter(source) if self.is_async else iter(source)
        return self._iterator

    def take(self) -> Any:
        """
        Return `iterator` to the one that sends all of it.

        Raises:
            RuntimeError: it has been taken.
        """
        if self._taken:
            raise RuntimeError("a stream is read once, and this one has been: ask for another")
        self._taken = True
        return self.iterator()

    # -- as an iterator

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Any:
        if self.is_async:
            raise TypeError("a stream of an asynchronous source is read by 'async for'")
        return next(self.iterator())

    def __aiter__(self) -> Stream:
        return self

    def __anext__(self) -> Any:
        return self.iterator().__anext__() if self.is_async else self._next_later()

    async def _next_later(self) -> Any:
        """Return the next item as a peer's ``async for`` gets it, where the stream came home."""
        if self.blocks and is_loop_thread():
            raise TypeError("a stream of a pipe is read by a peer, or by 'for' in a thread")
        try:
            return next(self.iterator())
        except StopIteration:
            raise StopAsyncIteration from None

    def send(self, value: object) -> Any:
        """Go on as a generator does that was sent a value."""
        return self.iterator().send(value)

    def throw(self, *error: Any) -> Any:
        """Go on as a generator does with an exception."""
        return self.iterator().throw(*error)

    def close(self) -> object:
        """End the source, if that can be ended."""
        return self.iterator().close()

    def asend(self, value: object) -> Any:
        """Go on as an asynchronous generator does that was sent a value."""
        return self.iterator().asend(value)

    def athrow(self, *error: Any) -> Any:
        """Go on as an asynchronous generator does with an exception."""
        return self.iterator().athrow(*error)

    def aclose(self) -> Any:
        """End an asynchronous source, if that can be ended."""
        return self.iterator().aclose()

    def __del__(self) -> None:
        # A generator and a file end when nobody has them any more; a producer would stay paused.
        # The collector may run in any thread, and a producer is for its reactor's.
        if self.consumer is not None and not self._taken:
            reactor: Any = sys.modules.get("twisted.internet.reactor")
            in_reactor(reactor, self.consumer.stop)

    def __repr__(self) -> str:
        return f"<Stream of {'nothing yet' if self._source is None else repr(self._source)}>"


Stream.__module__ = "txremote"  # where it is imported from, and its name on the wire


def stream(source: Any = None, *, chunk: int | None = None) -> Stream:
    """
    Return what a peer reads in one flow, to be given away as an argument or a result.

    The peer reads it by ``async for``, in a script or a thread by ``for``. Items are sent before
    they are asked for, as far as the reader's credit goes: a slow reader slows the source, and
    one that leaves its loop closes it. The source is read where the service's methods run; a pipe
    or a socket is read in a thread. It is read once, by one reader.

    Args:
        source: An iterable or an asynchronous one, such as a generator; a binary file, which is
            closed at the end; or a producer of Twisted's, push, pull or an `IBodyProducer`. None:
            a producer will register with the stream's ``consumer``.
        chunk: Of a file, the most bytes of an item, by default 64 KiB; else the most items of a
            message.

    Raises:
        TypeError: the source is none of these.
        ValueError: the chunk is no positive int.
    """
    if chunk is not None and (type(chunk) is not int or chunk < 1):
        raise ValueError(f"a chunk of {chunk!r}: it is a positive int")
    return Stream(source, chunk)


def source_name(stream: Stream) -> str:
    """Return what a stream is of: the name of a generator's function, or the iterator's class."""
    source = stream._iterator if stream._source is None else stream._source
    kind = type(source)
    return source.__qualname__ if kind in _GENERATORS else kind.__name__


def streamed(result: Any) -> Any:
    """Return an iterator, of either kind, as a `Stream`, and all else as it is."""
    if isinstance(result, (Iterator, AsyncIterator)) and type(result) is not Stream:
        return Stream(result)
    return result

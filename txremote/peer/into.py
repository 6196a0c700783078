"""`stream_into`: the items of a stream of the peer's, written to a consumer, a file or a writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from txremote.gate.threaded import BlockingCall
from txremote.refs.awaiting import AwaitableDeferred, awaitable, succeeded
from txremote.refs.outcome import Outcome
from txremote.refs.reading import GIVEN_UP, Items
from txremote.streams.sinks import (
    ConsumerSink,
    FileSink,
    InThread,
    Sink,
    WriterSink,
    check_items,
    check_sink,
    is_consumer,
    is_writer,
)
from txremote.wire.naming import class_name


def stream_into(source: Any, sink: Any) -> AwaitableDeferred[int]:
    """
    Write the items of a peer's stream, which are bytes, to a sink, and no faster than that takes.

    Args:
        source: A reference to a stream, or a call that gives one, which need not be awaited.
        sink: A consumer of Twisted's, such as a transport or a request of ``twisted.web``, that has
            no producer; a ``StreamWriter`` of asyncio's; or a binary file. One with a descriptor is
            written in a thread. It is not closed.

    Returns:
        A Deferred of the number of bytes, which a task of asyncio's can await, too. Cancelling it
        leaves the stream; a write in a thread that is under way goes on to its end.

    Raises:
        TypeError: the sink is none of these; or, from the Deferred, an item is not bytes.
        BrokenPipeError: from the Deferred: the consumer takes no more. The stream was left.

    For the thread of the connection. Errors of the stream and of the sink come from the Deferred.
    """
    check_sink(sink)
    copying = _Copying(sink)
    running = copying.running = Deferred.fromCoroutine(copying.run(source))
    return awaitable(running)


class _Copying:
    """One use of `stream_into`."""

    def __init__(self, sink: Any) -> None:
        self.running: Deferred[int] | None = None
        self._sink = sink
        self._waits = False  # for items

    async def run(self, source: Any) -> int:
        found = await source
        if isinstance(found, (bytes, str)):
            raise TypeError(f"the call has given {class_name(type(found))}, and no stream")
        connection = getattr(found, "_connection", None) if hasattr(type(found), "_pack") else None
        sink = self._made(None if connection is None else _threads_of(connection))
        items = Items(succeeded(found))
        size = 0
        try:
            while not sink.stopped:
                self._waits = True
                batch = await items.batch()
                self._waits = False
                if not batch:
                    return size
                size += check_items(batch)
                await sink.write(batch)
                if self._is_cancelled():
                    raise CancelledError
        except GIVEN_UP:
            if not sink.stopped:
                raise
        finally:
            self._waits = False
            await items.aclose()
            sink.end()
        raise BrokenPipeError(f"the consumer takes no more, after {size} bytes of a stream")

    def _made(self, in_thread: InThread | None) -> Sink:
        sink = self._sink
        if is_consumer(sink):
            return ConsumerSink(sink, self._stop, self._is_cancelled)
        if is_writer(sink):
            return WriterSink(sink)
        return FileSink(sink, in_thread)

    def _is_cancelled(self) -> bool:
        """Tell whether this was cancelled within a write, which Twisted tells no coroutine."""
        return self.running is not None and self.running.called

    def _stop(self) -> None:
        if self._waits and self.running is not None:
            self.running.cancel()


def _threads_of(connection: Any) -> InThread:
    """Return what runs a function in a thread of a connection's driver."""

    def run(function: Callable[[], object]) -> Deferred[Any]:
        ran: Deferred[Any] = connection.executor.in_thread(connection, BlockingCall(function))
        return awaitable(ran).addCallback(_unwrapped)

    return run


def _unwrapped(result: Any) -> Any:
    return result.value if type(result) is Outcome else result

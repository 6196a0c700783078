"""
`Feed`: what a producer of Twisted's writes, as an asynchronous iterator.

A push producer is paused while more than `HIGH` bytes wait to be read, and a pull producer is asked
for more when none do. So a reader that is slow, or has not begun, holds no more than that here.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.refs.awaiting import AwaitableDeferred

#: Bytes that wait to be read before a push producer is paused.
HIGH: Final = 1 << 16


@implementer(IConsumer)
class Feed:
    """
    A consumer whose bytes are read item by item. For the thread of the producer's reactor.

    Args:
        body: A producer that is begun by ``startProducing(consumer)``, as Twisted's bodies of
            requests are; None where the producer registers itself.
    """

    def __init__(self, body: Any = None) -> None:
        self._body = body
        self._begun: Any = None  # the body, when it has been
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._producer: Any = None
        self._streaming = False
        self._paused = False
        self._over = False
        self._error: BaseException | None = None
        self._waiting: Deferred[None] | None = None

    # -- the producer's side

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer. RuntimeError: there is one. One that comes too late is stopped."""
        if self._producer is not None and self._producer is not self._begun:
            raise RuntimeError("a stream has one producer, and it has one already")
        if self._over:
            producer.stopProducing()
            return
        self._producer, self._streaming = producer, streaming
        if not streaming and self._waiting is not None:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """End the stream: the producer has no more."""
        self._producer = None
        self.finish()

    def write(self, data: bytes) -> None:
        """Give the reader bytes. Those that come when it has left are dropped."""
        if self._over:
            return
        self._chunks.append(bytes(data))
        self._size += len(data)
        if self._streaming and not self._paused and self._size > HIGH:
            self._paused = True
            self._producer.pauseProducing()
        self._wake()

    def finish(self, error: BaseException | None = None) -> None:
        """End the stream behind what was written, or fail it."""
        if not self._over:
            self._over, self._error = True, error
            self._wake()

    # -- the reader's side

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> bytes:
        if self._body is not None:
            self._begin()
        while not self._chunks:
            if self._over:
                error, self._error = self._error, None
                raise error if error is not None else StopAsyncIteration
            await self._more()
        data = self._chunks.popleft()
        self._size -= len(data)
        if self._paused and self._size <= HIGH // 2:
            self._paused = False
            if self._producer is not None:  # else that was its last
                self._producer.resumeProducing()
        return data

    def _begin(self) -> None:
        # A body is a push producer, and whoever begins it knows that: most do not register.
        body = self._producer = self._begun = self._body
        self._body, self._streaming = None, True
        done = body.startProducing(self)
        done.addCallbacks(lambda _none: self.unregisterProducer(), self._failed)

    async def aclose(self) -> None:
        """Do as `stop`, as asynchronous iterators are closed."""
        self.stop()

    def stop(self) -> None:
        """Stop the producer, and drop what it has written."""
        self._body = None
        self._chunks.clear()
        self._over = True
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()

    def _more(self) -> Deferred[None]:
        waiting = self._waiting = AwaitableDeferred()
        if self._producer is not None and not self._streaming:
            self._producer.resumeProducing()  # it may write now
        return waiting

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def _failed(self, failure: Failure) -> None:
        self._producer = None
        self.finish(failure.value)


def is_producer(source: object) -> bool:
    """Tell whether an object is a producer of Twisted's, or begins like one."""
    return callable(getattr(source, "startProducing", None)) or (
        callable(getattr(source, "resumeProducing", None))
        and callable(getattr(source, "stopProducing", None))
    )


def feed_of(producer: Any) -> Feed:
    """Return what takes the bytes of a producer."""
    if callable(getattr(producer, "startProducing", None)):
        return Feed(producer)
    feed = Feed()
    is_push = IPushProducer.providedBy(producer) or callable(
        getattr(producer, "pauseProducing", None)
    )
    feed.registerProducer(producer, is_push)
    return feed

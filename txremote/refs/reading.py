"""
The items of a stream of the peer's, for a loop: ``async for``, and ``for`` in code that may block.

Items come in batches, as they were sent, before they are asked for. Leaving the loop early leaves
the stream: the peer closes it. `txremote.peer.incoming` keeps what has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

from twisted.internet.defer import CancelledError, succeed

from txremote.errors import AsyncResultTimeout
from txremote.refs.outcome import Outcome
from txremote.refs.ports import Answer
from txremote.wire.consts import (
    FEATURE_STREAMS,
    FEATURE_TOPICS,
    STREAM_CLASS,
    SUBSCRIPTION_CLASS,
)

T = TypeVar("T")

#: What the wait for an item ends with that nobody is interested in any more.
GIVEN_UP: Final = (asyncio.CancelledError, CancelledError, GeneratorExit)

#: The classes whose items are pushed, and the extension that a peer has which pushes them.
PUSHED: Final = {STREAM_CLASS: FEATURE_STREAMS, SUBSCRIPTION_CLASS: FEATURE_TOPICS}

#: How many items `Items.batch` gives at most.
MOST_OF_A_BATCH: Final = 1000


class IncomingStream(Protocol):
    """A stream of the peer's that is read (`txremote.peer.incoming.Incoming`)."""

    def take(self) -> tuple[Any, ...] | None:
        """Return the next items; None: none have come yet; empty: the end. Raises its error."""

    def more(self) -> Answer:
        """Return a Deferred that fires when `take` has something to say."""

    def leave(self) -> None:
        """Leave it, if it has not ended. Any thread."""

    def leave_now(self) -> None:
        """Leave it, if it has not ended. In the connection's context."""


def is_stream(found: Any) -> bool:
    """
    Tell whether an object is a reference to a stream, or to a subscription of a topic, of a peer
    that pushes them.
    """
    if not hasattr(type(found), "_pack"):
        return False
    feature = PUSHED.get(found._pack[0])
    return feature is not None and feature in found._connection.features


def steps_of(reference: Any) -> Any:
    """Return what reads a reference step by step, as by ``anext``, or None: none was asked for."""
    try:
        return reference._steps
    except AttributeError:
        return None


def begin_steps(reference: Any, steps: T) -> T:
    """Have a reference keep what reads it step by step, which may not hold the reference."""
    object.__setattr__(reference, "_steps", steps)
    return steps


class Items:
    """
    The items of a stream, or of another iterable, for ``async for``. In the connection's thread.

    Args:
        asked: A `RemoteReference`, or the Deferred of one, or of another iterable.
        keeps: Whether values are given as they were unboxed, to be sent on.

    A step that is cancelled, as by a time-out around it, leaves the stream. The next step says so,
    for it must not look like the end of the items.
    """

    __slots__ = ("_asked", "_at_work", "_given_up", "_incoming", "_items", "_keeps", "_others")

    def __init__(self, asked: Any, keeps: bool = False) -> None:
        self._asked = asked
        self._keeps = keeps
        self._items: Iterator[Any] = iter(())  # of the batch that is given
        self._incoming: IncomingStream | None = None
        self._others: AsyncIterator[Any] | None = None
        self._at_work = self._given_up = False

    def __aiter__(self) -> Items:
        return self

    async def __anext__(self) -> Any:
        for item in self._items:
            return item
        if self._given_up:
            raise given_up()
        if self._at_work:
            raise RuntimeError("two tasks wait for an item of one loop")
        self._at_work = True
        try:
            await self._fetch()
        except GIVEN_UP:
            self._given_up = True
            self._leave()
            raise
        finally:
            self._at_work = False
        for item in self._items:
            return item
        raise StopAsyncIteration

    async def batch(self) -> list[Any]:
        """Return the next items, as many as are here, up to `MOST_OF_A_BATCH`; none at the end."""
        try:
            first = await anext(self)
        except StopAsyncIteration:
            return []
        # an iterable of this side's may be endless
        return [first, *islice(self._items, MOST_OF_A_BATCH - 1)]

    async def _fetch(self) -> None:
        """Have a batch in ``_items``, and none at the end."""
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._begin(await asked)
        if self._others is not None:
            async for item in self._others:
                self._items = iter((item,))
                return
        if self._incoming is None:
            return
        while (items := self._incoming.take()) is None:
            await self._incoming.more()
        self._items = iter(items)

    def _begin(self, found: Any) -> None:
        if is_stream(found):
            self._incoming = found._connection.open_stream(found, self._keeps)
        elif hasattr(type(found), "__aiter__"):
            self._others = aiter(found)
        else:
            self._items = iter(found)

    def _leave(self) -> None:
        if self._incoming is not None:
            self._incoming.leave()

    async def aclose(self) -> None:
        """Leave the stream, if it has not ended."""
        self._leave()

    __del__ = _leave


def given_up() -> RuntimeError:
    """Return what a loop ends with that goes on behind a step that was cancelled."""
    return RuntimeError(
        "the wait for an item was cancelled, and what came for it is lost: begin anew, or wait "
        "by asyncio.wait([step], timeout=...), which cancels nothing"
    )


def stream_items_here(view: Any, reference: Any) -> Iterator[Any]:
    """
    Give the items of a stream in a thread that may block, through its `BlockingView`.

    A source may be silent for long. So when nothing has come for the time that calls may take, the
    peer is asked for a sign of life, which has to come within that time.

    Raises:
        AsyncResultTimeout: no item has come, and no sign of life.
    """
    asked = [reference]  # not kept: it may keep this
    del reference
    opened: list[IncomingStream] = []
    came: list[Any] = []  # `Outcome`s: here, for a wait whose time is up has no result

    def next_items() -> Answer:
        if not opened:
            opened.append(view.protocol.open_stream(asked.pop(), True))
        if not came and not _take_into(came, opened[0]):
            return opened[0].more().addCallback(lambda _none: _take_into(came, opened[0]))
        return succeed(None)

    try:
        while True:
            try:
                view._wait_for_answer(view._timeout, next_items)
            except AsyncResultTimeout:
                view.ping(timeout=view._timeout)
                continue
            found = came.pop()
            if not found.went_well:
                raise found.value
            if not found.value:
                return
            yield from view.to_netrefs(found.value)
    finally:
        for incoming in opened:
            view.leave_stream(incoming)


def _take_into(came: list[Any], incoming: IncomingStream) -> bool:
    """Note what a stream has, or how it has ended; return whether it has anything."""
    try:
        items = incoming.take()
    except Exception as error:
        came.append(Outcome(False, error))
        return True
    if items is not None:
        came.append(Outcome(True, items))
    return items is not None

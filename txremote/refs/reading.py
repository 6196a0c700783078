"""
The items of a stream of the peer's, for a loop: ``async for``, and ``for`` in code that may block.

Items come in batches, as they were sent, before they are asked for. Leaving the loop early leaves
the stream: the peer closes it. `txremote.peer.incoming` keeps what has come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Protocol

from twisted.internet.defer import succeed

from txremote.errors import AsyncResultTimeout
from txremote.refs.outcome import Outcome
from txremote.refs.ports import Answer
from txremote.wire.consts import (
    FEATURE_STREAMS,
    FEATURE_TOPICS,
    STREAM_CLASS,
    SUBSCRIPTION_CLASS,
)

#: The classes whose items are pushed, and the extension that a peer has which pushes them.
PUSHED: Final = {STREAM_CLASS: FEATURE_STREAMS, SUBSCRIPTION_CLASS: FEATURE_TOPICS}


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


async def items_of(asked: Any, keeps: bool = False) -> AsyncIterator[Any]:
    """
    Give the items of a stream, or of another iterable. In the connection's thread.

    Args:
        asked: A `RemoteReference`, or the Deferred of one, or of another iterable.
        keeps: Whether values are given as they were unboxed, to be sent on.
    """
    found: Any = await asked
    if not is_stream(found):
        if hasattr(type(found), "__aiter__"):
            async for item in found:
                yield item
        else:
            for item in found:
                yield item
        return
    incoming: IncomingStream = found._connection.open_stream(found, keeps)
    try:
        while True:
            items = incoming.take()
            if items is None:
                await incoming.more()
            elif not items:
                return
            else:
                for item in items:
                    yield item
    finally:
        incoming.leave()


def stream_items_here(view: Any, reference: Any) -> Iterator[Any]:
    """
    Give the items of a stream in a thread that may block, through its `BlockingView`.

    A source may be silent for long. So when nothing has come for the time that calls may take, the
    peer is asked for a sign of life, which has to come within that time.

    Raises:
        AsyncResultTimeout: no item has come, and no sign of life.
    """
    opened: list[IncomingStream] = []
    came: list[Any] = []  # `Outcome`s: here, for a wait whose time is up has no result

    def next_items() -> Answer:
        if not opened:
            opened.append(view.protocol.open_stream(reference, True))
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

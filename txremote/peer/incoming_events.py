"""
Events of a peer's topic that are read here.

SUBSCRIBE asks for them, with a number that is this side's, and credit: so many events, so many
bytes. The first EVENTS tells which channel the number has; the others have an event each, or tell
of events that were missed. When half of the credit is used up by what a loop has taken,
EVENT_CREDIT gives as much again. The answer to SUBSCRIBE is the end.

More than the credit ends the connection: events are the same bytes for all of a topic's readers,
so a peer that sends too many sends them wrongly to all.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from txremote.errors import RemoteProtocolError
from txremote.peer.logging import logger_for
from txremote.refs.awaiting import AwaitableDeferred, awaitable
from txremote.refs.ports import Answer
from txremote.refs.received import settled
from txremote.wire.consts import HANDLE_EVENT_CREDIT, HANDLE_SUBSCRIBE
from txremote.wire.naming import printable

if TYPE_CHECKING:
    from txremote.peer.subscriptions import Subscriptions

_log = logger_for("topic")

#: Events and bytes of credit of one subscription.
MOST_EVENTS: Final = 1000
MOST_BYTES: Final = 1 << 20


class IncomingEvents:
    """The events of one subscription. For the connection's own context, but for `leave`."""

    __slots__ = (
        *("_asked", "_end", "_events", "_keeps", "_owed_events", "_owed_size", "_queue"),
        *("_size", "_subscriptions", "_told", "_waiting", "channel", "number"),
    )

    def __init__(self, subscriptions: Subscriptions, number: int, keeps: bool) -> None:
        self._subscriptions = subscriptions
        self.number = number
        self.channel: int | None = None
        self._keeps = keeps
        self._events = MOST_EVENTS  # what the peer may still send
        self._size = MOST_BYTES
        self._owed_events = 0  # what was taken, and no credit was given for
        self._owed_size = 0
        self._queue: deque[tuple[Any, int]] = deque()
        self._end: BaseException | None = None
        self._waiting: Answer | None = None
        self._asked: Answer | None = None
        self._told = False

    # -- from the peer

    def ask(self, reference: object) -> None:
        """Ask the peer for them."""
        request = self._subscriptions.connection.outbound.request
        sent = (reference, self.number, MOST_EVENTS, MOST_BYTES)
        asked = self._asked = request(HANDLE_SUBSCRIBE, sent, None, None)
        asked.addCallbacks(lambda _none: self._finish(StopAsyncIteration()), self._failed)

    def receive(self, event: object, size: int) -> None:
        """
        Take in an event whose message has so many bytes.

        Raises:
            RemoteProtocolError: there was no credit for it.
        """
        if self._events <= 0 or self._size <= 0:
            raise RemoteProtocolError(
                f"the peer sent an event of {size} bytes, with credit for {self._events} and "
                f"{max(0, self._size)} bytes (the limit is {MOST_EVENTS} and {MOST_BYTES} bytes)"
            )
        self._events -= 1
        self._size -= size
        self._queue.append((event, size))
        if self._waiting is not None:
            self._wake()

    def missed(self, count: object, why: object) -> None:
        """Log, once, that events were missed."""
        if not self._told:
            self._told = True
            _log.warn(
                "{count} events of a topic were missed, and maybe more will be: {why} "
                "(subscribe(missed=function) is told each time)",
                count=count if type(count) is int else "an unknown number of",
                why=printable(why) if type(why) is str else "the peer does not say why",
            )

    def _failed(self, failure: Failure) -> None:
        error: Any = failure.value
        self._finish(error)

    def fail(self, error: BaseException) -> None:
        """Give them up, and have the loop get an error behind what has come."""
        if self._end is None:
            self._finish(error)
            if self._asked is not None:
                self._asked.cancel()

    def _finish(self, end: BaseException) -> None:
        if self._end is None:
            self._end = end
            self._subscriptions.close(self)
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._subscriptions.connection.executor.fire(waiting, None)

    # -- for the loop (`txremote.refs.reading.IncomingStream`)

    def take(self) -> tuple[Any, ...] | None:
        """Return the next events; None: none have come yet; empty: the end. Raises its error."""
        queue = self._queue
        if not queue:
            end = self._end
            if end is None:
                return None
            if type(end) is StopAsyncIteration:
                return ()
            self._end = StopAsyncIteration()
            raise end
        events = tuple([event for event, _size in queue])
        self._owed_events += len(queue)
        self._owed_size += sum([size for _event, size in queue])
        queue.clear()
        if 2 * self._owed_events >= MOST_EVENTS or 2 * self._owed_size >= MOST_BYTES:
            self._give_credit()
        return events if self._keeps else settled(events)

    def _give_credit(self) -> None:
        if self._end is not None or self.channel is None:
            return
        events, size = self._owed_events, self._owed_size
        self._owed_events = self._owed_size = 0
        self._events += events
        self._size += size
        self._subscriptions.connection.outbound.send_oneway(
            HANDLE_EVENT_CREDIT, self.channel, events, size
        )

    def more(self) -> Answer:
        """Return a Deferred that fires when `take` has something to say."""
        waiting: AwaitableDeferred[Any] = awaitable(
            AwaitableDeferred(self._not_waited), self._subscriptions.connection.executor.guard
        )
        if self._queue or self._end is not None:
            waiting.callback(None)
        else:
            self._waiting = waiting
        return waiting

    def _not_waited(self, waiting: Answer) -> None:
        if self._waiting is waiting:
            self._waiting = None

    def leave(self) -> None:
        """Leave them, if they have not ended. Any thread, a finalizer too."""
        if self._end is None:
            # not at once: the garbage collector may have come here, in the middle of anything
            self._subscriptions.connection.executor.soon(self.leave_now)

    def leave_now(self) -> None:
        """Leave them, if they have not ended. In the connection's context."""
        self._queue.clear()
        self.fail(CancelledError())

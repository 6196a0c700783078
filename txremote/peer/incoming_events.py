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

from typing import Any, Final, Protocol

from txremote.errors import RemoteProtocolError
from txremote.peer.incoming import Pushed
from txremote.peer.logging import logger_for
from txremote.refs.received import settled
from txremote.wire.consts import HANDLE_EVENT_CREDIT, HANDLE_SUBSCRIBE
from txremote.wire.naming import printable

_log = logger_for("topic")

#: Events and bytes of credit of one subscription.
MOST_EVENTS: Final = 1000
MOST_BYTES: Final = 1 << 20


class Owner(Protocol):
    """The subscriptions of a connection (`txremote.peer.subscriptions`)."""

    connection: Any

    def close(self, incoming: IncomingEvents) -> None:
        """Forget one that has ended."""


class IncomingEvents(Pushed):
    """The events of one subscription. For the connection's own context, but for `leave`."""

    __slots__ = (
        *("_events", "_keeps", "_owed_events", "_owed_size", "_size"),
        *("_subscriptions", "_told", "channel", "number"),
    )

    def __init__(self, subscriptions: Owner, number: int, keeps: bool) -> None:
        super().__init__(subscriptions.connection)
        self._subscriptions = subscriptions
        self.number = number
        self.channel: int | None = None
        self._keeps = keeps
        self._events = MOST_EVENTS  # what the peer may still send
        self._size = MOST_BYTES
        self._owed_events = 0  # what was taken, and no credit was given for
        self._owed_size = 0
        self._told = False

    # -- from the peer

    def ask(self, reference: object) -> None:
        """Ask the peer for them."""
        request = self._connection.outbound.request
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

    def _forget(self) -> None:
        self._subscriptions.close(self)

    # -- for the loop

    def take(self) -> tuple[Any, ...] | None:
        """Return the next events; None: none have come yet; empty: the end. Raises its error."""
        queue = self._queue
        if not queue:
            return self._none_left()
        events = tuple([event for event, _size in queue])
        self._owed_events += len(queue)
        self._owed_size += sum([size for _event, size in queue])
        queue.clear()
        if 2 * self._owed_events >= MOST_EVENTS or 2 * self._owed_size >= MOST_BYTES:
            self._give_credit()
        return events if self._keeps else settled(events)

    def _give_credit(self) -> None:
        if self._end is not None:
            return
        events, size = self._owed_events, self._owed_size
        self._owed_events = self._owed_size = 0
        self._events += events
        self._size += size
        self._connection.outbound.send_oneway(HANDLE_EVENT_CREDIT, self.number, events, size)

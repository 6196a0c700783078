"""
Events of our topics that the peer reads: what follows a SUBSCRIBE, until its answer.

The reader has given credit, in events and in bytes. Each event uses up some, and EVENT_CREDIT gives
it back when the reader's loop has taken the events. Without credit, or while the transport has as
much as it wants, events wait as their topic says (`txremote.topics.waiting_events`).

An event is written by bytes that are the same for all readers (`txremote.topics.event.Form`). One
with references is boxed for each, since an object has another id on each connection.
"""

from __future__ import annotations

from typing import Any, Final

from txremote.errors import NotSendable
from txremote.peer.context import current
from txremote.peer.lasting import NO_CREDIT, NO_ROOM, Unlimited
from txremote.peer.lifecycle import CLOSING
from txremote.topics.event import EVENTS_NUMBER, Event, Form, Missed
from txremote.topics.places import Asking, answering
from txremote.topics.subscription import Subscription
from txremote.wire.consts import HANDLE_EVENTS
from txremote.wire.messages import request_head

_EVENTS: Final = request_head(HANDLE_EVENTS)


def _connection_here() -> Asking | None:
    call = current.get(None)
    connection: Any = None if call is None else call.connection
    return connection  # type: ignore[no-any-return]


answering.connection = _connection_here


class EventFlow:
    """
    The events of one subscription, on their way to its reader. For the connection's own context.

    Args:
        connection: The reader's.
        subscription: It is held as long as it is read.
        channel: Its number in the messages.
        number: That of its SUBSCRIBE. Credit names this one, since another subscription may have
            the channel by then.
        events: How many events the reader may be sent, until it says more.
        size: Likewise, in bytes.

    Attributes:
        answer: Fires when the subscription has ended.
    """

    __slots__ = (
        *("_connection", "_events", "_form", "_outbox", "_overhead", "_size", "_subscriber"),
        *("answer", "channel", "number", "subscription"),
    )

    def __init__(
        self,
        connection: Any,
        subscription: Subscription,
        channel: int,
        number: int,
        events: int,
        size: int,
    ) -> None:
        self._connection = connection
        self._outbox = connection.outbox
        self.subscription = subscription
        self._subscriber = subscription.subscriber
        self.channel = channel
        self.number = number
        self._events = events
        self._size = size
        self._form: Form = subscription.topic.form(
            self._outbox.dialect, channel, self._outbox.compress
        )
        self._overhead = len(self._form.head)
        self.answer = Unlimited(lambda _answer: self._subscriber.end(None))
        self.answer.flow = self

    def begin(self) -> Unlimited:
        """Tell the reader the channel of its number, and begin to send."""
        self._connection.outbound.send_oneway(HANDLE_EVENTS, self.channel, self.number)
        self._subscriber.start(self)
        return self.answer

    def allow(self, events: int, size: int) -> None:
        """Add credit: the reader has taken so much."""
        self._events += events
        self._size += size
        self.go_on()

    def go_on(self) -> None:
        """Send what waits, as far as that is possible by now."""
        if self._subscriber.waiting.items:
            self._subscriber.flush()

    # -- for those who look at it (`txremote.peer.lasting.Flow`)

    @property
    def items_sent(self) -> int:
        """How many events have been sent."""
        return self._subscriber.delivered

    @property
    def bytes_sent(self) -> None:
        """Nobody counts the bytes of events."""

    @property
    def waits_for(self) -> str:
        """The reason why nothing is sent, or ""."""
        if not self._subscriber.waiting.events:
            return ""
        return NO_CREDIT if self._events <= 0 or self._size <= 0 else NO_ROOM

    # -- as its subscriber calls it

    def take(self, event: Event) -> bool:
        """Send an event, if it may be sent now."""
        outbox = self._outbox
        if self._events <= 0 or self._size <= 0:
            return False
        if outbox.full and not outbox.has_room:
            self._connection.subscriptions.when_drained(self)
            return False
        self._events -= 1
        if not event.payload:
            self._box(event)
            return True
        self._size -= event.size + self._overhead
        outbox.write_prepared(event.frames.get(self._form) or event.frame(self._form))
        return True

    def _box(self, event: Event) -> None:
        """Send an event with references."""
        connection = self._connection
        if connection.state >= CLOSING:
            return
        body = [_EVENTS]
        try:
            connection.tables.box(body, (self.channel, event.key, event.value))
            self._size -= self._outbox.sized_request(EVENTS_NUMBER, body)
        except NotSendable as problem:
            connection.tables.take_back()
            self._events += 1
            self._subscriber.could_not_send(str(problem))

    def missed(self, missed: Missed) -> None:
        """Tell the reader that events were missed."""
        count = None if missed.unknown else missed.count
        if self._connection.state < CLOSING:
            self._connection.outbound.send_oneway(
                HANDLE_EVENTS, self.channel, count, missed.why, None
            )

    def ended(self, error: Exception | None) -> None:
        """Answer SUBSCRIBE."""
        self._connection.subscriptions.forget(self)
        if not self.answer.called:
            if error is None:
                self.answer.callback(None)
            else:
                self.answer.errback(error)

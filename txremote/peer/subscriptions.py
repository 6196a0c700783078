"""`Subscriptions`: those of one connection, in both directions."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any

from txremote.errors import RemoteProtocolError
from txremote.peer.calling import Serving
from txremote.peer.event_flows import EventFlow
from txremote.peer.incoming_events import IncomingEvents
from txremote.peer.lasting import Lasting, Unlimited
from txremote.refs.netref import is_base_netref
from txremote.refs.reference import RemoteReference
from txremote.topics.places import place_of
from txremote.topics.subscription import HasChannels, Subscription
from txremote.wire.naming import class_name, with_article


def serve_subscription(
    serving: Serving, obj: object, number: object, events: object, size: object
) -> Lasting:
    """Begin to send the events of a subscription (SUBSCRIBE); they end with the answer."""
    if is_base_netref(obj) or type(obj) is RemoteReference:
        raise TypeError(
            "the subscription is of a third peer's topic: subscribe here, and publish its events "
            "in a topic of your own"
        )
    serving.policy.check_reference(obj)
    if type(obj) is not Subscription:
        name = with_article(class_name(type(obj)))
        raise TypeError(f"{name} is no subscription, which Topic.subscribe gives")
    if type(number) is not int or type(events) is not int or type(size) is not int:
        raise TypeError("SUBSCRIBE takes a subscription, a number, events and bytes of credit")
    if events < 1 or size < 1:
        raise ValueError(f"a subscription with credit for {events} events and {size} bytes")
    subscriber = obj.subscriber
    connection = serving.connection
    if subscriber.over:
        error = subscriber.error
        raise error or ValueError("the subscription has ended: subscribe again")
    if subscriber.sink is not None:
        raise ValueError("the subscription is read already, or has a callback")
    if number in connection.subscriptions_begun().numbers:
        raise ValueError(f"subscription {number} is under way")
    most = connection.config.max_subscriptions
    if connection.subscriptions_begun().sent >= most:
        raise RemoteProtocolError(
            f"{most} subscriptions are read over this connection (option max_subscriptions)",
            "max_subscriptions",
        )
    if subscriber.place.key != place_of(connection.executor).key:
        raise ValueError(
            "the subscription was made for another thread's loop: call subscribe() in the method "
            "that returns it"
        )
    return Lasting(partial(connection.subscriptions_begun().send, obj, number, events, size))


class Subscriptions:
    """
    The subscriptions of one connection that are under way.

    Attributes:
        connection: It.
        numbers: Those that the peer reads, by the numbers that it has given them.
    """

    __slots__ = (
        *("_by_channel", "_drained", "_flows", "_incoming", "_numbers"),
        *("connection", "numbers"),
    )

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._numbers = count()
        self._incoming: dict[int, IncomingEvents] = {}
        self._by_channel: dict[int, IncomingEvents] = {}
        self._flows: dict[int, EventFlow] = {}  # by channel
        self.numbers: dict[int, EventFlow] = {}
        self._drained: dict[EventFlow, None] = {}  # those that wait for the transport, in order

    # -- of the peer's topics

    def open(self, reference: object, keeps: bool) -> IncomingEvents:
        """Begin to read a subscription; see `txremote.refs.reading.Items`."""
        number = next(self._numbers)
        incoming = self._incoming[number] = IncomingEvents(self, number, keeps)
        incoming.ask(reference)
        return incoming

    def close(self, incoming: IncomingEvents) -> None:
        """Forget one: it has ended."""
        self._incoming.pop(incoming.number, None)
        channel = incoming.channel
        if channel is not None and self._by_channel.get(channel) is incoming:
            del self._by_channel[channel]

    def receive(self, args: object, size: int) -> None:
        """
        Take in EVENTS. Those of a subscription that was left are dropped.

        Raises:
            RemoteProtocolError: they are more than there was credit for.
        """
        if type(args) is not tuple or not args or type(args[0]) is not int:
            return
        channel = args[0]
        if len(args) == 2:
            self._opened(channel, args[1])
            return
        incoming = self._by_channel.get(channel)
        if incoming is None:
            return
        try:
            self.connection.tables.check_uncalled("an event")
        except (KeyError, ValueError) as error:
            incoming.fail(error.with_traceback(None))
            return
        if len(args) == 3:
            incoming.receive(args[2], size)
        elif len(args) == 4:
            incoming.missed(args[1], args[2])

    def _opened(self, channel: int, number: object) -> None:
        self._by_channel.pop(channel, None)
        incoming = self._incoming.get(number) if type(number) is int else None
        if incoming is not None:
            if incoming.channel is not None:  # a peer may tell another one: never two of them
                self._by_channel.pop(incoming.channel, None)
            incoming.channel = channel
            self._by_channel[channel] = incoming

    def lost(self, channel: int, error: RemoteProtocolError) -> None:
        """Fail a subscription of which a message could not be read."""
        incoming = self._by_channel.get(channel)
        if incoming is not None:
            incoming.fail(error)

    # -- of this side's topics

    @property
    def sent(self) -> int:
        """How many the peer reads."""
        return len(self._flows)

    def send(self, subscription: Subscription, number: int, events: int, size: int) -> Unlimited:
        """Begin to send the events of a subscription."""
        channel = self._free_channel(subscription.topic)
        flow = EventFlow(self.connection, subscription, channel, number, events, size)
        self._flows[channel] = self.numbers[number] = flow
        self.connection.inbound.ledger.make_room(1)
        return flow.begin()

    def _free_channel(self, topic: HasChannels) -> int:
        """Return the topic's first channel that this connection does not use."""
        channels = map(topic.channel, count())
        return next(channel for channel in channels if channel not in self._flows)

    def forget(self, flow: EventFlow) -> None:
        """Forget one: it has ended."""
        if self._flows.pop(flow.channel, None) is not None:
            self.numbers.pop(flow.number, None)
            self.connection.inbound.ledger.make_room(-1)
        self._drained.pop(flow, None)

    def allow(self, number: object, events: object, size: object) -> None:
        """Take in EVENT_CREDIT. That of a subscription that has ended is of no interest."""
        flow = self.numbers.get(number) if type(number) is int else None
        if flow is None:
            return
        if type(events) is int and type(size) is int and events >= 0 and size >= 0:
            flow.allow(events, size)

    def when_drained(self, flow: EventFlow) -> None:
        """Have a flow go on when the transport takes more."""
        self._drained[flow] = None
        self.connection.outbox.when_room = self._go_on

    def _go_on(self) -> None:
        waiting, self._drained = self._drained, {}
        for flow in waiting:
            flow.go_on()

    def end_all(self, error: Exception) -> None:
        """End those that the peer reads: this side is about to stop."""
        for flow in list(self._flows.values()):
            flow.subscription.subscriber.end(error)

"""
An event feed: clients subscribe with a function, and the feed calls it.

Serve it, from the folder above this one; all clients share the one feed::

    twistd -n txremote --service examples.events.feed

Watch it in some windows, and publish from another::

    python examples/events.py tcp:127.0.0.1:18861 watch
    python examples/events.py tcp:127.0.0.1:18861 publish "the kettle boils"
"""

import sys

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import react

from txremote import Service, connect, exposed


class Subscription:
    """One subscriber. The client holds it by reference."""

    def __init__(self, feed, on_event):
        self._feed = feed
        self._on_event = on_event

    def send(self, event):
        """Call the client. One that cannot be reached, or fails, is dropped."""
        maybeDeferred(self._on_event, event).addErrback(lambda _failure: self.cancel())

    @exposed
    def cancel(self):
        """End the events."""
        self._feed.subscriptions.discard(self)


class Feed(Service):
    """What the server offers."""

    def __init__(self):
        self.subscriptions = set()

    @exposed
    def subscribe(self, on_event):
        """Call ``on_event(event)`` in the client from now on."""
        subscription = Subscription(self, on_event)
        self.subscriptions.add(subscription)
        return subscription

    @exposed
    def publish(self, event):
        """Send an event to all subscribers, and return how many there are."""
        # A call of a client's function is a Deferred like any other. Nobody
        # waits for it here, so a slow client holds up neither feed nor publisher.
        for subscription in list(self.subscriptions):
            subscription.send(event)
        return len(self.subscriptions)


#: An instance, not a class: all connections share it.
feed = Feed()


async def watch(conn, count):
    """Print events, so many or without end."""
    enough = Deferred()
    seen = []

    def on_event(event):
        print("event:", event, flush=True)
        seen.append(event)
        if len(seen) == count:
            enough.callback(None)

    subscription = await conn.root.subscribe(on_event)
    print("subscribed", flush=True)
    conn.when_disconnected().addCallback(lambda _how: enough.called or enough.callback(None))
    await enough
    if not conn.closed:
        await subscription.cancel()


async def main(reactor, endpoint, command, *words):
    """The client."""
    conn = await connect(endpoint, reactor=reactor)
    if command == "publish":
        subscribers = await conn.root.publish(" ".join(words))
        print("published to", subscribers)
    else:
        await watch(conn, int(words[0]) if words else None)
    await conn.close()


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in ("watch", "publish"):
        raise SystemExit("usage: python examples/events.py ENDPOINT watch [COUNT] | publish TEXT")
    react(main, sys.argv[1:])

"""
An event feed: what one client publishes, all that watch get.

Serve it, from the folder above this one; all clients share the one feed::

    twistd -n txremote --service examples.events.Feed

Watch it in some windows, and publish from another::

    python examples/events.py tcp:127.0.0.1:18861 watch
    python examples/events.py tcp:127.0.0.1:18861 publish "the kettle boils"

``examples/price_feed.py`` does so with several processes, on several machines.
"""

import sys

from twisted.internet.task import react

from txremote import ConnectionLost, ServerStopping, Service, Topic, connect, exposed


class Feed(Service):
    """What the server offers."""

    #: Peers may subscribe, and not publish: that is for a method of ours.
    exposed_events = Topic("events")

    @exposed
    def publish(self, event):
        """Send an event to all subscribers, and return how many there are."""
        # never waits: what a slow subscriber does not take waits for it, up to a limit
        self.exposed_events.publish(event)
        return self.exposed_events.stats().subscribers


async def watch(conn, count):
    """Print events, so many or without end."""
    events = await conn.root.events.subscribe()
    print("subscribed", flush=True)
    async for event in events:
        print("event:", event, flush=True)
        count -= 1
        if count == 0:
            break  # unsubscribes


async def main(reactor, endpoint, command, *words):
    """The client."""
    conn = await connect(endpoint, reactor=reactor)
    if command == "publish":
        subscribers = await conn.root.publish(" ".join(words))
        print("published to", subscribers)
    else:
        try:
            await watch(conn, int(words[0]) if words else 0)
        except (ConnectionLost, ServerStopping):
            print("the feed has gone")
    await conn.close()


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in ("watch", "publish"):
        raise SystemExit("usage: python examples/events.py ENDPOINT watch [COUNT] | publish TEXT")
    react(main, sys.argv[1:])

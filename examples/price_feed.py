"""
A price feed of many processes: a price that is set in one of them reaches who watches at any.

On a laptop, from the folder above this one; the four workers need nothing else::

    twistd -n txremote --workers 4 --service examples.price_feed.PriceFeed

Watch it in some windows, all prices or some, and set prices in another::

    python examples/price_feed.py tcp:127.0.0.1:18861 watch
    python examples/price_feed.py tcp:127.0.0.1:18861 watch tea ice
    python examples/price_feed.py tcp:127.0.0.1:18861 set tea=250 ice=90

On several machines, in a network that you trust, a Redis joins them. On each of them::

    export TXREMOTE_REGISTRY=redis://10.0.0.1
    PRICES_REDIS=redis://10.0.0.1 twistd -n txremote --workers 4 \
        --service examples.price_feed.PriceFeed --listen tcp:18861 --register prices

The clients find whichever machine is up in the registry, which is the same Redis here::

    python examples/price_feed.py registry:prices watch
"""

import os
import sys

from twisted.internet.task import deferLater, react

from txremote import ConnectionLost, RemoteClient, ServerStopping, Service, Topic, exposed

#: Joins the topics of several machines; without one the workers of this machine are joined.
REDIS = os.environ.get("PRICES_REDIS")


class PriceFeed(Service, values=True):
    """The service of each worker."""

    #: A slow watcher gets the newest price of each name, one who comes late the last one.
    exposed_prices = Topic(
        "prices", slow="latest", retain=True, redis=REDIS, bus=None if REDIS else "host"
    )

    @exposed
    def set(self, name: str, cents: int) -> None:
        """Set a price, for all who watch it, at any worker of any machine."""
        if cents < 0:
            raise ValueError(f"a price of {cents} cents")
        self.exposed_prices.publish((name, cents), key=name)


#: A client that only listens asks after 2 seconds of silence whether its server is still there.
LISTENING = {"keepalive": 2, "keepalive_timeout": 3}


def told_missed(count, why):
    """Say that prices did not come."""
    print("missed:", "nobody knows how many" if count is None else count, f"({why})", flush=True)


async def watch(reactor, client, names):
    """Print prices without end; when the server is lost, those of another."""
    while True:
        try:
            prices = await client.root.prices.subscribe(keys=names or None, missed=told_missed)
            print("watching", flush=True)
            async for name, cents in prices:
                print(f"{name} {cents / 100:.2f}", flush=True)
        except (ConnectionLost, ServerStopping):
            print("lost; watching at another", flush=True)
        await deferLater(reactor, 0.1)  # the last price of each name comes again then


async def main(reactor, endpoint, command, *words):
    """The client."""
    client = RemoteClient(endpoint, pick="sticky", config=LISTENING, reactor=reactor)
    client.startService()
    try:
        if command == "watch":
            await watch(reactor, client, words)
        for word in words:
            name, _equals, cents = word.partition("=")
            await client.root.set(name, int(cents))
    finally:
        await client.stopService()


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in ("watch", "set"):
        raise SystemExit(
            "usage: python examples/price_feed.py ENDPOINT watch [NAME...] | set NAME=CENTS..."
        )
    react(main, sys.argv[1:])

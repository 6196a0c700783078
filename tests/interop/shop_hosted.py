"""
The shop as txremote serves it: what waits is a coroutine, or a Deferred.
"""

from __future__ import annotations

import os

from twisted.internet.task import deferLater

import txremote
from tests.interop.shop import Basket, Offered
from txremote import async_, current_call, exposed


class Shop(Offered, txremote.Service):
    """One for each connection."""

    _disconnected = 0

    def on_disconnect(self, conn):
        Shop._disconnected += 1

    def exposed_goodbyes(self):
        """How many clients have left so far."""
        return Shop._disconnected

    def exposed_held(self):
        """How many objects of this side the caller holds references to."""
        return len(current_call().connection._tables.exports)

    def exposed_is_instance(self, thing):
        return isinstance(thing, Basket)

    @exposed
    def marked(self):
        """Exposed by the decorator, under its own name."""
        return "marked"

    async def exposed_later(self, seconds, value):
        from twisted.internet import reactor

        await deferLater(reactor, seconds)
        return value

    async def exposed_call_back(self, function, *args, **kwargs):
        return await function(*args, **kwargs)

    async def exposed_call_many(self, function, count):
        return [await function(number) for number in range(count)]

    async def exposed_total(self, numbers):
        """The sum of a list that the client keeps."""
        return sum([number async for number in numbers])

    def exposed_subscribe(self, listener, count):
        """Fire so many events after this call has been answered."""
        from twisted.internet import reactor

        def fire():
            for number in range(count):
                async_(listener)(number)

        reactor.callLater(0, fire)

    def exposed_pid(self):
        return os.getpid()

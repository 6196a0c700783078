"""
Prices that change: the server of the two web examples.

Serve it, from the folder above this one; all clients share the one list::

    twistd -n txremote --service examples.prices.prices

``web_twisted.py`` and ``web_fastapi.py`` show it in browsers.
"""

from collections.abc import AsyncIterable
from contextlib import contextmanager
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from txremote import Service, exposed


@dataclass
class Price:
    """What something costs."""

    name: str
    cents: int


class Watcher:
    """
    One reader's news: the newest price of each name that has changed since it looked.

    So a slow reader misses prices that were replaced meanwhile, never the newest one, and
    holds no more memory than the list itself.
    """

    def __init__(self, news):
        self._news = dict(news)
        self._waiting = None

    def tell(self, name, cents):
        """Note a change, and wake the reader if it waits."""
        self._news[name] = cents
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    async def next(self):
        """Wait for a change that was not read, and take it: the oldest."""
        if not self._news:
            self._waiting = Deferred(lambda _cancelled: self._forget())
            await self._waiting
        name = next(iter(self._news))
        return Price(name, self._news.pop(name))

    def _forget(self):
        self._waiting = None


class Prices(Service, values=True):
    """What the server offers."""

    def __init__(self):
        self._cents = {"tea": 250, "ice": 90, "cake": 310}
        self._watchers = set()

    @exposed
    def all(self) -> list[Price]:
        """Return all prices."""
        return [Price(name, cents) for name, cents in self._cents.items()]

    @exposed
    def change(self, name: str, cents: int) -> Price:
        """Set a price. KeyError: nothing has that name; ValueError: no price is below 0."""
        self._check(name)
        if cents < 0:
            raise ValueError(f"a price of {cents} cents")
        self._cents[name] = cents
        for watcher in list(self._watchers):
            watcher.tell(name, cents)
        return Price(name, cents)

    @exposed
    async def next_change(self, name: str) -> Price:
        """Wait until a price changes, however long that is."""
        self._check(name)
        with self._watching({}) as watcher:
            while True:
                price = await watcher.next()
                if price.name == name:
                    return price

    @exposed
    # not AsyncIterator, whose items are sent ahead: who is slow asks for the newest price
    async def changes(self) -> AsyncIterable[Price]:
        """Give all prices, and then each that changes, without end."""
        with self._watching(self._cents) as watcher:
            while True:
                yield await watcher.next()

    @exposed
    def watchers(self) -> int:
        """Return how many readers wait for changes."""
        return len(self._watchers)

    def _check(self, name):
        if name not in self._cents:
            raise KeyError(name)

    @contextmanager
    def _watching(self, news):
        watcher = Watcher(news)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:  # also when the reader leaves, or its connection is lost
            self._watchers.discard(watcher)


#: An instance, not a class: all connections share it.
prices = Prices()

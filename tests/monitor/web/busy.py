"""
The services of the twistd of the page's tests: calls that stay, objects that are held, tasks.

Not a test file.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

from twisted.internet.defer import Deferred

import txremote
from txremote import Progress, Topic, exposed, offloaded


class Basket:
    """Something that a client holds."""


class Shop(txremote.Service):
    """Has a call for each thing that the page shows."""

    exposed_news = Topic("news", buffer=2)

    @exposed
    def tell(self, count: int) -> None:
        """Publish some events."""
        for number in range(count):
            self.exposed_news.publish(number)

    @exposed
    async def ticks(self) -> AsyncIterator[int]:
        """Give two numbers, and no more for long."""
        yield 1
        yield 2
        await Deferred()

    @exposed
    def price(self, what: str) -> int:
        """Tell at once."""
        return len(what)

    @exposed
    def basket(self) -> Basket:
        """Give something to hold."""
        return Basket()

    @exposed
    def wait(self) -> Deferred[None]:
        """Do not end."""
        return Deferred()

    @exposed
    def stock(self, seconds: float) -> None:
        """Hold the reactor."""
        time.sleep(seconds)

    @exposed
    @offloaded
    def count(self, seconds: float) -> None:
        """Take a while in a thread."""
        time.sleep(seconds)

    @exposed
    def break_something(self) -> None:
        """Fail."""
        raise ValueError("it is broken")


class Stock:
    """Commands for a console."""

    commands = ()
    thcommands = ("fill",)

    def fill(self, what: str) -> Iterator[object]:
        """Go on, and tell how far it is."""
        for number in range(100_000):
            yield f"{what}: box {number}"
            yield Progress(number, 100_000)
            time.sleep(0.05)

"""
How a result that is still to come is waited for and timed.

In an event loop the expiry is a timed call, and waiting in the loop's own thread is refused,
for nothing could then bring the result (`ReactorDriver`). A script's driver reads the socket
meanwhile (`txremote.blocking.driver`), and a worker thread's runs its connection's lane
(`txremote.eventloop.worker_view`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from txremote.errors import WouldBlockReactor
from txremote.refs.clock import EventLoop, at_most, steady
from txremote.refs.reactorthread import is_reactor_thread, later

_ADVICE = (
    "await the result, yield it from an inlineCallbacks function, or give it to "
    "add_callback(): waiting here would stop the reactor that has to fetch it"
)


class Absence(Protocol):
    """Something that a thread puts aside while it waits for something else."""

    def begin(self) -> None:
        """Put it aside."""

    def end(self) -> None:
        """Take it up again."""


class Here(threading.local):
    """A thread's `Absence`."""

    absence: Absence | None = None  # put aside while the thread waits on a script's connection


here = Here()


class Pending(Protocol):
    """All that a driver knows of a result."""

    @property
    def pending(self) -> bool:
        """Whether there is no result yet."""

    def when_ended(self, hook: Callable[[], object]) -> None:
        """Call a function the moment there is one, in whatever thread that is."""


class Driver(Protocol):
    """Waits for results and times them, for an `AsyncResult`."""

    def wait(self, result: Pending, timeout: float | None) -> None:
        """
        Block until a result has ended, or for some seconds. Raises `WouldBlockReactor` in the
        thread that has to bring it.
        """

    def expect(self, result: Pending) -> None:
        """Have a result come that is awaited, so that nobody calls `wait`."""

    def serve_arrived(self) -> None:
        """Serve what has already come, without waiting."""

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function where callbacks of results run, in the order of their arrival."""

    def convert(self, value: Any) -> Any:
        """Return a received value as the code of this facet sees it."""

    def seconds(self) -> float:
        """Return the time in seconds."""

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None] | None:
        """
        Arrange for a call, from any thread; return what takes it back. Returns None where
        nothing runs by itself, as in a script: the expiry is noticed at the result's next use.
        """


class ReactorDriver:
    """
    Waits for what a running reactor brings, from any thread but its own. Without a given
    reactor it is the one that is installed when it matters; none is installed for this.
    """

    def __init__(self, reactor: EventLoop | None = None) -> None:
        self._given = reactor

    @property
    def _reactor(self) -> EventLoop | None:
        installed: Any = sys.modules.get("twisted.internet.reactor")
        return self._given or installed

    def wait(self, result: Pending, timeout: float | None) -> None:
        """Block until the reactor has brought it. Raises WouldBlockReactor if none runs, too."""
        reactor = self._reactor
        if reactor is None or not getattr(reactor, "running", True):
            raise WouldBlockReactor(
                "nothing can make this result come: no reactor is running, and it does "
                "not belong to a blocking connection"
            )
        if is_reactor_thread(reactor):
            raise WouldBlockReactor(_ADVICE)
        arrived = threading.Event()
        result.when_ended(arrived.set)
        arrived.wait(at_most(timeout))

    def expect(self, result: Pending) -> None:
        """Do nothing: the reactor brings it."""

    def serve_arrived(self) -> None:
        """Do nothing: the reactor serves what comes by itself."""

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """Call it now."""
        function(*args)

    def convert(self, value: Any) -> Any:
        """Return the value: in a reactor, references are what they are."""
        return value

    def seconds(self) -> float:
        """Return the time of the reactor's steady clock."""
        reactor = self._reactor
        return steady(reactor).seconds() if reactor is not None else 0.0

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None] | None:
        """Arrange for a call by the reactor."""
        reactor = self._reactor
        if reactor is None:
            return None
        return later(reactor, seconds, function)

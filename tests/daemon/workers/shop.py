"""What the workers of the tests serve."""

from __future__ import annotations

import os
import time

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txremote import Service, exposed


class Shop(Service):
    """Says which process answers."""

    @exposed
    def pid(self) -> int:
        """Return the number of the process."""
        return os.getpid()

    @exposed
    def number(self) -> str:
        """Return the worker's number."""
        return os.environ["TXREMOTE_WORKER"]

    @exposed
    def user(self) -> tuple[int, int]:
        """Return who the process runs as."""
        return os.getuid(), os.getgid()

    @exposed
    def wait(self, seconds: float) -> Deferred[int]:
        """Return the number of the process after some seconds."""
        from twisted.internet import reactor

        waiting: Deferred[int] = deferLater(reactor, seconds, os.getpid)  # type: ignore[arg-type]
        return waiting

    @exposed
    def compute(self, seconds: float) -> int:
        """Compute for some seconds of the processor, and return the number of the process."""
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return os.getpid()

    @exposed
    def loop(self) -> tuple[str, str]:
        """Return the names of its reactor and of the module of its asyncio loop."""
        from twisted.internet import reactor

        loop = type(getattr(reactor, "_asyncioEventloop", None))
        return type(reactor).__name__, loop.__module__

    @exposed
    def break_down(self) -> None:
        """Log a failure, as programs do."""
        try:
            raise KeyError("no tea")
        except KeyError:
            Logger("shop").failure("the shop is closed")

    @exposed
    def fail(self) -> None:
        """Fail, as methods do."""
        raise ValueError("out of stock")


class Commands:
    """The commands of a console."""

    commands = ("whose", "number")

    def whose(self) -> str:
        """Return the number of the process."""
        return str(os.getpid())

    def number(self) -> str:
        """Return the worker's number."""
        return os.environ["TXREMOTE_WORKER"]

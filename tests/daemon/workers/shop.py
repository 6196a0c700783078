"""What the workers of the tests serve."""

from __future__ import annotations

import os
import time

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

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

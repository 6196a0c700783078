"""
The service and the commands of the drill, which can be made to go wrong.

Not a test file.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import txremote
from txremote import exposed, offloaded


class Thing:
    """Something that a client holds, and never gives back."""


class Drilled(txremote.Service):
    """Has a method for each thing that can go wrong in a service."""

    @exposed
    def hold(self, seconds: float) -> None:
        """Hold the reactor."""
        time.sleep(seconds)

    @exposed
    def thing(self) -> Thing:
        """Give something to hold."""
        return Thing()

    @exposed
    @offloaded
    def die(self) -> None:
        """End the worker process that this runs in, as the kernel does where memory is short."""
        os.kill(os.getpid(), signal.SIGKILL)


class Talker:
    """A console's command whose output is kept in the file of tasks."""

    commands = ("talk",)

    def talk(self, lines: int) -> Iterator[str]:
        """Put out so many lines."""
        for number in range(int(lines)):
            yield f"{number}: {'x' * 200}"

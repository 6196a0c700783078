"""A service each of whose workers publishes a hundred events a second. Not a test file."""

from __future__ import annotations

import os
from itertools import count
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import LoopingCall

from txremote import Service, Topic, exposed

ticks = Topic("ticks of workers", buffer=5000, bus="host")
_numbers = count()
_ticking = LoopingCall(lambda: ticks.publish((os.getpid(), next(_numbers))))
_running: Any = reactor


def begin() -> None:
    """Publish from now on."""
    _ticking.start(0.01)


_running.callWhenRunning(begin)


class Ticker(Service):
    """Says which process answers."""

    exposed_ticks = ticks

    @exposed
    def pid(self) -> int:
        """Return the number of the process."""
        return os.getpid()

"""
A laboratory: samples, a task that measures them, and events.

Serve it, and open ``notebook.ipynb``::

    twistd -n txremote --service examples.lab.lab
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count
from math import sin

from twisted.internet import reactor
from twisted.internet.task import deferLater

from txremote import Progress, Service, TaskService, Topic, exposed


@dataclass
class Sample:
    """One measurement."""

    no: int
    value: float
    unit: str = "mV"


class Measuring:
    """The commands that run as tasks."""

    asyncommands = ("measure",)

    async def measure(self, many: int) -> AsyncIterator[object]:
        """Measure some samples, one after the other."""
        for no in range(1, int(many) + 1):
            await deferLater(reactor, 0.02)
            yield Progress(no, int(many), "measuring")
            yield f"sample {no}: {sin(no):.3f} mV"


class Lab(Service, values=True):
    """The service. One object for all clients."""

    exposed_rings = Topic("rings")

    def __init__(self) -> None:
        self._tasks = TaskService(Measuring())

    @exposed
    def samples(self, count: int = 3) -> list[Sample]:
        """Return the first samples."""
        return [Sample(no, round(sin(no), 3)) for no in range(1, count + 1)]

    @exposed
    async def settle(self, seconds: float) -> str:
        """Wait until the needle is still."""
        await deferLater(reactor, seconds)
        return "still"

    @exposed
    async def calibrate(self, progress: Callable[[int, int], object]) -> None:
        """Calibrate in four steps, and call back after each."""
        for step in range(1, 5):
            await deferLater(reactor, 0.02)
            await progress(step, 4)

    @exposed
    def tasks(self) -> TaskService:
        """Return the tasks: submit("measure 10") begins one."""
        return self._tasks

    @exposed
    async def needle(self) -> AsyncIterator[Sample]:
        """Read the needle without end: a stream, which ends when its reader leaves the loop."""
        for no in count(1):
            await deferLater(reactor, 0.02)
            yield Sample(no, round(sin(no), 3))

    @exposed
    def ring(self, event: str) -> int:
        """Tell all who have subscribed of an event; return how many they are."""
        self.exposed_rings.publish(event)
        return self.exposed_rings.stats().subscribers


lab = Lab()

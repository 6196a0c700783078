"""
A laboratory: samples, a task that measures them, and events.

Serve it, and open ``notebook.ipynb``::

    twistd -n txremote --service examples.lab.lab
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from math import sin

from twisted.internet import reactor
from twisted.internet.task import deferLater

from txremote import Progress, Service, TaskService, exposed


@dataclass
class Sample:
    """One measurement."""

    no: int
    value: float
    unit: str = "mV"


class Measuring:
    """The commands that run as tasks."""

    asyncommands = ("measure",)

    async def measure(self, count: int) -> AsyncIterator[object]:
        """Measure some samples, one after the other."""
        for no in range(1, int(count) + 1):
            await deferLater(reactor, 0.02)
            yield Progress(no, int(count), "measuring")
            yield f"sample {no}: {sin(no):.3f} mV"


class Lab(Service, values=True):
    """The service. One object for all clients."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[str], object]] = []
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
    def listen(self, on_event: Callable[[str], object]) -> None:
        """Call a function with each event from now on."""
        self._listeners.append(on_event)

    @exposed
    async def ring(self, event: str) -> int:
        """Tell all listeners of an event; return how many have heard it."""
        heard = 0
        for listener in list(self._listeners):
            try:
                await listener(event)
                heard += 1
            except Exception:  # its client has gone
                self._listeners.remove(listener)
        return heard


lab = Lab()

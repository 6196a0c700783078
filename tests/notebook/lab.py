"""
A server for the tests of notebooks.

Not a test file: ``twistd txremote --service tests.notebook.lab.lab``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
from twisted.internet.defer import Deferred, succeed

from txremote import ConnectionLost, DeadReferenceError, Service, TaskService, exposed
from txremote.tasks.stepping import Progress
from txremote.testing import Pair
from txremote.wire.framing import FrameReader

#: A text that a peer may send to have a notebook run it.
HOSTILE = "<script>alert(1)</script> $\\href{javascript:x}{y}$ \x1b[31m"


def sent(pair: Pair) -> int:
    """Return how many messages of the client's wait to be carried across."""
    return len(list(FrameReader().feed(b"".join(pair.client.transport.written))))


@dataclass
class Item:
    """A value with fields."""

    name: str
    count: int
    tags: list[str] = field(default_factory=list)


class Sampler:
    """Commands for tasks."""

    commands = ("fail",)
    asyncommands = ("sample", "hold")

    def __init__(self) -> None:
        self.held: list[Deferred[None]] = []

    async def _steps(self, count: int) -> Any:
        for at in range(count):
            yield Progress(at + 1, count, f"sample {at + 1}")
            yield f"measured {at + 1}"

    def sample(self, count: str) -> Any:
        """Measure some times."""
        return self._steps(int(count))

    def hold(self) -> Any:
        """Wait until it is killed."""
        return self._hold()

    async def _hold(self) -> Any:
        yield Progress(1, 4, HOSTILE)
        yield HOSTILE
        await Deferred()

    def fail(self) -> None:
        """Raise an error."""
        raise ValueError("no sample")


class Cart(Service):
    """A cart with items in it."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    @exposed
    def put(self, name: str, count: int = 1, *, gift: bool = False) -> int:
        """Put an item in.

        More about that.
        """
        self.items.append(Item(name, count))
        return len(self.items)

    @exposed
    def list(self) -> list[Item]:
        """Return what is in it."""
        return self.items


class Lab(Service, values=True):
    """The root that the notebook connects to. One for all clients."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.connected = 0
        self.documented = 0
        self.subscribers: list[Callable[[str], object]] = []
        self.called = 0
        self.until: dict[Deferred[None], int] = {}
        self.tasks: TaskService | None = None
        self.alone: list[Deferred[None]] = []

    def on_connect(self, _connection: object) -> None:
        """Count it."""
        self.connected += 1

    def on_disconnect(self, _connection: object) -> None:
        """Count it no more."""
        self.connected -= 1
        if self.connected == 1:
            alone, self.alone = self.alone, []
            for each in alone:
                each.callback(None)

    @exposed
    def add(self, a: int, b: int = 2) -> int:
        """Add two numbers."""
        return a + b

    @exposed
    def cart(self) -> Any:
        """Return a new cart, by reference."""
        return Cart()

    @exposed
    def items(self) -> list[Item]:
        """Return some items."""
        return [Item("tea", 3, ["hot"]), Item(HOSTILE, 1)]

    @exposed
    def cart_names(self) -> Any:
        """Return some names, by reference."""
        return ["tea", "ice"]

    @exposed
    def task_service(self) -> Any:
        """Return the tasks, by reference."""
        if self.tasks is None:  # it takes the program's reactor
            self.tasks = TaskService(Sampler())
        return self.tasks

    @exposed
    def forever(self) -> Deferred[None]:
        """Wait until the call is cancelled."""
        self.called += 1
        for each in [each for each, count in self.until.items() if count <= self.called]:
            del self.until[each]
            each.callback(None)
        return Deferred(lambda _deferred: self._count())

    def _count(self) -> None:
        self.cancelled += 1

    @exposed
    def until_called(self, count: int) -> Deferred[None]:
        """Wait until there have been so many calls of ``forever``."""
        waiting: Deferred[None] = Deferred()
        if count <= self.called:
            return succeed(None)
        self.until[waiting] = count
        return waiting

    @exposed
    def figures(self) -> tuple[int, int, int, int]:
        """
        Return how many calls of ``forever`` were cancelled, how many clients are connected, how
        often ``getdoc`` was called, and how often ``forever``.
        """
        return self.cancelled, self.connected, self.documented, self.called

    @exposed
    def until_alone(self) -> Deferred[None]:
        """Wait until no other client is connected."""
        if self.connected == 1:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self.alone.append(waiting)
        return waiting

    @exposed
    def report(self, progress: Callable[..., object]) -> Any:
        """Call back with a progress, and a wrong one; return the error of that."""
        return self._report(progress)

    async def _report(self, progress: Callable[..., Any]) -> str:
        await progress(3, 4, HOSTILE)
        try:
            await progress("a lot")
        except TypeError as error:
            return str(error).partition("\n")[0]
        return "taken"

    @exposed
    def subscribe(self, on_event: Callable[[str], object]) -> None:
        """Call back with each event."""
        self.subscribers.append(on_event)

    @exposed
    async def publish(self, event: str) -> int:
        """Tell all subscribers of an event."""
        for each in list(self.subscribers):
            try:
                await each(event)  # type: ignore[misc]
            except (ConnectionLost, DeadReferenceError):
                self.subscribers.remove(each)
        return len(self.subscribers)

    @exposed
    def echo(self, array: numpy.ndarray) -> numpy.ndarray:  # type: ignore[type-arg]
        """Return an array."""
        return array

    @exposed
    def getdoc(self) -> str:
        """Count a call that nobody has made by hand."""
        self.documented += 1
        return "asked"


lab = Lab()

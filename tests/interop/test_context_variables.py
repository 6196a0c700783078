"""
Context variables and decimals of several clients, against RPyC's thread for each.

The same calls in the same order are made of a stock `ThreadedServer` and of a txremote
that hosts the same service, by stock clients and by txremote's: every answer is the same.
The services of a txremote that have no counterpart are held to the same rule.
"""

from __future__ import annotations

import decimal
import random
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
import pytest_twisted
import rpyc
from rpyc.utils.server import ThreadedServer
from twisted.internet.threads import deferToThread

import txremote
import txremote.blocking
from tests.net.servers import served

NAME: ContextVar[str] = ContextVar("name", default="nobody")

CLIENTS = 4
STEPS = 100


class Both:
    """What the services do, as RPyC's and as ours."""

    def on_connect(self, conn: Any) -> None:
        NAME.set("connected")

    def exposed_set(self, name: str) -> str:
        """Set the variable; tell what it was."""
        before = NAME.get()
        NAME.set(name)
        return before

    def exposed_get(self) -> str:
        """Tell the variable."""
        return NAME.get()

    def exposed_precision(self, digits: int) -> None:
        """Change the decimal context in place."""
        decimal.getcontext().prec = digits

    def exposed_replace(self, digits: int) -> None:
        """Put another decimal context there."""
        decimal.setcontext(decimal.Context(prec=digits))

    def exposed_third(self) -> str:
        """Divide."""
        return str(decimal.Decimal(1) / 3)

    def exposed_within(self, function: Any, *args: Any) -> str:
        """Have the client call back while this waits."""
        before = NAME.get()
        function(*args)
        return f"{before}, {NAME.get()}, {decimal.Decimal(1) / 7}"

    def exposed_names(self, names: tuple[str, ...]) -> Iterator[str]:
        """Set it in a generator."""
        for name in names:
            NAME.set(name)
            yield NAME.get()

    def exposed_fail(self, name: str) -> None:
        """Set it, and fail."""
        NAME.set(name)
        raise ValueError(name)


class Stock(Both, rpyc.Service):
    """For a stock server, and hosted."""


class Reactor(Both, txremote.Service):
    """In a reactor."""


class Threads(Both, txremote.Service):
    """In lanes, with what may overlap beside."""

    threaded_service = True

    def exposed_names(self, names: tuple[str, ...]):
        """As with the others: without an annotation it is asked for each item."""
        yield from super().exposed_names(names)

    @txremote.exposed
    @txremote.threaded
    def set_beside(self, name: str) -> tuple[str, str]:
        """Set it where it is not kept."""
        before, digits = NAME.get(), decimal.getcontext().prec
        NAME.set(name)
        decimal.getcontext().prec = 3
        return before, f"{NAME.get()} {digits}"

    @txremote.exposed
    async def set_later(self, name: str) -> str:
        """Set it in a coroutine, in the reactor's thread."""
        before = NAME.get()
        NAME.set(name)
        return before


def plan(seed: int, names: tuple[str, ...]) -> list[tuple[int, str, Any]]:
    """Return which client calls what with what, in order."""
    dice = random.Random(seed)
    steps = []
    for number in range(STEPS):
        name = dice.choice(names)
        argument: Any = f"{name} {number}"
        if name in ("precision", "replace"):
            argument = dice.randrange(2, 20)
        steps.append((dice.randrange(CLIENTS), name, argument))
    return steps


def play(connect: Any, port: int, steps: list[tuple[int, str, Any]]) -> list[Any]:
    """Make the calls, and return what came of each."""
    clients = [connect("127.0.0.1", port) for _ in range(CLIENTS)]
    try:
        return [_step(clients[number], name, argument) for number, name, argument in steps]
    finally:
        for client in clients:
            client.close()


def _step(client: Any, name: str, argument: Any) -> Any:
    root = client.root
    if name == "within":
        return root.within(lambda: root.set(argument))
    if name == "names":
        names = iter(root.names((argument, f"{argument}!", "over")))
        return next(names), root.get(), next(names), root.get()
    if name == "fail":
        try:
            root.fail(argument)
        except ValueError as error:
            return str(error).splitlines()[0]
    if name in ("get", "third"):
        return getattr(root, name)()
    return getattr(root, name)(argument)


NAMES = ("set", "get", "precision", "replace", "third", "within", "names", "fail")


@pytest.fixture(scope="module")
def stock() -> Iterator[int]:
    """The port of a stock server."""
    server = ThreadedServer(Stock, hostname="127.0.0.1", port=0)
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    yield server.port
    server.close()
    thread.join(10)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("root", [Stock, Threads])
@pytest.mark.parametrize("connect", [rpyc.connect, txremote.blocking.connect])
@pytest_twisted.ensureDeferred
async def test_in_lanes_it_is_as_with_a_thread_for_each_client(stock, seed, root, connect):
    """Whatever is set, in whatever way, in whichever order."""
    steps = plan(seed, NAMES)
    right = await deferToThread(play, rpyc.connect, stock, steps)
    async with served(root) as port:
        assert await deferToThread(play, connect, port.getHost().port, steps) == right


@pytest.mark.parametrize("seed", range(2))
@pytest_twisted.ensureDeferred
async def test_in_a_reactor_it_is_the_same(stock, seed):
    """As far as nothing waits within a method."""
    steps = plan(seed, tuple(name for name in NAMES if name != "within"))
    right = await deferToThread(play, rpyc.connect, stock, steps)
    async with served(Reactor) as port:
        got = await deferToThread(play, rpyc.connect, port.getHost().port, steps)
    assert got == right
    assert NAME.get() == "nobody"


@pytest_twisted.ensureDeferred
async def test_a_threaded_call_keeps_its_changes_to_itself():
    """It begins with what was set, and may overlap others; a coroutine's are found later."""

    def calls(port: int) -> list[Any]:
        with rpyc.connect("127.0.0.1", port) as client:
            root = client.root
            root.set("ann")
            root.precision(9)
            said = [root.set_beside("beside"), root.get(), root.third()]
            return [*said, root.set_later("later"), root.get()]

    async with served(Threads) as port:
        got = await deferToThread(calls, port.getHost().port)
    assert got == [("ann", "beside 9"), "ann", "0.333333333", "ann", "later"]

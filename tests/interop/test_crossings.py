"""
Crossings: an object that came over one connection is given to another, of every kind.

A program in the middle serves a caller and uses a second server. It hands what the
caller gives it, a function mostly, on to that server, which calls it. RPyC's own
programs do so in 0.01 s; here each connection may be driven by another thread, or by a
reactor, and an answer that fires in one of them belongs to another.

Every kind of caller is tried with every kind of service in the middle, of connection out
of that, and of operation, which is about 800. The second server goes through its kinds
meanwhile.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle, product
from typing import Any

import pytest
import pytest_twisted
import rpyc as stock
from rpyc.utils.server import ThreadedServer as StockServer
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread

import txremote
import txremote.blocking as blocking
from tests.blocking.script_threads import run_script
from tests.net.servers import LOOPBACK, endpoint_of, served
from txremote import connect, exposed, threaded
from txremote.blocking.channel import SocketChannel
from txremote.blocking.factory import accept

#: Seconds that are far less than any time-out, and more than a busy machine needs.
SOON = 10.0

CALLERS = ["stock", "script", "reactor"]
MIDDLES = ["lane", "stock in a lane", "ThreadedServer", "reactor", "threaded", "serve_all", "bg"]
OUTS = ["fresh", "shared", "shared and served", "reactor", "stock"]
SECONDS = ["stock", "ThreadedServer", "lane", "reactor"]
OPERATIONS = [
    *("call", "nested", "attribute", "same", "error", "another's", "kept", "fired in a thread"),
    "fired at once",
]

# What the stock library has in a reactor's thread would block that.
BLOCKING_THE_REACTOR = {("reactor", "stock"), ("threaded", "stock")}


# --- second servers -----------------------------------------------------------------


class Second:
    """What a second server does with what it is given."""

    def exposed_call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def exposed_attribute(self, thing: Any) -> Any:
        return thing.value() + 1

    def exposed_same(self, thing: Any) -> Any:
        return thing

    def exposed_give(self, function: Any) -> Any:
        return function(lambda number: number * 7)

    def exposed_keep(self, function: Any) -> None:
        self.kept = function

    def exposed_use(self, number: int) -> Any:
        return self.kept(number)


class StockSecond(Second, stock.Service):  # type: ignore[misc]
    pass


class ThreadedSecond(Second, blocking.Service):
    pass


class ReactorSecond(txremote.Service):
    async def exposed_call(self, function: Any, *args: Any) -> Any:
        return await function(*args)

    async def exposed_attribute(self, thing: Any) -> Any:
        return await thing.value() + 1

    def exposed_same(self, thing: Any) -> Any:
        return thing

    async def exposed_give(self, function: Any) -> Any:
        return await function(lambda number: number * 7)

    def exposed_keep(self, function: Any) -> None:
        self.kept = function

    async def exposed_use(self, number: int) -> Any:
        return await self.kept(number)


# --- programs in the middle ---------------------------------------------------------


class Middle:
    outs: dict[str, Callable[..., Any]]

    def exposed_go(self, out: str, name: str, *args: Any) -> Any:
        return self.outs[out](name, *args)

    def exposed_add(self, left: Any, right: Any) -> Any:
        return left + right


class StockMiddle(Middle, stock.Service):  # type: ignore[misc]
    pass


class BlockingMiddle(Middle, blocking.Service):
    pass


class ReactorMiddle(Middle, txremote.Service):
    async def exposed_go(self, out: str, name: str, *args: Any) -> Any:
        return await deferToThread(self.outs[out], name, *args)


class ThreadedMiddle(Middle, txremote.Service):
    exposed_go = None  # type: ignore[assignment]

    @exposed
    @threaded
    def go(self, out: str, name: str, *args: Any) -> Any:
        return self.outs[out](name, *args)


class World:
    """
    A program in the middle, all second servers, and the ways to each of them.

    All methods are for a script's thread.

    Args:
        middle: The kind of its service.
        ports: Where the second servers are.
    """

    def __init__(self, middle: str, ports: dict[str, int]) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.kind = middle
        self.ports = ports
        self.outs: dict[str, Callable[..., Any]] = {}
        self.stack = ExitStack()
        self.port = 0

    def in_reactor(self, function: Callable[..., Any], *args: Any) -> Any:
        return blockingCallFromThread(self.reactor, function, *args)

    def way_out(self, kind: str, second: str) -> str:
        """Have a way to a second server, and return its name."""
        name = f"{kind} to {second}"
        if name not in self.outs:
            self.outs[name] = self._way(kind, self.ports[second])
        return name

    def _way(self, kind: str, port: int) -> Callable[..., Any]:
        library = stock if kind == "stock" else blocking
        if kind in ("fresh", "stock"):

            def fresh(name: str, *args: Any) -> Any:
                with library.connect("127.0.0.1", port) as conn:
                    return getattr(conn.root, name)(*args)

            return fresh
        if kind == "reactor":
            linked = self.in_reactor(connect, f"tcp:127.0.0.1:{port}")
            self.stack.callback(self.in_reactor, linked.close)
            return lambda name, *args: getattr(linked.view.root, name)(*args)
        conn = blocking.connect("127.0.0.1", port)
        self.stack.callback(conn.close)
        if kind == "shared and served":
            self.stack.callback(blocking.BgServingThread(conn).stop)
        return lambda name, *args: getattr(conn.root, name)(*args)

    def call(self, caller: str, way: str, operation: str) -> tuple[Any, Any]:
        """Try an operation; return what came of it, and what should have."""
        if caller == "reactor":
            linked = self.in_reactor(connect, f"tcp:127.0.0.1:{self.port}")
            try:
                return _operate(
                    lambda *args: self.in_reactor(lambda: linked.root.go(way, *args)),
                    linked.root.add,
                    operation,
                    awaits=True,
                )
            finally:
                self.in_reactor(linked.close)
        library = stock if caller == "stock" else blocking
        with library.connect("127.0.0.1", self.port) as conn:
            return _operate(
                lambda *args: conn.root.go(way, *args),
                lambda *args: conn.root.add(*args),
                operation,
            )


class Thing(txremote.Service):
    def exposed_value(self) -> int:
        return 41


def _fired(after: float, value: Any) -> Deferred[Any]:
    """Return a Deferred that another thread fires, after some seconds or at once."""
    fired: Deferred[Any] = Deferred()
    threading.Timer(after, fired.callback, (value,)).start()
    return fired


def _operate(
    go: Callable[..., Any], add: Callable[..., Any], operation: str, awaits: bool = False
) -> tuple[Any, Any]:
    def tenfold(number: int) -> int:
        return number * 10

    if operation == "nested":  # the function calls back before it answers
        if awaits:

            async def nested(number: int) -> int:
                return int(await add(number, 1)) * 10

        else:

            def nested(number: int) -> int:  # type: ignore[misc]
                return int(add(number, 1)) * 10

        return go("call", nested, 3), 40
    if operation == "attribute":
        return go("attribute", Thing()), 42
    if operation == "same":
        return go("same", tenfold) is tenfold, True
    if operation == "error":

        def failing() -> None:
            raise KeyError("as asked")

        with pytest.raises(KeyError) as caught:
            go("call", failing)
        return caught.value.args, ("as asked",)
    if operation == "another's":  # the second server's function comes the other way
        if awaits:

            async def using(function: Any) -> int:
                return int(await function(5)) + 1

        else:

            def using(function: Any) -> int:  # type: ignore[misc]
                return int(function(5)) + 1

        return go("give", using), 36
    if operation == "kept":
        go("keep", tenfold)
        return go("use", 5), 50
    if operation == "fired in a thread":
        return go("call", lambda number: _fired(0.001, number * 10), 3), 30
    if operation == "fired at once":
        return go("call", lambda number: _fired(0, number * 10), 3), 30
    return go("call", tenfold, 3), 30


def _ways(middle: str) -> Iterator[tuple[str, str, str, str]]:
    seconds = cycle(SECONDS)
    for caller, out, operation in product(CALLERS, OUTS, OPERATIONS):
        if (middle, out) in BLOCKING_THE_REACTOR:
            continue
        if operation == "kept" and out in ("fresh", "stock"):
            continue  # it is given back with its connection
        if operation.startswith("fired") and caller == "stock":
            continue  # a stock caller gives the Deferred itself
        second = next(seconds)
        yield caller, out, second, operation


def _run(world: World) -> list[str]:
    """Try everything, in a script; return what went wrong."""
    wrong, tried = [], 0
    with world.stack:
        for caller, out, second, operation in _ways(world.kind):
            tried += 1
            begun = time.monotonic()
            try:
                got, wanted = world.call(caller, world.way_out(out, second), operation)
            except Exception as error:
                got, wanted = f"{type(error).__name__}: {str(error)[:200]}", "no error"
            took = time.monotonic() - begun
            if got != wanted or took > SOON:
                wrong.append(f"{caller}, {out}, {second}, {operation}: {got} after {took:.1f} s")
    assert tried >= 90
    return wrong


def _started(stack: ExitStack, server: Any, stop: Callable[[], Any]) -> int:
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    stack.callback(thread.join, SOON)
    stack.callback(stop)
    return int(server.port)


def _accepting(stack: ExitStack, service: Any, served_by: Callable[[Any], object]) -> int:
    listening = socket.create_server(("127.0.0.1", 0))

    def accept_all() -> None:
        while True:
            try:
                sock, _address = listening.accept()
            except OSError:
                return
            served_by(accept(SocketChannel(sock), service))

    thread = threading.Thread(target=accept_all, daemon=True)
    thread.start()

    def stop() -> None:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(SOON)
        listening.close()

    stack.callback(stop)
    return int(listening.getsockname()[1])


def _serve_all(conn: Any) -> None:
    threading.Thread(target=conn.serve_all, daemon=True).start()


@pytest.mark.parametrize("middle", MIDDLES)
@pytest_twisted.ensureDeferred
async def test_what_comes_over_one_connection_may_be_given_to_any_other(middle: str) -> None:
    def script(world: World, port: Any) -> list[str]:
        stack = world.stack
        server = StockServer(StockSecond, hostname="127.0.0.1", port=0)
        world.ports["stock"] = _started(stack, server, server.close)
        server = blocking.ThreadedServer(ThreadedSecond)
        world.ports["ThreadedServer"] = _started(stack, server, server.close)
        service = type("Mine", (BlockingMiddle,), {"outs": world.outs})
        if middle == "ThreadedServer":
            server = blocking.ThreadedServer(service)
            world.port = _started(stack, server, server.close)
        elif middle == "serve_all":
            world.port = _accepting(stack, service, _serve_all)
        elif middle == "bg":
            world.port = _accepting(stack, service, blocking.BgServingThread)
        else:
            world.port = port.getHost().port
        return _run(world)

    hosted = {
        "stock in a lane": StockMiddle,
        "reactor": ReactorMiddle,
        "threaded": ThreadedMiddle,
    }.get(middle, BlockingMiddle)
    world = World(middle, {})
    mine = type("Mine", (hosted,), {"outs": world.outs})
    async with (
        served(ThreadedSecond, LOOPBACK) as lane,
        served(ReactorSecond, LOOPBACK) as second,
        served(mine, LOOPBACK) as port,
    ):
        world.ports.update(lane=lane.getHost().port, reactor=second.getHost().port)
        assert endpoint_of(port)
        assert await run_script(script, world, port) == []

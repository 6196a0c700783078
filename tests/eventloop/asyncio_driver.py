"""
A driver for asyncio, as small as it can be: it shows what a driver has to supply.

Not a test file: `tests.eventloop.test_asyncio_driver` runs it in a process of its own. It
serves, connects, and makes calls both ways over loopback; no reactor is installed.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from txremote.eventloop.executor import LaneExecutor, LoopExecutor
from txremote.peer.connection import Connection
from txremote.peer.dialling import KEEP, OPEN, WAIT, Outcome, dialling_steps, outcome_of
from txremote.service import Service, exposed
from txremote.wire.messages import dialect_named


class AsyncioLoop:
    """The running loop as an `EventLoop`."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.io_thread = threading.get_ident()

    def seconds(self) -> float:
        return self.loop.time()

    def callLater(self, delay: float, call: Callable[..., object], *args: Any) -> Any:
        handle = self.loop.call_later(delay, call, *args)
        active = lambda: not handle.cancelled()  # noqa: E731  # to cancel it later is no harm
        return SimpleNamespace(cancel=handle.cancel, active=active, getTime=handle.when)

    def callFromThread(self, call: Callable[..., object], *args: Any) -> None:
        self.loop.call_soon_threadsafe(call, *args)


class ConnectionTransport(asyncio.Protocol):
    """asyncio's protocol, which is the transport of a `Connection`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def connection_made(self, transport: Any) -> None:
        self.stream = transport
        self.write, self.writeSequence = transport.write, transport.writelines
        self.loseConnection, self.abortConnection = transport.close, transport.abort
        self.connection.makeConnection(self)

    def data_received(self, data: bytes) -> None:
        self.connection.dataReceived(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.connection.connectionLost(
            Failure(ConnectionLost(error) if error else ConnectionDone())
        )

    def registerProducer(self, producer: Any, _streaming: bool) -> None:
        self.pause_writing, self.resume_writing = producer.pauseProducing, producer.resumeProducing

    def pauseProducing(self) -> None:
        self.stream.pause_reading()

    def resumeProducing(self) -> None:
        self.stream.resume_reading()

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", *self.stream.get_extra_info("peername"))

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", *self.stream.get_extra_info("sockname"))


async def listen(loop: AsyncioLoop, service: type[Service]) -> asyncio.Server:
    executor = LoopExecutor(loop)

    def accept() -> ConnectionTransport:
        chosen = LaneExecutor(executor) if service.threaded_service else executor
        return ConnectionTransport(Connection(service(), executor=chosen, clock=loop))

    return await loop.loop.create_server(accept, "127.0.0.1", 0)


async def connect(loop: AsyncioLoop, port: int, service: Service) -> Connection:
    steps, attempts, connections = dialling_steps(), {}, {}

    async def attempt(dialect: str) -> Outcome:
        connection = connections[dialect] = Connection(
            service, executor=LoopExecutor(loop), clock=loop, dialect=dialect_named(dialect, False)
        )
        try:
            make = lambda: ConnectionTransport(connection)  # noqa: E731
            await loop.loop.create_connection(make, "127.0.0.1", port)
            await connection.introduce().asFuture(loop.loop)
            return Outcome(dialect)
        except Exception as error:
            return outcome_of(dialect, error, connection.other_dialect)

    step = next(steps)
    while step.action != KEEP:
        outcome = None
        if step.action == OPEN:
            attempts[step.dialect] = asyncio.ensure_future(attempt(step.dialect))
        elif step.action == WAIT:
            done, _ = await asyncio.wait({attempts[step.dialect]}, timeout=step.seconds)
            outcome = done.pop().result() if done else None
        elif connections[step.dialect].transport is not None:
            connections[step.dialect].transport.abortConnection()
        step = steps.send(outcome)
    return connections[step.dialect]


class Twice(Service):
    @exposed
    async def twice(self, function: Any, value: int) -> int:
        return await function(await function(value))


class TwiceInLane(Service):
    threaded_service = True

    @exposed
    def twice(self, function: Any, value: int) -> int:
        return function(function(value))


async def main() -> None:
    loop = AsyncioLoop()
    for service in (Twice, TwiceInLane):
        server = await listen(loop, service)
        connection = await connect(loop, server.sockets[0].getsockname()[1], Service())
        print(await connection.root.twice(lambda value: value + 1, 40).asFuture(loop.loop))
        await connection.close().asFuture(loop.loop)
        server.close()
    print("reactor" if "twisted.internet.reactor" in sys.modules else "no reactor")


if __name__ == "__main__":
    asyncio.run(main())

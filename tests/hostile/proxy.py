"""
A bad network: a relay that delays, splits, stalls, damages, resets and closes.

Not a test file. It lives in the tests' reactor, between a client and the fort. What
it does to a connection is its `Weather`; the bytes of each direction are counted
from 0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from tests.hostile.attacker import SOURCE

#: Up is from the client to the server.
UP, DOWN = "up", "down"


@dataclass(frozen=True)
class Weather:
    """
    What happens to a connection.

    Attributes:
        pace: How many bytes go on in a turn of the reactor; None for all there are.
        delay: Seconds that each read is held back.
        kind: What happens at one place: ``"reset"``, ``"close"``, ``"half"`` closes
            that direction only, ``"stall"`` has nothing more go through in any
            direction, ``"pause"`` has it wait a while, ``"damage"`` changes the byte.
        way: In which direction that place is.
        at: Before which byte it is.
    """

    pace: int | None = None
    delay: float = 0.0
    kind: str | None = None
    way: str = UP
    at: int = 0


class _End(Protocol):
    """One of the two connections of a line."""

    def __init__(self) -> None:
        self.line: Any = None
        self.early = b""
        self.over = False

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        if self.line is None:
            self.early += data
        else:
            self.line.came(self, data)

    def connectionLost(self, reason: Any = None) -> None:
        self.over = True
        if self.line is not None:
            self.line.ended(self)


class _Line:
    """Both connections, and the weather between them."""

    def __init__(self, reactor: Any, weather: Weather, client: _End, server: _End) -> None:
        self._reactor = reactor
        self._weather = weather
        self._ends = {UP: (client, server), DOWN: (server, client)}
        self._waiting = {UP: bytearray(), DOWN: bytearray()}
        self._going = {UP: False, DOWN: False}
        self.passed = {UP: 0, DOWN: 0}
        self._stalled = False
        self._struck = False
        self.began = reactor.seconds()
        self.ended_at: float | None = None
        for end in (client, server):
            end.line = self
        for end in (client, server):
            if end.early:
                self.came(end, end.early)
        if client.over:
            self.ended(client)

    def came(self, end: _End, data: bytes) -> None:
        """Take bytes in, and pass them on when it is time."""
        way = UP if end is self._ends[UP][0] else DOWN
        self._waiting[way] += data
        if not self._going[way]:
            self._going[way] = True
            self._later(self._weather.delay, way)

    def _later(self, seconds: float, way: str) -> None:
        if seconds or self._weather.pace:
            self._reactor.callLater(seconds, self._go, way)
        else:
            self._go(way)

    def _go(self, way: str) -> None:
        weather, waiting = self._weather, self._waiting[way]
        source, sink = self._ends[way]
        size = min(len(waiting), weather.pace or len(waiting))
        here = weather.kind is not None and weather.way == way and not self._struck
        if here:
            size = min(size, weather.at - self.passed[way])
        if self._stalled or sink.over:
            return
        sink.transport.write(bytes(waiting[:size]))
        del waiting[:size]
        self.passed[way] += size
        if here and self.passed[way] == weather.at and waiting:
            self._struck = True
            if not self._strike(way):
                return
        if waiting:
            self._later(0.02 if weather.kind == "pause" else weather.delay, way)
        else:
            self._going[way] = False
            if source.over:
                sink.transport.loseConnection()

    def _strike(self, way: str) -> bool:
        """Do what is to be done at the place. Return whether anything goes on."""
        kind = self._weather.kind
        if kind == "reset":
            self.cut()
        elif kind == "close":
            for end in self._ends[way]:
                end.transport.loseConnection()
        elif kind == "half":
            self._ends[way][1].transport.loseWriteConnection()
        elif kind == "stall":
            self._stalled = True
        elif kind == "damage":
            self._waiting[way][0] ^= 0x15
        return kind in ("pause", "damage")

    def cut(self) -> None:
        """Reset both connections."""
        for end in self._ends[UP]:
            if not end.over:
                end.transport.abortConnection()

    def ended(self, end: _End) -> None:
        """One of the connections has ended: the other does, when it has the rest."""
        way = UP if end is self._ends[UP][0] else DOWN
        if way == UP:
            self.ended_at = self._reactor.seconds()
        if not self._waiting[way] and not self._stalled:
            self._ends[way][1].transport.loseConnection()

    @property
    def over(self) -> bool:
        """Whether both have ended."""
        return all(end.over for end in self._ends[UP])


class Proxy(Factory):
    """
    The relay.

    Args:
        reactor: Where it lives.
        target: The port of the server.

    Attributes:
        weather: What happens to connections that come from now on.
        forecast: What happens to the next ones instead, one after the other.
        lines: Those that there were.
    """

    noisy = False

    def __init__(self, reactor: Any, target: int) -> None:
        self._reactor = reactor
        self._server = clientFromString(reactor, f"tcp:127.0.0.1:{target}:bindAddress={SOURCE}")
        self._port: Any = None
        self.weather = Weather()
        self.forecast: Iterator[Weather] = iter(())
        self.lines: list[_Line] = []

    async def start(self) -> None:
        """Listen."""
        where = serverFromString(self._reactor, "tcp:0:interface=127.0.0.1:backlog=1000")
        self._port = await where.listen(self)

    @property
    def port(self) -> int:
        """Where clients go."""
        return int(self._port.getHost().port)

    @property
    def endpoint(self) -> str:
        """The same, as `txremote.connect` takes it."""
        return f"tcp:127.0.0.1:{self.port}"

    def buildProtocol(self, addr: Any) -> _End:
        """Take a client, and dial the server for it."""
        client, weather = _End(), next(self.forecast, self.weather)

        def joined(server: Any) -> None:
            self.lines.append(_Line(self._reactor, weather, client, server))

        dialled = self._server.connect(Factory.forProtocol(_End))
        dialled.addCallbacks(joined, lambda _failure: client.transport.abortConnection())
        return client

    def cut(self) -> None:
        """Reset all connections that are open."""
        for line in self.lines:
            line.cut()

    async def stop(self) -> None:
        """Reset what is still open, and listen no more."""
        await self._port.stopListening()
        while not all(line.over for line in self.lines):
            self.cut()
            await self.turn()

    def turn(self, seconds: float = 0.001) -> Deferred[None]:
        """Let time pass."""
        waiting: Deferred[None] = deferLater(self._reactor, seconds)
        return waiting


@asynccontextmanager
async def bad_network(target: int, **weather: Any) -> AsyncIterator[Proxy]:
    """Give a relay to a port, with this weather to begin with."""
    from twisted.internet import reactor

    proxy = Proxy(reactor, target)
    proxy.weather = Weather(**weather)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()

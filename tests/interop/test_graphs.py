"""
Calls that use results of others, over sockets: with every kind of server the same answers, and with
our own in one round trip.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import pytest
import pytest_twisted
import rpyc
from hypothesis import Phase, given, settings
from rpyc.utils.server import ThreadedServer
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols import portforward

from tests.call_graphs import Boxes, Node, at_once, graphs, step_by_step
from tests.net.servers import LOOPBACK, endpoint_of, joined, listening, served, until
from txremote import Service, connect


class OwnBoxes(Boxes, Service):
    """As they are, some of them late."""

    async def exposed_box(self, number: Any) -> Any:
        from twisted.internet import reactor

        await deferLater(reactor, 0)
        return super().exposed_box(number)


class LaneBoxes(Boxes, Service):
    """As they are, in a thread for each connection."""


class StockBoxes(Boxes, rpyc.Service):  # type: ignore[misc]  # rpyc has no types
    pass


class Front(Service):
    """Gives its clients the root of another server."""

    inner: Any = None

    def exposed_root(self) -> Any:
        return self.inner


def some_graphs(count: int) -> list[list[Node]]:
    """Return graphs, always the same."""
    found: list[list[Node]] = []

    @settings(max_examples=count, derandomize=True, database=None, phases=[Phase.generate])
    @given(graphs)
    def collect(graph: list[Node]) -> None:
        found.append(graph)

    collect()
    return found


@asynccontextmanager
async def reactor_server() -> AsyncIterator[Any]:
    async with joined(OwnBoxes) as conn:
        yield conn.root, [conn]


@asynccontextmanager
async def lane_server() -> AsyncIterator[Any]:
    async with joined(LaneBoxes, threaded_service=True) as conn:
        yield conn.root, [conn]


@asynccontextmanager
async def third_server() -> AsyncIterator[Any]:
    async with joined(OwnBoxes) as behind, joined(Front) as conn:
        Front.inner = behind.root
        try:
            yield await conn.root.root(), [conn, behind]
        finally:
            Front.inner = None


@asynccontextmanager
async def stock_server() -> AsyncIterator[Any]:
    server = ThreadedServer(StockBoxes, hostname="127.0.0.1", port=0)
    server._listen()  # else it might be dialled before
    serving = threading.Thread(target=server.start)
    serving.start()
    conn = await connect(f"tcp:127.0.0.1:{server.port}")
    try:
        yield conn.root, []
    finally:
        await conn.close()
        await deferToThread(server.close)
        await deferToThread(serving.join, 20)


def _is_clean(conn: Any) -> bool:
    """Tell whether a connection has no call under way and keeps no result."""
    gc.collect()
    graphs_of = conn.outbound.graphs()
    kept = conn.inbound._kept
    is_empty = kept is None or not (kept.results or kept.waiting)
    return not graphs_of.kept and is_empty and not len(conn.outbound.pending) and not conn.inbound


@pytest.mark.parametrize("server", [reactor_server, lane_server, third_server, stock_server])
@pytest_twisted.ensureDeferred
async def test_graphs_give_what_their_calls_give_step_by_step(server: Any) -> None:
    outcomes = set()
    async with server() as (root, conns):
        for graph in some_graphs(40):
            found = await at_once(root, graph)
            assert found == await step_by_step(root, graph), graph
            outcomes |= {type(each).__name__ for each in found}
        for conn in conns:
            await until(lambda conn=conn: _is_clean(conn))
    assert {"tuple", "str", "list"} <= outcomes  # it was not all errors


class _Slow:
    """Notes which way bytes go, and lets them wait."""

    def dataReceived(self, data: bytes) -> None:
        from twisted.internet import reactor

        self.factory.ways.append(self.way)  # type: ignore[attr-defined]
        reactor.callLater(0.05, self.peer.transport.write, data)  # type: ignore[attr-defined]


class _ToServer(_Slow, portforward.ProxyClient):  # type: ignore[misc]
    way = "down"


class _ToServerFactory(portforward.ProxyClientFactory):  # type: ignore[misc]
    protocol = _ToServer

    def setServer(self, server: Any) -> None:
        super().setServer(server)
        self.ways = server.factory.ways


class _ToClient(_Slow, portforward.ProxyServer):  # type: ignore[misc]
    way = "up"
    clientProtocolFactory = _ToServerFactory


class _Relay(portforward.ProxyFactory):  # type: ignore[misc]
    protocol = _ToClient

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port)
        self.ways: list[str] = []


async def _five(root: Any) -> Any:
    return await root.echo(root.box(2).double().double(), 1).callRemote("__getitem__", 1)


async def _six_of_a_chain(root: Any) -> Any:
    return await root.box(2).double().double().double().itself().number


@pytest_twisted.ensureDeferred
async def test_calls_that_use_each_other_take_one_round_trip_through_a_slow_relay() -> None:
    async with served(OwnBoxes, LOOPBACK) as port:
        relay: Any = _Relay(port.getHost().port)
        async with listening(relay) as between:
            conn = await connect(endpoint_of(between))
            await deferLater(conn.executor.loop, 0.2)
            relay.ways.clear()
            assert await _six_of_a_chain(conn.root) == 16
            assert [way for way, _same in groupby(relay.ways)] == ["up", "down"]
            await conn.close()

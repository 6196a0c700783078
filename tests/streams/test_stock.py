"""
Streams and stock RPyC, which knows none: it pulls the same items, and its iterators are read alike.
"""

from __future__ import annotations

import asyncio
import gc
import io
import itertools
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import pytest_twisted
import rpyc as stock
import rpyc.utils.server as stock_server

import txremote.blocking
from tests.blocking.script_threads import run_script, wait_until
from tests.net.servers import DEADLINE, served
from tests.streams.flows import ITEMS, Fountain, Origin, Readings, ThreadedFountain
from txremote import aio, connect, stream_into

KINDS = list(ITEMS)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have fewer items: RPyC asks for each, and waits for Nagle's algorithm in between."""
    for kind in ("plain", "asynchronous"):
        monkeypatch.setitem(ITEMS, kind, ITEMS[kind][:25])


class StockSink(stock.Service):  # type: ignore[misc]  # rpyc has no types
    """Reads a client's streams, and gives what RPyC has for one."""

    def __init__(self) -> None:
        self.readings = Readings()

    def exposed_take(self, kind: str, flow: Any) -> bool:
        return self.readings.read_here(kind, lambda: flow)

    def exposed_first(self, flow: Any, most: int) -> int:
        return sum(1 for _item in itertools.islice(flow, most))

    def exposed_give(self, kind: str) -> Iterator[Any]:
        yield from ([b"".join(ITEMS["file"])] if kind == "pipe" else ITEMS[kind])


@contextmanager
def stock_sink() -> Iterator[tuple[int, StockSink]]:
    """Give the port of a stock server in a thread, and its service."""
    sink = StockSink()
    server = stock_server.ThreadedServer(sink, hostname="127.0.0.1", port=0)
    server._listen()
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    try:
        yield server.port, sink
    finally:
        server.close()
        thread.join(DEADLINE)


class Given:
    """A client gives streams to a stock server, and reads its iterators."""

    def __init__(self) -> None:
        self.origin = Origin()
        self.readings = Readings()

    async def later(self, root: Any) -> None:
        """Give and read in a coroutine."""
        for kind in KINDS:
            assert await root.take(kind, self.origin.made(kind))
            await self.readings.read(kind, root.give(kind))
        for kind in ("plain", "asynchronous"):
            assert await root.first(self.origin.made(kind), 15) == 15
        copy = io.BytesIO()
        await stream_into(root.give("file"), copy)
        assert copy.getvalue() == b"".join(ITEMS["file"])

    def here(self, conn: Any) -> None:
        """Give and read in a script."""
        for kind in KINDS:
            assert conn.root.take(kind, self.origin.made(kind))
            self.readings.read_here(kind, lambda kind=kind: conn.root.give(kind))
        for kind in ("plain", "asynchronous"):
            assert conn.root.first(self.origin.made(kind), 15) == 15
        copy = io.BytesIO()
        txremote.blocking.stream_into(conn.root.give("file"), copy)
        assert copy.getvalue() == b"".join(ITEMS["file"])

    def check(self, sink: StockSink) -> None:
        """Check that all came, both ways, and that all sources have ended."""
        gc.collect()
        assert sink.readings.check(()) == self.readings.check(()) == len(KINDS)
        assert self.origin.left == {}


@pytest.mark.parametrize("client", ["reactor", "script", "aio"])
@pytest_twisted.ensureDeferred
async def test_a_stock_server_pulls_a_clients_streams_and_its_iterators_are_read(
    client: str,
) -> None:
    given = Given()
    with stock_sink() as (port, sink):
        if client == "reactor":
            conn = await connect(f"tcp:127.0.0.1:{port}", timeout=DEADLINE)
            await given.later(conn.root)
            await conn.close()
        elif client == "script":

            def script() -> None:
                with closing(txremote.blocking.connect("127.0.0.1", port)) as conn:
                    given.here(conn)

            await run_script(script)
        else:

            async def main() -> None:
                async with aio.connect("127.0.0.1", port) as conn:
                    await given.later(conn.root)

            await run_script(lambda: asyncio.run(main()))
        await run_script(wait_until, lambda: not given.origin.left)
        given.check(sink)


@pytest.mark.parametrize("root", [Fountain, ThreadedFountain])
@pytest_twisted.ensureDeferred
async def test_stock_clients_pull_many_streams_at_once_and_leave_some(root: Any) -> None:
    fountain = root()

    def script() -> None:
        readings = Readings()
        with closing(stock.connect("127.0.0.1", port.getHost().port)) as conn:
            for kind in KINDS:
                assert readings.read_here(kind, lambda kind=kind: conn.root.give(kind))
            assert readings.check(()) == len(KINDS)
            flows = [iter(conn.root.give("plain")) for _ in range(100)]
            for wanted in ITEMS["plain"][:3]:
                assert [next(flow) for flow in flows] == [wanted] * 100
            del flows
            conn.ping()
            wait_until(lambda: not fountain.origin.left)
            left = [conn.root.give(kind) for kind in KINDS]
            assert [next(iter(flow)) for flow in left[:2]] == [ITEMS[k][0] for k in KINDS[:2]]
        wait_until(lambda: not fountain.origin.left)

    async with served(fountain) as port:
        await run_script(script)

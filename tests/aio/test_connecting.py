"""`txremote.aio.connect`."""

from __future__ import annotations

import asyncio
import gc
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.aio.loops import LOOPS, Counter, run_in
from txremote.aio import connect, connecting, listen
from txremote.aio.loop import AsyncioLoop


@pytest.mark.parametrize("kind", LOOPS)
def test_a_server_is_named_in_many_ways(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with listen("tcp:0:interface=127.0.0.1", Counter) as server:
            port = server.port
            for name in (f"127.0.0.1:{port}", f"tcp:localhost:{port}", server.address):
                async with connect(name) as conn:
                    assert await conn.root.add(1, 2) == 3
            assert port is not None
            conn = await connect("localhost", port)
            assert await conn.root.twice(lambda value: value + 1, 40) == 42
            with pytest.raises(KeyError):
                await conn.root.fail()
            await conn.close()
            assert conn.closed
        path = tmp_path / "socket"
        async with listen(f"unix:{path}", Counter) as server, connect(server.address) as conn:
            assert await conn.root.add("a", "b") == "ab"
        assert list(tmp_path.iterdir()) == []

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_nobody_there_is_an_error(kind: str) -> None:
    async def main() -> None:
        async with listen("localhost:0", Counter) as server:
            port = server.port
        assert port is not None
        with pytest.raises(ConnectionRefusedError):
            await connect("127.0.0.1", port)

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_a_socket_or_streams_that_are_there_already(kind: str) -> None:
    async def main() -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            async with listen(root=Counter, sock=bound) as server:
                assert server.port == port
                made = socket.create_connection(("127.0.0.1", port))
                async with connect(sock=made) as conn:
                    assert await conn.root.add(1, 2) == 3
                assert made.fileno() == -1
                streams = await asyncio.open_connection("127.0.0.1", port)
                async with connect(stream=streams) as conn:
                    del streams
                    gc.collect()
                    assert await conn.root.add(b"x" * 9_000_000, b"y") == b"x" * 9_000_000 + b"y"
                with pytest.raises(TypeError, match="one of these"):
                    await connect("localhost", port, sock=made)

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_a_connection_that_comes_as_its_task_is_cancelled_is_closed(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[asyncio.Task[object]] = []
    by_reactor = connecting.connect_by

    def cancelled(*args: Any, **words: Any) -> Any:
        def cancel(connection: object) -> object:
            assert tasks.pop().cancel()
            return connection

        return by_reactor(*args, **words).addCallback(cancel)

    monkeypatch.setattr(connecting, "connect_by", cancelled)

    async def main() -> None:
        async with listen("localhost:0", Counter) as server:
            tasks.append(task := asyncio.create_task(open_one(server.address)))
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(20):
                while server.connections or AsyncioLoop.current().transports:
                    await asyncio.sleep(0.001)

    async def open_one(name: str) -> object:
        return await connect(name)

    run_in(kind, main)

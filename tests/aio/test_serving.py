"""`txremote.aio.listen` and its `Server`."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys

import pytest

from tests.aio.loops import LOOPS, Counter, run_in
from txremote.aio import connect, listen


@pytest.mark.parametrize("kind", LOOPS)
def test_a_server_tells_where_it_is_and_closes_all(kind: str) -> None:
    async def main() -> None:
        server = await listen("localhost:0", Counter)
        assert server.address == f"127.0.0.1:{server.port}"
        conn = await connect(server.address)
        assert len(server.connections) == 1
        serving = asyncio.ensure_future(server.serve_forever())
        ended = conn.when_disconnected()
        await server.close()
        await asyncio.wait_for(serving, 10)
        await asyncio.wait_for(ended.asFuture(asyncio.get_running_loop()), 10)
        assert (len(server.connections), conn.closed) == (0, True)
        assert "closed" in repr(server)

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_a_close_that_is_cancelled_closes_all(kind: str) -> None:
    """As often as it awaits something, as anyio cancels."""

    async def main() -> None:
        async with listen("localhost:0", Counter) as server:
            conn = await connect(server.address)
            ended = conn.when_disconnected()
            serving = asyncio.ensure_future(server.serve_forever())
            while not serving.done():
                await asyncio.sleep(0)
                serving.cancel()
            await asyncio.wait_for(ended.asFuture(asyncio.get_running_loop()), 10)
            with pytest.raises(ConnectionRefusedError):
                await connect(server.address)

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_clients_that_reset_before_they_are_accepted_leave_nothing(kind: str) -> None:
    troubles: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, what: troubles.append(what))
        async with listen("localhost:0", Counter) as server, connect(server.address) as conn:
            assert await conn.root.add(1, 2) == 3
            before = len(os.listdir("/dev/fd"))
            for _ in range(10):
                with socket.create_connection(("127.0.0.1", server.port)) as made:
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for _ in range(20):  # each accepts, and those that were accepted go on
                assert await conn.root.add(1, 2) == 3
            assert len(os.listdir("/dev/fd")) == before
            assert len(server.connections) == 1

    run_in(kind, main)
    assert troubles == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python has none before 3.12")
def test_exposed_coroutines_run_where_tasks_begin_at_once() -> None:
    async def main() -> int:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]

        async def increment(value: int) -> int:
            await asyncio.sleep(0.001)
            return value + 1

        async with listen("localhost:0", Counter) as server, connect(server.address) as conn:
            found: int = await conn.root.twice(increment, 40)
            return found

    assert run_in("stock", main) == 42

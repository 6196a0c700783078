"""Peers that do not read, or stop to write, and messages that are long, over asyncio."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.aio.loops import LOOPS, Counter, run_in
from txremote import Connection, ConnectionLost
from txremote.aio import connect, listen

MIB = 1 << 20


async def _soon(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", LOOPS)
def test_who_does_not_read_waits_and_past_the_limit_is_disconnected(kind: str) -> None:
    async def main() -> None:
        async with listen("localhost:0", Counter) as server, connect(server.address) as conn:
            calls = unread_calls(conn, 40)
            [served] = server.connections
            await _soon(lambda: served.outbox.pressing)  # it serves no more meanwhile
            read_again(conn)
            assert {len(end) for end in await asyncio.gather(*calls)} == {MIB}
        config = {"max_unsent": 4 * MIB, "pause_unsent": 8 * MIB}
        async with listen("localhost:0", Counter, config=config) as server:
            conn = await connect(server.address)
            await conn.root.add(0, 0)  # its root is there, which it would have to read
            calls = unread_calls(conn, 40)
            await _soon(lambda: not server.connections)
            read_again(conn)
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(ends[-1], ConnectionLost)
            assert all(isinstance(end, (bytes, ConnectionLost)) for end in ends)

    def unread_calls(conn: Connection, count: int) -> list[Any]:
        transport: Any = conn.transport
        transport.pauseProducing()
        transport.resumeProducing = lambda: None  # it would read, since its calls wait for that
        return [conn.root.add(b"x" * MIB, b"") for _ in range(count)]

    def read_again(conn: Connection) -> None:
        transport: Any = conn.transport
        transport.__dict__.pop("resumeProducing", None)
        transport.resumeProducing()

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_a_flood_and_long_messages_arrive(kind: str) -> None:
    async def main() -> None:
        async with listen("localhost:0", Counter) as server, connect(server.address) as conn:
            calls = [conn.root.add(number, 1) for number in range(3000)]
            assert await asyncio.gather(*calls) == list(range(1, 3001))
            long = bytes(range(256)) * (MIB * 48 // 256)
            assert await conn.root.add(long, b"y") == long + b"y"

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_an_abort_waits_for_nothing_and_half_a_connection_is_none(kind: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        config = {"max_unsent": 100 * MIB}
        async with listen("localhost:0", Counter) as server:
            conn: Any = await connect(server.address, config=config)
            [served] = server.connections
            served.stream.pauseProducing()
            call = conn.root.add(b"x" * 40 * MIB, b"")
            ended = served.when_disconnected()
            conn.transport.abortConnection()
            with pytest.raises(ConnectionLost):
                await call
            served.stream.resumeProducing()
            await ended
            half = socket.create_connection(("127.0.0.1", server.port))
            half.sendall(b"\0\0\0\x10\0")
            await _soon(lambda: server.connections)
            half.shutdown(socket.SHUT_WR)
            half.setblocking(False)
            assert await asyncio.wait_for(loop.sock_recv(half, 100), 20) == b""
            half.close()
            await _soon(lambda: not server.connections)

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_ipv6_is_served_and_named(kind: str) -> None:
    async def main() -> None:
        async with listen("[::1]:0", Counter) as server:
            assert server.address == f"[::1]:{server.port}"
            async with connect(server.address) as conn:
                assert await conn.root.add(1, 2) == 3
                assert conn.peer.host == "::1"
            async with connect("::1", server.port) as conn:
                assert await conn.root.add(3, 4) == 7

    run_in(kind, main)

"""`txremote.aio.RemoteClient`."""

from __future__ import annotations

import asyncio

import pytest

from tests.aio.loops import LOOPS, Counter, run_in
from txremote.aio import RemoteClient, listen


@pytest.mark.parametrize("kind", LOOPS)
def test_a_client_is_made_before_its_loop_and_serves_another_later(kind: str) -> None:
    async def first() -> str:
        async with listen("localhost:0", Counter) as server:
            return server.address

    client = RemoteClient(run_in(kind, first), retry_policy=lambda _failures: 0.01)
    assert client.status.state == "stopped"

    async def use() -> None:
        loop = asyncio.get_running_loop()
        async with client:
            async with listen(client._where[0], Counter):
                conn = await client.connected()
                assert await client.root.add(1, 2).asFuture(loop) == 3
                assert client.status.state == "connected"
                gone = conn.when_disconnected()
            await gone.asFuture(loop)
            async with listen(client._where[0], Counter):
                assert await client.root.add(3, 4).asFuture(loop) == 7
        assert client.status.state == "stopped"

    run_in(kind, use)
    run_in(kind, use)

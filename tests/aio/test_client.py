"""`txremote.aio.RemoteClient`."""

from __future__ import annotations

import asyncio
from typing import Any

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


def test_a_client_is_of_one_loop_at_a_time() -> None:
    """Until that loop is closed another one is refused, and the client goes on."""
    client = RemoteClient("localhost:1", retry_policy=lambda _failures: 1000)

    async def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="belongs to another asyncio loop"):
            _ = client.root
        with pytest.raises(RuntimeError, match="make a RemoteClient for each loop"):
            client.start()

    async def main() -> None:
        async with client:
            await asyncio.to_thread(run_in, "stock", elsewhere)
            assert client.status.state != "stopped"

    run_in("stock", main)

    async def later() -> None:
        assert client.root is not None

    run_in("stock", later)


@pytest.mark.parametrize("option", [{"port": 1}, {"server_hostname": "localhost"}])
def test_options_of_one_server_go_with_no_list(option: dict[str, Any]) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="go with a single server"):
            RemoteClient(["localhost:1", "localhost:2"], **option).start()

    run_in("stock", main)

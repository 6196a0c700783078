"""`txremote.aio.listen` and its `Server`."""

from __future__ import annotations

import asyncio

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

"""`txremote.aio.connect`."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.error import ConnectionRefusedError as Refused

from tests.aio.loops import LOOPS, Counter, here, run_in
from txremote.aio import connect, listen


@pytest.mark.parametrize("kind", LOOPS)
def test_a_server_is_named_in_many_ways(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with listen("tcp:0:interface=127.0.0.1", Counter) as server:
            port = server.port
            for name in (f"127.0.0.1:{port}", f"tcp:localhost:{port}", server.address):
                async with connect(name) as conn:
                    assert await here(conn.root.add(1, 2)) == 3
            assert port is not None
            conn = await connect("localhost", port)
            assert await here(conn.root.twice(lambda value: value + 1, 40)) == 42
            with pytest.raises(KeyError):
                await here(conn.root.fail())
            await here(conn.close())
            assert conn.closed
        path = tmp_path / "socket"
        async with listen(f"unix:{path}", Counter) as server, connect(server.address) as conn:
            assert await here(conn.root.add("a", "b")) == "ab"
        assert list(tmp_path.iterdir()) == []

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_nobody_there_is_an_error(kind: str) -> None:
    async def main() -> None:
        async with listen("localhost:0", Counter) as server:
            port = server.port
        assert port is not None
        with pytest.raises(Refused):
            await connect("127.0.0.1", port)

    run_in(kind, main)

"""`txremote.aio.ports`: Twisted's ports, with asyncio's transports."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.aio.loops import LOOPS, Counter, run_in
from txremote.aio import listen


@pytest.mark.parametrize("kind", LOOPS)
def test_a_port_is_taken_once_and_a_socket_has_its_mode(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with listen("localhost:0", Counter) as server:
            with pytest.raises(OSError, match="in use"):
                await listen(server.address, Counter)
        path = tmp_path / "socket"
        async with listen(f"unix:{path}:mode=600", Counter):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == []

    run_in(kind, main)

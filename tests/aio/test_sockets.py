"""`txremote.aio.sockets`: connecting a factory as Twisted's endpoints do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.protocol import Factory, Protocol

from tests.aio.loops import LOOPS, run_in
from txremote.aio.loop import AsyncioLoop


@pytest.mark.parametrize("kind", LOOPS)
def test_twisteds_endpoints_connect_fail_and_are_cancelled(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        loop = AsyncioLoop.current()
        factory = Factory.forProtocol(Protocol)
        factory.noisy = False
        port = loop.listenTCP(0, factory, interface="127.0.0.1")
        endpoint: Any = TCP4ClientEndpoint(loop, "127.0.0.1", port.getHost().port)
        protocol = await endpoint.connect(factory).asFuture(loop.loop)
        protocol.transport.abortConnection()
        cancelled = endpoint.connect(factory)
        future = cancelled.addErrback(lambda failure: failure.type).asFuture(loop.loop)
        cancelled.cancel()
        assert await future is ConnectingCancelledError
        nobody: Any = UNIXClientEndpoint(loop, str(tmp_path / "nobody"))
        with pytest.raises(ConnectError):
            await nobody.connect(factory).asFuture(loop.loop)
        stopped: Any = port.stopListening()
        await stopped.asFuture(loop.loop)
        await asyncio.sleep(0.01)

    run_in(kind, main)

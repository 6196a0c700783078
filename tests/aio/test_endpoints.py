"""`txremote.aio.endpoints`: what takes the place of Twisted's that install a reactor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, execute
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    clientFromString,
)
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from tests.aio.loops import LOOPS, Counter, here, run_in
from txremote.aio import connect, listen
from txremote.aio.endpoints import HostEndpoint, without_reactor
from txremote.aio.loop import AsyncioLoop


@pytest.mark.parametrize("kind", LOOPS)
def test_a_host_without_an_address_is_an_error(kind: str) -> None:
    async def main() -> None:
        loop = AsyncioLoop.current()
        nowhere: Any = HostEndpoint(loop, "nowhere.invalid", 1)
        with pytest.raises(DNSLookupError, match=r"nowhere\.invalid"):
            await nowhere.connect(Factory.forProtocol(Protocol)).asFuture(loop.loop)

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_a_try_can_be_cancelled(kind: str) -> None:
    async def main() -> None:
        loop = AsyncioLoop.current()
        endpoint: Any = HostEndpoint(loop, "127.0.0.1", 1)
        trying = endpoint.connect(Factory.forProtocol(Protocol))
        trying.cancel()
        with pytest.raises(CancelledError):
            await here(trying)

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_endpoints_of_twisteds_connect(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        loop: Any = AsyncioLoop.current()
        path = str(tmp_path / "socket")
        nobody = UNIXClientEndpoint(loop, str(tmp_path / "nobody"))
        async with (
            listen("localhost:0", Counter) as by_4,
            listen(r"tcp:0:interface=\:\:1", Counter) as by_6,
            listen(f"unix:{path}", Counter),
        ):
            for endpoint in (
                HostnameEndpoint(loop, "localhost", by_4.port),
                TCP4ClientEndpoint(loop, "127.0.0.1", by_4.port),
                TCP6ClientEndpoint(loop, "::1", by_6.port),
                UNIXClientEndpoint(loop, path),
            ):
                async with connect(endpoint) as conn:
                    assert await conn.root.add(1, 2) == 3
        with pytest.raises(FileNotFoundError):
            await connect(nobody)

    run_in(kind, main)


def test_an_endpoint_of_another_kind_says_what_to_do() -> None:
    @implementer(IStreamClientEndpoint)
    class Other:
        def connect(self, protocolFactory: Any) -> Any:
            loop: Any = AsyncioLoop.current()
            return execute(loop.connectTCP, "localhost", 1, protocolFactory, timeout=3)

    async def main() -> None:
        with pytest.raises(NotImplementedError, match="name the server as HOST:PORT"):
            await connect(Other())

    run_in("stock", main)


def test_endpoints_are_replaced_within_others() -> None:
    async def main() -> None:
        loop = AsyncioLoop.current()
        name = "tls:localhost:1:timeout=7:bindAddress=127.0.0.2"
        wrapped: Any = without_reactor(loop, clientFromString(loop, name))
        inner = wrapped._endpoint
        assert isinstance(inner, HostEndpoint)
        assert (inner.timeout, inner.bind) == (7, ("127.0.0.2", 0))
        other: Any = without_reactor(loop, UNIXClientEndpoint(loop, "nowhere", checkPID=True))
        with pytest.raises(ConnectError, match="no server has locked nowhere"):
            await here(other.connect(Factory.forProtocol(Protocol)))

    run_in("stock", main)

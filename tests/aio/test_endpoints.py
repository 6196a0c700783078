"""`txremote.aio.endpoints`: what takes the place of Twisted's that install a reactor."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.endpoints import UNIXClientEndpoint, clientFromString
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.protocol import Factory, Protocol

from tests.aio.loops import LOOPS, here, run_in
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


def test_endpoints_are_replaced_within_others() -> None:
    async def main() -> None:
        loop = AsyncioLoop.current()
        name = "tls:localhost:1:timeout=7:bindAddress=127.0.0.2"
        wrapped: Any = without_reactor(loop, clientFromString(loop, name))
        inner = wrapped._endpoint
        assert isinstance(inner, HostEndpoint)
        assert (inner._timeout, inner._bind) == (7, ("127.0.0.2", 0))
        other: Any = without_reactor(loop, UNIXClientEndpoint(loop, "nowhere", checkPID=True))
        with pytest.raises(ConnectError, match="no server has locked nowhere"):
            await here(other.connect(Factory.forProtocol(Protocol)))

    run_in("stock", main)

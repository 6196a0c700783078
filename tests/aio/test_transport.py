"""`txremote.aio.transport`: asyncio's transports in the shape of Twisted's."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.aio.loops import LOOPS, here, run_in
from txremote.aio.endpoints import HostEndpoint
from txremote.aio.loop import AsyncioLoop


class Note(Protocol):
    """Notes what comes."""

    def __init__(self) -> None:
        self.came = b""
        self.lost: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()

    def dataReceived(self, data: bytes) -> None:
        self.came += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.set_result(reason)


@pytest.mark.parametrize("kind", LOOPS)
def test_bytes_go_out_before_the_end_and_options_are_set(kind: str) -> None:
    async def main() -> None:
        loop = AsyncioLoop.current()
        notes: list[Note] = []

        class Noting(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Note:
                notes.append(Note())
                return notes[-1]

        port = loop.listenTCP(0, Noting(), interface="127.0.0.1")
        number = port.getHost().port
        client: Any = await here(HostEndpoint(loop, "127.0.0.1", number).connect(Noting()))
        transport = client.transport
        verifyObject(ITransport, transport)
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        handle = transport.getHandle()
        assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert transport.getPeer().port == number
        transport.write(b"x" * 5_000_000)
        transport.writeSequence([b"y", b"z"])
        transport.loseConnection()
        transport.write(b"too late")
        assert (await client.lost).type is ConnectionDone
        [server] = [note for note in notes if note is not client]
        assert (await server.lost).type is ConnectionDone
        assert (len(server.came), server.came[-2:]) == (5_000_002, b"yz")
        await here(port.stopListening())

    run_in(kind, main)

"""
The floor of the rows of asyncio: an echo by ``asyncio.Protocol``, with nothing else in it.

Frames have a length in front and are as long as txremote's requests. Nothing is encoded, nothing
is looked up; an answer that is awaited is a future.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import perf_counter
from typing import Any

from benchmarks.peers.work import FRAME, WINDOW, check

LOOP = "asyncio"

_MESSAGE = b"x" * (FRAME - 4)


class Framed(asyncio.Protocol):
    """Frames of four bytes of length and what they are the length of."""

    def __init__(self) -> None:
        self.received: Callable[[bytes], object] = self.send
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self.write = transport.write
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Hand over each frame."""
        if self._rest:
            data = self._rest + data
        start, end = 0, len(data)
        while end - start >= 4:
            stop = start + 4 + int.from_bytes(data[start : start + 4], "big")
            if stop > end:
                break
            self.received(data[start + 4 : stop])
            start = stop
        self._rest = data[start:]

    def send(self, message: bytes) -> None:
        """Send a frame: the server's answer is what it has received."""
        self.write(len(message).to_bytes(4, "big") + message)


class Client:
    """The client."""

    def __init__(self, protocol: Framed) -> None:
        self._protocol = protocol

    async def sequential(self, count: int) -> float:
        """See `benchmarks.rows.aio`."""
        loop, protocol, length = asyncio.get_running_loop(), self._protocol, 0
        start = perf_counter()
        for _ in range(count):
            answer: asyncio.Future[bytes] = loop.create_future()
            protocol.received = answer.set_result
            protocol.send(_MESSAGE)
            length += len(await answer)
        seconds = perf_counter() - start
        check(length, count * len(_MESSAGE))
        return seconds

    async def tasks(self, count: int) -> float:
        """See `benchmarks.rows.aio`: the bare echo has no use for tasks."""
        return await self.pipelined(count)

    async def pipelined(self, count: int) -> float:
        """See `benchmarks.rows.aio`."""
        protocol = self._protocol
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent = received = length = 0

        def answered(message: bytes) -> None:
            nonlocal sent, received, length
            received += 1
            length += len(message)
            if sent < count:
                sent += 1
                protocol.send(_MESSAGE)
            elif received == count:
                done.set_result(None)

        protocol.received = answered
        start = perf_counter()
        for _ in range(min(WINDOW, count)):
            sent += 1
            protocol.send(_MESSAGE)
        await done
        seconds = perf_counter() - start
        check(length, count * len(_MESSAGE))
        return seconds


async def listen() -> int:
    """Serve; return the port."""
    server = await asyncio.get_running_loop().create_server(Framed, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def connect(port: int) -> Client:
    """Return a connected client."""
    _transport, protocol = await asyncio.get_running_loop().create_connection(
        Framed, "127.0.0.1", port
    )
    return Client(protocol)

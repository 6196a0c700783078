"""
Client endpoints that need nothing but the loop.

Twisted's `HostnameEndpoint` makes a `LoopingCall`, which installs a reactor. `HostEndpoint` is
in its place, and does the same: it tries a host's addresses one after the other, beginning with
the next when one has not answered for a moment, and keeps the first that does.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from txremote.aio.sockets import Target, connected_socket, in_twisteds_words, protocol_on

if TYPE_CHECKING:
    from txremote.aio.loop import AsyncioLoop

#: Seconds that an address has to answer before the next is tried as well.
PATIENCE = 0.3


@implementer(IStreamClientEndpoint)
class HostEndpoint:
    """A TCP port of a host."""

    def __init__(
        self,
        reactor: AsyncioLoop,
        host: str,
        port: int,
        timeout: float | None = 30,
        bind: tuple[str, int] | None = None,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout
        self._bind = bind

    def __repr__(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect a factory; cancelling the Deferred ends that."""
        return self._reactor.deferred_of(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                made = await first_connected(self._reactor.loop, await self._targets(), self._bind)
        except OSError as error:  # TimeoutError is one
            raise in_twisteds_words(error) from None
        return await protocol_on(self._reactor, factory, made)

    async def _targets(self) -> list[Target]:
        try:
            found = await self._reactor.loop.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM
            )
        except (socket.gaierror, UnicodeError):
            found = []
        if not found:
            raise DNSLookupError(f"no results for hostname lookup: {self._host}")
        return [Target(family, name) for family, _type, _number, _canonical, name in found]


async def first_connected(
    loop: asyncio.AbstractEventLoop, targets: Sequence[Target], bind: tuple[str, int] | None
) -> socket.socket:
    """Return a socket that is connected to the first of some targets that answers."""
    waiting = list(reversed(targets))
    tries: set[asyncio.Task[socket.socket]] = set()
    error: BaseException = OSError("there is no address")
    try:
        while waiting or tries:
            if waiting:
                tries.add(loop.create_task(connected_socket(loop, waiting.pop(), bind)))
            done, tries = await asyncio.wait(
                tries, timeout=PATIENCE if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for ended in done:
                if ended.exception() is None:
                    return ended.result()
                error = ended.exception() or error
        raise error
    finally:
        for late in tries:
            late.cancel()
            late.add_done_callback(_close_late)


def _close_late(ended: asyncio.Task[socket.socket]) -> None:
    if not ended.cancelled() and ended.exception() is None:
        ended.result().close()


def without_reactor(reactor: AsyncioLoop, endpoint: Any) -> Any:
    """Return a client endpoint, with a `HostEndpoint` for those of Twisted's that name a host."""
    if isinstance(endpoint, (HostnameEndpoint, TCP4ClientEndpoint)):
        named: Any = endpoint
        host = named._host if isinstance(endpoint, TCP4ClientEndpoint) else named._hostText
        bind = named._bindAddress
        if bind is not None and not isinstance(bind, tuple):
            bind = (bind._address or "", bind._port or 0)
        return HostEndpoint(reactor, host, named._port, named._timeout, bind)
    for name in ("_wrappedEndpoint", "_endpoint"):
        inner = getattr(endpoint, name, None)
        if inner is not None:
            setattr(endpoint, name, without_reactor(reactor, inner))
    return endpoint

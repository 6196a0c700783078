"""
Listening between a client and a server: Twisted's port forwarding, with something done on the way.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.protocols import portforward


async def listen_between(reactor: Any, port: int, mixin: type) -> int:
    """
    Lead to a port, and return our own.

    Args:
        mixin: The first base of the protocols of both sides, with a ``dataReceived``.
    """

    class ToServer(mixin, portforward.ProxyClient):  # type: ignore[misc]
        pass

    class ToServerFactory(portforward.ProxyClientFactory):
        noisy = False
        protocol = ToServer

    class ToClient(mixin, portforward.ProxyServer):  # type: ignore[misc]
        clientProtocolFactory = ToServerFactory

    class Between(portforward.ProxyFactory):
        noisy = False
        protocol = ToClient

    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return (await endpoint.listen(Between("127.0.0.1", port))).getHost().port

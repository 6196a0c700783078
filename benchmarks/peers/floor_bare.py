"""
The floor of "connections": a Twisted server whose protocol has nothing in it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol

REACTOR = True


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1", backlog=1000)
    return (await endpoint.listen(Factory.forProtocol(Protocol))).getHost().port

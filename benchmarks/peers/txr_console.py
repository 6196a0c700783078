"""
txremote's line console, as a service of its own.
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers.commands import Talk
from txremote import ConsoleService

REACTOR = True


async def listen(reactor: Any) -> int:
    """
    Start it.

    Returns:
        Its port.
    """
    service = ConsoleService(Talk(), endpoints=["tcp:0:interface=127.0.0.1"], reactor=reactor)
    service.startService()
    port: int = service.ports[0].getHost().port
    return port

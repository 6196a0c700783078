"""
txremote with a `Monitor` that watches the server; the client is that of `benchmarks.peers.txr`.
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers.txr import Bench, connect
from txremote import ServerService
from txremote.monitor import Monitor

__all__ = ["connect", "listen"]

REACTOR = True

_kept: list[Any] = []


async def listen(reactor: Any) -> int:
    """Serve, and watch; return the port."""
    monitor = Monitor(reactor)
    service = ServerService(
        "tcp:0:interface=127.0.0.1:backlog=1000", Bench, config={"max_calls": 100_000}
    )
    monitor.watch_server(service, "bench")
    monitor.startService()
    service.startService()
    _kept.extend((monitor, service))
    port: int = service.ports[0].getHost().port  # type: ignore[attr-defined]
    return port

"""
The admin page of a `fort`: the one that ``twistd txremote --admin`` has. No contestant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint

from txremote import ServerService
from txremote.monitor import Monitor
from txremote.monitor.metrics import exposition
from txremote.monitor.web.service import AdminService
from txremote.monitor.web.tokenfile import TokenFile


class Page:
    """
    The page.

    Args:
        reactor: Where it is.
        token: The path of its token, which is made if it is not there.
        services: What it shows, by name; they have not begun yet.
    """

    def __init__(self, reactor: Any, token: str, services: Mapping[str, ServerService]) -> None:
        monitor = Monitor(reactor)
        for name, service in services.items():
            monitor.watch_server(service, name)
        monitor.startService()
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1", backlog=1000)
        self._admin = AdminService(
            endpoint,
            "tcp:0:interface=127.0.0.1",
            monitor,
            token=TokenFile(token),
            secure=False,
            exposition=exposition,
            reactor=reactor,
        )
        self._admin.startService()
        host: Any = self._admin.ports[0].getHost()
        self.port: int = host.port

    @property
    def clients(self) -> int:
        """How many connections it has."""
        return len(self._admin.site.channels)

    @property
    def watching(self) -> int:
        """How many of them get the news."""
        return len(self._admin.site.streams)

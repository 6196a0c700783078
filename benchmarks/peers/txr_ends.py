"""The two ends of the programs in which txremote serves a service of their own in a reactor."""

from __future__ import annotations

from txremote import RemotePath, RemoteReference, Service, connect, listen


async def port_of(service: type[Service], reactor: object) -> int:
    """Serve on a free port; return it."""
    port = await listen("tcp:0:interface=127.0.0.1:backlog=1000", service, reactor=reactor)
    return port.getHost().port


async def root_at(port: int, reactor: object) -> RemoteReference | RemotePath:
    """Connect to what `port_of` serves; return its root."""
    connection = await connect(f"tcp:127.0.0.1:{port}", reactor=reactor)
    return connection.root

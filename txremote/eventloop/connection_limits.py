"""How many connections a listener takes: altogether, of one address, without a login."""

from __future__ import annotations

import ipaddress
from collections import Counter

from txremote.config import ConnectionConfig
from txremote.peer.connection import Connection


class ConnectionLimits:
    """
    Counts the connections of a listener, and says when there is no room for another.

    Each is kept with the host it was counted under: behind a proxy, its peer's address
    changes meanwhile.
    """

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self.connections: dict[Connection, str | None] = {}
        self.hosts: Counter[str | None] = Counter()
        #: Those that have still to log in.
        self.without_login: dict[Connection, str | None] = {}

    def refusal(self, host: str | None) -> str | None:
        """Return why a host may not have another connection now; None if it may."""
        config = self._config
        if len(self.connections) >= config.max_connections:
            return f"{config.max_connections} connections are open (option max_connections)"
        if len(self.without_login) >= config.max_logins:
            return f"{config.max_logins} connections have not logged in (option max_logins)"
        if host is None:
            return None
        half = (config.max_logins + 1) // 2  # one host cannot take all the places, over and over
        if len(self.without_login) >= half and [*self.without_login.values()].count(host) >= half:
            return f"{half} connections of this address have not logged in (option max_logins)"
        if self.hosts[host] >= config.max_per_address:
            return (
                f"{config.max_per_address} connections of this address are open "
                "(option max_per_address)"
            )
        return None

    def add(self, connection: Connection, host: str | None, expects_login: bool) -> None:
        """Count a new connection."""
        self.connections[connection] = host
        self.hosts[host] += 1
        if expects_login:
            self.without_login[connection] = host

    def logged_in(self, connection: Connection) -> None:
        """Note that a connection has logged in."""
        self.without_login.pop(connection, None)

    def remove(self, connection: Connection) -> None:
        """Count a connection no more: it has ended."""
        host = self.connections.pop(connection)
        self.logged_in(connection)
        self.hosts[host] -= 1
        if self.hosts[host] <= 0:
            del self.hosts[host]


def host_of(address: object) -> str | None:
    """
    Return what the addresses of one peer have in common.

    For IPv6 that is the first 64 bits, beneath which one machine can have every address. An
    IPv4 address is itself, also where it is written as one of IPv6. Peers on UNIX sockets
    have None, for nothing distinguishes them.
    """
    host: str | None = getattr(address, "host", None)
    try:
        found = ipaddress.ip_address(str(host))
    except ValueError:  # no address of IP
        return host
    if found.version == 4:
        return host
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), 64), strict=False))

"""
Finding servers by the names of their services, as RPyC does.

A registry is not to be trusted: anybody who reaches it can enter a server. So do not
send a password to a server that was found so, unless it is by TLS that checks the certificate.
"""

from __future__ import annotations

import os
import socket

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.factory import Config, connect
from txremote.blocking.registrars import RegistryClient, TCPRegistryClient, UDPRegistryClient
from txremote.registry.messages import Address
from txremote.registry.urls import VARIABLE, registry_url
from txremote.service import VoidService


class DiscoveryError(Exception):
    """No registry knows the service, or none of its servers can be reached (RPyC's)."""


class ForbiddenError(Exception):
    """A registry does not list its services (RPyC's)."""


def discover(
    service_name: str,
    host: str | None = None,
    registrar: RegistryClient | None = None,
    timeout: float = 2,
) -> tuple[Address, ...]:
    """
    Find the servers of a service (``rpyc.discover``).

    Args:
        service_name: Its name, or an alias; capitals make no difference.
        host: Only servers of this host.
        registrar: The registry's client; None for the registry in ``TXREMOTE_REGISTRY``, or, as
            with RPyC, a broadcast into the local network.
        timeout: Seconds that the registry has, if ``registrar`` is None.

    Returns:
        Pairs of host and port.

    Raises:
        DiscoveryError: There is none.
        WouldBlockReactor: A reactor runs in this thread.
    """
    asked = default_registrar(timeout) if registrar is None else registrar
    found = tuple(asked.discover(service_name))
    if not found:
        raise DiscoveryError(f"no servers exposing {service_name!r} were found")
    if host:
        known = socket.gethostbyname_ex(host)[2]
        found = tuple(each for each in found if each[0] in known)
        if not found:
            raise DiscoveryError(f"no servers exposing {service_name!r} were found on {host}")
    return found


def list_services(
    registrar: RegistryClient | None = None,
    filter_host: str | None = None,
    timeout: float = 2,
) -> tuple[str, ...]:
    """
    Return the names of all services, or those of a host (``rpyc.list_services``).

    Raises:
        ForbiddenError: The registry does not tell.
        WouldBlockReactor: A reactor runs in this thread.
    """
    asked = default_registrar(timeout) if registrar is None else registrar
    found = asked.list(filter_host)
    if found is None:
        raise ForbiddenError("the registry does not allow listing")
    return found


def connect_by_service(
    service_name: str,
    host: str | None = None,
    registrar: RegistryClient | None = None,
    timeout: float = 2,
    service: object = VoidService,
    config: Config = None,
) -> BlockingConnection:
    """
    Connect to the first server of a service that takes the connection
    (``rpyc.connect_by_service``). It is plain TCP; for the arguments see `discover` and `connect`.

    Raises:
        DiscoveryError: There is none.
    """
    found = discover(service_name, host, registrar, timeout)
    for address in found:
        try:
            return connect(*address, service, config)
        except OSError:
            pass
    raise DiscoveryError(f"All services are down: {found}")


def default_registrar(timeout: float) -> RegistryClient:
    """Return the client of the registry in ``TXREMOTE_REGISTRY``, or of any in the local network.
    ValueError: the variable names none of RPyC's kind."""
    if not os.environ.get(VARIABLE):
        return UDPRegistryClient(timeout=timeout)
    url = registry_url(None)
    if url.kind == "udp":
        return UDPRegistryClient(url.host, url.port, timeout, ipv6=":" in url.host)
    if url.kind == "tcp":
        return TCPRegistryClient(url.host, url.port, timeout)
    raise ValueError(
        f"{VARIABLE} is {url}, and RPyC's functions ask a registry of RPyC's kind: give them a "
        "registrar="
    )

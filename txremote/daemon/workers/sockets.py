"""
The sockets that a supervisor opens, and that its workers inherit: `OpenSockets`.

They listen from the start to the end, whether workers accept or not, so clients that come while
workers are replaced wait in the queue of the socket. The supervisor accepts nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from txremote.daemon.addresses import ListenAddress
from txremote.daemon.problems import ConfigOrigin
from txremote.daemon.resolve import Resolved
from txremote.levels import Logger
from txremote.net.listen import address_of_port, listen_guarded, refusal_of_hosted
from txremote.net.unixsockets import forget
from txremote.service import config_of

_log = Logger("txremote.workers")


class CannotOpen(Exception):
    """A socket cannot be had: where it should be, and the cause."""

    def __init__(self, address: ListenAddress, origin: ConfigOrigin, cause: Exception) -> None:
        super().__init__(address, origin, cause)
        self.address = address
        self.origin = origin
        self.cause = cause


class OpenSockets:
    """
    The sockets of all addresses of a plan.

    Attributes:
        ports: Each with its address's description, in the order of the plan.
    """

    def __init__(self) -> None:
        self.ports: list[tuple[str, IListeningPort]] = []

    def open(self, resolved: Resolved) -> None:
        """Open all. CannotOpen: one cannot be had; those that are open by then are closed."""
        for address, origin, refusal in _addresses(resolved):
            raised: list[Failure] = []
            Deferred.fromCoroutine(self._open(address, refusal)).addErrback(raised.append)
            if raised:
                self.forget()
                cause: Any = raised[0].value
                raise CannotOpen(address, origin, cause) from None

    async def _open(self, address: ListenAddress, refusal: str | None) -> None:
        assert address.endpoint is not None  # it was made when the plan was resolved
        factory = Factory()
        factory.noisy = False
        port: Any = await listen_guarded(address.endpoint, factory, refusal)
        port.stopReading()
        port._shouldShutdown = False  # else it would end for the workers, too
        self.ports.append((address.description, port))
        where = address_of_port(port)
        _log.info("workers serve on {where} ({what})", where=where, what=address.description)

    @property
    def descriptors(self) -> list[int]:
        """Their descriptors, in the order of `ports`."""
        found: list[Any] = [port for _description, port in self.ports]
        return [port.fileno() for port in found]

    def forget(self) -> None:
        """Remove the files of UNIX sockets at once: the process ends, and no reactor will."""
        for _description, port in self.ports:
            forget(port)

    def close(self) -> Deferred[Any]:
        """Close all; fires when that is done."""
        ports, self.ports = self.ports, []
        stopping = [port.stopListening() for _description, port in ports]
        return DeferredList([each for each in stopping if each is not None], consumeErrors=True)


def _addresses(resolved: Resolved) -> Iterator[tuple[ListenAddress, ConfigOrigin, str | None]]:
    """Give each address, with where it was written, and why strangers must not reach it."""
    for console in resolved.consoles:
        for address in console.addresses:
            yield address, console.plan.origin, console.refusal
    for server in resolved.servers:
        refusal = refusal_of_hosted(server.served, config_of(server.served, server.config))
        for address in server.addresses:
            yield address, server.plan.origin, refusal

"""
Clients of RPyC's registry for scripts: RPyC's names and meaning.

A question blocks for up to ``timeout`` seconds, so none is asked in a reactor's thread. Answers
are decoded within the limits of `txremote.registry.messages`; a datagram that is no
answer is passed over, as one of a stranger.
"""

from __future__ import annotations

import logging
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeVar

from txremote.errors import RemoteProtocolError
from txremote.refs.threadguard import refuse_in_reactor
from txremote.registry.messages import (
    MAX_LIST,
    REGISTRY_PORT,
    Address,
    List,
    Query,
    Register,
    Unregister,
    addresses_of,
    encoded,
    is_ok,
    names_of,
)

T = TypeVar("T")


class RegistryClient(ABC):
    """
    A client of a registry (``rpyc.utils.registry.RegistryClient``, a *registrar*).

    Args:
        ip: The registry's address.
        port: Its port.
        timeout: Seconds that it has to answer.
        logger: Where to log what happens.
    """

    #: Seconds between two registrations of a server.
    REREGISTER_INTERVAL = 60

    def __init__(
        self, ip: str, port: int, timeout: float, logger: logging.Logger | None = None
    ) -> None:
        self.ip = ip
        self.port = port
        self.timeout = timeout
        self.logger = self._get_logger() if logger is None else logger

    @abstractmethod
    def _get_logger(self) -> logging.Logger:
        """Return the logger of one that is given none."""

    @abstractmethod
    def _ask(self, message: bytes, interface: str) -> Iterator[bytes]:
        """Send a message from an address of this machine, and give what comes within the time."""

    def discover(self, name: str) -> tuple[Address, ...]:
        """
        Return the addresses of a service, as far as they are known.

        Args:
            name: The service's, or one of its aliases; capitals make no difference.

        Raises:
            WouldBlockReactor: A reactor runs in this thread.
            OSError: The registry cannot be asked. One that does not answer is no error.
        """
        return self._first(encoded(Query(name)), addresses_of, ())

    def list(self, filter_host: str | None = None) -> tuple[str, ...] | None:
        """Return the names of all services, or those of a host; None: the registry does not tell.
        Raises as `discover` does."""
        nothing: tuple[str, ...] | None = ()
        return self._first(encoded(List(filter_host)), names_of, nothing)

    def register(self, aliases: tuple[str, ...], port: int, interface: str = "") -> bool:
        """
        Register a server that listens on a port of this machine.

        Args:
            aliases: The service's names.
            port: The server's.
            interface: The address that the message is sent from, which the registry takes for
                the server's.

        Returns:
            Whether the registry has acknowledged it. Raises as `discover` does, and ValueError.
        """
        self.logger.info("registering on %s:%s", self.ip, self.port)
        done = self._tell(encoded(Register(tuple(aliases), port)), interface)
        if done:
            self.logger.info("registry %s:%s acknowledged", self.ip, self.port)
        else:
            self.logger.warning("no registry acknowledged")
        return done

    def unregister(self, port: int, interface: str = "") -> None:
        """Take the server on a port out of the registry; see `register`. Nothing is awaited but
        an acknowledgement."""
        self.logger.info("unregistering from %s:%s", self.ip, self.port)
        self._tell(encoded(Unregister(port)), interface)

    def _tell(self, message: bytes, interface: str) -> bool:
        refuse_in_reactor()
        try:
            return any(is_ok(answer) for answer in self._ask(message, interface))
        except OSError as problem:
            self.logger.warning("could not connect to registry: %s", problem)
            return False

    def _first(self, message: bytes, read: Callable[[bytes], T], otherwise: T) -> T:
        refuse_in_reactor()
        for answer in self._ask(message, ""):
            try:
                return read(answer)
            except RemoteProtocolError as problem:
                self.logger.warning("an answer of %s:%s is none: %s", self.ip, self.port, problem)
        return otherwise


class UDPRegistryClient(RegistryClient):
    """
    A registrar by UDP, by a broadcast unless it is told whom to ask
    (``rpyc.UDPRegistryClient``). Of a broadcast the first answer counts.

    Args:
        ip: The registry's address, or a broadcast one.
        port, timeout, logger: As `RegistryClient` has them.
        bcast: Whether the address is a broadcast one; None: if a part of it is 255.
        ipv6: Whether the registry has an address of IPv6.
    """

    def __init__(
        self,
        ip: str = "255.255.255.255",
        port: int = REGISTRY_PORT,
        timeout: float = 2,
        bcast: bool | None = None,
        logger: logging.Logger | None = None,
        ipv6: bool = False,
    ) -> None:
        super().__init__(ip, port, timeout, logger)
        self.sock_family = socket.AF_INET6 if ipv6 else socket.AF_INET
        guessed = "255" in ip.split(".") if bcast is None else bcast
        self.bcast = guessed and not ipv6

    def _get_logger(self) -> logging.Logger:
        return logging.getLogger("REGCLNT/UDP")

    def _ask(self, message: bytes, interface: str) -> Iterator[bytes]:
        with socket.socket(self.sock_family, socket.SOCK_DGRAM) as asking:
            asking.bind((interface, 0))
            if self.bcast:
                asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, True)
                asking.sendto(message, (self.ip, self.port))
            else:
                # a connected one hears nobody else, and is told where nobody listens
                asking.connect((self.ip, self.port))
                asking.send(message)
            end = time.monotonic() + self.timeout
            while (left := end - time.monotonic()) > 0:
                asking.settimeout(left)
                try:
                    yield asking.recv(MAX_LIST)
                except OSError:  # a time-out, or nobody listens
                    return


class TCPRegistryClient(RegistryClient):
    """
    A registrar by TCP (``rpyc.TCPRegistryClient``).

    Args:
        ip: The registry's address, or its host's name.
        port, timeout, logger: As `RegistryClient` has them.
    """

    def __init__(
        self,
        ip: str,
        port: int = REGISTRY_PORT,
        timeout: float = 2,
        logger: logging.Logger | None = None,
    ) -> None:
        super().__init__(ip, port, timeout, logger)

    def _get_logger(self) -> logging.Logger:
        return logging.getLogger("REGCLNT/TCP")

    def _ask(self, message: bytes, interface: str) -> Iterator[bytes]:
        source = (interface, 0) if interface else None
        with socket.create_connection((self.ip, self.port), self.timeout, source) as asking:
            asking.sendall(message)
            heard = b""
            end = time.monotonic() + self.timeout
            while len(heard) <= MAX_LIST and (left := end - time.monotonic()) > 0:
                asking.settimeout(left)
                try:
                    data = asking.recv(MAX_LIST)
                except OSError:  # a time-out, or it was cut off
                    break
                if not data:
                    break
                heard += data
        if heard:
            yield heard

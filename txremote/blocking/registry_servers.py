"""
RPyC's registry servers for a program that has no reactor: ``UDPRegistryServer`` and
``TCPRegistryServer``. Each runs a `PrivateReactor` with a `txremote.registry.serving` in it.
"""

from __future__ import annotations

import logging
import threading

from txremote.blocking.private_reactor import PrivateReactor
from txremote.registry.entries import LEASE
from txremote.registry.messages import REGISTRY_PORT, Address
from txremote.registry.serving import RegistryServer as Registry


class RegistryServer:
    """
    A registry that serves until it is closed (``rpyc.utils.registry.RegistryServer``).

    The port is taken when this is made. `on_service_added` and `on_service_removed` may be
    overridden.

    Args:
        host: The address to listen on: loopback. RPyC's default is every address, ``"0.0.0.0"``.
        port: The port; 0 takes a free one. The attribute has the one that was taken.
        pruning_timeout: Seconds that a server stays listed without a renewal.
        logger: For what happens.
        allow_listing: Whether all names are told.

    Raises:
        CannotListenError: The port is taken.
    """

    _BY = ""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = REGISTRY_PORT,
        pruning_timeout: float | None = None,
        logger: logging.Logger | None = None,
        allow_listing: bool = False,
    ) -> None:
        if not self._BY:
            raise TypeError("make a UDPRegistryServer or a TCPRegistryServer")
        self.pruning_timeout = LEASE if pruning_timeout is None else pruning_timeout
        self._reactor = PrivateReactor()
        self._registry = Registry(
            host,
            port,
            lease=self.pruning_timeout,
            allow_listing=allow_listing,
            by=(self._BY,),
            reactor=self._reactor,
            added=self._added,
            removed=self._removed,
        )
        try:
            self._registry.startService()
        except BaseException:
            self._reactor.dispose()
            raise
        self.port = self._registry.port
        self.active = False
        self._lock = threading.Lock()
        self._is_over = False
        self.logger = logger or logging.getLogger(f"REGSRV/{self._BY.upper()}/{self.port}")

    @property
    def allow_listing(self) -> bool:
        """Whether all names are told."""
        return self._registry.answering.allow_listing

    @allow_listing.setter
    def allow_listing(self, allow: bool) -> None:
        self._registry.answering.allow_listing = allow

    def on_service_added(self, name: str, addrinfo: Address) -> None:
        """Called, in the server's thread, when a server comes, and not when it is renewed."""

    def on_service_removed(self, name: str, addrinfo: Address) -> None:
        """Called when a server leaves, or its lease has ended."""

    def start(self) -> None:
        """
        Serve until `close`, from another thread, or until Ctrl-C.

        Raises:
            ValueError: It was started or closed before.
        """
        with self._lock:
            if self.active or self._is_over:
                raise ValueError("a registry is started once: make another")
            self.active = True
        try:
            self._reactor.run_here()
        finally:
            self.active = False
            self._is_over = True

    def close(self) -> None:
        """Stop serving. Any thread; it does not wait for that."""
        with self._lock:
            if self.active:
                self._reactor.callFromThread(self._shut_down)
                return
            if not self._is_over:
                self._is_over = True
                self._registry.stopService()
                self._reactor.iterate()  # it never ran: ports are closed in a turn of it
                self._reactor.dispose()

    def _shut_down(self) -> None:
        self._registry.stopService().addBoth(lambda _done: self._reactor.stop())

    def _added(self, name: str, address: Address) -> None:
        try:
            self.on_service_added(name, address)
        except Exception:
            self.logger.exception("error executing service add callback")

    def _removed(self, name: str, address: Address) -> None:
        try:
            self.on_service_removed(name, address)
        except Exception:
            self.logger.exception("error executing service remove callback")


class UDPRegistryServer(RegistryServer):
    """A registry by UDP (``rpyc.utils.registry.UDPRegistryServer``)."""

    _BY = "udp"


class TCPRegistryServer(RegistryServer):
    """
    A registry by TCP (``rpyc.utils.registry.TCPRegistryServer``). ``reuse_addr`` is RPyC's, and
    always so.
    """

    _BY = "tcp"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = REGISTRY_PORT,
        pruning_timeout: float | None = None,
        logger: logging.Logger | None = None,
        reuse_addr: bool = True,
        allow_listing: bool = False,
    ) -> None:
        super().__init__(host, port, pruning_timeout, logger, allow_listing)

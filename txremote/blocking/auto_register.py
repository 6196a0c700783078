"""A server's entry in a registry of RPyC's kind, kept by a thread beside it."""

from __future__ import annotations

import logging
import threading
from typing import Protocol


class Registrar(Protocol):
    """The part of a registrar that servers use: ours, RPyC's, or a program's own."""

    @property
    def REREGISTER_INTERVAL(self) -> float:
        """Seconds between two registrations."""

    def register(self, aliases: tuple[str, ...], port: int, interface: str = ...) -> bool:
        """Register a server; tell whether that was acknowledged."""

    def unregister(self, port: int) -> object:
        """Take it out."""


class AutoRegister:
    """
    Keeps a server registered from `begin` to `end`.

    Args:
        registrar: The registry's client, which may block.
        names: The service's.
        port: The server's.
        interface: The address that it listens on.
        logger: For what goes wrong: the server is served without a registry, too.
    """

    #: Seconds until a registration that was not acknowledged is tried again, as with RPyC.
    RETRY = 1.0

    def __init__(
        self,
        registrar: Registrar,
        names: tuple[str, ...],
        port: int,
        interface: str,
        logger: logging.Logger,
    ) -> None:
        self._registrar = registrar
        self._names = names
        self._port = port
        self._interface = interface
        self._logger = logger
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="txremote registrar", daemon=True)

    def begin(self) -> None:
        """Register it, in a thread."""
        self._thread.start()

    def end(self, wait: bool) -> None:
        """
        Take it out. Any thread.

        Args:
            wait: Whether that is awaited, for a bounded time; not in a reactor's thread.
        """
        self._ending.set()
        if wait and self._thread.is_alive() and self._thread is not threading.current_thread():
            # a question that is under way, and the one that takes it out
            self._thread.join(2 * float(getattr(self._registrar, "timeout", 2.0)) + 1)

    def _run(self) -> None:
        while not self._ending.is_set():
            done = False
            try:
                done = self._registrar.register(self._names, self._port, interface=self._interface)
            except Exception:
                self._logger.exception("error registering services")
            self._ending.wait(self._registrar.REREGISTER_INTERVAL if done else self.RETRY)
        try:
            self._registrar.unregister(self._port)
        except Exception:
            self._logger.exception("error unregistering services")

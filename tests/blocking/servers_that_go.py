"""
A server that can be gone and come back, and a clock that stands still. Not a test file.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import txremote.blocking as rpyc
from tests.blocking.script_threads import DEADLINE, stacks
from txremote.blocking.channel import SocketChannel
from txremote.blocking.connection import BlockingConnection
from txremote.blocking.factory import _establish, accept
from txremote.blocking.reconnecting_client import Clock

hanging = threading.Event()  # ends the methods of a service that wait for it
begun: list[object] = []  # for these methods to note their calls


class StillClock(Clock):
    """Goes on by `advance` alone; `asleep` waits until a thread waits for a time on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._until: list[float] = []
        self._sleeping = threading.Condition()
        self._conditions: set[threading.Condition] = set()

    def seconds(self) -> float:
        return self.now

    def wait(self, changed: threading.Condition, seconds: float | None) -> None:
        self._conditions.add(changed)
        until = float("inf") if seconds is None else self.now + seconds
        with self._sleeping:
            self._until.append(until)
            self._sleeping.notify_all()
        if until > self.now:
            changed.wait(DEADLINE)
        with self._sleeping:
            self._until.remove(until)

    def asleep(self, until: float, threads: int = 1) -> None:
        """Wait until a thread sleeps until that time, or some do."""
        with self._sleeping:
            assert self._sleeping.wait_for(
                lambda: sum(abs(each - until) < 1e-6 for each in self._until) >= threads, DEADLINE
            ), f"{self._until}\n{stacks()}"

    def advance(self, seconds: float) -> None:
        """Let some seconds go by."""
        self.now += seconds
        for changed in list(self._conditions):
            with changed:
                changed.notify_all()


class ServerThatGoes:
    """
    A server in a thread for each connection; `dial` connects to it.

    Attributes:
        up: Whether it takes connections.
        dialled: How many tries there were.
    """

    def __init__(self, service: Any, client_service: Any) -> None:
        self.up = True
        self.dialled = 0
        self.remotes: list[BlockingConnection] = []
        self._service = service
        self._client_service = client_service
        self._sockets: list[socket.socket] = []

    def dial(self) -> BlockingConnection:
        """Connect, as a script does."""
        self.dialled += 1
        if not self.up:
            raise ConnectionRefusedError("nothing listens there")
        here, there = socket.socketpair()
        self._sockets.append(there.dup())
        remote = accept(SocketChannel(there), self._service)
        threading.Thread(target=remote.serve_all, name="server", daemon=True).start()
        self.remotes.append(remote)
        return _establish(lambda: SocketChannel(here), self._client_service, None, dialect="6")

    def die(self) -> None:
        """Be gone, with all connections and without a word."""
        self.up = False
        for each in self._sockets:
            each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()
        self.remotes.clear()


@contextmanager
def going(
    service: Any, *, client_service: Any = rpyc.VoidService, **options: Any
) -> Iterator[tuple[rpyc.ReconnectingClient, ServerThatGoes, StillClock]]:
    """
    Give a client, its server, which is up, and its clock; a try is made each second. Methods that
    wait for `hanging` end at the end.
    """
    server, clock = ServerThatGoes(service, client_service), StillClock()
    begun.clear()
    options.setdefault("retry_policy", lambda _failures: 1.0)
    client = rpyc.reconnecting(server.dial, clock=clock, **options)
    try:
        yield client, server, clock
    finally:
        hanging.set()
        hanging.clear()
        client.close()
        server.die()  # else its sockets stay open until they are collected, in some later test

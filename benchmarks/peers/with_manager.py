"""
The standard library's remote objects: a manager of `multiprocessing`, over TCP.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from multiprocessing.managers import BaseManager
from time import perf_counter
from typing import Any

from benchmarks.peers.work import check

_KEY = b"not a secret"


class Bench:
    """The service."""

    def add(self, a: int, b: int) -> int:
        """For "blocking"."""
        return a + b


class Manager(BaseManager):
    """Serves one `Bench`."""


Manager.register("Bench", Bench)


def _no_delay(descriptor: int) -> None:
    with socket.socket(fileno=descriptor) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        finally:
            sock.detach()  # it is the manager's


class Client:
    """The client."""

    def __init__(self, address: tuple[str, int]) -> None:
        manager: Any = Manager(address, _KEY)
        manager.connect()
        self._bench = manager.Bench()
        self._bench.add(0, 0)  # a thread's connection is made at its first call
        _no_delay(self._bench._tls.connection.fileno())

    def blocking(self, count: int) -> float:
        """See `benchmarks.rows.blocking`."""
        bench = self._bench
        total = 0
        start = perf_counter()
        for _ in range(count):
            total += bench.add(1, 2)
        seconds = perf_counter() - start
        check(total, 3 * count)
        return seconds


def serve(ready: Callable[[list[Any]], None]) -> None:
    """Serve."""
    server: Any = Manager(("127.0.0.1", 0), _KEY).get_server()
    _no_delay(server.listener._listener._socket.fileno())  # an accepted socket has it from this
    ready(list(server.address))
    server.serve_forever()


def connect(address: list[Any]) -> Client:
    """Return a connected client."""
    return Client((address[0], address[1]))

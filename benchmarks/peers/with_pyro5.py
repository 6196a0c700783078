"""
Pyro5. What it has in place of calls in flight is a batch: `WINDOW` calls travel
as one message and their answers as another.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import Pyro5.api

from benchmarks.peers.work import WINDOW, check, expected_sum, random_bytes

Pyro5.config.SOCK_NODELAY = True


@Pyro5.api.expose
class Bench:
    """The service."""

    def add(self, a: int, b: int) -> int:
        """For "pipelined" and "blocking"."""
        return a + b

    def echo(self, blob: bytes) -> bytes:
        """For "array": it has none."""
        return blob


class Client:
    """The client."""

    def __init__(self, uri: str) -> None:
        self._proxy = Pyro5.api.Proxy(uri)
        self._proxy._pyroBind()

    def pipelined(self, count: int) -> float:
        """See `benchmarks.rows.pipelined`."""
        total = 0
        start = perf_counter()
        for first in range(0, count, WINDOW):
            batch = Pyro5.api.BatchProxy(self._proxy)
            for number in range(first, min(first + WINDOW, count)):
                batch.add(number, 2)
            total += sum(batch())
        seconds = perf_counter() - start
        check(total, expected_sum(count))
        return seconds

    def blocking(self, count: int) -> float:
        """See `benchmarks.rows.blocking`."""
        proxy = self._proxy
        total = 0
        start = perf_counter()
        for _ in range(count):
            total += proxy.add(1, 2)
        seconds = perf_counter() - start
        check(total, 3 * count)
        return seconds

    def bulk(self, size: int) -> float:
        """See `benchmarks.rows.array`. Its fastest serializer, which is not its default."""
        blob = random_bytes(size)
        self._proxy._pyroSerializer = "marshal"
        start = perf_counter()
        answer = self._proxy.echo(blob)
        seconds = perf_counter() - start
        check(answer, blob)
        return seconds


def serve(ready: Callable[[str], None]) -> None:
    """Serve."""
    daemon = Pyro5.api.Daemon(host="127.0.0.1")
    ready(str(daemon.register(Bench())))
    daemon.requestLoop()


def connect(uri: str) -> Client:
    """Return a connected client."""
    return Client(uri)

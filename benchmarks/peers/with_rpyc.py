"""
RPyC: a ThreadedServer and a plain client, as its documentation has them.

Except for TCP_NODELAY, which an accepted socket has from the one that listens,
nothing is changed from its defaults. What it compresses by default it compresses.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

import rpyc
from rpyc.core.stream import SocketStream
from rpyc.utils.server import ThreadedServer

from benchmarks.peers import work
from benchmarks.peers.work import WINDOW, check, expected_sum, random_bytes


class Thing:
    """A custom object."""

    def __init__(self, number: int) -> None:
        self.exposed_number = number


class Bench(rpyc.Service):
    """The service."""

    def exposed_add(self, a: int, b: int) -> int:
        """For "pipelined", "blocking" and "threaded"."""
        return a + b

    def exposed_echo(self, blob: bytes) -> bytes:
        """For "bulk"."""
        return blob

    def exposed_fire(self, callback: Any, count: int) -> None:
        """For "events": nobody waits for an event's answer."""
        send = rpyc.async_(callback)
        for number in range(count):
            send(number)

    def exposed_subscribe(self, callback: Any) -> None:
        """For "background" and "event"."""
        self._subscriber = rpyc.async_(callback)

    def exposed_fire_later(self, count: int, delay: float) -> None:
        """For "background" and "event": events come when no request is being served."""
        send = self._subscriber

        def fire() -> None:
            for _ in range(count):
                send(perf_counter())

        threading.Timer(delay, fire).start()

    def exposed_make(self, count: int) -> tuple[Thing, ...]:
        """For "objects"."""
        return tuple(map(Thing, range(count)))

    def exposed_numbers(self, count: int) -> Any:
        """For "stream items"."""
        return iter(range(count))


class Client:
    """The client."""

    def __init__(self, port: int) -> None:
        stream = SocketStream.connect("127.0.0.1", port, nodelay=True)
        # the benchmark's own time-outs see to what hangs
        self._conn = rpyc.connect_stream(stream, config={"sync_request_timeout": None})
        self._root = self._conn.root
        self._make = self._root.make  # a round trip of its own, and not what is counted
        self._kept: tuple[Any, ...] = ()

    def pipelined(self, count: int) -> float:
        """See `benchmarks.rows.pipelined`."""
        add = rpyc.async_(self._root.add)
        flying: deque[Any] = deque()
        total = 0
        start = perf_counter()
        for number in range(count):
            if len(flying) == WINDOW:
                total += flying.popleft().value
            flying.append(add(number, 2))
        while flying:
            total += flying.popleft().value
        seconds = perf_counter() - start
        check(total, expected_sum(count))
        return seconds

    def events(self, count: int) -> float:
        """
        See `benchmarks.rows.events`. Waiting for the answer of ``fire`` serves the
        connection in a loop, which is the fastest way RPyC has.
        """
        seen = 0

        def event(_number: int) -> None:
            nonlocal seen
            seen += 1

        start = perf_counter()
        self._root.fire(event, count)
        seconds = perf_counter() - start
        check(seen, count)
        self._root.add(0, 0)  # the server has read the answers to its events
        return seconds

    def stream_items(self, count: int) -> float:
        """See `benchmarks.rows.streams`."""
        total = 0
        start = perf_counter()
        for number in self._root.numbers(count):
            total += number
        seconds = perf_counter() - start
        check(total, count * (count - 1) // 2)
        return seconds

    def blocking(self, count: int) -> float:
        """See `benchmarks.rows.blocking`."""
        return work.blocking(self._conn, count)

    def background(self, count: int) -> float:
        """See `benchmarks.rows.background`."""
        with work.background(self._conn, rpyc.BgServingThread) as (arrivals, fire_later):
            return arrivals.burst(fire_later, count)

    def event(self, count: int) -> float:
        """See `benchmarks.rows.background`."""
        with work.background(self._conn, rpyc.BgServingThread) as (arrivals, fire_later):
            return arrivals.one_by_one(fire_later, count)

    def bulk(self, size: int) -> float:
        """See `benchmarks.rows.bulk`."""
        blob = random_bytes(size)
        start = perf_counter()
        answer = self._root.echo(blob)
        seconds = perf_counter() - start
        check(answer, blob)
        return seconds

    def objects(self, count: int) -> float:
        """See `benchmarks.rows.objects`."""
        start = perf_counter()
        self._kept = self._make(count)
        seconds = perf_counter() - start
        check(len(self._kept), count)
        return seconds

    def drop(self) -> None:
        """Give the objects back."""
        self._kept = ()
        self._root.add(0, 0)


def serve(ready: Callable[[int], None]) -> None:
    """Serve."""
    server = ThreadedServer(Bench, hostname="127.0.0.1", port=0, backlog=1000)
    server.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server._listen()
    ready(server.port)
    while server.active:
        server.accept()


def connect(port: int) -> Client:
    """Return a connected client."""
    return Client(port)

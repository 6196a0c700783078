"""
RPyC where a method reads what the client has: the fields of each item in a list, and a dict.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from time import perf_counter
from typing import Any

import rpyc
from rpyc.core.stream import SocketStream
from rpyc.utils.server import ThreadedServer

from benchmarks.peers.entries import (
    PLAYER,
    PLAYER_TUPLE,
    Entry,
    entries,
    health_of_tuple,
    worth,
)
from benchmarks.peers.work import check


def copied(entry: Any) -> Entry:
    """Return a copy of an entry, field by field."""
    return Entry(entry.number, entry.name, entry.price, entry.sold, entry.shelf)


class Bench(rpyc.Service):
    """The service."""

    def exposed_receive(self, given: Any) -> float:
        """For "records": a request for each field, and one for each chunk of the list."""
        return worth(map(copied, given))

    def exposed_health(self, player: Any) -> object:
        """For "dict argument"."""
        return player["health"]

    def exposed_health_of_tuple(self, player: Any) -> object:
        """For "dict argument", the other half."""
        return health_of_tuple(player)


class Client:
    """The client."""

    def __init__(self, port: int) -> None:
        stream = SocketStream.connect("127.0.0.1", port, nodelay=True)
        config = {"sync_request_timeout": None, "allow_pickle": True, "allow_public_attrs": True}
        self._conn = rpyc.connect_stream(stream, config=config)
        self._root = self._conn.root

    def records(self, count: int, size: int) -> float:
        """See `benchmarks.rows.values`."""
        given = entries(size)
        expected = worth(given)
        start = perf_counter()
        for _ in range(count):
            found = self._root.receive(given)
        seconds = perf_counter() - start
        check(found, expected)
        return seconds

    def calls(self, kind: str, count: int, _window: int) -> float:
        """See `benchmarks.rows.values`. One after the other, whatever the window."""
        method: Any = self._root.health
        player: object = PLAYER
        if kind == "tuple":
            method, player = self._root.health_of_tuple, PLAYER_TUPLE
        start = perf_counter()
        for _ in range(count):
            check(method(player), 80)
        return perf_counter() - start


def serve(ready: Callable[[int], None]) -> None:
    """Serve."""
    serve_class(Bench, ready)


def serve_class(service: type[rpyc.Service], ready: Callable[[int], None]) -> None:
    """Serve a class to clients that allow pickle."""
    config = {"allow_pickle": True}
    server = ThreadedServer(service, hostname="127.0.0.1", port=0, protocol_config=config)
    server.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server._listen()
    ready(server.port)
    while server.active:
        server.accept()


def connect(port: int) -> Client:
    """Return a connected client."""
    return Client(port)

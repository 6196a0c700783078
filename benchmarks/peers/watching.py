"""
What the clients of rows of the console have in common: 20 sockets that watch.

They are plain sockets that only look for the end while the clock runs, so that the
server is what takes time. What they have got is compared afterwards.
"""

from __future__ import annotations

import selectors
import socket
from time import perf_counter

from benchmarks.peers.commands import LINE
from benchmarks.peers.work import PATIENCE, check

#: How many watch.
WATCHERS = 20

#: How many tasks talk, where there are many.
TASKS = 50


class Watcher:
    """
    One client.

    Args:
        port: The server's, on loopback.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._got = bytearray()

    def send(self, line: str) -> None:
        """Type a line."""
        self.socket.sendall(f"{line}\n".encode())

    def read(self) -> None:
        """Take in what is there, or wait until something is."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise EOFError("the server has hung up")
        self._got += data

    def has(self, end: bytes) -> bool:
        """Tell whether what has come ends like this."""
        return self._got.endswith(end)

    def take(self) -> str:
        """Return what has come, with LF at its line ends, and forget it."""
        text = self._got.decode().replace("\r\n", "\n")
        self._got.clear()
        return text

    def until(self, end: str) -> str:
        """Wait for an end, and return what has come."""
        while not self.has(end.encode()):
            self.read()
        return self.take()


def read_all(watchers: list[Watcher], end: bytes) -> None:
    """Read until what each has got ends like this."""
    with selectors.DefaultSelector() as selector:
        for watcher in watchers:
            selector.register(watcher.socket, selectors.EVENT_READ, watcher)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                raise AssertionError(f"{len(selector.get_map())} watch in vain")
            for key, _events in ready:
                key.data.read()
                if key.data.has(end):
                    selector.unregister(key.fileobj)


class Watchers:
    """
    All of them, and one client that gives orders. A subclass knows what to say.

    Args:
        port: The server's.
    """

    #: How it shows that all has come.
    end: bytes

    def __init__(self, port: int) -> None:
        self.boss = Watcher(port)
        self.watchers = [Watcher(port) for _ in range(WATCHERS)]

    def watch(self, tasks: int, count: int) -> None:
        """
        Make tasks ready to put out so many lines each, and have each client watch
        one.
        """
        raise NotImplementedError

    def go(self) -> None:
        """Have the tasks begin."""
        self.boss.send("go")

    def lines_of(self, text: str) -> str:
        """Return the task's lines in what a client has got."""
        return text

    def one_task(self, count: int) -> float:
        """See `benchmarks.rows.console`."""
        return self._measure(1, count)

    def many_tasks(self, count: int) -> float:
        """See `benchmarks.rows.console`."""
        return self._measure(TASKS, count)

    def _measure(self, tasks: int, count: int) -> float:
        self.watch(tasks, count)
        everyone = [*self.watchers, self.boss]
        start = perf_counter()
        self.go()
        read_all(everyone, self.end)
        seconds = perf_counter() - start
        expected = "".join(f"{LINE % number}\n" for number in range(count))
        for watcher in self.watchers:
            check(self.lines_of(watcher.take()), expected)
        self.boss.take()
        return seconds

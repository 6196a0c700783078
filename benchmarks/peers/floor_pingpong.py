"""
The floor of the rows that block: a plain socket and the raw Twisted servers of
`floor_echo` and `floor_fire`.

"blocking": frames as long as txremote's requests, one at a time. Nothing is
encoded and nothing is looked up; the script sends, and sleeps in ``recv``.
"background" and "event": a thread sleeps in ``recv``, and takes frames apart.
"""

from __future__ import annotations

import socket
import struct
import threading
from time import perf_counter

from benchmarks.peers.floor_fire import ASK, EVENT
from benchmarks.peers.work import BLOCKING_FRAME, Arrivals, check

_BODY = b"x" * (BLOCKING_FRAME - 4)
_MESSAGE = struct.pack("!I", len(_BODY)) + _BODY


class Client:
    """The client."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._to: Arrivals | None = None

    def blocking(self, count: int) -> float:
        """See `benchmarks.rows.blocking`."""
        send, receive = self._socket.sendall, self._socket.recv
        length = 0
        start = perf_counter()
        for _ in range(count):
            send(_MESSAGE)
            answer = receive(65536)
            while len(answer) < BLOCKING_FRAME:
                more = receive(65536)
                if not more:
                    raise EOFError("the server has hung up")
                answer += more
            length += len(answer)
        seconds = perf_counter() - start
        check(length, count * BLOCKING_FRAME)
        return seconds

    def background(self, count: int) -> float:
        """See `benchmarks.rows.background`."""
        return self._arrivals().burst(self._fire_later, count)

    def event(self, count: int) -> float:
        """See `benchmarks.rows.background`."""
        return self._arrivals().one_by_one(self._fire_later, count)

    def _arrivals(self) -> Arrivals:
        if self._to is None:
            threading.Thread(target=self._serve, daemon=True).start()
        self._to = Arrivals()
        return self._to

    def _serve(self) -> None:
        size = 4 + EVENT.size
        data = b""
        while more := self._socket.recv(65536):
            data += more
            pos = 0
            while len(data) - pos >= size:
                self._to.event(EVENT.unpack_from(data, pos + 4)[0])
                pos += size
            data = data[pos:]

    def _fire_later(self, count: int, delay: float) -> None:
        self._socket.sendall(struct.pack("!I", ASK.size) + ASK.pack(count, delay))


def connect(port: int) -> Client:
    """Return a connected client."""
    return Client(port)

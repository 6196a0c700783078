"""
Many clients in one process that connect and then say nothing.

They are plain sockets, so that the server is the only thing that differs. Those
of RPyC's wire have asked for the root first, as every client of it does.
"""

from __future__ import annotations

import socket

# A frame of RPyC 6: request 0, GETROOT, no arguments.
_GETROOT = b"\x00\x00\x00\x08\x00" + b"\x01\x11\x50\x11\x53\x11\x51\x02" + b"\n"


class Clients:
    """The sockets."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: list[socket.socket] = []

    def open(self, count: int, handshake: bool) -> None:
        """Connect so many more."""
        for _ in range(count):
            # a server lets in only so many of one address (``max_per_address``)
            source = f"127.0.3.{1 + len(self._sockets) // 1000}"
            client = socket.create_connection(("127.0.0.1", self._port), 30, (source, 0))
            self._sockets.append(client)
            if handshake:
                client.sendall(_GETROOT)
                reply = _read(client, 5)
                reply = _read(client, int.from_bytes(reply[:4], "big") + 1)
                if reply[0] != 2:
                    raise AssertionError("the root was not given")


def _read(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        data = client.recv(size - len(found))
        if not data:
            raise EOFError("the server has hung up")
        found += data
    return found


def connect(port: int) -> Clients:
    """Return the clients, none of them connected yet."""
    return Clients(port)

"""
One end of a real RPyC connection that is connected to nothing.

Its protocol object, its channel and its boxing are the installed RPyC's own.
What it writes is kept, what it is to read is put there by the test, so a test
compares bytes and shapes with RPyC itself and without a socket.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import rpyc
from rpyc.core.channel import Channel
from rpyc.core.protocol import Connection


class MemoryStream:
    """
    What RPyC's channel asks of a stream, over two byte strings.

    Attributes:
        written: What the channel has written.
        to_read: What it will read.
    """

    MAX_IO_CHUNK = 64000

    def __init__(self, to_read: bytes = b"") -> None:
        self.written = b""
        self.to_read = to_read
        self.closed = False

    def write(self, data: bytes) -> None:
        """Keep what the channel writes."""
        self.written += data

    def read(self, count: int) -> bytes:
        """Give the channel what the test has put there."""
        if len(self.to_read) < count:
            raise EOFError("the test has put no more there")
        data, self.to_read = self.to_read[:count], self.to_read[count:]
        return data

    def close(self) -> None:
        """Be closed."""
        self.closed = True

    def fileno(self) -> int:
        """Have no number."""
        raise EOFError("no file")


def stock_frame(payload: bytes) -> bytes:
    """Return a payload as RPyC puts it on the wire, compressed where it does that."""
    stream = MemoryStream()
    Channel(stream).send(payload)
    return stream.written


def stock_payload(frame: bytes) -> bytes:
    """Return what RPyC reads out of a frame."""
    return Channel(MemoryStream(frame)).recv()


@contextlib.contextmanager
def stock_end(**config: Any) -> Iterator[Connection]:
    """Give a real RPyC connection that writes into memory."""
    end = Connection(rpyc.VoidService(), Channel(MemoryStream()), config)
    try:
        yield end
    finally:
        end._cleanup()  # not close(): that would wait for an answer


def written_payload(end: Connection) -> bytes:
    """Return the payload of the one frame that an end has written, and forget it."""
    stream = end._channel.stream
    data, stream.written = stream.written, b""
    return stock_payload(data)

"""
A server of files, in a process of its own. Not a test file: `benchmarks.child` runs it, and its
clients `reactor_reader`, `script_reader` and `aio_reader`.
"""

from __future__ import annotations

import gc
import hashlib
from pathlib import Path
from typing import Any

from txremote import Service, Stream, exposed, listen as serve, stream

REACTOR = True

MIB = 1 << 20


class Files(Service):
    """Any file."""

    @exposed
    def read(self, path: str) -> Stream:
        """Give a file."""
        return stream(Path(path).open("rb"))


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    port: Any = await serve("tcp:0:interface=127.0.0.1", Files, reactor=reactor)
    gc.freeze()
    return int(port.getHost().port)


class Hashing:
    """
    The bytes of a file that have come.

    Args:
        slow: How many bytes a reader takes at 1 MiB/s. It takes all others as they come.
    """

    def __init__(self, slow: int) -> None:
        self._slow = slow
        self._hash = hashlib.sha256()
        self.size = 0

    def take(self, piece: bytes) -> float:
        """Take a piece; return the seconds for which to take no other."""
        self._hash.update(piece)
        self.size += len(piece)
        return len(piece) / MIB if self.size < self._slow else 0

    def result(self) -> str:
        """Return the hash of all."""
        return self._hash.hexdigest()

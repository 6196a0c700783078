"""A client of `file_server` with a reactor. Not a test file."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater

import txremote
from tests.streams.file_server import Hashing

REACTOR = True


class Reader:
    """Reads files."""

    def __init__(self, reactor: Any, root: Any) -> None:
        self._reactor = reactor
        self._root = root

    async def read(self, path: str, slow: int) -> str:
        """Return a file's hash."""
        found = Hashing(slow)
        async for piece in self._root.read(path):
            pause = found.take(piece)
            if pause:
                await deferLater(self._reactor, pause)
        return found.result()


async def connect(reactor: Any, port: int) -> Reader:
    """Connect."""
    return Reader(reactor, (await txremote.connect(f"tcp:127.0.0.1:{port}")).root)

"""A client of `file_server` in a loop of asyncio's. Not a test file."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.streams.file_server import Hashing
from txremote import aio

LOOP = "asyncio"


class Reader:
    """Reads files."""

    def __init__(self, root: Any) -> None:
        self._root = root

    async def read(self, path: str, slow: int) -> str:
        """Return a file's hash."""
        found = Hashing(slow)
        async for piece in self._root.read(path):
            pause = found.take(piece)
            if pause:
                await asyncio.sleep(pause)
        return found.result()


async def connect(port: int) -> Reader:
    """Connect."""
    return Reader((await aio.connect("127.0.0.1", port)).root)

"""A client of `file_server` that is a script. Not a test file."""

from __future__ import annotations

import time
from typing import Any

from tests.streams.file_server import Hashing
from txremote import blocking


class Reader:
    """Reads files."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def read(self, path: str, slow: int) -> str:
        """Return a file's hash."""
        found = Hashing(slow)
        for piece in self._root.read(path):
            time.sleep(found.take(piece))
        return found.result()


def connect(port: int) -> Reader:
    """Connect."""
    return Reader(blocking.connect("127.0.0.1", port).root)

"""Real registries for tests: Redis, and RPyC's own. Not a test file."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.processes import Program, free_port
from txremote.registry.serving import RegistryServer


class Redis:
    """
    A ``redis-server`` on a free port.

    Args:
        folder: Its working directory.
        words: More of its options.

    Attributes:
        url: As a registry's URL.
    """

    def __init__(self, folder: Path, *words: str, password: str = "") -> None:
        self.port = free_port()
        self.url = f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}"
        login = ("--requirepass", password) if password else ()
        self._words = (
            *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", str(folder), *login, *words),
        )
        self._process: Program | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = Program(*self._words)
        self._process.wait_for("Ready to accept connections")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.signal(number)

    def kill(self) -> None:
        """End it at once, without a word to its clients."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Redis:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()


@contextmanager
def stock_registry(*words: str, folder: Path | None = None) -> Iterator[int]:
    """Run RPyC's ``rpyc_registry``, of the RPyC in a folder if one is given; give its port."""
    port = free_port()
    env = {**os.environ, **({"PYTHONPATH": str(folder)} if folder else {})}
    code = "from rpyc.cli.rpyc_registry import main; main()"
    command = [sys.executable, "-c", code, "-p", str(port), *words]
    with Program(*command, env=env) as program:
        program.wait_for("server started on")
        yield port


@asynccontextmanager
async def running_registry(**options: Any) -> AsyncIterator[RegistryServer]:
    """Run ours on a free port of loopback."""
    server = RegistryServer(port=0, **options)
    server.startService()
    try:
        yield server
    finally:
        await server.stopService()

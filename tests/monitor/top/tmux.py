"""A terminal for tests: tmux, with one program in it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pytest

from tests.processes import PATIENCE

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here")


class Terminal:
    """
    A terminal of its own size. Use it in a ``with``: its program is gone afterwards.

    Args:
        words: The program.
        size: Columns and lines.
        env: Variables that the program gets besides those of the terminal.
    """

    def __init__(self, *words: str, size: tuple[int, int] = (80, 24), env: Mapping[str, str]):
        self._folder = tempfile.TemporaryDirectory(prefix="txremote-tmux-")
        self._socket = str(Path(self._folder.name) / "socket")
        columns, lines = map(str, size)
        variables = [f"{name}={value}" for name, value in env.items()]
        line = shlex.join(["env", *variables, *words])
        # what it says last stays to be read
        self._tmux(*("new-session", "-d", "-x", columns, "-y", lines, f"{line}; sleep 60"))

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-f", "/dev/null", "-S", self._socket, *words]
        # readline, which pytest has imported, puts LINES and COLUMNS where only C sees them
        env = dict(os.environ)
        return subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=True, env=env
        ).stdout

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._tmux("kill-server")
        self._folder.cleanup()

    @property
    def shown(self) -> str:
        """What stands on it now."""
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._tmux("send-keys", *keys)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it shows what matches; return the match."""
        until = time.monotonic() + PATIENCE
        while True:
            shown = self.shown
            found = re.search(pattern, shown, re.M | re.S)
            if found is not None:
                return found
            if time.monotonic() > until:
                raise AssertionError(f"no {pattern!r} on the terminal:\n{shown}")
            time.sleep(0.05)

    def wait_until_gone(self, text: str) -> None:
        """Wait until a text stands on it no more."""
        until = time.monotonic() + PATIENCE
        while text in self.shown:
            assert time.monotonic() < until, self.shown
            time.sleep(0.05)

"""Real supervisors with real workers, for tests."""

from __future__ import annotations

import re
import signal
import sys
from typing import Any

import psutil

from tests.interop.peer_processes import TWISTD, Program

SHOP = "tests.daemon.workers.shop.Shop"


class Workers(Program):
    """
    ``twistd -n txremote --workers``, with all workers serving.

    Args:
        *options: More options of txremote.
        count: How many workers.
        before: Words before ``twistd``.
        twistd: Options of twistd.
        listen: Where it listens.
        python: The interpreter.
    """

    def __init__(
        self,
        *options: str,
        count: int = 2,
        before: tuple[str, ...] = (),
        twistd: tuple[str, ...] = (),
        listen: tuple[str, ...] = ("tcp:0:interface=127.0.0.1",),
        env: dict[str, str] | None = None,
        cwd: Any = None,
        python: str = sys.executable,
        service: tuple[str, ...] = ("--service", SHOP),
    ) -> None:
        listens = [word for each in listen for word in ("--listen", each)]
        words = [
            *before,
            python,
            *TWISTD[1:],
            "-n",
            "--pidfile=",
            *twistd,
            "txremote",
            *service,
            *listens,
        ]
        super().__init__([*words, "--workers", str(count), *options], env=env, cwd=cwd)
        try:
            self.wait_for(r"worker \d+ \(process \d+\) serves$", count=count)
            found = self.wait_for(r"workers serve on (\S+) \(", count=max(1, len(listen)))
        except BaseException:
            self.kill()
            raise
        self.places = [match[1] for match in found]

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def place(self) -> str:
        """Where it listens, as `connect` takes it."""
        return self.places[0]

    def worker_pids(self) -> list[int]:
        """Return the processes of its workers that are there."""
        return [each.pid for each in psutil.Process(self.pid).children()]

    def count(self, pattern: str) -> int:
        """Return how many lines match."""
        return sum(re.search(pattern, line) is not None for line in list(self.lines))

    @property
    def rolls(self) -> int:
        """How many times all workers have been replaced."""
        return self.count("the workers are replaced$")

    def roll(self) -> None:
        """Have all workers replaced, and wait for it."""
        done = self.rolls
        self.signal(signal.SIGHUP)
        self.wait_for("the workers are replaced$", count=done + 1, timeout=60)

"""
A Dask cluster for tests: a real scheduler and real workers, on loopback.

Not a test file.
"""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import Any

from tests.processes import Program


class Cluster:
    """
    A scheduler and workers of one thread each. Use it in a ``with``.

    Args:
        folder: For files of its own.
        workers: How many.

    Attributes:
        scheduler: The scheduler's process.
        workers: The workers' processes by their addresses.
        address: The scheduler's.
    """

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self._folder = folder
        self._told = folder / "scheduler.json"
        self._programs: list[Program] = []
        self.workers: dict[str, Program] = {}
        try:
            self.scheduler = self._start("scheduler", "--port", "0", "--no-show")
            self.add_workers(workers)  # they come up while it does
            self.address = str(self.scheduler.wait_for(r"Scheduler at:\s+(\S+)")[1])
        except BaseException:
            self.end()
            raise

    def add_workers(self, count: int) -> None:
        """Start workers, and wait until they are there."""
        options = ("--no-nanny", "--nthreads", "1", "--local-directory", self._folder)
        for worker in [self._start("worker", *options) for _ in range(count)]:
            address = str(worker.wait_for(r"Start worker at:\s+(\S+)")[1])
            self.workers[address] = worker
            self.scheduler.wait_for(f"Starting worker compute stream, {re.escape(address)}")

    def _start(self, command: str, *words: Any) -> Program:
        words = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", self._told, *words)
        program = Program(sys.executable, "-m", f"distributed.cli.dask_{command}", *words)
        self._programs.append(program)
        return program

    def kill_worker(self, address: str) -> None:
        """Kill a worker, as the kernel does when memory runs out."""
        worker = self.workers.pop(address)
        worker.signal(signal.SIGKILL)
        worker.finish()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.end()

    def end(self) -> None:
        """End all of it."""
        for program in reversed(self._programs):
            program.kill()

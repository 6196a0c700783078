"""
plac's own ``Interpreter``, from a plain script. Its tasks in processes need the
start method "fork", and it has none in a reactor; so there are threads only.
"""

from __future__ import annotations

from time import perf_counter

import plac

from benchmarks.peers import commands
from benchmarks.peers.work import check


class Client:
    """The interpreter."""

    def thread_tasks(self, count: int, size: int) -> float:
        """
        See `benchmarks.rows.tasks`. It never forgets a task, so each burst has an
        interpreter of its own.
        """
        start = perf_counter()
        for _ in range(count):
            with plac.Interpreter(commands.InThreads()) as interpreter:
                tasks = []
                for number in range(size):
                    task = interpreter.submit(f"increment {number}")
                    task.run()
                    tasks.append(task)
                total = sum(task.result for task in tasks)
            check(total, size * (size + 1) // 2)
        return perf_counter() - start


def connect() -> Client:
    """Return the client."""
    return Client()

"""
txremote's tasks, given as a console gives them: a line of text each, in a session.

And the floors, which read no line and keep no output: a thread each, Twisted's
`Cooperator`, and `run_async` in the same pool.
"""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator

from benchmarks.peers import commands, jobs, pooling
from txremote import TaskManager, run_async
from txremote.work import pool_from_string

REACTOR = True


class Client:
    """
    A task manager, and a session for each kind of command.

    Args:
        reactor: The reactor.
        processes: A pool of processes.
    """

    def __init__(self, reactor: Any, processes: Any) -> None:
        self._reactor = reactor
        self._processes = processes
        self._cooperator = Cooperator()
        manager = TaskManager(pool=processes, reactor=reactor)
        self._threads = manager.open(commands.InThreads())
        self._turns = manager.open(commands.InTurns())
        self._mp = manager.open(commands.InProcesses())

    # -- tasks

    async def thread_tasks(self, count: int, size: int) -> float:
        """See `benchmarks.rows.tasks`."""
        return await pooling.bursts(lambda n: _run(self._threads, n), count, size)

    async def reactor_tasks(self, count: int, size: int) -> float:
        """See `benchmarks.rows.tasks`."""
        return await pooling.bursts(lambda n: _run(self._turns, n), count, size)

    async def process_tasks(self, count: int, size: int) -> float:
        """See `benchmarks.rows.tasks`."""
        return await pooling.bursts(lambda n: _run(self._mp, n), count, size)

    # -- the floors

    async def plain_thread_tasks(self, count: int, size: int) -> float:
        """See `benchmarks.rows.tasks`."""
        return await pooling.bursts(self._in_thread, count, size)

    def _in_thread(self, number: int) -> Deferred[int]:
        done: Deferred[int] = Deferred()

        def run() -> None:
            (value,) = commands.Increment().increment(number)
            self._reactor.callFromThread(done.callback, value)

        threading.Thread(target=run, daemon=True).start()
        return done

    async def plain_reactor_tasks(self, count: int, size: int) -> float:
        """See `benchmarks.rows.tasks`."""
        return await pooling.bursts(self._in_turns, count, size)

    def _in_turns(self, number: int) -> Deferred[int]:
        found: list[int] = []
        values = map(found.append, commands.Increment().increment(number))
        return self._cooperator.coiterate(values).addCallback(lambda _values: found[0])

    async def plain_process_tasks(self, count: int, size: int) -> float:
        """See `benchmarks.rows.tasks`."""
        return await pooling.bursts(self._in_process, count, size)

    def _in_process(self, number: int) -> Deferred[int]:
        return run_async(jobs.increment, number, pool=self._processes)


def _run(session: Any, number: int) -> Deferred[int]:
    """Run the command as a task."""
    done: Deferred[Any] = session.submit(f"increment {number}").when_done()
    return done.addCallback(lambda task: task.result)


async def connect(reactor: Any) -> Client:
    """Start the pool, and the manager."""
    processes = pool_from_string(f"processes:{pooling.PROCESSES}", reactor)
    await processes.start()
    return Client(reactor, processes)

"""
ampoule, a pool of processes that speak AMP, as it comes: after 500 jobs it replaces
a process by a new one.
"""

from __future__ import annotations

from typing import Any

from ampoule.child import AMPChild
from ampoule.main import ProcessStarter
from ampoule.pool import ProcessPool
from twisted.internet.defer import Deferred
from twisted.protocols import amp

from benchmarks.peers import jobs, pooling

REACTOR = True


class Increment(amp.Command):
    """The one command."""

    arguments = [(b"number", amp.Integer())]
    response = [(b"result", amp.Integer())]


class Worker(AMPChild):
    """What a process of the pool can do."""

    @Increment.responder
    def increment(self, number: int) -> dict[str, int]:
        """For "process pool"."""
        return {"result": jobs.increment(number)}


class Client:
    """The pool."""

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool

    def _submit(self, number: int) -> Deferred[int]:
        return self._pool.doWork(Increment, number=number).addCallback(_result)

    async def processes(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        return await pooling.bursts(self._submit, count, size)


def _result(answer: dict[str, int]) -> int:
    return answer["result"]


async def connect(reactor: Any, **options: int) -> Client:
    """
    Start the pool.

    Args:
        reactor: The reactor; ampoule takes the one there is.
        **options: Of ampoule's pool.
    """
    pool = ProcessPool(
        Worker,
        min=pooling.PROCESSES,
        max=pooling.PROCESSES,
        starter=ProcessStarter(packages=("twisted", "benchmarks")),
        **options,
    )
    await pool.start()
    return Client(pool)

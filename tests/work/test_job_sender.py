"""
Jobs on their way into a process, with values of any size, and their results on the way back.
"""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.work import jobs
from tests.work.child_processes import outcome_of, outcomes_of, running_pool
from txremote import live
from txremote.work.processes import ProcessPool
from txremote.work.worker_protocol import WorkerLimits


class TestValues:
    @pytest_twisted.ensureDeferred
    async def test_a_hundred_megabytes(self) -> None:
        """There and back, and the reactor goes on turning meanwhile."""
        value = os.urandom(1 << 20) * 100
        turns: list[float] = []

        def turn() -> None:
            turns.append(time.monotonic())
            nonlocal call
            call = reactor.callLater(0.01, turn)  # type: ignore[attr-defined]

        async with running_pool() as pool:
            call = reactor.callLater(0, turn)  # type: ignore[attr-defined]
            back = await pool.submit(jobs.same, (value,))
            call.cancel()
        assert back == value
        assert len(turns) > 5

    @pytest.mark.parametrize("size", [0, 99, 100, 101, 1000, 12_345])
    @pytest_twisted.ensureDeferred
    async def test_a_value_in_parts(self, parts: ProcessPool, size: int) -> None:
        """A value that is too large for a frame of the wire is cut and put together again."""
        value = os.urandom(size)
        assert await parts.submit(jobs.same, (value,)) == value
        assert await parts.submit(jobs.length, (value,)) == size
        assert await parts.submit(os.urandom, (size,)) is not None

    @pytest_twisted.ensureDeferred
    async def test_many_values_in_parts(self, parts: ProcessPool) -> None:
        """They are not mixed up, and what is live comes with its own."""
        values = [os.urandom(size) for size in range(0, 2000, 50)]
        got = await outcomes_of([parts.submit(jobs.same, (value,)) for value in values])
        assert got == values
        half = live(lambda value: value[: len(value) // 2])
        got = await outcomes_of([parts.submit(jobs.call, (half, value)) for value in values])
        assert got == [value[: len(value) // 2] for value in values]

    @pytest_twisted.ensureDeferred
    async def test_parts_of_what_cannot_be_sent(self, parts: ProcessPool) -> None:
        """They spoil neither the next job nor the next result."""
        value = os.urandom(1000)
        for job in (
            parts.submit(jobs.same, ([value, live("\ud800")],)),
            parts.submit(jobs.call, (lambda: [value, live("\ud800")],)),
        ):
            assert isinstance(await outcome_of(job), ValueError)
            assert await parts.submit(jobs.same, (value,)) == value

    @pytest_twisted.ensureDeferred
    async def test_both_ways_at_once(self) -> None:
        """Neither side waits for the other to read."""
        async with running_pool() as pool:
            values = [os.urandom(1 << 21) for _ in range(8)]
            assert (
                await outcomes_of([pool.submit(jobs.same, (value,)) for value in values]) == values
            )


@pytest_twisted.async_yield_fixture(scope="module")
async def parts() -> Any:
    async with running_pool(limits=WorkerLimits(grace=0.3, part=100)) as pool:
        yield pool

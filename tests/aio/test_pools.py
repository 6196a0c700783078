"""Tests of work that is done elsewhere in programs that run on asyncio, without a reactor."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.aio.running import NewLoop, each_loop, run, until
from tests.aio.workshop import Desk, InLanes, Workshop
from tests.work import jobs
from txremote import live
from txremote.aio import connect, listen, pool_from_string, run_async, set_default_pool
from txremote.aio.loop import AsyncioLoop
from txremote.console.task_service import TaskService
from txremote.errors import (
    GenericException,
    JobTimeout,
    NotPicklable,
    PoolFull,
    PoolStopped,
    WorkerDied,
    WrongThread,
)

ANYWHERE = "127.0.0.1:0"


class TestAJob:
    @each_loop
    @pytest.mark.parametrize("pool", [None, "threads:2", "processes:1"])
    def test_is_awaited_where_it_was_begun(self, new_loop: NewLoop, pool: str | None) -> None:
        """Its result, its exception, and what its callbacks make of both."""
        caught: list[type[BaseException]] = []

        async def twice(number: int) -> int:
            await asyncio.sleep(0)
            return 2 * number

        async def note(failure: Any) -> str:
            await asyncio.sleep(0)
            caught.append(failure.type)
            return "noted"

        async def main() -> None:
            assert await run_async(jobs.add, 2, 3, pool=pool) == 5
            assert await run_async(lambda: 6, pool=pool, at_return=twice) == 12
            with pytest.raises(TypeError, match="unsupported operand"):
                await run_async(jobs.add, 2, "three", pool=pool)
            assert await run_async(jobs.add, 2, "three", pool=pool, at_err=note) == "noted"
            many = await asyncio.gather(*[run_async(pow, n, 2, pool=pool) for n in range(50)])
            assert many == [n * n for n in range(50)]
            async with asyncio.TaskGroup() as group:
                task = group.create_task(waited(pool))
            assert task.result() == "slow"
            if pool == "processes:1":
                called: list[int] = []
                assert await run_async(jobs.call, live(called.append), 3, pool=pool) is None
                assert await run_async("_return(n * 2)", n=4, pool=pool) == 8
                assert called == [3]

        async def waited(pool: str | None) -> Any:
            return await run_async(jobs.nap, 0.05, "slow", pool=pool)

        run(main, new_loop)
        assert caught == [TypeError]

    @each_loop
    def test_waits_for_room(self, new_loop: NewLoop) -> None:
        """Tasks share the places of a small queue in order, and a task that is cancelled leaves."""
        ended: list[Any] = []

        async def submit(pool: Any, count: int) -> None:
            for number in range(count):
                await pool.room()
                pool.submit(jobs.add, (number, 1)).addBoth(ended.append)

        async def main() -> None:
            pool = pool_from_string("threads:2:queue=3")
            await pool.start()
            gate = threading.Event()
            held = [pool.submit(gate.wait, (20,)) for _ in range(5)]
            tasks = [asyncio.create_task(submit(pool, 100)) for _ in range(4)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await pool.room()
            tasks.pop(0).cancel()
            gate.set()
            await asyncio.gather(*tasks)
            await until(lambda: len(ended) == 300)
            assert sum(ended) == 3 * 5050
            assert [await each for each in held] == [True] * 5
            await pool.stop()

        run(main, new_loop)

    def test_in_a_process_is_ended_when_its_time_is_up_or_its_task_cancelled(
        self, tmp_path: Path
    ) -> None:
        async def begun(name: str, **options: Any) -> Any:
            path = str(tmp_path / name)
            await run_async(jobs.hang, path, "sleep", pool=pool, **options)

        async def main() -> None:
            nonlocal pool
            pool = pool_from_string("processes:1:grace=0.3")
            await pool.start()
            with pytest.raises(JobTimeout, match=r"took longer than 0\.2 s"):
                await begun("timed", proc_timeout=0.2)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(20):
                    task = asyncio.create_task(begun("cancelled"))
                    await until(lambda: (tmp_path / "cancelled").exists())
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    async with asyncio.timeout(0):
                        await begun("never")
            assert await run_async(jobs.add, 1, 1, pool=pool) == 2
            await until(lambda: pool.statistics().workers == 1)
            assert pool.statistics().killed == 2
            assert not (tmp_path / "never").exists()

        pool: Any = None
        run(main, asyncio.new_event_loop)

    def test_whose_process_dies_fails_and_the_next_one_runs(self) -> None:
        async def main() -> None:
            with pytest.raises(WorkerDied, match="SIGSEGV"):
                await run_async(jobs.crash, pool="processes:1")
            with pytest.raises(NotPicklable, match="a lock"):
                await run_async(jobs.same, threading.Lock(), pool="processes:1")
            assert await run_async(jobs.add, 1, 1, pool="processes:1") == 2

        run(main, asyncio.new_event_loop)


class TestAPool:
    def test_is_found_again_and_is_the_default_where_it_is_said(self) -> None:
        async def main() -> None:
            two = pool_from_string("threads:2")
            await two.start()
            assert AsyncioLoop.current().pools.pools == [two]
            set_default_pool(two)
            await run_async(jobs.pid)
            await run_async(jobs.pid, pool="threads:2")
            assert two.statistics().done == 2
            set_default_pool(None)
            await run_async(jobs.pid)
            assert two.statistics().done == 2
            await two.stop()
            with pytest.raises(PoolStopped):
                await run_async(jobs.pid, pool=two)

        run(main, asyncio.new_event_loop)

    def test_takes_no_more_jobs_than_it_may(self) -> None:
        async def main() -> None:
            pool = pool_from_string("threads:1:queue=1")
            await pool.start()
            ended = threading.Event()
            under_way = [run_async(ended.wait, pool=pool) for _ in range(2)]
            with pytest.raises(PoolFull):
                await run_async(jobs.pid, pool=pool)
            ended.set()
            assert await asyncio.gather(*under_way) == [True, True]

        run(main, asyncio.new_event_loop)

    def test_gives_a_job_the_context_of_its_caller(self) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

        async def main() -> None:
            variable.set("the caller's")
            seen: list[str] = []
            assert await run_async(variable.get, at_return=lambda value: seen.append(value)) is None
            assert seen == ["the caller's"]

        run(main, asyncio.new_event_loop)

    def test_is_asked_in_the_loop_s_thread(self) -> None:
        async def main() -> None:
            with pytest.raises(WrongThread, match="run_async is called in"):
                await asyncio.to_thread(run_async, jobs.pid)
            with pytest.raises(WrongThread, match=r"loop\.call_soon_threadsafe"):
                await run_async(run_async, jobs.pid, use_thread=True)

        run(main, asyncio.new_event_loop)

    def test_of_a_loop_that_has_ended_is_refused(self) -> None:
        """Nothing would bring the result."""
        kept: list[Any] = []

        async def make() -> None:
            kept.append(pool_from_string("threads:1"))
            await kept[0].start()

        async def use() -> None:
            with pytest.raises(WrongThread, match="belongs to another event loop"):
                await run_async(jobs.pid, pool=kept[0])

        run(make, asyncio.new_event_loop)
        run(use, asyncio.new_event_loop)
        assert not kept[0].running


@each_loop
class TestAService:
    def test_has_methods_that_run_elsewhere(self, new_loop: NewLoop, tmp_path: Path) -> None:
        seen: list[int] = []

        async def main() -> None:
            async with await listen(ANYWHERE, Workshop) as server:
                async with connect(server.address) as conn:
                    square, pid = await conn.root.compute(7, seen.append)
                    assert (square, seen) == (49, [7])
                    assert pid != os.getpid()
                    assert await conn.root.in_thread(lambda n: n + 1) == (21, False)
                    assert await conn.root.in_coroutine(lambda n: n + 1) == 3
                    path = str(tmp_path / "pid")
                    hanging = asyncio.create_task(_awaited(conn.root.hang(path)))
                    await until(lambda: os.path.exists(path))
                    hanging.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await hanging
                    (pool,) = [
                        pool
                        for pool in AsyncioLoop.current().pools.pools
                        if pool.kind == "processes"
                    ]
                    await until(lambda: pool.statistics().killed == 1)

        run(main, new_loop)

    def test_may_block_in_worker_threads(self, new_loop: NewLoop) -> None:
        async def main() -> None:
            for service in (Workshop, InLanes):
                async with await listen(ANYWHERE, service) as server:
                    async with connect(server.address) as conn:
                        root = conn.root
                        calls = [root.blocking(lambda n: n + 1) for _ in range(20)]
                        assert await asyncio.gather(*calls) == [3] * 20
                        assert await root.in_thread(lambda n: n + 1) == (21, False)
                        assert (await root.compute(7))[0] == 49
                        if service is InLanes:
                            assert await root.in_order(lambda n: -n) == (0, -1, -2)

        run(main, new_loop)

    def test_may_not_block_in_the_loop_s_thread(self, new_loop: NewLoop) -> None:
        async def main() -> None:
            async with await listen(ANYWHERE, Workshop) as server:
                async with connect(server.address) as conn:
                    with pytest.raises(GenericException, match="would stop the loop") as caught:
                        await conn.root.blocks_the_loop(lambda n: n)
                    assert type(caught.value).__name__.endswith("WouldBlockReactor")

        run(main, new_loop)

    def test_has_tasks(self, new_loop: NewLoop) -> None:
        """In turns of the loop, in a thread and in a process."""

        async def main() -> None:
            async with await listen(ANYWHERE, TaskService(Desk)) as server:
                async with connect(server.address) as conn:
                    for line, output in (
                        ("square 7", "49"),
                        ("load 7", "loaded 7"),
                        ("nap 7", "napping 7"),
                        ("compute 7", "computing 7"),
                    ):
                        task = await conn.root.submit(line)
                        assert await task.wait() == "FINISHED"
                        assert (await conn.root.output())[0] == output
                    assert await task.result() not in (None, os.getpid())

        run(main, new_loop)


async def _awaited(call: Any) -> Any:
    return await call

"""The spans of pools' jobs, and their context where the jobs run."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_twisted
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread, deferToThread

from tests.tracing.recorded import Recorder, current_name, recording
from tests.tracing.seen import Seen, fails, seen
from tests.work.declared_jobs import area
from tests.work.doubles import no_running_pools
from tests.work.test_declared import SHEET
from txremote import Service, exposed, offloaded, run_async
from txremote.errors import NotPicklable, PoolStopped
from txremote.testing import connected_pair
from txremote.work.pool import PoolService
from txremote.work.running import set_default_pool
from txremote.work.spec import pool_from_string

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools")


class Worker(Service):
    """Its methods run elsewhere."""

    @exposed
    @offloaded
    def offloaded(self) -> Seen:
        """In the pool that there is."""
        return seen()

    @exposed
    def submitted(self) -> Deferred[Seen]:
        """By hand."""
        return run_async(seen)

    def __getstate__(self) -> None:
        return None


@asynccontextmanager
async def pool(description: str) -> AsyncIterator[PoolService]:
    """Run a pool meanwhile."""
    made: Any = pool_from_string(description, reactor)
    await made.start()
    set_default_pool(made)
    try:
        yield made
    finally:
        set_default_pool(None)
        await made.stop()


def shown(recorder: Recorder, name: str) -> Seen:
    """Return what a job has seen that has run in a span."""
    span = recorder.one("internal", name)
    return span.context.trace_id, span.context.span_id, True


@pytest.mark.parametrize("description", ["threads:1", "processes:1"])
@pytest_twisted.ensureDeferred
async def test_a_job_runs_within_its_span_wherever_that_is(description: str) -> None:
    async with pool(description) as running:
        with recording() as recorder:
            pair = connected_pair(server_root=Worker)
            for method, job in (("offloaded", "Worker.offloaded"), ("submitted", "seen")):
                with recorder.within("main"):
                    call = pair.client.root.callRemote(method)
                found = await _pumped(pair, call)
                assert found == shown(recorder, f"job {job}")
                call_path = f"main / client Worker.{method} / server Worker.{method}"
                assert f"{call_path} / job {job}" in recorder.tree
            span = recorder.one("internal", "job seen")
            assert span.attributes == {"txremote.pool": running.description}
            assert await run_async(area, SHEET) == 7  # it declares what it takes
            outcome = await run_async(fails).addErrback(lambda failure: failure.value)
            assert type(outcome) is ValueError
            assert recorder.one("internal", "job fails").status.status_code is StatusCode.ERROR
        with recording(ALWAYS_OFF) as recorder:
            assert not (await run_async(seen))[2]
        assert await run_async(seen) == (0, 0, False)


async def _pumped(pair: Any, call: Deferred[Any]) -> Any:
    while not call.called:
        pair.pump()
        await deferLater(reactor, 0.001)
    return await call


@pytest_twisted.ensureDeferred
async def test_a_job_from_a_services_thread_is_in_the_thread_s_trace() -> None:
    async with pool("threads:1"):
        with recording() as recorder:

            def in_thread() -> Any:
                with recorder.within("main"):
                    job = Where().name()
                return blockingCallFromThread(reactor, lambda: job)

            assert await deferToThread(in_thread) == "job Where.name"
    assert recorder.tree == ["main", "main / job Where.name"]


class Where:
    """Has a method in a pool, which other threads call."""

    @offloaded
    def name(self) -> str | None:
        """The current span's name."""
        return current_name()


@pytest_twisted.ensureDeferred
async def test_a_span_ends_with_a_job_that_never_runs() -> None:
    async with pool("processes:1") as running:
        with recording() as recorder:
            job = running.submit(seen)
            job.cancel()
            with pytest.raises(CancelledError):
                await job
            with pytest.raises(NotPicklable, match="of the job"):
                await running.submit(threading.Lock().acquire)
            await running.stop()
            with pytest.raises(PoolStopped):
                await running.submit(seen)
        assert len(recorder.spans) == 2

"""
The executor of a reactor's connections: at once, in one thread.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.net.servers import until
from txremote import AsyncResult, WouldBlockReactor, WrongThread
from txremote.eventloop.executor import LoopExecutor
from txremote.peer.variables import Variables


def _executor() -> LoopExecutor:
    from twisted.internet import reactor

    return LoopExecutor(reactor)


class Noted:
    """Work that notes that it ran."""

    ran = 0
    inbound = SimpleNamespace(variables=Variables())

    def run(self) -> None:
        self.ran += 1


def test_requests_run_at_once():
    """No turn of the reactor lies between a request and its method."""
    work = Noted()
    _executor().start(work)
    assert work.ran == 1


def test_results_fire_at_once_and_once():
    """A Deferred that has fired meanwhile, because it was cancelled, is left alone."""
    executor, got = _executor(), []
    deferred: Deferred[int] = Deferred().addCallback(got.append)
    executor.fire(deferred, 1)
    executor.fire(deferred, 2)
    assert got == [1]


@pytest_twisted.ensureDeferred
async def test_only_the_reactors_thread_may_call():
    """Any other is told what to use instead."""
    executor = _executor()
    executor.guard.check()
    with pytest.raises(WrongThread, match="async_"):
        await deferToThread(executor.guard.check)


@pytest_twisted.ensureDeferred
async def test_what_other_threads_submit_runs_in_the_reactors():
    """In its own thread a function runs at once, from any other at its next turn."""
    executor, ran_in = _executor(), []

    def work() -> None:
        ran_in.append(threading.current_thread())

    executor.submit(work)
    assert ran_in == [threading.current_thread()]
    await deferToThread(executor.submit, work)
    await until(lambda: len(ran_in) == 2)
    assert ran_in[1] is threading.current_thread()


@pytest_twisted.ensureDeferred
async def test_waiting_blocks_other_threads_and_is_refused_in_the_reactors():
    """The reactor's own thread could never get what it waits for."""
    executor = _executor()
    deferred: Deferred[str] = Deferred()
    result = AsyncResult(deferred, executor.driver)
    with pytest.raises(WouldBlockReactor):
        result.wait()
    waiting = deferToThread(lambda: result.value)
    deferred.callback("there")
    assert await waiting == "there"


@pytest_twisted.ensureDeferred
async def test_an_expiry_set_in_another_thread_comes():
    """By the reactor's clock; taking it back works from there, too."""
    executor = _executor()
    result = AsyncResult(Deferred(), executor.driver)
    kept = AsyncResult(Deferred(), executor.driver)

    def work() -> None:
        result.set_expiry(0.02)
        kept.set_expiry(0.02)
        kept.set_expiry(None)

    await deferToThread(work)
    await until(lambda: result.expired)
    assert kept.pending

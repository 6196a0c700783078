"""
Another distribution's kind of pool is one file, and all that pools do works with it.
"""

from __future__ import annotations

import operator
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, succeed
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

import twisted.plugins
import txremote
from tests.work import foreign_kind
from tests.work.child_processes import children, outcomes_of, until
from tests.work.doubles import no_running_pools
from txremote import live
from txremote.errors import NotPicklable, PoolFull, PoolStopped
from txremote.interfaces import IPool
from txremote.tasks.keeper import TaskKeeper
from txremote.testing import connected_pair
from txremote.work import pool_from_string

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools", "installed")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kind's file lies in a folder where Twisted looks for plugins."""
    shutil.copy(foreign_kind.__file__, tmp_path / "txremote_interpreter_pool.py")
    monkeypatch.setattr(twisted.plugins, "__path__", [*twisted.plugins.__path__, str(tmp_path)])
    yield


def made() -> Any:
    """Return a pool of the foreign kind, started."""
    pool: Any = pool_from_string("interpreter")
    pool.start()
    return pool


def test_it_is_one_file() -> None:
    """Of less than sixty lines, its plugin included; and it is all of an `IPool`."""
    assert len(Path(foreign_kind.__file__).read_text("utf-8").splitlines()) < 60
    assert verifyObject(IPool, pool_from_string("interpreter"))


@pytest_twisted.ensureDeferred
async def test_it_runs_functions() -> None:
    """By the pool's name, or as an object, with callbacks and statistics."""
    seen: list[Any] = []
    pool = made()
    assert await txremote.run_async(operator.add, 2, 3, pool="interpreter") == 5
    await txremote.run_async(operator.mul, 2, 3, pool=pool, at_return=seen.append)
    await txremote.run_async(operator.truediv, 2, 0, pool=pool, at_err=seen.append)
    assert seen[0] == 6
    assert isinstance(seen[1], Failure)
    assert seen[1].check(ZeroDivisionError)
    figures = pool.statistics()
    assert (figures.workers, figures.busy, figures.queued) == (1, 0, 0)
    assert (figures.done, figures.failed, figures.killed) == (2, 1, 0)


@pytest_twisted.ensureDeferred
async def test_a_source_goes_to_it_without_being_asked() -> None:
    """Its jobs run elsewhere, so it will do. A function goes where the kind is preferred."""
    made()
    assert await txremote.run_async("_return(a + 1)", a=4) == 5
    assert await txremote.run_async(os.getpid) == os.getpid()


@pytest_twisted.ensureDeferred
async def test_no_more_jobs_wait_than_may() -> None:
    """Its queue has an end, though the kind does nothing about that."""
    pool = made()
    jobs = [pool.submit(operator.neg, (number,)) for number in range(5)]
    figures = pool.statistics()
    assert (figures.busy, figures.queued) == (1, 3)
    told = await outcomes_of(jobs)
    assert told[:4] == [0, -1, -2, -3]
    assert isinstance(told[4], PoolFull)
    assert "queue=" in str(told[4])


@pytest_twisted.ensureDeferred
async def test_stopping_ends_its_jobs() -> None:
    """Jobs that run fail, and so do later ones; a job may be cancelled before."""
    before, pool = children(), made()
    cancelled, running = pool.submit(operator.neg, (1,)), pool.submit(operator.neg, (2,))
    cancelled.cancel()
    await pool.stop()
    late = pool.submit(operator.neg, (3,))
    told = await outcomes_of([cancelled, running, late])
    assert [type(each) for each in told] == [CancelledError, PoolStopped, PoolStopped]
    assert "neg: the pool interpreter was stopped" in str(told[1])
    assert pool.statistics().killed == 2
    await until(lambda: children() <= before)  # the kind cannot end them, they end by themselves


def test_process_commands_are_refused_before_there_are_any() -> None:
    """Its jobs cannot call back, and says so when the tasks are set up."""
    with pytest.raises(ValueError, match="those of interpreter cannot: use a pool of processes"):
        TaskKeeper(pool="interpreter")


class OtherPool(Service):  # type: ignore[misc]
    """An `IPool` that derives from nothing of txremote's, and says nothing of calling back."""

    kind = description = "other"
    by_value = True

    def submit(self, function: Any, args: Any = (), kwargs: Any = None, *_more: Any) -> Any:
        return succeed(function(*args, **(kwargs or {})))


@pytest.mark.parametrize("kind", ["interpreter", "other"])
@pytest.mark.parametrize("where", ["argument 1", "argument 'file'", "the function"])
@pytest_twisted.ensureDeferred
async def test_references_are_refused_in_a_sentence(kind: str, where: str) -> None:
    """A job could do nothing with them; all else goes to the pool as ever."""
    pool = made() if kind == "interpreter" else OtherPool()
    function: Any = print
    args: tuple[Any, ...] = (live([]),) if where == "argument 1" else ()
    kwargs: dict[str, Any] = {"file": live([])} if where == "argument 'file'" else {}
    if where == "the function":
        function = connected_pair().client.root.hi
    with pytest.raises(NotPicklable) as caught:
        await txremote.run_async(function, *args, pool=pool, **kwargs)
    assert str(caught.value).startswith(f"{where} of the job ")
    assert f"those of {kind} cannot call back: use a pool of processes" in str(caught.value)
    assert await txremote.run_async(operator.neg, 3, pool=pool) == -3


def test_a_pool_that_says_nothing_of_calling_back_gets_no_process_commands() -> None:
    """Where it is configured."""
    with pytest.raises(ValueError, match="those of other cannot: use a pool of processes"):
        TaskKeeper(pool=OtherPool())

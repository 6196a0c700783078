"""Tests of the loop that code belongs to where it does not say."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.work.doubles import CopyingPool, no_running_pools
from txremote.errors import WrongThread
from txremote.eventloop.executor import LoopExecutor
from txremote.eventloop.worker_pool import WorkerPool
from txremote.work import loops
from txremote.work.loops import asyncio_loop_here, drive_asyncio, loop_here
from txremote.work.pool import PoolService
from txremote.work.run import choose
from txremote.work.running import RunningPools, pools_of, running_pools, set_default_pool

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools")


class Driven:
    """A loop with pools of its own."""

    def __init__(self) -> None:
        self.pools = RunningPools()


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> Driven:
    """The loop that any running asyncio loop is driven as."""
    found = Driven()
    monkeypatch.setattr(loops, "_asyncio_driver", [])
    drive_asyncio(lambda: found)
    return found


async def loop_in_coroutine() -> Any:
    return loop_here("this")


def test_in_a_reactor_it_is_the_reactor(driven: Driven) -> None:
    assert loop_here("this") is reactor
    assert asyncio_loop_here() is None


def test_in_an_asyncio_loop_it_is_what_drives_that(driven: Driven) -> None:
    with asyncio.Runner() as runner:
        assert runner.run(loop_in_coroutine()) is driven


def test_an_asyncio_loop_that_nothing_drives_is_no_reactor_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_asyncio_driver", [])
    with asyncio.Runner() as runner, pytest.raises(RuntimeError, match=r"import txremote\.aio"):
        runner.run(loop_in_coroutine())


@pytest_twisted.ensureDeferred
async def test_a_worker_thread_belongs_to_the_loop_that_it_works_for() -> None:
    workers = WorkerPool()
    loop: Any = Driven()
    loop.callLater = reactor.callLater  # type: ignore[attr-defined]
    LoopExecutor(loop, workers)
    found: list[object] = []
    workers.submit(lambda: found.append(loop_here("this")))
    while not found:
        await deferToThread(lambda: None)
    assert found == [loop]


def test_a_plain_thread_of_an_asyncio_program_belongs_to_none() -> None:
    """No reactor is made there, which would never run, and none is taken that does not run."""
    program = (
        "import sys\n"
        "from txremote.errors import WrongThread\n"
        "from threading import Thread\n"
        "from txremote.work.loops import drive_asyncio, loop_here\n"
        "drive_asyncio(object)\n"
        "def ask():\n"
        "    try:\n"
        "        loop_here('this')\n"
        "    except WrongThread as error:\n"
        "        print(error)\n"
        "ask()\n"
        "assert 'twisted.internet.reactor' not in sys.modules\n"
        "from twisted.internet import reactor\n"
        "thread = Thread(target=ask)\n"
        "thread.start()\n"
        "thread.join()\n"
        "assert loop_here('this') is reactor\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.count("this is called where an event loop runs") == 2


class TestPoolsOfALoop:
    def test_are_its_own(self, driven: Driven) -> None:
        theirs: Any = PoolService(driven, "theirs")  # type: ignore[arg-type]
        set_default_pool(theirs)
        theirs.start = theirs.shared = None
        assert driven.pools.default is theirs
        assert running_pools.default is None
        assert pools_of(driven) is driven.pools
        assert pools_of(reactor) is running_pools

    def test_none_takes_the_default_back_where_it_is_said(self, driven: Driven) -> None:
        ours: Any = CopyingPool()
        set_default_pool(ours)
        driven.pools.default = ours

        async def main() -> None:
            set_default_pool(None)

        with asyncio.Runner() as runner:
            runner.run(main())
        assert driven.pools.default is None
        assert running_pools.default is ours

    def test_are_refused_in_another(self, driven: Driven) -> None:
        """Their jobs would never come back."""
        theirs: Any = PoolService(driven, "theirs")  # type: ignore[arg-type]
        other: Any = Driven()
        for loop in (reactor, other):
            with pytest.raises(WrongThread, match="theirs stopped> belongs to another event loop"):
                choose(loop, theirs)
        assert choose(driven, theirs) is theirs  # type: ignore[arg-type]
        with pytest.raises(WrongThread, match="copies"):
            choose(driven, CopyingPool())  # type: ignore[arg-type]

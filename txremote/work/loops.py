"""
The loop that code runs in, for functions that are not told: `loop_here`.

A program has one reactor, but each of its threads may run an asyncio loop. Pools belong to the
loop that they were made in. `txremote.aio`, a room above this one, says here how a running asyncio
loop is driven.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

from txremote.errors import WrongThread
from txremote.eventloop.reactor import chosen_reactor
from txremote.eventloop.worker_pool import here
from txremote.refs.reactorthread import is_in_reactor, is_reactor_thread, runs_asyncio_alone
from txremote.work.ports import IPoolReactor

_asyncio_driver: list[Callable[[], Any]] = []


def drive_asyncio(current: Callable[[], Any]) -> None:
    """Have running asyncio loops used, each as what a function returns where it runs."""
    _asyncio_driver[:] = [current]


def loop_here(name: str) -> IPoolReactor:
    """
    Return the loop that this code belongs to: the reactor or the asyncio loop that runs in this
    thread, or the one that this worker thread works for; else the program's reactor.

    Args:
        name: The function that needs it, for the errors.

    Raises:
        RuntimeError: an asyncio loop runs here, and `txremote.aio` has not been imported.
        WrongThread: the program uses `txremote.aio` and runs no reactor, and no loop runs here.
    """
    loop: Any = sys.modules.get("twisted.internet.reactor")
    running = loop is not None and loop.running and is_reactor_thread(loop)
    if running and asyncio._get_running_loop() is None:  # nearly always
        return loop  # type: ignore[no-any-return]
    if runs_asyncio_alone():
        if not _asyncio_driver:
            raise RuntimeError(
                f"{name} needs a reactor, and an asyncio loop runs here: import txremote.aio, "
                "which uses the loop"
            )
        loop = _asyncio_driver[0]()
    elif here.loop is not None and not is_in_reactor():
        loop = here.loop
    elif _asyncio_driver and not _reactor_is_to_come():
        raise WrongThread(
            f"{name} is called where an event loop runs: in a coroutine, or in another thread by "
            f"loop.call_soon_threadsafe({name}, ...)"
        )
    else:
        loop = chosen_reactor(None)
    return loop  # type: ignore[no-any-return]


def _reactor_is_to_come() -> bool:
    """Tell whether a reactor runs, or may be run yet: a program is set up in its main thread."""
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        return False
    return reactor.running or threading.current_thread() is threading.main_thread()


def asyncio_loop_here() -> Any:
    """Return what drives the asyncio loop that runs in this thread; None if there is none."""
    return _asyncio_driver[0]() if _asyncio_driver and runs_asyncio_alone() else None

"""What the tests of asyncio programs share: the loops that they run on, and watched processes."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

#: The loops that programs use.
each_loop = pytest.mark.parametrize(
    "new_loop",
    [
        pytest.param(asyncio.new_event_loop, id="asyncio"),
        pytest.param(uvloop.new_event_loop, id="uvloop"),
    ],
)

NewLoop = Callable[[], asyncio.AbstractEventLoop]


def run(main: Any, new_loop: NewLoop) -> Any:
    """Run a coroutine function as `asyncio.run` does it."""
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(main())
    finally:
        # a loop of uvloop's that has started a process leaves the signal without its handler, and
        # the tests' own reactor would not hear of its processes any more
        handler = signal.getsignal(signal.SIGCHLD)
        if callable(handler) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, handler)
            signal.siginterrupt(signal.SIGCHLD, False)  # as Twisted has it


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)

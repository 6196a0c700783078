"""What the tests of asyncio programs share: the loops that they run on, and watched processes."""

from __future__ import annotations

import asyncio
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
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main())


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)

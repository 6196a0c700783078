"""
IPython in a terminal: its loop runs on while the prompt waits, and Ctrl-C cancels a cell.

By itself IPython runs its loop in cells that await, and nowhere else: what a server sends in
between, pings included, is seen in the next such cell, and the server may take this side for dead.
``%gui asyncio`` has the prompt wait in that loop. And a cell that Ctrl-C ends is left behind as a
task that goes on; here it is cancelled, and so is its call at the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from IPython.core.async_helpers import get_asyncio_loop


def run_cell(cell: Coroutine[Any, Any, object]) -> object:
    """Run a cell that awaits, and cancel it if it is interrupted."""
    loop: asyncio.AbstractEventLoop = get_asyncio_loop()
    task = loop.create_task(cell)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
        if not task.cancelled():
            task.exception()  # it is shown in the place of the interrupt, by nobody
        raise


def prepare_terminal(shell: Any) -> Callable[[], object]:
    """
    Have a terminal's IPython do so, if it is one; return a function that undoes it.

    A loop that the user has chosen (``%gui qt``, ``%autoawait trio``) is left alone.
    """
    undo: list[Callable[[], object]] = []
    if getattr(shell, "pt_app", None) is not None and shell.active_eventloop is None:
        shell.enable_gui("asyncio")
        undo.append(lambda: shell.enable_gui(None))
    usual = shell.loop_runner
    if not hasattr(shell, "kernel") and usual is shell.loop_runner_map["asyncio"][0]:
        shell.loop_runner = run_cell
        undo.append(lambda: setattr(shell, "loop_runner", usual))
    return lambda: [each() for each in undo]

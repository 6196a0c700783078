"""
IPython in a terminal: its loop runs on while the prompt waits, and Ctrl-C cancels a cell.

By itself IPython runs its loop in cells that await, and nowhere else: what a server sends in
between, pings included, is seen in the next such cell, and the server may take this side for dead.
``%gui asyncio`` has the prompt wait in that loop. And a cell that Ctrl-C ends is left behind as a
task that goes on; here it is cancelled, and so is its call at the server.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

from IPython.core.async_helpers import get_asyncio_loop


def run_cell(cell: Coroutine[Any, Any, object]) -> object:
    """
    Run a cell that awaits, and cancel it at the first Ctrl-C, as `asyncio.run` does.

    A second one raises KeyboardInterrupt wherever the cell is, which may be code that awaits
    nothing.
    """
    loop: asyncio.AbstractEventLoop = get_asyncio_loop()
    task = loop.create_task(cell)
    interrupts = 0

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1 or task.done():
            raise KeyboardInterrupt
        task.cancel()
        loop.call_soon_threadsafe(lambda: None)  # wakes it

    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler and in_main_thread():
        signal.signal(signal.SIGINT, interrupt)
    try:
        return loop.run_until_complete(task)
    except asyncio.CancelledError:
        if interrupts and not task.uncancel():
            raise KeyboardInterrupt from None
        raise
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, usual)


def in_main_thread() -> bool:
    """Tell whether signals may be handled here."""
    return threading.current_thread() is threading.main_thread()


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

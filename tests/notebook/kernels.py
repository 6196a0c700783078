"""
A notebook's kernel, run as a frontend runs it. Not a test file.

A `Kernel` is a real ipykernel; `Kernel.run` executes a cell and gives a `Cell` with all that the
frontend was sent. Displays are in `Kernel.displays`, for they change outside of cells, too.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
import tempfile
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from tests.processes import PATIENCE, ROOT

_COLOURS = re.compile(r"\x1b\[[\d;]*m")


@dataclass
class Cell:
    """The outputs of a cell."""

    no: int = 0
    results: list[dict[str, str]] = field(default_factory=list)  # by MIME type
    text: str = ""
    error: str = ""  # NAME: MESSAGE
    traceback: str = ""

    @property
    def plain(self) -> str:
        """The text of its only result."""
        assert not self.error, self.traceback
        (only,) = self.results
        return only["text/plain"]

    @property
    def html(self) -> str:
        """The HTML of its only result."""
        assert not self.error, self.traceback
        (only,) = self.results
        return only["text/html"]


class Kernel:
    """
    A kernel that runs. Use it in a ``with``.

    Jupyter's functions that block run in a loop that they keep in a context variable. Each test
    has a context of its own, and would get a loop that nobody closes: so the kernel has a context.

    Attributes:
        displays: The last bundle of each display, by its id, in the order in which they were made.
        redrawn: How often each of them was redrawn.
    """

    def __init__(self, name: str = "python3") -> None:
        from jupyter_client.manager import KernelManager  # where it is missing, most tests run
        from jupyter_core.utils import ensure_event_loop

        self._in_context = copy_context().run
        self._loop = self._in_context(ensure_event_loop)
        self._manager = KernelManager(kernel_name=name)
        self._folder = tempfile.TemporaryDirectory()
        env = {**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": self._folder.name}
        self._in_context(self._manager.start_kernel, cwd=str(ROOT), env=env)
        self._client = self._manager.blocking_client()
        # no heartbeat: its thread opens a socket anew whenever a busy machine answers late, in the
        # middle of other tests, which count descriptors
        self._client.start_channels(hb=False)
        self.displays: dict[str, dict[str, str]] = {}
        self.redrawn: dict[str, int] = {}
        self._cells: dict[str, Cell] = {}
        self._idle: set[str] = set()
        try:
            self._in_context(self._client.wait_for_ready, timeout=PATIENCE)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it."""
        self._client.stop_channels()
        self._in_context(self._manager.shutdown_kernel, now=True)
        self._folder.cleanup()
        if not self._loop.is_running():  # it is not that of a reactor, which Jupyter found
            self._loop.close()
            asyncio.set_event_loop(None)

    def restart(self) -> None:
        """Restart it, as its user does by the menu: it is asked to end first."""
        self._in_context(self._manager.restart_kernel, now=False)
        self._in_context(self._client.wait_for_ready, timeout=PATIENCE)

    def run(self, code: str) -> Cell:
        """Execute a cell, and wait until it has ended."""
        return self.finish(self.begin(code))

    def begin(self, code: str) -> str:
        """Begin to execute a cell; return its id."""
        number: str = self._client.execute(code, allow_stdin=False)
        self._cells[number] = Cell()
        return number

    def finish(self, number: str) -> Cell:
        """Wait until a cell has ended."""
        self.wait_until(lambda: number in self._idle)
        cell, reply = self._cells[number], self._reply(number)
        if reply["status"] == "error":
            cell.error = f"{reply['ename']}: {reply['evalue']}".partition("\n")[0]
            cell.traceback = _COLOURS.sub("", "\n".join(reply["traceback"]))
        return cell

    def _reply(self, number: str) -> dict[str, Any]:
        while True:
            reply: dict[str, Any] = self._in_context(self._client.get_shell_msg, timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == number:
                content: dict[str, Any] = reply["content"]
                return content

    def interrupt(self) -> None:
        """Interrupt the cell that runs, as the button does."""
        self._in_context(self._manager.interrupt_kernel)

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Take what the kernel sends until something is true of it."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            left = max(0.0, deadline - time.monotonic())
            try:
                self._take(self._in_context(self._client.get_iopub_msg, timeout=left))
            except queue.Empty:
                cells = list(self._cells.values())[-2:]
                raise AssertionError(f"it does not come: {cells}, {self.displays}") from None

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        parent = message["parent_header"].get("msg_id", "")
        cell = self._cells.get(parent, Cell())
        if kind == "stream":
            cell.text += content["text"]
        elif kind in ("execute_result", "display_data", "update_display_data"):
            shown = content.get("transient", {}).get("display_id")
            if shown is not None:
                self.displays[shown] = content["data"]
                self.redrawn[shown] = self.redrawn.get(shown, -1) + 1
            if kind != "update_display_data":
                cell.results.append(content["data"])
        elif kind == "status" and content["execution_state"] == "idle":
            self._idle.add(parent)

    def shown(self) -> dict[str, str]:
        """Return how the display that was made last looks now."""
        return list(self.displays.values())[-1]

    def complete(self, text: str) -> list[str]:
        """Return the completions at the end of a text."""
        found: list[str] = self._reply(self._client.complete(text, len(text)))["matches"]
        return found

    def inspect(self, name: str) -> str:
        """Return what is told of a name, as by Shift-Tab."""
        content = self._reply(self._client.inspect(name, len(name)))
        return _COLOURS.sub("", content["data"].get("text/plain", ""))

"""
Processes that an asyncio loop's pools start: Twisted's, noticed and reaped in their loop's thread.

Twisted learns by SIGCHLD that processes have ended, and then asks for all of a program's. A loop
has no such signal of its own: asyncio and uvloop have each a way to watch the processes that they
start themselves. So here

* a descriptor of the process tells its loop of its end, where the system has such (Linux);
  elsewhere whoever starts one looks from time to time (`txremote.work.childprocess`);
* a process is waited for by its number and in its loop's thread alone, even if a reactor in
  another thread asks for all;
* one that somebody else has waited for, as some watchers of asyncio's do with all children, has
  ended with an unknown status, 255.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from twisted.internet.process import Process, reapProcessHandlers

from txremote.refs import forks

#: Seconds between TERM and KILL for processes that a closed loop has left.
GRACE = 3.0

_UNKNOWN = 255 << 8  # as waitpid says it
_LOOK_AGAIN = 0.02  # seconds


class Child(Process):
    """A process of one loop's."""

    def __init__(self, children: Children, reactor: Any, *args: Any) -> None:
        self._siblings = children
        self._end: int | None = None  # a descriptor that can be read when it has ended
        super().__init__(reactor, *args)  # type: ignore[no-untyped-call]
        if self.pid is not None:  # it has not been found dead at once
            reapProcessHandlers.pop(self.pid, None)  # of all threads, and for ever
            children.live.add(self)
            self._watch()

    def _watch(self) -> None:
        open_end = getattr(os, "pidfd_open", None)  # Linux
        if open_end is not None:
            with suppress(OSError):  # no descriptor is left, or the system is an old one
                self._end = open_end(self.pid)
                self._reactor.loop.add_reader(self._end, self.reapProcess)

    def reapProcess(self) -> None:
        """Wait for it, if it has ended. Any thread."""
        if threading.get_ident() != self._reactor.io_thread:
            self._reactor.callFromThread(self.reapProcess)
            return
        if self.pid is None:
            return
        try:
            found, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            found, status = self.pid, _UNKNOWN
        if found:
            self.processEnded(status)

    def processEnded(self, status: int) -> None:
        """Tell its protocol how it has ended."""
        self.unwatch()
        self._siblings.live.discard(self)
        super().processEnded(status)

    def unwatch(self) -> None:
        """Close the descriptor that tells of its end."""
        end, self._end = self._end, None
        if end is not None:
            loop = self._reactor.loop
            if not loop.is_closed():
                loop.remove_reader(end)
            os.close(end)


class Children:
    """The processes of one loop that have not ended."""

    def __init__(self) -> None:
        self.live: set[Child] = set()
        self._home = forks.here

    def start(self, reactor: Any, *args: Any) -> Child:
        """Start one; the arguments are those of `twisted.internet.process.Process`."""
        return Child(self, reactor, *args)

    def leave(self) -> None:
        """End all, and have a thread wait for that, since the loop does no more: TERM, and KILL."""
        children, self.live = self.live, set()
        for child in children:
            child.unwatch()
        if self._home is forks.here:  # else they are the parent's
            numbers = [child.pid for child in children if child.pid is not None]
            _signal(numbers, signal.SIGTERM)
            if numbers:
                name = "txremote reaper"
                threading.Thread(target=_reap, args=(numbers,), name=name, daemon=True).start()


def _reap(numbers: list[int]) -> None:
    until = time.monotonic() + GRACE
    while numbers and time.monotonic() < until:
        numbers = [number for number in numbers if not _wait(number, os.WNOHANG)]
        time.sleep(_LOOK_AGAIN)
    _signal(numbers, signal.SIGKILL)
    for number in numbers:
        _wait(number, 0)


def _wait(number: int, options: int) -> bool:
    """Wait for a process; tell whether it has ended."""
    try:
        return os.waitpid(number, options)[0] != 0
    except ChildProcessError:
        return True


def _signal(numbers: Iterable[int], which: signal.Signals) -> None:
    for number in numbers:
        for kill in (os.killpg, os.kill):  # it may not lead a group
            with suppress(ProcessLookupError, PermissionError):
                kill(number, which)
                break

"""
``txremote console``: a container's commands in one terminal, without a server.

Three ways, as plac has them:

* a command behind the container's arguments is run, and that was it; whatever its
  kind, its output is shown and its end waited for;
* on a terminal there is a prompt, with editing, history and completion by readline;
* from a pipe or a file lines are run one after the other without a prompt. The first
  that fails ends it, as in plac's ``execute``. Commands of the background go on
  meanwhile, and are waited for at the end.

The reactor has the main thread, where signals arrive and processes are reaped. What
is typed is read in a thread of its own, a line when one is asked for: readline blocks.
Ctrl-C ends the command in the foreground; Ctrl-D, or ``.quit``, leaves, which ends what
runs in the background too.

Exit status: 0 done, 1 a command failed or was killed, 2 there is no such container,
130 ended by Ctrl-C.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, TextIO

from twisted.internet.defer import CancelledError, Deferred

from txremote.console.containers import Container, container_and_rest
from txremote.console.dialogue import Dialogue, Sessions
from txremote.console.history import use_readline
from txremote.console.session import Session
from txremote.console.tasks import TaskManager
from txremote.errors import ContainerError
from txremote.work.tasks import FINISHED, Task

DONE, FAILED, NO_CONTAINER, INTERRUPTED = 0, 1, 2, 130

HISTORY: Final = "~/.txremote_console_history"

# Seconds that tasks have to end in when the console is left.
_DRAIN: Final = 5.0


class Typist:
    """
    Reads lines in a daemon thread, one when it is asked for.

    Args:
        reactor: Where they are delivered.
        read: Blocks for a line, given a prompt. EOFError: there are no more.
    """

    def __init__(self, reactor: Any, read: Callable[[str], str]) -> None:
        self._reactor = reactor
        self._read = read
        self._asked: queue.SimpleQueue[tuple[str, Deferred[str | None]]] = queue.SimpleQueue()
        self.reading = False
        threading.Thread(target=self._run, name="txremote console", daemon=True).start()

    def line(self, prompt: str = "") -> Deferred[str | None]:
        """
        Return a Deferred of the next line, or of None at the end.
        """
        found: Deferred[str | None] = Deferred()
        self._asked.put((prompt, found))
        return found

    def _run(self) -> None:
        while True:
            prompt, found = self._asked.get()
            self.reading = True
            try:
                line: str | None = self._read(prompt)
            except (EOFError, OSError, ValueError):  # the end, or a standard input that is shut
                line = None
            self.reading = False
            self._reactor.callFromThread(self._deliver, found, line)

    @staticmethod
    def _deliver(found: Deferred[str | None], line: str | None) -> None:
        if not found.called:  # else whoever asked has given up
            found.callback(line)

"""
`SourceProcess`: the process of a limited source, as the operating system has it.

It has an empty environment and three pipes: requests, messages, and the last words of one that does
not come up. It is ended by KILL, whatever it does. In a sandbox the process that is started here is
bubblewrap, which waits for the first one within; it tells that one's number, which is killed, so
that bubblewrap reaps it and nobody is left behind. To kill bubblewrap before it has told that
number would leave the other one behind, waiting for it for ever (0.8.0).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from txremote.refs.clock import steady
from txremote.work.limited.sandbox import INFO, Command
from txremote.work.ports import IPoolReactor

_REQUESTS, _MESSAGES, _WORDS = range(3)  # its descriptors
_LOOK_AGAIN: Final = 0.01  # seconds
_PATIENCE: Final = 5.0  # seconds in which bubblewrap must have told what it has started
_LAST_WORDS: Final = 2_000  # bytes that are kept of what it says beside its messages
_MOST_WORDS: Final = 65_536  # bytes of that which are read


class SourceProcess(ProcessProtocol):
    """
    One process. For the reactor's thread.

    Args:
        reactor: The loop.
        received: Called with bytes of its messages.
        gone: Called once, when it has been reaped and all has been read, with how it ended.
    """

    def __init__(
        self,
        reactor: IPoolReactor,
        received: Callable[[bytes], None],
        gone: Callable[[Failure], None],
    ) -> None:
        self._reactor = reactor
        self._clock = steady(reactor)
        self._received = received
        self._gone = gone
        self._words = b""
        self._said = 0  # bytes of that, in all
        self._info = b""
        self._inner: int | None = None  # a descriptor of the first process in the sandbox
        self._is_told = False  # whether there is nothing to be told about that any more
        self._killed = self._reaped = self._is_deaf = False
        self._looking: IDelayedCall | None = None
        self._waiting: IDelayedCall | None = None

    def start(self, command: Command) -> None:
        """Start it. OSError: no process or descriptor is left."""
        pipes: dict[int, int | str] = {_REQUESTS: "w", _MESSAGES: "r", _WORDS: "r"}
        if command.is_boxed:
            pipes[INFO] = "r"
        self._is_told = not command.is_boxed
        self._reactor.spawnProcess(
            self, command.executable, command.arguments, env={}, childFDs=pipes
        )

    def write(self, data: bytes) -> None:
        """Send it bytes; nothing, if it has closed that pipe."""
        process: Any = self.transport
        if not self._is_deaf:
            process.writeToChild(_REQUESTS, data)

    def kill(self) -> None:
        """End it."""
        self._killed = True
        if self._is_told:
            self._kill()
        elif self._waiting is None and not self._reaped:
            self._waiting = self._clock.callLater(_PATIENCE, self._kill)
        self._look_soon()

    def last_words(self) -> str:
        """Return the last line that it has said beside its messages."""
        return self._words.decode("utf-8", "replace").strip().rpartition("\n")[2]

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take what it sends."""
        if childFD == _MESSAGES:
            self._received(data)
        elif childFD == _WORDS:
            self._words = (self._words + data)[-_LAST_WORDS:]
            self._said += len(data)
            if self._said > _MOST_WORDS:
                process: Any = self.transport
                process.closeChildFD(_WORDS)
        elif not self._is_told and not self._reaped:
            self._info += data
            self._find_inner()

    def childConnectionLost(self, childFD: int) -> None:
        """Look for its end: no SIGCHLD comes under uvloop, or to a loop in a thread."""
        if childFD == _REQUESTS:
            self._is_deaf = True
        self._look_soon()

    def _look_soon(self) -> None:
        if self._looking is None and not self._reaped:
            self._looking = self._clock.callLater(_LOOK_AGAIN, self._look)

    def processExited(self, reason: Failure) -> None:
        """Note that it has been reaped; if it was bubblewrap, nothing in it lives longer."""
        self._reaped = True
        for timer in (self._looking, self._waiting):
            if timer is not None and timer.active():
                timer.cancel()
        self._looking = self._waiting = None
        self._kill_inner()

    def processEnded(self, reason: Failure) -> None:
        """Tell that it is gone."""
        if self._inner is not None:
            os.close(self._inner)
            self._inner = None
        self._gone(reason)

    def _find_inner(self) -> None:
        _before, colon, rest = self._info.partition(b'"child-pid":')
        number, comma, _after = rest.partition(b",")
        if colon and comma and number.strip().isdigit():
            self._inner = _opened(int(number), self.transport)
            self._is_told = True
            if self._killed:
                self._kill()

    def _kill(self) -> None:
        process: Any = self.transport
        if not self._kill_inner() and not self._reaped:
            with suppress(ProcessExitedAlready):
                process.signalProcess("KILL")

    def _kill_inner(self) -> bool:
        """Kill the first process in the sandbox, and so all; tell whether one is known."""
        if self._inner is None:
            return False
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._inner, signal.SIGKILL)
        return True

    def _look(self) -> None:
        process: Any = self.transport
        self._looking = self._clock.callLater(_LOOK_AGAIN, self._look)
        process.reapProcess()  # and no other, which may belong to another thread


def _opened(number: int, parent: Any) -> int | None:
    """Return a descriptor of a process, if there is one of that number that a parent has."""
    try:
        found = os.pidfd_open(number)
    except (OSError, AttributeError):  # it has ended; an old system
        return None
    try:
        with open(f"/proc/{number}/stat") as file:
            after_the_name = file.read().rpartition(")")[2].split()
        if int(after_the_name[1]) == parent.pid:
            return found
    except (OSError, ValueError, IndexError):
        pass
    os.close(found)  # the number was another's already
    return None

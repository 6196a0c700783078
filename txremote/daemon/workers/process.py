"""
`WorkerProcess`: one worker, as the supervisor sees it.

It is a clean interpreter with this one's options and import path. It has the control socket as
descriptor 3 and the sockets that it listens on from 4 on; what it prints is logged.

STARTING   until it says that it listens
SERVING    it accepts clients
LEAVING    it was told to end, and lets its calls end
ENDED      it is gone, and its number may be another process's
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from txremote.daemon.workers.control import Control, WorkerEvents, dial_worker
from txremote.daemon.workers.launch import CONTROL, FIRST_SOCKET, NUMBER_VARIABLE, Launch
from txremote.errors import ConnectionLost
from txremote.levels import Logger, levels
from txremote.refs.clock import EventLoop, steady
from txremote.work.childprocess import how_it_ended, import_path, interpreter_options
from txremote.work.plainphase import PATH_VARIABLE

_NAMESPACE: Final = "txremote.workers"

_log = Logger(_NAMESPACE)

_LOOK_AGAIN: Final = 0.05  # seconds
_LONGEST_LINE: Final = 10_000  # bytes

# What systemd says to the supervisor is not for its workers.
_NOT_INHERITED: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
_NOT_INHERITED_SOCKETS: Final = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")

# The worker's program. The supervisor's path comes last until all that it needs itself is
# imported: a file in the working directory may be called random.py.
_START: Final = (
    f"import os, sys; sys.path += os.environ.pop({PATH_VARIABLE!r}).split(os.pathsep); "
    "from txremote.daemon.workers.child import main; sys.exit(main())"
)


class Phase(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"
    ENDED = "ended"


class Watcher(Protocol):
    """Takes the news of a worker."""

    def worker_ready(self, worker: WorkerProcess) -> None:
        """It listens."""

    def worker_ended(self, worker: WorkerProcess, how: str) -> None:
        """It is gone: ``how`` ends the sentence "worker 1"."""


class WorkerProcess(ProcessProtocol):
    """
    One worker. For the reactor's thread.

    Attributes:
        number: Its place.
        serial: No two have the same.
        phase: Where it is in its life.
        control: The connection to it; None before it is up, and after its end.
        settled: Fires with whether it serves: it may end before.
        gone: Fires when it has ended.
        told_to_end: Whether its end is the supervisor's wish.
    """

    def __init__(
        self, number: int, serial: int, reactor: EventLoop, watcher: Watcher, events: WorkerEvents
    ) -> None:
        self.number = number
        self.serial = serial
        self.phase = Phase.STARTING
        self.control: Control | None = None
        self.settled: Deferred[bool] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self.told_to_end = False
        self.pid = 0
        self.born = steady(reactor).seconds()
        self._reactor = reactor
        self._watcher = watcher
        self._events = events
        self._printed: dict[int, bytes] = {1: b"", 2: b""}
        self._timers: list[IDelayedCall] = []
        self._dialled: Deferred[Any] | None = None
        self._told: object = None  # how much it logs
        self._last_words: deque[str] | None = deque(maxlen=20)  # None once it serves

    def __repr__(self) -> str:
        return f"worker {self.number} (process {self.pid})"

    @property
    def named(self) -> dict[str, int]:
        """The fields of a line of the log about it, ``{worker}`` and ``{process}``."""
        return {"worker": self.number, "process": self.pid}

    def start(self, launch: Launch, sockets: Sequence[int], environ: Mapping[str, str]) -> None:
        """Start the process. OSError: it cannot be."""
        self._told = levels.told()
        ours, theirs = socket.socketpair()
        quiet = os.open(os.devnull, os.O_RDWR)
        try:
            ours.sendall(launch.as_bytes())
            ours.setblocking(False)
            listening = {FIRST_SOCKET + n: number for n, number in enumerate(sockets)}
            spawn: Any = IReactorProcess(self._reactor)
            spawn.spawnProcess(
                self,
                sys.executable,
                [sys.executable, *interpreter_options(), "-c", _START],
                env=self._environ(environ),
                path=launch.folder,
                childFDs={0: quiet, 1: "r", 2: "r", CONTROL: theirs.fileno(), **listening},
            )
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(quiet)
            theirs.close()
        self._dialled = dial_worker(self._reactor, ours, self._events, self)
        self._dialled.addCallbacks(self._connected, lambda _failure: None)

    def _environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        dropped = (*_NOT_INHERITED, *_NOT_INHERITED_SOCKETS)
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        path = os.pathsep.join(import_path())
        return {**kept, **environ, NUMBER_VARIABLE: str(self.number), PATH_VARIABLE: path}

    # -- what it says

    def _connected(self, control: Control) -> None:
        self.control = control
        self.tell_levels()
        control.when_lost().addCallback(lambda _ended: self._control_lost())

    def tell_levels(self) -> None:
        """Have it log as much as the supervisor does; soon, if it cannot be told yet."""
        told = levels.told()
        if self.control is None or told == self._told:
            return
        self._told = told
        taken = self.control.take_levels(told)
        taken.addErrback(self._log_levels_not_taken)

    def _log_levels_not_taken(self, failure: Failure) -> None:
        # of one that has gone something else is told
        if self.phase is not Phase.ENDED and not failure.check(ConnectionLost):
            said = "worker {worker} (process {process}) was not told how much is logged"
            _log.warn(said, **self.named)

    def _control_lost(self) -> None:
        self.control = None
        self._look()

    def note_ready(self) -> None:
        """Called by the worker: it listens."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.SERVING
            self._last_words = None
            self._watcher.worker_ready(self)
            self.settled.callback(True)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Log what it prints."""
        *lines, rest = (self._printed[childFD] + data).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        self._printed[childFD] = rest
        for line in lines:
            self._log_line(line)

    def _log_line(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if text:
            if self._last_words is not None:
                self._last_words.append(text)
            _log.warn("worker {worker}: {text}", worker=self.number, text=text)

    # -- its end

    def end(self, grace: float) -> None:
        """Have it let its calls end, and kill it if it is still there after ``grace`` seconds."""
        if self.phase in (Phase.LEAVING, Phase.ENDED):
            return
        self.phase = Phase.LEAVING
        self.told_to_end = True
        self.signal(signal.SIGTERM)
        self._timers.append(steady(self._reactor).callLater(grace, self._kill))

    def _kill(self) -> None:
        _log.warn("worker {worker} (process {process}) has not ended, and is killed", **self.named)
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        process: Any = self.transport
        try:
            process.signalProcess(number)
        except ProcessExitedAlready:
            return

    def _look(self) -> None:
        """Poll until it has gone: under some loops the end of a process is not told."""
        if self.phase is not Phase.ENDED:
            process: Any = self.transport
            process.reapProcess()
        if self.phase is not Phase.ENDED:
            self._timers.append(steady(self._reactor).callLater(_LOOK_AGAIN, self._look))

    def connectionMade(self) -> None:
        """Note its number: Twisted may find it dead before spawnProcess returns."""
        process: Any = self.transport
        self.pid = process.pid

    def processExited(self, reason: Failure) -> None:
        """Note that it is gone."""
        if self.phase is Phase.ENDED:
            return
        self.phase = Phase.ENDED
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        if self._dialled is not None:
            self._dialled.cancel()
        self._watcher.worker_ended(self, how_it_ended(reason))
        if not self.settled.called:
            self.settled.callback(False)
        self.gone.callback(None)

    def processEnded(self, reason: Failure) -> None:
        """Log the lines that it had begun."""
        for line in self._printed.values():
            self._log_line(line)
        if not levels.passes(_NAMESPACE, LogLevel.warn):  # so nobody knows why it did not start
            for text in self._last_words or ():
                _log.error("worker {worker}: {text}", worker=self.number, text=text)

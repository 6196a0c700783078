"""
`ChildProcess`: a worker's process, as the operating system has it.

It is a clean interpreter with this one's options and import path. Beside the standard descriptors
it has three: requests, answers and tickets. It leads a process group, and TERM, and KILL after a
grace, go to all of it. It is gone when it has been reaped, and not before: its number may be
another's from then on.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from txremote.refs.clock import steady
from txremote.work.output import RecordReader
from txremote.work.plainphase import (
    ANSWERS,
    LARGE_JOBS,
    LARGE_RESULTS,
    PATH_VARIABLE,
    REQUESTS,
    TICKETS,
)
from txremote.work.ports import IPoolReactor
from txremote.work.sharedmemory import SharedMemory
from txremote.work.surroundings import LIKE_PARENT, Surroundings

_PIPE_SIZE = 256 * 1024  # bytes
_LOOK_AGAIN = 0.05  # seconds


class ChildProcess(ProcessProtocol):
    """One process. When it is gone and its descriptors are done with, `exited` is told how."""

    def __init__(
        self,
        reactor: IPoolReactor,
        printed: Callable[[dict[str, str]], None],
        exited: Callable[[str], None],
        surroundings: Surroundings = LIKE_PARENT,
    ) -> None:
        self._reactor = reactor
        self._surroundings = surroundings
        self._exited = exited
        self._readers = {1: RecordReader("stdout", printed), 2: RecordReader("stderr", printed)}
        self._killing: IDelayedCall | None = None
        self._looking: IDelayedCall | None = None
        self.pid = 0
        self.reaped = False

    def start(
        self, tickets: int, jobs: SharedMemory | None = None, results: SharedMemory | None = None
    ) -> tuple[int, int]:
        """Start it; return the descriptors of its answers and requests, to be closed. OSError."""
        surroundings = self._surroundings
        surroundings.check()
        path = os.pathsep.join(import_path(surroundings.cwd))
        with ExitStack() as ours, ExitStack() as theirs:
            quiet = os.open(os.devnull, os.O_RDWR)
            theirs.callback(os.close, quiet)
            child_reads, parent_writes = _pipe(theirs, ours)
            parent_reads, child_writes = _pipe(ours, theirs)
            for descriptor in (parent_writes, parent_reads):
                _widen(descriptor)
            self._reactor.spawnProcess(
                self,
                sys.executable,
                [sys.executable, *interpreter_options(), "-c", _START, str(os.getpid())],
                env={**os.environ, **surroundings.env, PATH_VARIABLE: path},
                path=surroundings.cwd,
                childFDs={
                    0: quiet,
                    1: "r",
                    2: "r",
                    REQUESTS: child_reads,
                    ANSWERS: child_writes,
                    TICKETS: tickets,
                    LARGE_JOBS: quiet if jobs is None else jobs.descriptor,
                    LARGE_RESULTS: quiet if results is None else results.descriptor,
                },
            )
            ours.pop_all()  # they stay open
        return parent_reads, parent_writes

    def connectionMade(self) -> None:
        """Note its number: Twisted may find it dead before spawnProcess returns."""
        process: Any = self.transport
        self.pid = process.pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Read its output."""
        self._readers[childFD].feed(data)

    def processExited(self, reason: Failure) -> None:
        """Note that it has been reaped, and call `exited` in the next turn."""
        self.reaped = True
        # The reactor may have events in this turn for descriptors that are then
        # closed, and whose numbers are then somebody else's.
        steady(self._reactor).callLater(0, self._exited, how_it_ended(reason))

    def processEnded(self, reason: Failure) -> None:
        """Read the line that it had begun, if any."""
        for reader in self._readers.values():
            reader.end()

    @property
    def doomed(self) -> bool:
        """Whether it is to be killed after a grace that runs."""
        return self._killing is not None

    def terminate(self, grace: float) -> None:
        """End it: TERM, and KILL after the grace, in seconds."""
        self._signal(signal.SIGTERM)
        self.kill_in(grace)

    def kill_in(self, seconds: float) -> None:
        """Kill it if it is still there then."""
        self._killing = steady(self._reactor).callLater(seconds, self._kill)

    def _kill(self) -> None:
        self._killing = None
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.reaped:
            return
        for kill in (os.killpg, os.kill):  # it may not lead its group yet
            try:
                kill(self.pid, number)
            except (ProcessLookupError, PermissionError):
                continue
            return

    def look(self) -> None:
        """Poll until it has gone: no SIGCHLD comes under uvloop, or to a loop in a thread."""
        self._looking = None
        if not self.reaped:
            process: Any = self.transport
            process.reapProcess()  # and no other, which may belong to another thread
        if not self.reaped:
            self._looking = steady(self._reactor).callLater(_LOOK_AGAIN, self.look)

    def bury(self) -> None:
        """Clear up when it is gone: processes that a job has started do not outlive it."""
        for timer in (self._killing, self._looking):
            if timer is not None:
                timer.cancel()
        self._killing = self._looking = None
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def import_path(cwd: str | None = None) -> tuple[str, ...]:
    """Return the path by which a process finds the modules that this one does, in any folder."""
    path = tuple(entry for entry in sys.path if isinstance(entry, str))  # others are ignored
    if cwd is None:
        return path
    return tuple(map(os.path.abspath, path))  # "" is where this process is, and not the other


def how_it_ended(reason: Failure) -> str:
    """Say how a process ended, from what Twisted tells: "was killed by signal 9 (SIGKILL)"."""
    error: Any = reason.value
    if isinstance(error, ProcessTerminated) and error.signal is not None:
        try:
            name = signal.Signals(error.signal).name
        except ValueError:  # a real-time signal
            name = "a signal"
        return f"was killed by signal {error.signal} ({name})"
    if isinstance(error, ProcessDone):
        return "ended with exit status 0"
    return f"ended with exit status {getattr(error, 'exitCode', None)}"


# The child's program. Its parent's path comes last until all that it needs itself is
# imported: a file in the working directory may be called random.py. What it imports is no garbage:
# looking for some would take a tenth of that time, and a part of its jobs' time later on.
_START = (
    "import gc, os, sys; gc.disable(); "
    f"sys.path += os.environ.pop({PATH_VARIABLE!r}).split(os.pathsep); "
    "from txremote.work.child import main; gc.freeze(); gc.enable(); sys.exit(main())"
)


def interpreter_options() -> list[str]:
    """Return this interpreter's options, and ``-P``: the working directory is on no path."""
    return ["-P", *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]


def _pipe(reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    """Return a new pipe's reading and writing end, each to be closed by its owner."""
    reading, writing = os.pipe()
    reads.callback(os.close, reading)
    writes.callback(os.close, writing)
    return reading, writing


def _widen(pipe: int) -> None:
    """Let a pipe hold more: large values then go with fewer turns."""
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux
    if set_size is not None:
        try:
            fcntl.fcntl(pipe, set_size, _PIPE_SIZE)
        except OSError:  # this user's pipes hold as much as they may
            return

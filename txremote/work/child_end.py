"""
The end of a worker process, on its own side: with its parent, and by TERM.

TERM raises `Terminated` in the job, so that its ``finally`` runs, but not in the middle of what has
to be whole: a message, or the state of a peer. Python runs a signal's handler between two
instructions of the main thread, so a signal that comes as that thread is about to wait in the
system, or that the system hands to another thread, would be seen only after the wait, which may
last for ever. Of each signal a byte is written into a pipe at once, in whichever thread; the thread
that watches the parent reads it, and sends TERM to the main thread until the handler has run.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from types import CodeType, FrameType
from typing import Final

from txremote.work.plainjobs import Terminated
from txremote.work.plainphase import ANSWERS

_RETRY = 0.005  # seconds
_ONCE_MORE = 0.05  # seconds
_MANY = 64  # signals read at once

#: The functions that must not be left half done. They wait for nothing but a full pipe.
WHOLE: Final[set[CodeType]] = set()
_STATE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "peer", "")


def end_with(parent: int) -> None:
    """Have this process end by TERM, and when its parent does, whatever it is doing then."""
    if sys.platform == "linux":
        import ctypes

        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:  # it died before that
            os._exit(1)
    signals, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    # a process that a job forks has this pipe, and its signals are its own
    os.register_at_fork(after_in_child=_tell_nobody)
    signal.signal(signal.SIGTERM, _terminate)
    watching = threading.Thread(
        target=_watch, args=(parent, signals), name="txremote parent watch", daemon=True
    )
    watching.start()


def _tell_nobody() -> None:
    signal.set_wakeup_fd(-1)


def _watch(parent: int, signals: int) -> None:
    # a pipe's writing end is in error when nobody holds the other end
    poll = select.poll()
    poll.register(ANSWERS, 0)
    poll.register(signals, select.POLLIN)
    while ANSWERS not in dict(poll.poll()):
        if signal.SIGTERM in os.read(signals, _MANY) and not _heard():
            time.sleep(_ONCE_MORE)
            if not _heard():
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    while os.getppid() == parent:  # it closes its files first of all
        time.sleep(_RETRY)
    os.killpg(0, signal.SIGKILL)


def _heard() -> bool:
    """Tell whether the job has TERM, or has a way of its own with it."""
    return signal.getsignal(signal.SIGTERM) is not _terminate


def _terminate(_number: int, frame: FrameType | None) -> None:
    """Raise `Terminated` in the job, but not in the middle of a message: then a moment later."""
    while frame is not None:
        code = frame.f_code
        if code in WHOLE or code.co_filename.startswith(_STATE):
            # The kernel's timer: a thread would mostly get to send a signal while this one waits in
            # a system call, which is always in the middle of a message.
            signal.signal(signal.SIGALRM, _terminate)
            signal.setitimer(signal.ITIMER_REAL, _RETRY)
            return
        frame = frame.f_back
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # finally's own time
    if signal.getsignal(signal.SIGALRM) is _terminate:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
    raise Terminated

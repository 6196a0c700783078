"""
The watchdog: which method, at which line, holds the event loop.

A thread looks twice in `slow` seconds whether the loop waits for events. While it does not, it
is asked to beat. If the beat does not come, the thread reads the stack of the loop's thread, a few
times, and when the beat has come at last the hold is reported with what was seen. Calls pay nothing
for that, and a loop that waits is not woken.

A hold that is reported took `slow` seconds at least. One that is less than half as long again may
go unseen, for the loop is asked to beat when the hold has begun already. Time in which the machine
had no processor for this process is nobody's fault: the watchdog wakes late then, while the loop's
thread uses none (where it uses some, it is the thread that keeps the watchdog from running).
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from types import BuiltinMethodType, CodeType, FrameType, MethodType
from typing import Any, Final

from txremote.levels import Logger
from txremote.peer.called import called_by, called_text
from txremote.peer.naming import peer_text
from txremote.peer.request import Request
from txremote.peer.variables import Variables
from txremote.refs.stacks import nothing_collected

_log = Logger("txremote.slow")

#: Seconds after which a hold is reported that has not ended.
STILL: Final = 2.0

# Where an event loop waits: the Python function that calls the system's.
_WAITS: Final = frozenset({"doPoll", "doSelect", "doKEvent", "select", "run", "run_forever"})
_LOOPS: Final = ("reactor.py", "selectors.py", "base_events.py", "loop.py")

_BOUND: Final = (MethodType, BuiltinMethodType)

# Folders whose functions are not to be named as a program's own.
_LIBRARIES: Final = tuple(
    {
        os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ""),
        *(
            os.path.join(path, "")
            for name in ("stdlib", "platstdlib", "purelib", "platlib")
            if (path := sysconfig.get_paths().get(name))
        ),
    }
)


@dataclass(frozen=True)
class Seen:
    """
    One look at the loop's stack.

    Attributes:
        key: The same for as long as the same call holds the loop.
        method: The peer's call, or the function that the loop has called.
        line: Where it stands: ``shop.py:12 in Shop.price``.
        who: The peer of the call; "" of what is no call.
    """

    key: object
    method: str
    line: str
    who: str


@dataclass(frozen=True)
class Held:
    """
    A hold of the event loop.

    Attributes:
        seen: The line that held it, as seen most often.
        seconds: For how long, at least.
        others: Whether several calls held it in turn.
        ended: Whether the loop turns again.
    """

    seen: Seen
    seconds: float
    others: bool
    ended: bool


def is_own(filename: str) -> bool:
    """Tell whether a file is a program's own: neither Python's, nor a package's, nor ours."""
    return not filename.startswith(("<frozen", *_LIBRARIES))


def place_of(frame: FrameType) -> str:
    """Return where a frame stands."""
    code = frame.f_code
    return f"{os.path.basename(code.co_filename)}:{frame.f_lineno} in {code.co_qualname}"


def look(frame: FrameType) -> Seen:
    """Look at a stack, from its innermost frame on. Any thread."""
    innermost, line, entry = frame, "", None
    request: Any = None
    each: FrameType | None = frame
    with nothing_collected():
        while each is not None and request is None:
            code: CodeType = each.f_code
            if code is Variables.run.__code__:  # `Request.run`, in it, may be compiled
                runs = each.f_locals.get("function")
                if isinstance(runs, _BOUND) and isinstance(runs.__self__, Request):
                    request = runs.__self__
            elif is_own(code.co_filename):
                line = line or place_of(each)
                entry = code
            each = each.f_back
    line = line or place_of(innermost)
    if isinstance(request, Request):
        connection = request.inbound.connection
        who = peer_text(connection.peer, connection.user)
        return Seen((id(connection), request.number), called_text(called_by(request)), line, who)
    code = entry or innermost.f_code
    return Seen(id(code), code.co_qualname, line, "")


class _ThreadEnded(Exception):
    """The thread that was watched has ended, with a loop that nobody has stopped."""


class LoopWatch:
    """
    Watches the thread of an event loop.

    Args:
        call: Calls a function in the loop's thread: a reactor's ``callFromThread``.
        slow: Seconds.
        report: Called with each `Held`: in the loop's thread, or in the watchdog's where the
            hold has not ended.
    """

    def __init__(
        self,
        call: Callable[[Callable[[], object]], object],
        slow: float,
        report: Callable[[Held], object],
    ) -> None:
        self._call = call
        self._slow = slow
        self._report = report
        self._stopped = threading.Event()
        self._watched = 0  # the thread
        self._cpu_clock: int | None = None  # its processor time

    def start(self) -> None:
        """Begin to watch, when the loop turns."""
        self._call(self._begin)

    def stop(self) -> None:
        """Watch no more. Any thread."""
        self._stopped.set()

    def _begin(self) -> None:
        self._watched = threading.get_ident()
        if hasattr(time, "pthread_getcpuclockid"):  # not on every system
            self._cpu_clock = time.pthread_getcpuclockid(self._watched)
        threading.Thread(target=self._watch, name="txremote watchdog", daemon=True).start()

    # -- in the watchdog's thread

    def _watch(self) -> None:
        period = min(self._slow / 2, threading.TIMEOUT_MAX)
        while not self._stopped.wait(period):
            if self._works():
                try:
                    self._follow(period)
                except _ThreadEnded:
                    return
                except Exception:  # looking at a stack, or reporting: the next hold is watched
                    _log.failure("a hold of the event loop could not be looked at")

    def _works(self) -> bool:
        frame = self._frame()
        return frame is not None and not _waits(frame)

    def _cpu_seconds(self) -> float:
        if self._cpu_clock is None:
            return 0.0
        try:
            return time.clock_gettime(self._cpu_clock)
        except OSError:  # its number may be another thread's by now
            raise _ThreadEnded from None

    def _frame(self) -> FrameType | None:
        return sys._current_frames().get(self._watched)

    def _follow(self, period: float) -> None:
        """Wait for a beat of the loop, and look at its stack meanwhile."""
        beaten = threading.Event()
        since = woken = perf_counter()
        used, late = self._cpu_seconds(), 0.0
        ends: list[float] = []

        def beat() -> None:
            ends.append(perf_counter())
            beaten.set()

        self._call(beat)
        seen: list[Seen] = []
        told = False
        while not beaten.wait(period):
            if self._stopped.is_set():
                return
            slept, woken = woken, perf_counter()
            late += woken - slept - period
            held = woken - since
            frame = self._frame()
            if frame is not None and held >= self._slow / 2:
                seen.append(look(frame))
                del seen[1:-100]  # the first, and the last ones
            del frame
            if held >= STILL and seen and not told:
                told = True
                self._report(_held(seen[-1:], held, False))
        held = ends[0] - since
        if self._cpu_clock is not None:
            held -= excused(late, self._cpu_seconds() - used)
        if held >= self._slow and seen and not self._stopped.is_set():
            found = _held(seen, held, True)
            self._call(lambda: self._report(found))


def excused(late: float, used: float) -> float:
    """
    Return for how many seconds of a hold the process had no processor.

    Args:
        late: How many seconds too late the watchdog woke meanwhile.
        used: Seconds of processor time that the loop's thread used meanwhile.
    """
    return max(0.0, late - used)


def _waits(frame: FrameType) -> bool:
    """Tell whether a loop waits for events, by its innermost frame."""
    code = frame.f_code
    return code.co_name in _WAITS and code.co_filename.endswith(_LOOPS)


def _held(seen: list[Seen], seconds: float, ended: bool) -> Held:
    keys = Counter(each.key for each in seen)
    most = keys.most_common(1)[0][0]
    last = next(each for each in reversed(seen) if each.key == most)
    return Held(last, seconds, len(keys) > 1, ended)

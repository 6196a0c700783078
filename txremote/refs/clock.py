"""
One clock for all limits of time, which nobody can set: `steady`.

Twisted's reactors go by the time of day (``reactor.seconds`` is `time.time`). Where that clock
is set, by an hour say, all calls of the next hour are made at once, or none is for an hour. A
`SteadyClock` goes by `time.monotonic`:

* set forward: a call that the reactor makes early is put off by what is left;
* set back: a thread reads both clocks twice a second while there are calls, and has all of
  them put to the reactor anew.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias
from weakref import WeakSet

from twisted.internet.interfaces import IDelayedCall, IReactorCore, IReactorTime
from zope.interface import implementer

#: Seconds between two readings of the time of day.
READING_INTERVAL: Final = 0.5

#: Seconds by which the time of day has to fall back between two readings: clocks are also
#: slewed, by half a millisecond a second, and a busy thread reads one late.
FALL: Final = 0.25

# Seconds that a call may come too early: a clock that is slewed is that much fast.
_EARLY = 0.001

_clocks: WeakSet[SteadyClock] = WeakSet()


class EventLoop(Protocol):
    """
    The part of an event loop, such as Twisted's reactor, that connections use. A loop that is
    not the program's reactor says in ``io_thread`` which thread it runs in.
    """

    def seconds(self) -> float:
        """Return the time in seconds."""

    def callLater(
        self, delay: float, function: Callable[..., object], /, *args: object
    ) -> IDelayedCall:
        """Call a function some seconds from now."""

    def callFromThread(self, function: Callable[..., object], /, *args: object) -> None:
        """Call a function in the loop's thread, from any thread."""


#: A reactor as programs have it: Twisted's types say of it what a part of it provides.
#: A string, since older releases of zope.interface have no ``|``.
Reactor: TypeAlias = "EventLoop | IReactorCore"


@implementer(IDelayedCall)  # Twisted's `ClientService` takes nothing else
class SteadyCall:
    """One call to come."""

    __slots__ = ("_clock", "_due", "_function", "_timer")

    def __init__(self, clock: SteadyClock, due: float, function: Callable[[], object]) -> None:
        self._clock = clock
        self._due = due
        self._function = function
        self._timer: IDelayedCall

    def getTime(self) -> float:
        """Return when it is due, on the clock that made it."""
        return self._due

    def active(self) -> bool:
        """Tell whether it is still to come."""
        active: bool = self._timer.active()
        return active

    def cancel(self) -> None:
        """Take it back. Raises AlreadyCalled, or AlreadyCancelled."""
        self._timer.cancel()
        self._clock.calls.discard(self)

    def reset(self, seconds: float) -> None:
        """Have it come some seconds from now. Raises as `cancel` does."""
        self._due = self._clock.seconds() + seconds
        self._timer.reset(seconds)

    def delay(self, seconds: float) -> None:
        """Have it come some seconds later than it would. Raises as `reset` does."""
        self.reset(self._due + seconds - self._clock.seconds())

    def put(self, left: float) -> None:
        """Put it to the reactor, to be made some seconds from now."""
        self._timer = self._clock.reactor.callLater(left, self)

    def put_again(self) -> None:
        """Put it to the reactor anew: its time of day is no good any more."""
        if self._timer.active():
            self._timer.cancel()
            self.put(max(0.0, self._due - self._clock.seconds()))

    def __call__(self) -> None:
        """Called by the reactor: it is due, or the machine's clock says so."""
        left = self._due - self._clock.seconds()
        if left > _EARLY:
            self.put(left)
            return
        self._clock.calls.discard(self)
        self._function()


@implementer(IReactorTime)
class SteadyClock:
    """A reactor's steady clock. Any thread may ask it for `seconds`, its reactor's for all."""

    def __init__(self, reactor: EventLoop) -> None:
        self.reactor = reactor
        self.calls: set[SteadyCall] = set()
        # so that it begins with the reactor's time, which some have at hand
        self._epoch: float = self.reactor.seconds() - monotonic()
        self._awake = threading.Event()  # whether the thread reads the clocks
        self._thread: threading.Thread | None = None
        _clocks.add(self)

    def seconds(self) -> float:
        """Return the time in seconds."""
        return self._epoch + monotonic()

    def callLater(
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002
        *args: object,
        **kw: object,
    ) -> SteadyCall:
        """Call a function some seconds from now."""
        function = partial(callable, *args, **kw) if args or kw else callable
        call = SteadyCall(self, self._epoch + monotonic() + delay, function)
        call.put(delay)
        self.calls.add(call)
        if not self._awake.is_set():
            self._look_after()
        return call

    def getDelayedCalls(self) -> list[SteadyCall]:
        """Return the calls to come."""
        return list(self.calls)

    def after_fork(self) -> None:
        """Begin anew in a child process, which has none of its parent's threads."""
        self._awake = threading.Event()
        self._thread = None

    def _look_after(self) -> None:
        self._awake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="txremote-clock", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        awake, pause = self._awake, threading.Event()
        ahead = self.reactor.seconds() - monotonic()
        while True:
            pause.wait(READING_INTERVAL)
            before, ahead = ahead, self.reactor.seconds() - monotonic()
            if before - ahead > FALL:
                self.reactor.callFromThread(self._set_back)
            if not self.calls:
                awake.clear()
                if not self.calls:  # nor has one been made between the two
                    awake.wait()

    def _set_back(self) -> None:
        for call in list(self.calls):
            call.put_again()


def steady(reactor: Reactor | IReactorTime) -> IReactorTime:
    """
    Return a reactor's `SteadyClock`, which the reactor keeps; another clock, such as a
    `twisted.internet.task.Clock`, as it is.
    """
    keeper: Any = reactor
    found: IReactorTime | None = getattr(reactor, "_txremote_clock", None)
    if found is None:
        base = sys.modules.get("twisted.internet.base")  # which scripts have no use for
        if base is None or not isinstance(reactor, base.ReactorBase):
            found = keeper
        else:
            found = keeper._txremote_clock = SteadyClock(keeper)
    return found


def _after_fork() -> None:
    for clock in list(_clocks):
        clock.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def at_most(seconds: float | None) -> float | None:
    """Return a time that a lock can be waited for: no more than a platform's limit."""
    return None if seconds is None else min(seconds, threading.TIMEOUT_MAX)

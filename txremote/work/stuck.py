"""
Jobs in threads that wait for one another for ever: `StuckWatch`.

A job in a thread may wait for another job by ``blockingCallFromThread(reactor, run_async, ...)``,
or by the ``result()`` of a `concurrent.futures.Future`. Where all threads of a pool are taken by
jobs that wait for jobs of this pool which have not begun, none of these ever begins.

A thread does not say for whom it waits. But it stands in one of these two functions, whose
variables have the object that its result is put into, and the job's Deferred has a callback that
puts it there. So nothing is said of a pool that is merely busy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from threading import Thread
from types import FrameType
from typing import Any, Final, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import blockingCallFromThread

from txremote.refs.clock import Reactor, steady
from txremote.refs.stacks import nothing_collected

#: Seconds between two looks at a pool in which jobs wait.
INTERVAL: Final = 1.0

#: How many frames of a thread are looked at, from where it waits.
_DEEPEST: Final = 50


class WaitingJob(Protocol):
    """A job that has not begun, and its Deferred, if that has not fired."""

    @property
    def deferred(self) -> Deferred[Any] | None:
        """The caller's."""


Job = TypeVar("Job", bound=WaitingJob)


class StuckWatch(Generic[Job]):
    """
    Looks from time to time, while jobs wait, whether they wait for ever. In the reactor's thread.

    Args:
        reactor: The pool's.
        waiting: Returns the jobs that have not begun, in order.
        give_up: Called with the last one that a thread waits for, if all do.

    Attributes:
        timer: The next look; None: there is none, for no job waits.
    """

    def __init__(
        self, reactor: Reactor, waiting: Callable[[], list[Job]], give_up: Callable[[Job], None]
    ) -> None:
        self.timer: IDelayedCall | None = None
        self._reactor = reactor
        self._waiting = waiting
        self._give_up = give_up

    def begin(self, pool: Any) -> None:
        """Look after the threads of one of Twisted's pools from now on."""
        self.timer = steady(self._reactor).callLater(INTERVAL, self._look, pool)

    def end(self) -> None:
        """Stop looking."""
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()

    def _look(self, pool: Any) -> None:
        self.timer = None
        waiting = self._waiting()
        # a reactor may bring a pool of its own
        threads = [thread for thread in getattr(pool, "threads", ()) if thread.is_alive()]
        if len(threads) >= pool.max:
            stuck = _last_waited_for(threads, waiting)
            if stuck is not None:
                self._give_up(stuck)
        if waiting and self.timer is None:
            self.begin(pool)


def _last_waited_for(threads: Sequence[Thread], waiting: Iterable[Job]) -> Job | None:
    """Return the last job that a thread waits for, if all threads wait for some of these."""
    frames = sys._current_frames()
    awaited: set[int] = set()
    for thread in threads:
        into = _goes_into(frames.get(thread.ident or 0))
        if into is None:
            return None
        awaited.add(id(into))  # the frames keep it alive
    found = None
    for job in waiting:
        mine = awaited.intersection(map(id, _results_of(job.deferred)))
        if mine:
            awaited -= mine
            found = job
    return None if awaited else found


def _goes_into(frame: FrameType | None) -> object:
    """Return the object that a thread waits to have a result put into; None if it does not."""
    with nothing_collected():
        for _ in range(_DEEPEST):
            if frame is None:
                return None
            if frame.f_code is blockingCallFromThread.__code__:
                return frame.f_locals.get("queue")
            if frame.f_code is Future.result.__code__:
                limited = frame.f_locals.get("timeout") is not None
                return None if limited else frame.f_locals.get("self")
            frame = frame.f_back
    return None


def _results_of(deferred: Deferred[Any] | None) -> Iterator[object]:
    """Go through the objects that callbacks of a Deferred have at hand."""
    # Twisted 25.5 has given it an underscore
    variables = {} if deferred is None else vars(deferred)
    chain = variables.get("_callbacks") or variables.get("callbacks") or ()
    for step in chain:
        for callback, args, kwargs in step:
            yield getattr(callback, "__self__", None)
            for cell in getattr(callback, "__closure__", None) or ():
                try:
                    yield cell.cell_contents
                except ValueError:  # it is empty still
                    pass
            yield from args or ()
            yield from (kwargs or {}).values()

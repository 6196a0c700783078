"""
The line of those who wait for a place in a pool's queue: `WaitingLine`, behind ``pool.room()``.

They are served in the order in which they came, one for each place. A place that was given is kept
until a job is submitted, for a coroutine may go on a few turns later; one that is not used within
`KEPT` seconds goes to the next in line.

A pool calls `move_up` when jobs end or are cancelled. Places come to be in rarer ways, too, such
as a worker that starts, so the line looks for itself once a second while somebody waits.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.refs.awaiting import AwaitableDeferred, succeeded

#: Seconds that a place is kept for the one that it was given to.
KEPT: Final = 1.0


class WaitingLine:
    """
    Gives places, in order. For the reactor's thread.

    Args:
        clock: The pool's.
        places: Returns how many jobs more the pool would take now.
    """

    def __init__(self, clock: IReactorTime, places: Callable[[], int]) -> None:
        self._clock = clock
        self._places = places
        self._waiting: OrderedDict[Deferred[None], None] = OrderedDict()
        self._given: deque[float] = deque()  # when, of places that nobody has used yet
        self._timer: IDelayedCall | None = None
        self._moving = False

    def wait(self) -> Deferred[None]:
        """Return a Deferred that fires when there is a place, at once if there is."""
        if not self._waiting and self._places() > len(self._given):
            self._given.append(self._clock.seconds())
            return succeeded(None)
        waiting: Deferred[None] = AwaitableDeferred(self._leave)
        self._waiting[waiting] = None
        self._look_later()
        return waiting

    def _leave(self, waiting: Deferred[None]) -> None:
        self._waiting.pop(waiting, None)

    def job_came(self) -> None:
        """Note that a job was submitted: the oldest place that was given is used."""
        if self._given:
            self._given.popleft()

    def move_up(self) -> None:
        """Give the places that there are to those who wait."""
        if self._moving:  # one that was just served has submitted a job, which has ended
            return
        self._moving = True
        try:
            while self._waiting and self._places() > len(self._given):
                first, _ = self._waiting.popitem(last=False)
                self._given.append(self._clock.seconds())
                first.callback(None)
        finally:
            self._moving = False

    def fail(self, error: Callable[[], Exception]) -> None:
        """Fail all that wait: the pool has stopped."""
        waiting, self._waiting = self._waiting, OrderedDict()
        self._given.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for each in waiting:
            if not each.called:
                each.errback(error())

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = self._clock.callLater(KEPT, self._look)

    def _look(self) -> None:
        self._timer = None
        too_old = self._clock.seconds() - KEPT
        while self._given and self._given[0] <= too_old:
            self._given.popleft()
        self.move_up()
        if self._waiting:
            self._look_later()

"""
Our requests that wait for an answer.

Every Deferred in here ends exactly once: with its answer, its time-out, its
cancellation or the connection's loss. An answer that comes after any of the last
three is unboxed, its references are given back, and it is dropped.

A connection has one timer, however many calls: for the call that expires first.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from txremote.errors import AsyncResultTimeout
from txremote.peer.halfway import Halfway
from txremote.peer.unanswered_call import UnansweredCall
from txremote.refs.ports import Answer
from txremote.refs.threadguard import ThreadGuard


class PendingCalls:
    """
    Request number -> Deferred. Without a clock there are no time-outs.

    Attributes:
        outbound: Makes calls that use results of these.
        skipped: Whether there was a request whose answer is dropped.
        guard: Says in which thread the calls are awaited; None: in any.
    """

    __slots__ = (
        "_abandoned",
        "_clock",
        "_expiries",
        "_fire",
        "_numbers",
        "_timer",
        "_timer_due",
        "_waiting",
        "guard",
        "outbound",
        "skipped",
    )

    def __init__(
        self,
        clock: IReactorTime | None,
        fire: Callable[[Answer, object], None],
        abandoned: Callable[[int], None],
        guard: ThreadGuard | None = None,
    ) -> None:
        self._clock = clock
        self._fire = fire
        self._abandoned = abandoned
        self._numbers = count()
        self._waiting: dict[int, Answer] = {}
        self._expiries: list[tuple[float, int, float, str | None]] = []  # a heap
        self._timer: IDelayedCall | None = None
        self._timer_due = 0.0
        self.guard = guard
        self.outbound: Any = None
        self.skipped = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(
        self,
        timeout: float | None = None,
        option: str | None = "sync_request_timeout",
        steps: int = 0,
    ) -> tuple[int, Answer]:
        """Return a new call's number and its Deferred; the time-out is in seconds."""
        number = next(self._numbers)
        deferred = self._waiting[number] = UnansweredCall(self._cancelled)
        deferred._number = number
        if steps:
            deferred._steps = steps
        if timeout is not None and self._clock is not None:
            for _ in range(2):  # answered ones at the front go as new ones come
                if self._expiries and self._expiries[0][1] not in self._waiting:
                    heappop(self._expiries)
            due = self._clock.seconds() + timeout
            heappush(self._expiries, (due, number, timeout, option))
            if self._timer is None or due < self._timer_due:
                self._expire_at(due)
        return number, deferred

    def skip(self) -> int:
        """Return the number of a request whose answer is dropped: it may never come."""
        self.skipped = True
        return next(self._numbers)

    def _cancelled(self, deferred: Answer) -> None:
        assert type(deferred) is UnansweredCall
        if self._waiting.pop(deferred._number, None) is not None:
            self._abandoned(deferred._number)

    def _expire_at(self, due: float) -> None:
        assert self._clock is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._expire)

    def pop(self, number: int) -> Answer | None:
        """Return the Deferred of a call that is answered, or None if nobody waits."""
        return self._waiting.pop(number, None)

    def keeps_received(self, number: int) -> bool:
        """Tell whether a call is one of `keep_received`."""
        call = self._waiting.get(number)
        return type(call) is UnansweredCall and call._keeps

    def left_halfway(self, number: int, left: Halfway) -> None:
        """Answer a call with how far its path came; ValueError if there is no such place."""
        deferred = self._waiting.get(number)
        if deferred is None:
            return
        assert type(deferred) is UnansweredCall
        steps = deferred._steps
        if not (0 < left.position < steps or 0 <= left.position < -steps):
            raise ValueError(f"request {number} has no path that can be left at {left.position}")
        del self._waiting[number]
        self._fire(deferred, left)

    def give_up(self, number: int, error: Exception) -> None:
        """End a call with an error, and tell the peer so."""
        deferred = self._waiting.pop(number, None)
        if deferred is not None:
            self._abandoned(number)
            self._fire(deferred, Failure(error))

    def fail_all(self, make_error: Callable[[], BaseException]) -> None:
        """End every call, each with an exception of its own."""
        self._expiries.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        for deferred in waiting.values():
            self._fire(deferred, Failure(make_error()))

    def _expire(self) -> None:
        assert self._clock is not None
        self._timer = None
        now = self._clock.seconds()
        expired = []
        while self._expiries:
            when, number, timeout, option = self._expiries[0]
            if number in self._waiting:
                if when > now:
                    self._expire_at(when)
                    break
                why = f"no answer within {timeout:g} s" + (f" (option {option})" if option else "")
                expired.append((why, number))
            heappop(self._expiries)
        for why, number in expired:
            self.give_up(number, AsyncResultTimeout(why))


#: The calls of a connection that has made none.
NO_CALLS: Final = PendingCalls(None, lambda _call, _result: None, lambda _number: None)

"""
`follow`: the result of a Deferred that has another owner, without taking it away.

A method may give the same Deferred to several callers and go on using it, but a callback takes
the result out of it. So a Deferred that comes from user code is followed:

* each follower gets the value, or the Failure, and the owner's chain goes on with it as if
  there were no follower;
* it is cancelled when the last of its followers is, not when one of several gives up;
* a Failure that a follower has got is handled: Twisted does not log it, unless the owner's
  own callbacks raise another.

An `asyncio.Future` keeps its result by itself; it is cancelled by the same rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

from twisted.internet.defer import CancelledError, DebugInfo, Deferred
from twisted.python.failure import Failure

from txremote.refs.awaiting import awaitable
from txremote.refs.ports import Answer
from txremote.refs.reference import CallResult

T = TypeVar("T")

# The Deferred of each future that is waited for.
_deferreds: WeakKeyDictionary[asyncio.Future[Any], ref[Answer]] = WeakKeyDictionary()


class _Followed(DebugInfo):
    """Replaces the `DebugInfo` of a Deferred that is followed."""

    def __init__(self, before: DebugInfo | None) -> None:
        self.waiting = 0  # followers that have not given up
        self.handled: Failure | None = None  # that a follower has got
        self._before = before
        if before is not None:
            self.creator, self.invoker = before.creator, before.invoker
            self.failResult, before.failResult = before.failResult, None

    def __del__(self) -> None:
        if self.failResult is None or self.failResult is self.handled:
            return
        if self._before is None:
            super().__del__()
        else:  # it logs with its own words, and dies with this
            self._before.failResult = self.failResult


class Unshared(Deferred[Any]):
    """A Deferred that its maker gives to one call, so that it need not be followed (slow)."""


class Follower(Deferred[Any]):
    """The Deferred that `follow` returns."""

    # Called if Twisted drops the result, as it does with one whose class raises in
    # ``isinstance``. By a finalizer, so in the middle of anything.
    when_dropped: Callable[[], object] | None = None

    def __init__(self, followed: Answer, state: _Followed) -> None:
        super().__init__()
        self._followed = followed
        self._shared = state
        self._gave_up = False
        state.waiting += 1
        followed.addBoth(_Relay(self))

    def receive(self, result: T) -> T:
        """Fire with the result of the followed Deferred, and leave it there."""
        if isinstance(result, Failure):
            self._shared.handled = result
        if not self.called:
            self.callback(result)
        return result

    def cancel(self) -> None:
        """
        Give up, with a CancelledError at once. The last follower cancels the followed
        Deferred instead, and gets its result.
        """
        if self.called:
            super().cancel()
            return
        if not self._gave_up:
            self._gave_up = True
            self._shared.waiting -= 1
        if self._shared.waiting:
            self.errback(Failure(CancelledError()))
        else:
            self._followed.cancel()


class _Relay:
    """
    The callback that hands the result on. Twisted takes a callback off before it checks the
    result's type, and drops the callback if that raises.
    """

    __slots__ = ("_follower",)

    def __init__(self, follower: Follower) -> None:
        self._follower: Follower | None = follower

    def __call__(self, result: T) -> T:
        follower, self._follower = self._follower, None
        return follower.receive(result) if follower is not None else result

    def __del__(self) -> None:
        if self._follower is not None and self._follower.when_dropped is not None:
            self._follower.when_dropped()


def follow(deferred: Answer) -> Answer:
    """Return a new Deferred with the result of another one, which keeps it. In its thread."""
    state = deferred._debugInfo
    if type(state) is not _Followed:
        state = deferred._debugInfo = _Followed(state)
    return Follower(deferred, state)


def followed_call(call: CallResult) -> Answer:
    """Return a new Deferred with the result of a call. Raises WrongThread in another thread."""
    call._check_thread()
    return awaitable(follow(call), call._guard)


def follow_future(future: asyncio.Future[Any]) -> Answer:
    """Return a new Deferred with the result of a future or task of the loop that runs here."""
    known = _deferreds.get(future)
    deferred = known() if known is not None else None
    if deferred is None:
        deferred = Deferred.fromFuture(future)
        _deferreds[future] = ref(deferred)
    return follow(deferred)

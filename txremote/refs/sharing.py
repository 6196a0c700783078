"""
`follow`: the result of a Deferred that is not ours, for us, and still for its owner.

A callback takes the result out of a Deferred: the next finds what that one returns. A
method may well give the same Deferred to several callers, a result that is being made,
say, and go on using it. So whatever is given to us is followed and never taken:

* each follower has the value, or the Failure, and the owner's chain goes on with it as
  if nobody had looked;
* it is cancelled when the last of its followers is, not when one of several gives up;
* a Failure that a follower was told of is handled: Twisted does not log it, unless what
  the owner's own callbacks raise is another.

An `asyncio.Future` keeps its result by itself; it is cancelled by the same rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

from twisted.internet.defer import CancelledError, DebugInfo, Deferred
from twisted.python.failure import Failure

# The one that is followed, for each future that somebody waits for: it has no room for it.
_deferreds: WeakKeyDictionary[asyncio.Future[Any], ref[Deferred[Any]]] = WeakKeyDictionary()


class _Followed(DebugInfo):
    """What a Deferred has for a `DebugInfo` from when it is followed."""

    def __init__(self, before: DebugInfo | None) -> None:
        self.waiting = 0
        self.told: Any = None
        self._before = before
        if before is not None:
            self.creator, self.invoker = before.creator, before.invoker
            self.failResult, before.failResult = before.failResult, None

    def __del__(self) -> None:
        if self.failResult is None or self.failResult is self.told:
            return
        if self._before is None:
            super().__del__()
        else:  # its own words; it goes with this
            self._before.failResult = self.failResult


class Unshared(Deferred[Any]):
    """
    A Deferred that its maker gives to one call alone and does not look at again, so that
    it need not be followed, which costs as much as the rest of a small job's answer.
    """


class Follower(Deferred[Any]):
    """
    What `follow` gives.

    Attributes:
        when_dropped: Called if Twisted drops the result untold, which it does where
            looking at the result raises. By a finalizer: in the middle of anything.
    """

    when_dropped: Callable[[], object] | None = None

    def __init__(self, followed: Deferred[Any], state: _Followed) -> None:
        super().__init__()
        self._followed = followed
        self._shared = state
        self._gave_up = False
        state.waiting += 1
        followed.addBoth(_Teller(self))

    def tell(self, result: Any) -> Any:
        """Hear of the result, and leave it there."""
        if isinstance(result, Failure):
            self._shared.told = result
        if not self.called:
            self.callback(result)
        return result

    def cancel(self) -> None:
        """
        Give up. The last one has what the other makes of being cancelled, when that
        comes; those before it have a CancelledError at once.
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


class _Teller:
    """
    The callback by which a follower hears. Twisted takes a callback off before it looks
    at the result, and drops it if that look raises.
    """

    __slots__ = ("_follower",)

    def __init__(self, follower: Follower) -> None:
        self._follower: Follower | None = follower

    def __call__(self, result: Any) -> Any:
        follower, self._follower = self._follower, None
        return follower.tell(result) if follower is not None else result

    def __del__(self) -> None:
        if self._follower is not None and self._follower.when_dropped is not None:
            self._follower.when_dropped()


def follow(deferred: Deferred[Any]) -> Deferred[Any]:
    """
    Return a new Deferred of what another fires with.

    Args:
        deferred: The other. It keeps its result. In its own thread.
    """
    state = deferred._debugInfo
    if type(state) is not _Followed:
        state = deferred._debugInfo = _Followed(state)
    return Follower(deferred, state)


def follow_future(future: asyncio.Future[Any]) -> Deferred[Any]:
    """
    Return a new Deferred of what a future comes to.

    Args:
        future: A future or a task, of the loop that runs here.
    """
    known = _deferreds.get(future)
    deferred = known() if known is not None else None
    if deferred is None:
        deferred = Deferred.fromFuture(future)
        _deferreds[future] = ref(deferred)
    return follow(deferred)

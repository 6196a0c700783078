"""
`UnansweredCall`: the Deferred of a call of ours, as `txremote.peer.pending_calls` makes it.

A module of its own, for it is made on a class that mypyc cannot compile, and that one is compiled.
"""

from __future__ import annotations

from txremote.peer.promise import Promise
from txremote.refs.awaiting import check_awaited
from txremote.refs.ports import Answer


class UnansweredCall(Promise):
    """The Deferred of a call, which knows the call's number."""

    #: How many names its path has, where the answer may be HALFWAY; of one that uses the results
    #: of others these and one more, below zero: it may be left before it has begun.
    _steps = 0
    #: Whether its result is given as it was unboxed: to a thread, or to another peer.
    _keeps = False

    def __repr__(self) -> str:
        """Return what a prompt or a notebook shows where ``await`` was forgotten."""
        text = super().__repr__()
        return text if self.called else f"{text[:-1]}, to be awaited>"

    def _check_thread(self) -> None:
        """Raise WrongThread in another thread than its connection's."""
        # found by way of the canceller: an attribute would be set for each call
        guard = getattr(getattr(self._canceller, "__self__", None), "guard", None)
        if guard is not None:
            check_awaited(guard)


def already_answered(result: object) -> Answer:
    """Return the Deferred of a call that needed no request."""
    deferred = UnansweredCall()
    deferred.callback(result)
    return deferred


def keep_received(call: Answer) -> Answer:
    """Have a call, just made, give a value as it was unboxed (`ReceivedValue`); return it."""
    if type(call) is UnansweredCall:
        call._keeps = True
    return call

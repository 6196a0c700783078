"""
The sinks of subscribers that read no messages: callbacks, here and at a peer, and local loops.

A callback of a peer's is called as any function of it is; so a stock RPyC can subscribe. Calls
that it has not answered are its credit: with `MOST_UNANSWERED` of them the next events wait.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, DeadReferenceError, NotSendable
from txremote.levels import Logger
from txremote.refs.awaiting import AwaitableDeferred, failed, succeeded
from txremote.refs.reference import RemoteReference
from txremote.topics.event import Event, Missed
from txremote.topics.subscriber import Subscriber
from txremote.wire.consts import FEATURE_VALUES
from txremote.wire.naming import sentence
from txremote.wire.plain import ATOMS
from txremote.wire.values import AsValue

_log = Logger("txremote.topic")

#: How many calls of a peer's callback may be unanswered.
MOST_UNANSWERED: Final = 32


def call_local(function: Callable[..., object], *args: object) -> None:
    """Call a function of this process; what it raises is logged."""
    try:
        function(*args)
    except Exception:
        _log.failure("a subscriber's callback failed")


def call_remote(function: RemoteReference, *args: object) -> Deferred[Any]:
    """Call a function of a peer's, without a time-out: an unanswered call is used-up credit."""
    return function._connection.outbound.call(function, (), args, {}, inf)


class _RemoteTeller:
    """Tells a function of a peer's of missed events; so many calls of it may be unanswered."""

    def __init__(self, function: RemoteReference) -> None:
        self._function = function
        self._unanswered = 0
        self._later: Missed | None = None  # what it is told when it has answered

    def __call__(self, missed: Missed) -> None:
        if self._unanswered >= MOST_UNANSWERED:
            if self._later is None:
                self._later = Missed(0, missed.why)
            self._later.merge(missed)
            return
        self._unanswered += 1
        # one that is gone, or wrong, is no news here
        call_remote(self._function, *_told_of(missed)).addBoth(self._answered)

    def _answered(self, _result: object) -> None:
        self._unanswered -= 1
        later, self._later = self._later, None
        if later is not None:
            self(later)


def _told_of(missed: Missed) -> tuple[int | None, str]:
    return (None if missed.unknown else missed.count), missed.why


def teller_of(function: Any) -> Callable[[Missed], object] | None:
    """Return what tells a function of missed events, here or at a peer; None for None."""
    if function is None:
        return None
    if type(function) is RemoteReference:
        return _RemoteTeller(function)
    return lambda missed: call_local(function, *_told_of(missed))


class LocalCallback:
    """Calls a function of this process."""

    def __init__(self, function: Callable[[Any], object]) -> None:
        self._function = function

    def take(self, event: Event) -> bool:
        """Call it. An error that it raises is logged."""
        call_local(self._function, event.value)
        return True

    def missed(self, missed: Missed) -> None:
        """Do nothing: it was told."""

    def ended(self, error: Exception | None) -> None:
        """Log why it gets no more events, if that is an error."""
        if error is not None:
            _log.warn("a subscriber's callback gets no more events: {error}", error=str(error))


class RemoteCallback:
    """Calls a function of a peer's."""

    def __init__(self, function: RemoteReference, subscriber: Subscriber) -> None:
        self._function = function
        self._subscriber = subscriber
        self._unanswered = 0
        self._calling = False
        self._failed = False
        connection: Any = function._connection
        self._gone: Deferred[object] | None = connection.when_disconnected()
        self._gone.addCallback(self._lost)

    def take(self, event: Event) -> bool:
        """Call it, if it has answered enough."""
        if self._unanswered >= MOST_UNANSWERED:
            return False
        value = event.value
        features = self._function._connection.features
        if event.payload and type(value) not in ATOMS and FEATURE_VALUES in features:
            value = AsValue(value)
        self._unanswered += 1
        self._calling = True
        call_remote(self._function, value).addBoth(self._answered)
        self._calling = False
        return True

    def missed(self, missed: Missed) -> None:
        """Do nothing: it was told."""

    def ended(self, error: Exception | None) -> None:
        """Forget the connection; nothing tells the peer, but the log."""
        gone, self._gone = self._gone, None
        if gone is not None:
            gone.addErrback(lambda _cancelled: None)
            gone.cancel()
        if error is not None:
            _log.warn("a subscriber's callback gets no more events: {error}", error=str(error))

    def _answered(self, result: object) -> None:
        self._unanswered -= 1
        if isinstance(result, Failure):
            self._note_failure(result)
        if self._subscriber.waiting.items and not self._calling:
            self._subscriber.flush()

    def _note_failure(self, failure: Failure) -> None:
        problem: Any = failure.value
        if failure.check(DeadReferenceError, ConnectionLost):
            self._subscriber.end(None)
        elif self._calling and failure.check(NotSendable):
            self._subscriber.could_not_send(sentence(problem))
        elif not self._failed:  # once: they may be thousands a second
            self._failed = True
            _log.warn(
                "a subscriber's callback failed, and is called again for the next event: {error}",
                error=sentence(problem),
            )

    def _lost(self, _reason: object) -> None:
        self._gone = None
        self._subscriber.end(None)


class LocalReader:
    """The events that a loop of this process reads."""

    __slots__ = ("_back", "_error", "_over", "_subscriber", "_waiter")

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._waiter: AwaitableDeferred[Any] | None = None
        self._back: list[Any] = []  # an event, or the end, that came to a step that was cancelled
        self._over = False
        self._error: Exception | None = None

    def take(self, event: Event) -> bool:
        """Take the event that the loop waits for, and no other."""
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return False
        waiter.callback(event.value)
        return True

    def missed(self, missed: Missed) -> None:
        """Do nothing: it was told."""

    def ended(self, error: Exception | None) -> None:
        """End the loop."""
        self._over = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.errback(error or StopAsyncIteration())
        else:
            self._error = error

    def next_event(self) -> AwaitableDeferred[Any]:
        """Return the next event, when it is there; it fails with StopAsyncIteration at the end."""
        if self._back:
            found = self._back.pop()
            return failed(found) if isinstance(found, Failure) else succeeded(found)
        if self._over:
            error, self._error = self._error, None
            return failed(error or StopAsyncIteration())
        if self._waiter is not None:
            raise RuntimeError("the next event is awaited already: one loop reads a subscription")

        def give_up(_waiter: object) -> None:
            self._waiter = None

        waiter: AwaitableDeferred[Any] = AwaitableDeferred(give_up)
        self._waiter = waiter
        self._subscriber.flush()
        return waiter

    def put_back(self, waiter: AwaitableDeferred[Any]) -> None:
        """
        Keep what has come to a step for the next one: its task was cancelled before it went on, as
        one of asyncio's does in a later turn.
        """
        result = waiter.result
        if not isinstance(result, Failure) or not result.check(CancelledError):
            self._back.append(result)

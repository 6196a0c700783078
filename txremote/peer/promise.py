"""
`Promise`: the result of a call that may be still to come, as a target and an argument of others.

``root.shop(2).items()`` calls a method of what ``shop(2)`` gives, and ``root.f(root.g(x))`` has
``f`` called with what ``g`` gives; neither is waited for here. Where both calls go to one peer that
knows promises, both are sent at once (`txremote.peer.graphs`). Everywhere else the second call is
made here, when the results that it needs are there: `call_when_known`. The answers are the same.

The result of a promise is what a callback would get that is added when it is used: so the program's
own callbacks that were there before have been run, and those that come later see the same result.
`Note` takes it down. Results come one within the other, so what they bring about is queued and done
in a loop: a chain of a thousand calls costs no more of the stack than one call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import copy_context
from time import monotonic
from types import CoroutineType
from typing import Any

from twisted.internet.defer import DebugInfo, Deferred, ensureDeferred
from twisted.python.failure import Failure

from txremote.errors import NotSendable
from txremote.peer.halfway import Halfway, go_on
from txremote.refs.awaiting import callbacks_of
from txremote.refs.ports import Answer
from txremote.refs.reference import CallResult
from txremote.refs.sharing import follow
from txremote.refs.soon import soon
from txremote.wire.boxing import SENDABLE_DEPTH

Args = tuple[object, ...]
Kwargs = dict[str, object]


class StillToCome(NotSendable):
    """The result of a call is to be sent, and is still to come. Peers are told its base's name."""

    __module__ = NotSendable.__module__
    __qualname__ = NotSendable.__qualname__


StillToCome.__name__ = NotSendable.__name__


class Promise(CallResult):
    """The Deferred of a call, which other calls can use."""

    _number: int
    #: How many of its first callbacks belong to the call, so that its result is what they give.
    _own = 0
    #: How many unanswered calls it depends on, one behind the other.
    _depth = 0
    #: Whether its number is not that of the call whose result it gives.
    _late = False
    #: Its result for the calls that use it; None: there is none so far.
    _note: Note | None = None

    def _has_callbacks(self, count: int) -> bool:
        """Tell whether it has so many callbacks that are still to be called."""
        return len(callbacks_of(self)) == count

    def _own_callbacks(self) -> None:
        """Note that all its callbacks belong to the call."""
        self._own = len(callbacks_of(self))

    def _call(
        self,
        names: tuple[str, ...],
        args: Args | None,
        kwargs: Kwargs,
        deadline: float | None = None,
    ) -> Promise:
        """Call what a path of names leads to from here, as `RemoteReference._call` does."""
        asked = promise_of(self)
        # the calls of the connection that it is a call of, found as its `_check_thread` finds them
        pending = getattr(asked._canceller, "__self__", None)
        outbound = getattr(pending, "outbound", None)
        if outbound is None or (args is None and not names):
            return call_when_known(asked, names, args, kwargs, deadline)
        sent: Promise = outbound.graphs().call(asked, names, args, kwargs, deadline)
        return sent


def failed_call(error: BaseException) -> Promise:
    """Return the Deferred of a call that cannot be made."""
    promise = Promise()
    promise.errback(error)
    return promise


class Note:
    """
    The result of a promise.

    Attributes:
        known: Whether it is there.
        value: It, or a Failure.
        plain: Whether nothing of the program's stands between it and what the call has given.
    """

    __slots__ = ("_call", "_used", "_watchers", "known", "plain", "value")

    def __init__(self, call: Promise, followers: int = 0) -> None:
        self.known = False
        self.value: Any = None
        self.plain = call._has_callbacks(call._own + followers)
        self._used = False
        self._watchers: list[Callable[[], object]] = []
        self._call: Promise | None = call
        if call.called and not call.paused:
            self.plain = False
            self(call.result)
            return
        call.addBoth(self)
        if self.plain:  # wherever it is used next, it is before what is added to it meanwhile
            callbacks_of(call).insert(call._own, callbacks_of(call).pop())

    def __call__(self, result: Any) -> Any:
        """Take the result down, and return it."""
        self.known, self.value = True, result
        if result is None and not self.plain:
            self.value = Failure(
                NotSendable(
                    "the call whose result another uses was waited for, and what waited may have "
                    "taken its result: give that in its place"
                )
            )
        if self._used:
            self.use()
        self._call = None
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            soon(watcher)
        return result

    def use(self) -> None:
        """Note that another call depends on it: a failure is that one's, and is not logged here."""
        self._used = True
        call = self._call
        if call is not None and self.known and isinstance(self.value, Failure):
            before, call._debugInfo = call._debugInfo, _Used(self.value)
            if before is not None:
                before.failResult = None

    def watch(self, function: Callable[[], object]) -> None:
        """Call a function that raises nothing when it is known: soon, if it is already."""
        if self.known:
            soon(function)
        else:
            self._watchers.append(function)


class _Used(DebugInfo):
    """Takes the place of a Deferred's `DebugInfo` whose failure another call has."""

    def __init__(self, had: Failure) -> None:
        self._had = had

    def __del__(self) -> None:
        if self.failResult is not None and self.failResult is not self._had:
            super().__del__()


def promise_of(call: Promise) -> Promise:
    """Return the promise that a call has become, where it only waits for that one."""
    while call.called and call.paused and isinstance(call.result, Promise):
        if callbacks_of(call):
            break
        inner: Promise = call.result
        if inner._note is None:
            inner._note = Note(inner, followers=1)
        call = inner
    return call


def note_of(call: Promise) -> Note:
    """Return the result of a promise, which is taken down from now on."""
    if call._note is None:
        call._note = Note(call)
    return call._note


def promises_in(value: object, depth: int = SENDABLE_DEPTH) -> Iterator[Promise]:
    """Give the promises in a value: it is one, or a tuple or dict of arguments with some in it."""
    if isinstance(value, Promise):
        yield promise_of(value)
    elif type(value) is tuple and depth:
        for item in value:
            yield from promises_in(item, depth - 1)
    elif type(value) is dict and depth == SENDABLE_DEPTH:
        for item in value.values():
            yield from promises_in(item, depth - 1)


def filled(value: Any, result: Callable[[Promise], object], depth: int = SENDABLE_DEPTH) -> Any:
    """Return a value of `promises_in` with something in the place of each promise."""
    if isinstance(value, Promise):
        return result(promise_of(value))
    if type(value) is tuple and depth:
        return tuple([filled(item, result, depth - 1) for item in value])
    if type(value) is dict and depth == SENDABLE_DEPTH:
        return {name: filled(item, result, depth - 1) for name, item in value.items()}
    return value


def call_when_known(
    target: object,
    names: tuple[str, ...],
    args: Args | None,
    kwargs: Kwargs,
    deadline: float | None = None,
    finish: Callable[[Any], Any] | None = None,
) -> Promise:
    """
    Call what a path of names leads to, as soon as all that it needs is there.

    Args:
        target: A promise, or what a call of it gave.
        args: The arguments, with promises in them; None to read.
        deadline: Seconds after which the caller gives up.
        finish: Makes what a local call gives, a coroutine say, a Deferred.
    """
    return _Later(target, names, args, kwargs, deadline, finish or finished).promise


class _Later:
    """A call that is made when the results are there that it needs."""

    def __init__(
        self,
        target: object,
        names: tuple[str, ...],
        args: Args | None,
        kwargs: Kwargs,
        deadline: float | None,
        finish: Callable[[Any], Any],
    ) -> None:
        self.promise = Promise(self._cancelled)
        self._target, self._names, self._args, self._kwargs = target, names, args, kwargs
        self._until = None if deadline is None else monotonic() + deadline
        self._finish = finish
        self._context = copy_context()  # it is its caller's, though it is made later
        self._inner: Answer | None = None
        needed = list(promises_in((target, args, tuple(kwargs.values()))))
        self._left = len(needed)
        for each in needed:
            note = note_of(each)
            note.use()
            note.watch(self._one_known)

    def _cancelled(self, _promise: object) -> None:
        if self._inner is not None:
            self._inner.cancel()

    def _one_known(self) -> None:
        self._left -= 1
        if self._left or self.promise.called:
            return
        try:
            answer = self._context.run(self._call)
        except BaseException as error:  # it is its caller's, whatever it is
            self.promise.errback(Failure(error))
            return
        if isinstance(answer, Deferred):
            self._inner = answer
            answer.addBoth(self._answered)
        else:
            self.promise.callback(answer)

    def _answered(self, result: Any) -> None:
        if not self.promise.called:
            self.promise.callback(result)

    def _call(self) -> Any:
        target = filled(self._target, _value_of)
        args, kwargs = filled(self._args, _value_of), filled(self._kwargs, _value_of)
        if self._args is None and not self._names:
            return target
        left = None if self._until is None else max(0.0, self._until - monotonic())
        answer = go_on(Halfway(0, target), self._names, args, kwargs, left)
        return answer if isinstance(answer, Promise) else self._finish(answer)


def _value_of(call: Promise) -> object:
    """Return the result of a promise that is known, or raise its error."""
    value = note_of(call).value
    if isinstance(value, Failure):
        value.raiseException()
    return value


def finished(result: Any) -> Any:
    """Return what a local call has given; a Deferred, if that is to be waited for."""
    if isinstance(result, Deferred):
        return follow(result)
    return ensureDeferred(result) if type(result) is CoroutineType else result

"""
`AwaitableDeferred`: a Deferred that coroutines await whoever drives them, Twisted or asyncio.

Twisted's driver takes Deferreds from a coroutine, and an asyncio task takes futures. A coroutine
does not say which of them drives it, and one may have begun the other: so it is tried. Where a
task is running, a future is yielded. A task goes on when that is done. Twisted's driver sends
whatever is no Deferred back at once, and is then given the Deferred.

A task that is cancelled cancels the Deferred, and with it the call at the peer: so
`asyncio.timeout`, ``wait_for`` and ``TaskGroup`` do. Its failure is then of no interest and is
not logged.

The result that comes is the task's, and stays in the Deferred for whoever awaits it next.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, current_task
from collections.abc import AsyncIterator, Callable, Generator
from threading import get_ident
from typing import Any, TypeVar, cast

from twisted.internet.defer import DebugInfo, Deferred
from twisted.python.failure import Failure

from txremote.errors import WrongThread
from txremote.refs.reading import Items
from txremote.refs.threadguard import ThreadGuard

T = TypeVar("T")

#: What a coroutine gives to that which drives it: a Deferred or a future.
Yielded = Any

_get_running_loop = asyncio._get_running_loop


def task_loop() -> AbstractEventLoop | None:
    """Return the asyncio loop that runs here, if a task of it is running."""
    loop = _get_running_loop()
    return None if loop is None or current_task(loop) is None else loop


class AwaitableDeferred(Deferred[T]):
    """A Deferred for Twisted's coroutines and for asyncio's tasks."""

    _guard: ThreadGuard | None = None

    def __await__(self) -> Generator[Yielded, Any, T]:
        result: Any
        if not self.called or self.paused:
            loop = _get_running_loop()  # task_loop(), without the call
            if loop is not None and current_task(loop) is not None:
                self._check_thread()
                future = loop.create_future()
                self.addBoth(_note_into(future, loop))
                future._asyncio_future_blocking = True  # as its own __await__ does
                try:
                    answer = yield future
                except asyncio.CancelledError:
                    _give_up(self)
                    raise
                if answer is not future:
                    result = future.result()
                    if isinstance(result, Failure):
                        _handled(self, result)
                        result.raiseException()
                    return result  # type: ignore[no-any-return]
            while not self.called or self.paused:
                yield self
        result = self.result
        if isinstance(result, Failure):  # as Twisted does it
            assert self._debugInfo is not None
            self._debugInfo.failResult = None
            result.raiseException()
        return result  # type: ignore[no-any-return]

    def __aiter__(self) -> AsyncIterator[Any]:
        """Give the items of what it fires with: a stream's, or those of another iterable."""
        return Items(self)

    def _check_thread(self) -> None:
        """Raise WrongThread where a task may not await it, which has not fired."""
        if self._guard is not None:
            check_awaited(self._guard)


def check_awaited(guard: ThreadGuard) -> None:
    """Raise WrongThread in a thread in which a task may not await what has not come."""
    try:
        guard.check()
    except WrongThread:
        raise WrongThread(
            "this result comes in the thread of its connection, which is another: await "
            "txremote.async_(reference)(...) here, whose result comes to any thread"
        ) from None


def awaitable(deferred: Deferred[T], guard: ThreadGuard | None = None) -> AwaitableDeferred[T]:
    """
    Make a Deferred an `AwaitableDeferred`.

    Args:
        deferred: One that nobody else has, such as that of a coroutine.
        guard: Says in which thread a task may await it before it has fired; None: in any.
    """
    kind = type(deferred)
    if kind is Deferred:
        # The same object: another one behind it would not be cancelled as a coroutine's is,
        # which fires when the coroutine has seen to that.
        deferred.__class__ = AwaitableDeferred
        made = cast("AwaitableDeferred[T]", deferred)
    elif issubclass(kind, AwaitableDeferred):
        made = cast("AwaitableDeferred[T]", deferred)
    else:  # it has a way of its own to be cancelled
        made = AwaitableDeferred(lambda _made: deferred.cancel())
        deferred.chainDeferred(made)
    if guard is not None:
        made._guard = guard
    return made


def callbacks_of(deferred: Deferred[Any]) -> list[Any]:
    """Return the callbacks of a Deferred that are still to be called; its own list."""
    found: list[Any] | None = deferred.__dict__.get("_callbacks")  # since Twisted 25.5
    return deferred.callbacks if found is None else found  # type: ignore[return-value]


def succeeded(result: T) -> AwaitableDeferred[T]:
    """Return a Deferred that has fired."""
    deferred: AwaitableDeferred[T] = AwaitableDeferred()
    deferred.callback(result)
    return deferred


def failed(error: BaseException | Failure) -> AwaitableDeferred[Any]:
    """Return a Deferred that has failed."""
    deferred: AwaitableDeferred[Any] = AwaitableDeferred()
    deferred.errback(error)
    return deferred


def until_fired(
    deferred: Deferred[Any], loop: AbstractEventLoop
) -> Generator[Yielded, Any, Future[Any] | None]:
    """Do as `until_noted`, for the result of a Deferred, which keeps it."""
    return until_noted(loop, deferred.addBoth, lambda: _give_up(deferred))


def until_noted(
    loop: AbstractEventLoop,
    subscribe: Callable[[Callable[[T], T]], object],
    give_up: Callable[[], object],
) -> Generator[Yielded, Any, Future[T] | None]:
    """
    Wait in a task for the call of a function.

    Args:
        loop: The task's.
        subscribe: Called with the function, which any thread may call with the result.
        give_up: Called when the task is cancelled.

    Returns:
        A future of the result; None where no task drives the coroutine, so that the Deferred is
        what to yield.
    """
    future: Future[T] = loop.create_future()
    subscribe(_note_into(future, loop))
    future._asyncio_future_blocking = True  # as its own __await__ does
    try:
        answer = yield future
    except asyncio.CancelledError:
        give_up()
        raise
    return None if answer is future else future


def _note_into(future: Future[T], loop: AbstractEventLoop) -> Callable[[T], T]:
    """Return a callback that gives a future the result, from any thread, and returns it."""
    thread = get_ident()

    def note(result: T) -> T:
        try:
            if get_ident() == thread:
                _set(future, result)
            else:
                loop.call_soon_threadsafe(_set, future, result)
        except RuntimeError:  # the loop is closed, and nobody waits in it
            return result
        return result

    return note


def _set(future: Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


class _Handled(DebugInfo):
    """Takes the place of the `DebugInfo` of a Deferred whose failure nobody wants to hear of."""

    def __del__(self) -> None:
        return


def _give_up(deferred: Deferred[Any]) -> None:
    """Cancel a Deferred. Its failure stays in it, and is not logged."""
    if deferred._debugInfo is not None:
        deferred._debugInfo.failResult = None
    deferred._debugInfo = _Handled()
    deferred.cancel()


def _handled(deferred: Deferred[Any], failure: Failure) -> None:
    """Note that a failure, if a Deferred is left with it, need not be logged."""
    info = deferred._debugInfo
    if info is not None and info.failResult is failure:
        info.failResult = None

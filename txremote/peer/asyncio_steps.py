"""
Coroutines that await asyncio's things, where an asyncio loop runs: with Twisted's asyncio
reactor.

A coroutine under a Deferred yields the Deferreds that it waits for, one in a task yields
asyncio's futures, and neither driver takes what the other's coroutines yield. An exposed
coroutine may await both. So it runs in a task, without which `asyncio.timeout`, `TaskGroup`
and the like do not work, and `_Steps` stands between: a Deferred that the coroutine yields
becomes a future for the task, and what is asyncio's goes through.

The first step runs at once, as under a Deferred, so that calls begin in the order in
which they came. A coroutine that ends with it has no need of the task. `asyncio.tasks`'
``_enter_task`` and ``_leave_task`` are what asyncio has for those that drive tasks
themselves ("Extending" in its documentation).
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure


def deferred_of(coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
    """
    Return a Deferred of a coroutine's result; it is begun at once.

    Args:
        coroutine: It may await Deferreds, and where an asyncio loop runs also asyncio's
            coroutines and futures. To cancel the Deferred cancels what it waits for.
    """
    loop = asyncio._get_running_loop()
    if loop is None:
        return Deferred.fromCoroutine(coroutine)
    return _in_task(coroutine, loop)


def _in_task(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> Deferred[Any]:
    ended: Deferred[Any] = Deferred(lambda _deferred: steps.cancel(task))
    steps = _Steps(coroutine, loop)
    context = copy_context()  # of all its steps, as under a Deferred
    task = loop.create_task(_finish(steps, ended), context=context)
    outer = asyncio.current_task(loop)
    if outer is not None:
        _leave_task(loop, outer)
    _enter_task(loop, task)
    try:
        context.run(steps.begin)
    except StopIteration as stop:
        task.cancel()  # it has not begun
        return succeed(stop.value)
    except BaseException:  # the caller's to see, SystemExit too
        task.cancel()
        return fail(Failure())
    finally:
        _leave_task(loop, task)
        if outer is not None:
            _enter_task(loop, outer)
    return ended


async def _finish(steps: _Steps, ended: Deferred[Any]) -> None:
    """Run the rest of the steps; nothing is raised, for a task lets SystemExit out."""
    result: Any
    try:
        result = await steps
    except asyncio.CancelledError:
        result = Failure(CancelledError())
    except BaseException:
        result = Failure()
    if not ended.called:  # it has been when it was cancelled, whatever the coroutine makes of that
        ended.callback(result)


class _Steps:
    """
    A coroutine's steps behind the first, for a task to await.
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._coroutine = coroutine
        self._loop = loop
        self._awaited: Any = None

    def begin(self) -> None:
        """
        Run the first step.

        Raises:
            StopIteration: it was the last; with the result.
            BaseException: what the coroutine raises.
        """
        self._awaited = self._coroutine.send(None)

    def cancel(self, task: asyncio.Task[None]) -> None:
        """
        Cancel what is awaited: a Deferred as Twisted does, and else the task.
        """
        if issubclass(type(self._awaited), Deferred):
            self._awaited.cancel()
        else:
            task.cancel()

    def __await__(self) -> Generator[Any, Any, Any]:
        step, told = self._coroutine.send, None
        while True:
            awaited = self._awaited
            try:
                if issubclass(type(awaited), Deferred):
                    yield from self._fired(awaited)
                else:
                    told = yield awaited
            except BaseException as error:  # the task was cancelled
                step, told = self._coroutine.throw, error
            try:
                self._awaited = step(told)
            except StopIteration as stop:
                return stop.value
            step, told = self._coroutine.send, None

    def _fired(self, deferred: Deferred[Any]) -> Generator[Any, Any, None]:
        """
        Wait until a Deferred has fired, which keeps its result for who awaits it.
        """
        fired = self._loop.create_future()

        def note(result: Any) -> Any:
            if not fired.done():
                fired.set_result(None)
            return result

        deferred.addBoth(note)
        try:
            yield from fired
        except asyncio.CancelledError:  # by asyncio, which wants to see its own error
            deferred.addErrback(lambda _failure: None)
            deferred.cancel()
            raise

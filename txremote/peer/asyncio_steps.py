"""
Coroutines that await asyncio's things, where an asyncio loop runs: with Twisted's asyncio
reactor.

Neither Deferreds nor tasks take what the other's coroutines yield, and an exposed coroutine
may await both. So it runs in a task, without which `asyncio.timeout`, `TaskGroup` and the like
do not work, and `_Steps` stands between: a Deferred that the coroutine yields becomes a future
for the task.

The first step runs at once, so that calls begin in the order in which they came. `asyncio.tasks`'
``_enter_task`` and ``_leave_task`` are there for code that drives tasks itself ("Extending" in
its documentation).
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txremote.refs.awaiting import until_fired

#: A coroutine of the service's: what it awaits is between it and its driver.
AnyCoroutine: TypeAlias = Coroutine[Any, Any, Any]


def deferred_of(coroutine: AnyCoroutine) -> Deferred[object]:
    """Begin a coroutine; return a Deferred of its result, which cancels what it waits for."""
    loop = asyncio._get_running_loop()
    if loop is None:
        return Deferred.fromCoroutine(coroutine)
    return _in_task(coroutine, loop)


def _in_task(coroutine: AnyCoroutine, loop: asyncio.AbstractEventLoop) -> Deferred[object]:
    steps = _Steps(coroutine, loop)
    ended: Deferred[object] = Deferred(lambda _deferred: steps.cancel(task))
    steps.ended = ended
    context = copy_context()  # of all its steps, as under a Deferred
    # not by the loop's task factory: an eager one would run it now
    task = asyncio.Task(steps, loop=loop, context=context)
    outer = asyncio.current_task(loop)
    if outer is not None:
        _leave_task(loop, outer)
    _enter_task(loop, task)
    try:
        context.run(steps.step, coroutine.send, None)
        steps.put_aside()
    finally:
        _leave_task(loop, task)
        if outer is not None:
            _enter_task(loop, outer)
    return ended


class _Steps(Coroutine[Any, Any, None]):
    """
    A coroutine's steps behind the first, as a coroutine that a task runs. It raises
    nothing, for a task lets SystemExit out: `ended` fires with it, unless it was cancelled.

    A task that is cancelled before it begins throws into what it runs, which no
    ``async def`` would notice: so this is a class.
    """

    ended: Deferred[object]

    def __init__(self, coroutine: AnyCoroutine, loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine = coroutine
        self._loop = loop
        self._awaited: Any = None  # what the coroutine has yielded
        self._over = False
        self._begun = False
        self._rest = self._run()

    def step(self, go_on: Callable[[Any], Any], value: Any) -> None:
        """Run one step of the coroutine."""
        result: object
        try:
            self._awaited = go_on(value)
            return
        except StopIteration as stop:
            result = stop.value
        except asyncio.CancelledError:
            result = Failure(CancelledError())
        except BaseException:
            result = Failure()
        self._over, self._awaited = True, None
        if not self.ended.called:  # it has when it was cancelled, whatever comes of that
            self.ended.callback(result)

    def put_aside(self) -> None:
        """
        Let others await the future that the first step has come to as well: the task gets it in
        the loop's next turn, and until a task has it asyncio lets nobody else.
        """
        if asyncio.isfuture(self._awaited):
            self._awaited._asyncio_future_blocking = False

    def _run(self) -> Generator[object, object, None]:
        while not self._over:
            value = None
            try:
                if issubclass(type(self._awaited), Deferred):
                    yield from until_fired(self._awaited, self._loop)
                else:
                    if asyncio.isfuture(self._awaited):
                        self._awaited._asyncio_future_blocking = True
                    value = yield self._awaited
            except BaseException as error:  # the task was cancelled
                self.step(self._coroutine.throw, error)
            else:
                self.step(self._coroutine.send, value)

    def cancel(self, task: asyncio.Task[None]) -> None:
        """Cancel what is awaited: a Deferred as Twisted does, and else the task."""
        if issubclass(type(self._awaited), Deferred):
            self._awaited.cancel()
        else:
            task.cancel()

    # -- what a task asks of a coroutine

    def send(self, value: Any) -> Any:
        """Go on."""
        self._begun = True
        return self._rest.send(value)

    def throw(self, error: Any, *rest: Any) -> Any:
        """Go on with an exception, such as that of a task that is cancelled."""
        if not self._begun:
            awaited = self.send(None)
            cancelled = isinstance(error, asyncio.CancelledError)
            # as a task does that waits: the future is cancelled, and says so
            if cancelled and asyncio.isfuture(awaited) and awaited.cancel():
                return awaited
        return self._rest.throw(error)

    def close(self) -> None:
        """Give up, as the loop does when it is closed."""
        self._rest.close()
        self._coroutine.close()

    def __await__(self) -> Generator[object, object, None]:
        return self._rest

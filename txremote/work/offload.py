"""
`offloaded`: a service's method whose body runs in a pool.

To a process pool the body goes by name: the child imports the module, finds the object in the
function's place, and takes the function out of it. ``self`` goes by value like any argument:
changes that the method makes to it are made there.

A threaded service's methods are called in worker threads. There the call is handed to the reactor,
and the lane waits for the Deferred, which fires in the reactor's thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, overload

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from txremote.errors import NotPicklable
from txremote.interfaces import IPool
from txremote.peer.variables import own_context
from txremote.refs.awaiting import AwaitableDeferred, awaitable
from txremote.refs.reactorthread import may_call_here
from txremote.work.declared import declared
from txremote.work.loops import loop_here
from txremote.work.named import OFFLOADED_MARK, by_name
from txremote.work.netrefs import from_netrefs, refuse_references
from txremote.work.pickling import dump_job
from txremote.work.pool import PoolService, name_of
from txremote.work.ports import IPoolReactor
from txremote.work.run import choose, name_unhandled
from txremote.work.threads import ThreadPool

Function = Callable[..., Any]


@overload
def offloaded(function: Function, /) -> Function: ...
@overload
def offloaded(
    *, pool: IPool | str | None = None, timeout: float | None = None
) -> Callable[[Function], Function]: ...


def offloaded(
    function: Function | None = None,
    /,
    *,
    pool: IPool | str | None = None,
    timeout: float | None = None,
) -> Any:
    """
    Have the body of a method, or of a function, run in a pool.

    Written ``@offloaded``, above or below ``@exposed``, or with arguments:
    ``@offloaded(pool="processes:2", timeout=60)``. A call gives a Deferred.

    Args:
        function: The decorated function.
        pool: An `IPool` or a description; None for the one that `run_async` would
            take.
        timeout: Seconds that the body may take, once it has begun.

    Raises:
        TypeError: it is no function, or one that gives a coroutine or a generator.
    """
    if function is None:
        return partial(_offload, pool=pool, timeout=timeout)
    return _offload(function, pool, timeout)


def _offload(
    function: Callable[..., object], pool: IPool | str | None, timeout: float | None
) -> Any:
    if isinstance(function, (staticmethod, classmethod)):
        inner = type(function)(_offload(function.__func__, pool, timeout))
        vars(inner).update(vars(function))  # it may have the mark of @exposed
        return inner
    if not inspect.isfunction(function):
        raise TypeError(f"@offloaded is for methods and functions, not {function!r}")
    if any(kind(function) for kind in _PROMISING):
        raise TypeError(
            f"{function.__qualname__} gives a coroutine or a generator, and those stay where they "
            "are made: @offloaded is for functions that return their result"
        )

    @wraps(function)
    def call(*args: object, **kwargs: object) -> Deferred[object]:
        reactor = loop_here(call.__name__)
        body = _Body(function, args, kwargs)
        if may_call_here(reactor):
            return body.start(reactor, pool, timeout)
        return body.start_from_thread(reactor, pool, timeout)

    setattr(call, OFFLOADED_MARK, function)
    return call


_PROMISING = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


class _Body:
    """One call of an offloaded function."""

    def __init__(
        self, function: Function, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._name = name_of(function)
        self._context = own_context()

    def start(
        self, reactor: IPoolReactor, pool: IPool | str | None, timeout: float | None
    ) -> Deferred[object]:
        """Submit it. In the reactor's thread."""
        deferred: Deferred[object]
        try:
            chosen = choose(reactor, pool)
            if chosen.by_value:
                function, args = by_name(self._function), self._args
                if not isinstance(chosen, PoolService):  # which sees to that itself
                    refuse_references(chosen, self._name, function, args, self._kwargs)
            else:
                function, args = declared(self._function, self._args, self._kwargs), self._args
                if not isinstance(chosen, ThreadPool):  # whose jobs run where they are submitted
                    function, args = own_context(self._context).run, (function, *args)
            # in the context of the call, which may have come from another thread
            deferred = self._context.run(
                chosen.submit, function, args, self._kwargs, timeout, self._name
            )
        except Exception:  # a description that makes no sense, say
            deferred = fail(Failure())
        deferred.addErrback(self._explain)
        name_unhandled(deferred, self._name)
        return awaitable(deferred)

    def start_from_thread(
        self, reactor: IPoolReactor, pool: IPool | str | None, timeout: float | None
    ) -> Deferred[object]:
        """Submit it from another thread. The Deferred fires in the reactor's thread."""
        self._args = from_netrefs(self._args)
        self._kwargs = {name: from_netrefs(value) for name, value in self._kwargs.items()}
        started: list[Deferred[object]] = []

        def cancel(_outcome: Deferred[object]) -> None:
            for job in started:
                job.cancel()

        outcome: Deferred[object] = AwaitableDeferred(cancel)

        def start() -> None:
            if not outcome.called:
                started.append(self.start(reactor, pool, timeout))
                started[0].addBoth(ended)

        def ended(result: object) -> None:
            if not outcome.called:
                outcome.callback(result)

        name_unhandled(outcome, self._name)
        reactor.callFromThread(start)
        return outcome

    def _explain(self, failure: Failure) -> Failure:
        """Explain a failure by ``self``, if that cannot go to another process."""
        if failure.check(NotPicklable) and self._args:
            owner = self._args[0]
            if hasattr(type(owner), self._function.__name__):
                try:
                    dump_job(type, (owner,), {}, self._name)
                except NotPicklable as problem:
                    error = NotPicklable(
                        f"{self._name} is offloaded, so its self goes to another process, by "
                        f"value, and cannot: {problem.__cause__}. Leave out what cannot be sent "
                        "with a __getstate__, make it a staticmethod, or say "
                        '@offloaded(pool="threads")'
                    )
                    error.__cause__ = problem.__cause__
                    return Failure(error)
        return failure

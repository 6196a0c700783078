"""
`run_async`: a callable, or a source, somewhere else (Evennia's ``run_async``).

An error that can be known before anything runs fails the Deferred as any other does. A job that
names no pool goes to the default pool if it runs, else to a preferred pool that runs, such as one
of processes, else to the threads of the reactor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import CoroutineType
from typing import Any

from twisted.internet.defer import DebugInfo, Deferred, fail
from twisted.python import threadable
from twisted.python.failure import Failure

from txremote.errors import WrongThread
from txremote.interfaces import IPool
from txremote.peer.asyncio_steps import deferred_of
from txremote.refs.awaiting import awaitable
from txremote.refs.netref import is_netref
from txremote.refs.reactorthread import may_call_here
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.refs.sharing import follow
from txremote.refs.signatures import signature_of
from txremote.work.loops import loop_here
from txremote.work.netrefs import refuse_references
from txremote.work.pool import PoolService, log, name_of
from txremote.work.ports import IPoolReactor
from txremote.work.python_source import RETURN, prepared, run_source, title_of
from txremote.work.running import RunningPools, check_loop, pools_of, running_pools
from txremote.work.spec import join, pool_from_string, split
from txremote.work.threads import ThreadPool

THREADS = ThreadPool.kind

_BY_NAME = "callbacks are given by name: at_return=..., at_err=..."


def run_async(
    function: Callable[..., object] | str,
    /,
    *args: object,
    at_return: Callable[..., object] | None = None,
    at_return_kwargs: Mapping[str, object] | None = None,
    at_err: Callable[..., object] | None = None,
    at_err_kwargs: Mapping[str, object] | None = None,
    use_thread: bool = False,
    proc_timeout: float | None = None,
    pool: IPool | str | None = None,
    **kwargs: object,
) -> Deferred[Any]:
    """
    Run a callable in a pool, so that the reactor is free meanwhile.

    Args:
        function: The callable; or a source, which needs a pool whose jobs run elsewhere. It finds
            the named arguments as variables, and its result is the value that it gives to
            ``_return``.
        *args: The callable's arguments.
        at_return: Called with the result. May give a Deferred or a coroutine, which may await
            asyncio's things where an asyncio loop runs; may be a remote reference or one of its
            methods.
        at_return_kwargs: Named arguments for that.
        at_err: Called with a Failure, that of ``at_return`` included.
        at_err_kwargs: Named arguments for that.
        use_thread: Whether it runs in a thread of the reactor in any case.
        proc_timeout: Seconds that the job may take, once it has begun.
        pool: An `IPool`, or the description of one, such as ``"processes:4"``.
        **kwargs: The callable's named arguments, or the source's variables.

    Returns:
        A Deferred of the result, or of what the callbacks give. Cancelling it cancels the job. A
        Failure that nobody handles is logged with the name of the callable.

    Raises:
        WrongThread: this is not the reactor's thread.
        RuntimeError: an asyncio loop runs here, and `txremote.aio` has not been imported.
    """
    reactor = loop_here("run_async")
    check_thread(reactor, "run_async")
    name = title_of(function) if isinstance(function, str) else name_of(function)
    return _with_callbacks(
        _begin(
            reactor, name, function, args, kwargs, at_return, at_err, use_thread, proc_timeout, pool
        ),
        name,
        reactor,
        at_return,
        at_return_kwargs,
        at_err,
        at_err_kwargs,
    )


def _begin(
    reactor: IPoolReactor,
    name: str,
    function: Callable[..., object] | str,
    args: tuple[object, ...],
    kwargs: dict[str, object],
    at_return: object,
    at_err: object,
    use_thread: bool,
    timeout: float | None,
    pool: IPool | str | None,
) -> Deferred[object]:
    # No frame on the stack here has the Deferred: a traceback would hold it, and a
    # Failure that nobody handles would be logged late.
    try:
        _check(at_return, at_err, timeout)
        if isinstance(function, str):
            source = _checked_source(function, args, kwargs)
            chosen = choose(reactor, pool, use_thread, by_value=True)
            _check_pool(chosen)
            return chosen.submit(run_source, (source,), kwargs, timeout, name)
        _check_call(function, args, kwargs)
        chosen = choose(reactor, pool, use_thread)
        if not isinstance(chosen, PoolService):  # which sees to that itself
            refuse_references(chosen, name, function, args, kwargs)
        return chosen.submit(function, args, kwargs, timeout, name)
    except Exception as error:  # a wrong argument, or any code of a kind of pool
        if error.__suppress_context__:
            error.__context__ = None  # the same goes for its frames
        return fail(error)


def _with_callbacks(
    deferred: Deferred[object],
    name: str,
    reactor: IPoolReactor,
    at_return: Callable[..., object] | None,
    at_return_kwargs: Mapping[str, object] | None,
    at_err: Callable[..., object] | None,
    at_err_kwargs: Mapping[str, object] | None,
) -> Deferred[object]:
    if at_return is not None:
        deferred.addCallback(_call_back, at_return, at_return_kwargs or {}, reactor)
    if callable(at_err):
        deferred.addErrback(_call_back, at_err, at_err_kwargs or {}, reactor)
    name_unhandled(deferred, name)
    return awaitable(deferred)


def choose(
    reactor: IPoolReactor,
    pool: IPool | str | None = None,
    use_thread: bool = False,
    by_value: bool = False,
) -> IPool:
    """
    Return the pool for a job. ValueError, TypeError: the description or the pool makes no sense.

    A description finds a pool that runs, else makes one, which is kept until the reactor stops.
    With `by_value` a job that names no pool goes elsewhere, if there is such a pool.
    """
    if pool is not None:
        if use_thread:
            raise TypeError("use_thread=True means a thread of the reactor, and pool= another")
        if isinstance(pool, str):
            return _described(reactor, pool)
        if not hasattr(pool, "submit"):
            raise TypeError(f"pool= is an IPool or a description such as 'threads:8', not {pool!r}")
        check_loop(pool, reactor)
        return pool
    if not use_thread:
        pool = preferred_pool(by_value, pools_of(reactor))
    return pool or pools_of(reactor).made.get((reactor, THREADS)) or _keep(reactor, THREADS)


def preferred_pool(by_value: bool = False, pools: RunningPools = running_pools) -> IPool | None:
    """
    Return the default pool if it runs, else the last started one that is preferred, if any.

    With `by_value`, where none is preferred, any pool whose jobs run elsewhere will do.
    """
    default = pools.default
    if default is not None and default.running and (default.by_value or not by_value):
        return default
    elsewhere = None
    for pool in reversed(pools.pools):
        if pool.by_value or not by_value:
            if getattr(pool, "preferred", False):
                return pool
            elsewhere = elsewhere or pool
    return elsewhere if by_value else None


def _described(reactor: IPoolReactor, text: str) -> IPool:
    description = join(*split(text))
    pools = pools_of(reactor)
    for pool in reversed(pools.pools):
        if pool.description == description:
            return pool
    return pools.made.get((reactor, description)) or _keep(reactor, description)


def _keep(reactor: IPoolReactor, description: str) -> IPool:
    """Make and start a pool that ends with the reactor."""
    if description == THREADS:  # no need to look for plugins on the disk
        pool: IPool = ThreadPool(reactor)
    else:
        pool = pool_from_string(description, reactor)
    key, pools = (reactor, description), pools_of(reactor)
    pools.made[key] = pool
    if isinstance(pool, PoolService):
        pool.ends_with_reactor = True
    else:
        stop = partial(pools.order.with_reactor, pool.stop)
        reactor.addSystemEventTrigger("before", "shutdown", stop)

    def failed(failure: Failure) -> None:
        if pool.running:  # and was not stopped while it started
            log.failure("{pool} did not start", failure, pool=pool)
            del pools.made[key]  # it may come up another time
            pool.stop()

    pool.start().addErrback(failed)
    return pool


def check_thread(reactor: IPoolReactor, name: str) -> None:
    """Raise WrongThread if this is not the reactor's thread."""
    if threadable.ioThread != threading.get_ident() and not may_call_here(reactor):
        if pools_of(reactor) is not running_pools:
            raise WrongThread(
                f"{name} is called in the event loop's thread: "
                f"loop.call_soon_threadsafe({name}, ...)"
            )
        raise WrongThread(
            f"{name} is called in the reactor's thread: reactor.callFromThread({name}, ...), or "
            f"blockingCallFromThread(reactor, {name}, ...) to wait for the result"
        )


def _check(at_return: object, at_err: object, timeout: object) -> None:
    for name, callback in (("at_return", at_return), ("at_err", at_err)):
        if callback is not None and not callable(callback):
            raise TypeError(f"{name}= takes a callable, not {callback!r}")
    if timeout is not None and not (isinstance(timeout, (int, float)) and timeout > 0):
        raise ValueError(f"proc_timeout= takes seconds, more than 0, not {timeout!r}")


def _check_call(
    function: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> None:
    """Check a call whose callbacks may have been given by position, as Evennia's example does."""
    if not callable(function):
        raise TypeError(f"run_async takes a callable or a source, not {function!r}")
    if not any(map(callable, args)):
        return
    if type(function) in (RemoteReference, RemotePath) or is_netref(function):
        return  # only its peer knows
    try:
        # what a decorator passes on to what it wraps is its own affair
        signature = signature_of(function, follow_wrapped=False)
    except (TypeError, ValueError):  # not every builtin tells
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as problem:
        raise TypeError(f"{name_of(function)}: {problem}; {_BY_NAME}") from None


def _checked_source(source: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    if args:
        raise TypeError(f"a source's variables are given by name, too; {_BY_NAME}")
    if RETURN in kwargs:
        raise TypeError(
            f"{RETURN} is the function by which a source gives its result, and no variable"
        )
    return prepared(source)


def _check_pool(pool: IPool) -> None:
    if not pool.by_value:
        raise RuntimeError(
            f"a source needs a process pool, and {pool.description} is none: start one (twistd "
            'txremote --pool processes:2), or say pool="processes:2"'
        )


def _call_back(
    result: object, callback: Any, kwargs: Mapping[str, object], reactor: IPoolReactor
) -> Any:
    """Call ``at_return`` or ``at_err``."""
    function: Callable[..., Any] = callback
    if is_netref(callback):  # it blocks
        return choose(reactor, use_thread=True).submit(function, (result,), kwargs)
    answer = function(result, **kwargs)
    if type(answer) is CoroutineType:
        return deferred_of(answer)
    return follow(answer) if issubclass(type(answer), Deferred) else answer


class _Unhandled(DebugInfo):
    """Logs the Failure that a Deferred is left with, and the job's name, when the Deferred dies."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __del__(self) -> None:
        if self.failResult is not None:
            failure, self.failResult = self.failResult, None
            log.failure("{job} failed, and nobody handles it", failure, job=self._name)


def name_unhandled(deferred: Deferred[object], name: str) -> None:
    """Have a Failure that nobody handles, at the end of all callbacks, logged with a name."""
    unhandled = _Unhandled(name)
    twisteds = deferred._debugInfo
    if twisteds is not None:
        unhandled.creator, unhandled.invoker = twisteds.creator, twisteds.invoker
        unhandled.failResult, twisteds.failResult = twisteds.failResult, None
    deferred._debugInfo = unhandled

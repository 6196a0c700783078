"""
`run_async`: a callable, or a source, somewhere else (Evennia's ``run_async``).

It chooses a pool, leaves the job there, and puts the callbacks behind it. What
can be known to be wrong is found before anything runs, and fails the Deferred as
anything else does. What was never right in Evennia's is named where it is done
otherwise here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType
from typing import Any

from twisted.internet.defer import DebugInfo, Deferred, fail
from twisted.python import threadable

from txremote.errors import WrongThread
from txremote.refs.netref import is_netref
from txremote.refs.reactorthread import may_call_here
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.refs.sharing import follow
from txremote.refs.signatures import signature_of
from txremote.work.choice import choose
from txremote.work.pool import log, name_of
from txremote.work.python_source import RETURN, prepared, run_source, title_of

_BY_NAME = "callbacks are given by name: at_return=..., at_err=..."


def run_async(
    function: Callable[..., Any] | str,
    /,
    *args: Any,
    at_return: Callable[..., Any] | None = None,
    at_return_kwargs: Mapping[str, Any] | None = None,
    at_err: Callable[..., Any] | None = None,
    at_err_kwargs: Mapping[str, Any] | None = None,
    use_thread: bool = False,
    proc_timeout: float | None = None,
    pool: Any = None,
    **kwargs: Any,
) -> Deferred[Any]:
    """
    Run a callable in a pool, so that the reactor is free meanwhile.

    Without a pool of its own it is a thread of the reactor's. With a process pool
    running, or a default one, it is that.

    Args:
        function: What to call; or a source, which needs a process pool. It finds
            the named arguments as variables, and what it gives to ``_return`` is
            the result.
        *args: The callable's arguments.
        at_return: Called with the result. May give a Deferred or a coroutine; may
            be a remote reference or one of its methods.
        at_return_kwargs: Named arguments for that.
        at_err: Called with a Failure, that of ``at_return`` included.
        at_err_kwargs: Named arguments for that.
        use_thread: Whether it is to be a thread of the reactor, in any case.
        proc_timeout: Seconds that the job may take, once it has begun.
        pool: An `IPool`, or the description of one, such as ``"processes:4"``.
        **kwargs: The callable's named arguments, or the source's variables.

    Returns:
        A Deferred of the result, or of what the callbacks give. Cancelling it
        cancels the job. A Failure that nobody handles is logged with the name of
        the callable.

    Raises:
        WrongThread: this is not the reactor's thread.
    """
    from twisted.internet import reactor

    check_thread(reactor, "run_async")
    name = title_of(function) if isinstance(function, str) else name_of(function)
    return _with_callbacks(
        _begin(reactor, function, args, kwargs, at_return, at_err, use_thread, proc_timeout, pool),
        name,
        reactor,
        at_return,
        at_return_kwargs,
        at_err,
        at_err_kwargs,
    )


def _begin(
    reactor: Any,
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    at_return: Any,
    at_err: Any,
    use_thread: bool,
    timeout: float | None,
    pool: Any,
) -> Deferred[Any]:
    # No frame that is on the stack here has the Deferred: a traceback would hold
    # it, and a Failure that nobody handles would be logged who knows when.
    try:
        _check(at_return, at_err, timeout)
        if isinstance(function, str):
            source = _checked_source(function, args, kwargs)
            chosen = choose(reactor, pool, use_thread, by_value=True)
            _check_pool(chosen)
            return chosen.submit(  # type: ignore[no-any-return]
                run_source, (source,), kwargs, timeout, title_of(function)
            )
        _check_call(function, args, kwargs)
        chosen = choose(reactor, pool, use_thread)
        return chosen.submit(function, args, kwargs, timeout)  # type: ignore[no-any-return]
    except Exception as error:  # a wrong argument, or any code of a kind of pool
        if error.__suppress_context__:
            error.__context__ = None  # the same goes for its frames
        return fail(error)


def _with_callbacks(
    deferred: Deferred[Any],
    name: str,
    reactor: Any,
    at_return: Any,
    at_return_kwargs: Mapping[str, Any] | None,
    at_err: Any,
    at_err_kwargs: Mapping[str, Any] | None,
) -> Deferred[Any]:
    if at_return is not None:
        deferred.addCallback(_call_back, at_return, at_return_kwargs or {}, reactor)
    if callable(at_err):
        deferred.addErrback(_call_back, at_err, at_err_kwargs or {}, reactor)
    name_unhandled(deferred, name)
    return deferred


def check_thread(reactor: Any, name: str) -> None:
    """
    Check that something may be called here.

    Raises:
        WrongThread: this is not the reactor's thread.
    """
    if threadable.ioThread != threading.get_ident() and not may_call_here(reactor):
        raise WrongThread(
            f"{name} is called in the reactor's thread: reactor.callFromThread({name}, ...), or "
            f"blockingCallFromThread(reactor, {name}, ...) to wait for the result"
        )


def _check(at_return: Any, at_err: Any, timeout: Any) -> None:
    for name, callback in (("at_return", at_return), ("at_err", at_err)):
        if callback is not None and not callable(callback):
            raise TypeError(f"{name}= takes a callable, not {callback!r}")
    if timeout is not None and not (isinstance(timeout, (int, float)) and timeout > 0):
        raise ValueError(f"proc_timeout= takes seconds, more than 0, not {timeout!r}")


def _check_call(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """
    Check a call before it is made, where it may have been given its callbacks by
    position, as an example of Evennia's has them. There they were arguments of
    the function too, and the error did not say so.
    """
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


def _checked_source(source: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    if args:
        raise TypeError(f"a source's variables are given by name, too; {_BY_NAME}")
    if RETURN in kwargs:
        raise TypeError(f"{RETURN} is what a source calls with its result, and no variable")
    return prepared(source)


def _check_pool(pool: Any) -> None:
    if not pool.by_value:
        raise RuntimeError(
            f"a source needs a process pool, and {pool.description} is none: start one (twistd "
            'txremote --pool processes:2), or say pool="processes:2"'
        )


def _call_back(result: Any, callback: Any, kwargs: Mapping[str, Any], reactor: Any) -> Any:
    """Call ``at_return`` or ``at_err``."""
    if is_netref(callback):  # it blocks
        return choose(reactor, use_thread=True).submit(callback, (result,), kwargs)
    answer = callback(result, **kwargs)
    if type(answer) is CoroutineType:
        return Deferred.fromCoroutine(answer)
    return follow(answer) if issubclass(type(answer), Deferred) else answer


class _Unhandled(DebugInfo):
    """
    Logs the Failure that a Deferred is left with, as Twisted's does, and says
    whose it is. It dies with the Deferred.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __del__(self) -> None:
        if self.failResult is not None:
            failure, self.failResult = self.failResult, None
            log.failure("{job} failed, and nobody handles it", failure, job=self._name)


def name_unhandled(deferred: Deferred[Any], name: str) -> None:
    """
    Have a Failure that nobody handles logged with a name.

    Args:
        deferred: Whose Failure. More callbacks may be added to it.
        name: The name.
    """
    unhandled = _Unhandled(name)
    twisteds = deferred._debugInfo
    if twisteds is not None:
        unhandled.creator, unhandled.invoker = twisteds.creator, twisteds.invoker
        unhandled.failResult, twisteds.failResult = twisteds.failResult, None
    deferred._debugInfo = unhandled

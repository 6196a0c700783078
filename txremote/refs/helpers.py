"""
`async_` and `timed`: a call whose result is an `AsyncResult` (``rpyc.utils.helpers``).

RPyC's take proxies only and have to be kept in a variable; these take any callable, in any
thread: a remote reference is called in the thread of its connection.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import get_ident
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from txremote.refs.asyncresult import AsyncResult
from txremote.refs.driver import ReactorDriver
from txremote.refs.netref import NetrefMethod, is_netref
from txremote.refs.ports import Answer, RequestContext
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.refs.sharing import follow


def _start(
    proxy: Callable[..., object],
    args: tuple[object, ...],
    kwargs: dict[str, object],
    deadline: float | None = None,
) -> AsyncResult:
    """Start a call. A txremote peer is told in how many seconds it expires (``deadline``)."""
    if is_netref(proxy):
        names: tuple[str, ...] = ()
        owner: Any = proxy
        if type(proxy) is NetrefMethod:
            owner, names = proxy.____owner__, (proxy.____name__,)
        conn = owner.____conn__
        if not owner.____late__:
            started: AsyncResult = conn.async_call(owner.____ref__, names, args, kwargs, deadline)
            return started
        proxy = owner.____path__(names)  # there may be no connection yet
        args = conn.from_netrefs(args)
        kwargs = {name: conn.from_netrefs(value) for name, value in kwargs.items()}

    base: object = proxy
    names = ()
    if isinstance(proxy, RemotePath):
        base, names = proxy._base, proxy._names
    if isinstance(base, RemoteReference):
        executor = base._connection.executor
    elif isinstance(base, LateReference):
        executor = base.executor
    else:
        # partial, for maybeDeferred has a parameter f, as kwargs may
        return _of_local(maybeDeferred(partial(proxy, *args, **kwargs)))
    return _start_in(executor, partial(base._call, names, args, kwargs, deadline))


def _of_local(called: Answer) -> AsyncResult:
    """Return the result of a callable that is not remote."""
    followed, driver, thread = follow(called), ReactorDriver(), get_ident()

    def cancel() -> None:
        if get_ident() == thread or driver.call_later(0, followed.cancel) is None:
            followed.cancel()

    return AsyncResult(followed, driver, cancel)


def _start_in(executor: RequestContext, call: Callable[[], Answer]) -> AsyncResult:
    """Start a call in a connection's context."""
    waiting: Answer = Deferred()
    started: list[Answer] = []

    def start() -> None:
        started.append(maybeDeferred(call))
        started[0].chainDeferred(waiting)

    def cancel() -> None:
        def stop() -> None:
            for answer in started:
                answer.cancel()

        executor.submit(stop)

    def ended() -> None:
        if result.expired:  # no thread waits any more, so the peer need not go on
            cancel()

    result = AsyncResult(waiting, executor.driver, cancel)
    result.when_ended(ended)
    executor.submit(start)
    return result


class async_:  # RPyC's name, which a class may carry as a function may
    """
    Make a callable give an `AsyncResult` at once instead of waiting.

    Args:
        proxy: A remote reference, one of its methods, or any other callable; a
            callable that returns a Deferred or a coroutine fits too.

    Raises:
        TypeError: it is not callable.

    Example::

        result = async_(conn.root.crunch)(1000)
        result.add_callback(lambda result: print(result.value))
    """

    __slots__ = ("__weakref__", "proxy")

    def __init__(self, proxy: Callable[..., object]) -> None:
        if not callable(proxy):
            raise TypeError(f"async_ takes a callable, not {proxy!r}")
        self.proxy = proxy

    def __call__(self, /, *args: object, **kwargs: object) -> AsyncResult:
        """Start the call. Its exception is in the result, and is never raised here."""
        return _start(self.proxy, args, kwargs)

    def __repr__(self) -> str:
        return f"async_({self.proxy!r})"


class timed:  # RPyC's name
    """
    Make a callable give an `AsyncResult` that expires.

    Args:
        proxy: A callable, as for `async_`.
        timeout: Seconds from the call on.
    """

    __slots__ = ("__weakref__", "proxy", "timeout")

    def __init__(self, proxy: Callable[..., object], timeout: float) -> None:
        self.proxy = async_(proxy)
        self.timeout = timeout

    def __call__(self, /, *args: object, **kwargs: object) -> AsyncResult:
        """Start the call and the clock."""
        result = _start(self.proxy.proxy, args, kwargs, self.timeout)
        result.set_expiry(self.timeout)
        return result

    def __repr__(self) -> str:
        return f"timed({self.proxy.proxy!r}, {self.timeout!r})"

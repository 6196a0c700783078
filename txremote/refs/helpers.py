"""
`async_` and `timed`: a call whose result is an `AsyncResult` (RPyC's
``rpyc.utils.helpers``).

RPyC's wrapper takes proxies only and has to be kept in a variable; these take
any callable and may be used at once. They may be called from any thread: the
call of a remote reference is handed to its connection's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from txremote.refs.asyncresult import AsyncResult
from txremote.refs.netref import BaseNetref, NetrefMethod
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.refs.sharing import follow


def _home_of(target: Any) -> tuple[Any, Any]:
    """
    Return the executor of the connection that a remote callable belongs to, and what
    is told how long a call may take: the connection, or what will know it.
    """
    base = target._base if isinstance(target, RemotePath) else target
    if isinstance(base, LateReference):
        return base.executor, base
    if isinstance(base, RemoteReference):
        return base._connection.executor, base._connection
    return None, None


def _begin(
    proxy: Any, args: tuple[Any, ...], kwargs: dict[str, Any], limit: float | None = None
) -> AsyncResult:
    """
    Start a call.

    Args:
        proxy: What is called.
        args: Its arguments.
        kwargs: Its named arguments.
        limit: For how many seconds its result will be waited for, or None: a
            txremote peer is told.
    """
    if issubclass(type(proxy), BaseNetref) or type(proxy) is NetrefMethod:
        result: AsyncResult = proxy.____conn__.async_call(proxy, args, kwargs, limit)
        return result

    def call() -> Any:  # not by maybeDeferred's keywords, one of which is f
        return proxy(*args, **kwargs)

    executor, home = _home_of(proxy)
    if executor is None:
        return AsyncResult(follow(maybeDeferred(call)))
    waiting: Deferred[Any] = Deferred()
    started: list[Deferred[Any]] = []

    def start() -> None:
        started.append(home.limited(limit, lambda: maybeDeferred(call)))
        started[0].chainDeferred(waiting)

    def ended() -> None:
        if result.expired:  # nobody waits any more, so the peer need not go on
            executor.submit(started[0].cancel)

    result = AsyncResult(waiting, executor.driver)
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

    def __init__(self, proxy: Callable[..., Any]) -> None:
        if not callable(proxy):
            raise TypeError(f"async_ takes a callable, not {proxy!r}")
        self.proxy = proxy

    def __call__(self, /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Start the call. Never raises what the call raises: the result has it."""
        return _begin(self.proxy, args, kwargs)

    def __repr__(self) -> str:
        return f"async_({self.proxy!r})"


class timed:  # RPyC's name
    """
    Make a callable give an `AsyncResult` that expires.

    Args:
        proxy: As `async_` takes it.
        timeout: Seconds from the call on.
    """

    __slots__ = ("__weakref__", "proxy", "timeout")

    def __init__(self, proxy: Callable[..., Any], timeout: float) -> None:
        self.proxy = async_(proxy)
        self.timeout = timeout

    def __call__(self, /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Start the call and the clock."""
        result = _begin(self.proxy.proxy, args, kwargs, self.timeout)
        result.set_expiry(self.timeout)
        return result

    def __repr__(self) -> str:
        return f"timed({self.proxy.proxy!r}, {self.timeout!r})"

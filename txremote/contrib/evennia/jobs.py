"""
`run_async` for a game: in a thread unless a process is asked for, and from any thread.

In a thread a job shares the Server's objects, and what it does to them is seen at once; it must not
do what only the reactor's thread may, such as ``obj.msg()``. In a process it has its own, see
`txremote.contrib.evennia.travelling`, ``obj.msg()`` is said by the Server, and what it changes is
read again there before the callbacks run, see `txremote.contrib.evennia.changes`. A process does
not see what the Server has changed in a transaction that is still open. The callbacks always run
in the reactor's thread, where everything of the game may be used.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import MethodType
from typing import Any, Final

from evennia.accounts.models import AccountDB
from evennia.objects.models import ObjectDB
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python import threadable
from twisted.python.failure import Failure

from txremote.contrib.evennia.awaiting import driven_command
from txremote.contrib.evennia.gamepools import GamePool
from txremote.contrib.evennia.runtime import RELOADING, runtime
from txremote.errors import PoolStopped
from txremote.interfaces import IPool
from txremote.levels import Logger
from txremote.refs.reactorthread import may_call_here
from txremote.work import run
from txremote.work.loops import loop_here
from txremote.work.ports import IPoolReactor
from txremote.work.running import running_pools

_log = Logger("txremote.game")

_NO_POOL: Final = (
    "the game has no pool of processes: say so in server/conf/settings.py, "
    'TXREMOTE = {"pool": "processes:2"}, and reload'
)
_IN_WORKER: Final = (
    "run_async is called in a job's own process, where nothing would hear of its end: call the "
    "function, or begin the job in the Server, by live(...)"
)


def run_async(
    function: Callable[..., object] | str,
    /,
    *args: object,
    at_return: Callable[..., object] | None = None,
    at_return_kwargs: Mapping[str, object] | None = None,
    at_err: Callable[..., object] | None = None,
    at_err_kwargs: Mapping[str, object] | None = None,
    use_thread: bool = False,
    process: bool = False,
    proc_timeout: float | None = None,
    pool: IPool | str | None = None,
    **kwargs: object,
) -> Any:
    """
    Run a callable, so that the game goes on meanwhile.

    Args:
        function: The callable; or a source, which goes to the game's processes, finds the named
            arguments as variables, and gives its result to ``_return``.
        *args: Its arguments. Objects of the game arrive as the receiving process's own.
        at_return: Called with the result, in the reactor's thread. May give a Deferred or a
            coroutine.
        at_return_kwargs: Named arguments for that.
        at_err: Called with a Failure, that of ``at_return`` included, in the reactor's thread.
        at_err_kwargs: Named arguments for that.
        use_thread: Whether it runs in a thread of the Server, which it does anyway.
        process: Whether it runs in the pool that ``TXREMOTE["pool"]`` describes.
        proc_timeout: Seconds that the job may take, once it has begun.
        pool: Another pool, or the description of one.
        **kwargs: Its named arguments, or the source's variables.

    Returns:
        In the reactor's thread a Deferred, as of `txremote.run_async`. In another thread a
        `concurrent.futures.Future` of the same. Cancelling either cancels the job. An error that
        nobody asks for is logged.

    Raises:
        RuntimeError: this is a worker process.
        TypeError: ``process=True`` beside ``use_thread=True`` or ``pool=``.
    """
    if running_pools.in_worker:
        raise RuntimeError(_IN_WORKER)
    if process and (use_thread or pool is not None):
        raise TypeError("process=True means the game's pool, and use_thread= or pool= another")
    reactor = loop_here("run_async")
    who = _for_whom(function, args, at_return, at_err)

    def begin() -> Deferred[Any]:
        return run.run_async(
            function,
            *args,
            at_return=at_return,
            at_return_kwargs=at_return_kwargs,
            at_err=at_err,
            at_err_kwargs=at_err_kwargs,
            use_thread=False,
            proc_timeout=proc_timeout,
            pool=_pool_for(reactor, function, process, pool, who),
            **kwargs,
        )

    if threadable.ioThread in (None, threading.get_ident()) or may_call_here(reactor):
        return begin()
    return _from_thread(reactor, begin)


def _pool_for(
    reactor: IPoolReactor,
    function: object,
    process: bool,
    pool: IPool | str | None,
    who: object,
) -> Any:
    """Return the pool for a job, as the game uses it."""
    chosen: IPool | None
    if pool is not None:
        chosen = run.choose(reactor, pool)
    elif process or isinstance(function, str):
        chosen = runtime.pool
    else:
        chosen = run.choose(reactor, use_thread=True)
    return GamePool(reactor, chosen, who, _NO_POOL)


def _for_whom(
    function: object, args: tuple[object, ...], at_return: object, at_err: object
) -> object:
    """Return the object or account for which a job seems to be done; None: no idea."""
    # by type: a remote function would be asked over the network
    methods = [each for each in (at_return, at_err, function) if type(each) is MethodType]
    owners = [*(method.__self__ for method in methods), driven_command()]
    callers = [getattr(owner, "caller", None) for owner in owners]
    for found in (*callers, *owners, *args):
        if issubclass(type(found), (ObjectDB, AccountDB)):
            return found
    return None


class JobFuture(Future[Any]):
    """The Future of a job that another thread than the reactor's has begun."""

    def __init__(self) -> None:
        super().__init__()
        self._was_asked = False

    def result(self, timeout: float | None = None) -> Any:
        """Return the result; see `concurrent.futures.Future.result`."""
        self._was_asked = True
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error; see `concurrent.futures.Future.exception`."""
        self._was_asked = True
        return super().exception(timeout)

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Have a function called at the end; see `concurrent.futures.Future.add_done_callback`."""
        self._was_asked = True
        super().add_done_callback(fn)

    def __del__(self) -> None:
        error = None if self._was_asked or self.cancelled() else super().exception(0)
        if error is not None:
            _log.failure("a job has failed, and nobody asked for its result", Failure(error))


_pending: set[JobFuture] = set()
_watched: list[object] = []  # reactors


def _from_thread(reactor: IPoolReactor, begin: Callable[[], Deferred[Any]]) -> JobFuture:
    """Begin a job in the reactor's thread, with this thread's context."""
    future = JobFuture()
    if runtime.stopping:  # the reactor might not come to it any more
        future.set_exception(PoolStopped(RELOADING))
        return future
    context = contextvars.copy_context()
    started: list[Deferred[Any]] = []

    def start() -> None:
        _watch_end(reactor)
        if future.cancelled():
            return
        deferred = context.run(_begun, begin)
        started.append(deferred)
        deferred.addCallbacks(_set, _set_error, (future,), {}, (future,), {})

    def ended(done: Future[Any]) -> None:
        _pending.discard(future)
        if done.cancelled():
            reactor.callFromThread(_cancel, started)

    _pending.add(future)
    Future.add_done_callback(future, ended)
    reactor.callFromThread(start)
    return future


def _cancel(started: list[Deferred[Any]]) -> None:
    for deferred in started:
        deferred.cancel()


def _begun(begin: Callable[[], Deferred[Any]]) -> Deferred[Any]:
    try:
        return begin()
    except Exception:  # a pool's description that makes no sense
        return fail(Failure())


def _set(result: object, future: JobFuture) -> None:
    if not future.done():
        future.set_result(result)


def _set_error(failure: Failure, future: JobFuture) -> None:
    if future.done():
        return
    if failure.check(CancelledError) and future.cancel():
        return
    future.set_exception(failure.value)


def _watch_end(reactor: IPoolReactor) -> None:
    """Fail what other threads wait for when the reactor has stopped: it would start nothing."""
    if reactor not in _watched:
        _watched.append(reactor)
        reactor.addSystemEventTrigger("after", "shutdown", _end_pending)


def _end_pending() -> None:
    for future in list(_pending):
        if not future.done():
            future.set_exception(PoolStopped(RELOADING))

"""
What every pool shares: its life as a Twisted service, and its figures.

A pool is an `IService`, so it can be hung under an application, and has
``start()`` and ``stop()`` for programs that want to wait for either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txremote.refs import forks
from txremote.refs.netref import BaseNetref, NetrefMethod
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.work.running import running_pools

log = Logger("txremote")

#: How many jobs may wait in a pool, where its ``queue=`` says nothing else.
DEFAULT_QUEUE = 10_000


@dataclass(frozen=True)
class PoolStatistics:
    """
    What a pool is doing, and has done since it was made.

    Attributes:
        workers: Threads or processes that it has.
        busy: Those of them that run a job, abandoned ones included.
        queued: Jobs that wait.
        done: Jobs that ended well.
        failed: Jobs that ended with an exception, or with their worker.
        killed: Jobs that were ended: cancelled or timed out while they ran.
        abandoned: Jobs that were cancelled or timed out, and still run since
            nothing can stop them; their workers are busy.
    """

    workers: int = 0
    busy: int = 0
    queued: int = 0
    done: int = 0
    failed: int = 0
    killed: int = 0
    abandoned: int = 0


class PoolService(Service):
    """
    The life of a pool. What differs is what `open` and `close` do.

    Attributes:
        running: Whether it has been started, and not stopped.
        home: The process that has started it.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._opening: Deferred[tuple[Any]] | None = None
        self._closing: Deferred[tuple[Any]] | None = None
        self.home = forks.here

    def __repr__(self) -> str:
        state = "running" if self.running else "stopped"
        return f"<{type(self).__name__} {self.description} {state}>"

    def open(self) -> Any:
        """Begin to take jobs. Returns None, or a Deferred of being warm."""
        raise NotImplementedError

    def close(self) -> Any:
        """End everything. Returns None, or a Deferred of having ended."""
        raise NotImplementedError

    def start(self) -> Deferred[None]:
        """Start it; see `txremote.interfaces.IPool`."""
        if not self.running:
            self.home = forks.here
            super().startService()  # type: ignore[no-untyped-call]
            running_pools.add(self)
            self._opening = _kept(self.open)
        return _fork(self._opening)

    def stop(self) -> Deferred[None]:
        """Stop it; see `txremote.interfaces.IPool`."""
        if self.home is not forks.here:  # the parent goes on with it
            return succeed(None)
        if self.running:
            super().stopService()  # type: ignore[no-untyped-call]
            running_pools.discard(self)
            self._closing = _kept(self.close)
        return _fork(self._closing)

    def startService(self) -> None:
        """Start it, as a service of an application."""

        def failed(failure: Failure) -> None:
            if self.running:  # and was not stopped while it started
                log.failure("{pool} did not start", failure, pool=self)

        self.start().addErrback(failed)

    def stopService(self) -> Deferred[None]:
        """Stop it, as a service of an application."""
        return self.stop()


def name_of(function: Any) -> str:
    """Return what a callable is called in the log and in errors."""
    kind = type(function)
    if kind is partial:
        return name_of(function.func)
    if kind is RemoteReference or kind is RemotePath:
        return repr(function)
    if kind is NetrefMethod:
        return str(function.____name__)
    if issubclass(kind, BaseNetref):  # whatever else it is asked, it asks its peer
        return kind.__name__
    name = getattr(function, "__qualname__", None)
    return name if type(name) is str else kind.__qualname__


def _kept(function: Callable[[], Any]) -> Deferred[tuple[Any]]:
    # in a tuple, a Failure can be kept for everybody who asks
    return maybeDeferred(function).addBoth(lambda result: (result,))


def _fork(kept: Deferred[tuple[Any]] | None) -> Deferred[None]:
    """Return a new Deferred of what another is kept for, or of nothing."""
    if kept is None:
        return succeed(None)
    fork: Deferred[None] = Deferred()

    def tell(result: tuple[Any]) -> tuple[Any]:
        if not fork.called:
            fork.callback(result[0])
        return result

    kept.addCallback(tell)
    return fork

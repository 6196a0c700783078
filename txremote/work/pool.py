"""`PoolService`: the part that all pools share, as services of an application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.errors import JobTimeout, NotPicklable, PoolFull, PoolStopped
from txremote.interfaces import IPool
from txremote.levels import Logger
from txremote.refs import forks
from txremote.refs.awaiting import AwaitableDeferred, failed, succeeded
from txremote.refs.clock import steady
from txremote.refs.netref import BaseNetref, NetrefMethod
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.work.netrefs import refuse_references
from txremote.work.ports import Args, Function, IPoolReactor, Kwargs
from txremote.work.room import WaitingLine
from txremote.work.running import pools_of

log = Logger("txremote")

#: Takes a job in place of a pool's own function, which it gets first, before the pool, the job's
#: function, its arguments, its named ones, the time-out and the name.
JobWatcher = Callable[..., Deferred[Any]]

#: How many jobs may wait in a pool, where its ``queue=`` says nothing else.
DEFAULT_QUEUE = 10_000


@dataclass(frozen=True)
class PoolStatistics:
    """The present and the past of a pool, since it was made."""

    workers: int = 0
    busy: int = 0  # of the workers, those with abandoned jobs included
    queued: int = 0
    done: int = 0
    failed: int = 0  # with an exception, or with their worker
    killed: int = 0  # cancelled or timed out while they ran
    abandoned: int = 0  # cancelled or timed out, and still running: nothing can stop them
    restarted: int = 0  # workers that ended unasked, and were replaced


@implementer(IPool)
class PoolService(Service):
    """
    The part that all kinds of pools have in common: `IPool`, and its life as a service.

    A kind of pool is a class with a `kind`, and `_submit`, which runs one job. `open` and `close`
    are there for a kind that has something to set up. One that accounts for its jobs itself
    overrides `_accept` in place of `_submit`, and `statistics`.
    """

    kind = ""
    by_value = True
    can_call_back = False
    preferred = False
    #: Takes the jobs of all pools, where it is not None: a tracer.
    job_watcher: ClassVar[JobWatcher | None] = None

    def __init__(
        self, reactor: IPoolReactor, description: str, queue: int = DEFAULT_QUEUE, workers: int = 1
    ) -> None:
        self.description = description
        self.shared = True  # whether run_async may find it among those that run
        self.ends_with_reactor = True  # at the latest
        self.home = forks.here  # the process that has started it
        self._reactor = reactor
        self._siblings = pools_of(reactor)
        self._most_queued = queue
        self._most_running = workers
        self._done = self._failed = self._killed = 0
        self._unfinished: dict[Deferred[object], tuple[str, Deferred[object]]] = {}
        self._opening: Deferred[tuple[Failure | None]] | None = None
        self._closing: Deferred[tuple[Failure | None]] | None = None
        self._trigger: object = None
        self._warming_up: Deferred[None] | None = None
        self._line: WaitingLine | None = None  # since somebody has asked for room

    def __repr__(self) -> str:
        state = "running" if self.running else "stopped"
        return f"<{type(self).__name__} {self.description} {state}>"

    # -- for a kind to supply

    def open(self) -> Deferred[None] | None:
        """Begin to take jobs. Returns None, or a Deferred that fires when workers are ready."""
        return None

    def close(self) -> Deferred[None] | None:
        """End everything. Returns None, or a Deferred that fires when nothing is left."""
        return None

    def _submit(
        self, function: Function, args: Args, kwargs: Kwargs, timeout: float | None, name: str
    ) -> Deferred[object]:
        """Run a job and keep its time-out. The Deferred may be cancelled at any time."""
        raise NotImplementedError

    def _warm_up(self) -> Deferred[None]:
        """Return a Deferred for `open` to return, which `_end_warm_up` fires."""
        self._warming_up = Deferred()
        return self._warming_up

    def _end_warm_up(self, problem: Exception | None = None) -> None:
        warm, self._warming_up = self._warming_up, None
        if warm is not None:
            warm.callback(None if problem is None else Failure(problem))

    def start(self) -> Deferred[None]:
        """Start it."""
        if not self.running:
            self.home = forks.here
            super().startService()  # type: ignore[no-untyped-call]
            if self.shared:
                self._siblings.add(self)
            if self.ends_with_reactor:
                self._trigger = self._reactor.addSystemEventTrigger(
                    "before", "shutdown", self._shut_down
                )
            self._opening = _kept(self.open)
        return _fork(self._opening)

    def stop(self) -> Deferred[None]:
        """Stop it."""
        if self.home is not forks.here:  # the parent goes on with it
            return succeeded(None)
        if self.running:
            super().stopService()  # type: ignore[no-untyped-call]
            self._siblings.discard(self)
            if self._trigger is not None:
                self._reactor.removeSystemEventTrigger(self._trigger)
                self._trigger = None
            line, self._line = self._line, None
            if line is not None:
                line.fail(partial(self._stopped, "room()"))
            for outcome, (name, job) in list(self._unfinished.items()):
                if not outcome.called:
                    outcome.errback(self._stopped(name))
                    job.cancel()
            self._closing = _kept(self.close)
        return _fork(self._closing)

    def _shut_down(self) -> Deferred[None]:
        self._trigger = None  # it cannot be taken back any more
        return self._siblings.order.with_reactor(self.stop)

    def startService(self) -> None:
        """Start it, as a service of an application."""

        def not_started(failure: Failure) -> None:
            if self.running:  # and was not stopped while it started
                log.failure("{pool} did not start", failure, pool=self)

        self.start().addErrback(not_started)

    def stopService(self) -> Deferred[None]:
        """Stop it, as a service of an application: after the servers that stop with that."""
        return self._siblings.order.of_service(self, self.stop)

    def submit(
        self,
        function: Function,
        args: Args = (),
        kwargs: Kwargs | None = None,
        timeout: float | None = None,
        name: str | None = None,
    ) -> Deferred[Any]:
        """Run a job."""
        if self.home is not forks.here:
            return failed(forks.wrong_process(self.home, "pool"))
        if not self.running:
            return failed(self._not_running())
        if self._line is not None:
            self._line.job_came()
        job = function, args, kwargs or {}, timeout, name or name_of(function)
        watcher = PoolService.job_watcher
        try:
            return self._accept(*job) if watcher is None else watcher(self._accept, self, *job)
        except (NotPicklable, PoolFull, PoolStopped) as refusal:
            return failed(refusal)

    def room(self) -> Deferred[None]:
        """
        Return a Deferred that fires when the pool would take another job.

        At once if it would now; else those who wait are served in order, one for each place, which
        is kept for a moment: `submit` then, or let it be. Fails with PoolStopped.
        """
        if self.home is not forks.here:
            return failed(forks.wrong_process(self.home, "pool"))
        if not self.running:
            return failed(self._not_running())
        if self._line is None:
            self._line = WaitingLine(steady(self._reactor), self._places)
        return self._line.wait()

    def _places(self) -> int:
        """Return how many jobs more would be taken now, at least."""
        return self._most_queued + self._most_running - len(self._unfinished)

    def _made_room(self) -> None:
        """Note that there may be a place more: a job has ended, say."""
        if self._line is not None:
            self._line.move_up()

    def _accept(
        self, function: Function, args: Args, kwargs: Kwargs, timeout: float | None, name: str
    ) -> Deferred[object]:
        """Take a job, keep account of it, and have `_submit` run it. PoolFull: too many wait."""
        if len(self._unfinished) >= self._most_queued + self._most_running:
            raise self._full()
        refuse_references(self, name, function, args, kwargs)
        job = maybeDeferred(self._submit, function, args, kwargs, timeout, name)
        outcome: Deferred[object] = AwaitableDeferred(lambda _outcome: job.cancel())
        self._unfinished[outcome] = name, job
        job.addBoth(self._finished, outcome)
        return outcome

    def _finished(self, result: Any, outcome: Deferred[object]) -> None:
        del self._unfinished[outcome]
        ended = issubclass(type(result), Failure) and result.check(CancelledError, JobTimeout)
        if ended:
            self._killed += 1
        else:
            self._count(result)
        if not outcome.called:
            outcome.callback(result)
        self._made_room()

    def _count(self, result: Any) -> Failure | None:
        """Count a job that has ended by itself, and return its Failure, if it has one."""
        if issubclass(type(result), Failure):  # its __class__ may be any code
            self._failed += 1
            failure: Failure = result
            return failure
        self._done += 1
        return None

    def _not_running(self) -> PoolStopped:
        return PoolStopped(f"the pool {self.description} does not run: start() it")

    def _stopped(self, name: str) -> PoolStopped:
        return PoolStopped(f"{name}: the pool {self.description} was stopped")

    def _full(self) -> PoolFull:
        return PoolFull(
            f"{self._most_queued} jobs wait for the pool {self.description} already (option queue=)"
        )

    def statistics(self) -> PoolStatistics:
        """Return what it is doing."""
        unfinished = len(self._unfinished)
        return PoolStatistics(
            workers=self._most_running,
            busy=min(unfinished, self._most_running),
            queued=max(0, unfinished - self._most_running),
            done=self._done,
            failed=self._failed,
            killed=self._killed,
        )


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


def _kept(function: Callable[[], object]) -> Deferred[tuple[Failure | None]]:
    # in a tuple, a Failure can be kept for everybody who asks
    kept: Deferred[Any] = maybeDeferred(function).addBoth(lambda result: (result,))
    return kept


def _fork(kept: Deferred[tuple[Failure | None]] | None) -> Deferred[None]:
    """Return a new Deferred of what another is kept for, or of nothing."""
    if kept is None:
        return succeeded(None)
    fork: Deferred[None] = AwaitableDeferred()

    def tell(result: tuple[Failure | None]) -> tuple[Failure | None]:
        if not fork.called:
            fork.callback(result[0])
        return result

    kept.addCallback(tell)
    return fork

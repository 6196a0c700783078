"""The zope interfaces of pools, which `txremote.interfaces` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twisted.internet.defer import Deferred


class IPool(IService):
    """
    A place where a callable can run: threads, processes, other machines.

    All methods are for the reactor's thread. `txremote.work.pool.PoolService` implements
    all of it but the running of a job. A pool that lacks `can_call_back` or `preferred` counts as
    one whose jobs, if they run elsewhere, cannot call back, and that is not preferred. Nothing of
    txremote calls `room`, so a pool may lack that, too.
    """

    kind = Attribute("What it is made of: its prefix in a description, such as 'processes'.")
    description = Attribute("The pool as `pool_from_string` takes it, for messages.")
    by_value = Attribute("Whether jobs run elsewhere: arguments and results are copied.")
    can_call_back = Attribute(
        "Whether a job can reach `live` arguments and other peers' objects while it runs."
    )
    preferred = Attribute("Whether `run_async` takes it for a job that names no pool.")

    def start() -> Deferred[None]:
        """Start it; fires when the first workers are ready. Jobs may be submitted at once."""

    def stop() -> Deferred[None]:
        """Stop it: jobs fail with PoolStopped, or are ended. Fires when nothing is left."""

    def submit(
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        name: str | None = None,
    ) -> Deferred[Any]:
        """
        Run ``function(*args, **kwargs)`` in the pool, once.

        ``timeout`` is in seconds, from the job's start and not from its submission; ``name`` is for
        the log, the function's own if None. Always returns a Deferred: of the result, or failing
        with the function's own exception, `PoolFull`, `PoolStopped`, `WorkerDied`, `NotPicklable`,
        `JobTimeout`, or with `ConnectionLost` to other machines. Cancelling it takes a queued job
        out of the queue and ends one that runs, where the pool can.
        """

    def room() -> Deferred[None]:
        """
        Return a Deferred that fires when the pool would take another job, so that ``await
        pool.room()`` before each `submit` never meets `PoolFull`.

        Those who wait are served in order, one for each place. Cancelling it leaves the line.
        Fails with PoolStopped when the pool stops, or does not run.
        """

    def statistics() -> Any:
        """Return the pool's `PoolStatistics` of this moment."""


class IPoolKind(Interface):
    """A kind of pool, found by Twisted's plugin system (`twisted.plugin.IPlugin`)."""

    prefix = Attribute("The first word of its descriptions, such as 'threads'.")

    def parse(reactor: Any, words: Sequence[str], options: Mapping[str, str]) -> IPool:
        """
        Make a pool, not yet started, of a description's parts: ``processes:4:recycle=500`` has the
        words ``("4",)`` and the options ``{"recycle": "500"}``. Raises ValueError with a sentence.
        """

"""
`ThreadJob`: a call that a thread of a pool makes.

It runs in a copy of the context that it was submitted in, and references to other peers' objects
among its arguments arrive as blocking netrefs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python import context

from txremote.peer.variables import own_context
from txremote.refs.awaiting import AwaitableDeferred
from txremote.work.failures import job_failure
from txremote.work.netrefs import IS_PLAIN, MAY_BE_REMOTE, call_with_netrefs, settled_result
from txremote.work.ports import Args, Function, Kwargs

#: The states of a job; its thread sets them.
WAITS, RUNS, HAS_RUN = range(3)


class ThreadJob:
    """A job, from `ThreadPool.submit` until its thread is free again."""

    __slots__ = (
        *("abandoned", "args", "canceller", "context", "deferred", "function", "kwargs", "name"),
        *("result", "state", "timeout", "timer", "variables", "was_last"),
    )

    def __init__(
        self,
        function: Function,
        args: Args,
        kwargs: Kwargs,
        timeout: float | None,
        name: str,
        canceller: Callable[[ThreadJob], None],
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.timeout = timeout
        self.name = name
        self.canceller = canceller
        self.variables = own_context()
        self.context = context.theContextTracker.currentContext().contexts[-1]
        self.state = WAITS  # set by the thread
        self.abandoned = False
        self.was_last = False  # whether the batch that ran it has ended with it
        self.timer: IDelayedCall | None = None
        self.result: object = None
        # the caller's, or None when that has fired
        self.deferred: Deferred[object] | None = AwaitableDeferred(self.cancel)

    def cancel(self, _deferred: Deferred[object]) -> None:
        """Give the job up: the canceller."""
        self.canceller(self)

    def make_blocking(self) -> None:
        """Have netrefs made of the references among its arguments, in its thread."""
        values = (self.function, *self.args, *self.kwargs.values())
        if any(type(value) in MAY_BE_REMOTE for value in values):
            self.args = (self.function, self.args, self.kwargs)
            self.function = call_with_netrefs
            self.kwargs = {}

    def count_time(self, clock: IReactorTime, expired: Callable[[ThreadJob], None]) -> None:
        """Start the clock, if there is a time-out and somebody waits: its thread has begun."""
        if self.deferred is not None and self.timeout is not None:
            self.timer = clock.callLater(max(0.0, self.timeout), expired, self)

    def stop_time(self) -> None:
        """Stop the clock, if it runs."""
        if self.timer is not None:
            if self.timer.active():
                self.timer.cancel()
            self.timer = None

    def run(self) -> None:
        """Run it, in a worker thread, and keep its result."""
        # The Failure has this frame, so nothing of the result is to stay in it.
        try:
            run = self.variables.run
            if self.context is context.defaultContextDict:
                result = run(self.function, *self.args, **self.kwargs)
            else:
                # its own keywords, func say, are not the job's
                job = partial(self.function, *self.args, **self.kwargs)
                result = run(context.call, self.context, job)
            self.result = result if type(result) in IS_PLAIN else settled_result(result)
        except BaseException as error:  # whatever it is, it is the job's outcome
            self.result = job_failure(error)

"""
`WorkerView`: a reactor's connection, for threads that may block.

A thread of a pool that waits on one serves lanes meanwhile (`txremote.eventloop.lanes`); any
other thread of the program serves as a lane's guest. The reactor's own thread is refused: it
would wait for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Any, ParamSpec

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.errors import AsyncResultTimeout, DeadReferenceError
from txremote.eventloop.lanes import Lane, ThreadParking, lanes_here
from txremote.eventloop.worker_pool import TooManyThreads, WorkerPool, here as thread
from txremote.levels import Logger
from txremote.peer.connection import Connection
from txremote.peer.variables import own_context
from txremote.refs import forks
from txremote.refs.asyncresult import AsyncResult, value_of
from txremote.refs.blocking_view import BlockingView
from txremote.refs.clock import EventLoop, at_most
from txremote.refs.driver import Pending, ReactorDriver
from txremote.refs.reactorthread import in_reactor, is_reactor_thread, may_call_here
from txremote.refs.threadguard import check_stack, would_block

_log = Logger("txremote")

P = ParamSpec("P")


class WorkerView(BlockingView):
    """A connection of an event loop, for threads that may block (see `BlockingView`)."""

    protocol: Connection

    def __init__(
        self, protocol: Connection, loop: EventLoop, workers: WorkerPool, lane: Lane | None
    ) -> None:
        super().__init__(protocol)
        self._loop = loop
        self._workers = workers
        self._lane = lane

    def _wait_for_answer(
        self,
        timeout: float | None,
        send: Callable[P, Deferred[object]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Any:
        self._check_may_wait()
        check_stack()
        if self.protocol.closed:  # its reactor may have ended, too
            raise DeadReferenceError(f"the connection has ended: {self.protocol.why_ended}")
        wait = ThreadParking()
        complete = self._completion_of(wait)
        sent: list[Deferred[object]] = []

        def start() -> None:
            try:
                deferred = send(*args, **kwargs)
            except Exception:  # it must not be lost in the reactor
                wait.complete(Failure())
                return
            sent.append(deferred)
            deferred.addBoth(complete)

        self._loop.callFromThread(start)
        if not self._wait_for(wait, timeout):
            self._loop.callFromThread(_cancel_all, sent)
            raise AsyncResultTimeout(f"no answer within {timeout:g} s")
        return value_of(wait.value)

    def _check_may_wait(self) -> None:
        self.protocol.check_process()
        if is_reactor_thread(self._loop):
            raise would_block()

    def _completion_of(self, wait: ThreadParking) -> Callable[[object], None]:
        """Return what ends a wait: in this thread's lane, behind what the peer asked before."""
        lane = self._lane
        if lane is not None and lane in lanes_here():
            return partial(_post_completion, lane, wait)
        return wait.complete

    def _wait_for(self, wait: ThreadParking, timeout: float | None) -> bool:
        """Run what comes in the lanes until a wait is over or its time is; return `wait.done`."""
        deadline = None if timeout is None else monotonic() + timeout
        here = lanes_here()
        wait.begin(self._lane)
        try:
            while not wait.done:
                found = wait.next_item()
                if found is None:
                    left = None if deadline is None else deadline - monotonic()
                    if left is not None and left <= 0:
                        break
                    wait.awake.acquire(timeout=at_most(left))
                    continue
                lane, item = found
                wait.interrupt()
                # run in here: calls nest, and each frame of ours is one less for them
                nested = bool(here) and here[-1] is lane
                here.append(lane)
                try:
                    if nested:
                        item()
                    else:
                        lane.variables.run(item)
                except BaseException:  # SystemExit in a callback, say: no affair of ours
                    _log.failure("what ran in a lane failed")
                finally:
                    if self.protocol.home is not forks.here:
                        forks.end()
                    here.pop()
                    wait.resume(lane)
        finally:
            wait.end()
        return wait.done

    def _start(
        self, send: Callable[P, Deferred[object]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncResult:
        self.protocol.check_process()
        waiting: Deferred[object] = Deferred()
        sent: list[Deferred[object]] = []

        def cancel() -> None:
            in_reactor(self._loop, partial(_cancel_all, sent))

        result = AsyncResult(waiting, LaneDriver(self), cancel)

        def start() -> None:
            try:
                sent.append(send(*args, **kwargs))
                sent[0].addBoth(waiting.callback)
            except Exception:  # it must not be lost in the reactor
                waiting.errback(Failure())

        in_reactor(self._loop, start)
        return result

    # -- RPyC's names

    def serve(self, timeout: float | None = 1, wait_for_lock: bool = True) -> bool:
        """
        Run one request of this connection's lane if it comes within ``timeout`` seconds, and
        return whether one came. For a thread that runs a request of it already: others come
        anyway. ``wait_for_lock``, RPyC's, has no effect.

        Raises:
            EOFError: the connection has ended.
        """
        if self.closed:
            raise EOFError(f"the connection has ended: {self.protocol.why_ended}")
        lane = self._lane
        if lane is None or lane not in lanes_here():
            return False
        item = lane.take(True)
        if item is None:
            self._wait_for_item(lane, timeout)
            item = lane.take(True)
        if item is not None:
            lane.run_within(item)
            return True
        if self.closed:
            raise EOFError(f"the connection has ended: {self.protocol.why_ended}")
        return False

    def _wait_for_item(self, lane: Lane, timeout: float | None) -> None:
        def let_in() -> None:
            if not self.closed:  # what is over max_calls waits before the lane
                self.protocol.backpressure.peer_needed()

        wait, pool = ThreadParking(), thread.pool
        lane.enter(wait, True)
        if pool is not None:
            pool.begin_wait()
        self.protocol.executor.polling += 1
        self._loop.callFromThread(let_in)
        try:
            if not self.closed:  # else nobody may wake us any more
                wait.awake.acquire(timeout=at_most(timeout))
        finally:
            self.protocol.executor.polling -= 1
            if pool is not None:
                pool.end_wait()
            lane.leave(wait, True)

    def poll(self, timeout: float | None = 0) -> bool:
        """Do as `serve`."""
        return self.serve(timeout)

    def poll_all(self, timeout: float = 0) -> bool:
        """Run the requests of this connection's lane that come within some seconds."""
        deadline = monotonic() + timeout
        served = False
        while not self.closed and self.serve(max(0.0, deadline - monotonic())):
            served = True
        return served

    def close(self) -> None:
        """Call ``before_closed``, and close the connection without waiting for that."""
        if self.protocol.home is not forks.here:
            return
        if may_call_here(self._loop):  # where nothing may block
            self.protocol.close()
            return
        try:
            self._before_closed()
        finally:
            self._loop.callFromThread(self.protocol.leave)


def _cancel_all(deferreds: list[Deferred[object]]) -> None:
    for deferred in deferreds:
        deferred.cancel()


def _post_completion(lane: Lane, wait: ThreadParking, result: object) -> None:
    try:
        lane.post(partial(wait.complete, result))
    except TooManyThreads:  # then without the order
        wait.complete(result)


class LaneDriver(ReactorDriver):
    """How an `AsyncResult` of a `WorkerView` waits (a `Driver`)."""

    def __init__(self, view: WorkerView) -> None:
        super().__init__(view._loop)
        self._view = view
        self._context = copy_context()  # of the call

    def wait(self, result: Pending, timeout: float | None) -> None:
        """Wait in this thread, serving lanes."""
        view = self._view
        view._check_may_wait()
        wait = ThreadParking()
        result.when_ended(partial(view._completion_of(wait), None))
        view._wait_for(wait, timeout)

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """Run callbacks in the connection's lane, or in a thread of the pool."""
        item = partial(function, *args)
        try:
            if self._view._lane is not None:
                self._view._lane.post(item)
            else:
                self._view._workers.submit(partial(own_context(self._context).run, item))
        except TooManyThreads as problem:
            _log.error("callbacks were not run: {problem}", problem=problem)

    def convert(self, value: object) -> Any:
        """Return a received value with netrefs."""
        return self._view.to_netrefs(value)

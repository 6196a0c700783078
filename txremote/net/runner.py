"""
The runners of connections that live in a reactor.

Everything of a connection happens in the reactor's thread; other threads hand
their calls to it. What differs is where the peer's requests run: `ReactorRunner`
runs them at once, in the reactor's thread too; `LaneRunner` has them run in the
connection's lane.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python import threadable
from twisted.python.failure import Failure

from txremote.errors import RemoteProtocolError, WrongThread
from txremote.net.lanes import Lane, WorkerFace
from txremote.net.workers import TooManyThreads, WorkerPool
from txremote.peer.runner import AtOnce, Work
from txremote.peer.threaded import ThreadedCall
from txremote.refs.asyncresult import ReactorDriver, in_reactor, may_call_here


class ReactorRunner(AtOnce, ReactorDriver):
    """
    Runs requests and fires results in the reactor's thread (a `Runner`).

    Args:
        reactor: The reactor.
        workers: Where `threaded` methods run.
    """

    def __init__(self, reactor: Any, workers: WorkerPool | None = None) -> None:
        super().__init__(reactor)
        self.reactor = reactor
        self.workers = workers if workers is not None else WorkerPool()

    def in_thread(self, connection: Any, call: ThreadedCall) -> Deferred[Any]:
        """
        Run a threaded method in a thread of the pool.
        """
        outcome: Deferred[Any] = Deferred()
        context = copy_context()  # for current_call()

        def finish(result: Any) -> None:
            if not outcome.called:  # it may have been cancelled meanwhile
                outcome.callback(result)

        def run() -> None:
            try:
                result = context.run(call.execute, connection.face)
            except BaseException:  # it is the peer's to see, whatever it is
                result = Failure()
            self.reactor.callFromThread(finish, result)

        self.workers.submit(run)
        return outcome

    def ask(self, connection: Any, handler: int, args: tuple[Any, ...]) -> Deferred[Any]:
        """
        Pass a request on, from any thread.
        """
        if may_call_here(self.reactor):
            asked: Deferred[Any] = connection.send_request(handler, args)
            return asked
        answer: Deferred[Any] = Deferred()
        self.reactor.callFromThread(
            lambda: connection.send_request(handler, args).chainDeferred(answer)
        )
        return answer

    def make_face(self, connection: Any) -> WorkerFace:
        """
        Return the connection as worker threads see it.
        """
        return WorkerFace(connection, self.reactor, self.workers, None)

    def check_thread(self) -> None:
        """
        Raises:
            WrongThread: this is not the reactor's thread.
        """
        # the first of the two is nearly always enough, and takes less time
        if threadable.ioThread != threading.get_ident() and not may_call_here(self.reactor):
            raise WrongThread(
                "a remote reference is called in the reactor's thread: use "
                "txremote.async_(reference)(...), or reactor.callFromThread"
            )

    def submit(self, function: Callable[[], Any]) -> None:
        """
        Call a function in the reactor's thread: now, if this is it.
        """
        in_reactor(self.reactor, function)


class LaneRunner(ReactorRunner):
    """
    Runs the requests of one connection in its lane, a worker thread.

    Args:
        reactor: The reactor.
        workers: Whose threads run the lane.
    """

    def __init__(self, reactor: Any, workers: WorkerPool) -> None:
        super().__init__(reactor, workers)
        self._lane = Lane(workers)
        self._unanswered = 0

    def busy(self) -> bool:
        """
        Tell whether something is in the lane.
        """
        return self._unanswered > 0

    def start(self, work: Work) -> None:
        """
        Put it into the lane.
        """
        most = work.inbound.config.max_waiting
        if len(self._lane) >= most:
            problem = f"{most} calls of this connection wait (option max_waiting)"
            work.finish(False, RemoteProtocolError(problem, "max_waiting"))
            return
        try:
            self._lane.post(partial(self._run, work))
        except TooManyThreads as problem:
            work.finish(False, problem)
        else:
            self._unanswered += 1

    def _run(self, work: Work) -> None:
        connection = work.inbound.connection
        if connection.closed:
            return  # nobody is there for the answer
        went_well, result = work.execute(connection.face)
        self.reactor.callFromThread(self._finish, work, went_well, result)

    def _finish(self, work: Work, went_well: bool, result: Any) -> None:
        self._unanswered -= 1
        work.finish(went_well, result)
        if work.inbound.vigil is not None:
            work.inbound.vigil.used()
        work.inbound.look_if_all_answered()

    def hook(self, connection: Any, hook: Callable[[Any], Any]) -> None:
        """
        Put it into the lane: before the first request, or behind the last.
        """
        face = connection.face

        def call() -> None:
            try:
                hook(face)
            except Exception:  # the service's own
                self.reactor.callFromThread(connection.hook_failed, hook, Failure())

        try:
            self._lane.post(call)
        except TooManyThreads:
            connection.hook_failed(hook, Failure())

    def make_face(self, connection: Any) -> WorkerFace:
        """
        Return the connection as its service sees it.
        """
        return WorkerFace(connection, self.reactor, self.workers, self._lane)

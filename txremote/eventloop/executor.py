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
from contextvars import Context, copy_context
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python import threadable
from twisted.python.failure import Failure

from txremote.errors import WrongThread
from txremote.eventloop.lane_calls import LaneCall, drop
from txremote.eventloop.lanes import Lane
from txremote.eventloop.worker_pool import TooManyThreads, WorkerPool
from txremote.eventloop.worker_view import WorkerView
from txremote.gate.threaded import ThreadedCall
from txremote.peer.abandoned import Closings
from txremote.peer.awaiting import begun
from txremote.peer.context import CurrentCall, _current
from txremote.peer.runner import AtOnce
from txremote.peer.turns import turns_of
from txremote.peer.variables import Variables, own_context, program_context
from txremote.refs import forks
from txremote.refs.driver import ReactorDriver
from txremote.refs.outcome import Outcome
from txremote.refs.reactorthread import in_reactor, may_call_here


class ReactorRunner(AtOnce, ReactorDriver):
    """
    Runs requests and fires results in the reactor's thread (a `Runner`).

    Args:
        reactor: The reactor.
        workers: Where `threaded` methods run.
        closings: The generators that are being closed, where runners share them.
    """

    def __init__(
        self, reactor: Any, workers: WorkerPool | None = None, closings: Closings | None = None
    ) -> None:
        super().__init__(reactor)
        self.reactor = reactor
        self.turns = turns_of(reactor)
        self.closings = closings if closings is not None else Closings()
        self.workers = workers if workers is not None else WorkerPool()
        self._context = self._begin()
        forks.watch(reactor)

    def _begin(self) -> Context | None:
        return program_context()

    def variables(self) -> Variables:
        """Return a copy of those of whoever made this: who has called `listen`, say."""
        return Variables(self._context)

    def in_thread(self, connection: Any, call: ThreadedCall) -> Deferred[Any]:
        """Run a threaded method in a thread of the pool."""

        def take_back(_outcome: Deferred[Any]) -> None:
            if not self.workers.take_back(ticket):
                connection.inbound.ledger.abandon_thread()

        outcome: Deferred[Any] = Deferred(take_back)
        context = own_context()

        def finish(result: Outcome) -> None:
            if not outcome.called:
                outcome.callback(result)
            else:  # it was cancelled meanwhile
                connection.inbound.ledger.forget_thread()
                drop(result.value)

        def run() -> None:
            result = context.run(call.outcome, connection.view)
            self.reactor.callFromThread(finish, result)

        ticket = self.workers.submit(run)
        return outcome

    def ask(
        self, connection: Any, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """Pass a request on, from any thread."""
        if may_block:
            return connection.view.sync_request_raw(handler, args)
        if may_call_here(self.reactor):
            asked: Deferred[Any] = connection.outbound.ask(handler, args)
            return asked
        answer: Deferred[Any] = Deferred()
        self.reactor.callFromThread(
            lambda: connection.outbound.ask(handler, args).chainDeferred(answer)
        )
        return answer

    def make_view(self, connection: Any) -> WorkerView:
        """Return the connection as worker threads see it."""
        return WorkerView(connection, self.reactor, self.workers, None)

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
        """Call a function in the reactor's thread: now, if this is it."""
        in_reactor(self.reactor, function)

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function in the reactor's next turn."""
        self.reactor.callFromThread(function)


class LaneRunner(ReactorRunner):
    """
    Runs the requests of one connection in its lane, a worker thread.

    Args:
        reactor: The reactor.
        workers: Whose threads run the lane.
        closings: As `ReactorRunner` takes it.
    """

    def __init__(self, reactor: Any, workers: WorkerPool, closings: Closings | None = None) -> None:
        super().__init__(reactor, workers, closings)
        self._lane = Lane(workers)

    def _begin(self) -> None:
        return None  # a lane's are empty

    def variables(self) -> Variables:
        """Return the lane's."""
        return self._lane.variables

    def start(self, work: Any) -> None:
        """Put it into the lane."""
        try:
            LaneCall(work, self._lane, self.reactor).start()
        except TooManyThreads as problem:
            work.finish(False, problem)

    def hook(self, connection: Any, hook: Callable[[Any], Any]) -> None:
        """
        Put it into the lane: before the first request, or behind the last.

        What it returns may be a Deferred or a coroutine, which is for the reactor.
        """
        running: Deferred[Any] = Deferred()
        ending = connection.closed
        connection.wait_for_hook(hook, running)
        face = connection.view

        def call() -> None:
            token = _current.set(CurrentCall(connection))
            result = begun(hook, face)
            # a coroutine is to begin with the variables that are set here
            context = copy_context()
            _current.reset(token)
            self.reactor.callFromThread(context.run, finish, result)

        def finish(result: Any) -> None:
            connection.finish_hook(result).chainDeferred(running)

        if ending:
            self._lane.end(call)
            return
        try:
            self._lane.post(call)
        except TooManyThreads:
            running.errback(Failure())

    def let_go(self, connection: Any, held: list[Any]) -> None:
        """Empty it in the lane, between two requests."""
        # not yet: the request that gives it back has it, too
        self.reactor.callFromThread(self._let_go, held)

    def _let_go(self, held: list[Any]) -> None:
        try:
            self._lane.post(held.clear)
        except TooManyThreads:
            self.workers.submit(held.clear, patient=True)

    def make_view(self, connection: Any) -> WorkerView:
        """Return the connection as its service sees it."""
        return WorkerView(connection, self.reactor, self.workers, self._lane)

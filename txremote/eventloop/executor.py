"""
The executors of connections that live in an event loop.

Everything of a connection happens in the loop's thread; other threads hand their calls to it.
Only the peer's requests may run elsewhere: `LoopExecutor` runs them in the loop's thread, at
once; `LaneExecutor` in the connection's lane.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.eventloop.lane_calls import LaneCall, drop
from txremote.eventloop.lanes import Lane
from txremote.eventloop.worker_pool import TooManyThreads, WorkerPool
from txremote.eventloop.worker_view import WorkerView
from txremote.gate.threaded import ThreadedCall
from txremote.peer import hooks
from txremote.peer.abandoned import Closings
from txremote.peer.connection import Connection
from txremote.peer.context import CurrentCall, current
from txremote.peer.executor import Hook, PeerRequest
from txremote.peer.immediate import RunsAtOnce
from txremote.peer.turns import turns_of
from txremote.peer.variables import Variables, outside_calls, own_context, program_context
from txremote.refs import forks
from txremote.refs.clock import EventLoop
from txremote.refs.driver import ReactorDriver
from txremote.refs.outcome import Outcome
from txremote.refs.reactorthread import asyncio_loop_of, in_reactor, may_call_here
from txremote.refs.threadguard import LoopGuard
from txremote.streams.source import Stream
from txremote.views import reactor as _views  # noqa: F401  # has interfaces adapt references


class LoopExecutor(RunsAtOnce):
    """An `Executor` that runs requests and fires results in an event loop's thread."""

    def __init__(
        self, loop: EventLoop, workers: WorkerPool | None = None, closings: Closings | None = None
    ) -> None:
        self.loop = loop
        self.driver = ReactorDriver(loop)
        self.guard = LoopGuard(loop)
        self.turns = turns_of(loop)
        self.closings = closings if closings is not None else Closings()
        self.workers = workers if workers is not None else WorkerPool()
        self.workers.loop = loop
        self._context = program_context()
        if asyncio_loop_of(loop) is not None:
            self.fire = partial(  # type: ignore[method-assign]
                outside_calls, self._context, RunsAtOnce.fire
            )
        forks.watch(loop)

    def variables(self) -> Variables:
        """Return a copy of those of the caller of `listen`, say, who has had this made."""
        return Variables(self._context)

    def in_thread(self, connection: Connection, call: ThreadedCall) -> Deferred[Any]:
        """Run a threaded method in a thread of the pool."""

        def take_back(_outcome: Deferred[object]) -> None:
            if not self.workers.take_back(ticket):
                connection.inbound.ledger.abandon_thread()

        outcome: Deferred[object] = Deferred(take_back)
        context = own_context()

        def finish(result: Outcome) -> None:
            if not outcome.called:
                outcome.callback(result)
            else:  # it was cancelled meanwhile
                connection.inbound.ledger.forget_thread()
                drop(result.value)

        def run() -> None:
            result = context.run(call.outcome, connection.view)
            self.loop.callFromThread(finish, result)

        ticket = self.workers.submit(run)
        return outcome

    def forward(
        self, connection: Connection, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """Pass a request on, from any thread."""
        if may_block:
            return connection.view.sync_request_raw(handler, args)
        send = partial(connection.outbound.request_received, handler, args)
        if may_call_here(self.loop):
            return send()
        answer: Deferred[object] = Deferred()
        self.loop.callFromThread(lambda: send().chainDeferred(answer))
        return answer

    def make_view(self, connection: Connection) -> WorkerView:
        """Return the connection as worker threads see it."""
        return WorkerView(connection, self.loop, self.workers, None)

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function in the loop's thread: now, if this is it."""
        in_reactor(self.loop, function)

    def soon(self, function: Callable[[], object]) -> None:
        """Call a function in the loop's next turn."""
        self.loop.callFromThread(function)


class LaneExecutor(LoopExecutor):
    """Runs the requests of one connection in its lane, which its listener's workers run."""

    def __init__(self, shared: LoopExecutor) -> None:
        # not by LoopExecutor's: of these there is one for each connection
        self.loop, self.driver, self.guard = shared.loop, shared.driver, shared.guard
        self.turns, self.closings, self.workers = shared.turns, shared.closings, shared.workers
        self.fire = shared.fire  # type: ignore[method-assign]
        self._lane = Lane(self.workers)

    def variables(self) -> Variables:
        """Return the lane's."""
        return self._lane.variables

    def start(self, request: PeerRequest) -> None:  # type: ignore[override]  # static there
        """Put it into the lane."""
        try:
            LaneCall(request, self._lane, self.loop).start()
        except TooManyThreads as problem:
            request.finish(False, problem)

    def call_hook(self, connection: Connection, hook: Hook) -> None:
        """Put it into the lane; a Deferred or coroutine of its goes on in the loop's thread."""
        running: Deferred[object] = Deferred()
        ending = connection.closed
        hooks.wait_for(connection, hook, running)
        view = connection.view

        def call() -> None:
            token = current.set(CurrentCall(connection))
            result = hooks.start(hook, view)
            # a coroutine is to begin with the variables that are set here
            context = copy_context()
            current.reset(token)
            self.loop.callFromThread(context.run, finish, result)

        def finish(result: object) -> None:
            hooks.outcome_of(connection, result).chainDeferred(running)

        if ending:
            self._lane.end(call)
            return
        try:
            self._lane.post(call)
        except TooManyThreads:
            running.errback(Failure())

    def step(self, connection: Connection, function: Callable[[], object]) -> Any:
        """Run it in the lane."""
        stepping: Deferred[object] = Deferred(lambda _stepping: None)

        def run() -> None:
            self.loop.callFromThread(finish, function())

        def finish(result: object) -> None:
            if not stepping.called:
                stepping.callback(result)

        try:
            self._lane.post(run)
        except TooManyThreads:
            stepping.errback(Failure())
        return stepping

    def let_go(self, connection: Connection, held: list[object]) -> None:
        """Empty it in the lane, between two requests; in the loop, where its steps ran there."""
        # not yet: the request that gives it back has it, too
        runs_here = type(held[0]) is Stream and held[0].is_async
        self.loop.callFromThread(held.clear if runs_here else partial(self._let_go, held))

    def _let_go(self, held: list[object]) -> None:
        try:
            self._lane.post(held.clear)
        except TooManyThreads:
            self.workers.submit(held.clear, patient=True)

    def make_view(self, connection: Connection) -> WorkerView:
        """Return the connection as its service sees it."""
        return WorkerView(connection, self.loop, self.workers, self._lane)

"""
`ScriptRunner`: a connection's `Runner`, and its results' `Driver`, in a script.

A connection is entered under the pump's lock, and what it wants done must not be
done there: a request of the peer's may take long, or call back. So everything
becomes an item of the `Inbox`, in the order in which it came, and is run after the
lock is released, by whichever thread waits (`Pump`). Before an item runs the
service's code, a sleeping thread is woken to look at what comes meanwhile.

Results wait the same way: a callback of an `AsyncResult` is an item, and waiting
for one is serving until it is there.

On the connecting side ``on_connect`` is kept back until the peer is known and runs
in the thread that connects, which gets what it raises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred

from txremote.blocking.inbox import PendingAnswer
from txremote.blocking.pump import Pump
from txremote.errors import WrongThread
from txremote.gate.threaded import BlockingCall, ThreadedCall
from txremote.peer.abandoned import Closings
from txremote.peer.context import _current
from txremote.peer.runner import Work
from txremote.peer.turns import Turns
from txremote.peer.variables import own_context
from txremote.refs import forks
from txremote.refs.driver import Pending
from txremote.refs.outcome import failure_of
from txremote.refs.reactorthread import is_in_reactor
from txremote.refs.threadguard import refuse_in_reactor


class ScriptRunner:
    """
    A `Runner` and a `Driver` for a connection that a pump drives.

    Args:
        pump: The pump.
        make_view: Called with the runner and the connection for its
            `BlockingView`, once.
        connecting: Whether the service is to hear of the connection from
            `introduced`, and not at once.

    Attributes:
        always_serves: No: requests are looked at while a thread waits.
        pump: The pump.
        closings: The generators that are being closed.
    """

    always_serves = False
    polling = 0  # nobody: requests run as they come
    turns: Turns | None = None

    def __init__(
        self, pump: Pump, make_view: Callable[[ScriptRunner, Any], Any], connecting: bool = False
    ) -> None:
        self.pump = pump
        self.closings = Closings()
        self._make_view = make_view
        self._inbox = pump.inbox
        # what to call once the peer is known, on the connecting side until it is
        self._greeting: list[Callable[[], None]] | None = [] if connecting else None

    # -- what a connection asks of its runner

    def variables(self) -> None:
        """Return None: they are those of the thread that waits, as with RPyC."""

    def start(self, work: Work) -> None:
        """Queue a request of the peer."""
        self._inbox.items.append(partial(self._run, work))

    def _run(self, work: Work) -> None:
        """Run a request and send its answer."""
        pump = self.pump
        self._inbox.wake_one()
        # a coroutine's first step, too, is run outside of the lock
        went_well, result = work.begin(*work.execute(pump.connection.view))
        pump.check_process()  # of a method that forks one process goes on
        with pump.lock:
            interrupt = work.answer(went_well, result)
        pump.io.flush()
        if not went_well and type(result.error) is KeyboardInterrupt:
            interrupt = result.error
        if interrupt is not None:
            raise interrupt  # the user's Ctrl-C, in whatever ran just then

    def busy(self) -> bool:
        """Tell whether there is something to run."""
        return bool(self._inbox.items)

    def fire(self, deferred: Deferred[Any], result: Any) -> None:
        """Fire a Deferred, under the lock: its callbacks queue what is to be seen."""
        if not deferred.called:
            deferred.callback(result)

    def hook(self, connection: Any, hook: Callable[[Any], Any]) -> None:
        """Queue a hook of the service, before any request."""

        def call() -> None:
            self._inbox.wake_one()
            try:
                hook(connection.view)
            except Exception as error:
                with self.pump.lock:
                    connection.hook_failed(hook, failure_of(error))
                self.pump.io.flush()
                if self._greeting is not None:
                    raise  # to whoever connects

        if self._greeting is None:
            self._inbox.items.append(call)
        elif connection.closed:  # it was never there, as far as the service knows
            self._greeting.clear()
        else:
            self._greeting.append(call)

    def introduced(self) -> None:
        """
        Call the service's ``on_connect``, in this thread: the peer is known.

        Raises:
            Exception: what that raised; the connection is closed then.
        """
        greeting = self._greeting
        for call in greeting or ():
            call()
        self._greeting = None

    def in_thread(self, connection: Any, call: ThreadedCall) -> Deferred[Any]:
        """Run a threaded method in a thread of its own."""
        outcome: Deferred[Any] = Deferred()
        context = own_context()

        def run() -> None:
            result = context.run(call.outcome, connection.view)
            if self.pump.home is not forks.here:
                forks.end()
            self.submit(lambda: self.fire(outcome, result))

        threading.Thread(target=run, name="txremote threaded call", daemon=True).start()
        return outcome

    def ask(
        self, connection: Any, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """
        Pass a request on, and wait for its answer: here, or in another thread where
        this one may not.
        """
        ask = partial(connection.view.sync_request_raw, handler, args)
        return ask() if may_block else BlockingCall(ask)

    def make_view(self, connection: Any) -> Any:
        """Return the connection as its user sees it."""
        return self._make_view(self, connection)

    def check_thread(self) -> None:
        """
        Raises:
            WrongThread: this is not the connection's context, and what is written
                would stay there.
        """
        if not self.pump.entered:
            raise WrongThread(
                "this reference belongs to a script's connection: call it with "
                "txremote.async_(reference)(...), whose result can be awaited"
            )

    def submit(self, function: Callable[[], Any]) -> None:
        """Call a function in the connection's context. Any thread, a reactor's too."""
        self.pump.check_process()
        self.pump.submit(function)

    def soon(self, function: Callable[[], object]) -> None:
        """Queue a call in the connection's context."""
        self._inbox.items.append(partial(self.submit, function))

    def let_go(self, connection: Any, held: list[Any]) -> None:
        """Queue it: it may run the service's code, which is not to have the lock."""

        def empty() -> None:
            with self.pump.lock:  # behind the request that gave it back, and has it too
                self._inbox.wake_one()
            held.clear()

        self._inbox.items.append(empty)

    # -- what an AsyncResult asks of its driver

    def wait(self, result: Pending, timeout: float | None) -> None:
        """Serve until a result is there, or for some seconds."""
        if result.pending:
            self.pump.check_process()
            refuse_in_reactor()
            waiter = PendingAnswer()
            items = self._inbox.items
            # behind the requests that came before the result
            result.when_ended(lambda: items.append(waiter))
            self.pump.run_until(waiter, None if timeout is None else monotonic() + timeout)

    def expect(self, result: Pending) -> None:
        """
        Have a thread wait for a result where nobody else would: the one that asks
        for it is a reactor's, or serves another connection.
        """
        call = _current.get(None)
        if call is None:
            if not is_in_reactor():
                return  # the script itself will wait
        elif call.connection is self.pump.connection:
            return  # who serves that will wait again
        threading.Thread(
            target=self.wait, args=(result, None), name="txremote awaited result", daemon=True
        ).start()

    def look(self) -> None:
        """Serve what has come, without waiting."""
        try:
            while self.pump.serve(0):
                continue
        except EOFError:  # every result has been told of that
            return

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """Queue a call, behind what arrived before."""

        def call() -> None:
            self._inbox.wake_one()
            function(*args)

        self._inbox.items.append(call)

    def present(self, value: Any) -> Any:
        """Return a received value with netrefs."""
        return self.pump.connection.view.to_netrefs(value)

    def seconds(self) -> float:
        """Return the monotonic time."""
        return monotonic()

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """Arrange for a call by whatever thread waits or polls by then, or next."""
        return self.pump.timers.call_later(seconds, function)

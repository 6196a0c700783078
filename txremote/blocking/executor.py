"""
`ScriptExecutor`: where the peer's requests run in a script.

Nothing that may take long or call back may run under the pump's lock. So every request and
hook becomes an item of the `Inbox`, in the order in which it came, and whichever thread waits
runs it after the lock is released (`Pump`). Before an item runs the service's code, it wakes
a sleeping thread to serve meanwhile.

On the connecting side ``on_connect`` is kept back until the peer is known. It runs in the
thread that connects, which gets the exceptions of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from txremote.blocking.driver import ScriptDriver, ScriptGuard
from txremote.blocking.pump import Pump
from txremote.gate.threaded import BlockingCall, ThreadedCall
from txremote.peer import hooks
from txremote.peer.abandoned import Closings
from txremote.peer.connection import Connection
from txremote.peer.executor import Hook, PeerRequest
from txremote.peer.turns import Turns
from txremote.peer.variables import own_context
from txremote.refs import forks
from txremote.refs.outcome import failure_of


class ScriptExecutor:
    """An `Executor` for a pump's connection. When connecting, `introduced` calls ``on_connect``."""

    always_serves = False
    polling = 0  # requests run as they come, and no thread waits for one
    turns: Turns | None = None

    def __init__(
        self, pump: Pump, make_view: Callable[[ScriptExecutor, Any], Any], connecting: bool = False
    ) -> None:
        self.pump = pump
        self.driver = ScriptDriver(pump)
        self.guard = ScriptGuard(pump)
        self.closings = Closings()
        self._make_view = make_view
        self._inbox = pump.inbox
        # what to call once the peer is known, on the connecting side until it is
        self._greeting: list[Callable[[], None]] | None = [] if connecting else None

    def variables(self) -> None:
        """Return None: they are those of the thread that waits, as with RPyC."""

    def start(self, request: PeerRequest) -> None:
        """Queue a request of the peer."""
        self._inbox.items.append(partial(self._run, request))

    def _run(self, request: PeerRequest) -> None:
        """Run a request and send its answer."""
        pump = self.pump
        self._inbox.wake_one()
        # a coroutine's first step, too, is run outside of the lock
        went_well, result = request.begin(*request.execute(pump.connection.view))
        pump.check_process()  # of a method that forks one process goes on
        with pump.lock:
            interrupt = request.answer(went_well, result)
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

    def call_hook(self, connection: Connection, hook: Hook) -> None:
        """Queue a hook of the service, before any request."""

        def call() -> None:
            self._inbox.wake_one()
            try:
                hook(connection.view)
            except Exception as error:
                with self.pump.lock:
                    hooks.failed(connection, hook, failure_of(error))
                self.pump.io.flush()
                if self._greeting is not None:
                    raise  # to the caller of connect()

        if self._greeting is None:
            self._inbox.items.append(call)
        elif connection.closed:  # it was never there, as far as the service knows
            self._greeting.clear()
        else:
            self._greeting.append(call)

    def introduced(self) -> None:
        """Call ``on_connect`` in this thread; the connection is closed if that raises."""
        for call in self._greeting or ():
            call()
        self._greeting = None

    def step(self, connection: Connection, function: Callable[[], object]) -> Any:
        """Queue it."""
        stepping: Deferred[Any] = Deferred(lambda _stepping: None)

        def run() -> None:
            self._inbox.wake_one()
            result = function()
            self.pump.check_process()
            with self.pump.lock:
                self.fire(stepping, result)
            self.pump.io.flush()

        self._inbox.items.append(run)
        self._inbox.wake_one()
        return stepping

    def in_thread(self, connection: Connection, call: ThreadedCall) -> Deferred[Any]:
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

    def forward(
        self, connection: Connection, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """Wait for the answer to a request: here, or in a thread where this one may not."""
        ask = partial(connection.view.sync_request_raw, handler, args)
        return ask() if may_block else BlockingCall(ask)

    def make_view(self, connection: Connection) -> Any:
        """Return the connection as its user sees it."""
        return self._make_view(self, connection)

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function in the connection's context. Any thread, a reactor's too."""
        self.pump.check_process()
        self.pump.submit(function)

    def soon(self, function: Callable[[], object]) -> None:
        """Queue a call in the connection's context."""
        self._inbox.items.append(partial(self.submit, function))

    def let_go(self, connection: Connection, held: list[Any]) -> None:
        """Queue it: it may run the service's code, which is not to have the lock."""

        def empty() -> None:
            with self.pump.lock:  # behind the request that gave it back, and has it too
                self._inbox.wake_one()
            held.clear()

        self._inbox.items.append(empty)

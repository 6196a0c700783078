"""
`ScriptDriver` and `ScriptGuard`: how a script waits, and which thread may send requests.

To wait for a result is to serve until it is there. A callback of an `AsyncResult` becomes an
item of the `Inbox`, as a request does: it runs outside the pump's lock, in its order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from txremote.blocking.inbox import PendingAnswer
from txremote.blocking.pump import Pump
from txremote.errors import WrongThread
from txremote.peer.context import current
from txremote.refs.awaiting import task_loop
from txremote.refs.driver import Pending
from txremote.refs.reactorthread import is_in_reactor
from txremote.refs.threadguard import refuse_in_reactor


class ScriptGuard:
    """A `ThreadGuard`: requests are sent by the thread that has entered the connection."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump

    def check(self) -> None:
        """Raise WrongThread outside the connection's context, where nothing sends the bytes."""
        if not self._pump.entered:
            raise WrongThread(
                "this reference belongs to a script's connection: call it with "
                "txremote.async_(reference)(...), whose result can be awaited"
            )


class ScriptDriver:
    """A `Driver` for a connection that a pump drives."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump

    def wait(self, result: Pending, timeout: float | None) -> None:
        """Serve until a result is there, or for some seconds."""
        if result.pending:
            self._pump.check_process()
            refuse_in_reactor()
            waiter = PendingAnswer()
            items = self._pump.inbox.items
            # behind the requests that came before the result
            result.when_ended(lambda: items.append(waiter))
            self._pump.run_until(waiter, None if timeout is None else monotonic() + timeout)

    def expect(self, result: Pending) -> None:
        """Have a thread wait where no other will: a loop's asks, or another connection's."""
        call = current.get(None)
        if call is None:
            if not is_in_reactor() and task_loop() is None:
                return  # the script itself will wait
        elif call.connection is self._pump.connection:
            return  # the thread that serves it will wait again
        threading.Thread(
            target=self._bring, args=(result,), name="txremote awaited result", daemon=True
        ).start()

    def _bring(self, result: Pending) -> None:
        self.wait(result, None)
        # a thread that waited for another may have read it, and left its callbacks queued
        self.serve_arrived()

    def serve_arrived(self) -> None:
        """Serve what has come, without waiting."""
        try:
            while self._pump.serve(0):
                continue
        except EOFError:  # every result has been told of that
            return

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """Queue a call, behind what arrived before."""

        def call() -> None:
            self._pump.inbox.wake_one()
            function(*args)

        self._pump.inbox.items.append(call)

    def convert(self, value: Any) -> Any:
        """Return a received value with netrefs."""
        return self._pump.connection.view.to_netrefs(value)

    def seconds(self) -> float:
        """Return the monotonic time."""
        return monotonic()

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """Arrange for a call by whatever thread waits or polls by then, or next."""
        return self._pump.timers.call_later(seconds, function)

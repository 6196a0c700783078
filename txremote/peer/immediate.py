"""
The executor, the driver and the guard of a connection in memory: everything at once.

These are the simplest of the three, for `txremote.testing`. Nothing can be waited for here:
feeding the connection brings its results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from txremote.errors import WouldBlockReactor
from txremote.gate.threaded import ThreadedCall
from txremote.peer.abandoned import Closings
from txremote.peer.connection import Connection
from txremote.peer.executor import Hook, PeerRequest
from txremote.peer.hooks import run_hook
from txremote.peer.turns import Turns
from txremote.peer.variables import Variables, program_context
from txremote.refs.driver import Pending


class RunsAtOnce:
    """Runs and fires at once, in the thread that feeds the connection; others build on it."""

    always_serves = True
    polling = 0
    turns: Turns | None = None

    # static, for each connection holds these two: a bound method would be an object for each

    @staticmethod
    def start(request: PeerRequest) -> None:
        """Run it now."""
        request.inbound.variables.run(request.run)

    def busy(self) -> bool:
        """Return False: requests are answered as they come."""
        return False

    @staticmethod
    def fire(deferred: Deferred[Any], result: Any) -> None:
        """Fire it now."""
        if not deferred.called:  # an earlier one's callback may have cancelled it
            deferred.callback(result)

    def call_hook(self, connection: Connection, hook: Hook) -> None:
        """Call it now."""
        variables = _variables_of(connection)
        variables.run(run_hook, connection, hook)
        variables.drop_empty()

    def step(self, connection: Connection, function: Callable[[], object]) -> Any:
        """Run it now."""
        return _variables_of(connection).run(function)

    def let_go(self, connection: Connection, held: list[Any]) -> None:
        """Empty it now."""
        _variables_of(connection).run(held.clear)


def _variables_of(connection: Connection) -> Variables:
    variables = connection.inbound.variables
    assert variables is not None  # these executors give some to each connection
    return variables


class AnyThread:
    """A `ThreadGuard` that allows every thread."""

    def check(self) -> None:
        """Do nothing."""


class ImmediateDriver:
    """A `Driver` that cannot wait; without a clock, nothing expires either."""

    def __init__(self, clock: IReactorTime | None = None) -> None:
        self._clock = clock

    def wait(self, result: Pending, timeout: float | None) -> NoReturn:
        """Refuse: nothing here could make the result come."""
        raise WouldBlockReactor(
            "nothing drives this connection while it is waited for: await the result, "
            "or pump the pair"
        )

    def expect(self, result: Pending) -> None:
        """Do nothing: feeding the connection brings it."""

    def serve_arrived(self) -> None:
        """Do nothing: it has been served as it came."""

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """Call it now."""
        function(*args)

    def convert(self, value: Any) -> Any:
        """Return the value."""
        return value

    def seconds(self) -> float:
        """Return the clock's time."""
        return self._clock.seconds() if self._clock is not None else 0.0

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None] | None:
        """Arrange for a call by the clock."""
        if self._clock is None:
            return None
        call = self._clock.callLater(seconds, function)

        def take_back() -> None:
            if call.active():
                call.cancel()

        return take_back


class ImmediateExecutor(RunsAtOnce):
    """An `Executor` that runs and fires at once, in whatever thread feeds the connection."""

    def __init__(self, clock: IReactorTime | None = None) -> None:
        self.driver = ImmediateDriver(clock)
        self.guard = AnyThread()
        self.closings = Closings()
        self._context = program_context()

    def variables(self) -> Variables:
        """Return a copy of those that this was made with."""
        return Variables(self._context)

    def in_thread(self, connection: Connection, call: ThreadedCall) -> Deferred[Any]:
        """Run it now, with references as they are: nothing here could answer a blocking call."""
        return maybeDeferred(call)

    def forward(
        self, connection: Connection, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """Send it now."""
        return connection.outbound.request_received(handler, args)

    def make_view(self, connection: Connection) -> NoReturn:
        """Refuse: nothing here can be waited for."""
        raise WouldBlockReactor("a connection in memory has no blocking side")

    def submit(self, function: Callable[[], object]) -> None:
        """Call it now."""
        function()

    def soon(self, function: Callable[[], object]) -> None:
        """Call it now: in memory nothing else is under way."""
        function()

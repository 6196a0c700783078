"""
The seam: where the peer's requests run and where our results fire.

A `Connection` is never entered by two threads at once, and knows of no thread.
What differs between a reactor, a plain script and a service in worker threads
is a `Runner`, given to it at construction:

=================  ======================================================
reactor            requests run and results fire at once
a script's thread  both are queued while the connection's lock is held and
                   run by the pump after it is released
threaded service   requests go into the connection's lane, a worker thread,
                   and their outcomes come back into the reactor
=================  ======================================================

Beyond those two verbs a runner knows how to *wait*, since that too is the
thread's affair: it is what an `AsyncResult` leans on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred

from txremote.errors import WouldBlockReactor
from txremote.gate.threaded import ThreadedCall
from txremote.peer.abandoned import Closings
from txremote.peer.pending_calls import Clock
from txremote.peer.turns import Turns
from txremote.peer.variables import Variables, program_context
from txremote.refs.driver import Driver, Pending


class Work(Protocol):
    """A request of the peer, decoded and not yet run."""

    inbound: Any

    def run(self) -> None:
        """Run it and answer it, in the connection's own context."""

    def execute(self, view: Any) -> tuple[bool, Any]:
        """Run it in a thread that may block; return what `finish` takes."""

    def begin(self, went_well: bool, result: Any) -> tuple[bool, Any]:
        """
        Begin what `execute` gave in place of a result, a coroutine say; return what
        `answer` takes.
        """

    def answer(self, went_well: bool, result: Any) -> KeyboardInterrupt | None:
        """
        Answer it, in the connection's own context; return the Ctrl-C that came
        meanwhile, if one did.
        """

    def finish(self, went_well: bool, result: Any) -> KeyboardInterrupt | None:
        """Do both, in the connection's own context."""


class Runner(Driver, Protocol):
    """
    Where a connection's work happens, and how its results are waited for.

    Attributes:
        always_serves: Whether the peer's requests are looked at whenever they
            come, and not only while a thread waits.
        polling: Whether the service's own code waits for a request of the peer's.
        closings: The generators that are being closed, which the peer has left.
        turns: Where what is long is read a slice at a time; None: it is read at once,
            for there is nothing that it would hold up.
    """

    always_serves: bool
    polling: int
    closings: Closings
    turns: Turns | None

    def variables(self) -> Variables | None:
        """
        Return the context variables of a new connection; None where its requests run
        in whatever thread waits, and so in that thread's own.
        """

    def start(self, work: Work) -> None:
        """See to it that a request is run, now or later."""

    def fire(self, deferred: Deferred[Any], result: Any) -> None:
        """See to it that a Deferred gets its result, which may be a Failure."""

    def hook(self, connection: Any, hook: Callable[[Any], Any]) -> None:
        """
        Call a service's ``on_connect`` or ``on_disconnect``, with the connection
        as the service is to see it. An exception closes the connection.
        """

    def in_thread(self, connection: Any, call: ThreadedCall) -> Deferred[Any]:
        """Run a `threaded` method in a thread of its own."""

    def busy(self) -> bool:
        """
        Tell whether requests run, or wait to be run, that have not been answered
        and are no Deferreds.
        """

    def ask(
        self, connection: Any, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """
        Pass a request on to a connection of this runner; from any thread of the
        program.

        Args:
            connection: Which.
            handler: One of the ``HANDLE_`` numbers.
            args: Its arguments.
            may_block: Whether this thread may wait for the answer. It serves the
                connection meanwhile, as RPyC does: its peer may call back first.

        Returns:
            The answer, or what `txremote.peer.awaiting.awaited` makes a Deferred of it.
        """

    def make_view(self, connection: Any) -> Any:
        """Return the connection as code that may block sees it."""

    def check_thread(self) -> None:
        """Raise `WrongThread` where a request may not be made from here."""

    def submit(self, function: Callable[[], Any]) -> None:
        """Call a function in the connection's context, from any thread."""

    def soon(self, function: Callable[[], object]) -> None:
        """
        Call a function in the connection's context, from any thread, and from within
        the garbage collection: so it takes no lock, and nothing runs under it.
        """

    def let_go(self, connection: Any, held: list[Any]) -> None:
        """
        Empty a list where the peer's requests run: what is in it may be dropped by
        that, and run code of the service's.
        """


class AtOnce:
    """
    Runs and fires at once, in whatever thread feeds the connection: the part that
    a connection in memory and one in a reactor share.
    """

    always_serves = True
    polling = 0
    turns: Turns | None = None

    def start(self, work: Work) -> None:
        """Run it now."""
        work.inbound.variables.run(work.run)

    def busy(self) -> bool:
        """Say no: they are answered as they come."""
        return False

    def fire(self, deferred: Deferred[Any], result: Any) -> None:
        """Fire it now. A Failure as the result starts the errbacks."""
        if not deferred.called:  # an earlier one's callback may have cancelled it
            deferred.callback(result)

    def hook(self, connection: Any, hook: Callable[[Any], Any]) -> None:
        """Call it now."""
        connection.inbound.variables.run(connection.run_hook, hook, connection)

    def let_go(self, connection: Any, held: list[Any]) -> None:
        """Empty it now."""
        connection.inbound.variables.run(held.clear)


class ImmediateRunner(AtOnce):
    """
    Runs and fires at once, in whatever thread feeds the connection.

    It is the whole of a reactor's runner but for the thread, and all that a
    connection in memory needs.

    Args:
        clock: Where results get their expiry from, or None.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self._context = program_context()
        self.closings = Closings()

    def variables(self) -> Variables:
        """Return a copy of those of whoever made this."""
        return Variables(self._context)

    def in_thread(self, connection: Any, call: ThreadedCall) -> Deferred[Any]:
        """
        Run it now, in this thread, with references as they are: in memory there
        is nothing that could answer a blocking call.
        """
        return maybeDeferred(call)

    def ask(
        self, connection: Any, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """Send it now."""
        return connection.outbound.ask(handler, args)

    def make_view(self, connection: Any) -> Any:
        """Refuse: nothing here can be waited for."""
        raise WouldBlockReactor("a connection in memory has no blocking side")

    def check_thread(self) -> None:
        """Allow any thread."""

    def submit(self, function: Callable[[], Any]) -> None:
        """Call it now."""
        function()

    def soon(self, function: Callable[[], object]) -> None:
        """Call it now: in memory nothing else is under way."""
        function()

    def wait(self, result: Pending, timeout: float | None) -> None:
        """Refuse: nothing here could make the result come."""
        raise WouldBlockReactor(
            "nothing drives this connection while it is waited for: await the result, "
            "or pump the pair"
        )

    def expect(self, result: Pending) -> None:
        """Do nothing: whoever feeds the connection brings it."""

    def look(self) -> None:
        """Do nothing: what has come has been served."""

    def deliver(self, function: Callable[..., None], *args: Any) -> None:
        """Call it now."""
        function(*args)

    def present(self, value: Any) -> Any:
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

"""
`Executor`: where the peer's requests run and where our results fire.

A `Connection` is never entered by two threads at once, and starts no thread. What
differs between a reactor, a plain script and a service in worker threads is the
executor that it is given:

=================  ======================================================
event loop         requests run and results fire at once
a script's thread  both are queued while the connection's lock is held and
                   run by the pump after it is released
threaded service   requests go into the connection's lane, a worker thread,
                   and their outcomes come back into the event loop
=================  ======================================================

An executor brings two more objects, which know of threads too: the `Driver` that waits
for results (`txremote.refs.driver`), and the `ThreadGuard` that says from which thread
requests may be sent (`txremote.refs.threadguard`). Together they are all that a new
driver supplies; `txremote.peer.immediate` has the simplest of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from txremote.gate.threaded import ThreadedCall
from txremote.peer.abandoned import Closings
from txremote.peer.turns import Turns
from txremote.peer.variables import Variables
from txremote.refs.driver import Driver
from txremote.refs.threadguard import ThreadGuard

#: A service's ``on_connect`` or ``on_disconnect``; it gets the connection as the service sees it.
Hook = Callable[[Any], object]

C_contra = TypeVar("C_contra", contravariant=True)


class PeerRequest(Protocol):
    """A request of the peer, decoded and not yet run (`txremote.peer.request.Request`)."""

    inbound: Any
    number: int
    sender: int
    size: int
    deadline: float | None

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


class Executor(Protocol[C_contra]):
    """
    Runs what a connection has to run. One may be shared by connections.

    Attributes:
        always_serves: Whether the peer's requests are served whenever they come, and
            not only while a thread waits.
        polling: How many threads of the service wait for a request of the peer's.
        closings: The asynchronous generators that are being closed.
        turns: Where a long message is read a slice at a time; None: it is read at once,
            for there is nothing that it would hold up.
    """

    always_serves: bool
    polling: int
    closings: Closings
    turns: Turns | None

    @property
    def driver(self) -> Driver:
        """Waits for results, and times them."""

    @property
    def guard(self) -> ThreadGuard:
        """Says from which thread requests may be sent."""

    def variables(self) -> Variables | None:
        """
        Return the context variables of a new connection; None where its requests run
        in the thread that waits, and so with that thread's own.
        """

    def start(self, request: PeerRequest) -> None:
        """Run a request, now or later."""

    def fire(self, deferred: Deferred[Any], result: Any) -> None:
        """Fire a Deferred with a result, which may be a Failure, unless it has fired."""

    def call_hook(self, connection: C_contra, hook: Hook) -> None:
        """
        Call a service's ``on_connect`` or ``on_disconnect``, with the connection
        as the service is to see it. An exception closes the connection.
        """

    def in_thread(self, connection: C_contra, call: ThreadedCall) -> Deferred[Any]:
        """Run a `threaded` method in a thread of its own."""

    def busy(self) -> bool:
        """
        Tell whether requests run, or wait to be run, that have not been answered
        and are no Deferreds.
        """

    def forward(
        self, connection: C_contra, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """
        Pass a request on to a connection of this executor; from any thread of the
        program.

        Args:
            connection: Which.
            handler: One of the ``HANDLE_`` numbers.
            args: Its arguments.
            may_block: Whether this thread may wait for the answer. It serves the
                connection meanwhile, as RPyC does: its peer may call back first.

        Returns:
            The answer, or what `txremote.peer.awaiting.awaited` makes a Deferred of.
        """

    def make_view(self, connection: C_contra) -> Any:
        """Return the connection as code that may block sees it."""

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function in the connection's context, from any thread."""

    def soon(self, function: Callable[[], object]) -> None:
        """
        Call a function in the connection's context, from any thread, and from within
        the garbage collection: it takes no lock, and runs nothing at once.
        """

    def let_go(self, connection: C_contra, held: list[Any]) -> None:
        """
        Empty a list where the peer's requests run: dropping what is in it may run code
        of the service's.
        """

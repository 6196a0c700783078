"""
`Executor`: where the peer's requests run and where our results fire.

A `Connection` is never entered by two threads at once, and starts no thread. A reactor, a
plain script and a service in worker threads differ in the executor that it is given:

* an event loop: requests run and results fire at once;
* a script's thread: both are queued while the connection's lock is held, and run by the
  pump after it is released;
* a threaded service: requests go into the connection's lane, a worker thread, and their
  outcomes come back into the event loop.

An executor brings the `Driver` that waits for results, and the `ThreadGuard` that says from
which thread requests may be sent. The three are all that a new driver supplies;
`txremote.peer.immediate` has the simplest of each.
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
    begun: int
    handler: Any
    args: tuple[Any, ...]

    def run(self) -> None:
        """Run it and answer it, in the connection's own context."""

    def execute(self, view: Any) -> tuple[bool, Any]:
        """Run it in a thread that may block; return what `finish` takes."""

    def begin(self, went_well: bool, result: Any) -> tuple[bool, Any]:
        """Begin what `execute` gave, a coroutine say; return what `answer` takes."""

    def answer(self, went_well: bool, result: Any) -> KeyboardInterrupt | None:
        """Answer it, in the connection's own context; return the Ctrl-C that came meanwhile."""

    def fail(self, error: BaseException) -> None:
        """Answer it with an exception, in the connection's own context."""

    def finish(self, went_well: bool, result: Any) -> KeyboardInterrupt | None:
        """Do as `begin` and `answer`, in the connection's own context."""


class Executor(Protocol[C_contra]):
    """
    Runs what a connection has to run. One may be shared by connections.

    Attributes:
        always_serves: Whether the peer's requests are served whenever they come, and
            not only while a thread waits.
        polling: How many threads of the service wait for a request of the peer's.
        closings: The asynchronous generators that are being closed.
        turns: Where a long message is read a slice at a time; None: at once.
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
        """Return a new connection's context variables; None: those of the thread that waits."""

    def start(self, request: PeerRequest) -> None:
        """Run a request, now or later."""

    def fire(self, deferred: Deferred[Any], result: Any) -> None:
        """Fire a Deferred with a result, which may be a Failure, unless it has fired."""

    def call_hook(self, connection: C_contra, hook: Hook) -> None:
        """Call a hook with the connection as the service sees it; an exception closes that."""

    def step(self, connection: C_contra, function: Callable[[], object]) -> Any:
        """
        Run a part of an answer, which raises nothing, where the peer's requests run. Return what
        it returns, or a Deferred of that. In the connection's context.
        """

    def in_thread(self, connection: C_contra, call: ThreadedCall) -> Deferred[Any]:
        """Run a `threaded` method in a thread of its own."""

    def busy(self) -> bool:
        """Tell whether requests run or wait that are not answered and are no Deferreds."""

    def forward(
        self, connection: C_contra, handler: int, args: tuple[Any, ...], may_block: bool = False
    ) -> Any:
        """
        Pass a request on to a connection of this executor, from any thread. Return the answer,
        or what `txremote.peer.awaiting.awaited` makes a Deferred of. A thread that
        ``may_block`` waits, and serves the connection meanwhile: its peer may call back first.
        """

    def make_view(self, connection: C_contra) -> Any:
        """Return the connection as code that may block sees it."""

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function in the connection's context, from any thread."""

    def soon(self, function: Callable[[], object]) -> None:
        """Do as `submit`, also within the garbage collection: take no lock, run nothing now."""

    def let_go(self, connection: C_contra, held: list[Any]) -> None:
        """Empty a list where the peer's requests run: that may run the service's code."""

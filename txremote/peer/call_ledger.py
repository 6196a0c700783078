"""
The ledger of the peer's calls: which start now, which wait, and which are refused.

A call waits while too many of its connection are unanswered (``max_calls``), while the peer
does not read (``pause_unsent``), and until ``on_connect`` is done. At most ``max_waiting``
wait; past that a call is refused. The arguments of all have ``max_unanswered`` bytes at most,
but one call alone may have any size that a message may.

While a call of ours waits for this peer its calls are never queued: its answer may depend
on one of them, and queueing it would deadlock. They are then bounded by ``max_calls`` and
``max_waiting`` together, and refused past that, for the same reason. The exception is a call whose
arguments are fetched from a txremote, or are many: those behind it wait until it has begun, for
the peer has sent them in this order, and its answer to a FETCH depends on none of them.

A call runs from `begin` to `finish`; one that is answered while it is started is never
entered. An abandoned one is answered, but still runs in a thread, which nothing can stop: it
counts with those that run, from `abandon` to `forget`.

While a connection drains, new calls are refused, unless a call that has begun may need them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, Generic, Protocol, TypeVar

from txremote.config import ConnectionConfig
from txremote.errors import RemoteProtocolError
from txremote.peer.logging import logger_for
from txremote.peer.memory_budget import SharesMemory

_log = logger_for("call")

# Of a ledger that has none yet: a listener may have very many. Nothing is ever put in.
_NONE: Final[dict[int, Any]] = {}


class Request(Protocol):
    """A call of the peer that has not started: its number, and the bytes of its message."""

    number: int
    size: int


class Cancellable(Protocol):
    """It can be cancelled."""

    def cancel(self) -> object:
        """End it."""


class Running(Cancellable, Protocol):
    """A call of the peer that runs and is unanswered."""

    def cut(self, error: Exception, unbegun: Exception) -> object:
        """Cancel it, and answer it now: with an error, or another if it has not begun."""

    @property
    def number(self) -> int:
        """Its sequence number."""

    @property
    def size(self) -> int:
        """The bytes of its message."""

    @property
    def begun(self) -> int:
        """When it was received, as `txremote.peer.request.Request.begun`."""

    @property
    def called(self) -> tuple[object, ...]:
        """The object and the name that it is a call of (`txremote.peer.called`)."""


R = TypeVar("R", bound=Request)
R_contra = TypeVar("R_contra", contravariant=True)


class Starter(Protocol[R_contra]):
    """Starts calls."""

    def start(self, request: R_contra) -> None:
        """Run a request, now or later."""


class Caller(SharesMemory, Protocol):
    """The connection, of which calls of its own may be unanswered."""

    config: ConnectionConfig  # for ``max_calls``, ``max_waiting`` and ``max_unanswered``

    def needs_peer(self) -> bool:
        """Tell whether a call of ours waits for the peer, or a thread for its requests."""


class CallLedger(Generic[R]):
    """
    The calls of one connection's peer.

    Args:
        needed: Tells whether a call of ours waits for the peer.

    Attributes:
        size: How many bytes the calls have that wait, run or are abandoned.
        waiting: The calls that wait, by number, oldest first. For reading only.
        accepted: The number of a call that is admitted now and is no new one; it is not refused.
    """

    __slots__ = (
        "_caller",
        "_held",
        "_max_calls",
        "_paused",
        "_refusal",
        "_running",
        "_starter",
        "_starting",
        "abandoned",
        "accepted",
        "size",
        "waiting",
    )

    def __init__(
        self,
        starter: Starter[R],
        caller: Caller,
    ) -> None:
        self._max_calls = caller.config.max_calls
        self._starter = starter
        self._caller = caller
        self._held = 0  # 1 while the service is not ready, and 2 for each call that is prepared
        self._paused = False
        self._starting = False
        self._refusal: Exception | None = None
        self._running: dict[int, Running] = _NONE
        self.abandoned = 0
        self.accepted: int | None = None
        self.size = 0
        self.waiting: dict[int, R] = _NONE

    def __len__(self) -> int:
        """Return how many calls are unanswered."""
        return len(self._running) + len(self.waiting)

    @property
    def running(self) -> Collection[Running]:
        """The calls that run and are unanswered, oldest first. For reading only."""
        return self._running.values()

    def __contains__(self, number: int) -> bool:
        """Tell whether the call of a number is unanswered."""
        return number in self._running or number in self.waiting

    @property
    def paused(self) -> bool:
        """Whether all calls wait since the peer does not read its answers."""
        return self._paused

    # -- a call begins

    def admit(self, request: R) -> None:
        """Start a call, or let it wait, or raise the exception to answer it with."""
        number = request.number
        if number in self._running or number in self.waiting:
            # it would hide the other from max_calls and CANCEL
            raise RemoteProtocolError(f"request {number} is still unanswered")
        if self._refusal is not None and self.accepted != number:
            self.check_open()
        if self.size and self.size + request.size > self._caller.config.max_unanswered:
            raise RemoteProtocolError(
                f"{self.size} bytes of this connection's calls are unanswered, and "
                f"{request.size} more are too many (option max_unanswered)",
                "max_unanswered",
            )
        running = len(self._running) + self.abandoned
        # as in `_has_room`, without another call for each request
        free = running < self._max_calls and not self._paused and not self._held
        if not self.waiting and (free or self._has_room()):
            self._starter.start(request)
            return
        if running + len(self.waiting) >= self._max_calls + self._caller.config.max_waiting:
            raise RemoteProtocolError(
                f"{running} calls of this connection are unanswered and "
                f"{len(self.waiting)} wait (options max_calls, max_waiting)",
                "max_waiting",
            )
        if self.waiting is _NONE:
            self.waiting = {}
        self.waiting[number] = request
        self._grow(request.size)
        self.start_waiting()

    def check_open(self) -> None:
        """Raise the exception that new calls are refused with, if they are."""
        if self._refusal is not None and not self._caller.needs_peer():
            raise self._refusal

    def start_waiting(self) -> None:
        """Start the waiting calls that may start by now."""
        if self._starting:
            return  # the loop below goes on: a call that starts within it costs no stack
        self._starting = True
        try:
            while self.waiting and self._has_room():
                request = self.waiting.pop(next(iter(self.waiting)))
                self._grow(-request.size)
                self._starter.start(request)
        finally:
            self._starting = False

    def _has_room(self) -> bool:
        """Tell whether a call may start now."""
        running = len(self._running) + self.abandoned
        if running < self._max_calls and not self._paused and not self._held:
            return True
        if self._held > 1:
            return False
        return (
            running < self._max_calls + self._caller.config.max_waiting
            and self._caller.needs_peer()
        )

    def begin(self, call: Running) -> None:
        """Enter a call that was started and takes time."""
        if self._running is _NONE:
            self._running = {}
        self._running[call.number] = call
        self._grow(call.size)

    # -- a call ends

    def finish(self, call: Running) -> None:
        """Strike out a call that is just being answered; nothing if it is not running."""
        if self._running.get(call.number) is call:
            del self._running[call.number]
            self._grow(-call.size)
            if self.waiting:
                self.start_waiting()

    def abandon(self, call: Running) -> None:
        """Note that a call is answered, and that its thread goes on until `forget`."""
        if self._running.get(call.number) is call:
            del self._running[call.number]
        else:  # `stop` has struck it out
            self._grow(call.size)
        self.abandoned += 1

    def forget(self, call: Running) -> None:
        """Strike out an abandoned call: its thread has ended, and its bytes are free."""
        self._grow(-call.size)
        self.forget_thread()

    def abandon_thread(self) -> None:
        """Note a thread that goes on until `forget_thread`, beside the call that began it."""
        self.abandoned += 1

    def forget_thread(self) -> None:
        """Strike out an abandoned thread: it has ended."""
        self.abandoned -= 1
        self.start_waiting()

    def cancel(self, number: int) -> R | None:
        """Cancel a call if it runs. Return it if it waited: it is to be answered."""
        running = self._running.get(number)
        if running is not None:
            running.cancel()
            return None
        request = self.waiting.pop(number, None)
        if request is not None:
            self._grow(-request.size)
        return request

    def stop(self) -> None:
        """Cancel all calls, and forget those that wait: the connection has ended."""
        running = list(self._running.values())
        freed = sum(call.size for call in running)
        freed += sum(request.size for request in self.waiting.values())
        self._running.clear()
        self.waiting.clear()
        if freed:
            self._grow(-freed)
        for call in running:
            cancel_at_end(call)

    def cut(self, error: Exception, unbegun: Exception) -> list[R]:
        """Cancel all that run, as each one's ``cut`` does; return those that wait."""
        waiting = list(self.waiting.values())
        self.waiting.clear()
        self._grow(-sum(request.size for request in waiting))
        for call in list(self._running.values()):
            try:
                call.cut(error, unbegun)
            except Exception:  # a canceller is the user's, and the rest has to end all the same
                _log.failure("a canceller failed of a call that was cut")
        return waiting

    def _grow(self, size: int) -> None:
        """Count bytes more, or fewer."""
        self.size += size
        share = self._caller.share or self._caller.begin_share()
        if share is not None:
            share.change(size)

    # -- all calls

    def hold(self) -> None:
        """Let all calls wait until `release`: the service is not ready."""
        self._held |= 1

    def release(self) -> None:
        """Start the calls that have waited for the service."""
        self._held &= ~1
        self.start_waiting()

    def prepare(self) -> None:
        """Let the calls that come wait until `prepared`: one before them cannot begin yet."""
        self._held += 2

    def prepared(self) -> None:
        """Start the calls that have waited for one before them."""
        self._held -= 2
        self.start_waiting()

    def make_room(self, calls: int) -> None:
        """Let so many calls more run at once, or fewer: a stream is to hold up none."""
        self._max_calls += calls
        if self.waiting and calls > 0:
            self.start_waiting()

    def take_in(self, size: int) -> int:
        """Count bytes that were fetched for a call, and return how many. Raises as `admit`."""
        if size and self.size + size > self._caller.config.max_unanswered:
            raise RemoteProtocolError(
                f"{self.size} bytes of this connection's calls are unanswered, and {size} more "
                "that were fetched for one are too many (option max_unanswered)",
                "max_unanswered",
            )
        self._grow(size)
        return size

    def let_go(self, size: int) -> None:
        """Count bytes no more that were fetched: their call has ended."""
        self._grow(-size)

    def pause(self) -> None:
        """Let all calls wait until `resume`: the peer does not read its answers."""
        self._paused = True

    def resume(self) -> None:
        """Start the calls that have waited for the peer to read."""
        self._paused = False
        self.start_waiting()

    def refuse(self, why: Exception) -> None:
        """Refuse new calls from now on."""
        self._refusal = why


def cancel_at_end(call: Cancellable) -> None:
    """Cancel a call whose connection has ended."""
    try:
        call.cancel()
    except Exception:  # a canceller is the user's, and the rest has to end all the same
        _log.failure("a canceller failed when the connection had ended")

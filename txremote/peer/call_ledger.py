"""
Which requests of the peer start now, which wait, and which are refused.

A request waits while too many of its connection are unanswered (``max_calls``),
while the peer does not read what it is sent (``pause_unsent``), and until the
service's ``on_connect`` is done. So much may wait (``max_waiting``); past that a
request is refused with an error that names the option.

Requests that run and wait hold their arguments: so many bytes of them may
(``max_unanswered``). One alone may have any size that a message may.

None waits while a call of ours waits for that peer, an ``on_connect``'s too, for
whoever answers it may have to ask us first: a chain of calls that call back would
stop for ever. It is then bounded by ``max_calls`` and ``max_waiting`` together, and
refused past that, for the same reason.

What cannot be stopped, since it runs in a thread, and was answered before its end,
is *abandoned*. It counts with what runs until it ends.

When the connection is to end, what comes new is refused, but for that same need:
calls that have begun may end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txremote.errors import RemoteProtocolError
from txremote.peer.holdings import Share


class CallLedger:
    """
    The door of one connection's requests.

    Args:
        max_calls: How many may be unanswered.
        max_waiting: How many may wait.
        max_unanswered: How many bytes they may have in all.
        running: Those that are unanswered, by number.
        start: Starts a request.
        needed: Gives something true while a call of ours waits for the peer.

    Attributes:
        abandoned: How many were answered that still run in a thread.
        size: How many bytes those have that wait, and those that run.
        waiting: Those that wait, by number, in their order.
        share: Where their bytes are counted, with other connections', or None.
    """

    __slots__ = (
        "_held",
        "_looking",
        "_max_calls",
        "_max_unanswered",
        "_max_waiting",
        "_needed",
        "_pressed",
        "_refusal",
        "_running",
        "_start",
        "abandoned",
        "share",
        "size",
        "waiting",
    )

    def __init__(
        self,
        max_calls: int,
        max_waiting: int,
        max_unanswered: int,
        running: dict[int, Any],
        start: Callable[[Any], None],
        needed: Callable[[], object],
    ) -> None:
        self._max_calls = max_calls
        self._max_waiting = max_waiting
        self._max_unanswered = max_unanswered
        self._running = running
        self._start = start
        self._needed = needed
        self._held = False
        self._pressed = False
        self._looking = False
        self._refusal: Exception | None = None
        self.abandoned = 0
        self.size = 0
        self.share: Share | None = None
        self.waiting: dict[int, Any] = {}

    def grow(self, size: int) -> None:
        """Count so many bytes more of those that wait or run, or fewer."""
        self.size += size
        if self.share is not None:
            self.share.change(size)

    @property
    def room(self) -> bool:
        """Whether a request may start now."""
        running = len(self._running) + self.abandoned
        if running < self._max_calls and not self._pressed and not self._held:
            return True
        return running < self._max_calls + self._max_waiting and bool(self._needed())

    def admit(self, request: Any) -> None:
        """
        Start a request, or let it wait.

        Raises:
            Exception: it can do neither; what to answer.
        """
        if self._refusal is not None and not self._needed():
            raise self._refusal
        if self.size and self.size + request.size > self._max_unanswered:
            raise RemoteProtocolError(
                f"{self.size} bytes of this connection's calls are unanswered, and "
                f"{request.size} more are too many (option max_unanswered)",
                "max_unanswered",
            )
        running = len(self._running) + self.abandoned
        # as in `room`, without another call for each request
        free = running < self._max_calls and not self._pressed and not self._held
        if not self.waiting and (free or self.room):
            self._start(request)
            return
        if running + len(self.waiting) >= self._max_calls + self._max_waiting:
            raise RemoteProtocolError(
                f"{running} calls of this connection are unanswered and "
                f"{len(self.waiting)} wait (options max_calls, max_waiting)",
                "max_waiting",
            )
        self.waiting[request.number] = request
        self.grow(request.size)
        self.look()

    def look(self) -> None:
        """Start what may start by now."""
        if self._looking:
            return  # what is started just now has ended; within it would be a frame each
        self._looking = True
        try:
            while self.waiting and self.room:
                request = self.waiting.pop(next(iter(self.waiting)))
                self.grow(-request.size)
                self._start(request)
        finally:
            self._looking = False

    def take_back(self, number: int) -> Any:
        """Return a request that waits, which then does so no more, or None."""
        request = self.waiting.pop(number, None)
        if request is not None:
            self.grow(-request.size)
        return request

    def forget(self, size: int = 0) -> None:
        """Count an abandoned request no more: it has ended, and its bytes are free."""
        self.abandoned -= 1
        self.grow(-size)
        self.look()

    def hold(self) -> None:
        """Let everything wait until `release`: the service is not ready."""
        self._held = True

    def release(self) -> None:
        """Start what has waited for the service."""
        self._held = False
        self.look()

    def press(self, pressed: bool) -> None:
        """Let things wait, or not, because of what the peer has not read."""
        self._pressed = pressed
        self.look()

    def refuse(self, why: Exception) -> None:
        """Let nothing new in."""
        self._refusal = why

    def drop(self) -> None:
        """Forget what waits: the connection has ended."""
        self.waiting.clear()
        self.size = 0

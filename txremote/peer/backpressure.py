"""
`Backpressure`: what of one direction depends on the other.

A peer that asks and does not read what it is answered is not read itself: else its
answers would fill the memory. But while a call of ours waits for that peer it has
to be read, and what it asks has to run, since its answer may need it.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from txremote.peer.outbox import Outbox
from txremote.peer.ports import ConnectionPort


class Backpressure:
    """Lets the bytes of one connection flow, or not."""

    __slots__ = ("_clock", "_connection", "_outbox")

    def __init__(
        self,
        connection: ConnectionPort,
        outbox: Outbox,
        clock: IReactorTime | None,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._clock = clock

    @property
    def paused(self) -> bool:
        """Whether nothing is read from the peer, since it does not read itself."""
        return self._outbox.pressing and not self._connection.calls

    @property
    def sending(self) -> bool:
        """Whether much is on its way to the peer."""
        return self._outbox.full

    @property
    def busy(self) -> bool:
        """Whether calls are unanswered, in either direction."""
        connection = self._connection
        return bool(connection.calls or len(connection.inbound)) or connection.executor.busy()

    def needs_peer(self) -> bool:
        """Tell whether a call of ours waits for the peer, or a thread for its requests."""
        return bool(self._connection.calls or self._connection.executor.polling)

    def high_water(self, over: bool) -> None:
        """Stop to serve the peer: more than ``pause_unsent`` waits for it. Or go on: nothing."""
        connection = self._connection
        inbound = connection.inbound
        if over and not connection.calls:
            connection.stream.pauseProducing()
        elif not over and not connection.closed:
            connection.stream.resumeProducing()
        if over:  # an answer is just being written
            inbound.ledger.pause()
        else:
            inbound.ledger.resume()
            inbound.close_if_drained()

    def peer_needed(self) -> None:
        """A call of ours waits for the peer now: it is read, and what it asks starts."""
        if self._outbox.pressing:
            self._connection.stream.resumeProducing()
        if self._clock is not None:
            # not now: the caller's own code is still running
            self._clock.callLater(0, self._connection.inbound.start_waiting)

    def peer_answered(self) -> None:
        """Something was read: the peer may not be needed any more."""
        if self.paused and not self._connection.closed:
            self._connection.stream.pauseProducing()

"""
`Receiver`: what a connection reads, from bytes to messages, as `data_received` gives them.

Most payloads are taken in at once. A long one, and all that has come behind it, is read a
slice at a time (`txremote.peer.turns`), with the transport paused. Bytes that it delivers all
the same, as TLS does, and an end of the connection wait behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Protocol

from twisted.python.failure import Failure

from txremote.errors import RemoteProtocolError
from txremote.peer.imports import ReleaseQueue
from txremote.peer.inbound import InboundCalls
from txremote.peer.lifecycle import CLOSED, CLOSING
from txremote.peer.outbox import Outbox
from txremote.peer.pending_calls import PendingCalls
from txremote.peer.ports import ConnectionPort, Stream
from txremote.peer.reading import MessageReader
from txremote.refs import forks
from txremote.wire.framing import FrameReader, Oversize, Packed, Payload
from txremote.wire.limits import Limits
from txremote.wire.long_items import LongItems
from txremote.wire.slices import LONG


def _taken(held: list[Payload]) -> Iterator[Payload]:
    """Give what is in a list, which then has it no more."""
    while held:
        yield held.pop()


class Backlog:
    """The messages that a connection has still to read, and what has come behind them."""

    __slots__ = ("lost", "steps", "unread")

    def __init__(self, steps: Iterator[None]) -> None:
        self.lost: Failure | None = None
        self.steps = steps
        self.unread: deque[bytes] = deque()


class Receiver(MessageReader):
    """
    Reads for one connection.

    Attributes:
        acknowledge: Has TCP acknowledge at once what was read; None where that is not
            needed, or cannot be done.
        read: Has the transport read more at once, or as much as ever; None where it cannot.
    """

    __slots__ = ("_backlog", "_reader", "acknowledge", "read", "released")

    def __init__(
        self,
        inbound: InboundCalls,
        outbox: Outbox,
        calls: PendingCalls,
        *,
        reader: FrameReader,
        released: ReleaseQueue,
    ) -> None:
        super().__init__(inbound, outbox, calls)
        self._reader = reader
        self.released = released
        self._backlog: Backlog | None = None  # while a long message is read
        self.acknowledge: Callable[[Stream], object] | None = None
        self.read: Callable[[Stream, bool], None] | None = None

    @property
    def _connection(self) -> ConnectionPort:
        return self._inbound.connection

    def allow(self, limits: Limits) -> None:
        """Read by these limits from the next message on."""
        super().allow(limits)
        self._reader.allow(limits)

    def read_streams(self, begin: bool) -> None:
        """Read streams of the peer's from now on, or none any more."""
        dialect = self._outbox.dialect
        self._reader.items = dialect.request if begin and dialect is not None else None
        if self.read is not None and self._connection.state is not CLOSED:
            self.read(self._connection.stream, begin)

    @property
    def at_boundary(self) -> bool:
        """Whether no message is incomplete."""
        return self._reader.at_boundary

    # -- long messages

    def _read_later(self, first: list[Payload], others: Iterable[Payload]) -> None:
        """Read a message, which is taken out of its list, and others in the turns to come."""
        turns = self._connection.executor.turns
        assert turns is not None
        size = len(first[0]) if type(first[0]) is bytes else 0
        backlog = self._backlog = Backlog(self._steps(chain(_taken(first), others)))
        # most are done with the first slice
        if not turns.idle or self._read_on(backlog):
            if size:
                self._set_unfinished(size)
            self._connection.stream.pauseProducing()
            turns.add(partial(self._read_in_turn, backlog))

    def _steps(self, payloads: Iterator[Payload]) -> Iterator[None]:
        while True:
            size = 0
            for payload in payloads:
                if self._connection.state >= CLOSING:
                    return
                if type(payload) is Packed:
                    payload = yield from payload.steps  # noqa: PLW2901
                if type(payload) is LongItems:
                    self.items_received(payload)
                    continue
                if type(payload) is not bytes:
                    assert isinstance(payload, Oversize)
                    self.oversize_received(payload)
                    continue
                size += len(payload)
                if size > LONG and size > len(payload):
                    yield
                    size = len(payload)
                if size > LONG:
                    held = [payload]
                    del payload
                    yield from self.received_in_slices(held)
                else:
                    self.payload_received(payload)
            backlog = self._backlog
            if backlog is None or not backlog.unread:
                return
            yield
            payloads = iter(self._reader.feed(backlog.unread.popleft()))

    def _read_in_turn(self, backlog: Backlog) -> bool:
        """Take one step, and tell whether there is another."""
        connection = self._connection
        more = False
        self._outbox.corked = True
        try:
            more = self._read_on(backlog)
        finally:
            if self.released.dirty:
                connection.outbound.flush_released()
            self._outbox.uncork()
            if not more and connection.state is not CLOSED:
                self._resume(backlog)
        return more

    def _read_on(self, backlog: Backlog) -> bool:
        connection = self._connection
        more = False
        try:
            if connection.state < CLOSING:
                next(backlog.steps)
                more = connection.state < CLOSING
        except StopIteration:
            pass
        except RemoteProtocolError as error:
            connection.closing.fail(error)
        finally:
            if not more:
                self._backlog = None
        return more

    def _resume(self, backlog: Backlog) -> None:
        """Go on to read what comes: all is read that had come."""
        connection = self._connection
        connection.inbound.timeouts.data_received(True, self._reader.at_boundary)
        self._set_unfinished(self._reader.held)
        if backlog.lost is not None:
            connection.connectionLost(backlog.lost)
        elif not connection.backpressure.paused:
            connection.stream.resumeProducing()

    # -- the end

    def postpone_loss(self, reason: Failure) -> bool:
        """Keep the end of the connection until all is read; return whether there is more."""
        if self._backlog is None or self._connection.state >= CLOSING:
            return False
        self._backlog.lost = reason
        return True

    # -- what a listener's connections hold together

    def limit_room(self, limited: bool) -> None:
        """Limit how long an inflated message may be by what others hold, or no more."""
        self._reader.room = self if limited else None

    def room(self) -> tuple[int, str] | None:
        """Return what `MemoryShare.room` does."""
        connection = self._connection
        share = connection.share or connection.begin_share()
        return None if share is None else share.room()

    def _set_unfinished(self, size: int) -> None:
        connection = self._connection
        share = connection.share or (connection.begin_share() if size else None)
        if share is not None:
            share.set_unfinished(size)


class Receiving(ConnectionPort, Protocol):
    """A connection with its receiver."""

    @property
    def receiver(self) -> Receiver:
        """Reads for it."""


def data_received(connection: Receiving, data: bytes) -> None:
    """
    Take in what the transport has read.

    This is ``dataReceived`` of the connection itself. A method of the receiver's would be one
    call more for each chunk, or an object for each connection that is bound to it.
    """
    receiver = connection.receiver
    if connection.home is not forks.here:
        forks.end()
    if receiver._backlog is not None:
        receiver._backlog.unread.append(data)
        connection.stream.pauseProducing()
        return
    outbox, reader = receiver._outbox, receiver._reader
    needed = outbox.pressing  # then it is read because a call of ours waits for it
    # whether this may have answers of a stock peer's in it
    answered = not connection.features and (bool(receiver.calls) or receiver.calls.skipped)
    outbox.corked = True
    whole = False
    size = 0
    try:
        payloads = reader.feed(data)
        for payload in payloads:
            if connection.state >= CLOSING:
                break
            whole = True
            if type(payload) is bytes:
                size += len(payload)
                if size > LONG and connection.executor.turns is not None:
                    held: list[Payload] = [payload]
                    del payload  # it is let go as soon as it is decoded
                    receiver._read_later(held, payloads)
                    break
                receiver.payload_received(payload)
            elif type(payload) is LongItems:
                receiver.items_received(payload)
            elif type(payload) is Packed:
                receiver._read_later([payload], payloads)
                break
            else:
                assert isinstance(payload, Oversize)
                receiver.oversize_received(payload)
    except RemoteProtocolError as error:
        connection.closing.fail(error)
    if receiver.released.dirty:
        connection.outbound.flush_released()
    outbox.uncork()
    if needed:
        connection.backpressure.peer_answered()
    if connection.state is not CLOSED:
        connection.inbound.timeouts.data_received(whole, not (reader.held or reader.skipping))
    share = connection.share
    if share is None and reader.held:
        share = connection.begin_share()
    if share is not None and share.unfinished != reader.held and receiver._backlog is None:
        share.set_unfinished(reader.held)
    # rpyc 6.0.2 leaves Nagle's algorithm on: behind an answer, all that it sends next waits
    # until the answer is acknowledged, which TCP puts off for 40 ms
    if answered and receiver.acknowledge is not None and connection.state is not CLOSED:
        receiver.acknowledge(connection.stream)

"""
Streams of the peer's that are read here, and `Streams`, which has all of a connection, both ways.

STREAM asks for one, with a number that is this side's, and credit: so many items, so many bytes.
The items come in ITEMS, and the answer to STREAM is how many there were in all. When half of the
credit is used up by what a loop has taken, CREDIT gives as much again. So a loop that takes
nothing holds a window here, and one message more, for the last may be longer than what is left.

The windows of a connection together are bounded: the more streams are read at once, the
smaller is the window of the next. More than the credit ends the stream, with an error that says so.
A message of items that is lost, as one that is longer than ``max_frame``, fails its stream.

`Pushed` is what a stream and the events of a topic (`txremote.peer.incoming_events`) share.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from txremote.errors import RemoteProtocolError
from txremote.refs.awaiting import AwaitableDeferred, awaitable
from txremote.refs.ports import Answer
from txremote.refs.received import settled
from txremote.wire.columns import unpacked
from txremote.wire.consts import HANDLE_CREDIT, HANDLE_STREAM
from txremote.wire.naming import class_name

if TYPE_CHECKING:
    from txremote.peer.outgoing import Outgoing

#: Items and bytes of credit that one stream has at most, and the bytes of all of a connection.
MOST_ITEMS: Final = 8192
MOST_BYTES: Final = 2 << 20
ALL_BYTES: Final = 8 << 20
#: The bytes of credit of one stream at least.
LEAST_BYTES: Final = 8 << 10


class Pushed:
    """
    Things that the peer pushes to a loop here: how that waits, ends and is left, for streams and
    for the events of topics. For the connection's own context, but for `leave`.
    """

    __slots__ = ("_asked", "_connection", "_end", "_queue", "_waiting")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._queue: deque[tuple[Any, int]] = deque()  # what has come, and its bytes
        self._end: BaseException | None = None
        self._waiting: Answer | None = None
        self._asked: Answer | None = None

    def _forget(self) -> None:
        """Take it from those that the connection knows: it has ended."""
        raise NotImplementedError

    def _failed(self, failure: Failure) -> None:
        error: Any = failure.value
        if isinstance(error, StopAsyncIteration):  # it would look like the end of the items
            error = RuntimeError(f"what the peer sends has raised {class_name(type(error))}")
        self._finish(error)

    def fail(self, error: BaseException) -> None:
        """Give it up, and have the loop get an error behind what has come."""
        if self._end is None:
            self._finish(error)
            if self._asked is not None:
                self._asked.cancel()

    def _finish(self, end: BaseException) -> None:
        if self._end is None:
            self._end = end
            self._forget()
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._connection.executor.fire(waiting, None)

    # -- for the loop (`txremote.refs.reading.IncomingStream`)

    def _none_left(self) -> tuple[Any, ...] | None:
        """Return or raise what `take` does where nothing has come."""
        end = self._end
        if end is None:
            return None
        if type(end) is StopAsyncIteration:
            return ()
        self._end = StopAsyncIteration()
        raise end

    def more(self) -> Answer:
        """Return a Deferred that fires when `take` has something to say."""
        waiting: AwaitableDeferred[Any] = awaitable(
            AwaitableDeferred(self._not_waited), self._connection.executor.guard
        )
        if self._queue or self._end is not None:
            waiting.callback(None)
        else:
            self._waiting = waiting
        return waiting

    def _not_waited(self, waiting: Answer) -> None:
        if self._waiting is waiting:
            self._waiting = None

    def leave(self) -> None:
        """
        Leave it: the peer closes it, if it has not ended, and what has come is dropped. Any
        thread, a finalizer too.
        """
        if self._end is None or (self._queue and not self._connection.closed):
            # not at once: the garbage collector may have come here, in the middle of anything
            self._connection.executor.soon(self.leave_now)

    def leave_now(self) -> None:
        """Leave it, if it has not ended. In the connection's context."""
        self._queue.clear()
        self.fail(CancelledError())


class Incoming(Pushed):
    """One stream of the peer's. For the connection's own context, but for `leave`."""

    __slots__ = (
        *("_items", "_keeps", "_number", "_owed_items", "_owed_size", "_received", "_size"),
        *("_streams", "window"),
    )

    def __init__(self, streams: Streams, number: int, window: int, keeps: bool) -> None:
        super().__init__(streams.connection)
        self._streams = streams
        self._number = number
        self._keeps = keeps
        self.window = window
        self._items = MOST_ITEMS  # what the peer may still send
        self._size = window
        self._owed_items = 0  # what was taken, and no credit was given for
        self._owed_size = 0
        self._received = 0

    # -- from the peer

    def ask(self, reference: object) -> None:
        """Ask the peer for it."""
        request = self._connection.outbound.request
        sent = (reference, self._number, self._items, self._size)
        asked = self._asked = request(HANDLE_STREAM, sent, None, None)
        asked.addCallbacks(self._ended, self._failed)

    def receive(self, items: object, size: int, has_values: bool = False) -> None:
        """Take in a message of items, of so many bytes."""
        if type(items) is not tuple or not items:
            self.fail(RemoteProtocolError("ITEMS takes a number and a tuple of items"))
            return
        if len(items) > self._items or self._size <= 0:
            self.fail(
                RemoteProtocolError(
                    f"the peer sent {len(items)} items of a stream, and {size} bytes, with credit "
                    f"for {self._items} and {max(0, self._size)} (the limit is {MOST_ITEMS} items "
                    f"and {self.window} bytes)"
                )
            )
            return
        self._items -= len(items)
        self._size -= size
        self._received += len(items)
        taken: Any = settled(items) if has_values and not self._keeps else items
        self._queue.append((taken, size))
        self._streams.count_unread(size)
        self._wake()

    def _ended(self, sent: object) -> None:
        if sent == self._received:
            self._finish(StopAsyncIteration())
            return
        self._finish(
            RemoteProtocolError(
                f"a stream has ended, and {self._received} of its items have come: the peer says "
                f"that there were {sent if type(sent) is int else 'others'}"
            )
        )

    def _forget(self) -> None:
        self._streams.close(self._number)

    # -- for the loop

    def take(self) -> tuple[Any, ...] | None:
        """Return the next items; None: none have come yet; empty: the end. Raises its error."""
        if not self._queue:
            return self._none_left()
        items: tuple[Any, ...]
        items, size = self._queue.popleft()
        self._streams.count_unread(-size)
        self._owed_items += len(items)
        self._owed_size += size
        if 2 * self._owed_items >= MOST_ITEMS or 2 * self._owed_size >= self.window:
            self._give_credit()
        return items

    def leave_now(self) -> None:
        """Leave it, as `leave` does. In the connection's context."""
        self._streams.count_unread(-sum(size for _items, size in self._queue))
        super().leave_now()

    def _give_credit(self) -> None:
        if self._end is not None:
            return
        items, size = self._owed_items, self._owed_size
        self._owed_items = self._owed_size = 0
        self._items += items
        self._size += size
        self._connection.outbound.send_oneway(HANDLE_CREDIT, self._number, items, size)
        if 2 * items >= MOST_ITEMS:
            # at once, also amid a read of many messages: the peer makes more while they are taken
            self._connection.outbox.send_gathered()


class Streams:
    """
    The streams of one connection that are under way.

    Attributes:
        connection: It.
        incoming: Those of the peer's, by this side's numbers.
        outgoing: Those of this side, by the peer's numbers.
    """

    __slots__ = ("_drained", "_numbers", "_windows", "connection", "incoming", "outgoing")

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.incoming: dict[int, Incoming] = {}
        self.outgoing: dict[int, Outgoing] = {}
        self._numbers = count()
        self._windows = 0  # the bytes of all of the incoming
        self._drained: dict[Outgoing, None] = {}  # those that wait for the transport, in order

    # -- those of the peer's

    def open(self, reference: object, keeps: bool) -> Incoming:
        """Ask for a stream of the peer's; see `txremote.refs.reading.Items`."""
        number = next(self._numbers)
        # a message has no more than is left of it, and an item
        longest = self.connection.config.limits.max_frame // 2
        window = max(LEAST_BYTES, min(MOST_BYTES, (ALL_BYTES - self._windows) // 4, longest))
        incoming = self.incoming[number] = Incoming(self, number, window, keeps)
        self._windows += window
        if len(self.incoming) == 1:
            self.connection.read_streams(True)
        incoming.ask(reference)
        return incoming

    def close(self, number: int) -> None:
        """Forget one of the peer's: it has ended."""
        incoming = self.incoming.pop(number, None)
        if incoming is not None:
            self._windows -= incoming.window
            if not self.incoming:
                self.connection.read_streams(False)

    def count_unread(self, size: int) -> None:
        """Count so many bytes of items that wait to be read, or less, with a listener's others."""
        share = self.connection.share or self.connection.begin_share()
        if share is not None:
            share.change_unread(size)

    def receive(self, args: object, size: int) -> None:
        """Take in ITEMS. Those of a stream that was left are dropped."""
        if type(args) is not tuple or len(args) not in (2, 3) or type(args[0]) is not int:
            return
        incoming = self.incoming.get(args[0])
        if incoming is None:
            return
        tables = self.connection.tables
        has_values = tables.noted is not None
        try:
            if has_values:
                tables.check_uncalled("a stream's item")
            if len(args) == 2:
                items = args[1]
            elif type(args[1]) is int and 0 < args[1] <= MOST_ITEMS:
                items = unpacked(args[1], args[2], self.connection.config.limits.max_items)
            else:
                raise RemoteProtocolError(f"{args[1]!r} items of a stream in one message")
        except (KeyError, ValueError, RemoteProtocolError) as error:
            incoming.fail(error.with_traceback(None))
        else:
            incoming.receive(items, size, has_values)

    def lost(self, number: object, error: RemoteProtocolError) -> None:
        """Fail a stream of which a message could not be read."""
        incoming = self.incoming.get(number) if type(number) is int else None
        if incoming is not None:
            incoming.fail(error)

    # -- those of this side

    def check_new(self, number: object, items: object, size: object) -> None:
        """Raise where the peer may not read another stream, or asks wrongly for it."""
        if type(number) is not int or type(items) is not int or type(size) is not int:
            raise TypeError("STREAM takes an object, a number, items and bytes of credit")
        if items < 1 or size < 1:
            raise ValueError(f"a stream with credit for {items} items and {size} bytes")
        if number in self.outgoing:
            raise ValueError(f"stream {number} is under way")
        most = self.connection.config.max_streams
        if len(self.outgoing) >= most:
            raise RemoteProtocolError(
                f"{most} streams are read over this connection (option max_streams)", "max_streams"
            )

    def ended(self, number: int, outgoing: Outgoing) -> None:
        """Forget one of this side's: it has ended."""
        self.outgoing.pop(number, None)
        self._drained.pop(outgoing, None)

    def allow(self, number: object, items: object, size: object) -> None:
        """Take in CREDIT. That of a stream that has ended is of no interest."""
        outgoing = self.outgoing.get(number) if type(number) is int else None
        if outgoing is None:
            return
        if type(items) is int and type(size) is int and items >= 0 and size >= 0:
            outgoing.allow(items, size)

    def when_drained(self, outgoing: Outgoing) -> None:
        """Have a stream go on when the transport takes more."""
        self._drained[outgoing] = None
        self.connection.outbox.when_drained = self._go_on

    def _go_on(self) -> None:
        for outgoing in list(self._drained):
            if self.connection.outbox.full:
                return  # those that are left come before any that waits again
            if outgoing in self._drained:  # else another's step has ended it
                del self._drained[outgoing]
                outgoing.go_on()

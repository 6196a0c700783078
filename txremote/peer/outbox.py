"""
Frames on their way out.

The frames of one turn of dataReceived go out in few writes: while it is `corked`
they only gather, a batch at a time, so that the peer can work on
the first while the next is made. Outside of that each message is one write; a
TCP transport merges those by itself. Where the transport can be made to send at
once (`Writing.now`), a batch does not wait for the reactor's next turn.

A peer that takes results of calls before they are there (`txremote.peer.graphs`) has to be told
before a call that its result will be asked for. So for such a peer the messages of a turn are
gathered outside of dataReceived, too (`gather`), and that is put before them (`put_first`). Where
that costs a turn of the loop, as in asyncio, it ends after some turns in which it was of no use,
and begins again with the next call that uses another.

Four things can stand between a message and the transport:

* The accepting side does not know its peer's dialect before the first frame
  has come. Until then messages are held, without the bytes that depend on it.
* A stock RPyC peer behind TLS polls its socket and not its TLS layer, so a
  second frame within one TLS record is not seen until more bytes come. Toward
  such a peer each frame is written by itself (`separate`).
* Bytes that a message shows by a `memoryview`, such as a numpy array, may be changed as soon as the
  call that sends it has returned, and a transport would look at it in the reactor's next turn.
  So it is copied into the frame at once. A long frame is a `memoryview` itself, of memory that
  nobody changes; a transport that can (`Writing.now`) takes it as it is, without another copy.
* A peer that does not read makes the transport's buffer grow, which tells its push producer
  when that starts and ends. Past ``pause_unsent`` bytes the connection lets the peer's
  requests wait; past ``max_unsent`` the peer is disconnected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from twisted.internet.interfaces import IPushProducer
from zope.interface import classImplements

from txremote.config import ConnectionConfig
from txremote.peer.memory_budget import SharesMemory
from txremote.peer.ports import BackpressurePort, ClosingPort
from txremote.wire.brine import dump_int
from txremote.wire.consts import MSG_REPLY
from txremote.wire.framing import (
    FRAME_HEAD,
    Chunk,
    compress_frame,
    frame_chunks,
    frame_head,
    may_compress,
    sample_compresses,
)
from txremote.wire.messages import Dialect, reply_head

# How much is gathered before it goes to the transport. A syscall for each batch
# costs little by then, and what the peer does not take is counted early.
_BATCH_FRAMES = 32
_BATCH_BYTES = 1 << 18

# From so many bytes on a frame is written in parts, where that can be done.
_IN_PARTS = 32 << 10

# Bytes of events that may wait for a transport beside what it has: many may be published in a
# turn of the reactor, and none of them is dropped for that.
_AHEAD = 192 << 10


# In how many turns messages are gathered in vain, where that costs something.
_PATIENCE = 100


class Writing(NamedTuple):
    """
    Ways to write to a kind of transport, None where they cannot be done or make no difference.

    Attributes:
        separate: Writes a frame so that it is not merged with another.
        now: Writes to a transport and sends, without waiting for the reactor's next turn. A long
            frame is a `memoryview`, which it keeps until it is sent.
        acknowledge: Has a transport's TCP acknowledge at once what was read.
        later: Calls a function in the loop's next turn. Given where ``write`` sends at once: of
            the messages of one turn the first is, and the others go out together.
        gather: Calls a function in the loop's next turn, for peers whose messages are gathered.
        parts: Writes a long frame that is there in parts, and sends what can be sent at once; so
            they need not be put together.
        read: Has a transport read as much at once as is good for long messages, or else as ever.
    """

    separate: Callable[[bytes], None] | None = None
    now: Callable[[Any, Chunk], None] | None = None
    acknowledge: Callable[[Any], object] | None = None
    later: Callable[[Callable[[], None]], object] | None = None
    gather: Callable[[Callable[[], None]], object] | None = None
    parts: Callable[[Any, list[bytes]], None] | None = None
    read: Callable[[Any, bool], None] | None = None


class OutboxOwner(SharesMemory, Protocol):
    """The connection that an outbox writes for."""

    config: ConnectionConfig  # for ``max_unsent`` and ``pause_unsent``

    @property
    def backpressure(self) -> BackpressurePort:
        """The part to call when too much waits for the peer, and when all of it has gone."""

    @property
    def closing(self) -> ClosingPort:
        """Disconnects a peer for which more than ``max_unsent`` waits."""


class Outbox:
    """
    Everything a connection writes.

    Attributes:
        corked: Whether frames are gathered until `uncork`. An attribute and no method, for
            each chunk that is read sets it.
        when_room: As ``when_drained``, for the events of topics.
        when_drained: Called once, when the transport has written everything; None for nothing.
    """

    __slots__ = (
        "_frames",
        "_gathered",
        "_held",
        "_owner",
        "_patience",
        "_shared",
        "_transport",
        "_unsent",
        "_written",
        "compress",
        "corked",
        "dialect",
        "full",
        "gathers",
        "later",
        "now",
        "parts",
        "pressing",
        "separate",
        "when_drained",
        "when_room",
    )

    def __init__(self, owner: OutboxOwner, dialect: Dialect | None) -> None:
        self._owner = owner
        self.dialect = dialect
        self.pressing = False  # whether the peer is asked to read first
        self.compress = False
        self.separate: Callable[[bytes], None] | None = None
        self.now: Callable[[Any, Chunk], None] | None = None
        self.later: Callable[[Callable[[], None]], object] | None = None
        self.parts: Callable[[Any, list[bytes]], None] | None = None
        self._written = False  # whether one was sent since the last `uncork`
        self.gathers = False  # whether none is sent before the loop's next turn
        self._patience = 0  # in how many more turns, below zero for ever
        self._transport: Any = None
        self._held: list[tuple[int, list[bytes]]] | None = None
        self._frames: list[bytes] | None = None  # as long as there are none
        self._gathered = 0
        self.corked = False
        self.full = False  # whether the transport has as much as it wants
        self._unsent = 0
        self._shared = 0  # how much of it is counted with other connections'
        self.when_drained: Callable[[], object] | None = None
        self.when_room: Callable[[], object] | None = None

    # -- the transport's side

    def attach(self, transport: Any) -> None:
        """Start to write to a transport."""
        self._transport = transport
        register = getattr(transport, "registerProducer", None)
        if register is not None:
            register(self, True)

    def detach(self) -> None:
        """Drop what was not written: the connection has ended."""
        self._transport = None
        self._held = self._frames = None

    def finish(self) -> None:
        """Let the transport close when it is done: it does not while it has a producer."""
        self.uncork()
        unregister = getattr(self._transport, "unregisterProducer", None)
        if unregister is not None:
            unregister()

    def pauseProducing(self) -> None:
        """Start to count: the transport's buffer has filled up."""
        if not self.full:  # TCP's says so again at each write
            self.full = True
            self._unsent = 0

    def resumeProducing(self) -> None:
        """Stop to count: the transport has written everything."""
        self.full = False
        if self._shared:
            shared, self._shared = self._shared, 0
            if self._owner.share is not None:
                self._owner.share.change(-shared)
        if self.pressing:
            self.pressing = False
            self._owner.backpressure.high_water(False)
        if self.when_drained is not None:
            when_drained, self.when_drained = self.when_drained, None
            when_drained()
        if self.when_room is not None:
            when_room, self.when_room = self.when_room, None
            when_room()

    def stopProducing(self) -> None:
        """Do nothing: connectionLost follows."""

    # -- the connection's side

    @property
    def unsent(self) -> int:
        """How many bytes have come to wait since the transport has as much as it wants."""
        return self._unsent if self.full else 0

    def speak_first(self, dialect: Dialect) -> None:
        """Write in a dialect, unless the peer has spoken already."""
        if self.dialect is None:
            self.set_dialect(dialect)

    def set_dialect(self, dialect: Dialect) -> None:
        """Write in the peer's dialect from now on, what was held for it first."""
        self.dialect = dialect
        held, self._held = self._held, None
        for number, body in held or ():
            self.request(number, body)

    def gather(self, later: Callable[[Callable[[], None]], object]) -> None:
        """Gather the messages of each turn from now on; ``later`` as in `Writing`."""
        self._patience = _PATIENCE if self.later is not None else -1
        self.later = later
        self.gathers = True

    def gather_again(self) -> None:
        """Gather the messages of the next turns, if that has ended: it is of use."""
        if self._patience >= 0:
            self._patience = _PATIENCE
            self.gathers = True

    def holds(self, number: int) -> bool:
        """Tell whether a request of ours is still gathered, as it was written."""
        if not self._frames or self.dialect is None:
            return False
        head = self.dialect.request + dump_int(number)
        return any(frame.startswith(head, FRAME_HEAD) for frame in self._frames)

    def is_first(self, frame: bytes) -> bool:
        """Tell whether a frame is the first of those that are gathered."""
        frames = self._frames
        return frames is not None and frames[0] is frame

    def put_first(self, frame: bytes, before: bytes) -> None:
        """Put a frame before those that are gathered, in place of ``before`` if that is first."""
        frames = self._frames
        assert frames
        if frames[0] is before:
            frames[0] = frame
        else:
            frames.insert(0, frame)
        self._gathered += len(frame)

    def make_room(self, frames: int) -> None:
        """Send what is gathered unless so many frames more go out with it."""
        if self._frames and len(self._frames) + frames >= _BATCH_FRAMES:
            self.send_gathered()

    def request(self, number: int, body: Sequence[Chunk]) -> None:
        """
        Write a request, or hold it until the dialect is known.

        Raises:
            NotSendable: it is too long for a frame.
        """
        if self.dialect is None:
            held = self._held = self._held or []
            held.append((number, [bytes(chunk) for chunk in body]))
        else:
            self.write(frame_chunks(self.dialect.request + dump_int(number), body))

    def sized_request(self, number: int, body: Sequence[bytes]) -> int:
        """Write a request, and return how long its message is. Raises as `request` does."""
        dialect = self.dialect
        assert dialect is not None  # the peer has asked for it
        head = dialect.request + dump_int(number)
        size = len(head) + sum(map(len, body))
        if size > _IN_PARTS and self.parts is not None and not self._pays(body, size):
            self._write_parts(self.parts, [frame_head(size) + head, *body, b"\n"], size + 6)
        else:
            self.write(frame_chunks(head, body))
        return size

    @property
    def has_room(self) -> bool:
        """Whether an event may be written although the transport has as much as it wants."""
        return not self.full or self._unsent < min(_AHEAD, self._owner.config.pause_unsent // 2)

    def write_prepared(self, frame: bytes) -> None:
        """Write a frame that others are sent, too: it is compressed already where that pays."""
        transport = self._transport
        if self.full or self.corked or self.separate is not None or self.later is not None:
            compress, self.compress = self.compress, False
            self.write(frame)
            self.compress = compress
        elif transport is not None:  # as `write`, in one go
            transport.write(frame)
            if self.full:
                self._count(len(frame))

    def answer(self, kind: int, number: int, sender: int, body: Sequence[Chunk]) -> None:
        """Write a reply or an exception. Raises as `request` does."""
        dialect = self.dialect
        assert dialect is not None  # it came with the request
        if dialect.bound:
            head = reply_head(dialect, kind, number, sender)
        else:  # the same without the call
            head = (dialect.reply if kind == MSG_REPLY else dialect.exception) + dump_int(number)
        self.write(frame_chunks(head, body))

    def send_gathered(self) -> None:
        """Write the gathered frames, and go on to gather if they were."""
        corked = self.corked
        self.uncork()
        self.corked = corked

    def uncork(self) -> None:
        """Write the gathered frames."""
        self.corked = self._written = False
        frames = self._frames
        if frames and self._transport is not None:
            self._frames = None
            self._gathered = 0
            data = frames[0] if len(frames) == 1 else b"".join(frames)
            counted = self.full  # as they were gathered
            if self.now is not None and not counted:
                self.now(self._transport, data)
            else:
                self._transport.write(data)
            if self.full and not counted:
                self._count(len(data))

    def write(self, frame: Chunk) -> None:
        """Write a frame, or gather it."""
        transport = self._transport
        if transport is None:
            return
        if isinstance(frame, memoryview):
            self._write_long(frame)
            return
        if self.compress:
            frame = compress_frame(frame)
        full = self.full
        if full and not self._room_for(len(frame)):
            return
        if self.separate is not None:
            self.separate(frame)
        elif self.corked:
            frames = self._frames
            if frames is None:
                frames = self._frames = []
            frames.append(frame)
            self._gathered += len(frame)
            if len(frames) >= _BATCH_FRAMES or self._gathered > _BATCH_BYTES:
                self.uncork()
                self.corked = True
        elif self.later is not None and (self._written or self.gathers):
            if not self._written:
                self._patience -= 1
                self.gathers = self._patience != 0
            self.corked = True
            self.later(self.uncork)
            if self._frames is None:
                self._frames = []
            self._frames.append(frame)
            self._gathered += len(frame)
        else:
            self._written = True
            transport.write(frame)
            if self.full and not full:
                self._count(len(frame))

    def _write_long(self, frame: memoryview) -> None:
        """Write a frame that is too long to be compressed, or gathered with others."""
        self.send_gathered()  # what comes before it
        full = self.full
        if full and not self._room_for(len(frame)):
            return
        if self.separate is not None:
            self.separate(bytes(frame))
        elif self.now is not None:
            self.now(self._transport, frame)
        else:
            self._transport.write(bytes(frame))
        if self.full and not full:
            self._count(len(frame))

    def _pays(self, body: Sequence[bytes], size: int) -> bool:
        """Tell whether a message is compressed: a sample of its longest part tells."""
        return self.compress and may_compress(size) and sample_compresses(max(body, key=len))

    def _write_parts(
        self, write: Callable[[Any, list[bytes]], None], parts: list[bytes], size: int
    ) -> None:
        """Write a long frame of so many bytes, which is there in parts."""
        if self._transport is None:
            return
        self.send_gathered()  # what comes before it
        full = self.full
        if full and not self._room_for(size):
            return
        write(self._transport, parts)
        if self.full and not full:
            self._count(size)

    def _room_for(self, size: int) -> bool:
        """Count a frame for a peer that does not read; tell whether it may wait for it."""
        self._count(size)
        self._unsent += size
        config = self._owner.config
        if self._unsent > config.max_unsent:
            self._owner.closing.abort(
                f"the peer did not read, and more than {config.max_unsent} bytes waited "
                "for it (option max_unsent)"
            )
            return False
        over = self._unsent > config.pause_unsent
        if over and not self.pressing:
            self.pressing = True
            self._owner.backpressure.high_water(True)
        return True

    def _count(self, size: int) -> None:
        """Count what waits for the peer, with what waits for others."""
        share = self._owner.share or self._owner.begin_share()
        if share is not None:
            self._shared += size
            share.change(size)


classImplements(Outbox, IPushProducer)  # as a decorator it would keep mypyc from the class

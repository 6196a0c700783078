"""
Imports: the objects of the peer's that we hold references to.

A reference is one `RemoteReference` per object and connection while it is in use. It counts
how often it was received, and when it dies the peer is told that many.

A reference may die in any thread and inside anything, so its death only appends to a
queue. A weak reference's callback does that, and not ``__del__``: during ``__del__`` a
thread that receives the object again could revive it, counted and never given back. The
connection empties the queue into its next write. On a quiet connection a `ReleaseSweeper`,
which many share, does so within 50 ms; a script does it at its next wait or poll.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IReactorTime

from txremote.errors import RemoteProtocolError
from txremote.refs.reference import Outbound, RemoteReference, RequestSender
from txremote.wire.consts import IdPack
from txremote.wire.keys import load_key

#: Seconds within which a quiet connection in a reactor gives references back.
SWEEP_INTERVAL = 0.05


class Held(weakref.ref[object]):
    """The table's note of a reference that is held here."""

    __slots__ = ("count", "key", "pack")

    count: int  # how many times the reference was received
    key: bytes
    pack: IdPack


class ReleaseQueue:
    """The references of a connection that have died; ``dirty`` says whether there are any."""

    __slots__ = ("_dead", "dirty", "sweeper", "table")

    def __init__(self, table: ImportTable | None, sweeper: ReleaseSweeper | None) -> None:
        self._dead: list[Held] = []  # an empty deque takes ten times the memory
        self.dirty = False
        self.sweeper = sweeper
        self.table = table

    def add(self, held: Held) -> None:
        """Note that a reference has died. Any thread, at any time: two appends."""
        self._dead.append(held)
        self.mark()

    def mark(self) -> None:
        """Have the connection's next message, or the sweeper, tell the peer of what has ended."""
        if not self.dirty:
            self.dirty = True
            if self.sweeper is not None:
                self.sweeper.dirty.append(self)

    def take(self) -> list[Held]:
        """Return all that has died, and forget it."""
        self.dirty = False  # before the loop: what dies meanwhile sets it again
        found = []
        while self._dead:
            found.append(self._dead.pop())
        return found


#: The queue of a connection that has received no references.
NONE_RELEASED: Final = ReleaseQueue(None, None)


class ReleaseSweeper:
    """A timer that flushes many connections' release queues, while they hold references."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._holders: set[ImportTable] = set()
        self._timer: Any = None
        self.dirty: deque[ReleaseQueue] = deque()

    def watch(self, table: ImportTable) -> None:
        """Tick from now on for a table that has references."""
        self._holders.add(table)
        if self._timer is None:
            self._timer = self._clock.callLater(SWEEP_INTERVAL, self._tick)

    def forget(self, table: ImportTable) -> None:
        """Stop ticking for a table whose connection has ended, or that is empty."""
        self._holders.discard(table)
        if not self._holders and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.dirty.clear()  # of connections that have ended: nothing else is left

    def _tick(self) -> None:
        self._timer = self._clock.callLater(SWEEP_INTERVAL, self._tick)
        while self.dirty:
            table = self.dirty.popleft().table
            assert table is not None
            table.flush()


class ReleasingOutbound(Outbound, Protocol):
    """Sends requests, and gives references back."""

    def flush_released(self) -> None:
        """Give back those that have died."""


class ImportsOwner(RequestSender, Protocol):
    """The connection that references are held of."""

    @property
    def outbound(self) -> ReleasingOutbound:
        """Its requests."""


class ImportTable:
    """
    The references of one connection, each to another object of the peer's.

    Args:
        sweeper: Gives references that were dropped back after a time, or None.
        most: How many references there may be (option ``max_imports``).
    """

    __slots__ = ("_last", "_live", "_most", "_owner", "_sweeper", "released")

    def __init__(
        self, owner: ImportsOwner, sweeper: ReleaseSweeper | None, most: int = 1_000_000
    ) -> None:
        self._owner = owner
        self._most = most
        self._live: dict[bytes, Held] = {}
        self._last: IdPack = ("", 0, 0)
        self._sweeper = sweeper
        self.released = ReleaseQueue(self, sweeper)

    def __len__(self) -> int:
        return len(self._live)

    def receive(self, key: bytes) -> object:
        """
        Return the reference a key stands for, counted once more.

        Raises:
            RemoteProtocolError: the id pack is none, or there are too many.
        """
        known = self._live.get(key)
        if known is not None:
            reference = known()
            if reference is not None:
                known.count += 1
                return reference
        if len(self._live) >= self._most:
            raise RemoteProtocolError(
                f"more than {self._most} references to the peer's objects (option max_imports)",
                "max_imports",
            )
        pack = load_key(key)
        if pack[:2] == self._last[:2]:  # as nearly always where there are many: one name for all
            pack = (*self._last[:2], pack[2])
        self._last = pack
        if not self._live and self._sweeper is not None:
            self._sweeper.watch(self)
        return RemoteReference(self._owner, key, pack, self._hold)

    def held(self, key: bytes) -> object:
        """Return the reference that a key stands for, not counted; KeyError if there is none."""
        reference = self._live[key]()
        if reference is None:
            raise KeyError(key)
        return reference

    def _hold(self, reference: object, key: bytes, pack: IdPack) -> Held:
        held = self._live[key] = Held(reference, self.released.add)
        held.key = key
        held.pack = pack
        held.count = 1
        return held

    def flush(self) -> None:
        """Give back now what has died."""
        self._owner.outbound.flush_released()

    def take_released(self) -> dict[bytes, tuple[IdPack, int]]:
        """Return what has died since the last time, as key -> (id pack, count)."""
        found: dict[bytes, tuple[IdPack, int]] = {}
        for held in self.released.take():
            before = found.get(held.key)
            found[held.key] = (held.pack, held.count + before[1] if before else held.count)
            if self._live.get(held.key) is held:  # else it has come again meanwhile
                del self._live[held.key]
        if not self._live and self._sweeper is not None:
            self._sweeper.forget(self)
        return found

    def clear(self) -> None:
        """Forget everything: the connection has ended."""
        self._live.clear()
        self.released.take()
        self.released.sweeper = None
        if self._sweeper is not None:
            self._sweeper.forget(self)

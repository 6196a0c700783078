"""
Imports: the objects of the peer's that we hold references to.

A reference is one `RemoteReference` per object and connection for as long as
somebody here has it. It counts how often it was received, and when it dies the
peer is told that many: the peer's table is then exact, whatever crossed on the
way.

``__del__`` may run in any thread and inside anything, so it does no more than
append to a queue. The connection empties the queue into its next write; in a
reactor a `ReleaseSweeper`, one for all connections of a listener, sees to it
that this takes no longer than 50 ms on a quiet connection; a script does it at
its next wait or poll.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from txremote.peer.calls import Clock
from txremote.wire.boxing import load_key
from txremote.wire.brine import Budget
from txremote.wire.consts import IdPack
from txremote.wire.limits import DEFAULT_LIMITS

#: Seconds within which a quiet connection in a reactor gives references back.
SWEEP_INTERVAL = 0.05


class ReleaseQueue:
    """
    The references of one connection that have died and not been given back.
    """

    __slots__ = ("_dead", "_dirty", "sweeper", "table")

    def __init__(self, table: ImportTable, sweeper: ReleaseSweeper | None) -> None:
        self._dead: deque[tuple[bytes, IdPack, int]] = deque()
        self._dirty = False
        self.sweeper = sweeper
        self.table = table

    def __bool__(self) -> bool:
        return self._dirty

    def add(self, key: bytes, pack: IdPack, count: int) -> None:
        """
        Note that a reference has died. Any thread, at any time: two appends.
        """
        self._dead.append((key, pack, count))
        if not self._dirty:
            self._dirty = True
            if self.sweeper is not None:
                self.sweeper.dirty.append(self)

    def take(self) -> dict[bytes, tuple[IdPack, int]]:
        """
        Return all that has died, each key once, and forget it.
        """
        self._dirty = False  # before the loop: what dies meanwhile sets it again
        found: dict[bytes, tuple[IdPack, int]] = {}
        while self._dead:
            key, pack, count = self._dead.popleft()
            before = found.get(key)
            found[key] = (pack, count + before[1] if before else count)
        return found


class ReleaseSweeper:
    """
    One timer that flushes the release queues of many connections.

    It ticks only while some of them hold references.

    Args:
        clock: The reactor, or a fake.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._holders: set[ImportTable] = set()
        self._timer: Any = None
        self.dirty: deque[ReleaseQueue] = deque()

    def watch(self, table: ImportTable) -> None:
        """
        Tick from now on for a table that has references.
        """
        self._holders.add(table)
        if self._timer is None:
            self._timer = self._clock.callLater(SWEEP_INTERVAL, self._tick)

    def forget(self, table: ImportTable) -> None:
        """
        Stop ticking for a table whose connection has ended, or that is empty.
        """
        self._holders.discard(table)
        if not self._holders and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = self._clock.callLater(SWEEP_INTERVAL, self._tick)
        while self.dirty:
            self.dirty.popleft().table.flush()


class ImportTable:
    """
    The references of one connection, each to another object of the peer's.

    Args:
        make: Called with key, id pack and the release queue for a reference
            that is new here; the result has a ``_count`` to be raised.
        flush: Called when the dead should be given back now.
        sweeper: Whose timer sees to that, or None.
    """

    def __init__(
        self,
        make: Callable[[bytes, IdPack, ReleaseQueue], Any],
        flush: Callable[[], None],
        sweeper: ReleaseSweeper | None,
    ) -> None:
        self._make = make
        self._live: dict[bytes, weakref.ref[Any]] = {}
        self._sweeper = sweeper
        self.flush = flush
        self.released = ReleaseQueue(self, sweeper)

    def __len__(self) -> int:
        return len(self._live)

    def receive(self, key: bytes, data: bytes, pos: int) -> Any:
        """
        Return the reference a key stands for, counted once more.

        Args:
            key: The encoded id pack.
            data: The payload it stands in.
            pos: Where.

        Raises:
            RemoteProtocolError: the id pack is none.
        """
        known = self._live.get(key)
        reference = known() if known is not None else None
        if reference is not None:
            reference._count += 1
            return reference
        pack = load_key(data, pos, Budget(DEFAULT_LIMITS, 0))
        reference = self._make(key, pack, self.released)
        if not self._live and self._sweeper is not None:
            self._sweeper.watch(self)
        self._live[key] = weakref.ref(reference)
        return reference

    def take_released(self) -> dict[bytes, tuple[IdPack, int]]:
        """
        Return what has died since the last time, as key -> (id pack, count).
        """
        found = self.released.take()
        for key in found:
            known = self._live.get(key)
            if known is not None and known() is None:
                del self._live[key]
        if not self._live and self._sweeper is not None:
            self._sweeper.forget(self)
        return found

    def clear(self) -> None:
        """
        Forget everything: the connection has ended.
        """
        self._live.clear()
        self.released.take()
        self.released.sweeper = None
        if self._sweeper is not None:
            self._sweeper.forget(self)

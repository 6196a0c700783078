"""
The memory that the connections of a listener hold together, in bytes.

Each connection has limits of its own, but there may be thousands, many of one address. Four
things are counted for all: bytes that wait for peers that do not read, bytes of calls that
run or wait, bytes of incomplete messages, and of items of the peers' streams that nobody has read
yet. The first two are counted for each address too. Most connections of many hold nothing, so each
has its `MemoryShare` only when it first holds some.

Over a limit the connection that holds most is closed (of that address, if it is the
address's limit), which may be another than the one that has just grown. A connection that
holds nearly all of it alone is left to its own limits. A message that inflates is refused,
which costs its call, if it could exceed the address's limit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Protocol

#: A connection that holds less, in bytes, is none of several; a message that is no longer
#: is not refused.
LITTLE: Final = 1 << 20

# A message while it is inflated, its values, and an answer that is as long.
_COPIES = 5


class Holder(Protocol):
    """A connection, as its share knows it."""

    def abort(self, why: str) -> None:
        """End it at once."""


class SharesMemory(Protocol):
    """A connection, as those of its parts know it that hold bytes."""

    share: MemoryShare | None  # counts what it holds; None: it has held nothing yet, or has ended

    def begin_share(self) -> MemoryShare | None:
        """Begin to count; return None where no listener does."""


class MemoryShare:
    """
    The bytes that one connection holds; ``unfinished`` are those of incomplete messages, and
    ``unread`` those of streams' items.
    """

    __slots__ = ("_budget", "_ended", "_holder", "held", "host", "unfinished", "unread")

    def __init__(self, budget: MemoryBudget, host: Hashable, holder: Holder) -> None:
        self._budget = budget
        self._holder = holder
        self._ended = False
        self.host = host
        self.held = 0
        self.unfinished = 0
        self.unread = 0

    def change(self, size: int) -> None:
        """Count so many bytes more, or less."""
        if not self._ended:
            self.held += size
            self._budget.changed(self, size, size)

    def set_unfinished(self, size: int) -> None:
        """Count the bytes that have come of an incomplete message."""
        if not self._ended:
            before, self.unfinished = self.unfinished, size
            self._budget.changed(self, size - before, 0)

    def change_unread(self, size: int) -> None:
        """Count so many bytes of streams' items more, or less."""
        if not self._ended:
            self.unread += size
            self._budget.changed(self, size, 0)

    @property
    def all(self) -> int:
        """How many bytes it holds in all."""
        return self.held + self.unfinished + self.unread

    def room(self) -> tuple[int, str] | None:
        """Return how long a message may be and why; None for the connection's own limits."""
        return self._budget.room(self)

    def end(self) -> None:
        """Hold nothing any more: the connection has ended."""
        held, in_all = self.held, self.all
        self.held = self.unfinished = self.unread = 0
        self._ended = True
        self._budget.changed(self, -in_all, -held)

    def close(self, why: str) -> None:
        """Close the connection."""
        self.end()
        self._holder.abort(why)


class MemoryBudget:
    """
    The bytes that all connections of a listener hold, and may hold.

    Args:
        host_of: Tells under which address a connection is counted.
    """

    def __init__(
        self, most: int, most_per_address: int, host_of: Callable[[Any], Hashable]
    ) -> None:
        self.host_of = host_of
        self._most = most
        self._most_per_address = most_per_address
        self._total = 0
        self._by_host: dict[Hashable, int] = {}
        self._shares: dict[MemoryShare, None] = {}  # those that hold anything

    def changed(self, share: MemoryShare, in_all: int, here: int) -> None:
        """Count the change of a share: in all, and for its address."""
        self._total += in_all
        held = self._by_host.get(share.host, 0) + here
        if held:
            self._by_host[share.host] = held
        else:
            self._by_host.pop(share.host, None)
        if share.all:
            self._shares[share] = None
        else:
            self._shares.pop(share, None)
        if here > 0 and held > self._most_per_address:
            self._relieve_address(share.host, held)
        if in_all > 0 and self._total > self._most:
            self._relieve()

    def room(self, share: MemoryShare) -> tuple[int, str] | None:
        """Return what `MemoryShare.room` does."""
        held = self._by_host.get(share.host, 0)
        if held - share.held < LITTLE:
            return None
        most = max(LITTLE, (self._most_per_address - held) // _COPIES)
        return most, (
            f"a message of more than {most} bytes, while connections of this address hold "
            f"{held} (option max_held_per_address)"
        )

    def _relieve_address(self, host: Hashable, held: int) -> None:
        here = sorted((one for one in self._shares if one.host == host), key=lambda one: one.held)
        while held > self._most_per_address and held - here[-1].held >= LITTLE:
            greediest = here.pop()
            why = f"connections of this address hold {held} bytes"
            held -= greediest.held
            greediest.close(f"{why}, and this one most (option max_held_per_address)")

    def _relieve(self) -> None:
        every = sorted(self._shares, key=lambda one: one.all)
        while self._total > self._most:
            greediest = every.pop()
            if self._total - greediest.all < LITTLE:
                return
            why = f"connections of this listener hold {self._total} bytes"
            greediest.close(f"{why}, and this one most (option max_held)")

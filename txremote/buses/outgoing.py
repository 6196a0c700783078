"""
`Outgoing`: the events that a publisher has yet to give to the bus, or that it may need again.

Three things are kept, each bounded: events that wait, the oldest of which are given up when there
are too many; the last events that the bus has taken; and the last of each key, if they are wanted.
A bus that comes back without what it was given gets the latter two again, under their old numbers.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from itertools import islice
from typing import Final

from txremote.buses.envelope import Event
from txremote.buses.last import LastOfKeys, Own
from txremote.buses.ports import AT_ONCE, MOST_RETAINED, Id

#: Events that wait for a bus, and bytes of them, at most.
MOST_WAITING: Final = 10_000
MOST_WAITING_BYTES: Final = 16 << 20

#: Events that the bus has taken which are kept for it, and bytes of them, at most.
MOST_KEPT: Final = 1_000
MOST_KEPT_BYTES: Final = 8 << 20

# Events in one message to a bus.
_MOST_AT_ONCE = 500


class _Bounded:
    """Events in order, with their bytes counted."""

    def __init__(self) -> None:
        self.events: deque[Own] = deque()
        self.size = 0

    def append(self, event: Own) -> None:
        self.events.append(event)
        self.size += event.size

    def popleft(self) -> Own:
        event = self.events.popleft()
        self.size -= event.size
        return event

    def remove(self, index: int) -> Own:
        event = self.events[index]
        self.size -= event.size
        del self.events[index]
        return event

    def full(self, most: int, bytes_: int) -> bool:
        return len(self.events) > most or (self.size > bytes_ and len(self.events) > 1)


class Outgoing:
    """
    The events of one publisher.

    Args:
        retain: Whether the last event of each key is kept.

    Attributes:
        origin: The publisher's id.
        last: Which event of a key is the last one.
        in_doubt: Whether the bus may have some of what waits: reading tells, and until it has, none
            of it is given to the bus again.
        given_up: Events that were never given to the bus, since too many waited.
        acked: The id of the last event that the bus has taken; None before there is one.
    """

    def __init__(self, retain: bool) -> None:
        self.origin = os.urandom(8).hex()
        self.last = LastOfKeys()
        self.in_doubt = False
        self._retain = retain
        self._number = 0
        self._waiting = _Bounded()
        self._kept = _Bounded()
        self._again: deque[Own] = deque()
        self._last: OrderedDict[str | None, Own] = OrderedDict()
        self._under_way: list[Own] = []
        self.given_up = 0
        self.acked: Id | None = None

    def __len__(self) -> int:
        return len(self._waiting.events) + len(self._again)

    def add(self, key: str | None, payload: bytes | None) -> int:
        """Note an event, which waits from now on. Return how many were given up for it."""
        self._number += 1
        own = Own(self._number, key, payload)
        self._waiting.append(own)
        if payload is not None:
            self.last.published(own)
        given_up = 0
        while self._waiting.full(MOST_WAITING, MOST_WAITING_BYTES):
            # not what is under way, which may have arrived
            index = 0 if self._again else len(self._under_way)
            self.last.given_up(self._waiting.remove(index))
            given_up += 1
        self.given_up += given_up
        return given_up

    def batch(self) -> list[Own]:
        """Return the next events to publish; none if none wait, or some are under way."""
        if self._under_way:
            return []
        size = 0
        batch: list[Own] = []
        for event in islice(self._again or self._waiting.events, _MOST_AT_ONCE):
            size += event.size
            if batch and size > AT_ONCE:
                break
            batch.append(event)
        self._under_way = batch
        return batch

    def taken(self, batch: list[Own], last: Id) -> None:
        """Note that the bus has a batch, the last of it as this id."""
        if batch is not self._under_way:  # it was interrupted
            return
        again = bool(self._again)
        for event in self._under_way:
            if again:
                self._again.popleft()
            else:
                self._waiting.popleft()
                event.first = last
                self._keep(event)
        self._under_way = []
        self.acked = last

    def _keep(self, event: Own) -> None:
        self._kept.append(event)
        while self._kept.full(MOST_KEPT, MOST_KEPT_BYTES):
            self._kept.popleft()
        if self._retain and event.payload is not None:
            self._last[event.key] = event
            self._last.move_to_end(event.key)
            if len(self._last) > MOST_RETAINED:
                self._last.popitem(last=False)

    def interrupted(self) -> None:
        """Note that nobody can tell yet whether the bus has what is under way."""
        if self._under_way:
            self.in_doubt = True
        self._under_way = []

    def read(self, event: Event, at: Id) -> None:
        """Note that an event of this publisher was read from the bus, and so has arrived."""
        self.last.read_own(event, at)
        if not self.in_doubt:
            return
        while self._waiting.events and self._waiting.events[0].number <= event.number:
            own = self._waiting.popleft()
            own.first = self.acked = at
            self._keep(own)

    def forgotten(self) -> None:
        """Have what the bus had given to it again, before all that waits."""
        kept = {event.number: event for event in (*self._last.values(), *self._kept.events)}
        self._again = deque(kept[number] for number in sorted(kept))

"""
Events kept in memory, which the host's bus serves: `Keeper`.

It does for the processes of one host what a Redis does for many, within bounds of its own. When
the process that has it ends, another one begins with an empty one, and publishers give it their
last events again.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from time import time
from typing import Final

from txremote.buses.ports import (
    AT_ONCE,
    MOST_RETAINED,
    START,
    Entry,
    Given,
    Id,
    Joined,
    Reading,
    Refused,
)

#: Events of a topic that are kept, and bytes of all topics' events.
KEEP: Final = 10_000
KEEP_BYTES: Final = 64 << 20

#: Events that are read at once.
MOST_READ: Final = 2000

#: Topics of one bus.
MOST_TOPICS: Final = 10_000


class _Kept:
    """The events of one topic."""

    def __init__(self) -> None:
        self.events: deque[tuple[Id, bytes]] = deque()
        self.last: dict[bytes, tuple[Id, bytes]] = {}
        self.newest: Id = START

    def after(self, at: Id) -> Iterable[tuple[Id, bytes]]:
        """Return what is newer than an id. A reader is seldom far behind the end."""
        count = 0
        for event_id, _ in reversed(self.events):
            if event_id <= at:
                break
            count += 1
        return islice(self.events, len(self.events) - count, None)


class Keeper:
    """
    The last events of topics.

    Args:
        now: Gives the time in milliseconds.

    Attributes:
        size: Bytes of all that is kept.
    """

    def __init__(self, now: Callable[[], int] | None = None) -> None:
        self._now = now or _now
        # above all ids of one that has just ended
        self._first: Id = (self._now() + 2, 0)
        self._generation = os.urandom(8).hex()
        # the topic that was published to last is at the end
        self._topics: OrderedDict[str, _Kept] = OrderedDict()
        self.size = 0

    def join(self, topic: str, known: Id | None) -> Joined:
        """Tell how a topic stands."""
        kept = self._topics.get(topic)
        if kept is None or not kept.events:
            newest = START if kept is None else kept.newest
            return Joined(newest, newest, self._next(newest), known == newest, self._generation)
        events = kept.events
        there = known is not None and events[0][0] <= known <= events[-1][0]
        newest = kept.newest
        since = newest[0], newest[1] + 1
        return Joined(events[0][0], newest, since, there, self._generation)

    def publish(self, topic: str, events: Sequence[Given]) -> Id:
        """Add events, and return the id of the last. Raises Refused: there are too many topics."""
        kept = self._topics.get(topic)
        if kept is None:
            if len(self._topics) >= MOST_TOPICS:
                raise Refused(f"{MOST_TOPICS} topics are on it already (MOST_TOPICS of a bus)")
            kept = self._topics[topic] = _Kept()
        self._topics.move_to_end(topic)
        for event in events:
            kept.newest = self._next(kept.newest)
            kept.events.append((kept.newest, event.data))
            self.size += len(event.data)
            if event.retain is not None:
                self._retain(kept, event.retain, event.first or kept.newest, event)
            if len(kept.events) > KEEP:
                self._drop(kept)
        self._shrink()
        return kept.newest

    def _next(self, newest: Id) -> Id:
        return max((self._now(), 0), self._first, (newest[0], newest[1] + 1))

    def _retain(self, kept: _Kept, key: bytes, at: Id, event: Given) -> None:
        there = kept.last.get(key)
        if there is None and len(kept.last) >= MOST_RETAINED:
            return
        if there is not None:
            if event.first is not None and at < there[0]:
                return
            self.size -= len(there[1])
        kept.last[key] = at, event.data
        self.size += len(event.data)

    def _drop(self, kept: _Kept) -> None:
        self.size -= len(kept.events.popleft()[1])

    def _shrink(self) -> None:
        """Drop events while there are too many bytes: of silent topics first."""
        for kept in self._silent_first():
            while self.size > KEEP_BYTES and kept.events:
                self._drop(kept)
            if self.size <= KEEP_BYTES:
                return
        for kept in self._silent_first():  # it is the last events of keys that take too much
            while self.size > KEEP_BYTES and kept.last:
                self.size -= len(kept.last.pop(next(iter(kept.last)))[1])

    def _silent_first(self) -> Iterator[_Kept]:
        return iter(self._topics.values())

    def read(self, topics: Sequence[tuple[str, Id]]) -> Reading:
        """Return some of the next events of topics."""
        entries: list[Entry] = []
        anew: set[int] = set()
        size = 0
        for number, (topic, at) in enumerate(topics):
            kept = self._topics.get(topic)
            if kept is None:
                continue
            if kept.newest < at:
                anew.add(number)
                continue
            for event_id, data in kept.after(at):
                size += len(data)
                if len(entries) >= MOST_READ or (entries and size > AT_ONCE):
                    return Reading(entries, frozenset(anew))
                entries.append(Entry(number, event_id, data, len(data)))
        return Reading(entries, frozenset(anew))

    def retained(self, topic: str, after: bytes) -> Sequence[Entry]:
        """Return some of the last events of keys."""
        kept = self._topics.get(topic)
        found: list[Entry] = []
        size = 0
        for key in sorted(kept.last) if kept is not None else ():
            if key > after:
                assert kept is not None
                at, data = kept.last[key]
                size += len(data)
                if found and size > AT_ONCE:
                    break
                found.append(Entry(0, at, data, len(data), key))
        return found


def _now() -> int:
    return int(time() * 1000)

"""
`WaitingEvents`: what waits for one subscriber, and what is dropped when it takes too long.

At most ``buffer`` events wait. The topic's policy says what happens to one more:

============== ==================================================================
drop-oldest    the oldest goes
drop-newest    the new one goes
latest         only the newest of each key waits
disconnect     the subscription ends, with `SubscriberTooSlow`
============== ==================================================================

Nothing is dropped in silence: in place of what went there stands a `Missed`, with the count.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, TypeAlias, get_args

from txremote.errors import SubscriberTooSlow
from txremote.topics.event import Event, Missed

#: What a topic does with events that a subscriber does not take.
Policy: TypeAlias = Literal["drop-oldest", "drop-newest", "latest", "disconnect"]
POLICIES: Final = get_args(Policy)

_SLOW: Final = "the subscriber was too slow"


class WaitingEvents:
    """
    The events that one subscriber has not taken, oldest first.

    Attributes:
        items: They, and what stands for those that were dropped. To be read only.
        events: How many of them are events.
        dropped: How many were dropped.
    """

    __slots__ = ("_most", "_policy", "dropped", "events", "items")

    def __init__(self, policy: Policy, most: int) -> None:
        self._policy = policy
        self._most = most
        self.items: deque[Event | Missed] = deque()
        self.events = 0
        self.dropped = 0

    @property
    def wants_newest_only(self) -> bool:
        """Whether of each key only the newest event is of use."""
        return self._policy == "latest"

    def start_with(self, events: list[Event]) -> None:
        """Put the last events of their keys before all others; they do not count."""
        self.items.extend(events)
        self.events += len(events)
        self._most += len(events)

    def pop(self) -> Event | Missed:
        """Take what comes first: an event, or what stands for some."""
        item = self.items.popleft()
        if type(item) is Event:
            self.events -= 1
        return item

    def put_back(self, event: Event) -> None:
        """Put the event that was just taken in its place again."""
        self.items.appendleft(event)
        self.events += 1

    def clear(self) -> None:
        """Let go of all."""
        self.items.clear()
        self.events = 0

    def add(self, event: Event) -> None:
        """
        Let an event wait, or drop one.

        Raises:
            SubscriberTooSlow: too many wait, and the policy is to end the subscription.
        """
        if self._policy == "latest":
            self._replace(event.key)
        if self.events >= self._most:
            if self._policy == "disconnect":
                raise SubscriberTooSlow(
                    f"{self._most} events waited for this subscriber, and it took none (buffer "
                    "and slow='disconnect' of the Topic): subscribe again"
                )
            if self._policy == "drop-newest":
                self.missed(1, _SLOW)
                self.dropped += 1
                return
            self._drop_oldest()
        self.items.append(event)
        self.events += 1

    def _replace(self, key: str | None) -> None:
        """Drop the event of a key that waits, if one does."""
        for place, item in enumerate(self.items):
            if type(item) is Event and item.key == key:
                self._drop(place)
                return

    def _drop_oldest(self) -> None:
        self._drop(next(place for place, item in enumerate(self.items) if type(item) is Event))

    def _drop(self, place: int) -> None:
        """Drop the event at a place, and count it there."""
        items = self.items
        self.events -= 1
        self.dropped += 1
        missed = Missed(1, _SLOW)
        items[place] = missed
        # never two of them side by side: they would be as many as there were events
        for beside in (place + 1, place - 1):
            other = items[beside] if 0 <= beside < len(items) else None
            if type(other) is Missed:
                missed.merge(other)
                del items[beside]

    def missed(self, count: int | None, why: str) -> None:
        """Note that events were missed behind those that wait."""
        last = self.items[-1] if self.items else None
        if type(last) is Missed:
            last.add(count)
        else:
            self.items.append(Missed(count, why))

"""`Retained`: the last event of each key, for those who subscribe later."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from txremote.topics.event import Event

#: How many keys have their last event kept.
MOST_RETAINED: Final = 1000


class Retained:
    """The last events, one for each key, of the keys that had one most recently."""

    __slots__ = ("_events", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._events: OrderedDict[str | None, Event] = OrderedDict()

    def keep(self, event: Event) -> None:
        """Keep an event in place of the one before it."""
        events = self._events
        events[event.key] = event
        events.move_to_end(event.key)
        if len(events) > self._most:
            events.popitem(last=False)

    def keep_older(self, event: Event) -> bool:
        """Keep an event from before all others, unless its key has one; tell whether."""
        if event.key in self._events or len(self._events) >= self._most:
            return False
        self._events[event.key] = event
        self._events.move_to_end(event.key, last=False)
        return True

    def wanted(self, wants: Callable[[str | None], bool]) -> list[Event]:
        """Return those whose keys are wanted, oldest first."""
        return [event for event in self._events.values() if wants(event.key)]

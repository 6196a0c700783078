"""
`LastOfKeys`: which event of a key is the last one, for all processes alike.

A topic gives what it publishes to its own subscribers at once, and to the bus as soon as it can.
Meanwhile an event of the same key may come from another process. On the bus that one stands before
the own one, and everybody else has them in that order; here it comes behind. It is *overtaken*:
were it taken for the newest one, this process alone would have another last event than all others.

The same goes for an event that its publisher gives to a bus again which has forgotten it: its place
is the one that it had first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from txremote.buses.envelope import Event
from txremote.buses.ports import START, Id

#: Keys whose last events are known by their places; then those of the longest ago are forgotten.
MOST_KEYS: Final = 2000


@dataclass(slots=True)
class Own:
    """
    An event of this process, as its publisher keeps it.

    Attributes:
        number: Its number among its publisher's, from 1.
        key: Its key.
        payload: It, or None for one that cannot be given to the bus.
        first: Its id on the bus, once it has been there.
    """

    number: int
    key: str | None
    payload: bytes | None
    first: Id | None = None

    @property
    def size(self) -> int:
        """Its bytes, about."""
        return len(self.payload or b"") + 100


class LastOfKeys:
    """The places of the last events of keys, as one topic has had them."""

    def __init__(self) -> None:
        self._read: OrderedDict[str | None, Id] = OrderedDict()
        # own ones, from when they are published until reading has come past them
        self._own: OrderedDict[str | None, Own] = OrderedDict()

    def published(self, event: Own) -> None:
        """Note an own event, which the subscribers of this process have now."""
        self._own[event.key] = event
        self._own.move_to_end(event.key)

    def given_up(self, event: Own) -> None:
        """Note that an own event never comes to the bus."""
        if self._own.get(event.key) is event:
            del self._own[event.key]

    def begin_anew(self) -> None:
        """Note that the bus has forgotten all: what it had goes by the places of before."""
        for key, own in list(self._own.items()):
            if own.first is not None:
                del self._own[key]
                self.note(key, own.first)

    def read_own(self, event: Event, at: Id) -> None:
        """Note that reading has come to an own event."""
        while self._own:
            key, own = next(iter(self._own.items()))
            if own.number > event.number:
                break
            del self._own[key]
        if event.first is None or event.first > self._read.get(event.key, START):
            self.note(event.key, event.first or at)

    def is_overtaken(self, event: Event, at: Id) -> bool:
        """Note an event of another publisher, and tell whether a newer one of its key was here."""
        own = self._own.get(event.key)
        if own is not None and (own.first is None or at < own.first):
            return True
        if event.first is not None and event.first < self._read.get(event.key, event.first):
            return True
        self.note(event.key, event.first or at)
        return False

    def note(self, key: str | None, at: Id) -> None:
        """Note the place of the last event of a key."""
        self._read[key] = at
        self._read.move_to_end(key)
        if len(self._read) > MOST_KEYS:
            self._read.popitem(last=False)

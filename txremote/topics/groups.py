"""
`Group`: the subscribers of a topic that live in one place.

Events reach them in the order in which they were published: one that is published by a
subscriber's callback, or in another thread, while another is given out, comes after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock

from txremote.levels import Logger
from txremote.topics.event import Event
from txremote.topics.places import Place
from txremote.topics.subscriber import Subscriber

_log = Logger("txremote.topic")

#: Given out with those who are to have it.
Handed = Callable[[], None]


class Group:
    """The subscribers of one place."""

    __slots__ = ("_pending", "_turn", "members", "place")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.members: dict[Subscriber, None] = {}
        self._pending: deque[Handed] = deque()
        self._turn = Lock()  # of what is being done; without a loop, threads share a place

    def hand_out(self, event: Event) -> Handed:
        """Return what gives an event to those that are here now."""
        return partial(self._hand_out, event, list(self.members))

    def tell(self, function: Callable[[Subscriber], object]) -> Handed:
        """Return what calls a function with each of those that are here now."""
        members = list(self.members)

        def tell_all() -> None:
            for member in members:
                function(member)

        return tell_all

    def do(self, handed: Handed) -> None:
        """Do something in this place, behind what is done already."""
        self.place.enter(partial(self._do, handed))

    def _do(self, handed: Handed) -> None:
        self._pending.append(handed)
        # one that finds the turn taken leaves it to the other, which looks again afterwards
        while self._pending and self._turn.acquire(blocking=False):
            try:
                while self._pending:
                    self._pending.popleft()()
            finally:
                self._turn.release()

    @staticmethod
    def _hand_out(event: Event, members: list[Subscriber]) -> None:
        for member in members:
            try:
                member.offer(event)
            except Exception:  # of one: the others get the event
                _log.failure("a subscriber could not be given an event, and its subscription ends")
                member.end(None)

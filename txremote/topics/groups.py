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

#: A way to offer an event to a subscriber: a method of its class.
Offer = Callable[[Subscriber, Event], None]


class Group:
    """The subscribers of one place."""

    __slots__ = ("_pending", "_turn", "members", "place")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.members: dict[Subscriber, None] = {}
        self._pending: deque[Callable[[], object]] = deque()
        self._turn = Lock()  # of what is being done; without a loop, threads share a place

    def hand_out(self, event: Event, offer: Offer) -> None:
        """Have an event offered to those that are here now, by the next `run`."""
        self._pending.append(partial(self._hand_out, event, offer, list(self.members)))

    def tell(self, function: Callable[[Subscriber], object]) -> None:
        """Have a function called with each of those that are here now, by the next `run`."""
        members = list(self.members)

        def tell_all() -> None:
            for member in members:
                function(member)

        self._pending.append(tell_all)

    def do(self, function: Callable[[], object]) -> None:
        """Do something in this place, behind all else."""
        self._pending.append(function)
        self.run()

    def run(self) -> None:
        """Do in this place what is to be done, if it still is one."""
        if self.place.is_over:
            self._pending.clear()
        else:
            self.place.enter(self._run)

    def _run(self) -> None:
        # one that finds the turn taken leaves it to the other, which looks again afterwards
        while self._pending and self._turn.acquire(blocking=False):
            try:
                while self._pending:
                    self._pending.popleft()()
            finally:
                self._turn.release()

    @staticmethod
    def _hand_out(event: Event, offer: Offer, members: list[Subscriber]) -> None:
        for member in members:
            try:
                offer(member, event)
            except Exception:  # of one: the others get the event
                _log.failure("a subscriber could not be given an event, and its subscription ends")
                member.end(None)

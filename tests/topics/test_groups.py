"""
The subscribers of a place: order, and one that fails.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from txremote.topics.event import Event
from txremote.topics.groups import Group
from txremote.topics.places import Place
from txremote.topics.sinks import LocalCallback
from txremote.topics.subscriber import Subscriber
from txremote.topics.waiting_events import WaitingEvents


def test_events_reach_a_place_by_its_way_in_and_those_who_were_there() -> None:
    entered: list[Callable[[], object]] = []
    group = Group(Place("thread", entered.append))
    got: list[Any] = []

    def joined(name: str) -> None:
        member = Subscriber(
            group.place, WaitingEvents("drop-oldest", 5), None, None, lambda _gone: None
        )
        member.start(LocalCallback(lambda event: got.append((name, event))))
        group.members[member] = None

    joined("early")
    group.hand_out(Event(None, 1, b"x"), Subscriber.offer)
    joined("late")
    group.run()
    assert got == []
    entered.pop()()
    assert got == [("early", 1)]


def test_a_subscriber_that_breaks_ends_and_the_others_get_the_event() -> None:
    class Broken:
        def take(self, event: Event) -> bool:
            raise ValueError("broken")

        def missed(self, missed: object) -> None: ...

        def ended(self, error: object) -> None:
            ends.append(error)

    ends: list[object] = []
    got: list[Any] = []
    group = Group(Place(None, lambda function: function()))
    for sink in (Broken(), LocalCallback(got.append)):
        member = Subscriber(
            group.place, WaitingEvents("drop-oldest", 5), None, None, lambda _gone: None
        )
        member.start(sink)
        group.members[member] = None
    group.hand_out(Event(None, 1, b"x"), Subscriber.offer)
    group.run()
    assert (got, ends) == ([1], [None])


def test_what_a_thread_hands_over_as_another_one_finishes_is_done() -> None:
    """Without a loop all threads share a place."""

    class Turn:
        """A lock; before it is let go of for the first time, another thread hands over more."""

        def __init__(self) -> None:
            self._lock = threading.Lock()
            self._last = [lambda: done.append("by the other")]

        def acquire(self, blocking: bool) -> bool:
            return self._lock.acquire(blocking=blocking)

        def release(self) -> None:
            while self._last:
                thread = threading.Thread(target=group.do, args=(self._last.pop(),))
                thread.start()
                thread.join(20)
            self._lock.release()

    done: list[str] = []
    group = Group(Place(None, lambda function: function()))
    group._turn = Turn()  # type: ignore[assignment]
    group.do(lambda: done.append("by the first"))
    assert done == ["by the first", "by the other"]


def test_an_event_that_was_published_first_comes_first_whichever_thread_gets_there_first() -> None:
    """One has handed it out, and another publishes before it has entered the place."""
    got: list[Any] = []
    group = Group(Place(None, lambda function: function()))
    member = Subscriber(
        group.place, WaitingEvents("drop-oldest", 5), None, None, lambda _gone: None
    )
    member.start(LocalCallback(got.append))
    group.members[member] = None
    group.hand_out(Event(None, "first", b"x"), Subscriber.offer)
    group.hand_out(Event(None, "second", b"x"), Subscriber.offer)
    group.run()  # of the second
    assert got == ["first", "second"]
    group.run()
    assert got == ["first", "second"]


def test_events_for_a_loop_that_is_closed_are_not_kept() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    group = Group(Place(loop, lambda function: None))
    group.hand_out(Event(None, 1, b"x"), Subscriber.offer)
    group.run()
    assert not group._pending

"""
One subscriber: what it takes at once, what waits, and its end.
"""

from __future__ import annotations

from txremote.topics.event import Event, Missed
from txremote.topics.places import Place
from txremote.topics.subscriber import Subscriber
from txremote.topics.waiting_events import WaitingEvents


class Sink:
    """Takes as many events as it may."""

    def __init__(self, may: int) -> None:
        self.may = may
        self.log: list[object] = []

    def take(self, event: Event) -> bool:
        if not self.may:
            return False
        self.may -= 1
        self.log.append(event.value)
        return True

    def missed(self, missed: Missed) -> None:
        self.log.append((missed.count, missed.why))

    def ended(self, error: Exception | None) -> None:
        self.log.append(error)


def subscriber(gone: list[Subscriber] | None = None) -> Subscriber:
    place = Place(None, lambda function: function())
    forget = (gone if gone is not None else []).append
    return Subscriber(place, WaitingEvents("drop-oldest", 2), None, None, forget)


def offer(member: Subscriber, *values: object) -> None:
    for value in values:
        member.offer(Event(None, value, b"x"))


def test_events_wait_until_the_sink_takes_them_and_keep_their_order() -> None:
    member = subscriber()
    sink = Sink(2)
    offer(member, 1)
    assert not member.lagging
    member.start(sink)
    offer(member, 2, 3, 4, 5)
    assert sink.log == [1, 2]
    assert member.lagging
    sink.may = 1
    offer(member, 6)  # does not go before those that wait
    assert sink.log == [1, 2]
    member.flush()
    assert sink.log == [1, 2, (2, "the subscriber was too slow"), 5]
    sink.may = 9
    member.flush()
    offer(member, 7)
    assert sink.log[-2:] == [6, 7]
    assert (member.delivered, member.waiting.dropped) == (5, 2)


def test_missed_events_are_told_before_the_next_one() -> None:
    member = subscriber()
    sink = Sink(9)
    member.told = lambda missed: sink.log.append("told")
    member.missed(3, "away")
    member.start(sink)
    offer(member, 1)
    assert sink.log == ["told", (3, "away"), 1]


def test_it_finishes_when_what_waits_is_taken_and_ends_once() -> None:
    gone: list[Subscriber] = []
    member = subscriber(gone)
    sink = Sink(0)
    member.start(sink)
    offer(member, 1)
    member.finish()
    assert not member.over
    sink.may = 1
    member.flush()
    member.end(ValueError())
    member.close()
    offer(member, 2)
    assert sink.log == [1, None]
    assert gone == [member]


def test_one_that_is_closed_before_it_has_a_sink_ends_that() -> None:
    member = subscriber()
    member.close()
    sink = Sink(1)
    member.start(sink)
    offer(member, 1)
    assert sink.log == [None]

"""
What waits for a subscriber, and what is dropped: by each policy.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import examples
from txremote.errors import SubscriberTooSlow
from txremote.topics.event import Event, Missed
from txremote.topics.waiting_events import Policy, WaitingEvents


def shown(waiting: WaitingEvents) -> list[Any]:
    """Return the events that wait, and for those that were dropped a tuple of their count."""
    return [item.value if type(item) is Event else (item.count,) for item in waiting.items]


def filled(policy: Policy, keys: str, most: int = 3) -> WaitingEvents:
    waiting = WaitingEvents(policy, most)
    for number, key in enumerate(keys):
        waiting.add(Event(key, f"{key}{number}", b"x"))
    return waiting


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("drop-oldest", [(2,), "a2", "c3", "a4"]),
        ("drop-newest", ["a0", "b1", "a2", (2,)]),
        ("latest", [(1,), "b1", (1,), "c3", "a4"]),
    ],
)
def test_a_policy_says_which_events_go_and_their_count_stays(policy: Policy, expected: Any) -> None:
    waiting = filled(policy, "abaca")
    assert shown(waiting) == expected
    assert (waiting.dropped, waiting.events) == (2, 3)


def test_of_many_keys_the_newest_wait_and_no_more_than_the_buffer() -> None:
    assert shown(filled("latest", "abcdcd")) == [(1,), "b1", (2,), "c4", "d5"]


def test_a_subscriber_can_be_cut_off_instead() -> None:
    waiting = filled("disconnect", "abc")
    with pytest.raises(SubscriberTooSlow, match="3 events waited"):
        waiting.add(Event("d", "d", b"x"))


def test_the_last_events_of_their_keys_do_not_count() -> None:
    waiting = WaitingEvents("drop-oldest", 1)
    waiting.start_with([Event("a", "a", b"x"), Event("b", "b", b"x")])
    waiting.add(Event("c", "c", b"x"))
    assert shown(waiting) == ["a", "b", "c"]


def test_what_was_missed_elsewhere_stands_behind_what_waits_and_is_added_up() -> None:
    waiting = filled("drop-oldest", "ab")
    waiting.missed(2, "the bus was away")
    waiting.missed(None, "the bus was away")
    waiting.missed(1, "no event")
    missed = waiting.items[2]
    assert type(missed) is Missed
    assert (missed.count, missed.unknown, missed.why) == (3, True, "the bus was away")


@settings(max_examples=examples(400), deadline=None)
@given(
    st.sampled_from(["drop-oldest", "drop-newest", "latest"]),
    st.integers(1, 4),
    st.lists(st.sampled_from(["a", "b", "take", "missed"]), max_size=40),
)
def test_every_event_is_taken_in_order_or_counted(policy: Policy, most: int, steps: Any) -> None:
    waiting = WaitingEvents(policy, most)
    taken: list[int] = []
    missed = published = 0
    for step in [*steps, *["take"] * 20]:
        if step == "missed":
            waiting.missed(1, "elsewhere")
            missed -= 1  # told of, and none of those that were published here
        elif step != "take":
            waiting.add(Event(step, published, b"x"))
            published += 1
        elif waiting.items:
            item = waiting.pop()
            if type(item) is Event:
                taken.append(item.value)  # type: ignore[arg-type]
            else:
                missed += item.count  # type: ignore[union-attr]
        assert waiting.events <= most
    assert not waiting.items
    assert taken == sorted(set(taken))
    assert missed == waiting.dropped == published - len(taken)

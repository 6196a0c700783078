"""Nothing twice, and gaps counted."""

from __future__ import annotations

from hypothesis import given, strategies as st

from txremote.buses.doubles import Seen
from txremote.buses.envelope import Event
from txremote.buses.ports import Id

JOINED = (100, 0)


def event(number: int, origin: str = "a", born: Id = JOINED, first: Id | None = None) -> Event:
    return Event(origin, number, born, first, None, b"")


def test_what_comes_again_is_dropped_and_what_is_left_out_is_counted() -> None:
    seen = Seen(JOINED)
    taken = [
        seen.take(event(number), (101, n)) for n, number in enumerate([1, 2, 2, 1, 3, 7, 5, 8])
    ]
    assert taken == [0, 0, None, None, 0, 3, None, 0]
    assert seen.take(event(1, "b"), (102, 0)) == 0  # each publisher has numbers of its own


def test_the_first_of_a_publisher_is_a_gap_only_if_it_began_after_the_reader() -> None:
    seen = Seen(JOINED)
    assert seen.take(event(5, "since before", born=(99, 0)), (101, 0)) == 0
    assert seen.take(event(5, "since then"), (101, 1)) == 4


def test_what_was_published_before_the_reader_joined_is_not_for_it() -> None:
    """A publisher gives it to a bus again that has lost it."""
    seen = Seen(JOINED)
    for number in (7, 8):
        assert seen.take(event(number, born=(1, 0), first=(99, number)), (200, number)) is None
    assert seen.take(event(9, born=(1, 0), first=(150, 0)), (200, 9)) == 0
    assert seen.take(event(12, born=(1, 0)), (200, 12)) == 2


def test_publishers_that_are_remembered_are_bounded() -> None:
    seen = Seen(JOINED, most=2)
    for origin, number in (("a", 1), ("b", 1), ("a", 2), ("c", 1)):
        seen.take(event(number, origin), (101, 0))
    assert seen.take(event(2, "a"), (101, 0)) is None  # b was silent for longest
    assert list(seen._last) == ["a", "c"]


@given(st.lists(st.integers(1, 30), max_size=60))
def test_numbers_go_up_and_add_up(numbers: list[int]) -> None:
    """Whatever order they come in: delivered and missed are what was published until the last."""
    seen = Seen(JOINED)
    given_on, missed = [], 0
    for number in numbers:
        gap = seen.take(event(number), (101, 0))
        if gap is not None:
            given_on.append(number)
            missed += gap
    assert given_on == sorted(set(given_on))
    assert len(given_on) + missed == max(numbers, default=0)

"""What one publisher has still to give to the bus, and what the bus may need again."""

from __future__ import annotations

import pytest

from txremote.buses import outgoing
from txremote.buses.outgoing import Outgoing


def numbers(events: object) -> list[int]:
    return [event.number for event in events]  # type: ignore[attr-defined]


def taken(out: Outgoing, last: tuple[int, int]) -> None:
    out.taken(out._under_way, last)


def test_events_go_in_order_one_batch_at_a_time() -> None:
    out = Outgoing(retain=False)
    assert out.batch() == []
    for _ in range(3):
        out.add(None, b"x")
    assert numbers(out.batch()) == [1, 2, 3]
    out.add(None, b"x")
    assert out.batch() == []  # the others are under way
    taken(out, (1, 0))
    assert numbers(out.batch()) == [4]
    assert out.acked == (1, 0)


def test_what_is_under_way_when_the_bus_is_lost_goes_again() -> None:
    out = Outgoing(retain=False)
    out.add(None, b"x")
    batch = out.batch()
    out.interrupted()
    out.add(None, b"y")
    assert numbers(out.batch()) == [1, 2]
    out.taken(batch, (1, 0))  # the answer comes late, and is not that of what is under way now
    assert len(out) == 2


def test_a_batch_has_a_bound_in_bytes_and_one_event_at_least() -> None:
    out = Outgoing(retain=False)
    for size in (10, 2 << 20, 10):
        out.add(None, bytes(size))
    assert [numbers(out.batch()) for _ in range(3) if not taken(out, (1, 0))] == [[1], [2], [3]]


@pytest.mark.parametrize(("most", "size"), [(3, 1 << 30), (1000, 320)])
def test_the_oldest_that_wait_are_given_up_and_not_what_is_under_way(
    most: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds of their number, and of their bytes."""
    monkeypatch.setattr(outgoing, "MOST_WAITING", most)
    monkeypatch.setattr(outgoing, "MOST_WAITING_BYTES", size)
    out = Outgoing(retain=False)
    out.add(None, b"x")
    assert numbers(out.batch()) == [1]
    assert sum(out.add(None, b"x") for _ in range(4)) == 2
    assert out.given_up == 2
    taken(out, (1, 0))
    assert numbers(out.batch()) == [4, 5]


@pytest.mark.parametrize("retain", [False, True])
def test_a_bus_that_forgot_gets_the_last_events_again_before_the_others(
    retain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the last of each key, if they are wanted, though they are older."""
    monkeypatch.setattr(outgoing, "MOST_KEPT", 2)
    out = Outgoing(retain)
    for key in ("a", "b", "b", "b"):
        out.add(key, b"x")
    out.batch()
    taken(out, (7, 0))
    out.add("c", b"x")
    out.forgotten()
    again = out.batch()
    assert numbers(again) == ([1, 3, 4] if retain else [3, 4])
    assert {event.first for event in again} == {(7, 0)}
    out.interrupted()
    assert numbers(out.batch()) == numbers(again)
    taken(out, (8, 0))
    assert numbers(out.batch()) == [5]


def test_the_last_events_of_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "MOST_RETAINED", 2)
    monkeypatch.setattr(outgoing, "MOST_KEPT", 0)
    out = Outgoing(retain=True)
    for key in ("a", "b", "a", "c"):
        out.add(key, b"x")
    out.batch()
    taken(out, (7, 0))
    out.forgotten()
    assert numbers(out.batch()) == [3, 4]

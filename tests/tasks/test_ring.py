"""
The output that a task keeps: the last of it, within two bounds, nothing miscounted.
"""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from txremote.tasks.ring import OutputRing, size_of


def test_lines_are_kept_in_order() -> None:
    """It gives back its lines, one by one or as one text."""
    ring = OutputRing(10, 1000)
    for line in ("a", "b", "c"):
        ring.append(line)
    assert ring.lines() == ["a", "b", "c"]
    assert ring.text() == "a\nb\nc"
    assert (len(ring), ring.size, ring.first, ring.next, ring.dropped) == (3, 3, 0, 3, 0)


def test_the_oldest_lines_go_first_and_are_counted() -> None:
    """With more lines than it keeps, the last are there, and how many went before."""
    ring = OutputRing(2, 1000)
    for number in range(5):
        ring.append(f"line {number}")
    assert ring.lines() == ["line 3", "line 4"]
    assert (ring.first, ring.next, ring.dropped, ring.dropped_bytes) == (3, 5, 3, 18)


def test_bytes_are_bounded_too() -> None:
    """Few long lines do not take more room than many short ones."""
    ring = OutputRing(100, 10)
    for line in ("12345", "67890", "x"):
        ring.append(line)
    assert ring.lines() == ["67890", "x"]
    assert ring.size == 6


def test_a_line_that_is_too_long_alone_is_cut() -> None:
    """Its beginning is kept, never half a character, and the rest is counted."""
    ring = OutputRing(100, 10)
    ring.append("\u00e9" * 20)
    assert ring.lines() == ["\u00e9" * 5]
    assert (ring.size, ring.dropped, ring.dropped_bytes) == (10, 0, 30)
    ring.append("ab\u20ac" * 4)
    assert ring.lines() == ["ab\u20acab\u20ac"]


def test_a_reader_that_has_seen_some_lines_gets_the_rest() -> None:
    """Lines keep their numbers, however many have fallen out."""
    ring = OutputRing(3, 1000)
    for line in "abcde":
        ring.append(line)
    assert ring.lines(4) == ["e"]
    assert ring.lines(0) == ["c", "d", "e"]
    assert ring.lines(5) == []
    assert ring.lines(50) == []


def test_a_ring_that_could_keep_nothing_is_refused() -> None:
    """A bound of zero is a mistake."""
    for bounds in ((0, 10), (10, 0)):
        with pytest.raises(ValueError, match="at least one line"):
            OutputRing(*bounds)


@given(st.lists(st.text(max_size=30)), st.integers(1, 8), st.integers(1, 60))
def test_the_figures_agree_with_what_is_kept(
    lines: list[str], max_lines: int, max_bytes: int
) -> None:
    """Whatever comes in, the bounds hold and every byte is kept or counted as dropped."""
    ring = OutputRing(max_lines, max_bytes)
    for line in lines:
        ring.append(line)
    kept = ring.lines()
    assert len(kept) <= max_lines
    assert ring.size == sum(map(size_of, kept)) <= max_bytes
    assert ring.size + ring.dropped_bytes == sum(map(size_of, lines))
    assert ring.next == len(lines)
    assert [line[: len(end)] for line, end in zip(lines[ring.first :], kept, strict=True)] == kept


@given(st.lists(st.lists(st.text(max_size=30), max_size=9)), st.integers(1, 8), st.integers(1, 99))
def test_some_lines_at_once_are_as_one_by_one(
    parts: list[list[str]], max_lines: int, max_bytes: int
) -> None:
    """They are kept, cut and counted alike."""
    at_once, by_one = OutputRing(max_lines, max_bytes), OutputRing(max_lines, max_bytes)
    for part in parts:
        at_once.extend(part)
        for line in part:
            by_one.append(line)
        assert vars(at_once) == vars(by_one)


def test_a_line_that_is_cut_says_so() -> None:
    """Within what may be kept."""
    ring = OutputRing(10, 1_000)
    ring.append("\u00e9" * 1_000)
    [line] = ring.lines()
    assert line.endswith("\u00e9 ... the rest is left out")
    assert 995 <= ring.size <= 1_000
    assert ring.size + ring.dropped_bytes == 2_000

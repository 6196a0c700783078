"""The plain messages between a worker process and its parent, as bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, strategies as st

from txremote.work.plainphase import BESIDE, JOB, Messages, pack

PLAIN = st.none() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False)


@given(st.lists(st.lists(PLAIN), max_size=5), st.integers(1, 40))
def test_messages_arrive_whole_however_they_are_cut(items: list[list[object]], size: int) -> None:
    """In their order, with what they hold."""
    sent = [(JOB, *each) for each in items]
    data = b"".join(pack(each, 1000) or b"" for each in sent)
    messages = Messages(1000)
    got = []
    for start in range(0, len(data), size):
        messages.feed(data[start : start + size])
        while (message := messages.next()) is not None:
            got.append(message)
    assert got == sent
    assert not messages.rest


def test_what_is_no_message_is_not_packed() -> None:
    """Other objects than plain values, and more than the limit."""
    assert pack((JOB, object()), 1000) is None
    assert pack((JOB, b"x" * (1000 + BESIDE)), 1000) is None
    assert pack((JOB, b"x" * 1000), 1000) is not None


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 1 << 40),
        struct.pack("<Q", 1) + b"\xff",
        struct.pack("<Q", 0),
        struct.pack("<Q", 1) + b"N",
    ],
    ids=["too long", "no marshal", "empty", "no tuple"],
)
def test_nonsense_is_refused(data: bytes) -> None:
    """Without waiting for the rest of what never comes."""
    messages = Messages(1000)
    messages.feed(data)
    with pytest.raises(ValueError):
        messages.next()

"""The messages of limited sources: values there and back, and bytes that make no sense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.work.limited.messages import DEEPEST, MOST_ITEMS, MessageReader, frame, pack, unpack

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("aß€")
    | st.binary()
)
KEYS = ATOMS | st.tuples(ATOMS, ATOMS) | st.frozensets(ATOMS, max_size=3)
VALUES = st.recursive(
    KEYS | st.sets(KEYS, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def arrived(data: bytes, most: int = 10_000) -> list[tuple[object, ...]]:
    """Return the messages in some bytes that come in pieces."""
    reader, found = MessageReader(most), []
    for start in range(0, len(data), 7):
        reader.feed(data[start : start + 7])
        while (message := reader.next()) is not None:
            found.append(message)
    return found


def typed(value: object) -> object:
    """Return a value with its types, which 1 == True == 1.0 hides."""
    if isinstance(value, dict):
        return dict, [(typed(key), typed(each)) for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [typed(each) for each in value]
    return type(value), value


@given(VALUES)
def test_a_value_arrives_as_a_copy(value: object) -> None:
    """Of the same types, whatever it holds."""
    ((name, packed),) = arrived(frame("done", pack(value, "it")))
    assert name == "done"
    assert typed(unpack(packed)) == typed(value)


@given(st.binary(max_size=60))
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    """By one kind of error, so that they cost the source that sends them, and nothing else."""
    try:
        for message in arrived(len(data).to_bytes(4, "big") + data):
            unpack(message[1:])
    except RemoteProtocolError:
        pass


class Sub(int):
    """No int, exactly."""


def nested(depth: int) -> list[Any]:
    """Return lists within lists."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), "bag is a object: a limited source takes and gives copies of None, bool"),
        ([1, {2: Sub(3)}], r"bag\[...\]\[...\] is a Sub"),
        (nested(DEEPEST + 1), "deeper than 40, or holds itself"),
        ([0] * MOST_ITEMS, "more than 20000 items"),
    ],
)
def test_what_is_no_value_is_named(value: object, text: str) -> None:
    """With its place."""
    with pytest.raises(NotSendable, match=text):
        pack(value, "bag")
    assert unpack(pack(nested(DEEPEST), "bag")) == nested(DEEPEST)


# ints that all have the hash of 0
ALIKE = [number * (2**61 - 1) for number in range(100)]


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        ((), "makes no sense"),
        ((9, 1), "makes no sense"),
        ((2, 1), "makes no sense"),
        ((3, (1, 1)), "makes no sense"),
        ((3, *ALIKE), "makes no sense"),
        ((2, *[part for key in ALIKE for part in (key, 1)]), "makes no sense"),
        ((1, slice(1)), "a slice in a message"),
        (..., "a ellipsis in a message"),
    ],
)
def test_what_pack_has_not_made_is_refused(packed: object, text: str) -> None:
    """A peer that packs by itself gets no further than that."""
    ((_name, sent),) = arrived(frame("done", packed))
    with pytest.raises(RemoteProtocolError, match=text):
        unpack(sent)


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        ((10_001).to_bytes(4, "big"), "max_frame"),
        (frame("done", (0,) * (3 * MOST_ITEMS)), "max_items"),
        (frame("done", *[1] * 3)[:4] + b"\xff" * 60, None),
        (frame()[:], None),
    ],
    ids=["long", "items", "garbage", "nameless"],
)
def test_the_reader_holds_its_limits(data: bytes, limit: str | None) -> None:
    """A length is refused before its bytes have come."""
    most = 10_000 if limit == "max_frame" else 10**6
    with pytest.raises(RemoteProtocolError) as found:
        arrived(data, most)
    assert found.value.limit == limit

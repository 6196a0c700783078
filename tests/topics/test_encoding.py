"""
Events to bytes and back: values alone, under all limits.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import examples
from tests.wire.extended_values import EXTENDED, canon
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.topics.encoding import HasReferences, decode_event, encode_event
from txremote.wire.boxing import VALUE_HEAD
from txremote.wire.brine import dump
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.record import Record, record_fields


class Thing:
    """An object that goes by reference."""


@dataclasses.dataclass
class Price:
    """A value."""

    symbol: str
    amount: float


@settings(max_examples=examples(400), deadline=None)
@given(EXTENDED)
def test_an_event_comes_back_as_it_was(event: Any) -> None:
    assert canon(decode_event(encode_event(event))) == canon(event)


def test_an_event_of_a_class_comes_back_as_a_record() -> None:
    back = decode_event(encode_event([Price("A", 1.5)]))
    assert type(back) is list
    assert type(back[0]) is Record
    assert record_fields(back[0]) == {"symbol": "A", "amount": 1.5}


def test_what_brine_carries_is_written_as_any_rpyc_writes_it() -> None:
    assert encode_event(("a", 1)) == VALUE_HEAD + dump(("a", 1))


@pytest.mark.parametrize("event", [Thing(), [Thing()], ("a", (Thing(),)), {"a": print}])
def test_what_goes_by_reference_is_no_event(event: Any) -> None:
    with pytest.raises(HasReferences, match="goes by reference, and an event is a value"):
        encode_event(event)


def test_an_event_too_long_is_refused_with_the_limits_name() -> None:
    assert len(encode_event("x" * 100)) > 100
    with pytest.raises(NotSendable, match="more than 100 "):
        encode_event("x" * 100, 100)
    with pytest.raises(RemoteProtocolError, match="more than 100 "):
        decode_event(bytes(101), 100)


def test_an_event_that_nests_too_deep_is_refused_at_both_ends() -> None:
    deepest: Any = 0
    for _ in range(DEFAULT_LIMITS.max_depth - 2):
        deepest = [deepest]
    assert decode_event(encode_event(deepest)) == deepest
    with pytest.raises(NotSendable, match="max_depth"):
        encode_event([deepest])
    refused = b"\x11\x51" + b"\x10" * 200 + b"\x50"
    with pytest.raises(RemoteProtocolError, match="max_depth"):
        decode_event(refused)


@settings(max_examples=examples(400), deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"\x11\x55" + rest))
def test_bytes_of_anybody_are_an_event_or_a_protocol_error(payload: bytes) -> None:
    try:
        decode_event(payload)
    except RemoteProtocolError:
        pass


@pytest.mark.parametrize(
    "payload",
    [
        b"\x11\x53\x12\x08\x0e\x05a.Bcd\x51\x52",
        b"\x11\x54\x12\x08\x0e\x05a.Bcd\x51\x52",
        b"\x11\x55\x1c\x10\x09\x12\x08\x0e\x05a.Bcd\x51\x52",
        encode_event(1) + b"\x00",
        encode_event("abcdef")[:-1],
        b"",
    ],
    ids=["ours", "theirs", "theirs within", "longer", "cut", "empty"],
)
def test_references_and_what_is_not_whole_are_refused(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_event(payload)

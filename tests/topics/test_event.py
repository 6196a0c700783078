"""
An event's frames: the same bytes for all subscribers of a dialect and channel, made once.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.extended import References
from txremote.errors import NotSendable
from txremote.topics.encoding import MAX_EVENT, HasReferences
from txremote.topics.event import EVENTS_NUMBER, Form, Missed, new_event
from txremote.wire.boxing import unbox
from txremote.wire.brine import Budget
from txremote.wire.consts import HANDLE_EVENTS, MSG_REQUEST
from txremote.wire.framing import FrameReader
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.messages import DIALECT_5_BOUND, DIALECT_6, Dialect, open_envelope, open_request


def arguments(frame: bytes, dialect: Dialect) -> Any:
    """Return the arguments of the EVENTS in a frame, and the length of its payload."""
    (payload,) = FrameReader().feed(frame)
    assert isinstance(payload, bytes)
    budget = Budget(DEFAULT_LIMITS, len(payload))
    kind, number, pos, _sender = open_envelope(payload, dialect, budget)
    handler, pos = open_request(payload, pos, budget)
    assert (kind, number, handler) == (MSG_REQUEST, EVENTS_NUMBER, HANDLE_EVENTS)
    found, end = unbox(payload, pos, 50, budget, References())
    assert end == len(payload)
    return found, len(payload)


@pytest.mark.parametrize("dialect", [DIALECT_6, DIALECT_5_BOUND], ids=["6", "5 bound"])
@pytest.mark.parametrize("event", [1, ("a", 2.5), {"symbol": "A", "prices": [1, 2]}])
def test_a_frame_holds_the_channel_the_key_and_the_event(dialect: Dialect, event: Any) -> None:
    made = new_event("prices", event, MAX_EVENT, True)
    form = Form(dialect, 700, False)
    found, size = arguments(made.frame(form), dialect)
    assert found == (700, "prices", event)
    assert size == made.size + len(form.head)
    assert made.frames == {form: made.frame(form)}


def test_a_long_event_is_compressed_where_that_pays() -> None:
    made = new_event(None, "abc" * 10_000, MAX_EVENT, True)
    packed = made.frame(Form(DIALECT_6, 1, True))
    assert len(packed) < 1000
    found, size = arguments(packed, DIALECT_6)
    assert found == (1, None, made.value)
    assert size == made.size + len(Form(DIALECT_6, 1, True).head)


def test_an_event_of_the_greatest_length_is_a_frame_of_bytes() -> None:
    made = new_event(None, b"x" * (MAX_EVENT - 10), MAX_EVENT, True)
    assert type(made.frame(Form(DIALECT_6, 1, False))) is bytes


def test_what_goes_by_reference_has_no_payload_and_may_not_leave_the_process() -> None:
    assert new_event(None, [object()], MAX_EVENT, False).payload == b""
    with pytest.raises(HasReferences):
        new_event(None, [object()], MAX_EVENT, True)
    with pytest.raises(NotSendable, match="more than 10 "):
        new_event(None, "x" * 100, 10, False)


def test_a_key_is_a_str() -> None:
    with pytest.raises(TypeError, match="a key is a str, not an int"):
        new_event(1, "x", MAX_EVENT, False)  # type: ignore[arg-type]


def test_missed_events_add_up_and_unknown_stays_unknown() -> None:
    missed = Missed(2, "slow")
    missed.add(3)
    assert (missed.count, missed.unknown) == (5, False)
    missed.add(None)
    missed.add(1)
    assert (missed.count, missed.unknown) == (6, True)

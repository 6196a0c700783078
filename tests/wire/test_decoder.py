"""
The arguments of messages, decoded for one connection: what comes out, what is looked up, and
that nothing but the one error comes out of bytes that are wrong.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings, strategies as st

from tests.builds import COMPILED
from tests.examples import examples
from txremote.errors import RemoteProtocolError
from txremote.wire import boxing, decoder, slices
from txremote.wire.brine import dump
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_GETATTR,
    MSG_EXCEPTION,
    MSG_REPLY,
    MSG_REQUEST,
)
from txremote.wire.decoder import MessageDecoder
from txremote.wire.keys import key_of, load_key
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.slices import in_one_go


class Held:
    """An object of ours."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self.count = 1


class Tables:
    """The tables of a connection: one object of ours, and the peer's as their id packs."""

    def __init__(self) -> None:
        self.pack = ("shop.Shop", 5, 1)
        self.shop = Held("the shop")
        self.looked_up = 0

    def box_reference(self, value: object) -> bytes:
        raise NotImplementedError

    def held(self, key: bytes) -> Held | None:
        return self.shop if key == key_of(self.pack) else None

    def unbox_local(self, key: bytes) -> Any:
        self.looked_up += 1
        held = self.held(key)
        return held and held.target

    def unbox_remote(self, key: bytes) -> Any:
        return load_key(key)

    def unbox_promise(self, number: int) -> Any:
        return ("promise", number)


Made = tuple[MessageDecoder, Tables]
TABLES = Tables()


@pytest.fixture
def made() -> Made:
    tables = Tables()
    return MessageDecoder(DEFAULT_LIMITS, tables), tables


def call(name: object = "sell", args: object = (1, "apples"), kwargs: object = ()) -> bytes:
    """Return the arguments of a CALLATTR."""
    return dump((HANDLE_CALLATTR, (2, ((3, TABLES.pack), (1, name), (1, args), (1, kwargs)))))


MESSAGES = [
    (MSG_REQUEST, call(), (HANDLE_CALLATTR, ("the shop", "sell", (1, "apples"), ()))),
    (
        MSG_REQUEST,
        call(kwargs=(("price", 2.5),)),
        (HANDLE_CALLATTR, ("the shop", "sell", (1, "apples"), (("price", 2.5),))),
    ),
    (
        MSG_REQUEST,
        dump((HANDLE_GETATTR, (2, ((3, TABLES.pack), (1, "till"))))),
        (HANDLE_GETATTR, ("the shop", "till")),
    ),
    (MSG_REQUEST, dump((1000, (1, ()))), (1000, ())),
    (MSG_REPLY, dump((1, ("two", 3))), (0, ("two", 3))),
    (MSG_REPLY, dump((2, ((4, ("a.B", 7, 8)), (1, 5)))), (0, (("a.B", 7, 8), 5))),
    (MSG_EXCEPTION, dump((("m", "E"), (), (), "")), (0, (("m", "E"), (), (), ""))),
]


@pytest.mark.parametrize(("kind", "data", "expected"), MESSAGES)
@pytest.mark.parametrize("times", [1, 3])
def test_arguments_come_out_at_once_and_in_slices(
    made: Made, kind: int, data: bytes, expected: object, times: int
) -> None:
    """From wherever the envelope ends, and as often as they come."""
    for _ in range(times):
        assert made[0].arguments(b"??" + data, kind, 2) == expected
        assert in_one_go(made[0].arguments_in_slices(b"??" + data, kind, 2)) == expected


def test_in_slices_a_reactor_may_do_other_things_meanwhile(made: Made) -> None:
    data = dump((1, tuple(range(1000))))
    with mock.patch.object(slices, "SLICE", 100):
        assert len(list(made[0].arguments_in_slices(data, MSG_REPLY, 0))) >= 10


# --- what was called before is looked up ---------------------------------------------


def test_the_object_and_the_name_of_a_call_are_decoded_once(made: Made) -> None:
    decode, tables = made
    for number in range(5):
        _handler, args = decode.arguments(call(args=(number,)), MSG_REQUEST, 0)
        assert args == ("the shop", "sell", (number,), ())
    assert tables.looked_up == 1


def test_an_object_that_was_given_back_is_looked_for_again(made: Made) -> None:
    decode, tables = made
    decode.arguments(call(), MSG_REQUEST, 0)
    tables.shop.count = 0
    tables.shop = Held("another shop")
    _handler, args = decode.arguments(call(), MSG_REQUEST, 0)
    assert args == ("another shop", "sell", (1, "apples"), ())


def test_a_peer_that_makes_up_names_does_not_fill_the_memory(made: Made) -> None:
    decode, _tables = made
    for number in range(2000):
        _handler, args = decode.arguments(call(f"name{number}"), MSG_REQUEST, 0)
        assert args == ("the shop", f"name{number}", (1, "apples"), ())
    assert len(decode._call_site_cache or ()) <= decoder._MOST_CALL_SITES


def test_what_is_no_object_of_ours_or_no_short_name_is_decoded_each_time(made: Made) -> None:
    decode, tables = made
    for name in (5, "", "n" * 300, ("sell",)):
        for _ in range(2):
            _handler, args = decode.arguments(call(name), MSG_REQUEST, 0)
            assert args == ("the shop", name, (1, "apples"), ())
    assert tables.looked_up == 8
    assert decode._call_site_cache is None


# --- nothing but the one error -------------------------------------------------------


def both_ways(decode: MessageDecoder, data: bytes, kind: int) -> Iterator[RemoteProtocolError]:
    """Decode what is wrong, at once and in slices, and give the errors."""
    with pytest.raises(RemoteProtocolError) as caught:
        decode.arguments(data, kind, 0)
    yield caught.value
    with pytest.raises(RemoteProtocolError) as caught:
        in_one_go(decode.arguments_in_slices(data, kind, 0))
    yield caught.value


@pytest.mark.parametrize(("kind", "data", "_expected"), MESSAGES)
def test_arguments_cut_at_every_offset_are_refused(
    made: Made, kind: int, data: bytes, _expected: object
) -> None:
    made[0].arguments(data, kind, 0)
    for end in range(len(data)):
        for error in both_ways(made[0], data[:end], kind):
            assert error.limit is None


@pytest.mark.parametrize(("kind", "data", "_expected"), MESSAGES)
def test_bytes_behind_the_arguments_are_refused(
    made: Made, kind: int, data: bytes, _expected: object
) -> None:
    for error in both_ways(made[0], data + b"\0", kind):
        assert "1 bytes behind the message" in str(error)


@settings(deadline=None, max_examples=examples(120))
@given(
    st.sampled_from([MSG_REQUEST, MSG_REPLY, MSG_EXCEPTION]),
    st.sampled_from([b"", *(data[:9] for _kind, data, _expected in MESSAGES), boxing.TUPLE_HEAD]),
    st.binary(max_size=40),
)
def test_random_bytes_raise_nothing_else(kind: int, before: bytes, rest: bytes) -> None:
    decode = MessageDecoder(DEFAULT_LIMITS, Tables())
    data = before + rest
    for way in (decode.arguments, lambda *args: in_one_go(decode.arguments_in_slices(*args))):
        try:
            way(data, kind, 0)
        except RemoteProtocolError:
            continue


def test_a_stack_that_is_used_up_costs_the_call(made: Made) -> None:
    deep: Any = ()
    for _ in range(90):
        deep = (deep,)

    data = dump((1, deep))

    def within(levels: int) -> object:
        return within(levels - 1) if levels else made[0].arguments(data, MSG_REPLY, 0)

    assert within(0) == (0, deep)
    room = sys.getrecursionlimit() - len(inspect.stack(0))
    if COMPILED:  # whose calls take no room of Python's stack, and max_depth bounds them
        assert within(room - 60) == (0, deep)
        return
    with pytest.raises(RemoteProtocolError, match="left of this side's stack") as caught:
        within(room - 60)
    assert caught.value.limit == "max_depth"


def test_limits_may_change_between_messages(made: Made) -> None:
    decode, _tables = made
    data = dump((1, (1, 2, 3)))
    decode.set_limits(Limits(max_items=2))
    for error in both_ways(decode, data, MSG_REPLY):
        assert error.limit == "max_items"
    decode.set_limits(Limits())
    assert decode.arguments(data, MSG_REPLY, 0) == (0, (1, 2, 3))


def test_an_error_keeps_nothing_of_what_was_decoded(made: Made) -> None:
    """The frames of what went wrong first hold references, which must be given back."""
    for error in both_ways(made[0], MESSAGES[5][1][:-3], MSG_REPLY):
        assert error.__context__ is None

"""How each kind of object of a stock peer is copied."""

from __future__ import annotations

import collections
import datetime
import enum
from array import array
from collections import deque
from decimal import Decimal
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from tests.refs.stock_peer import Fields, StockPeer
from txremote.refs.copy_nodes import ANYTHING
from txremote.refs.reference import RemoteReference
from txremote.refs.wanted import Parts
from txremote.wire import consts

PEERS = [StockPeer, partial(StockPeer, public=True), partial(StockPeer, direct=False)]

VALUES = [
    [1, "a", None, [2, (3, [4])]],
    {"a": 1, (1, 2): [3], frozenset([7]): {5: {}}},
    {1, 2},
    frozenset([1, (2, 3)]),
    collections.deque([1, [2]]),
    collections.OrderedDict([("b", 1), ("a", [2])]),
    collections.Counter("aab"),
    array("d", [1.5, -0.0]),
    array("b"),
    bytearray(b"abc"),
    range(2, 10, 3),
    (1, [2], {3: {4}}),
    list(range(5000)),
    {str(n): [n] for n in range(300)},
    [],
    {},
    ((), ((),)),
    [Decimal("1.10"), {"when": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)}],
]


@pytest.mark.parametrize("make_peer", PEERS)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_a_copy_is_as_the_original(value: Any, make_peer: Any) -> None:
    copied = make_peer().copied(value)
    assert copied == value
    assert type(copied) is type(value)
    assert copied is not value or type(value) is range


def test_a_small_container_takes_one_request_and_one_for_each_value() -> None:
    peer = StockPeer()
    assert peer.copied({"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert peer.requests == [
        (consts.HANDLE_BUFFITER, None),
        (consts.HANDLE_CALLATTR, "__getitem__"),
        (consts.HANDLE_CALLATTR, "__getitem__"),
    ]


def test_the_pairs_of_a_large_mapping_come_together_where_the_peer_gives_them() -> None:
    value = {str(n): [n] for n in range(200)}
    for public, most in ((True, 210), (False, 410)):
        peer = StockPeer(public)
        assert peer.copied(value) == value
        assert 200 < len(peer.requests) < most
    with pytest.raises(TypeError, match="the peer gave no pairs"):
        StockPeer(public=True).copied(Odd({n: n for n in range(100)}))


def test_a_deque_keeps_its_longest_length() -> None:
    for maxlen in (None, 0, 3, 10**6):
        copied = StockPeer().copied([deque([1, 2], maxlen)])[0]
        assert (copied, copied.maxlen) == (deque([1, 2], maxlen), maxlen)


def test_what_has_no_copy_of_its_own_type_becomes_its_builtin_kind() -> None:
    assert type(StockPeer().copied(MappingProxyType({1: [2]}))) is dict
    made = StockPeer().copied(collections.defaultdict(list, {1: [2]}))
    assert (type(made), made) == (dict, {1: [2]})


def test_an_object_is_copied_by_its_fields() -> None:
    item = SimpleNamespace(name="tea", tags=["a"], price=Decimal("1"), other=[1])
    wanted = Fields("SimpleNamespace", name=ANYTHING, tags=ANYTHING, price=ANYTHING)
    fields = {"name": "tea", "tags": ["a"], "price": Decimal("1")}
    assert StockPeer(public=True).copied([item], wanted) == [fields]


def test_an_object_that_opens_its_fields_needs_no_switch() -> None:
    wanted = Fields("SimpleNamespace", name=ANYTHING)
    assert StockPeer().copied(SimpleNamespace(exposed_name="tea"), wanted) == {"name": "tea"}


def test_a_field_that_is_not_open_is_an_error_that_says_how_to_open_it() -> None:
    wanted = Fields("SimpleNamespace", name=ANYTHING)
    with pytest.raises(TypeError) as caught:
        StockPeer().copied([SimpleNamespace(name="tea")], wanted)
    assert str(caught.value).startswith("items[0].name: the peer does not open this attribute")
    for way in (
        "client connect with config={'allow_public_attrs': True}",
        "server serve with protocol_config={'allow_public_attrs': True}",
        "exposed_name",
        "for an argument, a client may pass a dict of the fields",
    ):
        assert way in str(caught.value)


def test_a_field_that_is_not_there_is_left_out() -> None:
    wanted = Fields("SimpleNamespace", name=ANYTHING, more=ANYTHING)
    assert StockPeer(public=True).copied(SimpleNamespace(name="x"), wanted) == {"name": "x"}


def test_an_error_of_a_field_is_the_error() -> None:
    class Item:
        @property
        def name(self) -> str:
            raise LookupError("no name today")

    with pytest.raises(LookupError, match="no name today"):
        StockPeer(public=True).copied(Item(), Fields("Item", name=ANYTHING))


def test_what_is_not_wanted_stays_a_reference() -> None:
    def callback() -> None:
        """Call me."""

    wanted = Fields("SimpleNamespace", name=ANYTHING, callback=None)
    item = SimpleNamespace(name=["tea"], callback=callback)
    copied = StockPeer(public=True).copied(item, wanted)
    assert copied["name"] == ["tea"]
    assert type(copied["callback"]) is RemoteReference
    assert type(StockPeer().copied([callback])[0]) is RemoteReference
    assert type(StockPeer().copied([1], wanted=None)) is RemoteReference


class Odd(dict):  # type: ignore[type-arg]
    """Has no pairs as its items."""

    def items(self) -> Any:
        return [(1,)]


Odd.__module__, Odd.__name__ = "builtins", "dict"


class Colour(enum.Enum):
    RED = 1


class Perm(enum.IntFlag):
    R = 1
    W = 2


class Silent(enum.Enum):
    ONE = 1

    def __repr__(self) -> str:
        return "one of mine"


class Members:
    """Wants members of enums."""

    def parts(self, class_name: str) -> Parts | None:
        name = class_name.rpartition(".")[2]
        return Parts(fields={"name": ANYTHING}, is_member=True, make=lambda fields: (name, fields))


def test_a_member_of_an_enum_is_copied_by_its_name() -> None:
    red = ("Colour", {"name": "RED"})
    assert StockPeer().copied(Colour.RED, Members()) == red
    both = ("Perm", {"name": "R|W"})
    assert StockPeer().copied(Perm.R | Perm.W, Members()) == both
    one = ("Silent", {"name": "ONE"})
    assert StockPeer(public=True).copied(Silent.ONE, Members()) == one
    with pytest.raises(TypeError, match="allow_public_attrs"):
        StockPeer().copied(Silent.ONE, Members())


def test_the_parts_of_a_tuple_may_differ() -> None:
    def function() -> None:
        """Stay a reference."""

    class Wanted:
        def parts(self, class_name: str) -> Parts | None:
            return Parts(items=(ANYTHING, None))

    copied = StockPeer().copied(([1], [2], [3]), Wanted())
    assert copied[0] == [1]
    assert [type(each) for each in copied[1:]] == [RemoteReference, RemoteReference]

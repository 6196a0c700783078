"""
Boxing: the labels and id packs are RPyC's, and no object is touched to read them.

Both directions are held against a real RPyC connection's ``_box`` and
``_unbox``.
"""

from __future__ import annotations

import collections
import struct
import types
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rpyc.core import brine as stock_brine, consts as stock_consts
from rpyc.core.netref import BaseNetref
from rpyc.lib import get_id_pack

from tests.examples import examples
from tests.wire.stock import stock_end
from tests.wire.values import VALUES, canon
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire import boxing
from txremote.wire.boxing import box_into, unbox
from txremote.wire.brine import Budget, dump
from txremote.wire.consts import IdPack
from txremote.wire.keys import LOCAL_REF_HEAD, REMOTE_REF_HEAD, check_pack, key_of, load_key
from txremote.wire.limits import DEFAULT_LIMITS, Limits


class Thing:
    """An object that goes by reference."""


class Proxy:
    """What this side holds of an object of the peer's."""

    def __init__(self, pack: IdPack) -> None:
        self.pack = pack


class Tables:
    """
    The two reference tables of an end, as simple as can be.

    Objects get the id packs that RPyC would give them, so bytes can be compared.
    """

    def __init__(self) -> None:
        self.boxed: list[Any] = []
        self.ours: dict[bytes, Any] = {}
        self.proxies: list[IdPack] = []
        self.keys: list[bytes] = []

    def box_reference(self, value: Any) -> bytes:
        """Box a reference and remember it."""
        if isinstance(value, Proxy):
            return LOCAL_REF_HEAD + key_of(value.pack)
        self.boxed.append(value)
        key = key_of(get_id_pack(value))
        self.ours[key] = value
        return REMOTE_REF_HEAD + key

    def unbox_promise(self, number: int) -> Any:
        """Name the result of a call."""
        return ("promise", number)

    def unbox_local(self, key: bytes) -> Any:
        """Find an object of ours."""
        self.keys.append(key)
        return self.ours[key]

    def unbox_remote(self, key: bytes) -> Any:
        """Make a proxy, and remember that it was received."""
        self.keys.append(key)
        pack = load_key(key)
        self.proxies.append(pack)
        return Proxy(pack)

    def within(self) -> Tables:
        """Begin an extended value: its references are as any."""
        return self

    def refuse(self, problem: Exception) -> None:
        """Let a value go that cannot be built."""

    @staticmethod
    def received(value: object, size: int) -> object:
        """End an extended value."""
        return value


def box(value: Any, tables: Tables | None = None) -> bytes:
    """Return a boxed value."""
    out: list[bytes] = []
    box_into(out, value, tables if tables is not None else Tables())
    return b"".join(out)


def unbox_all(data: bytes, tables: Tables | None = None, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Return what some bytes box, and check that they end where it does."""
    tables = tables if tables is not None else Tables()
    value, end = unbox(data, 0, limits.max_depth, Budget(limits, len(data)), tables)
    assert end == len(data), (end, len(data))
    return value


def stock_box(value: Any) -> bytes:
    """Return what a real RPyC connection makes of a value."""
    with stock_end() as end:
        return stock_brine.dump(end._box(value))


PLAIN = [
    None,
    1,
    "abcde",
    b"",
    (),
    (1, "two", (3.0, None)),
    (((),),),
    frozenset({1}),
    slice(1, None, (2,)),
    ((1,) * 300,),
]
THINGS = [
    Thing(),
    [1, 2],
    {},
    Thing,
    int,
    type,
    len,
    types.SimpleNamespace(),
    collections,
    collections.OrderedDict(),
    collections.namedtuple("Point", "x y")(1, 2),
    frozenset({Thing()}),
    slice(Thing()),
    [()],
]
by_name = {"ids": lambda value: type(value).__name__}


# --- boxing, against the real thing ------------------------------------------------


@pytest.mark.parametrize("value", PLAIN, **by_name)
def test_a_plain_value_is_one_box_around_brine(value: Any) -> None:
    """What brine can carry whole goes whole."""
    tables = Tables()
    assert box(value, tables) == b"\x11\x51" + dump(value) == stock_box(value)
    assert tables.boxed == []


@pytest.mark.parametrize("value", THINGS, **by_name)
def test_an_object_goes_by_reference(value: Any) -> None:
    """All else goes as REMOTE_REF with the owner's id pack, as from stock RPyC."""
    tables = Tables()
    assert box(value, tables) == stock_box(value)
    assert tables.boxed == [value]


@pytest.mark.parametrize(
    "shape",
    [
        lambda t: (t,),
        lambda t: (1, t),
        lambda t: ((1, 2), t, (3, (4, t)), "x" * 300),
        lambda t: (((((t,),),),),),
        lambda t: (t,) * 300,
        lambda t: (frozenset({1}), slice(1), t),
        lambda t: (frozenset({t}), slice(t), (frozenset({t}),)),
        lambda t: ((), t, ()),
    ],
)
def test_a_tuple_with_objects_in_it_is_boxed_item_by_item(shape: Any) -> None:
    """TUPLE around each item's own box, plain parts whole: RPyC's bytes."""
    thing = Thing()
    value = shape(thing)
    assert box(value) == stock_box(value)


def test_each_part_is_looked_at_once_and_in_order() -> None:
    """References are counted as often as they are sent, in the order they are sent."""
    one, two = Thing(), Thing()
    tables = Tables()
    box((one, (two, (one,)), 1, two), tables)
    assert tables.boxed == [one, two, one, two]


def test_a_peers_own_object_goes_back_as_its_own() -> None:
    """LOCAL_REF is what a peer gets for what it has given: RPyC finds its object by it."""
    with stock_end() as end:
        thing = [1, 2]
        label, pack = end._box(thing)
        assert label == stock_consts.LABEL_REMOTE_REF
        ours = box((Proxy(pack), 5))
        assert end._unbox(stock_brine.load(ours)) == (thing, 5)
        assert end._unbox(stock_brine.load(ours))[0] is thing


def test_stock_rpyc_makes_netrefs_of_our_references() -> None:
    """What we send by reference arrives at RPyC as its proxy, without a round trip."""
    with stock_end() as end:
        netref, number = end._unbox(stock_brine.load(box(([1], 7))))
        assert isinstance(object.__getattribute__(netref, "____id_pack__"), tuple)
        assert issubclass(type(netref), BaseNetref)
        assert number == 7
        assert end._channel.stream.written == b""


def test_boxing_adds_to_what_is_there() -> None:
    """A message's earlier chunks are left alone, whichever way the box is made."""
    for value in (1, (1, 2), Thing(), (1, Thing())):
        out = [b"before"]
        box_into(out, value, Tables())
        assert out[0] == b"before"
        assert b"".join(out[1:]) == stock_box(value)


def test_a_name_is_boxed_as_a_value() -> None:
    """`box_name` is the short way for what every call needs."""
    assert boxing.box_name("add") == box("add")
    assert box(()) == boxing.EMPTY_TUPLE


@pytest.mark.parametrize("value", ["\ud800", 10**5000], ids=["surrogate", "long int"])
def test_what_cannot_be_sent_cannot_be_boxed(value: Any) -> None:
    """It is no object: a str or int that cannot travel is an error, not a reference."""
    for whole in (value, (value,), (Thing(), value), (Thing(), (value,))):
        with pytest.raises(NotSendable):
            box(whole)


def test_tuples_nested_too_deep_cannot_be_boxed() -> None:
    """With an object at the bottom or none: no RecursionError, but one that names the option."""
    for core in (1, Thing()):
        value: Any = core
        for _ in range(100_000):
            value = (value,)
        with pytest.raises(NotSendable, match="max_depth"):
            box(value)
        while type(value) is tuple:  # taken apart by hand, else its end would recurse
            (value,) = value


@pytest.mark.parametrize(
    "core",
    [lambda: 1, Thing, lambda: frozenset({1}), lambda: slice(1, (2, (3,)))],
    ids=["int", "object", "frozenset", "slice"],
)
@pytest.mark.parametrize("beside", [None, Thing()], ids=["plain", "mixed"])
def test_what_may_be_boxed_may_be_unboxed(core: Any, beside: Any) -> None:
    """Both ends count levels alike, in plain and in mixed tuples."""
    value: Any = core()
    data = b""
    for _ in range(200):
        value = (beside, value)
        try:
            data = box(value)
        except NotSendable:
            break
        unbox_all(data)
    else:
        raise AssertionError("no depth was too deep")


# --- unboxing -----------------------------------------------------------------------


@pytest.mark.parametrize("value", PLAIN, **by_name)
def test_a_plain_value_comes_out(value: Any) -> None:
    """Whole values, boxed by us or by RPyC."""
    assert canon(unbox_all(box(value))) == canon(value)
    assert canon(unbox_all(stock_box(value))) == canon(value)


def test_references_come_out_in_the_order_they_were_sent() -> None:
    """Each is counted as taken in when its turn comes, the same one twice, too."""
    one, two = [1], {2: 3}
    data = stock_box((one, (two, 5, (one,)), frozenset({1})))
    tables = Tables()
    first, (second, five, (third,)), plain = unbox_all(data, tables)
    assert tables.proxies == [get_id_pack(one), get_id_pack(two), get_id_pack(one)]
    assert (first.pack, second.pack, third.pack) == tuple(tables.proxies)
    assert (five, plain) == (5, frozenset({1}))


def test_our_own_object_comes_back_as_itself() -> None:
    """A LOCAL_REF gives the very object that was handed out, found by its key alone."""
    tables = Tables()
    thing = Thing()
    sent = box(thing, tables)
    key = sent[len(REMOTE_REF_HEAD) :]
    assert unbox_all(LOCAL_REF_HEAD + key, tables) is thing
    assert tables.keys == [key]


def test_a_local_ref_to_nothing_is_a_lookup_error() -> None:
    """What to make of it is the connection's business."""
    data = LOCAL_REF_HEAD + key_of(("builtins.list", 1, 2))
    with pytest.raises(LookupError):
        unbox_all(data)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 255, 256])
def test_a_boxed_tuple_of_any_size(count: int) -> None:
    """Every form of a tuple's head is read behind the TUPLE label."""
    data = stock_brine.dump((2, tuple((1, n) for n in range(count))))
    assert unbox_all(data) == tuple(range(count))


@pytest.mark.parametrize("label", [-48, -1, 0, 7, 100, 159])
def test_an_unknown_label_is_refused(label: int) -> None:
    """Only four labels are known; the error says where the fifth stands."""
    for data in (dump((label, 1)), b"\x11\x52\x10" + dump((label, 1))):
        with pytest.raises(RemoteProtocolError, match="unknown label at byte"):
            unbox_all(data)


@pytest.mark.parametrize("label", [None, True, 1.0, "1", b"1", (1,), 160, 10**30])
def test_a_label_that_is_no_small_int_is_refused(label: Any) -> None:
    """RPyC compares by ``==``, so True would pass for VALUE there."""
    with pytest.raises(RemoteProtocolError, match="unknown label"):
        unbox_all(dump((label, 1)))


@pytest.mark.parametrize("value", [None, 1, "ab", (), (1,), (1, 2, 3), frozenset({1, 2})])
def test_what_is_no_pair_is_no_box(value: Any) -> None:
    """A box is a pair; whatever else stands there is refused with its place."""
    with pytest.raises(RemoteProtocolError, match="no boxed value at byte 0"):
        unbox_all(dump(value))
    with pytest.raises(RemoteProtocolError, match="no boxed value at byte 3"):
        unbox_all(b"\x11\x52\x10" + dump(value))


@pytest.mark.parametrize("inside", [None, 1, "ab", b"ab", frozenset({(1, 2)}), slice(1)])
def test_a_tuple_label_needs_a_tuple(inside: Any) -> None:
    """RPyC iterates over whatever is there."""
    with pytest.raises(RemoteProtocolError, match="TUPLE without a tuple"):
        unbox_all(dump((2, inside)))


@pytest.mark.parametrize(
    "pack",
    [
        None,
        5,
        "name",
        (),
        ("name",),
        ("name", 1),
        ("name", 1, 2, 3),
        (1, 2, 3),
        (b"name", 1, 2),
        (None, 1, 2),
        ("", 1, 2),
        ("n" * 256, 1, 2),
        ("name", "1", 2),
        ("name", 1, "2"),
        ("name", None, 2),
        ("name", 1, None),
        ("name", True, 2),
        ("name", 1.0, 2),
        ("name", 1, (2,)),
        ("name", 10**300, 2),
    ],
)
@pytest.mark.parametrize("label", [3, 4])
def test_an_id_pack_is_a_name_and_two_ints(pack: Any, label: int) -> None:
    """All else is refused before anybody is asked for it."""
    tables = Tables()
    with pytest.raises(RemoteProtocolError, match=r"id pack|no plain int|a fork of RPyC"):
        unbox_all(dump((label, pack)), tables)
    assert tables.keys == []


@pytest.mark.parametrize(
    ("pack", "fork"),
    [
        (("shop.Shop", 2**40, 2**41, 3), "rpyc-ng"),
        (("shop.Shop", 2**40, 0, 2), "rpyc-ng"),
        (("os.path", 2**40, 2**41, 1), "rpyc-ng"),
        (("shop.Shop", 2**40, 2**41, 0), "rpyc-async"),
        (("builtins.method", 2**40, 2**41, 1), "rpyc-async"),
        (("x" * 255, 10**254, 10**254, 3), "rpyc-ng"),
    ],
)
@pytest.mark.parametrize("label", [3, 4])
def test_a_fork_whose_id_packs_have_a_fourth_item_is_named(
    pack: Any, fork: str, label: int
) -> None:
    with pytest.raises(RemoteProtocolError, match=f"the peer is {fork}, a fork of RPyC"):
        unbox_all(dump((label, pack)), Tables())


@pytest.mark.parametrize("pack", [(5, "Shop", "shop"), (2**40, "list", "builtins")])
def test_an_rpyc_before_4_1_is_named(pack: Any) -> None:
    with pytest.raises(RemoteProtocolError, match=r"the peer is an RPyC before 4\.1"):
        unbox_all(dump((4, pack)), Tables())
    with pytest.raises(RemoteProtocolError, match=r"the peer is an RPyC before 4\.1"):
        check_pack("shop.Shop")  # what it asks for by INSPECT


@pytest.mark.parametrize("pack", [("a.b", 1, 2, 4), ("a.b", 1, 2, None), (1, 2, 3, 4)])
def test_four_items_that_no_fork_writes_are_no_fork_s(pack: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="id pack"):
        unbox_all(dump((4, pack)), Tables())


@pytest.mark.parametrize("name", ["a", "ab", "abc", "abcd", "abcde", "x" * 255, "m\u00f6d.K\u00e4"])
@pytest.mark.parametrize("ids", [(1, 0), (160, 2**63), (-1, 10**18), (10**254, 159)])
def test_a_key_is_the_id_pack_as_it_is_encoded(name: str, ids: tuple[int, int]) -> None:
    """The end of a pack is found without decoding it, whatever its lengths."""
    pack = (name, *ids)
    for label in (3, 4):
        tables = Tables()
        tables.ours[key_of(pack)] = "mine"
        data = dump((2, ((label, pack), (1, "behind"))))
        found, behind = unbox_all(data, tables)
        assert tables.keys == [key_of(pack)]
        assert behind == "behind"
        assert found == "mine" if label == 3 else found.pack == pack
    assert load_key(key_of(pack)) == pack


def test_a_name_that_is_no_utf8_is_refused_when_it_is_read() -> None:
    """A key is not decoded to find an object; to make a reference it is."""
    key = b"\x12\x08\x0a\xff\x51\x52"
    with pytest.raises(RemoteProtocolError, match="UTF-8"):
        unbox_all(REMOTE_REF_HEAD + key)


def test_every_message_cut_at_every_offset_is_refused() -> None:
    """Cut anywhere it fails with what the connection expects, or ends past the end."""
    data = stock_box((1, [2], ("abcde", {}, 10**30, 1.5), Thing(), frozenset({1})))
    for end in range(len(data)):
        cut = data[:end]
        try:
            _value, stop = unbox(cut, 0, 100, Budget(DEFAULT_LIMITS, end), Tables())
        except (RemoteProtocolError, LookupError, struct.error):
            continue
        assert stop > end


# --- limits -------------------------------------------------------------------------


def test_boxes_nest_up_to_max_depth() -> None:
    """Boxed tuples count as levels like plain ones; one more is refused by name."""

    def nested(levels: int) -> bytes:
        return b"\x11\x52\x10" * levels + b"\x11\x51\x00"

    limits = Limits(max_depth=20)
    unbox_all(nested(20), limits=limits)
    for levels in (21, 100_000):
        with pytest.raises(RemoteProtocolError, match="max_depth") as caught:
            unbox_all(nested(levels), limits=limits)
        assert caught.value.limit == "max_depth"
    # and what is plain within a box has only the levels that are left
    assert unbox_all(b"\x11\x52\x10" * 10 + b"\x11\x51" + b"\x10" * 10 + b"\x50", limits=limits)
    with pytest.raises(RemoteProtocolError, match="max_depth"):
        unbox_all(b"\x11\x52\x10" * 10 + b"\x11\x51" + b"\x10" * 11 + b"\x50", limits=limits)


def test_boxed_items_are_counted() -> None:
    """max_items counts the items of boxed tuples and of plain ones together."""
    limits = Limits(max_items=10)
    many = tuple((1, n) for n in range(11))
    assert unbox_all(dump((2, many[:10])), limits=limits) == tuple(range(10))
    for data in (dump((2, many)), dump((2, ((1, (1,) * 6), (1, (1,) * 3))))):
        with pytest.raises(RemoteProtocolError, match="max_items") as caught:
            unbox_all(data, limits=limits)
        assert caught.value.limit == "max_items"


def test_a_boxed_tuple_of_4_gib_is_refused() -> None:
    """A count is believed only as far as the bytes are there."""
    with pytest.raises(RemoteProtocolError, match="truncated"):
        unbox_all(b"\x11\x52\x15\xff\xff\xff\xff" + b"\x11\x51\x00" * 10)


# --- by hypothesis ------------------------------------------------------------------

_MIXED = st.recursive(
    st.one_of(VALUES, st.builds(Thing), st.builds(list)),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=8,
)


@settings(deadline=None, max_examples=examples(100))
@given(_MIXED)
def test_anything_is_boxed_as_stock_rpyc_boxes_it(value: Any) -> None:
    """Our bytes are RPyC's bytes, and RPyC reads them."""
    assert box(value) == stock_box(value)


@settings(deadline=None, max_examples=examples(100))
@given(_MIXED)
def test_anything_comes_out_as_it_went_in(value: Any) -> None:
    """Values as they were, objects as references to them, shape and order kept."""
    sender, receiver = Tables(), Tables()

    def seen_from_there(value: Any) -> Any:
        if type(value) is tuple and stock_brine.dumpable(value) is False:
            return tuple(seen_from_there(item) for item in value)
        return canon(value) if stock_brine.dumpable(value) else get_id_pack(value)

    def as_received(value: Any, original: Any) -> Any:
        if isinstance(value, Proxy):
            return value.pack
        if type(value) is tuple and stock_brine.dumpable(original) is False:
            return tuple(as_received(v, o) for v, o in zip(value, original, strict=True))
        return canon(value)

    received = unbox_all(box(value, sender), receiver)
    assert as_received(received, value) == seen_from_there(value)
    assert receiver.proxies == [get_id_pack(thing) for thing in sender.boxed]


@settings(deadline=None, max_examples=examples(120))
@given(
    st.lists(
        st.one_of(
            st.sampled_from([0x10, 0x11, 0x12, 0x51, 0x52, 0x53, 0x54, 0x55, 0x08, 0x0A]),
            st.integers(0, 255),
        ),
        max_size=40,
    ).map(bytes)
)
def test_random_bytes_raise_what_the_connection_expects(data: bytes) -> None:
    """RemoteProtocolError, a lookup that failed, or the end of the payload: no other."""
    for whole in (data, b"\x11" + data, b"\x11\x52" + data):
        try:
            unbox(whole, 0, 20, Budget(DEFAULT_LIMITS, len(whole)), Tables())
        except (RemoteProtocolError, LookupError, struct.error):
            continue

"""
`obtain`: copies of remote values, item by item, or by a pickle where that is asked for.
"""

from __future__ import annotations

import collections
import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

import txremote.blocking as rpyc
from tests.blocking.script_threads import linked, scripted
from tests.refs.stock_peer import Delayed, StockPeer
from txremote.refs import copying
from txremote.refs.copy_nodes import ANYTHING
from txremote.refs.copying import Copier, Copying
from txremote.refs.netref import BaseNetref
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.record import Record


@rpyc.exposed
class Thing:
    pass


@dataclass
class Item:
    name: str
    tags: list[Any]

    exposed_name = property(lambda self: self.name)
    exposed_tags = property(lambda self: self.tags)


@dataclass
class Closed:
    name: str


class Shop(rpyc.Service):
    """Hands out things."""

    def exposed_make(self, source: str) -> Any:
        return eval(source)


SOURCES = [
    "[1, 'a', None, [2, (3, [4])]]",
    "{'a': 1, (1, 2): [3]}",
    "{1, 2}",
    "frozenset([1, (2, 3)])",
    "collections.deque([1, 2])",
    "collections.OrderedDict([('b', 1), ('a', 2)])",
    "bytearray(b'abc')",
    "range(2, 10, 3)",
    "(1, [2], {3: {4}})",
    "list(range(5000))",
    "[]",
    "{}",
]


@scripted
@pytest.mark.parametrize("source", SOURCES)
def test_containers_are_obtained_item_by_item(source: str) -> None:
    """Nothing is unpickled for that."""
    with linked(Shop) as conn:
        value = conn.root.make(source)
        copied = conn.obtain(value) if isinstance(value, BaseNetref) else None
        expected = eval(source)
        if copied is not None:
            assert copied == expected
            assert type(copied) is type(expected)


@scripted
def test_views_are_obtained_as_lists_and_default_dicts_as_they_are() -> None:
    with linked(Shop) as conn:
        assert conn.obtain(conn.root.make("{1: 2}.keys()")) == [1]
        assert conn.obtain(conn.root.make("{1: [2]}.values()")) == [[2]]
        assert conn.obtain(conn.root.make("{1: 2}.items()")) == [(1, 2)]
        made = conn.obtain(conn.root.make("collections.defaultdict(list, {1: [2]})"))
        assert (type(made), made) == (collections.defaultdict, {1: [2]})


@scripted
def test_a_txremote_sends_a_copy_in_one_answer() -> None:
    with linked(Shop) as conn:
        value = conn.root.make("[collections.Counter('aab'), Item('tea', [1])]")
        asked = conn.protocol.outbound.pending.skip()
        copied = conn.obtain(value)
        assert conn.protocol.outbound.pending.skip() == asked + 2  # one between them
        assert copied == [collections.Counter("aab"), Record("Item", name="tea", tags=[1])]


@scripted
def test_what_is_copied_in_part_is_not_obtained() -> None:
    with linked(Shop) as conn:
        with pytest.raises(TypeError, match=r"a .*\.Item cannot be copied"):
            conn.obtain(conn.root.make("[1, Item('tea', [len])]"))
        with pytest.raises(TypeError, match=r"a .*\.Closed cannot be copied"):
            conn.obtain(conn.root.make("[Closed('tea')]"))


@scripted
def test_what_else_there_is_is_not_obtained_without_unpickling() -> None:
    with linked(Shop) as conn:
        for source in ("Thing()", "[Thing()]", "len", "Thing", "list", "iter([1])"):
            with pytest.raises(TypeError, match="if you trust it"):
                conn.obtain(conn.root.make(source))
        holds_itself = conn.root.make("(lambda a: a.append(a) or a)([])")
        with pytest.raises(TypeError, match="holds itself"):
            conn.obtain(holds_itself)
        shared = conn.obtain(conn.root.make("(lambda a: [a, a])([1])"))
        assert shared == [[1], [1]]
        assert shared[0] is shared[1]


@scripted
def test_unpickling_is_done_when_it_is_asked_for() -> None:
    with linked(Shop, remote_config={"allow_pickle": True}) as conn:
        copied = conn.obtain(conn.root.make("[collections.Counter('aab')]"), unpickle=True)
        assert copied == [collections.Counter("aab")]


# --- the work without input and output ---------------------------------------------


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_shared_part_is_copied_once_and_stays_shared() -> None:
    part = [1]
    peer = StockPeer()
    copied = peer.copied([part, {"again": part}, (part,)])
    assert copied == [[1], {"again": [1]}, ([1],)]
    assert copied[0] is copied[1]["again"] is copied[2][0]
    assert len(peer.requests) == 4


def test_what_holds_itself_is_refused() -> None:
    a: list[Any] = []
    b = {"a": a}
    a.append((b,))
    with pytest.raises(TypeError, match="holds itself"):
        StockPeer().copied(a)


def test_shared_parts_count_as_often_as_they_stand_somewhere() -> None:
    value: list[Any] = [1]
    for _ in range(40):
        value = [value, value]
    with pytest.raises(TypeError, match="option max_items"):
        StockPeer().copied(value)


def test_too_many_values_are_refused() -> None:
    assert len(StockPeer().copied([0] * 1000, limits=Limits(max_items=1000))) == 1000
    with pytest.raises(TypeError, match=r"more than 1000 values to copy.*max_items"):
        StockPeer().copied(((0,) * 300, [0] * 701), limits=Limits(max_items=1000))


def test_what_never_ends_is_refused() -> None:
    class Endless:
        def __iter__(self) -> Any:
            return itertools.count()

    Endless.__module__, Endless.__name__ = "builtins", "list"
    with pytest.raises(TypeError, match="option max_items"):
        StockPeer().copied(Endless(), limits=Limits(max_items=10_000))


def test_too_many_bytes_are_refused() -> None:
    limits = Limits(max_inflated=1000)
    with pytest.raises(TypeError, match=r"more than 1000 bytes to copy.*max_inflated"):
        StockPeer().copied(["x" * 600, ("y", b"z" * 500)], limits=limits)


def test_what_is_nested_too_deep_is_refused() -> None:
    limits = Limits(max_depth=20)
    assert StockPeer().copied(nested(19), limits=limits) == nested(19)
    with pytest.raises(TypeError, match=r"nested deeper than 20 .*max_depth"):
        StockPeer().copied(nested(21), limits=limits)


def test_depth_by_way_of_shared_parts_is_bounded() -> None:
    """Each is met first at the top, where it is not deep."""
    parts: list[Any] = [[]]
    for _ in range(300):
        parts.append([parts[-1]])
    with pytest.raises(TypeError, match="max_depth"):
        StockPeer().copied(parts)


def test_too_many_objects_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "MOST_OBJECTS", 10)
    with pytest.raises(TypeError, match=r"more than 10 objects"):
        StockPeer().copied([[n] for n in range(20)])


def test_colliding_keys_are_refused() -> None:
    keys = {n * (2**61 - 1): n for n in range(1, 50)}
    for value in (keys, set(keys), frozenset(keys)):
        with pytest.raises(TypeError, match="hash alike"):
            StockPeer().copied([value])


class Lying:
    """Claims to be a list, and answers with something else."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers


@pytest.mark.parametrize(
    "answers",
    [
        [AttributeError(), None],
        [AttributeError(), 5],
        [5, "no iterator"],
        [(1,) * 100, StockPeer().sent(iter([])), [1]],
        [(1,) * 100, StockPeer().sent(iter([])), "items"],
        [{1}],
    ],
    ids=repr,
)
def test_wrong_answers_are_errors_of_the_copy(answers: list[Any]) -> None:
    copying = Copying(DEFAULT_LIMITS, direct=True)
    copying.add(StockPeer().sent([]), ANYTHING, "items")
    with pytest.raises((TypeError, IndexError), match=r"items: the peer gave no|pop"):
        for answer in [*answers, None, None]:
            request = copying.requests.popleft()
            if isinstance(answer, Exception):
                assert request.refused is not None
                request.refused(answer)
            else:
                request.taken(answer)


# --- the requests on their way -----------------------------------------------------


def started(value: object) -> tuple[Delayed, Copier, Any]:
    peer = StockPeer()
    delayed = Delayed(peer.answer)
    copying = Copying(DEFAULT_LIMITS, direct=True)
    copying.add(peer.sent(value), ANYTHING, "items")
    copier = Copier(copying, delayed.send)
    outcome: list[Any] = []
    copier.start().addBoth(outcome.append)
    return delayed, copier, outcome


def test_requests_are_on_the_way_at_the_same_time() -> None:
    delayed, copier, outcome = started([[n] for n in range(99)])
    delayed.fire()
    assert len(delayed.waiting) == 99
    while delayed.waiting:
        delayed.fire(-1)  # in whatever order they are answered
    assert outcome == [[[[n] for n in range(99)]]]
    assert copier.asked == 100


def test_so_many_requests_are_on_the_way_and_no_more() -> None:
    delayed, _copier, outcome = started([[n] for n in range(1000)])
    most = 0
    while delayed.waiting:
        most = max(most, len(delayed.waiting))
        delayed.fire()
    assert most == 100
    assert outcome == [[[[n] for n in range(1000)]]]


def test_a_copy_that_is_cancelled_asks_for_nothing_more() -> None:
    delayed, copier, outcome = started([[n] for n in range(99)])
    delayed.fire()
    copier.done.cancel()
    assert delayed.cancelled == 99
    assert outcome[0].check(CancelledError)
    assert copier.asked == 100


def test_the_first_error_ends_a_copy() -> None:
    delayed, _copier, outcome = started({n: n for n in range(50)})
    delayed.fire()
    _request, deferred = delayed.waiting.pop()
    deferred.errback(ZeroDivisionError("it is gone"))
    assert outcome[0].check(ZeroDivisionError)
    assert delayed.cancelled == 49


def test_a_value_that_needs_no_request_is_there_at_once() -> None:
    delayed, _copier, outcome = started((1, "a"))
    assert not delayed.waiting
    assert outcome == [[(1, "a")]]

"""
`obtain`: copies of remote values, item by item, or by a pickle where that is asked for.
"""

from __future__ import annotations

import collections
from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import linked, scripted
from txremote.refs.netref import BaseNetref


@rpyc.exposed
class Thing:
    pass


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
def test_views_are_obtained_as_lists_and_default_dicts_as_dicts() -> None:
    with linked(Shop) as conn:
        assert conn.obtain(conn.root.make("{1: 2}.keys()")) == [1]
        assert conn.obtain(conn.root.make("{1: [2]}.values()")) == [[2]]
        assert conn.obtain(conn.root.make("{1: 2}.items()")) == [(1, 2)]
        made = conn.obtain(conn.root.make("collections.defaultdict(list, {1: [2]})"))
        assert (type(made), made) == (dict, {1: [2]})


@scripted
def test_what_else_there_is_is_not_obtained_without_unpickling() -> None:
    with linked(Shop) as conn:
        for source in ("Thing()", "[Thing()]", "len", "Thing", "list", "iter([1])"):
            with pytest.raises(TypeError, match="if you trust it"):
                conn.obtain(conn.root.make(source))
        holds_itself = conn.root.make("(lambda a: a.append(a) or a)([])")
        with pytest.raises(TypeError, match="holds itself"):
            conn.obtain(holds_itself)
        shared = conn.root.make("(lambda a: [a, a])([1])")
        assert conn.obtain(shared) == [[1], [1]]


@scripted
def test_unpickling_is_done_when_it_is_asked_for() -> None:
    with linked(Shop, remote_config={"allow_pickle": True}) as conn:
        copied = conn.obtain(conn.root.make("[collections.Counter('aab')]"), unpickle=True)
        assert copied == [collections.Counter("aab")]

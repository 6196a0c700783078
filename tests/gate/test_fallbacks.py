"""
Special methods without which Python does something else are told of, and then refused.
"""

from __future__ import annotations

import collections
import math
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from zope.interface import Interface, implementer

from txremote import ConnectionConfig, expose
from txremote.gate.access import AccessPolicy
from txremote.gate.fallbacks import FALLBACKS, falls_back

DEFAULT = AccessPolicy(ConnectionConfig())

#: What Python does another way where the first of two methods is not there.
WAYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "__bool__": ("__len__", bool),
    "__contains__": ("__iter__", lambda x: 1 in x),
    "__iter__": ("__getitem__", lambda x: next(iter(x))),
    "__reversed__": ("__getitem__", lambda x: next(reversed(x))),
    "__bytes__": ("__index__", bytes),
    "__int__": ("__index__", int),
    "__float__": ("__index__", float),
    "__complex__": ("__float__", complex),
    "__floor__": ("__float__", math.floor),
    "__ceil__": ("__float__", math.ceil),
    "__iadd__": ("__add__", lambda x: operator.iadd(x, 1)),
    "__imatmul__": ("__matmul__", lambda x: operator.imatmul(x, 1)),
    "__radd__": ("__getitem__", lambda x: 1 in x),
}


@pytest.mark.parametrize("name", WAYS)
def test_python_takes_another_way_where_such_a_method_is_not_there(name: str) -> None:
    other, act = WAYS[name]
    answers: dict[str, Any] = {
        "__len__": lambda self: 2,
        "__getitem__": lambda self, key: [1, 2][key],
        "__iter__": lambda self: iter([1]),
        "__index__": lambda self: 3,
        "__float__": lambda self: 1.5,
        "__add__": lambda self, value: 4,
        "__matmul__": lambda self, value: 5,
    }
    body = {key: answers[key] for key in {other, "__len__"} if key != name}
    act(type("Without", (), body)())  # which is an answer
    assert name in FALLBACKS


def test_a_peer_is_told_of_those_that_it_may_not_call() -> None:
    """And of those that a class forbids by None; not of what every object has."""

    class Packet:
        __reversed__ = None

        def __bytes__(self) -> bytes:
            return b"x"

        def __index__(self) -> int:
            return 3

        def __fspath__(self) -> str:
            return "hidden"

        def __await__(self) -> Any: ...

    listed = {name for name, _doc in DEFAULT.methods(Packet())}
    assert listed >= {"__bytes__", "__index__", "__reversed__"}
    assert not listed & {"__fspath__", "__await__", "__init__", "__sizeof__"}
    closed = AccessPolicy(ConnectionConfig(allow_safe_attrs=False))
    assert {name for name, _doc in closed.methods(Packet())} == {
        *("__bytes__", "__index__", "__reversed__")
    }


@pytest.mark.parametrize("name", ["__floor__", "__round__", "__complex__"])
def test_a_refusal_names_what_to_do(name: str) -> None:
    with pytest.raises(AttributeError, match="add it to safe_attrs"):
        DEFAULT.get(Decimal("1.5"), name)
    config = ConnectionConfig(safe_attrs=ConnectionConfig().safe_attrs | {name})
    assert callable(AccessPolicy(config).get(Decimal("1.5"), name))


def test_what_an_interface_does_not_declare_is_told_of_too() -> None:
    class IPacket(Interface):
        def __index__() -> int: ...

    @implementer(IPacket)
    class Packet:
        def __index__(self) -> int:
            return 3

        def __bytes__(self) -> bytes:
            return b"x"

    expose(IPacket)
    assert {name for name, _doc in DEFAULT.methods(Packet())} == {"__bytes__", "__index__"}
    with pytest.raises(AttributeError, match="IPacket"):
        DEFAULT.get(Packet(), "__bytes__")


@pytest.mark.parametrize(
    "holder", [{}, collections.OrderedDict(), collections.Counter(), {}.keys(), [], range(3)]
)
def test_containers_are_gone_through_backwards(holder: Any) -> None:
    assert "__reversed__" in dict(DEFAULT.methods(holder))
    assert list(DEFAULT.get(holder, "__reversed__")()) == list(reversed(holder))


def test_what_every_object_has_is_what_python_does_anyhow() -> None:
    assert not falls_back("__format__", object.__format__)
    assert falls_back("__format__", int.__format__)
    assert falls_back("__iter__", None)
    assert not falls_back("__getitem__", list.__getitem__)

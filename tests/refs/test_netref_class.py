"""
Netref classes: which of the names that a peer lists they have, and as what.
"""

from __future__ import annotations

import datetime
import sys
import types
from types import SimpleNamespace
from typing import Any

import pytest

from txremote.refs.netref_class import builtin_methods, netref_class
from txremote.wire.consts import HANDLE_GETATTR


def test_a_builtin_types_methods_are_listed_without_its_own_ones() -> None:
    found = dict(builtin_methods(("builtins.list", 1, 2)) or ())
    assert {"append", "__len__", "__getitem__"} <= set(found)
    assert "__call__" in dict(builtin_methods(("builtins.list", 1, 0)) or ())
    assert "__call__" not in found
    assert builtin_methods(("far.away.Thing", 1, 2)) is None


def test_of_a_stock_peer_only_exposed_methods_are_taken_to_be_methods() -> None:
    """It lists private ones too; reading those has to fail when they are read."""
    methods = [("exposed_a", None), ("b", "doc"), ("__len__", None), (5, None)]
    stock = netref_class(("m.T", 1, 2), methods, listed_are_methods=False)  # type: ignore
    own = netref_class(("m.T", 1, 2), methods, listed_are_methods=True)  # type: ignore
    assert stock.____methods__ == {"exposed_a"}
    assert own.____methods__ == {"exposed_a", "b"}
    assert "__len__" in vars(stock)


def test_of_a_stock_peer_a_name_that_python_does_not_call_is_asked_for() -> None:
    """It may be a value, though it has underscores."""
    names = [("__price__", None), ("__len__", None)]
    made = netref_class(("m.T", 1, 2), names, listed_are_methods=False)
    view = StockView()
    netref: Any = made(view, None)  # type: ignore[arg-type]
    assert netref.__price__ == 3
    assert callable(type(netref).__price__)
    assert view.asked == [HANDLE_GETATTR]


class StockView:
    """As much of a connection to a stock peer as a netref asks of it."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def sync_request(self, handler: int, *args: Any) -> Any:
        self.asked.append(handler)
        return 3

    def sync_call(self, reference: Any, names: Any, args: Any, kwargs: Any) -> Any:
        self.asked.append((names, args))
        return 4


def test_of_a_stock_peer_a_method_is_called_by_name_only_where_it_is_called_at_once() -> None:
    """What it lists may be a value of this object."""
    view = StockView()
    made = netref_class(("m.T", 1, 2), [("exposed_a", None)], listed_are_methods=False)
    netref: Any = made(view, None)  # type: ignore[arg-type]
    assert netref.exposed_a == 3
    assert netref.a == 3
    called = netref.a(5), netref.exposed_a()  # an assert of pytest's reads first and calls later
    assert called == (4, 4)
    assert view.asked == [HANDLE_GETATTR] * 2 + [(("a",), (5,)), (("exposed_a",), ())]


def test_what_a_netref_does_itself_cannot_be_replaced_by_a_peer() -> None:
    names = ("__class__", "__getattribute__", "__getattr__", "__reduce_ex__", "__init__", "__del__")
    made = netref_class(("m.T", 1, 2), [(name, None) for name in names], listed_are_methods=True)
    assert not set(names[1:]) & set(vars(made))


def test_naming_a_class_here_runs_no_code() -> None:
    """A peer's name does not make a module import more than it has."""
    module = types.ModuleType("tests_lazy")
    asked: list[str] = []
    module.__getattr__ = lambda name: asked.append(name)  # type: ignore[method-assign]
    sys.modules["tests_lazy"] = module
    try:
        made = netref_class(("tests_lazy.Thing", 1, 2), (), listed_are_methods=True)
    finally:
        del sys.modules["tests_lazy"]
    assert made.____local__ is None
    assert asked == []


class Joined:
    """Takes part in operators with anything."""

    def __ror__(self, other: Any) -> str:
        return "joined"


class RefusingView(StockView):
    """Its peer cannot do anything with the other operand."""

    def sync_call(self, reference: Any, names: Any, args: Any, kwargs: Any) -> Any:
        return NotImplemented


def test_an_operand_that_goes_by_reference_is_told_how_to_go_as_a_value() -> None:
    pack = ("builtins.dict", 1, 2)
    made = netref_class(pack, builtin_methods(pack) or (), listed_are_methods=True)
    netref: Any = made(RefusingView(), SimpleNamespace(_pack=pack))  # type: ignore[arg-type]
    assert netref | Joined() == "joined"
    for other in ({1: 2}, [1], datetime.date(2024, 1, 1)):
        with pytest.raises(TypeError) as caught:
            netref | other
        assert str(caught.value) == (
            f"| of a remote builtins.dict and a {type(other).__name__}, which goes by reference: "
            "send it as value(x), or copy the remote one first by txremote.blocking.fetch(netref)"
        )
    for other in (5, netref, object()):
        with pytest.raises(TypeError, match="unsupported operand"):
            netref | other

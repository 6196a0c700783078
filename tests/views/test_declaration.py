"""
A class's names as views use them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Self

import pytest
from twisted.internet.defer import Deferred
from zope.interface import Interface

from tests.stubs import shop
from txremote import Service, exposed
from txremote.errors import WrongValue
from txremote.views.declaration import Result, declaration_of, marked
from txremote.views.members import UNKNOWN
from txremote.wire.values import AsValue


@pytest.mark.parametrize(
    ("annotation", "value", "view", "items"),
    [
        (int, True, None, False),
        (Deferred[list[int]], True, None, False),
        (shop.Item | None, True, None, False),
        (shop.Basket, False, shop.Basket, False),
        (shop.Basket | None, False, shop.Basket, False),
        (shop.IShelf, False, shop.IShelf, False),
        (shop.Plain, False, shop.Plain, False),
        (Iterator[int], False, None, True),
        (AsyncIterator[shop.Basket], False, None, True),
        (shop.Secret, False, None, False),
        (shop.Basket | shop.Secret, False, None, False),
        (Callable[[int], str], False, None, False),
        (object, False, None, False),
        (Any, False, None, False),
        (UNKNOWN, False, None, False),
        (None, False, None, False),
    ],
)
def test_an_annotation_says_what_comes_of_a_result(
    annotation: object, value: bool, view: object, items: bool
) -> None:
    result = Result(annotation)
    assert (result.value is not None) is value
    assert result.view is view
    assert (result.items is not None) is items
    assert result.is_known is (value or items or view is not None)


def test_items_are_results_too() -> None:
    items = Result(Iterator[shop.Basket]).items
    assert items is not None
    assert items.view is shop.Basket
    assert Result(Iterator).items is not None


def test_a_declaration_is_read_once() -> None:
    assert declaration_of(shop.Shop) is declaration_of(shop.Shop)


def test_what_is_not_declared_is_told() -> None:
    with pytest.raises(AttributeError, match="Shop declares no 'hidden'"):
        declaration_of(shop.Shop).find("hidden")


def test_the_first_overload_that_fits_is_taken() -> None:
    found = declaration_of(shop.Shop).find("find")
    first, second = found.calls
    assert found.call_for((3,), {}) is first
    assert found.call_for(("x",), {}) is second
    with pytest.raises(WrongValue):
        found.call_for((2.5,), {})
    with pytest.raises(TypeError, match=r"Shop\.find\(key\): too many positional arguments"):
        found.call_for((1, 2), {})


def test_arguments_are_marked_by_place_and_name() -> None:
    (call,) = declaration_of(shop.Shop).find("cheapest").calls
    assert call.plan is not None
    args, kwargs = marked(call.plan, ([],), {"at": None})
    assert type(args[0]) is AsValue
    assert kwargs == {"at": None}


def test_self_means_the_class() -> None:
    class Chain(Service):
        @exposed
        def more(self) -> Self:
            return self

    (call,) = declaration_of(Chain).find("more").calls
    assert call.result.view is Chain


def test_what_cannot_be_resolved_is_a_reference() -> None:
    (call,) = declaration_of(shop.Lost).find("lost").calls
    call.check((3,), {})
    assert call.result.value is not None


def test_an_interface_may_be_empty() -> None:
    class IEmpty(Interface):
        pass

    assert not list(declaration_of(IEmpty).names())

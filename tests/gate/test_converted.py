"""Methods whose annotations declare values: which are, and to whom it matters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pytest
from zope.interface import Interface, implementer

from txremote import ConnectionConfig, Service, exposed, threaded
from txremote.gate.access import AccessPolicy
from txremote.gate.converted import ConvertedAttribute, ConvertedMethod, copies_values, plan_of
from txremote.gate.fetchable import check_fetchable
from txremote.service import expose

PLAIN = AccessPolicy(ConnectionConfig())
READING = AccessPolicy(ConnectionConfig(values=True))


class Shop(Service, values=True):
    @exposed
    def buy(self, items: list[str]) -> int:
        return len(items)

    @exposed
    @threaded
    def slowly(self, items: list[str]) -> int:
        return len(items)

    @exposed
    def anything(self, items: Any) -> Any:
        return items


class Inherits(Shop):
    pass


class Declines(Shop, values=False):
    pass


class Undeclared(Service):
    @exposed
    def buy(self, items: list[str]) -> int:
        return len(items)


def test_the_keyword_of_a_service_s_class_is_inherited_and_can_be_taken_back() -> None:
    """For instances and for the class itself."""
    assert copies_values(Shop()) and copies_values(Shop) and copies_values(Inherits())
    assert not copies_values(Declines()) and not copies_values(Undeclared())
    assert not copies_values(3) and not copies_values(int)


@pytest.mark.parametrize("name", ["buy", "slowly"])
def test_a_declared_service_s_methods_are_converted(name: str) -> None:
    """The second time, too, when the verdict is remembered."""
    shop = Shop()
    for _ in range(2):
        found = PLAIN.get(shop, name)
        assert type(found) is ConvertedMethod
        assert found.function(["tea"]) == 1


def test_a_method_without_values_is_given_as_it_is() -> None:
    """It is remembered as others are."""
    shop = Shop()
    for _ in range(2):
        assert PLAIN.get(shop, "anything") == shop.anything
    assert PLAIN.get(Undeclared(), "buy") != ConvertedMethod
    assert type(PLAIN.get(Declines(), "buy")) is not ConvertedMethod


def test_the_switch_reads_the_annotations_of_everything_that_is_reached() -> None:
    """Of undeclared services, of functions and of bound methods that a peer holds."""

    def function(numbers: list[int]) -> int:
        return sum(numbers)

    other = Undeclared()
    assert type(READING.get(other, "buy")) is ConvertedMethod
    assert type(READING.callable(function)) is ConvertedMethod
    assert type(READING.callable(other.buy)) is ConvertedMethod
    assert PLAIN.callable(function) is function
    assert PLAIN.callable(other.buy) == other.buy


def test_a_bound_method_of_a_declared_service_is_converted_without_the_switch() -> None:
    """A stock peer reads the method, and calls what it got."""
    shop = Shop()
    assert type(PLAIN.callable(shop.buy)) is ConvertedMethod
    assert type(PLAIN.callable(shop.slowly)) is ConvertedMethod


def test_an_object_s_own_function_is_not_called_by_its_class_s_plan() -> None:
    """It hides the method."""
    shop = Shop()
    assert type(PLAIN.get(shop, "buy")) is ConvertedMethod

    def own(items: Any) -> Any:
        return items

    shop.buy = own  # type: ignore[method-assign]
    assert PLAIN.get(shop, "buy") is own


class IShop(Interface):
    def buy(items: list[str]) -> int:
        """Buy some items."""

    def sell(items):  # type: ignore[no-untyped-def]
        """Sell some items."""


@implementer(IShop)
class Behind:
    def buy(self, items):  # type: ignore[no-untyped-def]
        return len(items)

    def sell(self, items: set[str]) -> int:
        return len(items)


def test_an_interface_s_annotations_count_and_then_the_method_s_own() -> None:
    """Where an interface is opened."""
    expose(IShop)
    behind = Behind()
    bought = READING.get(behind, "buy")
    assert type(bought) is ConvertedMethod and bought.contract is not None
    assert bought.plan.signature_text == "(items: list[str]) -> int"
    sold = READING.get(behind, "sell")
    assert sold.plan.signature_text == "(items: set[str]) -> int"
    assert type(PLAIN.get(behind, "buy")) is not ConvertedMethod


class Basket:
    exposed = True

    def __init__(self, items: list[str]) -> None:
        self.items = items


def test_with_the_switch_a_class_is_made_with_converted_arguments() -> None:
    """It is called as a function is."""
    found = READING.callable(Basket)
    assert type(found) is ConvertedMethod and found.function is Basket
    assert PLAIN.callable(Basket) is Basket


def test_what_an_object_gives_for_itself_is_converted() -> None:
    """By its ``_rpyc_getattr``."""

    class Answers:
        def _rpyc_getattr(self, name: str) -> Any:
            return Undeclared().buy if name == "buy" else 5

    assert type(READING.get(Answers(), "buy")) is ConvertedMethod
    assert READING.get(Answers(), "other") == 5
    assert type(PLAIN.get(Answers(), "buy")) is not ConvertedMethod


def test_what_has_no_annotations_has_no_plan() -> None:
    """Builtin functions and classes neither."""
    assert plan_of(len) is None
    assert plan_of(int) is None
    assert plan_of(lambda x: x) is None


@dataclass
class Part:
    names: list[str]


class Shelf(Service, values=True):
    exposed_xs: ClassVar[list[int]] = [1]
    exposed_lost: NotThere  # type: ignore[name-defined]  # noqa: F821
    exposed_call: Callable[[list[int]], None] = print
    exposed_mine: list[Self]
    exposed_part: Part

    @functools.cached_property
    def exposed_once(self) -> list[int]:
        return [1]


class Deeper(Shelf):
    exposed_xs = [2]


def test_an_annotated_attribute_is_given_with_its_plan() -> None:
    """Its own class's or a base's, by a string or a `cached_property`."""
    shelf = Deeper()
    for name in ("xs", "once", "once"):
        found = PLAIN.get(shelf, name)
        assert type(found) is ConvertedAttribute
        assert found.found is getattr(shelf, f"exposed_{name}")
    assert found.qualname == "Deeper.exposed_once"


def test_an_attribute_whose_annotation_is_no_value_is_given_as_it_is() -> None:
    shelf = Shelf()
    shelf.exposed_lost = [1]
    shelf.exposed_mine = []
    assert PLAIN.get(shelf, "lost") == [1]
    assert PLAIN.get(shelf, "call") is print


def test_the_class_of_an_attribute_may_be_fetched() -> None:
    """And a record whose own fields are annotated, where they may be read."""
    shelf, policy = Shelf(), AccessPolicy(ConnectionConfig())
    shelf.exposed_part = Part(["a"])
    with pytest.raises(AttributeError, match="cannot fetch"):
        check_fetchable(policy, shelf.exposed_part, False)
    policy.get(shelf, "part")
    check_fetchable(policy, shelf.exposed_part, False)
    public = AccessPolicy(ConnectionConfig(values=True, allow_public_attrs=True))
    check_fetchable(public, shelf.exposed_part, False)

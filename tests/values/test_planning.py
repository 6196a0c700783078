"""Reading the annotations of functions."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, Unpack

import pytest
from twisted.internet.defer import Deferred

from tests.values.classes import Item, Movie
from txremote.errors import WrongValue
from txremote.values.planning import call_plan, signature_text


class Shop:
    def put(
        self, item: Item, at: int | None = None, *rest: float, quick: bool = False
    ) -> list[Item]:
        return [item]

    def plain(self, item, at=None):  # type: ignore[no-untyped-def]
        return item

    def anything(self, item: object, other: Any, shop: Shop, call: Callable[..., int]) -> None:
        pass

    @staticmethod
    def static(n: int, /, **words: str) -> None:
        pass

    @classmethod
    def klass(cls, n: int) -> None:
        pass

    async def later(self) -> Item: ...

    def deferred(self) -> Deferred[Item]: ...

    def items(self) -> Iterator[Item]: ...

    async def pushed(self) -> AsyncIterator[int]:
        yield 1

    def watch(self, on_change: Callable[[Item, int], bool] | None) -> None: ...

    def hear(self, listener: Listener) -> None: ...


class Listener(Protocol):
    def __call__(self, item: Item) -> None: ...


def test_a_plan_describes_the_call_as_a_peer_makes_it() -> None:
    plan = call_plan(Shop().put)
    assert plan is not None
    assert plan.describe() == (
        ("item", "at"),
        ("item", "at", "quick"),
        True,
        False,
        "(item: Item, at: int | None = ..., *rest: float, quick: bool = ...) -> list[Item]",
    )
    assert plan.result is not None
    assert plan.is_value(0)
    assert plan.is_value(7)
    assert plan.is_value("quick")
    assert not plan.is_value("other")


def test_the_plan_is_the_same_bound_and_unbound() -> None:
    shop = Shop()
    assert call_plan(shop.put) is call_plan(shop.put)
    unbound, bound = call_plan(Shop.put, Shop), call_plan(shop.put)
    assert unbound is not None
    assert bound is not None
    assert unbound.describe() == bound.describe()


def test_functions_without_declared_values_have_no_plan() -> None:
    for function in (Shop().plain, Shop().anything, print, len, [].append, 3, object()):
        assert call_plan(function) is None


def test_static_and_class_methods() -> None:
    for function, owner in ((Shop.static, None), (Shop.static, Shop), (Shop().static, None)):
        plan = call_plan(function, owner)
        assert plan is not None
        assert plan.describe()[:4] == (("n",), ("n",), False, True)
        assert plan.signature_text == "(n: int, /, **words: str) -> None"
    plan = call_plan(Shop.klass)
    assert plan is not None
    assert plan.positional == ("n",)


@pytest.mark.parametrize("function", [Shop.later, Shop.deferred])
def test_a_result_that_comes_later_is_declared_as_what_comes(function: Any) -> None:
    plan = call_plan(function, Shop)
    assert plan is not None
    assert plan.result is not None
    assert plan.result.text == "Item"


@pytest.mark.parametrize("function", [Shop.items, Shop.pushed])
def test_an_iterator_declares_its_items(function: Any) -> None:
    plan = call_plan(function, Shop)
    assert plan is not None
    assert plan.result is None
    assert plan.item is not None


@pytest.mark.parametrize("function", [Shop.watch, Shop.hear])
def test_a_callback_has_a_plan(function: Any) -> None:
    plan = call_plan(function, Shop)
    assert plan is not None
    assert not plan.has_arguments
    (callback,) = plan.callbacks.values()
    assert callback.is_value(0)


def test_a_decorated_function_is_what_it_wraps() -> None:
    @functools.wraps(Shop.put)
    def put(*args: Any, **kwargs: Any) -> Any:
        return None

    plan, original = call_plan(put, Shop), call_plan(Shop.put, Shop)
    assert plan is not None
    assert original is not None
    assert plan.describe()[0] == ("item", "at") or plan.describe() == original.describe()
    partial = call_plan(functools.partial(Shop().put, at=3))
    assert partial is not None
    assert partial.is_value("item")


def test_a_cached_function_is_what_it_wraps() -> None:
    @functools.cache
    def function(n: int) -> float:
        return n

    plan = call_plan(function)
    assert plan is not None
    assert plan.signature_text == "(n: int) -> float"


def test_a_function_of_many_types_has_no_plan() -> None:
    class Many:
        @functools.singledispatchmethod
        def show(self, n: int) -> str:
            return str(n)

    assert call_plan(functools.singledispatch(put_an_int)) is None
    assert call_plan(Many().show) is None


def put_an_int(n: int) -> None:
    pass


def test_one_annotation_that_cannot_be_resolved_spoils_no_other() -> None:
    def function(a: int, b: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
        pass

    plan = call_plan(function)
    assert plan is not None
    assert [*plan.types] == ["a"]
    assert plan.signature_text == "(a: int, b: Nowhere) -> None"


def test_names_of_an_enclosing_function_are_not_known_unless_they_are_used() -> None:
    class Local:
        pass

    def function(a: int, b: Local) -> Local:
        return Local()

    plan = call_plan(function)
    assert plan is not None
    assert [*plan.types] == ["a"]


def test_keywords_may_be_declared_by_a_typed_dict() -> None:
    def function(**options: Unpack[Movie]) -> None:
        pass

    plan = call_plan(function)
    assert plan is not None
    assert plan.describe()[1] == ("title", "year")
    with pytest.raises(WrongValue, match=r"^year: expected int"):
        plan.convert((), {"title": "a", "year": "b"})


def test_self_is_the_class() -> None:
    plan = call_plan(Fork.join, Fork)
    assert plan is not None
    assert plan.convert(([{"prongs": 3}],), {})[0] == ([Fork(3)],)


@dataclass
class Fork:
    prongs: int
    others: list[Self] = field(default_factory=list)

    def join(self, others: list[Self]) -> Self:
        return self


def test_signatures_show_no_defaults() -> None:
    def function(a: int = 3, *, secret="s3cret"):  # type: ignore[no-untyped-def]
        pass

    assert signature_text(function) == "(a: int = ..., *, secret=...)"
    assert signature_text(Shop.put, bound=True).startswith("(item: Item, at:")  # type: ignore[union-attr]
    assert signature_text(dict.fromkeys) is not None

"""
Functions that are handed over by a view, and what they get.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.blocking.script_threads import linked, scripted
from txremote import Service, exposed, typed
from txremote.testing import connected_pair
from txremote.values.planning import call_plan
from txremote.views.callbacks import with_callbacks
from txremote.views.scripts import typed as typed_here


@dataclass
class Item:
    name: str


class Names:
    def __init__(self) -> None:
        self._heard: list[Any] = []

    @exposed
    def each(self, items: list[Item], on_item: Callable[[Item], Any]) -> None:
        for item in items:
            on_item(item)

    @exposed
    def many(self, on_items: Callable[[list[int]], Any] | None = None) -> None:
        if on_items is not None:
            on_items([1, 2])

    @exposed
    def subscribe(self, listener: Callable[[Item], Any]) -> int:
        self._heard.append(listener)
        return len(self._heard)

    @exposed
    def unsubscribe(self, listener: Callable[[Item], Any]) -> bool:
        return listener in self._heard

    @exposed
    def forget(self, listener):  # type: ignore[no-untyped-def]
        return listener in self._heard

    @exposed
    def bare(self, listener: Callable[..., Any]) -> None:
        listener(3)


class ValueNames(Names, Service, values=True):
    pass


class PlainNames(Names, Service):
    pass


@pytest.mark.parametrize("service", [ValueNames, PlainNames])
def test_in_a_reactor_they_get_what_is_declared(service: Any) -> None:
    """Also of a server that sends references: those are fetched."""
    pair = connected_pair(server_root=service)
    view: Any = typed(pair.client.root, service)
    heard: list[Any] = []
    pair.result(view.each([Item("tea"), Item("cake")], heard.append))
    assert heard == [Item("tea"), Item("cake")]
    pair.result(view.many(heard.append))
    pair.pump()
    assert heard[2:] == [[1, 2]]
    pair.result(view.many())
    pair.result(view.many(on_items=None))
    pair.result(view.bare(heard.append))
    assert heard[-1] == 3


@pytest.mark.parametrize("service", [ValueNames, PlainNames])
@scripted
def test_in_a_script_they_get_what_is_declared(service: Any) -> None:
    with linked(service) as conn:
        view: Any = typed_here(conn.root, service)
        heard: list[Any] = []
        view.each([Item("tea")], on_item=heard.append)
        view.many(heard.append)
        assert heard == [Item("tea"), [1, 2]]


def test_a_function_is_the_same_when_it_is_handed_over_again() -> None:
    pair = connected_pair(server_root=ValueNames)
    view: Any = typed(pair.client.root, ValueNames)

    class Listener:
        def heard(self, item: Item) -> None: ...

    listener = Listener()
    assert pair.result(view.subscribe(listener.heard)) == 1
    assert pair.result(view.unsubscribe(listener.heard)) is True
    assert pair.result(view.forget(listener.heard)) is True
    assert pair.result(view.unsubscribe(Listener().heard)) is False


def plan_of(function: Any) -> Any:
    found = call_plan(function)
    assert found is not None
    return found


def test_a_wrapper_lives_as_long_as_it_is_held() -> None:
    def take(listener: Callable[[Item], Any]) -> None: ...

    plan = plan_of(take)
    (first,), _none = with_callbacks(plan, (print,), {})
    (second,), _none = with_callbacks(plan, (print,), {})
    assert first is second
    assert first is not print
    assert first.__name__ == "print"  # type: ignore[attr-defined]
    number = id(first)
    del first, second
    gc.collect()
    assert number


def test_one_function_may_be_declared_in_several_ways() -> None:
    pair = connected_pair(server_root=ValueNames)
    view: Any = typed(pair.client.root, ValueNames)
    heard: list[Any] = []

    def hear(given: Any) -> None:
        heard.append(given)

    pair.result(view.subscribe(hear))
    pair.result(view.many(hear))
    pair.result(view.each([Item("tea")], hear))
    pair.pump()
    assert heard == [[1, 2], Item("tea")]


def test_what_is_no_function_is_handed_over_as_it_is() -> None:
    def take(listener: Callable[[Item], Any] | None, more: int = 0) -> None: ...

    plan = plan_of(take)
    for given in (None, object(), Item):
        assert with_callbacks(plan, (given,), {"more": 1}) == ((given,), {"more": 1})
    partial = functools.partial(print, [])
    (wrapped,), _none = with_callbacks(plan, (partial,), {})
    assert callable(wrapped)

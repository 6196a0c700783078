"""
What a class declares for its clients.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Annotated, Any, Protocol

import pytest
from twisted.internet.defer import Deferred

from tests.stubs import shop
from txremote import Service, exposed
from txremote.console.task_service import TaskService
from txremote.views.members import UNKNOWN, behind, exposes_names, members_of


def names(declaration: object) -> set[str]:
    return set(members_of(declaration))


def test_a_service_declares_what_it_exposes() -> None:
    """By the mark and by the prefix; not what every service has."""
    found = members_of(shop.Shop)
    assert set(found) == set(
        "motto pi first cheapest watch basket all some secret plain late blocked size same find "
        "Till help".split()
    )
    kinds = {name: member.kind for name, member in found.items()}
    assert {name for name, kind in kinds.items() if kind == "attribute"} == {
        *("motto", "pi", "first", "size")
    }
    assert kinds["Till"] == "class"


@pytest.mark.parametrize(
    ("name", "parameters", "returns"),
    [
        ("cheapest", ["items", "at"], shop.Item),
        ("help", [], str),
        ("blocked", ["place"], shop.Point),
        ("late", ["ratio"], shop.Deferred[dict[str, shop.Address]]),
        ("plain", ["x", "y"], None),
        ("motto", None, str),
        ("size", None, int),
        ("pi", None, float),
    ],
)
def test_members_have_parameters_and_a_result(name: str, parameters: Any, returns: Any) -> None:
    """Of a decorated, a threaded, a static method; an attribute's type is the result."""
    member = members_of(shop.Shop)[name]
    found = member.parameters
    assert (found if found is None else [each.name for each in found]) == parameters
    if returns is None:
        assert member.returns is UNKNOWN
    else:
        assert member.resolve(member.returns) == returns


def test_other_names_may_be_given() -> None:
    member = members_of(shop.Shop)["late"]
    assert member.parameters is not None
    annotation = member.parameters[0].annotation
    with pytest.raises(NameError):
        member.resolve(annotation)
    assert member.resolve(annotation, {"Fraction": Fraction}) is Fraction


def test_names_of_the_functions_around_are_seen() -> None:
    class Local:
        pass

    class Place(Service):
        @exposed
        def where(self) -> Local:
            return Local()

    member = members_of(Place)["where"]
    assert member.resolve(member.returns) is Local


def test_what_means_nothing_raises() -> None:
    member = members_of(shop.Lost)["lost"]
    assert member.parameters is not None
    with pytest.raises(NameError):
        member.resolve(member.parameters[0].annotation)
    assert member.resolve(member.returns) is int


def test_overloads_are_found() -> None:
    found = members_of(shop.Shop)["find"].overloads
    assert [each.resolve(each.returns) for each in found] == [shop.Item, list[shop.Item]]
    assert all([p.name for p in each.parameters or ()] == ["key"] for each in found)


def test_an_interface_declares_its_names_with_annotations() -> None:
    found = members_of(shop.IShelf)
    assert set(found) == {"size", "put"}
    assert found["put"].resolve(found["put"].returns) == list[shop.Item]
    assert [each.default for each in found["put"].parameters or ()] == [UNKNOWN, 1]
    assert found["size"].doc == "How many things fit."


def test_a_class_that_is_exposed_by_an_interface_has_the_interface_s_names() -> None:
    found = members_of(shop.Shelf)
    assert set(found) == {"size", "put"}
    assert [each.name for each in found["put"].parameters or ()] == ["name", "count"]


def test_a_protocol_declares_all_its_names() -> None:
    found = members_of(shop.Plain)
    assert {name: member.kind for name, member in found.items()} == {
        "motto": "attribute",
        "size": "attribute",
        "cheapest": "method",
        "watch": "method",
    }


def test_names_of_bases_are_inherited_and_may_be_changed() -> None:
    class Bigger(shop.Shop):
        @exposed
        def help(self, topic: str) -> str:  # type: ignore[override]
            return topic

        @exposed
        def more(self) -> int:
            return 1

    found = members_of(Bigger)
    assert names(shop.Shop) | {"more"} == set(found)
    assert [each.name for each in found["help"].parameters or ()] == ["topic"]

    class Longer(shop.Plain, Protocol):
        def more(self) -> int: ...

    assert names(Longer) == names(shop.Plain) | {"more"}


def test_unusual_methods_are_members_too() -> None:
    class Odd(Service):
        exposed_part = functools.partialmethod(shop.Shop.plain, 1)
        exposed_builtin = len
        exposed_nothing = None

        @exposed
        @classmethod
        def named(cls, x: int) -> int:
            return x

        @functools.cached_property
        def exposed_late(self) -> str:
            return ""

        def exposed__private(self) -> None: ...

    found = members_of(Odd)
    assert set(found) == {"part", "builtin", "nothing", "named", "late"}
    assert [each.name for each in found["named"].parameters or ()] == ["x"]
    assert found["late"].kind == "attribute"
    assert found["part"].kind == "method"


def test_what_declares_nothing_is_refused_with_what_to_give() -> None:
    with pytest.raises(TypeError, match="Secret declares no names: mark them with @exposed"):
        members_of(shop.Secret)
    with pytest.raises(TypeError, match=r"3 is no class: give a Service, a typing\.Protocol"):
        members_of(3)


def test_a_class_exposes_names_or_not() -> None:
    assert exposes_names(shop.Basket)
    assert exposes_names(shop.Plain)
    assert exposes_names(TaskService)
    assert not exposes_names(shop.Secret)
    assert not exposes_names(shop.Item)
    assert not exposes_names(int)


def test_what_is_behind_an_annotation() -> None:
    assert behind(Annotated[Deferred[int], "why"]) is int
    assert behind(list[int]) == list[int]

"""What a peer may have a copy of: no more than what it may read."""

from __future__ import annotations

import datetime
import enum
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from txremote import ConnectionConfig, NotSendable
from txremote.gate.access import AccessPolicy
from txremote.gate.fetchable import check_fetchable
from txremote.wire import limits

PLAIN = AccessPolicy(ConnectionConfig())
PUBLIC = AccessPolicy(ConnectionConfig(allow_public_attrs=True))


@dataclass
class Item:
    name: str
    exposed_price: int = 3


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = 1


class Plain:
    pass


@pytest.mark.parametrize(
    "value",
    [
        *([1, "a"], {"a": [1]}, {1, 2}, deque([1]), OrderedDict(a=1), Point(1, 2), Colour.RED),
        *(datetime.date(2026, 1, 1), [Plain()], (Plain(),)),
    ],
)
def test_containers_and_values_that_show_themselves_are_given(value: Any) -> None:
    """What is no value in one goes by reference."""
    check_fetchable(PLAIN, value, all_fields=False)


@pytest.mark.parametrize("value", [Item("tea"), [Item("tea")], {"a": (Item("tea"),)}])
def test_a_record_is_given_where_its_fields_may_be_read(value: Any) -> None:
    """However deep it is; or on the connecting side."""
    with pytest.raises(AttributeError, match=r"'name' is not exposed.*value\(x\)"):
        check_fetchable(PLAIN, value, all_fields=False)
    check_fetchable(PLAIN, value, all_fields=True)
    check_fetchable(PUBLIC, value, all_fields=False)


def test_what_is_no_value_has_no_copy() -> None:
    """The error says what to do."""
    with pytest.raises(TypeError, match="a Plain is no value, and has no copy"):
        check_fetchable(PLAIN, Plain(), all_fields=True)


def test_operators_that_are_closed_stay_closed() -> None:
    """A copy is a way of reading."""
    closed = AccessPolicy(ConnectionConfig(safe_attrs=frozenset()))
    object.__setattr__(closed, "_prefix", "exposed_")
    for value in ([1], {"a": 1}):
        allowed = True
        try:
            closed.get(value, "__iter__")
        except AttributeError:
            allowed = False
        if not allowed:
            with pytest.raises(AttributeError):
                check_fetchable(closed, value, all_fields=True)


def test_a_container_that_holds_itself_ends() -> None:
    """The encoder refuses it."""
    loop: list[Any] = []
    loop.append(loop)
    check_fetchable(PLAIN, loop, all_fields=False)


def test_the_parts_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By max_items."""
    few = limits.Limits(max_items=10)
    monkeypatch.setattr("txremote.gate.fetchable.DEFAULT_LIMITS", few)
    with pytest.raises(NotSendable, match="max_items"):
        check_fetchable(PLAIN, [[] for _ in range(20)], all_fields=False)

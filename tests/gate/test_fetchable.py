"""What a peer may have a copy of: no more than what it may read."""

from __future__ import annotations

import datetime
import enum
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from txremote import ConnectionConfig, NotSendable, Service
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


@dataclass
class Prefixed:
    """A record with another thing exposed by the name of its field."""

    word: str
    exposed_word = "***"


@dataclass
class Answering:
    """A record that says itself what a peer reads of it."""

    word: str

    def _rpyc_getattr(self, name: str) -> str:
        return "***"


@pytest.mark.parametrize(
    ("kind", "policy"), [(Prefixed, PLAIN), (Answering, PLAIN), (Answering, PUBLIC)]
)
def test_what_is_exposed_in_place_of_a_field_does_not_open_the_field(
    kind: Any, policy: AccessPolicy
) -> None:
    """The peer reads the stars; a copy would have the word."""
    assert policy.get(kind("secret"), "word") == "***"
    with pytest.raises(AttributeError, match=f"cannot fetch an? {kind.__name__}: its 'word'"):
        check_fetchable(policy, [kind("secret")], all_fields=False)


@dataclass
class Callbacks(Service):
    """What a client serves, and keeps to itself."""

    token: str


@pytest.mark.parametrize("all_fields", [False, True])
def test_a_service_has_no_copy(all_fields: bool) -> None:
    """Not even on the connecting side: no annotation asks for one."""
    with pytest.raises(TypeError, match="a Callbacks is a service"):
        check_fetchable(PUBLIC, Callbacks("secret"), all_fields)


def test_operators_are_asked_for_once_for_each_kind_of_container() -> None:
    """A long list of dicts is looked at in no time; of a subclass, each object is asked."""
    asked: list[object] = []

    class Counting(AccessPolicy):
        def get(self, obj: object, name: object) -> Any:
            asked.append(name)
            return super().get(obj, name)

    policy = Counting(ConnectionConfig())
    check_fetchable(policy, [{"a": [1]} for _ in range(100)], all_fields=False)
    assert len(asked) == 3
    check_fetchable(policy, [OrderedDict(a=1) for _ in range(100)], all_fields=False)
    assert len(asked) == 3 + 1 + 200

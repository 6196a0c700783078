"""What annotations want of a stock peer's objects: copied, and converted to what is declared."""

from __future__ import annotations

import datetime
import enum
import pathlib
import re
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.refs.stock_peer import StockPeer
from txremote.errors import WrongValue
from txremote.peer.stock_wanted import wanted_by
from txremote.refs.reference import RemoteReference
from txremote.values.compiling import value_type


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Perm(enum.IntFlag):
    R = 1
    W = 2


class Point(NamedTuple):
    x: int
    tags: list[str]


class Options(TypedDict, total=False):
    size: int
    names: list[str]


@dataclass
class Item:
    name: str
    price: Decimal
    tags: list[str] = field(default_factory=list)
    colour: Colour | None = None


@dataclass
class Box:
    items: list[Item]
    inner: Box | None = None


@dataclass
class Watched:
    name: str
    on_change: Callable[[Item], None] | None


class Money(msgspec.Struct):
    amount: Decimal
    currency: str


def converted(peer: StockPeer, value: Any, annotation: Any) -> Any:
    kind = value_type(annotation)
    assert kind is not None
    return kind.convert(peer.copied(value, wanted_by(kind)), "items")


TEA = Item("tea", Decimal("1.10"), ["a", "b"], Colour.RED)

VALUES: list[tuple[Any, Any]] = [
    ([1, 2], list[int]),
    ([1, 2.5], list[float]),
    ({1, 2}, set[int]),
    (frozenset({1}), frozenset[int]),
    ([[1], []], list[list[int]]),
    ({"a": {"b": [1]}}, dict[str, dict[str, list[int]]]),
    ((1, ["a"]), tuple[int, list[str]]),
    (deque([1, 2], 5), deque[int]),
    (OrderedDict(a=1), OrderedDict[str, int]),
    (Counter("aab"), Counter[str]),
    (bytearray(b"abc"), bytearray),
    (array("d", [1.5]), array),
    (range(1, 9, 2), range),
    ([1, [2]], list),
    ({"any": [{"thing"}]}, dict),
    ([1, [2]], list[Any]),
    ([1], Sequence[int]),
    ({"a": 1}, Mapping[str, int]),
    ([datetime.date(2024, 1, 2)], list[datetime.date]),
    (datetime.datetime(2024, 1, 2, tzinfo=ZoneInfo("Asia/Tokyo")), datetime.datetime),
    (datetime.datetime(2024, 1, 2), datetime.datetime | None),
    ({UUID(int=1): Fraction(1, 3)}, dict[UUID, Fraction]),
    ([pathlib.PurePosixPath("/a"), pathlib.Path("b")], list[pathlib.PurePath]),
    (pathlib.Path("b"), pathlib.Path),
    (re.compile("a+", re.I), re.Pattern),
    (Colour.RED, Colour),
    ([Colour.BLUE], list[Colour | None]),
    (Perm.R | Perm.W, Perm),
    ({"size": 1, "names": ["a"]}, Options),
    ([3], Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=3)]),
    ([1, "a", None, [2]], list[int | str | list[int] | None]),
]
OBJECTS: list[tuple[Any, Any]] = [
    (TEA, Item),
    ([TEA, TEA], list[Item]),
    ({"a": TEA}, dict[str, Item]),
    (Box([TEA], Box([])), Box),
    (Money(Decimal(5), "EUR"), Money),
    ([TEA, Money(Decimal(5), "EUR"), None], list[Item | Money | None]),
]


@pytest.mark.parametrize(("value", "annotation"), VALUES, ids=lambda each: str(each)[:40])
def test_what_a_closed_client_sends_is_what_arrives(value: Any, annotation: Any) -> None:
    found = converted(StockPeer(), value, annotation)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("value", "annotation"), OBJECTS, ids=lambda each: str(each)[:40])
def test_objects_arrive_from_a_client_that_opens_public_names(value: Any, annotation: Any) -> None:
    assert converted(StockPeer(public=True), value, annotation) == value
    with pytest.raises(WrongValue, match="allow_public_attrs"):
        converted(StockPeer(), value, annotation)


def test_named_tuples_are_read_as_tuples_and_need_no_switch() -> None:
    found = converted(StockPeer(), [Point(1, ["a"])], list[Point])
    assert found == [Point(1, ["a"])]
    assert type(found[0]) is Point
    assert converted(StockPeer(), {"x": 1, "tags": ["a"]}, Point) == Point(1, ["a"])


def test_a_dict_of_the_fields_stands_for_the_object() -> None:
    fields = {"name": "tea", "price": Decimal("1.10"), "tags": ["a", "b"], "colour": Colour.RED}
    assert converted(StockPeer(), [fields], list[Item]) == [TEA]
    assert converted(StockPeer(), {"name": "tea", "price": Decimal(1)}, Item) == Item(
        "tea", Decimal(1)
    )


def test_an_object_of_any_class_with_the_fields_is_taken() -> None:
    own = SimpleNamespace(name="tea", price=Decimal(1))
    assert converted(StockPeer(public=True), own, Item) == Item("tea", Decimal(1))


def test_a_callback_in_an_object_stays_a_reference() -> None:
    def changed(item: Item) -> None:
        """Be told."""

    found = converted(StockPeer(public=True), Watched("a", changed), Watched)
    assert found.name == "a"
    assert type(found.on_change) is RemoteReference
    assert type(converted(StockPeer(), [changed], list[Any])[0]) is RemoteReference


@pytest.mark.parametrize(
    ("value", "annotation", "error"),
    [
        ({"a": 1}, list[int], "items: expected list[int], got a builtins.dict by reference"),
        ([1, [2]], list[int], "items[1]: expected int, got a builtins.list by reference"),
        ([1, "x"], list[int], "items[1]: expected int, got str 'x'"),
        ({"a": ["x"]}, dict[str, list[int]], "items['a'][0]: expected int, got str 'x'"),
        ([SimpleNamespace()], list[int], "items[0]: expected int, got a types.SimpleNamespace"),
        ([Colour.RED], list[Perm], "items[0]: expected Perm, got a tests.peer.test_stock_wanted"),
        ([datetime.date(2024, 1, 1)], list[datetime.datetime], "items[0]: expected datetime, got"),
        (Colour.RED, Literal["RED"], "items: expected Literal['RED'], got a tests"),
        (OrderedDict(a=1), dict[str, int], "items: expected dict[str, int], got"),
    ],
    ids=str,
)
def test_what_is_not_declared_is_refused_with_its_path(
    value: Any, annotation: Any, error: str
) -> None:
    with pytest.raises(WrongValue) as caught:
        converted(StockPeer(public=True), value, annotation)
    assert str(caught.value).startswith(error), caught.value


@pytest.mark.parametrize("value", [[1.0], "an array"])
def test_an_array_is_refused_with_what_a_stock_client_can_pass(value: Any) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed (extra numpy)")
    given = numpy.ones(3) if value == "an array" else value
    with pytest.raises(WrongValue, match=r"expected ndarray, got a .* such as a list or bytes"):
        converted(StockPeer(public=True), given, numpy.ndarray)


def test_a_wrong_object_of_a_union_is_refused_and_its_class_told() -> None:
    own = SimpleNamespace(name="tea")
    with pytest.raises(WrongValue, match=r"expected Item \| Money, got a types"):
        converted(StockPeer(public=True), own, Item | Money)


def test_shared_objects_stay_shared() -> None:
    found = converted(StockPeer(public=True), [TEA, TEA], list[Item])
    assert found[0] is found[1]

"""
Annotations as text.
"""

from __future__ import annotations

import ast
import collections
import datetime
import decimal
import ipaddress
import pathlib
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Annotated, Any, Final, Literal, NewType, Optional, Union

import pytest
from twisted.internet.defer import Deferred

from tests.stubs import shop
from txremote.stubs.annotations import Annotations, Imports, public_module
from txremote.stubs.flavours import FLAVOURS

UserId = NewType("UserId", int)


def writer(flavour: str = "scripts") -> tuple[Annotations, Imports]:
    imports = Imports()
    chosen = next(each for each in FLAVOURS if each.name == flavour)
    return Annotations(chosen, imports, lambda kind: f"View{kind.__name__}", None), imports  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (None, "None"),
        (Any, "Any"),
        (list[int], "list[int]"),
        (dict[str, list[decimal.Decimal]], "dict[str, list[Decimal]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (tuple[()], "tuple[()]"),
        (int | None, "int | None"),
        (Optional[shop.Item], "Item | None"),  # noqa: UP045
        (Union[int, str, None], "int | str | None"),  # noqa: UP007
        (Literal["a", 1, None], 'Literal["a", 1, None]'),
        (Literal['say "x"'], "Literal['say \"x\"']"),
        (Annotated[int, "any metadata"], "int"),
        (Final[int], "int"),
        (Callable[[int, str], None], "Callable[[int, str], None]"),
        (Callable[..., int], "Callable[..., int]"),
        (Mapping[str, int], "Mapping[str, int]"),
        (re.Pattern[str], "Pattern[str]"),
        (UserId, "UserId"),
        (shop.Shop.Till, "ViewTill"),
        (list[shop.Basket], "list[ViewBasket]"),
        (shop.Secret, "Secret"),
        (type[shop.Item], "type[Item]"),
        (ipaddress.IPv4Address, "IPv4Address"),
        (pathlib.Path, "Path"),
        (datetime.datetime, "datetime"),
        (collections.OrderedDict[str, int], "OrderedDict[str, int]"),
    ],
)
def test_arguments(annotation: object, text: str) -> None:
    """As they are written, with classes that expose names as their views."""
    annotations, imports = writer()
    assert annotations.text(annotation) == text
    ast.parse(imports.text("tests"))


@pytest.mark.parametrize(
    ("annotation", "reactor", "script"),
    [
        (shop.Secret, "RemoteReference", "Any"),
        (shop.Secret | None, "RemoteReference | None", "Any | None"),
        (Callable[[int], str], "RemoteReference", "Callable[[int], str]"),
        (Deferred[int], "int", "int"),
        (Deferred, "Any", "Any"),
        (Awaitable[int], "int", "int"),
        (Coroutine[Any, Any, list[int]], "list[int]", "list[int]"),
        (collections.abc.Iterator[int], "AsyncIterator[int]", "Iterator[int]"),
        (collections.abc.Iterator, "AsyncIterator[Any]", "Iterator[Any]"),
        (collections.abc.AsyncGenerator[int, None], "AsyncIterator[int]", "Iterator[int]"),
        (collections.abc.Iterable[int], "AsyncIterable[int]", "Iterable[int]"),
        (shop.IShelf, "ViewIShelf", "ViewIShelf"),
    ],
)
def test_results(annotation: object, reactor: str, script: str) -> None:
    """What is no value is a reference in a reactor, and anything in a script."""
    assert writer("reactor")[0].result(annotation) == reactor
    assert writer("scripts")[0].result(annotation) == script


def test_two_classes_of_one_name_have_two_names() -> None:
    imports = Imports()
    assert imports.name("decimal", "Decimal") == "Decimal"
    assert imports.name("other.decimal", "Decimal") == "other_decimal_Decimal"
    assert imports.name("decimal", "Decimal") == "Decimal"
    assert imports.name("zoo", "ant") == "ant"
    assert imports.text("zoo") == (
        "from decimal import Decimal\n\n"
        "from other.decimal import Decimal as other_decimal_Decimal\n\n"
        "from zoo import ant"
    )


def test_a_long_import_has_lines() -> None:
    imports = Imports()
    for number in range(9):
        imports.name("some.module", f"LongClassName{number}")
    lines = imports.text("").splitlines()
    assert lines[0] == "from some.module import ("
    assert lines[1] == "    LongClassName0,"
    assert lines[-1] == ")"


def test_a_public_module_is_preferred() -> None:
    assert public_module(pathlib.Path) == "pathlib"
    assert public_module(decimal.Decimal) == "decimal"

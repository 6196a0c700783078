"""
A module of Protocols: what is in it, and in which form.
"""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import Generic, TypeVar

import pytest

from tests.stubs import shop
from txremote import Service, exposed
from txremote.stubs.flavours import FLAVOURS
from txremote.stubs.module import module_text

REACTOR, ASYNCIO, SCRIPTS = FLAVOURS
U = TypeVar("U")

SHELF = '''\
"""
What a type checker knows of tests.stubs.shop.Shelf at the other end of a connection.

Written by ``txremote stubs tests.stubs.shop.Shelf``, and not by hand.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from tests.stubs.shop import Item


class ReactorShelf(Protocol):
    """Shelf, called in a reactor."""

    @property
    def size(self) -> Awaitable[Any]:
        """How many things fit."""
        ...

    def put(self, name: str, count: int = ...) -> Deferred[list[Item]]: ...
'''


def test_a_module_has_imports_and_protocols() -> None:
    """The docstrings of the class are kept, and defaults are left open."""
    assert module_text(shop.Shelf, "tests.stubs.shop.Shelf", [REACTOR]) == SHELF


@pytest.mark.parametrize(
    ("flavour", "expected"),
    [
        (REACTOR, "def help(self) -> Deferred[str]: ..."),
        (ASYNCIO, "def help(self) -> Awaitable[str]: ..."),
        (SCRIPTS, "def help(self) -> str: ..."),
        (REACTOR, "def motto(self) -> Awaitable[str]: ..."),
        (SCRIPTS, "def motto(self) -> str: ..."),
        (REACTOR, "def secret(self) -> Deferred[RemoteReference]: ..."),
        (SCRIPTS, "def secret(self) -> Any: ..."),
        (REACTOR, "def basket(self) -> Deferred[ReactorBasket]: ..."),
        (SCRIPTS, "def basket(self) -> ScriptBasket: ..."),
        (REACTOR, "def Till(self, start: Decimal = ...) -> Deferred[ReactorShopTill]: ..."),
        (REACTOR, ") -> Deferred[AsyncIterator[Item]]: ..."),
        (SCRIPTS, ") -> Iterator[Item]: ..."),
        (REACTOR, "def late(self, ratio: Fraction) -> Deferred[dict[str, Address]]: ..."),
        (SCRIPTS, "def plain(self, x: Any, y: Any = ...) -> Any: ..."),
        (SCRIPTS, "    @overload\n    def find(self, key: str) -> list[Item]: ..."),
        (SCRIPTS, 'colour: Literal["r", Colour.RED] = ...'),
        (SCRIPTS, "def watch(self, item: Item, on_change: Callable[[Item], None]) -> None: ..."),
        (SCRIPTS, 'T = TypeVar("T", int, str)'),
        (SCRIPTS, "    def add(self, item: Item, count: int = ...) -> ScriptBasket:\n"),
        (SCRIPTS, 'It says "why", and a \\\\ is kept.'),
    ],
)
def test_each_flavour_has_its_own_results(flavour: object, expected: str) -> None:
    assert expected in module_text(shop.Shop, "tests.stubs.shop.Shop", [flavour])  # type: ignore[list-item]


def test_all_flavours_are_in_one_module() -> None:
    text = module_text(shop.Shop, "tests.stubs.shop.Shop")
    classes = [line for line in text.splitlines() if line.startswith("class ")]
    names = ("Shop", "Basket", "ShopTill")
    assert classes == [
        f"class {each.prefix}{name}(Protocol):" for each in FLAVOURS for name in names
    ]
    assert "hidden" not in text
    assert text == module_text(shop.Shop, "tests.stubs.shop.Shop")


def test_it_can_be_imported_and_is_formatted(tmp_path: Path) -> None:
    text = module_text(shop.Shop, "tests.stubs.shop.Shop")
    exec(compile(text, "stubs", "exec"), vars(types.ModuleType("stubs")))
    pytest.importorskip("ruff")
    own = '--config=lint.isort.known-first-party=["tests"]'
    options = ["--isolated", "--target-version=py311", "--stdin-filename=x.py", own, "-"]
    for words in (["format", "--diff"], ["check", "--select", "E,F,I,W"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, *options],
            input=text,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_cannot_be_resolved_is_any_and_told_once() -> None:
    told: list[str] = []
    text = module_text(shop.Lost, "tests.stubs.shop.Lost", FLAVOURS, told.append)
    assert "def lost(self, way: Any) -> int: ..." in text
    assert told == [
        "tests.stubs.shop.Lost.lost: the annotation of 'way' cannot be resolved "
        "(name 'Nowhere' is not defined); it is written Any"
    ]


def test_a_protocol_written_by_hand_gives_the_same() -> None:
    """Its results may be those of the server or those of a call."""
    text = module_text(shop.Plain, "tests.stubs.shop.Plain", [SCRIPTS])
    assert "def watch(self, item: Item, on_change: Callable[[Item], Any]) -> None: ..." in text
    assert "def cheapest(self, items: list[Item]) -> Item: ..." in text


def test_a_generic_service_is_hosted_without_its_type_arguments() -> None:
    class Box(Service, Generic[U]):
        @exposed
        def put(self, it: U) -> list[U]: ...  # type: ignore[empty-body]

    assert "def put(self, it: Any) -> list[Any]: ..." in module_text(Box, "x.Box", [SCRIPTS])


def test_a_type_that_cannot_be_imported_is_refused() -> None:
    class Local(shop.Point):
        pass

    class Place(Service):
        @exposed
        def where(self): ...  # type: ignore[no-untyped-def]

    Place.where.__annotations__["return"] = Local
    with pytest.raises(TypeError, match="Local is defined within a function"):
        module_text(Place, "x.Place", [SCRIPTS])

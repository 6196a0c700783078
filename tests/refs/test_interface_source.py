"""
A method of an interface is found again with its annotations.
"""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any, get_type_hints

import pytest
from zope.interface import Attribute, Interface
from zope.interface.interface import InterfaceClass

from txremote.refs.contract import contract_of
from txremote.refs.interface_source import written_method


class IShelf(Interface):
    size = Attribute("How many things fit.")

    def put(name: str, count: int = sys.maxsize, *rest: float, **more: bytes) -> list[str]:
        """Put a thing there."""

    def plain(name):  # type: ignore[no-untyped-def]
        """Say nothing of types."""


class IBigShelf(IShelf):
    def turn(far: bool) -> None:
        """Turn it."""


def test_it_has_parameters_annotations_and_docstring() -> None:
    function = written_method(IShelf, "put")
    assert function is not None
    assert get_type_hints(function) == {
        "name": str,
        "count": int,
        "rest": float,
        "more": bytes,
        "return": list[str],
    }
    assert list(inspect.signature(function).parameters) == ["name", "count", "rest", "more"]
    assert inspect.signature(function).parameters["count"].default is ...
    assert function.__doc__ == "Put a thing there."
    assert function.__qualname__ == "IShelf.put"
    assert function.__module__ == __name__


def test_a_contract_finds_what_its_bases_define() -> None:
    names = contract_of(IBigShelf).names
    put, turn, plain = names["put"], names["turn"], names["plain"]
    assert put is not None and turn is not None and plain is not None
    assert put.function().__annotations__["name"] == "str"  # type: ignore[union-attr]
    assert turn.function().__annotations__ == {"far": "bool", "return": "None"}  # type: ignore[union-attr]
    assert plain.function().__annotations__ == {}  # type: ignore[union-attr]


def test_without_source_there_is_none() -> None:
    def put(name: str) -> None: ...

    made: Any = InterfaceClass("IMade", (Interface,), {"put": put})
    assert written_method(made, "put") is None
    assert written_method(IShelf, "nothing") is None


@pytest.mark.parametrize("module", [None, types.ModuleType("made_by_hand")])
def test_a_module_without_a_file_has_none(
    module: types.ModuleType | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = InterfaceClass("IMade", (Interface,), {"__module__": "made_by_hand"})
    if module is not None:
        monkeypatch.setitem(sys.modules, "made_by_hand", module)
    assert written_method(made, "put") is None


def test_a_name_that_two_classes_have_is_nobody_s() -> None:
    def inner() -> Any:
        class ITwice(Interface):
            def put(name: str) -> None:
                """Put."""

        return ITwice

    class ITwice(Interface):
        def put(name: int) -> None:
            """Put."""

    assert written_method(ITwice, "put") is None
    assert written_method(inner(), "put") is None

"""
What the log calls a call: the method's name, and nothing of its arguments.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from txremote.peer.called import called_by, called_text, calls_text
from txremote.peer.calling import call, call_attribute, call_path, get_attribute
from txremote.peer.handlers import HANDLERS
from txremote.peer.inbound import pass_on_to
from txremote.wire.consts import HANDLE_CALLATTR, HANDLE_CMP, HANDLE_CTXEXIT


class Shop:
    """A service, say, whose own name is not asked."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked of an object of the program's")

    def count(self) -> None:
        """Count."""


SHOP = Shop()


@pytest.mark.parametrize(
    ("handler", "args", "text"),
    [
        (call_attribute, (SHOP, "count", ("secret",), ()), "Shop.count"),
        (call_path, (SHOP, ("shelf", "count"), ("secret",), ()), "Shop.shelf.count"),
        (partial(print, call_path), (SHOP, ("count",), None), "Shop.count"),  # with values
        (get_attribute, (SHOP, "count"), "Shop.count"),
        (partial(pass_on_to, SHOP, HANDLE_CALLATTR), (SHOP, "count", (), ()), "Shop.count"),
        (partial(pass_on_to, SHOP, HANDLE_CMP), (SHOP, "secret", "__eq__"), "Shop"),
        (HANDLERS[HANDLE_CMP].function, (SHOP, "secret", "__eq__"), "Shop"),
        (HANDLERS[HANDLE_CTXEXIT].function, (SHOP, "secret"), "Shop"),
        (call, (Shop.count, ("secret", "word"), ()), "Shop.count"),
        (call, (Shop, ("secret",), ()), "Shop"),
        (call, (SHOP, ("secret",), ()), "Shop"),
        (call_attribute, (SHOP, "two\nlines", (), ()), repr("Shop.two\nlines")),
        (call_attribute, (SHOP, "n" * 1000, (), ()), "Shop." + "n" * 195),
        (call, (), "a request"),
    ],
)
def test_a_call_is_named_without_its_arguments(handler: Any, args: Any, text: str) -> None:
    """By its object's class and the name that its caller has said, on one line."""
    assert called_text(called_by(SimpleNamespace(handler=handler, args=args))) == text


def test_of_many_calls_the_most_frequent_are_named() -> None:
    """Five at most, each with its number."""
    many = [(SHOP, name) for name in "abcdef"] + [(SHOP, "f")] * 2
    assert calls_text(many) == "8 calls (Shop.f 3, Shop.a, Shop.b, Shop.c, Shop.d, ...)"
    assert calls_text(many[:1]) == "1 call (Shop.a)"
